"""The session logs as they are now: the store is brought up to the files before it is asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TypeVar

from tracker.api import Source, UsageEvent
from tracker.kernel import Session, TrackerError
from tracker_telemetry.sessions.days import Day
from tracker_telemetry.sessions.files import files
from tracker_telemetry.sessions.list_prices import QUARTER, ListPrices
from tracker_telemetry.sessions.owners import by_model
from tracker_telemetry.sessions.scratch import stored
from tracker_telemetry.sessions.store import Store, discard, has_file, is_busy, log_sources, opened
from tracker_telemetry.sessions.tables import EVERY_REQUEST, STANDING

T = TypeVar("T")
NOWHERE = ("", "")
# by the hash of the folder, or by the name of its project: a session whose file is gone may only have the name
IS_WITHIN = "iif(? <> '' AND folders <> '', instr(folders, ?), project = ? AND project <> '')"
QUERY = f"""
SELECT ts, coalesce(session, ''), coalesce(project, ''), coalesce(branch, ''), coalesce(model, ''), speed, cost,
  input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, coalesce(client, ''),
  coalesce(account, ''), {IS_WITHIN}
FROM {EVERY_REQUEST} WHERE source = ? AND ts >= ? AND {STANDING}
"""
LOST = """
SELECT day, since, until, session, coalesce(project, ''), coalesce(branch, ''), model,
  input_tokens + cache_write_5m_tokens + cache_write_1h_tokens + output_tokens, cache_read_tokens, coalesce(account, '')
FROM lost WHERE source = ? AND requests > 0
"""


def current(session: Session, sources: Sequence[Source], take: Callable[[Store, ListPrices], T]) -> T:
    """What is taken from the store. A damaged file is rebuilt; without room for one, all is read into memory."""
    for _ in range(2):
        try:
            return _current(session, sources, take, is_stored=True)
        except sqlite3.DatabaseError as error:
            if is_busy(error):
                problem = "Another process is reading the session logs. Run the command again when it has ended."
                raise TrackerError(problem) from None
            discard(session)
    return _current(session, sources, take, is_stored=False)


def _current(
    session: Session, sources: Sequence[Source], take: Callable[[Store, ListPrices], T], *, is_stored: bool
) -> T:
    # a question without any records creates no data directory, which git would take for the project's
    is_stored = is_stored and (has_file(session) or bool(session.journal.streams()) or any(map(files, sources)))
    with opened(session, is_stored=is_stored) as store:
        prices = ListPrices.of_user()
        store.sync(sources, prices)
        return take(store, prices)


def events(session: Session, since: datetime | None, folder: Path | None) -> list[UsageEvent]:
    """Every request from an instant on, by its time, and the days of which only totals are left."""
    sources = log_sources(session)
    start = since.timestamp() if since else 0.0

    def take(store: Store, prices: ListPrices) -> list[UsageEvent]:
        units = cache(prices.units)
        own = _place(store, folder) if folder else NOWHERE
        found = []
        for source in sources:
            owner = by_model(session, source)
            for row in store.database.execute(QUERY, (own[0], *own, source.name, start)):
                at, name, project, branch, model, speed, cost, plain, read, short, long, output, client, *rest = row
                key, counts = (model or None, at // QUARTER * QUARTER, speed), (plain, read, short, long, output)
                known = None if cost is None else prices.cached(*key, counts)
                cached = None if known is None else min(known, cost)
                fresh = None if cached is None else cost - cached
                found.append(
                    UsageEvent(
                        at, owner(model), name, project, branch, model, plain + short + long + output, read,
                        fresh, cached, units(*key), bool(rest[1]), client, rest[0],
                    )
                )  # fmt: skip
            found += _totals(store, source, owner, start)
        return sorted(found, key=lambda event: event.at)

    return current(session, sources, take)


def _totals(store: Store, source: Source, owner: Callable[[str], str], start: float) -> Iterator[UsageEvent]:
    """The days from an instant on of which only totals are left; when in a day what was used is not known."""
    found = store.database.execute(LOST, (source.name,))
    for named, since, until, name, project, branch, model, tokens, cached, account in found:
        day = Day.of(named, since, until)
        if day.name and day.last >= start:
            labels = owner(model), name, project, branch, model
            yield UsageEvent(day.last, *labels, tokens, cached, None, None, account=account, since=day.first)


def _place(store: Store, folder: Path) -> tuple[str, str]:
    """The hash by which requests in a folder, and in those within it, are known, and its project.

    If no request has the hash, only the name counts: the folder was moved, or has another path in a container.
    """
    known = stored(str(folder), is_hashed=store.is_hashed)
    own = (known["folders"] or "").rpartition(" ")[2]
    found = store.database.execute("SELECT 1 FROM place WHERE instr(folders, ?) LIMIT 1", (own,)).fetchone()
    return own if found else "", known["project"] or ""
