"""What session logs add up to: by period, session, project, branch, model or window, the same totals in each."""

from __future__ import annotations

import json
import math
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import accumulate
from operator import itemgetter
from typing import Any, Literal, TypeAlias

from attrs import define, field, frozen

from tracker.api import Source
from tracker.kernel import Registry, Session, Windows, canonical, number, plural
from tracker_telemetry import genai
from tracker_telemetry.prices import user_file
from tracker_telemetry.sessions.client_totals import not_in_rows
from tracker_telemetry.sessions.moves import Moves, moves
from tracker_telemetry.sessions.scan import LATEST, TOKENS, UNPACKER
from tracker_telemetry.sessions.store import Store
from tracker_telemetry.sessions.tables import IS_KEPT, QUARTER, REQUESTS, STANDING, SUMS

By: TypeAlias = Literal["daily", "weekly", "monthly", "session", "project", "branch", "model", "window"]
# labels, time or day, requests, tokens, cost and how many requests have one
Counted: TypeAlias = tuple[dict[str, str], float | str | None, int, list[int], float | None, int]
PERIODS = ("daily", "weekly", "monthly")
OUTSIDE = "(no window)"
UNKNOWN = "unknown"  # in a plugin's scratch: how often it met what it does not know, by name
MICROSECONDS = 10**6


@define
class Sums:
    """Requests, tokens in the order of `TOKENS`, and the money of those that have a price; None if none has."""

    requests: int = 0
    tokens: list[int] = field(factory=lambda: [0] * len(TOKENS))
    cost: float | None = None

    def add(self, requests: int, tokens: Sequence[int], cost: float | None) -> None:
        self.requests += requests
        self.tokens = [a + b for a, b in zip(self.tokens, tokens, strict=True)]
        if cost is not None:
            self.cost = (self.cost or 0.0) + cost

    def document(self) -> dict[str, Any]:
        cost = None if self.cost is None else round(self.cost, 9)
        return {"requests": self.requests, **dict(zip(TOKENS, self.tokens, strict=True)), "cost_usd": cost}


@frozen(kw_only=True)
class Query:
    """What is asked for: `by` and further columns, from an instant on and before another, in some windows."""

    by: By
    columns: Sequence[str] = ()
    since: float = -math.inf
    until: float = math.inf
    last: int | None = None
    windows: frozenset[str] | None = None
    zone: tzinfo
    first_weekday: int = 0  # Monday

    @property
    def names(self) -> list[str]:
        """The columns of a row that say what it is of."""
        first = "period" if self.by in PERIODS else self.by
        return list(dict.fromkeys(["provider", first, *self.columns, "model"]))

    @property
    def needs_requests(self) -> bool:
        """Whether sums do not tell the answer."""
        is_within_sums = all(at % QUARTER == 0 for at in (self.since, self.until) if math.isfinite(at))
        return "window" in self.names or self.windows is not None or not is_within_sums

    @property
    def is_limited(self) -> bool:
        return math.isfinite(self.since) or math.isfinite(self.until)


@frozen(kw_only=True)
class Usage:
    """The rows, their totals, what is missing of them, and what the meters moved in the same periods."""

    names: Sequence[str]
    rows: Sequence[tuple[tuple[str, ...], Sums]]
    totals: Sums
    missing: Sequence[Mapping[str, Any]]
    meters: Sequence[Moves] = ()

    def document(self) -> dict[str, Any]:
        rows = [{**dict(zip(self.names, key, strict=True)), **sums.document()} for key, sums in self.rows]
        return {
            "schema_version": "1.1.0",
            "rows": rows,
            "totals": self.totals.document(),
            "missing": list(self.missing),
            "meters": [row for one in self.meters for row in one.documents()],
        }


def begin(at: datetime | None) -> float:
    """The seconds of `Query.since`, from an instant."""
    return -math.inf if at is None else at.timestamp()


