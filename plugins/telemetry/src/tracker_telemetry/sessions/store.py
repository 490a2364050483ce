"""What session logs held, in a SQLite file of the derived index; what vendors delete stays in the journal.

A request has one row, whichever files show it: of one key the largest total stands. Daily totals per session and model
go to the source's stream of the journal, so that they outlive the vendor's file and this one.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from attrs import define, field

from tracker.api import LogOrigin, Source
from tracker.kernel import Session, TrackerError
from tracker_telemetry import FOLDER, blake2b
from tracker_telemetry.progress import Progress
from tracker_telemetry.sessions import copies, parallel, scan, tables, totals, upgrades
from tracker_telemetry.sessions.files import PACKED, STORE, LogFile, Print, end_of, files, make_own
from tracker_telemetry.sessions.genai import RULES
from tracker_telemetry.sessions.list_prices import ListPrices
from tracker_telemetry.sessions.requests import Requests
from tracker_telemetry.sessions.scan import FileRows, Job, Labels
from tracker_telemetry.sessions.scratch import stored
from tracker_telemetry.sessions.settings import Privacy

CACHE = 64 << 10  # kibibytes
Sessions: TypeAlias = defaultdict[str, set[str]]  # by source
BARRED = (scan.UNPACKER, "[Errno", "plugin ")  # how the errors of files begin that may be readable later


def log_sources(session: Session) -> list[Source]:
    """The sources whose logs are files of a client."""
    sources: Iterable[Source] = session.registry.sources.values()
    logs = [source for source in sources if any(isinstance(origin, LogOrigin) for origin in source.origins)]
    # a log is read line by line, which a provider's pane is not
    return [source for source in logs if source.is_stream]


class KnownFile(NamedTuple):
    """A file that was read: what it was then, where the last whole line ended, a checksum of the bytes before."""

    now: Print
    stop: int
    end: str
    state: str
    error: str | None


@define
class Store:
    """The requests of all sources, brought up to what the files hold now."""

    session: Session
    database: sqlite3.Connection
    _touched: Sessions = field(factory=lambda: defaultdict(set))  # those that got something
    _summed: Sessions = field(factory=lambda: defaultdict(set))  # those whose sums were added to
    _places: dict[tuple[Any, ...], int] = field(factory=dict)
    _learnt: dict[str, int] = field(factory=dict)  # up to where the streams of sources are known
    _news: dict[str, totals.Groups] = field(factory=dict)  # what was known before of what the journal changed
    _anew: set[str] = field(factory=set)  # sources of which no file was read yet
    _upgraded: set[str] = field(factory=set)  # those that another version of their plugin reads from now on
    _descents: dict[str, copies.Descents] = field(factory=dict)  # by source: which session shows whose requests

    def sync(self, sources: Sequence[Source], prices: ListPrices) -> None:
        """Read what is new in the files, at these prices, and append the daily totals that grew to the journal.

        All in one go, which another process awaits and a killed one leaves undone: the journal gets it before the store
        has it, and learns nothing new if it is done again.
        """
        self.database.create_function("own_cost", 7, prices.own_cost)
        self.database.create_function("list_cost", 8, prices.list_cost)
        self._ask("BEGIN IMMEDIATE")
        with self.database:
            self._price(prices)
            for source in sources:
                self._learn(source)
            self._read(sources, prices)
            self._sum_up()
            for source in sources:
                self._keep(source, prices.version)

    def _read(self, sources: Sequence[Source], prices: ListPrices) -> None:
        """Read what is new in the files, and all of those that another version of their plugin reads."""
        if jobs := [job for source in sources for job in self._jobs(source)]:
            held = {name: self._set_aside(name) for name in {job.source for job in jobs} & self._upgraded}
            progress, requests = Progress.of(self.session, sum(map(scan.size_of, jobs)), "requests"), 0
            faults: dict[str, str | None] = {}
            read = set[str]()
            try:
                for done in parallel.run(self.session.registry, jobs, is_hashed=self.is_hashed):
                    self._put(done, prices)
                    read.update((done.job.path,) if done.job.is_whole and not done.error else ())
                    faults[done.job.source] = faults.get(done.job.source) or done.fault
                    requests += done.size
                    progress.advance(scan.size_of(done.job), requests)
            finally:
                progress.end()
            for name, own in held.items():
                upgrades.put_back(self.database, name, own, {*map(file_key, read)})
                self._places.clear()
            for fault in filter(None, faults.values()):
                if self.session.registry.is_strict():
                    raise TrackerError(fault)
                self.session.warn(fault)
            self._keep_rates(prices)

    def _set_aside(self, source: str) -> upgrades.FilePlaces:
        """Let the files of a source be read from the start; what only deleted files held stays."""
        names = self._ask("SELECT DISTINCT session FROM summary WHERE source = ?", (source,))
        self._touched[source].update(name for (name,) in names)
        return upgrades.set_aside(self.database, source)

    def _price(self, prices: ListPrices) -> None:
        """Price the requests again if the table has changed."""
        known, version = self._ask("SELECT version FROM priced").fetchone(), f"{prices.version} {RULES}"
        if known == (version,):
            rates = self._ask("SELECT model, day, speed, units FROM rate")
            prices.learn({row[:3]: row[3] and tuple(json.loads(row[3])) for row in rates})
            return
        for table in ("priced", "rate"):
            self._ask(f"DELETE FROM {table}")
        self._ask("INSERT INTO priced VALUES (?)", (version,))
        if known is not None:
            self.database.create_function(
                "price", 8, lambda model, ts, speed, *tokens: prices.cost(model, ts, speed, tokens)
            )
            self._ask(tables.PRICE)
            self._touch("1")
            self._keep_rates(prices)

    def _keep_rates(self, prices: ListPrices) -> None:
        """Keep what the table said, so that the next command need not import it."""
        known = set(self._ask("SELECT model, day, speed FROM rate"))
        new = [(*key, units and json.dumps(units)) for key, units in prices.rates().items() if key not in known]
        self.database.executemany("INSERT INTO rate VALUES (?, ?, ?, ?)", new)

    def _jobs(self, source: Source) -> Iterator[Job]:
        query = "SELECT name, size, mtime, inode, stop, end, state, error FROM file WHERE source = ?"
        known = {row[0]: KnownFile(Print(*row[1:4]), *row[4:]) for row in self._ask(query, (source.name,))}
        found = {file_key(one.path): one for one in files(source)}
        gone = known.keys() - found.keys()
        moved = {known[name].now.inode: name for name in gone}
        for name, one in found.items():
            before, old = known.get(name), moved.get(one.now.inode)
            for other in (one.path.removesuffix(PACKED), f"{one.path}{PACKED}") if gone else ():
                if before is None and (key := file_key(other)) in gone:
                    # compressed in the meantime, or unpacked: its unreadable lines count once
                    self._ask("DELETE FROM file WHERE name = ?", (key,))
            if before is None and old is not None and _is_at(one, known[old]):
                before = known[old]
                self._ask("UPDATE file SET name = ? WHERE name = ?", (name, old))
            if before is None:
                yield Job(source.name, one.path, one.words, 0, "{}", one.now, is_whole=True)
                continue
            is_longer = before.now.size < one.now.size and before.now.inode == one.now.inode
            is_same = before.now == one.now and (not before.end or _is_at(one, before))
            is_appended = is_longer and bool(before.end) and _is_at(one, before)
            # a file that could not be opened may be readable now, though unchanged, and a plugin may be mended
            is_known = source.name not in self._upgraded and not (before.error or "").startswith(BARRED)
            if is_same and is_known:
                continue
            # anything but an appended file is read from its beginning, which counts no request twice
            offset, state = (before.stop, before.state) if is_appended and is_known else (0, "{}")
            yield Job(source.name, one.path, one.words, offset, state, one.now, is_whole=is_same or is_appended)

    def _put(self, done: FileRows, prices: ListPrices) -> None:
        source, name = done.job.source, file_key(done.job.path)
        # a project is stored as reports show it
        labels = [one._replace(**stored(one.project, is_hashed=self.is_hashed)) for one in done.labels]
        own = [self._place(source, one) for one in labels]
        met = {(source, one.session) for one in labels if one.session}
        self.database.executemany("INSERT OR IGNORE INTO met VALUES (?, ?)", met)
        if done.size:
            found = Requests.of(done, prices)
            rows = [*found.rows(own, source)]
            before = self.database.total_changes
            cut = len(rows) - len(rows) % tables.MANY
            many = ([*chain.from_iterable(rows[at : at + tables.MANY])] for at in range(0, cut, tables.MANY))
            self.database.executemany(tables.ADD_MANY, many)
            self.database.executemany(tables.ADD, rows[cut:])
            if self.database.total_changes - before == done.size:
                # no other file has shown them: they add to what is known, unless these sessions are summed up again
                names = [(source, one.session or "", one.project or "", one.branch or "") for one in labels]
                self.database.executemany(tables.ADD_SUMS, [(*names[at], *rest) for at, *rest in found.sums()])
                self._summed[source].update(one[1] for one in names)
            else:
                shown = [(row[-2], row[2], *row[:2], source, row[-2]) for row in rows]
                self.database.executemany(tables.SHOW_KNOWN, [one[2:] for one in shown])
                self.database.executemany(tables.SHOW_OTHER, shown)
                self.database.executemany(tables.PUT, rows)
                # a copy may be stored under the session that showed it first
                keys = json.dumps([row[:2] for row in rows])
                stands = f"SELECT place FROM row WHERE source = ? AND (base, half) IN ({tables.PAIRS})"
                self._touch(f"id IN ({stands})", source, keys)
        before = self._ask("SELECT bad, places, is_whole FROM file WHERE name = ?", (name,)).fetchone()
        bad, places, is_whole = before or (0, "[]", True)
        bad = done.bad + (bad if done.job.offset else 0)
        places = json.dumps([*{*own, *json.loads(places)}])
        values = (name, source, *done.job.now, done.offset, done.end, done.state, bad, done.error, places)
        put = f"INSERT OR REPLACE INTO file VALUES ({','.join('?' * 12)})"
        self._ask(put, (*values, is_whole and done.job.is_whole))

    def _place(self, source: str, labels: Labels) -> int:
        """The number of what requests share."""
        shared = source, *labels
        if not self._places:
            known = self._ask(f"SELECT id, origin, {tables.SHARED_COLUMNS} FROM place")
            self._places.update((row[1:], row[0]) for row in known)
        if shared not in self._places:
            put = f"INSERT INTO place (origin, {tables.SHARED_COLUMNS}) VALUES ({','.join('?' * len(shared))})"
            self._places[shared] = self._ask(put, shared).lastrowid or 0
        return self._places[shared]

    def _touch(self, condition: str, *values: object) -> None:
        """Let the sessions of these places be summed up again."""
        for source, name in self._ask(f"SELECT origin, coalesce(session, '') FROM place WHERE {condition}", values):
            self._touched[source].add(name)

    def _ask(self, query: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        return self.database.execute(query, values)

    @property
    def is_hashed(self) -> bool:
        """Whether projects are: once they are, they stay so, whatever the settings of another folder say."""
        return _version(self.database) < 0

    def _sum_up(self) -> None:
        """Bring the sums up to the sessions that got something."""
        is_touched = any(self._touched.values())
        if not (is_touched or any(self._summed.values())):
            return
        has_copies = self._ask("SELECT 1 FROM place WHERE needs IS NOT NULL").fetchone() is not None
        if is_touched or has_copies:
            self._ask(tables.BY_PLACE)
        self._ask("DROP TABLE IF EXISTS temp.before")
        self._ask("CREATE TEMP TABLE before AS SELECT * FROM dropped")
        self._ask("DELETE FROM dropped")
        self._ask(tables.DROPPED)
        for at, place, *key in self._ask(tables.FIRST).fetchall():
            self._ask(f"UPDATE row SET ts = ? WHERE ({tables.KEY}) = (?, ?, ?)", (at, *key))
            self._touch("id = ?", place)
        for copied in tables.COPIES:
            self._ask(copied)
        self._touch(f"id IN ({tables.CHANGED})")
        self._settle()
        self._touch("needs IS NOT NULL")
        for source, sessions in self._touched.items():
            own = source, json.dumps(sorted(sessions))
            self._ask(f"DELETE FROM summary WHERE source = ? AND session IN ({tables.VALUES})", own)
            self._ask(tables.SUMMARY, own)
        for source, sessions in self._summed.items():
            self._touched[source] |= sessions

    def _settle(self) -> None:
        """Give each request that several sessions show to the one that it came from."""
        for source in {*self._touched, *self._summed}:
            changed, descents = copies.settle(self.database, source, is_anew=source in self._anew)
            self._descents[source] = copies.dropped(self.database, source) | descents
            names = self._touched[source] | self._summed[source]
            self._touched[source] |= changed | copies.adopt(self.database, source, names, self._place)

    def _learn(self, source: Source) -> None:
        """Note what the journal has and this store did not put there: it is new, or others' records were imported."""
        if self._ask("SELECT 1 FROM file WHERE source = ? LIMIT 1", (source.name,)).fetchone() is None:
            self._anew.add(source.name)
        size = self._learnt[source.name] = self.session.journal.size(source.stream)
        known = self._ask("SELECT size, version FROM journal WHERE source = ?", (source.name,)).fetchone()
        if known and known[1] != upgrades.version(self.session.registry, source):
            self._upgraded.add(source.name)
        if known and known[0] == size:
            return
        self._news[source.name] = totals.learn(self.database, source.name, totals.journalled(self.session, source))
        copies.put(self.database, source.name, copies.journalled(self.session, source))
        if source.name not in self._anew:
            for table in ("kept", "summary"):
                names = self._ask(f"SELECT session FROM {table} WHERE source = ?", (source.name,))
                self._touched[source.name].update(name for (name,) in names)

    def _keep(self, source: Source, prices: str) -> None:
        """Append the daily totals that grew to the journal; `prices` is the version of the table of their costs."""
        sessions = self._touched[source.name]
        descents = copies.news(copies.known(self.database, source.name), self._descents.get(source.name, {}))
        sure = {} if source.name in self._anew else descents
        sessions |= totals.settle(self.database, source.name, sessions, self._news.get(source.name, {}), sure)
        new = totals.grown(self.database, source.name, sessions, descents)
        size = self._learnt[source.name]
        if (new or descents) and not self.session.dry_run:
            size = totals.append(self.session, source, totals.fields(new, descents, prices), size)
        if size != totals.UNKNOWN:
            totals.put(self.database, "kept", new)
            copies.put(self.database, source.name, descents)
        put = """
        INSERT INTO journal VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET size = excluded.size, version = excluded.version
        WHERE (size, version) <> (excluded.size, excluded.version)
        """
        self._ask(put, (source.name, size, upgrades.version(self.session.registry, source)))


