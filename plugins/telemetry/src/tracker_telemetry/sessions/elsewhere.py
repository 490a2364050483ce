"""Until when it is known that windows which came by `tracker import` have no request of the files that are here."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from tracker.api import Source, epoch
from tracker.kernel import Session

HERE = "SELECT DISTINCT session FROM summary WHERE source = ?"


def read_elsewhere(session: Session, database: sqlite3.Connection, sources: Sequence[Source]) -> Mapping[str, float]:
    """By command that came by an import: when its directory last read session files, none of which is here.

    A directory that reads this machine's files, such as an older one, has totals of the sessions in them and is left
    out. Without totals it is not known, and the time is 0.
    """
    came: dict[str, object] = {}
    for entry in session.index.entries("imports"):
        commands = entry.record.get("imported")
        came |= {str(one): entry.record.get("directory") for one in (commands if isinstance(commands, list) else ())}
    read, shared = dict[object, float](), set[object]()
    for source in sources if came else ():
        here = {name for (name,) in database.execute(HERE, (source.name,))}
        for entry in session.index.entries(source.stream):
            command, usage = str(entry.record.get("command_id")), entry.record.get("usage")
            if command in came and isinstance(usage, dict):
                place, at = came[command], epoch(entry.record.get("captured_at")) or 0.0
                read[place] = max(read.get(place, 0.0), at)
                shared |= {place} if usage.get("session") in here else set()
    return {command: read.get(place, 0.0) for command, place in came.items() if place not in shared}