def end(at: datetime | None) -> float:
    """Those of `Query.until`, from an instant that is still counted."""
    return math.inf if at is None else (round(at.timestamp() * MICROSECONDS) + 1) / MICROSECONDS


def usage(session: Session, store: Store, sources: Sequence[Source], query: Query, *, is_brief: bool = False) -> Usage:
    """The answer to a query; a brief one does not say what is missing, and what meters moved."""
    database = store.database
    found: dict[tuple[str, ...], Sums] = defaultdict(Sums)
    unpriced: dict[str, int] = defaultdict(int)
    windows = _Windows(session) if query.needs_requests else None
    shared: dict[str, int] = defaultdict(int)
    for source in sources:
        provider = provider_of(session, source)
        span = None if windows is None else windows.span(provider, query.windows)
        counted = _rows(database, source, query, span)
        for labels, at, day, requests, tokens, cost, priced in _dated(counted, query):
            values = {**labels, "provider": provider, "period": _period(day, query)}
            if windows is not None:
                values["window"] = window = windows.of(provider, at, (labels["branch"], labels["project"]))
                if query.windows is not None and query.windows.isdisjoint(window.split("+")):
                    continue
            sums = found[tuple(values[name] for name in query.names)]
            sums.add(requests, tokens, cost)
            if "+" in values.get("window", ""):
                shared[values["window"]] += requests
            if priced < requests:
                unpriced[labels["model"]] += requests - priced
    rows = _last(sorted(found.items()), query)
    totals = Sums()
    for _, sums in rows:
        totals.add(sums.requests, sums.tokens, sums.cost)
    if is_brief:
        return Usage(names=query.names, rows=rows, totals=totals, missing=())
    missing = [*_unpriced(unpriced), *_shared(shared), *_missing(database, sources)]
    return Usage(
        names=query.names, rows=rows, totals=totals, missing=missing, meters=_meters(session, sources, query, rows)
    )


def _meters(
    session: Session, sources: Sequence[Source], query: Query, rows: Sequence[tuple[tuple[str, ...], Sums]]
) -> list[Moves]:
    """What the meters moved in the periods that are shown."""
    if query.by not in PERIODS:
        return []
    shown = {key[1] for key, _ in rows}

    def period_of(at: datetime) -> str | None:
        period = _period(at.astimezone(query.zone).date(), query)
        return period if query.since <= at.timestamp() < query.until and period in shown else None

    names = sorted({provider_of(session, source) for source in sources})
    return [one for name in names for one in moves(session, name, period_of)]


def provider_of(session: Session, source: Source) -> str:
    """Whose requests the source holds: the provider that its name begins with, else its own name."""
    first = source.name.partition("-")[0]
    return first if first in session.registry.providers else source.name


def _rows(
    database: sqlite3.Connection, source: Source, query: Query, span: tuple[float, float] | None
) -> Iterator[Counted]:
    """What the files hold, and what deleted ones held.

    Where sums do not tell the answer, each request by itself, of windows those in the span, if there is one.
    """
    first, last = max(query.since, span[0] if span else 0.0), min(query.until, span[1] if span else LATEST)
    within = f" AND ts BETWEEN {first!r} AND {last!r}" if span or query.is_limited else ""
    is_asked = {*query.names, *(("project", "branch") if query.needs_requests else ())}
    names = [name for name in ("session", "project", "branch", "model") if name in is_asked]
    columns = ", ".join([*names, ""])
    places = ", ".join(str(at + 1) for at in range(len(names) + 1))
    of_request = "".join(f"coalesce({name}, ''), " for name in names)
    rows = (
        f"SELECT {of_request} ts, 1, {', '.join(TOKENS)}, cost, cost IS NOT NULL FROM {REQUESTS}"
        f" WHERE source = ? AND NOT {IS_KEPT} AND {STANDING}{within}"
        if query.needs_requests
        else f"SELECT {columns} CASE WHEN quarter >= 0 THEN quarter * {QUARTER} END, sum(requests), {SUMS}, sum(cost),"
        f" sum(priced) FROM summary WHERE source = ? GROUP BY {places}",
        f"SELECT {columns} day, sum(requests), {SUMS},"
        f" sum(cost), sum(CASE WHEN cost IS NOT NULL THEN requests ELSE 0 END)"
        f" FROM kept WHERE source = ? AND lost AND requests > 0 GROUP BY {places}",
    )
    for one in rows:
        for row in database.execute(one, (source.name,)):
            *labels, at, requests = row[: len(names) + 2]
            *tokens, cost, priced = row[len(names) + 2 :]
            yield dict(zip(names, labels, strict=True)), at, requests, tokens, cost, priced


