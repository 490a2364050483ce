"""`tracker windows`: the windows and their figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from shlex import quote
from typing import TYPE_CHECKING, TypeAlias

import click

from tracker.kernel import Group, Selection, Windows, escape, selection, session

if TYPE_CHECKING:
    from tracker.kernel import Session
    from tracker_desk.window_list import ListedWindow

MOST = 6  # names in one note
TABLE = 1000  # windows that are laid out as a table, and lines that are printed at once
SPLIT = "split"
# What is said of windows, by the column that marks them: a narrow terminal has no room for it. The first place is for
# the providers and windows, the second for the first window.
REMARKS = {
    "overlaps": "{} overlap other windows: not counted. `tracker decision-card --window {}` names the cure.",
    "shared_requests": (
        "{} ran at the same time as others. Requests that may be of several stand as shared in each, beside its own."
        " Give each lane the name of its branch or project to tell them apart (feat-a for feat/a)."
    ),
    "lost_sessions": (
        "what {} used is not known: the files of sessions of these days are deleted, or on another machine, and only"
        " daily totals are left, which `tracker usage` counts."
    ),
    "accounts": (
        "what {} used is not known: requests of several accounts were made then, and session logs do not tell which is"
        " the account that the pane names. A window of each account, in a lane with the name of its branch or project,"
        " tells them apart (feat-a for feat/a)."
    ),
    "uncounted_requests": (
        "{} used at least as many as `tokens_at_least` says: requests in a proxy's stream succeeded without a count."
    ),
    "older_points": (
        "{} ran before a change of what a point buys, if nothing else used the account. Here their points are as they"
        " were read; `preview`, `compare` and `scoreboard` count them as often as the column says."
    ),
    SPLIT: (
        "several lanes captured {}. The pair of the last AFTER counts alone; `tracker window-audit --window {}` shows"
        " the others."
    ),
}
# providers and windows by the column that marks them
Remarks: TypeAlias = defaultdict[str, list[tuple[str, str]]]


@click.group("windows", cls=Group, invoke_without_command=True, epilog="tracker windows --last 5")
@selection()
@click.pass_context
def command(context: click.Context, selection: Selection) -> None:
    """List windows: from when to when, their state, and each provider's figures.

    An open window lacks a capture; a closed one has both and is not finalized yet: `tracker preview` calls both (open).
    """
    if context.invoked_subcommand is not None:
        return
    from tracker.kernel import Clock
    from tracker_desk.panels import table
    from tracker_desk.window_list import lines, listed

    here, remarks = session(), Remarks(list)
    chosen = selection.windows(here)
    Windows(here).note_missing(Windows(here).missing_plugins(chosen))
    found = _noted(here, listed(here, chosen), remarks)
    some = list(islice(found, TABLE + 1))
    found = chain(some, found)
    if here.json:
        here.data(one.document() for one in found)
    elif some:
        if len(some) > TABLE or not here.is_terminal or not here.table(*table(some)):
            texts = lines(found, Clock(here.now, here.zone))
            while part := list(islice(texts, TABLE)):
                click.echo(escape("\n".join(part)))
    elif not here.index.windows():
        what = "windows" if here.journal.streams() else "records"
        here.note(f"note: no {what} in {here.root}; begin with `tracker start PROVIDER`")
    else:
        here.note("note: no window fits. Run `tracker windows` without options to see all of them.")
    for column, text in REMARKS.items():
        if marked := remarks[column]:
            here.note(f"note: {text.format(_named(marked), escape(quote(marked[0][1])))}")


def _named(windows: Sequence[tuple[str, str]]) -> str:
    more = f" and {len(windows) - MOST} more" if len(windows) > MOST else ""
    return ", ".join(f"{name} {escape(window)}" for name, window in windows[:MOST]) + more


def _noted(here: Session, windows: Iterable[ListedWindow], remarks: Remarks) -> Iterator[ListedWindow]:
    """The windows, with a note on each that is stale; what else is remarkable is collected."""
    for one in windows:
        for name in one.stale:
            here.note(
                f"note: {name} {escape(one.window)} is stale: its captures changed after it was finalized."
                f" `tracker decision-card --window {escape(quote(one.window))}` names the cure."
            )
        for column in REMARKS:
            named = one.split if column == SPLIT else [name for name, own in one.providers.items() if own.get(column)]
            remarks[column] += [(name, one.window) for name in named]
        yield one
