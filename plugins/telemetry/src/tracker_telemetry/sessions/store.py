"""What session logs held, in a SQLite file of the derived index; what vendors delete stays in the journal.

A request has one row, whichever files show it: of one key the largest total stands. Daily totals per session and model
go to the source's stream of the journal, so that they outlive the vendor's file and this one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from attrs import define, field

from tracker.api import LogOrigin, Source
from tracker.kernel import Session, TrackerError, stamp
from tracker_telemetry.index import FOLDER
from tracker_telemetry.progress import Progress
from tracker_telemetry.sessions import scan
from tracker_telemetry.sessions.files import Found, end_of, files
from tracker_telemetry.sessions.scan import LABELS, TOKENS, Job, Read, read
from tracker_telemetry.settings import Privacy

FILE = "sessions.sqlite3"
VALUES = "SELECT value FROM json_each(?)"  # of a list that is given as JSON
VERSION = 3
PARALLEL = 8 << 20  # bytes to read from which on a second process is worth its start
LABEL_COLUMNS, TOKEN_COLUMNS = ", ".join(LABELS), ", ".join(TOKENS)
COLUMNS = f"source, key, base, wild, whole, needs, lineage, ts, {LABEL_COLUMNS}, {TOKEN_COLUMNS}, total, said"
SCHEMA = f"""
CREATE TABLE file (path TEXT PRIMARY KEY, source TEXT, size INTEGER, mtime INTEGER, inode INTEGER, stop INTEGER,
  end TEXT, state TEXT, bad INTEGER, error TEXT);
CREATE TABLE request ({COLUMNS}, cost REAL, prices TEXT, PRIMARY KEY (source, key));
CREATE INDEX request_base ON request (source, base) WHERE wild;
CREATE INDEX request_session ON request (source, session);
CREATE INDEX request_copy ON request (source) WHERE needs IS NOT NULL;
CREATE INDEX request_price ON request (source) WHERE prices IS NULL AND whole = 0;
CREATE INDEX request_whole ON request (source) WHERE whole = 1;
CREATE TABLE dropped (source, key, PRIMARY KEY (source, key));
CREATE TABLE summary (source, session, project, branch, model, quarter INTEGER, first REAL, requests, {TOKEN_COLUMNS},
  cost, priced);
CREATE INDEX summary_session ON summary (source, session);
CREATE TABLE kept (source, session, day, model, project, branch, account, client, plan, requests,
  {TOKEN_COLUMNS}, cost,
  PRIMARY KEY (source, session, day, model, project, branch));
"""
PLACES = len(COLUMNS.split(","))
PUT = (
    f"INSERT INTO request ({COLUMNS}) VALUES ({','.join('?' * PLACES)}) ON CONFLICT DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in (*TOKENS, "total", "said", "ts", "model", "speed"))
    + ", prices = NULL WHERE excluded.total > request.total"
)
QUARTER = 900  # seconds: every time zone begins its days at a multiple of them
SUMS = ", ".join(f"sum({name})" for name in TOKENS)
# of a message's rows with and without a request id, those that another row stands for
DROPPED = """
INSERT INTO dropped
WITH base AS (
  SELECT source, base, sum(1 - wild) AS own, max(CASE WHEN wild THEN total END) AS wild,
    max(CASE WHEN wild = 0 THEN total END) AS largest
  FROM request WHERE whole = 0 GROUP BY source, base HAVING count(*) > 1 AND max(wild) = 1)
SELECT r.source, r.key FROM request r JOIN base b USING (source, base)
WHERE b.own > 0 AND r.wild = NOT (b.own = 1 AND b.wild > b.largest)
"""
STANDING = """
whole = 0 AND NOT EXISTS (SELECT 1 FROM dropped d WHERE d.source = request.source AND d.key = request.key)
AND (needs IS NULL OR needs IN (SELECT session FROM request s WHERE s.source = request.source AND s.needs IS NULL))
"""
SUMMARY = f"""
INSERT INTO summary
SELECT source, coalesce(session, ''), coalesce(project, ''), coalesce(branch, ''), coalesce(model, ''),
  coalesce(CAST(ts / {QUARTER} AS INTEGER), -1), min(ts), count(*), {SUMS}, sum(cost), count(cost)
FROM request WHERE {STANDING} {{}} GROUP BY 1, 2, 3, 4, 5, 6
"""
OF_SESSION = ", ".join(
    f"(SELECT max({name}) FROM request r WHERE r.source = summary.source AND r.session = summary.session)"
    for name in ("account", "client", "plan")
)
DAILY = f"""
SELECT source, session, CASE WHEN quarter < 0 THEN '' ELSE date(quarter * {QUARTER}, 'unixepoch') END, model, project,
  branch, {OF_SESSION}, sum(requests), {SUMS}, sum(cost)
