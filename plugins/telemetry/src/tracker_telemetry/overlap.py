"""Whether a stream's lines are stored in another window, too: a line is known within its window alone.

Some lines of the stream, evenly spread, are looked up in the windows that have events of the same time: 0.1 s for each
of them that holds a million.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from attrs import define, field

from tracker.kernel import line, plural
from tracker_telemetry import event_index, line_index
from tracker_telemetry.line_reader import Reader
from tracker_telemetry.tail import Line

MOST = 400  # lines that are looked up
LONGEST = 64 << 10  # bytes of a line that is held
WINDOWS = 5  # where: those that were written last


@define
class Sample:
    """Every line of a stream at first, then every second one, every fourth one, as it gets longer."""

    stride: int = 1
    _lines: list[bytes] = field(factory=list)
    _shown: int = 0

    def add(self, lines: Sequence[Line]) -> None:
        """See lines that the stream shows."""
        found = [*self._lines, *lines[-self._shown % self.stride :: self.stride]]
        self._shown += len(lines)
        while len(found) > MOST:
            found, self.stride = found[::2], 2 * self.stride
        self._lines = [line if isinstance(line, bytes) and len(line) <= LONGEST else b"" for line in found]

    @property
    def lines(self) -> list[bytes]:
        """Those that may be an event; of a long one nothing is held."""
        return [line for line in self._lines if line]


def elsewhere(reader: Reader, sample: Sample) -> dict[str, int]:
    """How many lines of the sample each other window has."""

    def ask(database: sqlite3.Connection) -> dict[str, int]:
        names = event_index.same_time(database, reader.source.stream, reader.window, WINDOWS)
        return {name: _stored(database, reader.source.name, name, sample.lines) for name in names}

    return {name: count for name, count in reader.session.index.ask(ask, reader.streams[:1]).items() if count}


def _stored(database: sqlite3.Connection, source: str, window: str, lines: Sequence[bytes]) -> int:
    keys = line_index.keys(line_index.digests(source, window)(lines))
    found = line_index.held(database, window, keys)
    return sum(key in found for key in keys)


def overlap_note(sample: Sample, window: str, count: int) -> str:
    """What people are told of it."""
    are = "is" if count == 1 else "are"
    if sample.stride == 1:
        what = f"{count} of these lines {are}"
    else:
        what = f"of {plural(len(sample.lines), 'line')} that were looked up, {count} {are}"
    return f"note: {what} stored in {line(window)}, too; `tracker cost-compare` without --window counts both"
