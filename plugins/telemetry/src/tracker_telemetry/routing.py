"""What routing saved, as a panel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tracker.api import Cell, Chart, Column, Panel, Period
from tracker.kernel import Session, number
from tracker_telemetry import prices
from tracker_telemetry.costs import Costs, Side
from tracker_telemetry.totals import groups
from tracker_telemetry.window_facts import sources_of


def panels(session: Session, period: Period) -> Iterator[Panel]:
    """Routed requests against the others, for each stream with events in the windows."""
    rows: list[Mapping[str, Cell]] = []
    headlines = []
    for source in sources_of(session, period.windows):
        table = prices.table(session, source)
        baseline, routed = sides = Side(), Side()
        # sums that are kept, so that a live view needs no database
        for _, _, model, is_routed, *counts in groups(session, source, period.windows):
            sides[bool(is_routed)].add(model, counts)
        found = Costs(label=source.routed_label, sides=sides, prices=table)
        money = found.money(found.sides)
        saved = money["saved_usd"]
        cost = money["baseline_usd"], money[f"{found.label}_usd"]
        rows += [
            {"side": f"{source.title}: not routed", "tokens": baseline.tokens, "cost": cost[0], "saved": None},
            {"side": f"{source.title}: routed", "tokens": routed.tokens, "cost": cost[1], "saved": saved},
        ]
        if routed.tokens:
            share = 100 * routed.tokens / (baseline.tokens + routed.tokens)
            worth = "what that saved is not known"
            if saved is not None:
                worth = f"which saved {prices.dollars(saved)} at list prices"
            headlines.append(f"{source.title}: {number(share, 0)} % of the tokens went to a cheaper model, {worth}.")
    if rows:
        yield Panel(
            name="routing",
            title="Routed requests",
            place=50,
            headlines=headlines,
            about="Saved is what the routed requests would have cost at the baseline's price, less what they cost.",
            columns=(
                Column(key="side", title="Requests", rank=0),
                Column(key="tokens", title="Tokens", kind="count", rank=0),
                Column(key="cost", title="Cost, $", kind="money"),
                Column(key="saved", title="Saved, $", kind="money"),
            ),
            rows=rows,
            charts=(Chart(kind="bars", title="Tokens", x="side", y="tokens"),),
        )
