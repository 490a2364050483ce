"""`tracker windows`: the windows and their figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

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
    from tracker.kernel import Clock
    from tracker_desk.panels import table
    from tracker_desk.window_list import lines, listed

    here, remarks = session(), Remarks([], [], [], [], [])
    chosen = selection.windows(here)
    Windows(here).note_missing(Windows(here).missing_plugins(chosen))
    found = _noted(here, listed(here, chosen), remarks)
    first = next(found, None)
    if here.json:
        here.data(one.document() for one in (*([first] if first else ()), *found))
    elif first is not None:
        some = [first, *islice(found, TABLE)] if here.is_terminal else [first]
        if len(some) > TABLE or not here.is_terminal or not here.table(*table(some)):
            texts = lines(chain(some, found), Clock(here.now, here.zone))
            while part := list(islice(texts, TABLE)):
                click.echo(escape("\n".join(part)))
    elif not here.index.windows():
        here.note(f"note: no records in {here.root}; begin with `tracker start PROVIDER`")
    else:
        here.note("note: no window fits. Run `tracker windows` without options to see all of them.")
    for text in remarks.notes():
        here.note(text)


class Remarks(NamedTuple):
    """The providers and windows of which there is something to say; who shares requests, and whose are not known."""

    overlapping: list[tuple[str, str]]
    sharing: list[tuple[str, str]]
    lost: list[tuple[str, str]]
    mixed: list[tuple[str, str]]
    split: list[tuple[str, str]]

    def notes(self) -> Iterator[str]:
        """What people are told of them. A narrow terminal has no room for the columns that say so."""
        if self.overlapping:
            cure = f"`tracker decision-card --window {escape(quote(self.overlapping[0][1]))}` names the cure."
            yield f"note: {_named(self.overlapping)} overlap other windows: not counted. {cure}"
        if self.sharing:
            yield (
                f"note: {_named(self.sharing)} ran at the same time as others. Requests that may be of several stand as"
                " shared in each, beside its own. Give each lane the name of its branch or project to tell them apart"
                " (feat-a for feat/a)."
            )
        if self.lost:
            yield (
                f"note: what {_named(self.lost)} used is not known: the files of sessions of these days are deleted, or"
                " on another machine, and only daily totals are left, which `tracker usage` counts."
            )
        if self.mixed:
            yield (
                f"note: what {_named(self.mixed)} used is not known: requests of several accounts were made then, and"
                " session logs do not tell which is the account that the pane names."
            )
        if self.split:
            yield (
                f"note: several lanes captured {_named(self.split)}. The pair of the last AFTER counts alone;"
                f" `tracker window-audit --window {escape(quote(self.split[0][1]))}` shows the others."
            )


def _named(windows: Sequence[tuple[str, str]]) -> str:
    more = f" and {len(windows) - MOST} more" if len(windows) > MOST else ""
    return ", ".join(f"{name} {escape(window)}" for name, window in windows[:MOST]) + more


def _noted(here: Session, windows: Iterable[ListedWindow], remarks: Remarks) -> Iterator[ListedWindow]:
    """The windows, with a note on each that is stale; what else is remarkable is collected."""
    from tracker_desk.window_list import OVERLAPS

    marks = (
        *((OVERLAPS, remarks.overlapping), ("shared_requests", remarks.sharing)),
        *(("lost_sessions", remarks.lost), ("accounts", remarks.mixed)),
    )
    for one in windows:
        for name in one.stale:
            here.note(
                f"note: {name} {escape(one.window)} is stale: its captures changed after it was finalized."
                f" `tracker decision-card --window {escape(quote(one.window))}` names the cure."
            )
        for column, marked in marks:
            marked += [(name, one.window) for name, columns in one.providers.items() if columns.get(column)]
        remarks.split.extend((name, one.window) for name in one.split)
        yield one
