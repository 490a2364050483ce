"""What session logs add up to: by period, session, project, branch, model or window, the same totals in each."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from itertools import groupby
from typing import Any, Literal, TypeAlias

from attrs import define, evolve, field, frozen

from tracker.api import Source
from tracker.kernel import Session
from tracker_telemetry.sessions import gaps, money
from tracker_telemetry.sessions.columns import LATEST
from tracker_telemetry.sessions.days import QUARTER, Day, date_of
from tracker_telemetry.sessions.elsewhere import read_elsewhere
from tracker_telemetry.sessions.moves import Moves, moves
from tracker_telemetry.sessions.names import hashed
from tracker_telemetry.sessions.owners import by_model, owners, provider_of
from tracker_telemetry.sessions.scan import TOKENS
from tracker_telemetry.sessions.spans import BETWEEN, UNKNOWN, Spans, as_lanes
from tracker_telemetry.sessions.store import Store
from tracker_telemetry.sessions.tables import EVERY_REQUEST, LOST_COST, LOST_PRICED, STANDING, SUMS

By: TypeAlias = Literal["daily", "weekly", "monthly", "session", "project", "branch", "model", "window"]
# labels, time or day, requests, tokens, cost and how many requests have one
Count: TypeAlias = tuple[dict[str, str], float | Day | None, int, list[int], float | None, int]
Key: TypeAlias = tuple[str, ...]
Rows: TypeAlias = "Sequence[tuple[Key, Sums]]"
PERIODS = ("daily", "weekly", "monthly")
MICROSECONDS = 10**6
NAMES = " UNION ".join(
    f"SELECT {name} FROM {table} WHERE {name} <> ''" for name in ("branch", "project") for table in ("place", "kept")
)


@define
class Sums:
    """Requests, tokens in the order of `TOKENS`, and what those cost that have a price."""

    requests: int = 0
    tokens: list[int] = field(factory=lambda: [0] * len(TOKENS))
    costs: list[float] = field(factory=list)
    priced: int = 0

    def add(self, requests: int, tokens: Sequence[int], cost: float | None, priced: int) -> None:
        self.requests += requests
        self.tokens = [a + b for a, b in zip(self.tokens, tokens, strict=True)]
        self.priced += priced
        if cost is not None:
            self.costs.append(cost)

    def extend(self, more: Sums) -> None:
        self.add(more.requests, more.tokens, None, more.priced)
        self.costs += more.costs

    @property
    def cost(self) -> float | None:
        """The money; None if no request has a price."""
        return money.total(self.costs)

    @property
    def whole(self) -> int:
        """All tokens: input, output and what was cached."""
        return sum(self.tokens[:5])

    @property
    def unpriced(self) -> int:
        """The requests that the money leaves out."""
        return self.requests - self.priced

    def document(self) -> dict[str, Any]:
        tokens = dict(zip(TOKENS, self.tokens, strict=True))
        return {"requests": self.requests, **tokens, "cost_usd": self.cost, "unpriced_requests": self.unpriced}


@frozen(kw_only=True)
class Query:
    """What is asked for: `by` and further columns, of a provider, in some windows, from an instant on, before another.

    The column `account` is there if windows are asked for: sums do not have it.
    """

    by: By
    columns: Sequence[str] = ()
    provider: str | None = None
    since: float = -math.inf
    until: float = math.inf
    last: int | None = None
    windows: frozenset[str] | None = None
    zone: tzinfo
    first_weekday: int = 0  # Monday

    @property
    def names(self) -> list[str]:
        """The columns that name a row."""
        first = "period" if self.by in PERIODS else self.by
        return list(dict.fromkeys(["provider", first, *self.columns, "model"]))

    @property
    def needs_requests(self) -> bool:
        """Whether sums are not enough for the answer."""
        is_within_sums = all(at % QUARTER == 0 for at in (self.since, self.until) if math.isfinite(at))
        return "window" in self.names or self.windows is not None or not is_within_sums

    @property
    def is_limited(self) -> bool:
        return math.isfinite(self.since) or math.isfinite(self.until)


@frozen(kw_only=True)
class Usage:
    """The rows, their totals, what is missing of them, and what the meters moved in the same periods."""

    names: Sequence[str]
    rows: Rows
    totals: Sums
    missing: Sequence[Mapping[str, Any]]
    meters: Sequence[Moves] = ()

    @property
    def is_partial(self) -> bool:
        """Whether files that could not be read hold more."""
        return any(one["kind"] == "unread_files" for one in self.missing)

    @property
    def lines(self) -> Rows:
        """The rows as tables show them: each period of several rows with its sum, and the total of all."""
        found: list[tuple[Key, Sums]] = []
        periods = [list(some) for _, some in groupby(self.rows, lambda row: row[0][1])]
        is_split = self.names[1] == "period" and len(periods) > 1
        for some in periods:
            found += some
            if is_split and len(some) > 1:
                key = tuple("all" if name != "period" else some[0][0][1] for name in self.names)
                found.append((key, _total(some)))
        name = "total, at least" if self.is_partial else "total"
        return [*found, ((name, *[""] * (len(self.names) - 1)), self.totals)]

    def document(self) -> dict[str, Any]:
        rows = [{**dict(zip(self.names, key, strict=True)), **sums.document()} for key, sums in self.rows]
        return {
            "schema_version": "1.2.0",
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
    """The answer to a query; a brief one leaves out what is missing and what meters moved."""
    database, columns = store.database, query.names
    found: dict[Key, Sums] = defaultdict(Sums)
    windows = _windows(session, database, sources) if query.needs_requests else None
    known = as_lanes(name for (name,) in database.execute(NAMES)) if windows is not None else set()
    # by the key of a row, because only rows that are shown are reported
    shared: dict[Key, Counter[str]] = defaultdict(Counter)
    gone: dict[Key, set[gaps.Gone]] = defaultdict(set)
    accounts: dict[Key, set[tuple[str, str]]] = defaultdict(set)
    left: list[gaps.Rest] = []
    for source in sources:
        for labels, at, requests, tokens, cost, priced in _owned(session, store, source, query, windows):
            window = _window(labels, at, query, windows, known)
            if window is None:
                left += [] if is_brief else _left(labels, at, requests, query, windows)
                continue
            values = {**labels, "period": _period(_day(at, query), query), "window": window}
            key = tuple([values[name] for name in columns])
            found[key].add(requests, tokens, cost, priced)
            if BETWEEN in window:
                shared[key][window] += requests
            elif account := labels.get("account"):
                accounts[key].add((window, account))
            if isinstance(at, Day):
                gone[key].add((source.title, labels["session"], at.name, _may_differ(at, query)))
    rows = _last(found, query, windows)
    if is_brief:
        return Usage(names=query.names, rows=rows, totals=_total(rows), missing=())
    left += _unplaced(found, rows, query)
    lacking = [
        *gaps.unpriced(database, ((key[columns.index("model")], sums.unpriced) for key, sums in rows)),
        *gaps.shared((shared[key] for key, _ in rows if key in shared), is_hashed=store.is_hashed),
        *gaps.accounts((key[0], *one) for key, _ in rows for one in accounts.get(key, ())),
        *gaps.deleted(gone[key] for key, _ in rows if key in gone),
        *gaps.untimed(left, (sums.requests for key, sums in rows if query.by in PERIODS and not key[1])),
        *gaps.of_files(session, database, sources, query.provider, _span(query, rows)),
    ]
    moved = _meters(session, sources, query, rows)
    return Usage(names=query.names, rows=rows, totals=_total(rows), missing=lacking, meters=moved)


def _windows(session: Session, database: sqlite3.Connection, sources: Sequence[Source]) -> Spans:
    """When windows were measured, and which are known to be another machine's."""
    return Spans.of_session(session).told(read_elsewhere(session, database, sources))