# --- periods and windows


def _dated(rows: Iterable[Counted], query: Query) -> Iterator[tuple[Any, ...]]:
    """The rows that are asked for, with the time, if it is known, and the day."""
    days: dict[float, date | None] = {}
    for labels, at, *counts in rows:
        if isinstance(at, str):
            # of a deleted file only the day is known, which no zone moves and no window has
            day = date.fromisoformat(at) if at else None
            if not query.is_limited or (day and _is_within(day, query)):
                yield labels, None, day, *counts
        elif not query.is_limited or (at is not None and query.since <= at < query.until):
            quarter = -1 if at is None else at // QUARTER
            if quarter not in days:
                days[quarter] = None if at is None else datetime.fromtimestamp(at, query.zone).date()
            yield labels, at, days[quarter], *counts


def _is_within(day: date, query: Query) -> bool:
    """Whether all of a day is asked for."""
    first, last = (datetime.combine(one, time(), query.zone).timestamp() for one in (day, day + timedelta(days=1)))
    return query.since <= first and last <= query.until


def _period(day: date | None, query: Query) -> str:
    if day is None:
        return ""
    if query.by == "monthly":
        return f"{day:%Y-%m}"
    if query.by == "weekly":
        return str(day - timedelta(days=(day.weekday() - query.first_weekday) % 7))
    return str(day)


def _last(rows: list[tuple[tuple[str, ...], Sums]], query: Query) -> list[tuple[tuple[str, ...], Sums]]:
    """The rows of the last N periods, or the first N of the largest of anything else."""
    at = 1
    rows = sorted(rows, key=lambda row: (row[0][at], row[0]))
    if query.last is None:
        return rows
    if query.by in PERIODS:
        names = sorted({key[at] for key, _ in rows})[-query.last :]
    else:
        sizes: dict[str, int] = defaultdict(int)
        for key, sums in rows:
            sizes[key[at]] += sum(sums.tokens[:5])
        names = sorted(sizes, key=lambda name: -sizes[name])[: query.last]
    return [row for row in rows if row[0][at] in names]


