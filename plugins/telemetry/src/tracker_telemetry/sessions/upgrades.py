"""Reading again: another version of a plugin may count in another way, and its figures replace the old ones.

What files held that are gone, that were rewritten, or that cannot be read now, stays as the old version counted it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Container, Iterable

from tracker.api import Source
from tracker.kernel import Registry
from tracker_telemetry.sessions.tables import VALUES

# the name of each file, empty if it is not whole, and the places of its requests
FilePlaces = list[tuple[bytes, set[int]]]


def version(registry: Registry, source: Source) -> str:
    """What reads a source's logs: the distribution and its version."""
    found = registry.find(source.name)
    return f"{found.distribution} {found.version}" if found else ""


def set_aside(database: sqlite3.Connection, source: str) -> FilePlaces:
    """Set the requests of a source aside until its files are read, and return what the files held."""
    database.execute("CREATE TEMP TABLE IF NOT EXISTS aside AS SELECT * FROM row LIMIT 0")
    database.execute("INSERT INTO aside SELECT * FROM row WHERE source = ?", (source,))
    for table in ("row", "shown", "dropped", "summary"):
        database.execute(f"DELETE FROM {table} WHERE source = ?", (source,))
    rows = database.execute("SELECT iif(is_whole, name, x''), places FROM file WHERE source = ?", (source,))
    return [(name, {*json.loads(places)}) for name, places in rows]


def put_back(database: sqlite3.Connection, source: str, held: FilePlaces, read: Container[bytes]) -> None:
    """Put back the requests that no file shows now, except those that only files read again held."""
    rest = _union(places for name, places in held if name not in read)
    gone = _union(places for name, places in held if name in read) - rest
    database.execute(f"DELETE FROM aside WHERE place IN ({VALUES})", (json.dumps([*gone]),))
    database.execute("INSERT OR IGNORE INTO row SELECT * FROM aside WHERE source = ?", (source,))
    database.execute("DELETE FROM aside WHERE source = ?", (source,))
    used = "SELECT place FROM row UNION SELECT place FROM shown"
    database.execute(f"DELETE FROM place WHERE origin = ? AND id NOT IN ({used})", (source,))


def _union(sets: Iterable[set[int]]) -> set[int]:
    return set().union(*sets)
