"""The daily totals of sessions in the journal: what it has of them, and what the store has more.

The journal has it before the store: if a process dies between the two, the next one learns it, and appends nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from tracker.api import Source
from tracker.kernel import Session, TrackerError, stamp
from tracker_telemetry.sessions import copies, tables
from tracker_telemetry.sessions.list_prices import ListPrices
from tracker_telemetry.sessions.scan import TOKENS

Row: TypeAlias = "tuple[Any, ...]"
UNKNOWN = -1  # how far the journal is known that may not have all that the store has


def journalled(session: Session, source: Source) -> Iterator[Row]:
    """What a source's stream of the journal says."""
    for entry in session.index.entries(source.stream):
        usage = entry.record.get("usage")
        if isinstance(usage, dict):
            yield source.name, *(usage.get(name) for name in tables.KEPT)


def put(database: sqlite3.Connection, rows: Iterable[Row], *, is_lost: bool) -> None:
    """Note daily totals that the journal has; lost are those that no file shows."""
    marks = ",".join("?" * (len(tables.KEPT) + 2))
    database.executemany(f"INSERT OR REPLACE INTO kept VALUES ({marks})", [(*row, is_lost) for row in rows])


def price(database: sqlite3.Connection, prices: ListPrices) -> None:
    """Give totals without a cost the user's own price, which has neither days nor tiers, as list prices have."""
    if prices.own is not None:
        database.create_function("own_cost", 6, lambda model, *tokens: prices.own_cost(model, tokens))
        database.execute(tables.OWN_COST)


def grown(database: sqlite3.Connection, source: str, sessions: Collection[str]) -> list[Row]:
    """The daily totals of sessions that the journal does not have."""
    if not sessions:
        return []
    own = source, json.dumps(sorted(sessions))
    found = {row[:6]: row for row in database.execute(tables.DAILY, own)}
    query = f"SELECT {tables.KEPT_COLUMNS} FROM kept WHERE source = ? AND NOT lost AND session IN ({tables.VALUES})"
    kept = {row[:6]: row for row in database.execute(query, own)}
    new = [row for key, row in found.items() if key not in kept or kept[key][9:-1] != row[9:-1]]
    # the same requests under another project or branch
    nothing = (0,) * (len(TOKENS) + 1)
    return new + [(*row[:9], *nothing, None) for key, row in kept.items() if key not in found and row[9]]


def fields(
    totals: Sequence[Row], descents: Mapping[tuple[str, str], float | None], prices: str
) -> Iterator[dict[str, Any]]:
    """What the records say."""
    for row in totals:
        yield {"usage": dict(zip(tables.KEPT, row[1:], strict=True)), "prices": prices}
    for pair, until in descents.items():
        yield {"descent": dict(zip(copies.FIELDS, (*pair, until), strict=True))}


def append(session: Session, source: Source, found: Iterable[dict[str, Any]], size: int) -> int:
    """Append to the journal, which was known as far as `size`; returned is how far it is then."""
    journal, now = session.journal, session.now
    records = [stamp(window=None, provider=source.name, captured_at=now, source="ingest", **one) for one in found]
    try:
        with journal.lock():
            before = journal.size(source.stream)
            journal.append(source.stream, records)
            # what others appended meanwhile is learnt by the next command
            return journal.size(source.stream) if before == size else UNKNOWN
    except TrackerError as error:
        # the figures are right all the same, and the next run keeps them
        session.warn(f"the daily totals of {source.title} were not kept: {error}")
        return UNKNOWN
