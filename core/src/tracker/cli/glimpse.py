"""The windows of a data directory at a glance: nothing is written, not even the index, and little is read."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from tracker.journal import index_file
from tracker.journal.index import natural

WINDOW = re.compile(rb'"window":\s*"([A-Za-z0-9._-]{1,64})"')
GLANCE = 1 << 20  # bytes of a stream's end that are read where the index does not know it yet


def windows(root: Path) -> list[str]:
    """The ids that the index knows and those in what was appended since, `W0-9` before `W0-10`."""
    known, sizes = _indexed(root)
    for path in sorted(root.glob("*.jsonl")):
        known |= set(_appended(path, sizes.get(path.stem, 0)))
    return sorted(known, key=natural)


def _indexed(root: Path) -> tuple[set[str], dict[str, int]]:
    """The index as it lies there; `immutable` keeps SQLite from writing beside it."""
    path = index_file.find(root)
    if path is None:
        return set(), {}
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)) as database:
            names = {row[0] for row in database.execute("SELECT DISTINCT window FROM extent WHERE window != ''")}
            return names, dict(database.execute("SELECT name, size FROM stream").fetchall())
    except sqlite3.Error:
        return set(), {}


def _appended(path: Path, start: int) -> Iterator[str]:
    with contextlib.suppress(OSError), path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(start if start <= size else 0, size - GLANCE))
        for found in WINDOW.finditer(file.read(GLANCE)):
            yield found[1].decode()