def _total(rows: Rows) -> Sums:
    whole = Sums()
    for _, sums in rows:
        whole.extend(sums)
    return whole


def _meters(session: Session, sources: Sequence[Source], query: Query, rows: Rows) -> list[Moves]:
    """What the meters moved in the time that is shown; not for selected windows, whose own moves are less.

    Also in periods without requests, when others used the account, except those in which the meter did not move.
    """
    if query.by not in PERIODS or query.windows is not None:
        return []
    since, until = _span(query, rows)

    def period_of(at: datetime) -> str | None:
        is_shown = since <= at.timestamp() < until
        return _period(at.astimezone(query.zone).date(), query) if is_shown else None

    names = {key[0] for key, _ in rows} | {provider_of(session, source) for source in sources}
    wanted = sorted(name for name in names if query.provider in (None, name))
    found, active = [], {key[:2] for key, _ in rows}
    for one in (each for name in wanted for each in moves(session, name, period_of)):
        known = one.periods.items()
        if said := {period: moved for period, moved in known if moved or (one.provider, period) in active}:
            found.append(evolve(one, periods=said))
    return found


def _owned(session: Session, store: Store, source: Source, query: Query, windows: Spans | None) -> Iterator[Count]:
    """A log's rows of the wanted provider, each with its provider."""
    owner = by_model(session, source)
    shown = hashed(store.database) if store.is_hashed else None
    span = None if windows is None else windows.span(owners(session, [source]), query.windows)
    for labels, at, requests, tokens, cost, priced in _rows(store.database, source, query, span):
        labels["provider"] = owner(labels["model"])
        if shown is not None and "project" in labels:
            labels["project"] = shown(labels["project"])
        if query.provider in (None, labels["provider"]):
            yield labels, at, requests, tokens, cost, priced


