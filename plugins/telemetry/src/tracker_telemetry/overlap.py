"""Whether a stream's lines are stored in another window, too: a line is known within its window alone."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from tracker.kernel import line, plural
from tracker_telemetry.identity import digest_of
from tracker_telemetry.index import Events, ask
from tracker_telemetry.lines import Line
from tracker_telemetry.reader import Reader

MOST = 400  # lines that are looked up
LONGEST = 64 << 10  # bytes of a line that is held
WINDOWS = 5  # where: those that were written last
SAME_TIME = """
SELECT win FROM standing, (SELECT min(ts) AS first, max(ts) AS last FROM standing WHERE win = $1) span
WHERE win NOT IN ($1, '') AND (span.first IS NULL OR ts BETWEEN first AND last)
GROUP BY win ORDER BY max(place) DESC LIMIT $2
"""


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

    def count(events: Events) -> dict[str, int]:
        names = [name for (name,) in events.rows(SAME_TIME, reader.window, WINDOWS)]
        return {name: number for name in names if (number := _count(events, reader, name, sample.lines))}

    return ask(reader.session, reader.source, None, count)


def _count(events: Events, reader: Reader, window: str, lines: Sequence[bytes]) -> int:
    digest = digest_of(reader.source.name, window)
    query = "SELECT count(*) FROM (SELECT hash(unnest($1::VARCHAR[])) AS id) s SEMI JOIN standing USING (id)"
    return int(events.rows(query, [digest(one).hex() for one in lines])[0][0])


def overlap_note(sample: Sample, window: str, count: int) -> str:
    """What people are told of it."""
    are = "is" if count == 1 else "are"
    if sample.stride == 1:
        what = f"{count} of these lines {are}"
    else:
        what = f"of {plural(len(sample.lines), 'line')} that were looked up, {count} {are}"
    return f"note: {what} stored in {line(window)}, too; `tracker cost-compare` without --window counts both"
