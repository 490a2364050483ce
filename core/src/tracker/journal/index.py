"""Where the journal holds which records: the questions to the derived index."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tracker.journal.index_file import TABLES, Row, connect, find, is_spoilt, place, row_sum, rows_of
from tracker.journal.journal import BLOCK, LOCK, Journal
from tracker.journal.records import ANOMALIES, WINDOWS, lane_of, record_id, text

GAP = 64 << 10  # bytes of other windows that are read rather than skipped
LARGE = 256 << 20  # bytes of a stream that take seconds to read
MANY = 100_000  # windows from which on a whole stream is read rather than their places looked up
MARK = "record_id, provider, window, phase, at, stream, position"
LISTED = "(SELECT value FROM json_each(?))"  # the values of a list of any length that is given as JSON
Results = dict[tuple[str, str], Any]  # by window, and by provider if there are several


class Entry(NamedTuple):
    """A record and its place."""

    stream: str
    offset: int
    record_id: str
    record: dict[str, Any]

    @property
    def lane(self) -> str | None:
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


class Index:
    """The journal's records by window, lane and reset, read on demand.

    Its database has read all of the streams that a question is about; it is in memory if there can be no file.
    """

    def __init__(self, journal: Journal, database: sqlite3.Connection | None = None) -> None:
        self.journal, self._database = journal, database
        self._kept: dict[tuple[str, ...], tuple[Any, set[str], Results]] = {}

    def windows(self, last: int = -1) -> list[str]:
        """Every window with a standing record, `W0-9` before `W0-10`, or those that were captured in last."""
        if last < 0:
            return self._named("ORDER BY place", last)
        newest = "ORDER BY coalesce((SELECT max(at) FROM capture WHERE window = name), at) DESC, place DESC"
        return sorted(self._named(newest, last), key=place)

    def newest_windows(self, count: int) -> list[str]:
        """The windows that got a record last, in the same order."""
        return sorted(self._named("ORDER BY at DESC", count), key=place)

    def _named(self, order: str, count: int) -> list[str]:
        query = f"SELECT name FROM window WHERE name NOT IN {LISTED} {order} LIMIT ?"
        return self._column(query, [self.emptied(), count])

    def emptied(self) -> list[str]:
        """The windows of which every record was taken back. Anomalies say something about records, alone nothing."""
        kept = [stream for stream in self.journal.streams() if stream != ANOMALIES]
        doubtful = self._column("SELECT window FROM doubtful")
        return [one for one in doubtful if not any(True for name in kept for _ in self.entries(name, [one]))]

    def finalized(self) -> list[str]:
        """The windows that have, or had, a finalize row."""
        return self._column("SELECT name FROM window WHERE is_done ORDER BY place", [], [WINDOWS])

    def unfinalized(self, newest: int = -1) -> list[str]:
        """The windows without a finalize row, or the newest of them, and those of which one was taken back."""
        query = (
            "SELECT name FROM (SELECT name FROM window WHERE NOT is_done ORDER BY at DESC LIMIT ?)"
            " UNION SELECT window FROM tombstone WHERE stream = ? AND window != ''"
        )
        return sorted({*self._column(query, [newest, WINDOWS])} - {*self.emptied()}, key=place)

    def knows(self, window: str) -> bool:
        return bool(self._column("SELECT name FROM window WHERE name = ?", [window]))

    def entries(
        self, stream: str, windows: Iterable[str] | None = None, *, removed: bool = False, repeated: bool = False
    ) -> Iterator[Entry]:
        """The standing records of a stream in some windows, oldest line first.

        removed: every record once, also those that were taken back. repeated: as often as it is there.
        """
        names = windows if windows is None or isinstance(windows, set) else set(windows)
        if names is None:
            self.renew_edited(stream)
        seen = set() if removed or repeated else self.tombstoned(stream)  # what was seen or removed
        for start, stop in [(0, None)] if names is None or len(names) > MANY else self.spans(stream, names):
            for offset, line, record in self.journal.records(stream, start, stop):
                if names is None or text(record.get("window")) in names:
                    own = record_id(stream, line, record)
                    if repeated or (own not in seen and (removed or "tombstone" not in record)):
                        seen |= set() if repeated else {own}
                        yield Entry(stream, offset, own, record)
                line, record = b"", {}  # a long one is let go before the next is read

    def made_elsewhere(self) -> set[str]:
        """The commands whose records came by an import: two machines that have each other's records are still two."""
        marks = (entry.record.get("imported") for entry in self.entries("imports"))
        return {one for known in marks if isinstance(known, list) for one in known if isinstance(one, str)}

    def tombstoned(self, stream: str) -> set[str]:
        return {one for (one,) in self._rows("SELECT target FROM removal WHERE stream = ?", [stream], [stream])}

    def spans(self, stream: str, windows: Iterable[str]) -> list[tuple[int, int]]:
        """Where records of some windows stand; what lies close together is one span."""
        query = f"SELECT start, stop FROM extent WHERE stream = ? AND window IN {LISTED} ORDER BY start"
        joined: list[tuple[int, int]] = []
        is_recorded = self.journal.glance(stream, 0).size
        for start, stop in self._rows(query, [stream, windows], [stream]) if is_recorded else ():
            if joined and start - joined[-1][1] <= GAP:
                start = joined.pop()[0]
            joined.append((start, stop))
        return joined

    def once(self, streams: Sequence[str], windows: set[str], given: Any, read: Callable[[], Results]) -> Results:
        """What is read of some windows, kept until others are asked for, since each feature asks for the same ones."""
        state, kind = (given, [self.journal.glance(stream, 0) for stream in streams]), tuple(streams)
        if (known := self._kept.get(kind)) is None or known[0] != state or not windows <= known[1]:
            known = self._kept[kind] = (state, windows, read())
        _, asked, found = known
        return found if len(windows) == len(asked) else {key: one for key, one in found.items() if key[0] in windows}

    # --- captures

    def newest(
        self, stream: str, agent: str | None, provider: str, phases: Sequence[str] = (), position: int = 1
    ) -> CaptureMark | None:
        """The newest standing capture of a provider in a lane, or the Nth newest; of some phases if they are given."""
        query = (
            f"SELECT {MARK} FROM standing WHERE stream = ? AND provider = ? AND agent = ?"
            f" AND (? OR phase IN {LISTED}) ORDER BY at DESC, position DESC LIMIT 1 OFFSET ?"
        )
        rows = self._rows(query, [stream, provider, agent or "", not phases, phases, position - 1], [stream])
        return CaptureMark(*rows[0]) if rows else None

    def left_open(self, stream: str, agent: str | None, provider: str, windows: Iterable[str]) -> list[CaptureMark]:
        """The standing BEFOREs of a provider in a lane that nothing follows in their window, the oldest first."""
        query = (
            f"SELECT {MARK} FROM left_open WHERE window IN {LISTED} AND +stream = ? AND +provider = ? AND +agent = ?"
            " ORDER BY at, position"
        )
        return [CaptureMark(*row) for row in self._rows(query, [windows, stream, provider, agent or ""], [stream])]

    def lanes(self, stream: str, names: Sequence[str | None] = ()) -> list[tuple[str | None, CaptureMark]]:
        """The newest standing capture of each provider in each lane, by the lane's name; of some lanes if named."""
        where = f"stream = ? AND (? OR agent IN {LISTED})"
        given = [stream, not names, [one or "" for one in names]]
        groups = self._rows(f"SELECT agent, provider FROM lane WHERE {where} ORDER BY agent, provider", given, [stream])
        found = ((agent or None, self.newest(stream, agent, provider)) for agent, provider in groups)
        return [(agent, mark) for agent, mark in found if mark is not None]

    def is_taken(self, window: str, lane: Sequence[str], phases: Sequence[str], at: float) -> bool:
        """Whether a capture at an instant that names no window skips this one. lane: stream, provider, agent."""
        # it is another lane's, has such a phase of the provider, or all in it had ended when the lane began a newer one
        query = (
            "WITH here AS (SELECT * FROM standing WHERE window = ? AND phase IN ('before', 'after')) SELECT NOT"
            " max(agent = ?) OR max((stream, provider, agent) = (?, ?, ?) AND phase IN (SELECT value FROM"
            " json_each(?))) OR (NOT EXISTS (SELECT 1 FROM left_open WHERE window = ? AND +agent = ?) AND EXISTS"
            " (SELECT 1 FROM lane CROSS JOIN standing s USING (stream, provider, agent) WHERE agent = ? AND"
            " s.phase = 'before' AND s.at > (SELECT max(at) FROM here) AND s.at <= ?)) FROM here"
        )
        return self._column(query, [window, lane[-1], *lane, phases, window, lane[-1], lane[-1], at]) == [1]

    def meanwhile(self, stream: str, provider: str, begin: float, end: float, known: Iterable[str]) -> list[str]:
        """Other windows than the known ones in which a provider was captured after `begin`, and before `end`."""
        query = (
            f"SELECT DISTINCT window FROM standing s WHERE stream = ? AND provider = ? AND at > ? AND EXISTS (SELECT 1"
            " FROM standing t WHERE t.window = s.window AND +t.stream = s.stream AND +t.provider = s.provider"
            f" AND +t.at < ?) AND window NOT IN {LISTED}"
        )
        return self._column(query, [stream, provider, begin, end, known], [stream])

    def strangers(self, stream: str, known: Iterable[str]) -> list[CaptureMark]:
        """A standing capture of each provider that is not among the known ones, per window and phase."""
        query = (
            f"SELECT {MARK} FROM standing WHERE stream = ? AND provider IN"
            f" (SELECT provider FROM lane WHERE stream = ? AND provider NOT IN {LISTED})"
            " GROUP BY provider, window, phase"
        )
        return [CaptureMark(*row) for row in self._rows(query, [stream, stream, ["", *known]], [stream])]

    def resets(self, stream: str, provider: str, after: float, until: float) -> list[float]:
        """Reset instants (epoch s) in (after, until] that standing captures of a provider name."""
        query = "SELECT at FROM standing_reset WHERE stream = ? AND provider = ? AND at > ? AND at <= ? ORDER BY at"
        return [at for (at,) in self._rows(query, [stream, provider, after, until], [stream])]

    def standing(self, streams: list[str], record_ids: Iterable[str], *, removed: bool = False) -> set[str]:
        """Which of these are captures that were not taken back (with `removed` those, too), or tombstones."""
        query = " UNION ".join(
            f"SELECT record_id FROM {table} WHERE record_id IN {LISTED}"
            for table in ("capture" if removed else "standing", "removal")
        )
        return set(self._column(query, [list(record_ids)] * 2, streams))

    # --- the database

    def fresh(self) -> "Index":
        """An index made from the journal in memory, whatever the stored one says."""
        return Index(self.journal, connect())

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    __del__ = close

    @property
    def path(self) -> Path | None:
        return find(self.journal.root)

    def discard(self) -> None:
        """Delete the file, which is rebuilt when it is needed; processes that work on it go on undisturbed."""
        self.close()
        with contextlib.suppress(OSError):
            while (found := self.path) is not None:
                for suffix in ("-wal", "-shm", ""):
                    Path(f"{found}{suffix}").unlink(missing_ok=True)

    def _column(self, query: str, values: Iterable[Any] = (), streams: Iterable[str] | None = None) -> list[Any]:
        return [first for first, *_ in self._rows(query, values, streams)]

    def _rows(self, query: str, values: Iterable[Any] = (), streams: Iterable[str] | None = None) -> list[Row]:
        """Ask an index that has read these streams, by default all. A list of values is given as JSON.

        A spoilt one is rebuilt. If that does not help, the disk is full, or another process keeps the file busy, an
        index in memory answers.
        """
        given = [one if isinstance(one, str | int | float) else json.dumps(list(one)) for one in values]
        for attempt in range(3):
            try:
                database = self._database = self._database or self._open()
                for stream in self.journal.streams() if streams is None else streams:
                    if self._unread(database, stream) is not None:
                        self._catch_up(database, stream)
                return database.execute(query, given).fetchall()
            except sqlite3.DatabaseError as error:
                if attempt == 2:
                    raise
                self._renew(error, in_memory=attempt == 1)
        return []

    def catch_up(self, streams: Iterable[str]) -> None:
        """Read what these streams got before a command takes the lock, so that it then reads only the last lines."""
        # without any, a new directory would be answered for in memory
        if known := set(streams).intersection(self.journal.streams()):
            self._rows("", streams=known)

    def _open(self) -> sqlite3.Connection:
        root, path = self.journal.root, None
        if (root / LOCK).exists() or self.journal.streams():  # tracker leaves nothing in folders that hold no records
            with contextlib.suppress(OSError):  # a directory that may only be read has none
                path = find(root, may_create=self.journal.mends)
        return connect(path)

    def _renew(self, error: sqlite3.DatabaseError, *, in_memory: bool) -> None:
        """Go on with a new file if this one is spoilt; with a copy in memory if it cannot be written now."""
        if not in_memory and is_spoilt(error):
            self.journal.warn(f"rebuilding the index: {error}")
            self.discard()
            return
        memory = connect()
        if not in_memory and self._database is not None:
            self.journal.warn(f"cannot write the index now ({error}); using a copy in memory")
            with contextlib.suppress(sqlite3.Error):
                self._database.backup(memory)
        self.close()
        self._database = memory

    # --- the streams

    def _catch_up(self, database: sqlite3.Connection, stream: str) -> None:
        """Read what the stream got since the last time; all of it if it is not the stream that was read."""
        with database:
            database.execute("BEGIN IMMEDIATE")
            if (unread := self._unread(database, stream)) is None:  # another process may have been faster
                return
            start, stop, total, inode = unread
            deleted = 0
            for table in (*TABLES, "block") if start == 0 else ():
                deleted += database.execute(f"DELETE FROM {table} WHERE stream = ?", [stream]).rowcount
            if stop - start > LARGE:
                self.journal.warn(f"reading {(stop - start) >> 20} MB of {stream}.jsonl into the index")
            for table, row in rows_of(self.journal, stream, start, stop):
                places = ",".join("?" * len(row))
                # of two captures with one id, as after a merge, the first counts
                if database.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", row).rowcount:
                    total += row_sum(row)
            if deleted:
                database.execute("DELETE FROM window")
                database.execute("INSERT INTO window SELECT * FROM named")
            query = "SELECT checksum FROM block WHERE stream = ? AND number = ?"
            begun = database.execute(query, [stream, start // BLOCK]).fetchone() if start % BLOCK else None
            for number, checksum in self.journal.checksums(stream, start, stop, begun[0] if begun else 0):
                database.execute("INSERT OR REPLACE INTO block VALUES (?, ?, ?)", [stream, number, checksum])
            if (now := self.journal.glance(stream, stop)).inode != inode:
                raise sqlite3.DatabaseError(f"{stream}.jsonl was replaced while it was read")
            mark = (stream, stop, total, now.inode, now.head, now.tail)
            database.execute("INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?, ?, ?)", mark)

    def _unread(self, database: sqlite3.Connection, stream: str) -> tuple[int, int, int, int] | None:
        """What of a stream the index has not read, the total of its rows, the stream's file; None for nothing."""
        query = "SELECT size, total, inode, head, tail FROM stream WHERE name = ?"
        size, total, *known = database.execute(query, [stream]).fetchone() or (0, 0, None)
        now = self.journal.glance(stream, size)
        fits = known == [now.inode, now.head, now.tail] and now.size >= size
        if (fits or not now.size) and now.size == size:
            return None
        return (size, now.size, total, now.inode) if fits else (0, now.size, 0, now.inode)

    def edited(self, stream: str) -> list[int]:
        """Where the stream was edited since it was read: the offsets of the megabytes that have another checksum."""
        query = "SELECT checksum, size FROM block JOIN stream ON name = stream WHERE stream = ? ORDER BY number"
        known = self._rows(query, [stream], [stream])
        found = self.journal.checksums(stream, 0, known[0][1] if known else 0)
        return [number * BLOCK for (number, now), (then, _) in zip(found, known, strict=False) if now != then]

    def renew_edited(self, stream: str) -> None:
        """Read a stream again that was edited since it was read; costs reading it."""
        if self.edited(stream):
            self.journal.warn(f"{stream}.jsonl was edited; reading it again")
            self._rows("DELETE FROM stream WHERE name = ?", [stream], [])

    def faults(self, *, of_streams: bool = True) -> list[str]:
        """What is wrong with the file as it lies there, and where streams were edited, which costs reading them."""
        try:
            if self.path:
                connect(self.path, is_thorough=True).close()
        except sqlite3.DatabaseError as error:
            if is_spoilt(error):  # one on a disk that is read-only cannot be opened, which is no fault of it
                return [str(error)]
        streams = self.journal.streams() if of_streams else ()
        return [f"{one}.jsonl was edited near byte {offset}" for one in streams for offset in self.edited(one)]