def _rows(
    database: sqlite3.Connection, source: Source, query: Query, span: tuple[float, float] | None
) -> Iterator[Count]:
    """What the files hold, and what deleted ones held.

    If sums are not enough, each request by itself: for windows those in the span, if there is one, and those without a
    time.
    """
    first, last = max(query.since, span[0] if span else 0.0), min(query.until, span[1] if span else LATEST)
    within = f" AND (ts IS NULL OR ts BETWEEN {first!r} AND {last!r})" if span or query.is_limited else ""
    is_asked = {*query.names, *(("project", "branch") if query.needs_requests else ())}
    is_asked |= {"account"} if "window" in query.names or query.windows is not None else set()
    names = [name for name in ("session", "project", "branch", "account", "model") if name in is_asked]
    of_days = list(dict.fromkeys([*names, "session"]))  # which sessions count by their totals in the journal
    of_request = ", ".join(f"coalesce({name}, '')" for name in names)
    files = (
        f"SELECT {of_request}, ts, NULL, NULL, 1, {', '.join(TOKENS)}, cost, cost IS NOT NULL"
        f" FROM {EVERY_REQUEST} WHERE source = ? AND {STANDING}{within}"
        if query.needs_requests
        else f"SELECT {', '.join(names)}, CASE WHEN quarter >= 0 THEN quarter * {QUARTER} END, NULL, NULL,"
        f" sum(requests), {SUMS}, sum(cost), sum(priced) FROM summary WHERE source = ? GROUP BY {_places(names)}"
    )
    deleted = (
        f"SELECT {', '.join(of_days)}, day, since, until, sum(requests), {SUMS}, sum({LOST_COST}), sum({LOST_PRICED})"
        f" FROM lost WHERE source = ? GROUP BY {_places(of_days)}, since, until"
    )
    for labels, statement in ((names, files), (of_days, deleted)):
        for row in database.execute(statement, (source.name,)):
            at, since, until, requests, *tokens, cost, priced = row[len(labels) :]
            at = Day.of(at, since, until) if isinstance(at, str) else at
            yield dict(zip(labels, row, strict=False)), at, requests, tokens, cost, priced