@contextlib.contextmanager
def opened(session: Session, *, is_stored: bool = True) -> Iterator[Store]:
    """The store; a damaged file is rebuilt, with what the journal has of deleted files."""
    path, database = session.root / FOLDER / STORE, None
    for place in (path, path, None) if is_stored else (None,):
        try:
            database = _connect(session, place)
            break
        except (sqlite3.DatabaseError, OSError) as error:
            if is_busy(error):
                raise
            if place is not None:
                discard(session)
    assert database is not None
    try:
        yield Store(session, database)
    finally:
        database.close()


def has_file(session: Session) -> bool:
    """Whether the store was made before."""
    return (session.root / FOLDER / STORE).exists()


def file_key(path: str) -> bytes:
    """What a file is known by: a client writes the working directory into the names of its folders."""
    return blake2b(os.fsencode(path), digest_size=16).digest()


def is_busy(error: Exception) -> bool:
    """Whether another process writes the file, which is sound then."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def discard(session: Session) -> None:
    """Delete the store, which is rebuilt when it is asked next; if it is a link, the link."""
    path = session.root / FOLDER / STORE
    for suffix in () if path.parent.is_symlink() else ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(OSError):
            Path(f"{path}{suffix}").unlink()


def _connect(session: Session, path: Path | None) -> sqlite3.Connection:
    if path is None or session.dry_run:
        database = sqlite3.connect(":memory:")
    else:
        session.journal.prepare()
        path.parent.mkdir(mode=0o700, exist_ok=True)
        make_own(path)
        database = sqlite3.connect(str(path), timeout=30)
    database.execute("PRAGMA synchronous = OFF")  # it is derived
    database.execute(f"PRAGMA cache_size = -{CACHE}")
    is_hashed = session.settings(Privacy).projects == "hash"
    if not _is_usable(database, is_hashed=is_hashed):
        _make_tables(database, is_hashed=is_hashed)
    return database


def _version(database: sqlite3.Connection) -> int:
    found: int = database.execute("PRAGMA user_version").fetchone()[0]
    return found


def _is_usable(database: sqlite3.Connection, *, is_hashed: bool) -> bool:
    """Whether the tables are of this version, which is negative if projects are hashed in them."""
    return _version(database) in {-tables.VERSION, -tables.VERSION if is_hashed else tables.VERSION}


def _make_tables(database: sqlite3.Connection, *, is_hashed: bool) -> None:
    """Rebuild the tables, unless another process did so meanwhile."""
    database.execute("PRAGMA secure_delete = ON")  # so that no name stays in freed pages
    database.execute("BEGIN IMMEDIATE")
    with database:
        if _is_usable(database, is_hashed=is_hashed):
            return
        is_hashed = is_hashed or _version(database) < 0
        query = "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')"
        for kind, name in database.execute(query).fetchall():
            database.execute(f'DROP {kind} "{name}"')
        for statement in tables.SCHEMA.split(";"):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {-tables.VERSION if is_hashed else tables.VERSION}")


def _is_at(found: LogFile, before: KnownFile) -> bool:
    """Whether the file still has the end that was read."""
    try:
        return end_of(found.path, before.stop) == before.end
    except OSError:
        return False
