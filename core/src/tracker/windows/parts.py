"""The windows of a long history, some thousand at a time: the records of a million do not fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tracker.journal.records import WINDOWS
from tracker.windows.captures import Groups, captures
from tracker.windows.results import PART, Finalized, finalized

if TYPE_CHECKING:
    from tracker.session import Session


class Part(NamedTuple):
    """Some windows, the finalize rows that count in their order, and their captures."""

    windows: Sequence[str]
    rows: dict[str, Finalized]
    groups: Groups


def parts(session: Session, windows: Iterable[str] | None = None, *, with_open: bool = True) -> Iterator[Part]:
    """The finalize rows and captures of some windows, by default of all, with progress if they are many.

    with_open: also the captures of windows that are not finalized.
    """
    if windows is None:
        for stream in {WINDOWS, *session.registry.status_streams}:
            session.index.renew_edited(stream)
        windows = session.index.windows()
    named = windows if isinstance(windows, Sequence) else list(windows)
    given = {"session": session, "size": len(named), "noun": "windows"}
    shown = session.registry.first("show_progress", **given) if len(named) > PART else None
    try:
        for start in range(0, len(named), PART):
            yield _part(session, named[start : start + PART], with_open)
            if shown is not None:
                shown.advance(min(PART, len(named) - start), min(start + PART, len(named)))
    finally:
        if shown is not None:
            shown.end()


def _part(session: Session, windows: Sequence[str], with_open: bool) -> Part:
    known = finalized(session.index, windows)
    rows = {window: known[window] for window in windows if window in known}
    return Part(windows, rows, captures(session.index, session.registry.sources, windows if with_open else rows))