def _places(columns: Sequence[str]) -> str:
    """The columns and the time after them, for SQL."""
    return ", ".join(str(at + 1) for at in range(len(columns) + 1))


# --- periods and windows


def _is_within(at: float | Day | None, query: Query) -> bool:
    if isinstance(at, Day):
        return at.is_within(query.since, query.until)
    return at is not None and query.since <= at < query.until


def _window(
    labels: Mapping[str, str], at: float | Day | None, query: Query, windows: Spans | None, known: Collection[str]
) -> str | None:
    """The window of wanted rows, empty if they are in none; None for other rows."""
    if query.is_limited and not _is_within(at, query):
        return None
    if windows is None:
        return ""
    window = windows.of(labels["provider"], at, (labels["branch"], labels["project"]), known)
    return window if query.windows is None or not query.windows.isdisjoint(window.split(BETWEEN)) else None


def _day(at: float | Day | None, query: Query) -> date | None:
    if isinstance(at, Day):
        return next(iter(at.dates(query.zone)), None)
    return None if at is None else date_of(at, query.zone)


def _may_differ(day: Day, query: Query) -> bool:
    """Whether requests of a UTC day may belong to another period than the one of its name."""
    dates = day.dates(query.zone) if query.by in PERIODS else ()
    return len(dates) > 1 and _period(dates[0], query) != _period(dates[1], query)


def _left(
    labels: Mapping[str, str], at: float | Day | None, requests: int, query: Query, windows: Spans | None
) -> list[gaps.Rest]:
    """Requests left out because only their day is known, or not even that, while a part of it is asked for."""
    day = Day.of("", None, None) if at is None else at
    if not isinstance(day, Day) or not requests:
        return []
    if day.last < query.since or query.until <= day.first:
        return []
    found = [(labels["provider"], day.name, requests)]
    if query.windows is None or windows is None or not day.name:
        return found
    within = windows.within(labels["provider"], day.first, day.last)
    return [] if query.windows.isdisjoint(within) else found


def _unplaced(found: Mapping[Key, Sums], rows: Rows, query: Query) -> Iterator[gaps.Rest]:
    """Requests in none of the last periods or windows, because it is not known which one is theirs."""
    if query.last is not None and query.by in (*PERIODS, "window"):
        shown = {key for key, _ in rows}
        yield from (
            (key[0], key[1], sums.requests)
            for key, sums in found.items()
            if key[1] in ("", UNKNOWN) and key not in shown
        )


def _period(day: date | None, query: Query) -> str:
    if day is None:
        return ""
    if query.by == "monthly":
        return f"{day:%Y-%m}"
    if query.by == "weekly":
        return str(day - timedelta(days=(day.weekday() - query.first_weekday) % 7))
    return str(day)


def _span(query: Query, rows: Rows) -> tuple[float, float]:
    """The time that is shown: with the last periods, from the first of these on."""
    since = query.since
    if query.last is not None and query.by in PERIODS and (names := [key[1] for key, _ in rows if key[1]]):
        first = date.fromisoformat(f"{min(names)}-01"[:10])
        since = max(since, datetime(first.year, first.month, first.day, tzinfo=query.zone).timestamp())
    return since, query.until


def _last(found: Mapping[Key, Sums], query: Query, windows: Spans | None) -> Rows:
    """The rows of the last N periods or windows, or of the N largest of anything else."""
    at = 1
    rows = sorted(found.items(), key=lambda row: (row[0][at], row[0]))
    if query.last is None:
        return rows
    if query.by in PERIODS:
        names = sorted({key[at] for key, _ in rows})[-query.last :]
    elif query.by == "window" and windows is not None:
        names = windows.last({key[at] for key, _ in rows}, query.last)
    else:
        sizes: dict[str, int] = defaultdict(int)
        for key, sums in rows:
            sizes[key[at]] += sums.whole
        names = sorted(sizes, key=lambda name: -sizes[name])[: query.last]
    return [row for row in rows if row[0][at] in names]
