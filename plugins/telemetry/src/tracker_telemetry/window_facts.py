"""What other features show of a window's streams: tokens and money, gaps, the largest cost rows, what routing saved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracker.api import Block, Cell, Chart, Check, Column, Panel, Period, Row, Source
from tracker.kernel import Session, Windows, number, plural
from tracker_telemetry import totals
from tracker_telemetry.costs import Costs, Side, figures, ranked
from tracker_telemetry.index import ask
from tracker_telemetry.sessions import window_facts as logs
from tracker_telemetry.sessions.list_prices import ListPrices
from tracker_telemetry.sessions.money import dollars
from tracker_telemetry.totals import groups

TOP = 3  # rows of the handoff


def facts(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """Tokens, cached ones among them, and money by window and provider: of each provider its own requests alone."""
    found: dict[tuple[str, str], list[logs.Part]] = defaultdict(list)
    for source in sources_of(session, windows):
        table = ListPrices.of_view(session, source)
        sides: dict[tuple[str, str], Side] = defaultdict(Side)
        for window, lane, is_routed, model, *counts in groups(session, source, windows, table):
            if (provider := provider_of(session, source, lane, model, is_routed=is_routed)) is not None:
                sides[window, provider].add(model, *counts)
        for key, side in sides.items():
            used, outputs = side.used.values(), [counts[-1] for counts in side.used.values()]
            found[key].append(logs.Part(sum(map(sum, used)), side.money(table), sum(outputs), side.uncounted))
    return logs.with_streams(session, found, windows, lambda window: bool(checks(session, window)))


def provider_of(session: Session, source: Source, lane: str, model: str, *, is_routed: bool) -> str | None:
    """Whose quota a request was made on; None if it is not known."""
    names = session.registry.providers
    if is_routed:
        return source.routed_label if source.routed_label in names else None
    own, words = lane.lower(), f"-{model.lower().replace('/', '-')}-"
    return next((one for one in names if one != source.routed_label and (one == own or f"-{one}-" in words)), None)


def checks(session: Session, window: str) -> list[Check]:
    """The events that came while a window was not measured: worth a line, but no reason against the window."""
    measured = Windows(session).spans([window])
    found = []
    for source in sources_of(session, [window]) if measured else ():
        if count := totals.facts(session, source, [window], measured).outside.get(window):
            text = f"{plural(count, 'event')} of {source.title} came before its first BEFORE or after its last AFTER"
            found.append(Check(name="finalized", state="ok", text=text))
    return found


def section(session: Session, windows: Sequence[str]) -> Block | None:
    """What the windows used according to session logs, and the largest rows of the cost comparison."""
    used = logs.rows(session, windows, facts(session, windows))
    rows = list(used)
    for source in sources_of(session, windows):
        columns = ("rid", "baseline_tokens", f"{source.routed_label}_tokens", "delta")
        largest = ask(session, source, windows, lambda events: list(ranked(events, "rid", TOP)))
        rows += [Row(values={}, text=",".join(columns))] if largest else []
        for row in largest:
            values = dict(zip(columns, (row[0] or None, *figures(row)), strict=True))
            rows.append(Row(values=values, text=",".join(f"{{{name}}}" for name in columns)))
    return Block(title="Tokens and money by window" if used else "Cost comparison", rows=tuple(rows)) if rows else None


def sources_of(session: Session, windows: Sequence[str]) -> list[Source]:
    """The telemetry sources that have records of some windows."""
    known: Mapping[str, Source] = session.registry.sources
    return [one for one in known.values() if one.kind == "telemetry" and session.index.spans(one.stream, windows)]


def panels(session: Session, period: Period) -> Iterator[Panel]:
    """Routed requests against the others, for each stream with events in the windows."""
    rows: list[Mapping[str, Cell]] = []
    headlines = []
    for source in sources_of(session, period.windows):
        table = ListPrices.of_view(session, source)
        baseline, routed = sides = Side(), Side()
        # sums that are kept, so that a live view needs no database
        for _, _, is_routed, *counts in groups(session, source, period.windows, table):
            sides[bool(is_routed)].add(*counts)
        found = Costs(label=source.routed_label, sides=sides, prices=table)
        baseline_usd, routed_usd, saved = found.money(sides).values()
        usual, cheap = (None if side.uncounted else side.tokens for side in sides)
        rows += [
            {"side": f"{source.title}: not routed", "tokens": usual, "cost": baseline_usd, "saved": None},
            {"side": f"{source.title}: routed", "tokens": cheap, "cost": routed_usd, "saved": saved},
        ]
        if usual is None or cheap is None:
            why = f"{plural(baseline.uncounted + routed.uncounted, 'request')} succeeded without a count of tokens"
            headlines.append(f"{source.title}: what went to a cheaper model is not known, since {why}.")
        elif routed.tokens:
            share = 100 * routed.tokens / (baseline.tokens + routed.tokens)
            worth = "what that saved is not known" if saved is None else f"which saved {dollars(saved)} at list prices"
            headlines.append(f"{source.title}: {number(share, 0)}% of the tokens went to a cheaper model, {worth}.")
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