@define
class _Windows:
    """Which window a provider's request belongs to, by its time.

    _ends: the latest end of each span and of all that begin before it.
    """

    session: Session
    _spans: dict[str, list[tuple[float, float, str, frozenset[str]]]] = field(init=False)
    _ends: dict[str, list[float]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._spans = defaultdict(list)
        groups = Windows(self.session).captures(self.session.index.windows())
        for (window, provider), group in groups.items():
            pair = canonical(group)
            if pair.before is not None:
                end = pair.after.captured_at.timestamp() if pair.after is not None else float("inf")
                lanes = frozenset(one.agent_id for one in group if one.agent_id)
                self._spans[provider].append((pair.before.captured_at.timestamp(), end, window, lanes))
        for spans in self._spans.values():
            spans.sort(key=lambda span: span[:3])
        self._ends = {name: list(accumulate((one[1] for one in own), max)) for name, own in self._spans.items()}

    def span(self, provider: str, windows: frozenset[str] | None) -> tuple[float, float] | None:
        """From the first begin to the last end of some windows; None for all."""
        if windows is None:
            return None
        found = [(first, last) for first, last, window, _ in self._spans.get(provider, []) if window in windows]
        latest = max((last for _, last in found), default=0.0)
        return min((first for first, _ in found), default=1.0), min(latest, LATEST)

    def of(self, provider: str, at: float | None, names: Sequence[str]) -> str:
        """The window; of several at once the one whose lane has one of the names, else all: the request is shared."""
        spans = self._spans.get(provider)
        if spans is None or at is None:
            return OUTSIDE
        found: list[tuple[str, frozenset[str]]] = []
        place = bisect_right(spans, at, key=itemgetter(0))
        while place and self._ends[provider][place - 1] >= at:
            place -= 1
            if spans[place][1] >= at:
                found.insert(0, spans[place][2:])
        own = [window for window, lanes in found if not lanes.isdisjoint(names)]
        return "+".join(own if len(own) == 1 else [window for window, _ in found]) or OUTSIDE


# --- what is missing


def sentences(missing: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What is missing in words."""
    counts = {one["detail"]: plural(one["count"], "request") for one in missing if one["kind"] == "unpriced"}
    if counts:
        models = ", ".join(f"{model} ({count})" for model, count in counts.items())
        yield f"no price is known for {models}; your own belong in {user_file()}"
    for one in missing:
        if one["kind"] != "unpriced":
            yield f"{number(one['count'])} {one['kind'].replace('_', ' ')}: {one['detail']}"


def _unpriced(models: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    for model, count in sorted(models.items()):
        yield {"kind": "unpriced", "count": count, "detail": model or "(no model)"}
    if models and not genai.is_installed():
        cure = Registry.installation("genai-prices")
        yield {"kind": "no_price_list", "count": 1, "detail": f"genai-prices has list prices: {cure}"}


def _shared(shared: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    cure = "give each lane the name of its branch or project to tell them apart"
    for windows, count in sorted(shared.items()):
        yield {"kind": "shared", "count": count, "detail": f"within {windows} at once; {cure}"}


def _missing(database: sqlite3.Connection, sources: Sequence[Source]) -> Iterator[dict[str, Any]]:
    for source in sources:
        own = (source.name,)
        # a file and its copy in an archive are one
        query = "SELECT bad FROM file WHERE source = ? AND bad > 0 GROUP BY bad, stop, iif(end = '', name, end)"
        bad = sum(count for (count,) in database.execute(query, own))
        if bad:
            yield {"kind": "unreadable", "count": bad, "detail": f"lines of {source.title}"}
        yield from _unknown(database, source)
        query = "SELECT error, count(*) FROM file WHERE source = ? AND error IS NOT NULL GROUP BY 1 ORDER BY 1"
        for error, count in database.execute(query, own):
            why = f"compressed files need {Registry.installation(UNPACKER)}" if error == UNPACKER else error
            yield {"kind": "unread_files", "count": count, "detail": f"{source.title}: {why}"}
        query = "SELECT count(DISTINCT session), min(day) FROM kept WHERE source = ? AND lost AND requests > 0"
        [(sessions, first)] = database.execute(query, own)
        if sessions:
            yield {"kind": "deleted", "count": sessions, "detail": f"sessions of {source.title}, the first of {first}"}
        yield from not_in_rows(database, source)


def _unknown(database: sqlite3.Connection, source: Source) -> Iterator[dict[str, Any]]:
    """What the plugin noted in the state of its files, for it may be requests or tokens."""
    counts: dict[str, int] = defaultdict(int)
    query = f"SELECT state FROM file WHERE source = ? AND instr(state, '\"{UNKNOWN}\"') GROUP BY stop, state"
    for (state,) in database.execute(query, (source.name,)):
        found = json.loads(state).get(UNKNOWN)
        for name, count in found.items() if isinstance(found, dict) else ():
            counts[name] += count
    for name, count in sorted(counts.items()):
        yield {"kind": "unknown", "count": count, "detail": f"{source.title}: {name}"}
