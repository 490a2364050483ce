"""The preview's section: how much was routed, how fast and how healthy, in all, by lane and by model."""

from __future__ import annotations

from collections.abc import Mapping

from tracker.api import JSON, Block, EventTotals, PreviewContext, Row, hookimpl

TITLE = "Subagent Proxy"
FEW_EVENTS = 20  # below, the highest value alone decides p95
TEXT = "routed={routed_pct:%} (events={events}), latency={p50_ms:.0 ms} p50 / {p95_ms:.0 ms} p95, errors={error_pct:%}"


@hookimpl
def render_preview_block(context: PreviewContext) -> Block | None:
    """One row of figures; None without stored events."""
    totals = context.events
    if totals is None or not totals.events:
        return None
    figures = _figures(totals) | {
        "by_lane": _by("lane", totals.lanes),
        "by_model": _by("model", totals.models),
    }
    return Block(title=TITLE, rows=(Row(values=figures, text=TEXT),))


def _figures(totals: EventTotals) -> dict[str, JSON]:
    latency = totals.latency_ms
    return {
        "events": totals.events,
        "routed_pct": _percent(totals.routed, totals.events),
        "p50_ms": latency.p50,
        "p95_ms": latency.p95,
        "p95_few_events": latency.n < FEW_EVENTS,
        "exact": latency.exact,
        "error_pct": _percent(totals.errors, totals.events),
    }


def _by(kind: str, parts: Mapping[str, EventTotals]) -> list[JSON]:
    """The busiest first."""
    ranked = sorted(parts.items(), key=lambda part: (-part[1].events, part[0]))
    return [{kind: name or None, **_figures(totals)} for name, totals in ranked]


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None
