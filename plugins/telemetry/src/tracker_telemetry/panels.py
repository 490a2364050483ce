"""Tokens and money as panels: over time, by model and by project; and what routing saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time, tzinfo
from typing import Any

from tracker.api import Cell, Chart, Column, Panel, Period
from tracker.kernel import Session, number, plural, zone
from tracker_telemetry import prices
from tracker_telemetry.costs import Costs, Side
from tracker_telemetry.sessions import store, usage
from tracker_telemetry.sessions.current import current
from tracker_telemetry.sessions.list_prices import ListPrices
from tracker_telemetry.totals import groups
from tracker_telemetry.window_facts import sources_of

MOST_DAYS, MOST_WEEKS = 45, 400  # days of a period that is shown by day, or by week
NAMES = ("usage", "usage-model", "usage-project")
PROVIDER = Column(key="provider", title="Provider", rank=2)
FIGURES = (
    Column(key="cost_usd", title="Cost, $", kind="money", rank=0),
    Column(key="requests", title="Requests", kind="count"),
    Column(key="tokens", title="Tokens", kind="count"),
    Column(key="input_tokens", title="Input", kind="count", rank=4),
    Column(key="output_tokens", title="Output", kind="count", rank=3),
    Column(key="cache_read_tokens", title="Cache read", kind="count", rank=5),
)


def panels(session: Session, period: Period) -> Iterator[Panel]:
    """Usage from session logs, and routing from streams, if there is any."""
    if period.wants(*NAMES):
        yield from _usage(session, period)
    if period.wants("routing"):
        yield from _routing(session, period)


def _usage(session: Session, period: Period) -> Iterator[Panel]:
    sources, local = store.log_sources(session), zone(session.config.timezone)
    if not sources:
        return
    since, until = usage.begin(period.since), usage.end(period.until)

    def take(logs: store.Store, _prices: ListPrices) -> list[Panel]:
        def ask(by: usage.By) -> usage.Usage:
            return usage.usage(session, logs, sources, usage.Query(by=by, since=since, until=until, zone=local))

        return list(_of_logs(ask, local, period))

    yield from current(session, sources, take)


def _of_logs(ask: Callable[[usage.By], usage.Usage], local: tzinfo, period: Period) -> Iterator[Panel]:
    daily = ask("daily")
    if not daily.rows:
        return
    if period.wants("usage"):
        yield _over_time(ask, local, daily)
    ways: tuple[tuple[usage.By, str], ...] = (("model", "Model"), ("project", "Project"))
    for by, title in ways:
        if period.wants(f"usage-{by}"):
            rows = _summed(ask(by), ("provider", by))
            rows.sort(key=lambda row: -(row["cost_usd"] or 0) or -row["tokens"])
            yield Panel(
                name=f"usage-{by}",
                title=f"Usage by {by}",
                place=45 if by == "model" else 46,
                about=f"Tokens and money of each {by}, the most expensive first.",
                columns=(Column(key=by, title=title, rank=0), PROVIDER, *FIGURES),
                rows=rows,
                charts=(Chart(kind="bars", title=f"Cost by {by}, $", x=by, y="cost_usd"),) if _priced(rows) else (),
            )


def _over_time(ask: Callable[[usage.By], usage.Usage], local: tzinfo, daily: usage.Usage) -> Panel:
    days = [key[1] for key, _ in daily.rows if key[1]]
    length = (date.fromisoformat(max(days)) - date.fromisoformat(min(days))).days if days else 0
    by: usage.By = "daily" if length <= MOST_DAYS else "weekly" if length <= MOST_WEEKS else "monthly"
    rows = _summed(daily if by == "daily" else ask(by), ("period", "provider"))
    rows = [{**row, "at": at} for row in rows if (at := _instant(row["period"], local)) is not None]
    rows.sort(key=lambda row: row["at"], reverse=True)
    y, title = ("cost_usd", "Cost, $") if _priced(rows) else ("tokens", "Tokens")
    missing = [f"{text[:1].upper()}{text[1:]}." for text in usage.sentences(daily.missing)]
    total = daily.totals
    bare = sum(one["count"] for one in daily.missing if one["kind"] == "unpriced")
    least, rest = ("at least ", f"; {plural(bare, 'request')} without a known price") if bare else ("", "")
    money = rest if total.cost is None else f" for {least}{prices.dollars(total.cost)} at list prices{rest}"
    return Panel(
        name="usage",
        title="Tokens and money",
        place=40,
        headlines=[f"{total.requests:,} requests used {sum(total.tokens[:5]):,} tokens{money}."],
        about=f"From the agents' session logs, {by}. Tokens are input, output and what was cached.",
        columns=(
            Column(key="period", title="From", rank=0),
            Column(key="provider", title="Provider", rank=0),
            *FIGURES,
        ),
        rows=rows,
        charts=(Chart(kind="columns", title=f"{title}, {by}", x="at", y=y, by="provider"),),
        missing=missing,
    )


def _instant(period: str, local: tzinfo) -> datetime | None:
    """When a day, week or month begins."""
    with suppress(ValueError):
        day = date.fromisoformat(period if len(period) > 7 else f"{period}-01")
        return datetime.combine(day, time(), local)
    return None


def _summed(found: usage.Usage, names: Sequence[str]) -> list[dict[str, Any]]:
    """The rows by some of their names."""
    places = [list(found.names).index(name) for name in names]
    sums: dict[tuple[str, ...], usage.Sums] = {}
    for key, one in found.rows:
        sums.setdefault(tuple(key[place] for place in places), usage.Sums()).add(one.requests, one.tokens, one.cost)
    return [
        {
            **{name: text or "(none)" for name, text in zip(names, key, strict=True)},
            **one.document(),
            "tokens": sum(one.tokens[:5]),
        }
        for key, one in sums.items()
    ]


def _priced(rows: Sequence[Mapping[str, Any]]) -> bool:
    return any(row["cost_usd"] for row in rows)


def _routing(session: Session, period: Period) -> Iterator[Panel]:
    """Routed requests against the others, for each stream with events in the windows."""
    rows: list[Mapping[str, Cell]] = []
    headlines = []
    for source in sources_of(session, period.windows):
        table = prices.table(session, source)
        baseline, routed = sides = Side(), Side()
        # sums that are kept, so that a live view needs no database
        for _, _, model, is_routed, *counts in groups(session, source, period.windows):
            sides[bool(is_routed)].add(model, counts)
        found = Costs(label=source.routed_label, by="model", sides=sides, prices=table)
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


def table(found: usage.Usage) -> tuple[list[Column], list[dict[str, Cell]]]:
    """The rows of `tracker usage` with their total, for a terminal."""
    names = [Column(key=name, title=name.capitalize(), rank=0) for name in found.names]
    keys = [*(dict(zip(found.names, key, strict=True)) for key, _ in found.rows), {found.names[0]: "total"}]
    sums = [*(one for _, one in found.rows), found.totals]
    rows: list[dict[str, Cell]] = [
        {**dict.fromkeys(found.names, ""), **key, **one.document(), "tokens": sum(one.tokens[:5])}
        for key, one in zip(keys, sums, strict=True)
    ]
    return [*names, *FIGURES], rows
