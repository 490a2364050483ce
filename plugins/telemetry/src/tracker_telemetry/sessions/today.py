"""What the agents used since an instant, for the home screen, which has no time to lose."""

from __future__ import annotations

from collections.abc import Mapping

from tracker.api import Cell, Column, Panel, Period
from tracker.kernel import Session
from tracker_telemetry.sessions.current import current
from tracker_telemetry.sessions.list_prices import ListPrices
from tracker_telemetry.sessions.store import Store, log_sources
from tracker_telemetry.sessions.tables import QUARTER
from tracker_telemetry.sessions.usage import provider_of

QUERY = """
SELECT sum(requests), sum(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens
  + output_tokens), sum(cost) FROM summary WHERE source = ? AND quarter >= ?
"""


def panel(session: Session, period: Period) -> Panel:
    """Requests, tokens and money of each provider."""
    sources = log_sources(session)
    start = period.since.timestamp() // QUARTER if period.since else 0

    def take(store: Store, _prices: ListPrices) -> list[Mapping[str, Cell]]:
        rows: list[Mapping[str, Cell]] = []
        for source in sources:
            [(requests, tokens, cost)] = store.database.execute(QUERY, (source.name, start))
            if requests:
                name = provider_of(session, source)
                rows.append({"provider": name, "requests": requests, "tokens": tokens, "cost_usd": cost})
        return rows

    return Panel(
        name="today",
        title="Today",
        columns=(
            Column(key="provider", title="Provider", rank=0),
            Column(key="requests", title="Requests", kind="count"),
            Column(key="tokens", title="Tokens", kind="count", rank=0),
            Column(key="cost_usd", title="Cost, $", kind="money", rank=0),
        ),
        rows=current(session, sources, take) if sources else (),
    )
