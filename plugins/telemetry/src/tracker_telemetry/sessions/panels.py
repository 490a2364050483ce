"""Tokens and money of session logs as panels: over time, by model and by project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time, tzinfo
from typing import Any

from attrs import evolve

from tracker.api import Cell, Chart, Column, Panel, Period
from tracker.kernel import Session, plural
from tracker_telemetry.sessions import store, usage
from tracker_telemetry.sessions.current import current
from tracker_telemetry.sessions.gaps import sentences
from tracker_telemetry.sessions.list_prices import ListPrices
from tracker_telemetry.sessions.money import dollars, floored
from tracker_telemetry.sessions.owners import sources_of

MOST_DAYS, MOST_WEEKS = 45, 400  # days of a period that is shown by day, or by week
NAMES = ("usage", "usage-model", "usage-project")
PROVIDER = Column(key="provider", title="Provider", rank=3)
FIGURES = (
    Column(key="cost_usd", title="Cost, $", kind="money", rank=0),
    Column(key="requests", title="Requests", kind="count", rank=2),
    Column(key="tokens", title="Tokens", kind="count", rank=0),
    Column(key="input_tokens", title="Input", kind="count", rank=4),
    Column(key="output_tokens", title="Output", kind="count", rank=3),
    Column(key="cache_read_tokens", title="Cache read", kind="count", rank=5),
)
UNPRICED = Column(key="unpriced_requests", title="Without price", kind="count", rank=0)
LEAST = " If a row has requests without a price, its cost is a minimum."


def panels(session: Session, period: Period) -> Iterator[Panel]:
    """Usage over time, by model and by project, as far as they are wanted."""
    if not period.wants(*NAMES):
        return
    sources, local = sources_of(session, store.log_sources(session), period.provider), session.zone
    if not sources:
        return
    query = usage.Query(
        by="daily",
        provider=period.provider,
        since=usage.begin(period.since),
        until=usage.end(period.until),
        windows=frozenset(period.windows) if period.in_windows else None,
        zone=local,
    )

    def take(logs: store.Store, _prices: ListPrices) -> list[Panel]:
        def ask(by: usage.By) -> usage.Usage:
            return usage.usage(session, logs, sources, evolve(query, by=by))

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
            # known amounts come before unknown ones
            rows.sort(key=lambda row: (row["cost_usd"] is None, -(row["cost_usd"] or 0), -row["tokens"]))
            counts = Counter(row[by] for row in rows)
            # a name with several providers has a bar for each
            rows = [{**row, "name": row[by] + f" ({row['provider']})" * (counts[row[by]] > 1)} for row in rows]
            yield Panel(
                name=f"usage-{by}",
                title=f"Usage by {by}",
                place=45 if by == "model" else 46,
                about=f"Tokens and money of each {by}, the most expensive first.{_least(rows)}",
                columns=(Column(key=by, title=title, rank=0), PROVIDER, *_figures(rows)),
                rows=rows,
                charts=(Chart(kind="bars", title=f"Cost by {by}, $", x="name", y="cost_usd"),) if _priced(rows) else (),
            )


def _over_time(ask: Callable[[usage.By], usage.Usage], local: tzinfo, daily: usage.Usage) -> Panel:
    days = [key[1] for key, _ in daily.rows if key[1]]
    length = (date.fromisoformat(max(days)) - date.fromisoformat(min(days))).days if days else 0
    by: usage.By = "daily" if length <= MOST_DAYS else "weekly" if length <= MOST_WEEKS else "monthly"
    rows = _summed(daily if by == "daily" else ask(by), ("period", "provider"))
    rows = [{**row, "at": at} for row in rows if (at := _instant(row["period"], local)) is not None]
    rows.sort(key=lambda row: row["at"], reverse=True)
    y, title = ("cost_usd", "Cost, $") if _priced(rows) else ("tokens", "Tokens")
    missing = [f"{text[:1].upper()}{text[1:]}." for text in sentences(daily.missing, are_private=False)]
    total = daily.totals
    bare = total.unpriced
    least, rest = ("at least ", f"; {plural(bare, 'request')} without a known price") if bare else ("", "")
    whole = f"{'At least ' if daily.is_partial else ''}{total.requests:,} request{'s' * (total.requests != 1)}"
    money = rest if total.cost is None else f" for {least}{dollars(total.cost, is_least=bare > 0)} at list prices{rest}"
    return Panel(
        name="usage",
        title="Tokens and money",
        place=40,
        headlines=[f"{whole} used {total.whole:,} tokens{money}."],
        about=f"From the agents' session logs, {by}. Tokens are input, output and cached tokens.{_least(rows)}",
        columns=(
            Column(key="period", title="From", rank=0),
            Column(key="provider", title="Provider", rank=0),
            *_figures(rows),
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
        sums.setdefault(tuple(key[place] for place in places), usage.Sums()).extend(one)
    return [
        {
            **{name: text or "(none)" for name, text in zip(names, key, strict=True)},
            **one.document(),
            "tokens": one.whole,
            "cost_usd": floored(one.cost) if one.unpriced and one.cost else one.cost,
        }
        for key, one in sums.items()
    ]


def _figures(rows: Sequence[Mapping[str, Any]]) -> Sequence[Column]:
    """The columns; how many requests the money leaves out only if there are any."""
    return (*FIGURES, UNPRICED) if _least(rows) else FIGURES


def _least(rows: Sequence[Mapping[str, Any]]) -> str:
    """Charts draw the money as a number, which can have no mark: `UNPRICED` shows in which rows it is a minimum."""
    return LEAST if any(row["unpriced_requests"] for row in rows) else ""


def _priced(rows: Sequence[Mapping[str, Any]]) -> bool:
    return any(row["cost_usd"] for row in rows)


def table(found: usage.Usage) -> tuple[list[Column], list[dict[str, Cell]]]:
    """The rows of `tracker usage` with their total, for a terminal. A narrow one loses the provider: models name it."""
    named = [Column(key=name, title=name.capitalize(), rank=0) for name in found.names if name != PROVIDER.key]
    rows: list[dict[str, Cell]] = [
        {**dict(zip(found.names, key, strict=True)), **one.document(), "tokens": one.whole, **_marked(one)}
        for key, one in found.lines
    ]
    # the first column that is shown holds the name of the total
    rows[-1] |= {PROVIDER.key: "", named[0].key: rows[-1][PROVIDER.key]}
    # the money has a mark, so that a narrow terminal needs no count beside it
    figures = [evolve(one, rank=6) if one is UNPRICED else one for one in _figures(rows)]
    return [named[0], PROVIDER, *named[1:], *figures], rows


def _marked(sums: usage.Sums) -> Mapping[str, Cell]:
    """Money that leaves requests out, as the least that it was."""
    return {"cost_usd": f"≥{dollars(sums.cost, is_least=True)}"} if sums.unpriced and sums.cost is not None else {}
