"""Where the journal holds which records: a derived SQLite file that may be deleted at any time and is rebuilt.

No answer depends on it. Before it answers, it reads what its streams got since the last time; it remembers how far that
was, in which file, what the bytes around that point were and a checksum of each megabyte. An index that does not fit
its stream, or is spoilt, is made anew; one that cannot be written is left alone, and a copy in memory answers.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Self

from attrs import frozen

from tracker.journal import index_file
from tracker.journal.index_file import BLOCKS, TABLES, row_sum, rows_of
from tracker.journal.journal import BLOCK, LOCK, Journal
from tracker.journal.records import ANOMALIES, lane_of, record_id, text

# bytes of other windows that are read rather than skipped
GAP = 64 << 10
# bytes of a stream that take seconds to read
LARGE = 256 << 20
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


class Index:
    """The journal's records by window, lane and reset, read on demand.

    may_create: whether a file may be made if there is none; otherwise the index lasts as long as this object.
    """

    def __init__(self, journal: Journal, *, may_create: bool = True) -> None:
        self.journal, self.may_create = journal, may_create
        self._database: sqlite3.Connection | None = None

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
        query = "SELECT window FROM tombstone EXCEPT SELECT window FROM standing"
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
        query = f"SELECT 1 FROM extent WHERE window IN {LISTED} AND window != '' LIMIT 1"
        return bool(self._rows(query, [json.dumps([window])], self.journal.streams()))

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
        """Every record of a stream in some windows as often as it stands there, those that were taken back, too."""
        names = None if windows is None else set(windows)
        if names is None and self.edited(stream):
            self.journal.warn(f"{stream}.jsonl was edited: it is read again")
            self._rows("DELETE FROM stream WHERE name = ?", [stream])
        for start, stop in [(0, None)] if names is None else self.spans(stream, names):
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
        query = (
            f"SELECT {MARK} FROM standing WHERE stream = ? AND provider = ? AND agent = ?"
            f" AND (? OR phase IN {LISTED}) AND position < ? ORDER BY at DESC, position DESC LIMIT 1 OFFSET ?"
        )
        end = 2**63 - 1 if until is None else until
        values = [stream, provider, agent or "", not phases, json.dumps(phases), end, position - 1]
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

    # --- the database

    @property
    def path(self) -> Path | None:
        """The file, if there is one."""
        return index_file.find(self.journal.root)

    def fresh(self) -> Self:
        """An index made from the journal in memory, whatever the stored one says."""
        fresh = type(self)(self.journal)
        fresh._use(index_file.connect())
        return fresh

    def discard(self) -> None:
        """Delete the file: it is made anew when it is needed."""
        self.close()
        with contextlib.suppress(OSError):
            index_file.discard(self.journal.root)

    def close(self) -> None:
        if self._database is not None:
            self._database = None
            self._closing()

    def _use(self, database: sqlite3.Connection) -> sqlite3.Connection:
        """Keep the index in this database, which is closed with this object at the latest."""
        if self._database is not None:
            self.close()
        self._database, self._closing = database, weakref.finalize(self, database.close)
        # a forked process closes nothing of its parent's
        self._closing.atexit = False
        return database

    def _rows(self, query: str, values: Sequence[object] = (), streams: Iterable[str] = ()) -> list[tuple[Any, ...]]:
        """Ask an index that has read all of these streams.

        One that is spoilt is made anew. If that does not help, the disk is full, or another process keeps the file
        busy, one in memory answers.
        """
        for may_stay in (True, False):
            try:
                return self._ask(query, values, streams)
            except sqlite3.DatabaseError as error:
                self._leave(error, may_stay=may_stay)
        return self._ask(query, values, streams)

    def _ask(self, query: str, values: Sequence[object], streams: Iterable[str]) -> list[tuple[Any, ...]]:
        database = self._database or self._open()
        for stream in streams:
            self._catch_up(database, stream)
        return database.execute(query, values).fetchall()

    def _open(self) -> sqlite3.Connection:
        root = self.journal.root
        path = None
        # tracker leaves nothing in folders that hold no records
        if (root / LOCK).exists() or self.journal.streams():
            # a directory that may only be read has none
            with contextlib.suppress(OSError):
                path = index_file.make(root) if self.may_create else self.path
        return self._use(index_file.connect(path))

    def _leave(self, error: sqlite3.DatabaseError, *, may_stay: bool) -> None:
        """Go on with a new file if this one is spoilt; in memory if it cannot be written, or the new one fails, too."""
        if may_stay and index_file.is_spoilt(error):
            self.journal.warn(f"the index is made anew: {error}")
            self.discard()
            return
        memory = index_file.connect()
        if may_stay and self._database is not None:
            self.journal.warn(f"the index cannot be written now ({error}); a copy in memory answers")
            with contextlib.suppress(sqlite3.Error):
                self._database.backup(memory)
        self._use(memory)

    def _catch_up(self, database: sqlite3.Connection, stream: str) -> None:
        """Read what the stream got since the last time; all of it if it is not the stream that was read."""
        if self._unread(database, stream) is None:
            return
        with database:
            database.execute("BEGIN IMMEDIATE")
            # another process may have been faster
            if (unread := self._unread(database, stream)) is None:
                return
            start, stop, total = unread
            for table in (*TABLES, BLOCKS) if start == 0 else ():
                database.execute(f"DELETE FROM {table} WHERE stream = ?", [stream])
            if stop - start > LARGE:
                self.journal.warn(f"reading {(stop - start) >> 20} MB of {stream}.jsonl into the index")
            query = "SELECT rowid, * FROM extent WHERE stream = ? AND stop = ?"
            last = database.execute(query, [stream, start]).fetchone()
            if last is not None:
                # it goes on
                database.execute("DELETE FROM extent WHERE rowid = ?", last[:1])
                total -= row_sum(last[1:])
            for table, row in rows_of(self.journal, stream, start, stop, last and (last[2], last[3], last[5])):
                places = ",".join("?" * len(row))
                # of two captures with one id, as after a merge, the first counts
                if database.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", row).rowcount:
                    total += row_sum(row)
            query = f"SELECT checksum FROM {BLOCKS} WHERE stream = ? AND number = ?"
            begun = database.execute(query, [stream, start // BLOCK]).fetchone() if start % BLOCK else None
            for number, checksum in self.journal.checksums(stream, start, stop, begun[0] if begun else 0):
                database.execute(f"INSERT OR REPLACE INTO {BLOCKS} VALUES (?, ?, ?)", [stream, number, checksum])
            now = self.journal.glance(stream, stop)
            mark = (stream, stop, now.inode, now.head, now.tail, total)
            database.execute("INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?, ?, ?)", mark)

    def _unread(self, database: sqlite3.Connection, stream: str) -> tuple[int, int, int] | None:
        """What of a stream the index has not read, and the total of its rows; None for nothing."""
        query = "SELECT size, total, inode, head, tail FROM stream WHERE name = ?"
        size, total, *known = database.execute(query, [stream]).fetchone() or (0, 0, None)
        now = self.journal.glance(stream, size)
        fits = known == [now.inode, now.head, now.tail] and now.size >= size
        if (fits or not now.size) and now.size == size:
            return None
        return (size, now.size, total) if fits else (0, now.size, 0)

    # --- checking

    def edited(self, stream: str) -> list[int]:
        """Where the stream was edited since it was read: the offsets of the megabytes that have another checksum."""
        known = dict(self._rows(f"SELECT number, checksum FROM {BLOCKS} WHERE stream = ?", [stream], [stream]))
        size = next((size for (size,) in self._rows("SELECT size FROM stream WHERE name = ?", [stream])), 0)
        found = self.journal.checksums(stream, 0, size)
        return [number * BLOCK for number, checksum in found if known.get(number) != checksum]

    def faults(self) -> list[str]:
        """What is wrong with the file as it lies there, and where streams were edited: for `tracker doctor`."""
        try:
            if self.path:
                index_file.connect(self.path, is_thorough=True).close()
        except (sqlite3.DatabaseError, OSError) as error:
            return [str(error)]
        places = ((stream, offset) for stream in self.journal.streams() for offset in self.edited(stream))
        return [f"{stream}.jsonl was edited near byte {offset}" for stream, offset in places]


def natural(window: str) -> list[tuple[int, str, str]]:
    """What windows are sorted by: `W0-9` before `W0-10`."""
    parts = re.split(r"([0-9]+)", window)
    return [(len(part.lstrip("0")), part.lstrip("0"), part) if part.isdecimal() else (-1, part, "") for part in parts]
