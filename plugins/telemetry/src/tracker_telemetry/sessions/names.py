"""Projects whose names the journal has from before hashing: a report shows no name, and one row for each."""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from functools import cache

from tracker_telemetry.sessions.scratch import project

HASH = re.compile("[0-9a-f]{12}")  # what `scratch.project` makes
# the same requests under the name and under the hash of the folder, which the session's file gave later
RENAMED = """
SELECT DISTINCT old.project, new.project FROM kept old JOIN kept new USING (source, session, day, model, branch)
WHERE old.requests = 0 AND old.project <> new.project
"""


def hashed(database: sqlite3.Connection) -> Callable[[str], str]:
    """The hash by which a project is shown: that of its folder if the journal has it, else that of its name."""
    known: dict[str, set[str]] = defaultdict(set)
    for name, new in database.execute(RENAMED):
        if HASH.fullmatch(new):
            known[name].add(new)

    @cache
    def shown(name: str) -> str:
        if not name or HASH.fullmatch(name):
            return name
        folders = known.get(name, set())
        return next(iter(folders)) if len(folders) == 1 else project(name, is_hashed=True) or ""

    return shown
