"""What the agents used in some days, for the home screen, which has no time to lose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tracker.api import Cell, Column, Panel, Period
from tracker.kernel import Session
from tracker_telemetry.sessions.current import current
from tracker_telemetry.sessions.days import QUARTER, Day
from tracker_telemetry.sessions.list_prices import ListPrices
from tracker_telemetry.sessions.money import total
from tracker_telemetry.sessions.owners import by_model
from tracker_telemetry.sessions.scan import TOKENS
from tracker_telemetry.sessions.store import Store, log_sources
from tracker_telemetry.sessions.tables import LOST_COST, LOST_PRICED

FIGURES = ("requests", "tokens", "cost_usd", "unpriced_requests")
ALL_TOKENS = " + ".join(TOKENS[:5])
# for deleted files and other machines only UTC days are known; `shown_day` places them as `tracker usage` does
QUERY = f"""
SELECT model, sum(requests), sum(tokens), sum(cost), sum(requests) - sum(priced) FROM (
  SELECT model, requests, {ALL_TOKENS} AS tokens, cost, priced FROM summary
  WHERE source = ? AND quarter >= ? AND quarter < ?
  UNION ALL
  SELECT model, requests, {ALL_TOKENS}, {LOST_COST}, {LOST_PRICED} FROM lost
  WHERE source = ? AND day BETWEEN date(?, '-1 day') AND date(?, '1 day')
  AND shown_day(day, since, until) >= ? AND shown_day(day, since, until) < ?)
GROUP BY model HAVING sum(requests) > 0
"""


def panel(session: Session, period: Period) -> Panel:
    """Requests, tokens and money of each provider, in whole days."""
    sources = log_sources(session)
    limits = period.since or datetime.fromtimestamp(0, session.zone), period.until or datetime(9000, 1, 1, tzinfo=UTC)
    quarters, days = [at.timestamp() // QUARTER for at in limits], [str(at.date()) for at in limits]

    def shown_day(name: str, since: float | None, until: float | None) -> str:
        return next(map(str, Day.of(name, since, until).dates(limits[0].tzinfo or session.zone)), "")

    def take(store: Store, _prices: ListPrices) -> list[Mapping[str, Cell]]:
        store.database.create_function("shown_day", 3, shown_day)
        found: dict[str, list[Sequence[Any]]] = defaultdict(list)
        for source in sources:
            owner = by_model(session, source)
            for model, *figures in store.database.execute(QUERY, (source.name, *quarters, source.name, *days, *days)):
                found[owner(model)].append(figures)
        rows: list[Mapping[str, Cell]] = []
        for provider, parts in sorted(found.items()):
            requests, tokens, costs, unpriced = zip(*parts, strict=True)
            cost = total([one for one in costs if one is not None])
            figures = sum(requests), sum(tokens), cost, sum(unpriced)
            rows.append({"provider": provider, **dict(zip(FIGURES, figures, strict=True))})
        return rows

    return Panel(
        name="today",
        title="Today",
        columns=(
            Column(key="provider", title="Provider", rank=0),
            Column(key="requests", title="Requests", kind="count"),
            Column(key="tokens", title="Tokens", kind="count", rank=0),
            Column(key="cost_usd", title="Cost, $", kind="money", rank=0),
            Column(key="unpriced_requests", title="Without a price", kind="count"),
        ),
        rows=current(session, sources, take) if sources else (),
    )
