"""Where the journal holds which records: a derived index that may be deleted at any time and is rebuilt.

No answer depends on it: see `index_sync.py`.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from attrs import frozen

from tracker.journal.index_database import connect
from tracker.journal.index_sync import SyncedDatabase
from tracker.journal.records import lane_of, record_id, text
from tracker.text.json_values import plain

# bytes of other windows that are read rather than skipped
GAP = 64 << 10
# tombstones that are kept in memory; of more, each is looked up
FEW = 1000
# values of one query
PARAMETERS = 500
RECENT = "SELECT window FROM extent WHERE window != '' ORDER BY at DESC"
MARK = "record_id, provider, window, phase, at, stream, position"


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


# a tombstone that was taken back itself removes nothing
_COUNTS = "NOT EXISTS (SELECT 1 FROM tombstone u WHERE u.target = t.record_id AND u.stream = t.stream)"


def _stands(table: str) -> str:
    """The condition that a row's record was not taken back."""
    own = f"t.target = {table}.record_id AND t.stream = {table}.stream"
    return f"NOT EXISTS (SELECT 1 FROM tombstone t WHERE {own} AND {_COUNTS})"


class Index(SyncedDatabase):
    """The journal's records by window, lane and reset, read on demand."""

    def fresh(self) -> Index:
        """An index made anew from the journal, in a temporary file, whatever the stored one says."""
        found = Index(self.journal, may_create=False)
        found.use(connect())
        return found

    # --- records

    def windows(self, last: int | None = None) -> list[str]:
        """Every window that any stream names, `W0-9` before `W0-10`; or the last ones that got a record."""

        def ask(database: sqlite3.Connection) -> list[str]:
            found: dict[str, None] = {}
            query = "SELECT DISTINCT window FROM extent WHERE window != ''"
            for (name,) in database.execute(query if last is None else RECENT):
                if last is not None and len(found) >= last:
                    break
                found[name] = None
            return sorted(found, key=natural)

        return self.ask(ask, self.journal.streams())

    def knows(self, window: str) -> bool:
        """Whether any stream names the window."""
        query = "SELECT 1 FROM extent WHERE window = ? AND window != '' LIMIT 1"
        named = _storable([window])
        return self.ask(lambda db: any(db.execute(query, (one,)).fetchone() for one in named), self.journal.streams())

    def entries(self, stream: str, windows: Iterable[str] | None = None, *, removed: bool = False) -> Iterator[Entry]:
        """The standing records of a stream in some windows, oldest line first; with `removed` every record once."""
        was_removed = None if removed else self._removals(stream)
        seen: set[str] = set()
        for entry in self.lines(stream, windows):
            if entry.record_id in seen or (was_removed is not None and "tombstone" in entry.record):
                continue
            seen.add(entry.record_id)
            if was_removed is None or not was_removed(entry.record_id):
                yield entry
            del entry

    def lines(self, stream: str, windows: Iterable[str] | None = None) -> Iterator[Entry]:
        """Every record of a stream in some windows as often as it stands there, those that were taken back, too."""
        names = None if windows is None else set(windows)
        if names is None and self.edited(stream):
            self.journal.warn(f"{stream}.jsonl was edited: it is read again")
            self.reread(stream)
        for start, stop in [(0, None)] if names is None else self.spans(stream, names):
            for offset, line, record in self.journal.records(stream, start, stop):
                if names is None or text(record.get("window")) in names:
                    yield Entry(stream, offset, record_id(stream, line, record), record)
                # a long one is let go before the next is read
                line, record = b"", {}

    def tombstoned(self, stream: str) -> set[str]:
        """The ids of the stream's records that were taken back."""
        query = f"SELECT target FROM tombstone t WHERE stream = ? AND {_COUNTS}"
        return self.ask(lambda db: {row[0] for row in db.execute(query, (stream,))}, [stream])

    def _removals(self, stream: str) -> Callable[[str], bool]:
        """Says of an id whether its record was taken back, in bounded memory."""
        query = f"SELECT target FROM tombstone t WHERE stream = ? AND {_COUNTS} LIMIT ?"
        few = self.ask(lambda db: {row[0] for row in db.execute(query, (stream, FEW + 1))}, [stream])
        if len(few) <= FEW:
            return few.__contains__
        one = f"SELECT 1 FROM tombstone t WHERE target = ? AND stream = ? AND {_COUNTS}"
        return lambda found: self.ask(lambda db: db.execute(one, (found, stream)).fetchone() is not None, ())

    def spans(self, stream: str, windows: set[str]) -> list[tuple[int, int]]:
        """Where records of some windows stand; what lies close together is one span."""
        query = "SELECT start, stop FROM extent WHERE stream = ? AND window IN ({})"
        spans = self.ask(lambda db: sorted(_in_parts(db, query, [stream], _storable(windows))), [stream])
        joined: list[tuple[int, int]] = []
        for start, stop in spans:
            if joined and start - joined[-1][1] <= GAP:
                joined[-1] = joined[-1][0], stop
            else:
                joined.append((start, stop))
        return joined

    # --- captures

    def newest(
        self,
        stream: str,
        agent: str | None,
        provider: str,
        phases: Sequence[str] = (),
        position: int = 1,
        until: int | None = None,
    ) -> CaptureMark | None:
        """The newest standing capture of a provider in a lane, or the Nth newest; of some phases where given.

        until: only what stands before this offset.
        """
        among = f"AND phase IN ({','.join('?' * len(phases))})" if phases else ""
        among += "" if until is None else f" AND position < {until}"
        query = (
            f"SELECT {MARK} FROM capture c WHERE stream = ? AND provider = ? AND agent = ? {among} AND {_stands('c')}"
            " ORDER BY at DESC, position DESC LIMIT 1 OFFSET ?"
        )
        values = (stream, provider, agent or "", *phases, position - 1)
        row = self.ask(lambda db: db.execute(query, values).fetchone(), [stream])
        return CaptureMark(*row) if row else None

    def left_open(self, stream: str, agent: str | None, provider: str) -> list[CaptureMark]:
        """The standing BEFOREs of a provider in a lane that nothing follows in their window, the oldest first."""
        behind = (
            "SELECT 1 FROM capture d WHERE d.stream = c.stream AND d.provider = c.provider AND d.agent = c.agent"
            f" AND d.window = c.window AND d.at >= c.at AND (d.at, d.position) > (c.at, c.position) AND {_stands('d')}"
        )
        query = (
            f"SELECT {MARK} FROM capture c WHERE stream = ? AND provider = ? AND agent = ? AND phase = 'before'"
            f" AND NOT EXISTS ({behind}) AND {_stands('c')} ORDER BY at, position"
        )
        values = (stream, provider, agent or "")
        return self.ask(lambda db: [CaptureMark(*row) for row in db.execute(query, values)], [stream])

    def lanes(self, stream: str) -> list[tuple[str | None, CaptureMark]]:
        """The newest standing capture of each provider in each lane, by the lane's name."""
        query = "SELECT DISTINCT agent, provider FROM capture WHERE stream = ? ORDER BY agent, provider"
        groups = self.ask(lambda db: db.execute(query, (stream,)).fetchall(), [stream])
        found = ((agent or None, self.newest(stream, agent, provider)) for agent, provider in groups)
        return [(agent, mark) for agent, mark in found if mark is not None]

    def strangers(self, stream: str, known: Iterable[str]) -> list[CaptureMark]:
        """A standing capture of each provider that is not among the known ones, per window and phase."""
        names = ["", *known]
        query = (
            f"SELECT {MARK} FROM capture c WHERE stream = ? AND provider NOT IN ({','.join('?' * len(names))})"
            f" AND {_stands('c')} GROUP BY provider, window, phase"
        )
        return self.ask(lambda db: [CaptureMark(*row) for row in db.execute(query, (stream, *names))], [stream])

    def resets(self, stream: str, provider: str, after: float, until: float) -> list[float]:
        """Reset instants (epoch s) in (after, until] that standing captures of a provider name."""
        query = (
            f"SELECT at FROM reset r WHERE stream = ? AND provider = ? AND at > ? AND at <= ? AND {_stands('r')}"
            " ORDER BY at"
        )
        values = (stream, provider, after, until)
        return self.ask(lambda db: [row[0] for row in db.execute(query, values)], [stream])

    def standing(self, streams: list[str], record_ids: Iterable[str], *, removed: bool = False) -> set[str]:
        """Which of these are captures that were not taken back (with `removed` those, too), or tombstones."""
        queries = (
            f"SELECT record_id FROM capture c WHERE record_id IN ({{}}) {'' if removed else 'AND ' + _stands('c')}",
            f"SELECT record_id FROM tombstone t WHERE record_id IN ({{}}) AND {_COUNTS}",
        )
        ids = sorted(set(record_ids))
        return self.ask(lambda db: {row[0] for one in queries for row in _in_parts(db, one, (), ids)}, streams)


def _storable(windows: Iterable[str]) -> list[str]:
    """The windows that a record can name: a text with half a character is none."""
    return sorted(window for window in windows if plain(window) == window)


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """The values, as many at a time as a query takes."""
    return (values[start : start + PARAMETERS] for start in range(0, len(values), PARAMETERS))


def _in_parts(
    database: sqlite3.Connection, query: str, first: Sequence[object], values: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """The rows of a query whose `{}` is a list of values of any length."""
    for part in _parts(values):
        yield from database.execute(query.format(",".join("?" * len(part))), (*first, *part))


def natural(window: str) -> list[tuple[int, str, str]]:
    """What windows are sorted by: `W0-9` before `W0-10`."""
    parts = re.split(r"([0-9]+)", window)
    return [(len(part.lstrip("0")), part.lstrip("0"), part) if part.isdecimal() else (-1, part, "") for part in parts]
