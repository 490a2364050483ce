"""What the agents used in some days, for the home screen, which has no time to lose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tracker.api import Cell, Column, Panel, Period
from tracker.kernel import Session
from tracker_telemetry import DAY
from tracker_telemetry.sessions.columns import LATEST
from tracker_telemetry.sessions.current import current
from tracker_telemetry.sessions.days import MICROSECOND
from tracker_telemetry.sessions.list_prices import ListPrices
from tracker_telemetry.sessions.money import total
from tracker_telemetry.sessions.owners import by_model
from tracker_telemetry.sessions.store import Store, log_sources
from tracker_telemetry.sessions.tables import LOST_COST, LOST_PRICED, QUARTER

FIGURES = ("requests", "tokens", "cost_usd", "unpriced_requests")
ALL_TOKENS = "input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens + output_tokens"
MIDNIGHT = "CAST(strftime('%s', day) AS INTEGER)"
# of deleted files, and of other machines, only the days in UTC are known: those of which all lies within
QUERY = f"""
SELECT model, sum(requests), sum(tokens), sum(cost), sum(requests) - sum(priced) FROM (
  SELECT model, requests, {ALL_TOKENS} AS tokens, cost, priced FROM summary
  WHERE source = ? AND quarter >= ? AND quarter < ?
  UNION ALL
  SELECT model, requests, {ALL_TOKENS}, {LOST_COST}, {LOST_PRICED} FROM lost
  WHERE source = ? AND {MIDNIGHT} >= ? AND min({MIDNIGHT} + {DAY - MICROSECOND}, coalesce(until, {LATEST})) < ?)
GROUP BY model HAVING sum(requests) > 0
"""


def panel(session: Session, period: Period) -> Panel:
    """Requests, tokens and money of each provider, in whole days."""
    sources = log_sources(session)
    start, end = (at.timestamp() if at else given for at, given in ((period.since, 0.0), (period.until, LATEST)))

    def take(store: Store, _prices: ListPrices) -> list[Mapping[str, Cell]]:
        found: dict[str, list[Sequence[Any]]] = defaultdict(list)
        for source in sources:
            owner = by_model(session, source)
            given = source.name, start // QUARTER, end // QUARTER, source.name, start, end
            for model, *figures in store.database.execute(QUERY, given):
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
