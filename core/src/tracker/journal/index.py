"""Where the journal holds which records: what is asked of the derived index."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from attrs import frozen

from tracker.journal.index_file import IndexFile
from tracker.journal.records import ANOMALIES, lane_of, record_id, text

# bytes of other windows that are read rather than skipped
GAP = 64 << 10
# windows from which on a whole stream is read rather than their places looked up
MANY = 100_000
MARK = "record_id, provider, window, phase, at, stream, position"
# the values of a list of any length that is given as JSON
FORM = str.maketrans("123456789", "0" * 9)
LISTED = "(SELECT value FROM json_each(?))"


@frozen
class Entry:
    """A record where it stands."""

    stream: str
    offset: int
    record_id: str
    record: dict[str, Any]

    @property
    def lane(self) -> str | None:
        """The lane that stored it."""
        return lane_of(self.record)


@frozen
class CaptureMark:
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

    def windows(self, last: int = -1) -> list[str]:
        """Every window with a standing record, `W0-9` before `W0-10`; or the last ones that got a record."""
        newest = "" if last < 0 else "ORDER BY at DESC LIMIT -1"
        query = f"SELECT window FROM extent WHERE window != '' AND window NOT IN {LISTED} {newest}"
        query = f"SELECT DISTINCT window FROM ({query}) LIMIT ?"
        names = [name for (name,) in self._rows(query, [json.dumps(self.emptied()), last], self.journal.streams())]
        # of one form, as `W0-01` and `W0-99`, their texts are in natural order for a tenth of the work
        return sorted(names, key=None if len({name.translate(FORM) for name in names}) == 1 else natural)

    def emptied(self) -> list[str]:
        """The windows of which every record was taken back. Anomalies say something about records, alone nothing."""
        query = (
            "SELECT DISTINCT window FROM tombstone t WHERE NOT EXISTS (SELECT 1 FROM standing WHERE window = t.window)"
        )
        streams = self.journal.streams()
        doubtful = chain.from_iterable(self._rows(query, [], streams))
        kept = [stream for stream in streams if stream != ANOMALIES]
        return [one for one in doubtful if not any(True for name in kept for _ in self.entries(name, [one]))]

    def lacking(self, stream: str) -> list[str]:
        """The windows without a record in a stream, and those of which a record there was taken back."""
        query = (
            "SELECT window FROM extent WHERE window != '' GROUP BY window HAVING max(stream = ?) = 0"
            " OR window IN (SELECT window FROM tombstone WHERE stream = ?)"
        )
        rows = self._rows(query, [stream, stream], self.journal.streams())
        return sorted(set(chain.from_iterable(rows)) - set(self.emptied()), key=natural)

    def knows(self, window: str) -> bool:
        """Whether any stream names the window."""
        return self.first_known([window]) is not None

    def first_known(self, windows: Iterable[str]) -> str | None:
        """One of these windows that a stream names, if there is one."""
        query = f"SELECT window FROM extent WHERE window IN {LISTED} AND window != '' LIMIT 1"
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

    def left_open(self, stream: str, agent: str | None, provider: str) -> list[CaptureMark]:
        """The standing BEFOREs of a provider in a lane that nothing follows in their window, the oldest first."""
        query = (
            f"SELECT {MARK} FROM standing c WHERE stream = ? AND provider = ? AND agent = ? AND phase = 'before'"
            " AND NOT EXISTS (SELECT 1 FROM standing d WHERE d.stream = c.stream AND d.provider = c.provider"
            " AND d.agent = c.agent AND d.window = c.window AND d.at >= c.at"
            " AND (d.at, d.position) > (c.at, c.position))"
            " ORDER BY at, position"
        )
        return [CaptureMark(*row) for row in self._rows(query, [stream, provider, agent or ""], [stream])]

    def lanes(self, stream: str) -> list[tuple[str | None, CaptureMark]]:
        """The newest standing capture of each provider in each lane, by the lane's name."""
        query = "SELECT DISTINCT agent, provider FROM capture WHERE stream = ? ORDER BY agent, provider"
        groups = self._rows(query, [stream], [stream])
        found = ((agent or None, self.newest(stream, agent, provider)) for agent, provider in groups)
        return [(agent, mark) for agent, mark in found if mark is not None]

    def strangers(self, stream: str, known: Iterable[str]) -> list[CaptureMark]:
        """A standing capture of each provider that is not among the known ones, per window and phase."""
        query = (
            f"SELECT {MARK} FROM standing WHERE stream = ? AND provider NOT IN {LISTED}"
            " GROUP BY provider, window, phase"
        )
        return [CaptureMark(*row) for row in self._rows(query, [stream, json.dumps(["", *known])], [stream])]

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


def natural(window: str) -> list[tuple[int, str, str]]:
    """What windows are sorted by: `W0-9` before `W0-10`."""
    parts = re.split(r"([0-9]+)", window)
    return [(len(part.lstrip("0")), part.lstrip("0"), part) if part.isdecimal() else (-1, part, "") for part in parts]
