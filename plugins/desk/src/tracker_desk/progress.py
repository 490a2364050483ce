"""The progress of export, import and doctor, shown by a feature if one is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from tracker.kernel import Session

# bytes that were read since the last call
Advance: TypeAlias = Callable[[int], None]


@contextmanager
def progress(session: Session, size: int) -> Iterator[Advance]:
    """Yields a function to call for each record, with its bytes."""
    shown = session.registry.first("show_progress", session=session, size=size, noun="records")
    count = 0

    def advance(read: int) -> None:
        nonlocal count
        count += 1
        if shown is not None:
            shown.advance(read, count)

    try:
        yield advance
    finally:
        if shown is not None:
            shown.end()
