"""The events of a log that is not stored, added up for a comparison."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from attrs import define, field

from tracker.api import Rejected, Source
from tracker.kernel import Session, TrackerError, guarded
from tracker_telemetry.event_columns import Columns, Group, Row, Sums, Tally, row_of
from tracker_telemetry.tail import CHUNK, Line, Splitter

T = TypeVar("T")


@define
class Log:
    """What the events of a log add up to, and all of them by column: as `telemetry.Known` has it of stored ones."""

    session: Session
    source: Source
    rejected: int = 0
    _tally: Tally = field(factory=Tally)
    _scratch: dict[str, Any] = field(factory=dict)

    def sums(self) -> list[tuple[Group, Sums]]:
        return list(zip(self._tally.columns.groups, self._tally.sums(), strict=True))

    def fold(self, take: Callable[[Iterator[Columns]], T]) -> T:
        return take(iter([self._tally.columns]))

    def read(self, stream: BinaryIO) -> None:
        """Add what a stream holds; lines that cannot be read are counted."""
        splitter = Splitter()
        while chunk := stream.read(CHUNK):
            self._take(splitter.feed(chunk))
        self._take(splitter.end())

    def _take(self, lines: Iterable[Line]) -> None:
        ingest = self.session.registry.bind(self.source.name, "ingest_line")
        rows: list[Row] = []
        with guarded(self.source.name, "ingest_line"):
            for line in lines:
                try:
                    if not isinstance(line, bytes):
                        raise Rejected("too long")
                    rows += map(row_of, ingest(line, self._scratch))
                except Rejected:
                    self.rejected += 1
        self._tally.add(rows)


def read(session: Session, source: Source, path: str) -> Log:
    """The events of a file, or of standard input for `-`."""
    log = Log(session, source)
    try:
        if path == "-":
            log.read(sys.stdin.buffer)
        else:
            with Path(path).open("rb") as file:
                log.read(file)
    except OSError as error:
        raise TrackerError(f"cannot read {path}: {error.strerror}") from error
    if log.rejected:
        session.warn(f"{log.rejected} lines of {path} could not be read and are not counted")
    return log