FROM summary WHERE source = ? AND session IN (SELECT value FROM json_each(?)) GROUP BY 2, 3, 4, 5, 6
"""
KEPT = ("session", "day", "model", "project", "branch", "account", "client", "plan", "requests", *TOKENS, "cost_usd")


def log_sources(session: Session) -> list[Source]:
    """The sources whose logs are files of a client."""
    sources: Iterable[Source] = session.registry.sources.values()
    return [source for source in sources if any(isinstance(origin, LogOrigin) for origin in source.origins)]


@define
class Store:
    """The requests of all sources, brought up to what the files hold now."""

    session: Session
    database: sqlite3.Connection
    _touched: set[tuple[str, str]] = field(factory=set)  # sources and sessions that got something

    def sync(self, sources: Sequence[Source]) -> None:
        """Read what is new in the files."""
        jobs = [job for source in sources for job in self._jobs(source)]
        size = sum(map(_size, jobs))
        progress, requests = Progress.of(self.session, size, "requests"), 0
        try:
            with self.database:
                for done in _run(self.session, jobs, size):
                    self._put(done)
                    requests += len(done.rows)
                    progress.advance(_size(done.job), requests)
        finally:
            progress.end()

    def _jobs(self, source: Source) -> Iterator[Job]:
        query = "SELECT path, size, mtime, inode, stop, end, state, error FROM file WHERE source = ?"
        known = {row[0]: row[1:] for row in self.database.execute(query, (source.name,))}
        for found in files(source):
            before = known.get(found.path)
            if before is not None and before[:3] == tuple(found.now) and before[6] != scan.UNPACKER:
                if not before[4] or _is_at(found, before[3], before[4]):
                    continue
                before = None
            offset, state = 0, "{}"
            if before is not None and before[4] and found.now.size >= before[3] and _is_at(found, before[3], before[4]):
                offset, state = before[3], before[5]
            yield Job(source.name, found.path, found.words, offset, state)

    def _put(self, done: Read) -> None:
        project = len(COLUMNS[: COLUMNS.index("project")].split(",")) - 2  # its place in a row of the scan
        is_hashed = self.session.settings(Privacy).projects == "hash"
        rows = []
        for row in done.rows:
            place = _project(row[project], is_hashed=is_hashed)
            rows.append((done.job.source, *row[:project], place, *row[project + 1 :]))
        self.database.executemany(PUT, rows)
        query = "SELECT DISTINCT source, coalesce(session, '') FROM request WHERE source = ? AND key IN"
        keys = json.dumps([row[0] for row in done.rows])  # a copy may stand under the session that showed it first
        self._touched.update(self.database.execute(f"{query} ({VALUES})", (done.job.source, keys)).fetchall())
        with contextlib.suppress(OSError):
            stat = os.stat(done.job.path)
            bad = done.bad
            if done.job.offset:
                query = "SELECT bad FROM file WHERE path = ?"
                bad += (self.database.execute(query, (done.job.path,)).fetchone() or (0,))[0]
            now = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
            values = (done.job.path, done.job.source, *now, done.offset, done.end, done.state, bad, done.error)
            self.database.execute(f"INSERT OR REPLACE INTO file VALUES ({','.join('?' * 10)})", values)

    def forget_prices(self, version: str) -> None:
        """Let requests be priced anew if the table is another one."""
        known = self.database.execute("SELECT prices FROM request WHERE prices IS NOT NULL LIMIT 1").fetchone()
        if known not in (None, (version,)):
            with self.database:
                self.database.execute("UPDATE request SET prices = NULL")
                found = self.database.execute("SELECT DISTINCT source, coalesce(session, '') FROM request")
                self._touched.update(found.fetchall())

    def sum_up(self) -> None:
        """Bring the sums up to the sessions that got something."""
        if not self._touched:
            return
        ask = self.database.execute
        with self.database:
            before = set(ask("SELECT source, key FROM dropped").fetchall())
            ask("DELETE FROM dropped")
            ask(DROPPED)
            query = "SELECT source, coalesce(session, '') FROM request WHERE source = ? AND key = ?"
            for one in before ^ set(ask("SELECT source, key FROM dropped").fetchall()):
                self._touched.update(ask(query, one).fetchall())
            copies = "SELECT DISTINCT source, coalesce(session, '') FROM request WHERE needs IS NOT NULL"
            self._touched.update(ask(copies).fetchall())
            for source in {source for source, _ in self._touched}:
                names = json.dumps(sorted({name for of, name in self._touched if of == source}))
                chosen = f"source = ? AND coalesce(session, '') IN ({VALUES})"
                self.database.execute(f"DELETE FROM summary WHERE {chosen}", (source, names))
                self.database.execute(SUMMARY.format(f"AND {chosen}"), (source, names))

    def keep(self, sources: Sequence[Source], prices: str) -> None:
        """Append the daily totals that grew to the journal; `prices` is the version of the table of their costs."""
        for source in sources:
            self._keep(source, {name for of, name in self._touched if of == source.name}, prices)

    def _keep(self, source: Source, sessions: set[str], prices: str) -> None:
        found = self.database.execute(DAILY, (source.name, json.dumps(sorted(sessions)))).fetchall() if sessions else []
        query = f"SELECT requests, {TOKEN_COLUMNS} FROM kept WHERE source = ? AND session = ? AND day = ? AND model = ?"
        query += " AND project = ? AND branch = ?"
        new = [row for row in found if self.database.execute(query, row[:6]).fetchone() != row[9:-1]]
        if not new or self.session.dry_run:
            return
        records = [
            stamp(
                window=None,
                provider=source.name,
                captured_at=self.session.now,
                source="ingest",
                usage=dict(zip(KEPT, row[1:], strict=True)),
                prices=prices,
            )
            for row in new
        ]
        try:
            with self.session.journal.lock():
                self.session.journal.append(source.stream, records)
        except TrackerError as error:
            # the figures are right all the same, and the next run keeps them
            self.session.warn(f"the daily totals of {source.title} were not kept: {error}")
            return
        self.put_kept(new)

    def put_kept(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Note daily totals that the journal has."""
        with self.database:
            marks = ",".join("?" * (len(KEPT) + 1))
            self.database.executemany(f"INSERT OR REPLACE INTO kept VALUES ({marks})", rows)


