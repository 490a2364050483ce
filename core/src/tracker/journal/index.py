"""Where the journal holds which records: what is asked of the derived index."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from tracker.journal.index_file import IndexFile, place
from tracker.journal.records import ANOMALIES, WINDOWS, lane_of, record_id, text

# bytes of other windows that are read rather than skipped
GAP = 64 << 10
# windows from which on a whole stream is read rather than their places looked up
MANY = 100_000
MARK = "record_id, provider, window, phase, at, stream, position"
# the values of a list of any length that is given as JSON
LISTED = "(SELECT value FROM json_each(?))"


class Entry(NamedTuple):
    """A record where it stands."""

    stream: str
    offset: int
    record_id: str
    record: dict[str, Any]

    @property
    def lane(self) -> str | None:
        """The lane that stored it."""
        return lane_of(self.record)


class CaptureMark(NamedTuple):
    """A capture as lanes need it, without its text."""

    record_id: str
    provider: str
    window: str
    phase: str
    at: float  # epoch seconds
    stream: str
    offset: int


class Index(IndexFile):
    """The journal's records by window, lane and reset, read on demand."""

    # --- records

    def windows(self) -> list[str]:
        """Every window with a standing record, `W0-9` before `W0-10`."""
        return self._named("ORDER BY place")

    def newest_windows(self, count: int) -> list[str]:
        """The windows that got a record last, in the same order."""
        return sorted(self._named("ORDER BY at DESC", count), key=place)

    def last_windows(self, count: int) -> list[str]:
        """The last of `windows`."""
        return self._named("ORDER BY place DESC", count)[::-1]

    def count(self) -> int:
        """How many `windows` are."""
        query = f"SELECT (SELECT count(*) FROM window) - (SELECT count(*) FROM window WHERE name IN {LISTED})"
        [(count,)] = self._rows(query, [json.dumps(self.emptied())], self.journal.streams())
        return int(count)

    def _named(self, order: str, count: int = -1) -> list[str]:
        query = f"SELECT name FROM window WHERE name NOT IN {LISTED} {order} LIMIT ?"
        return list(chain.from_iterable(self._rows(query, [json.dumps(self.emptied()), count], self.journal.streams())))

    def emptied(self) -> list[str]:
        """The windows of which every record was taken back. Anomalies say something about records, alone nothing."""
        query = (
            "SELECT DISTINCT window FROM tombstone t WHERE NOT EXISTS (SELECT 1 FROM standing WHERE window = t.window)"
        )
        streams = self.journal.streams()
        doubtful = chain.from_iterable(self._rows(query, [], streams))
        kept = [stream for stream in streams if stream != ANOMALIES]
        return [one for one in doubtful if not any(True for name in kept for _ in self.entries(name, [one]))]

    def finalized(self) -> list[str]:
        """The windows that have, or had, a finalize row."""
        rows = self._rows("SELECT name FROM window WHERE is_done ORDER BY place", [], [WINDOWS])
        return list(chain.from_iterable(rows))

    def unfinalized(self, newest: int = -1) -> list[str]:
        """The windows without a finalize row, or the newest of them, and those of which one was taken back."""
        query = (
            "SELECT name FROM (SELECT name FROM window WHERE NOT is_done ORDER BY at DESC LIMIT ?)"
            " UNION SELECT window FROM tombstone WHERE stream = ? AND window != ''"
        )
        rows = self._rows(query, [newest, WINDOWS], self.journal.streams())
        return sorted(set(chain.from_iterable(rows)) - set(self.emptied()), key=place)

    def knows(self, window: str) -> bool:
        """Whether any stream names the window."""
        return self.first_known([window]) is not None

    def first_known(self, windows: Iterable[str]) -> str | None:
        """One of these windows that a stream names, if there is one."""
        query = f"SELECT name FROM window WHERE name IN {LISTED} LIMIT 1"
        return next(chain.from_iterable(self._rows(query, [json.dumps(list(windows))], self.journal.streams())), None)

    def entries(self, stream: str, windows: Iterable[str] | None = None, *, removed: bool = False) -> Iterator[Entry]:
        """The standing records of a stream in some windows, oldest line first; with `removed` every record once."""
        # what was seen or removed
        seen = set() if removed else self.tombstoned(stream)
        for entry in self.lines(stream, windows):
            if entry.record_id not in seen and (removed or "tombstone" not in entry.record):
                seen.add(entry.record_id)
                yield entry
            del entry

    def lines(self, stream: str, windows: Iterable[str] | None = None) -> Iterator[Entry]:
        """Every record of a stream in some windows as often as it is there, with those that were taken back."""
        names = None if windows is None else set(windows)
        if names is None:
            self.renew_edited(stream)
        for start, stop in [(0, None)] if names is None or len(names) > MANY else self.spans(stream, names):
            for offset, line, record in self.journal.records(stream, start, stop):
                if names is None or text(record.get("window")) in names:
                    yield Entry(stream, offset, record_id(stream, line, record), record)
                # a long one is let go before the next is read
                line, record = b"", {}

    def tombstoned(self, stream: str) -> set[str]:
        """The ids of the stream's records that were taken back."""
        query = "SELECT target FROM removal WHERE stream = ?"
        return set(chain.from_iterable(self._rows(query, [stream], [stream])))

    def spans(self, stream: str, windows: Iterable[str]) -> list[tuple[int, int]]:
        """Where records of some windows stand; what lies close together is one span."""
        query = f"SELECT start, stop FROM extent WHERE stream = ? AND window IN {LISTED} ORDER BY start"
        joined: list[tuple[int, int]] = []
        for start, stop in self._rows(query, [stream, json.dumps(list(windows))], [stream]):
            if joined and start - joined[-1][1] <= GAP:
                start = joined.pop()[0]
            joined.append((start, stop))
        return joined

    # --- captures

    def newest(
        self, stream: str, agent: str | None, provider: str, phases: Sequence[str] = (), position: int = 1
    ) -> CaptureMark | None:
        """The newest standing capture of a provider in a lane, or the Nth newest; of some phases if they are given."""
        query = (
            f"SELECT {MARK} FROM standing WHERE stream = ? AND provider = ? AND agent = ?"
            f" AND (? OR phase IN {LISTED}) ORDER BY at DESC, position DESC LIMIT 1 OFFSET ?"
        )
        values = [stream, provider, agent or "", not phases, json.dumps(phases), position - 1]
        rows = self._rows(query, values, [stream])
        return CaptureMark(*rows[0]) if rows else None

    def left_open(
        self, stream: str, agent: str | None, provider: str, windows: Iterable[str] | None = None
    ) -> list[CaptureMark]:
        """The standing BEFOREs of a provider in a lane that nothing follows in their window, the oldest first."""
        # a plus keeps SQLite from an index that has a lane's whole history
        lane, among = ("", "") if windows is None else ("+", f" AND window IN {LISTED}")
        query = (
            f"SELECT {MARK} FROM standing c WHERE {lane}stream = ? AND {lane}provider = ? AND {lane}agent = ?"
            f" AND phase = 'before'{among} AND NOT EXISTS (SELECT 1 FROM standing d WHERE d.window = c.window"
            " AND +d.stream = c.stream AND +d.provider = c.provider AND +d.agent = c.agent"
            " AND (+d.at, d.position) > (c.at, c.position)) ORDER BY at, position"
        )
        values = [stream, provider, agent or "", *(() if windows is None else [json.dumps(list(windows))])]
        return [CaptureMark(*row) for row in self._rows(query, values, [stream])]

    def lanes(self, stream: str) -> list[tuple[str | None, CaptureMark]]:
        """The newest standing capture of each provider in each lane, by the lane's name."""
        query = "SELECT agent, provider FROM lane WHERE stream = ? ORDER BY agent, provider"
        groups = self._rows(query, [stream], [stream])
        found = ((agent or None, self.newest(stream, agent, provider)) for agent, provider in groups)
        return [(agent, mark) for agent, mark in found if mark is not None]

    def strangers(self, stream: str, known: Iterable[str]) -> list[CaptureMark]:
        """A standing capture of each provider that is not among the known ones, per window and phase."""
        query = (
            f"SELECT {MARK} FROM standing WHERE stream = ? AND provider IN"
            f" (SELECT provider FROM lane WHERE stream = ? AND provider NOT IN {LISTED})"
            " GROUP BY provider, window, phase"
        )
        return [CaptureMark(*row) for row in self._rows(query, [stream, stream, json.dumps(["", *known])], [stream])]

    def resets(self, stream: str, provider: str, after: float, until: float) -> list[float]:
        """Reset instants (epoch s) in (after, until] that standing captures of a provider name."""
        query = (
            "SELECT at FROM reset r WHERE stream = ? AND provider = ? AND at > ? AND at <= ? AND NOT EXISTS"
            " (SELECT 1 FROM removal WHERE stream = r.stream AND target = r.record_id) ORDER BY at"
        )
        return list(chain.from_iterable(self._rows(query, [stream, provider, after, until], [stream])))

    def standing(self, streams: list[str], record_ids: Iterable[str], *, removed: bool = False) -> set[str]:
        """Which of these are captures that were not taken back (with `removed` those, too), or tombstones."""
        query = " UNION ".join(
            f"SELECT record_id FROM {table} WHERE record_id IN {LISTED}"
            for table in ("capture" if removed else "standing", "removal")
        )
        ids = json.dumps(list(record_ids))
        return set(chain.from_iterable(self._rows(query, [ids, ids], streams)))
