"""The preview's section."""

from __future__ import annotations

from typing import Any

from tracker.api import Block, EventTotals, PreviewContext, Quantiles
from tracker_kit import shown
from tracker_kit.cases import together
from tracker_proxy import render_preview_block

PART = EventTotals(events=4, routed=4, errors=1, latency_ms=Quantiles(n=4, p50=257.5, p95=530.0, exact=False))
TOTALS = EventTotals(
    events=8,
    routed=4,
    errors=1,
    latency_ms=Quantiles(n=8, p50=320.0, p95=537.1),
    lanes={"": EventTotals(events=1), "glm": PART, "baseline": EventTotals(events=4)},
    models={"glm-4.6": PART},
)


def block(totals: EventTotals | None) -> Block | None:
    return render_preview_block(PreviewContext(windows=("W0-20",), events=totals))


def texts(totals: EventTotals) -> list[str]:
    found = block(totals)
    assert found is not None
    return shown(found)


def figures(totals: EventTotals) -> dict[str, Any]:
    found = block(totals)
    assert found is not None
    return dict(found.rows[0].values)


def test_the_text_is_the_specified_one() -> None:
    found = block(TOTALS)
    assert found is not None
    assert found.title == "Subagent Proxy"
    assert texts(TOTALS) == ["routed=50% (events=8), latency=320 ms p50 / 537 ms p95, errors=12.5%"]


def test_missing_latencies_are_said() -> None:
    assert texts(EventTotals(events=3, routed=1)) == [
        "routed=33.3% (events=3), latency=n/a p50 / n/a p95, errors=0%",
    ]


@together("totals", [None, EventTotals()])
def test_no_events_no_block(totals: EventTotals | None) -> None:
    assert block(totals) is None


def test_the_figures_say_what_they_rest_on() -> None:
    values = figures(TOTALS)
    assert values["p95_few_events"] is True
    assert values["exact"] is True
    many = figures(EventTotals(events=30, latency_ms=Quantiles(n=20, p50=1.0, p95=2.0, exact=False)))
    assert (many["p95_few_events"], many["exact"]) == (False, False)
    few = figures(EventTotals(events=30, latency_ms=Quantiles(n=19, p50=1.0, p95=2.0)))
    assert few["p95_few_events"] is True


def test_lanes_and_models_have_the_same_figures_the_busiest_first() -> None:
    values = figures(TOTALS)
    assert [part["lane"] for part in values["by_lane"]] == ["baseline", "glm", None]
    assert values["by_model"] == [
        {
            "model": "glm-4.6",
            "events": 4,
            "routed_pct": 100.0,
            "p50_ms": 257.5,
            "p95_ms": 530.0,
            "p95_few_events": True,
            "exact": False,
            "error_pct": 25.0,
        }
    ]