@contextlib.contextmanager
def opened(session: Session) -> Iterator[Store]:
    """The store; if its file is spoilt it is made anew, and what the journal has of deleted files comes from there."""
    path = session.root / FOLDER / FILE
    database = None
    for place in (path, path, None):
        try:
            database = _connect(session, place)
            break
        except (sqlite3.DatabaseError, OSError):
            if place is not None:
                discard(session)
    assert database is not None
    store = Store(session, database)
    try:
        if not database.execute("SELECT 1 FROM kept LIMIT 1").fetchone():
            for source in log_sources(session):
                store.put_kept(list(_kept_rows(session, source)))
        yield store
    finally:
        database.close()


def discard(session: Session) -> None:
    """Delete the store, which is made anew when it is asked next."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(OSError):
            Path(f"{session.root / FOLDER / FILE}{suffix}").unlink()


def _connect(session: Session, path: Path | None) -> sqlite3.Connection:
    if path is None or session.dry_run:
        database = sqlite3.connect(":memory:")
    else:
        session.journal.prepare()
        path.parent.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        database = sqlite3.connect(str(path), timeout=30)
    database.execute("PRAGMA synchronous = OFF")  # it is derived
    if database.execute("PRAGMA user_version").fetchone() != (VERSION,):
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            database.execute(f'DROP TABLE "{table}"')
        database.executescript(SCHEMA)
        database.execute(f"PRAGMA user_version = {VERSION}")
    return database


def _kept_rows(session: Session, source: Source) -> Iterator[tuple[Any, ...]]:
    for entry in session.index.entries(source.stream):
        usage = entry.record.get("usage")
        if isinstance(usage, dict):
            yield source.name, *(usage.get(name) for name in KEPT)


def _size(job: Job) -> int:
    """Bytes that are still to be read of a file, which may be gone."""
    with contextlib.suppress(OSError):
        return max(os.path.getsize(job.path) - job.offset, 0)
    return 0


def _run(session: Session, jobs: list[Job], size: int) -> Iterator[Read]:
    """Read the files, with two processes if there is much to read."""
    scan.ingests.update({job.source: session.registry.bind(job.source, "ingest_line") for job in jobs})
    workers = min(os.cpu_count() or 1, 4)
    if size < PARALLEL or workers < 2 or sys.platform == "win32":
        yield from map(read, jobs)
        return
    from multiprocessing import get_context

    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        yield from pool.map(read, jobs, chunksize=max(1, min(8, len(jobs) // (4 * workers))))


def _is_at(found: Found, stop: int, end: str) -> bool:
    try:
        return end_of(found.path, stop) == end
    except OSError:
        return False


def project_of(session: Session, folder: str) -> str | None:
    """How a working directory is stored."""
    return _project(folder, is_hashed=session.settings(Privacy).projects == "hash")


def _project(folder: object, *, is_hashed: bool) -> str | None:
    """The last part of the working directory, or its hash."""
    if not isinstance(folder, str):
        return None
    name = folder.replace("\\", "/").rstrip("/").rpartition("/")[2] or folder
    return hashlib.blake2b(folder.encode("utf-8", "replace"), digest_size=6).hexdigest() if is_hashed else name
