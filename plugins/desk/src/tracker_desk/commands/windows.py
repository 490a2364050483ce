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
# Notes on windows, by the column that marks them, which a narrow terminal may leave out. The first placeholder takes
# the providers and windows, the second the first window.
REMARKS = {
    "overlaps": "overlapping windows do not count: {}. `tracker decision-card --window {}` names the cure.",
    "shared_requests": (
        "{} ran at the same time as others. Requests that could belong to several count as shared in each, apart from"
        " its own. To tell them apart, name each lane after its branch or project (feat-a for feat/a)."
    ),
    "lost_sessions": (
        "the usage of {} is not known: session files of those days were deleted, or are on another machine. Only daily"
        " totals are left; `tracker usage` counts them."
    ),
    "accounts": (
        "the usage of {} is not known: several accounts made requests then, and session logs do not tell which one the"
        " pane shows. To tell them apart, give each account its own windows, in a lane named after its branch or"
        " project (feat-a for feat/a)."
    ),
    "uncounted_requests": (
        "{} used at least `tokens_at_least` tokens: some requests in a proxy's stream succeeded without a count."
    ),
    "older_points": (
        "{} ran before the value of a point changed, if nothing else used the account. Points are shown here as read;"
        " `preview`, `compare` and `scoreboard` multiply them by `older_points`."
    ),
    SPLIT: (
        "several lanes captured {}. Only the pair with the last AFTER counts; `tracker window-audit --window {}` shows"
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

    An open window lacks a capture. A closed one has both but is not finalized yet; `tracker preview` marks both (open).
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
        here.note("note: no window matches. Run `tracker windows` without options to see all of them.")
    for column, text in REMARKS.items():
        if marked := remarks[column]:
            here.note(f"note: {text.format(_named(marked), escape(quote(marked[0][1])))}")


def _named(windows: Sequence[tuple[str, str]]) -> str:
    more = f" and {len(windows) - MOST} more" if len(windows) > MOST else ""
    return ", ".join(f"{name} {escape(window)}" for name, window in windows[:MOST]) + more


def _noted(here: Session, windows: Iterable[ListedWindow], remarks: Remarks) -> Iterator[ListedWindow]:
    """The windows, with a note on each that is stale; other remarks are collected."""
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
