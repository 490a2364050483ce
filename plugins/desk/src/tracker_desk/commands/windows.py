"""`tracker windows`: the windows and their figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from shlex import quote
from typing import TYPE_CHECKING

import click

from tracker.kernel import Group, Selection, Windows, escape, selection, session

if TYPE_CHECKING:
    from tracker.kernel import Session
    from tracker_desk.window_list import ListedWindow

MOST = 6  # names in one note
TABLE = 1000  # windows that are laid out as a table, and lines that are printed at once


@click.group("windows", cls=Group, invoke_without_command=True, epilog="tracker windows --last 5")
@selection()
@click.pass_context
def command(context: click.Context, selection: Selection) -> None:
    """List windows: from when to when, their state, and each provider's figures.

    An open window lacks a capture; a closed one has both and is not finalized yet: `tracker preview` calls both (open).
    """
    if context.invoked_subcommand is not None:
        return
    from tracker.kernel import Clock, zone
    from tracker_desk.panels import table
    from tracker_desk.window_list import lines, listed

    here, split, shared, overlaps = session(), list[tuple[str, str]](), list[str](), list[tuple[str, str]]()
    chosen = selection.windows(here)
    Windows(here).note_missing(Windows(here).missing_plugins(chosen))
    found = _noted(here, listed(here, chosen), split, shared, overlaps)
    first = next(found, None)
    if here.json:
        here.data(one.document() for one in (*([first] if first else ()), *found))
    elif first is not None:
        some = [first, *islice(found, TABLE)] if here.is_terminal else [first]
        if len(some) > TABLE or not here.is_terminal or not here.table(*table(some)):
            texts = lines(chain(some, found), Clock(here.now, zone(here.config.timezone)))
            while part := list(islice(texts, TABLE)):
                click.echo(escape("\n".join(part)))
    elif not here.index.windows():
        here.note(f"note: no records in {here.root}; begin with `tracker start PROVIDER`")
    else:
        here.note("note: no window fits. Run `tracker windows` without options to see all of them.")
    for text in _notes(split, shared, overlaps):
        here.note(text)


def _notes(
    split: Sequence[tuple[str, str]], shared: Sequence[str], overlaps: Sequence[tuple[str, str]]
) -> Iterator[str]:
    """What people are told of windows that ran at the same time, and of those that several lanes captured."""
    if overlaps:
        # a narrow terminal has no room for the column that says so
        more = f" and {len(overlaps) - MOST} more" if len(overlaps) > MOST else ""
        named = ", ".join(f"{name} {escape(window)}" for name, window in overlaps[:MOST])
        cure = f"`tracker decision-card --window {escape(quote(overlaps[0][1]))}` names the cure."
        yield f"note: {named}{more} overlap other windows: not counted. {cure}"
    if shared:
        more = f" and {len(shared) - MOST} more" if len(shared) > MOST else ""
        yield (
            f"note: {', '.join(shared[:MOST])}{more} ran at the same time as others. Requests that may be of several"
            " stand as shared in each, beside its own. Give each lane the name of its branch or project to tell them"
            " apart."
        )
    if split:
        more = f" and {len(split) - MOST} more" if len(split) > MOST else ""
        named = ", ".join(f"{name} {escape(window)}" for name, window in split[:MOST])
        yield (
            f"note: several lanes captured {named}{more}. The pair of the last AFTER counts alone;"
            f" `tracker window-audit --window {escape(quote(split[0][1]))}` shows the others."
        )


def _noted(
    here: Session,
    windows: Iterable[ListedWindow],
    split: list[tuple[str, str]],
    shared: list[str],
    overlaps: list[tuple[str, str]],
) -> Iterator[ListedWindow]:
    """The windows, with a note on each that is stale; in `split` goes what several lanes captured.

    In `shared` go those that have requests in common with others, in `overlaps` those whose meter moved for others.
    """
    from tracker_desk.window_list import OVERLAPS

    for one in windows:
        for name in one.stale:
            here.note(
                f"note: {name} {escape(one.window)} is stale: its captures changed after it was finalized."
                f" `tracker decision-card --window {escape(quote(one.window))}` names the cure."
            )
        split += [(name, one.window) for name in one.split]
        overlaps += [(name, one.window) for name, columns in one.providers.items() if columns.get(OVERLAPS)]
        having = (name for name, columns in one.providers.items() if columns.get("shared_requests"))
        shared += [f"{name} {escape(one.window)}" for name in having]
        yield one
