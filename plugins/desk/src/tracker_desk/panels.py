"""The newest meters, the lanes and the windows as panels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from tracker.api import Cell, Column, Panel, Period
from tracker.kernel import Clock, Session, plural
from tracker_desk import meter_list, status_text
from tracker_desk.money import least
from tracker_desk.status import Status, look
from tracker_desk.window_list import BARE, FIGURES, OVERLAPS, WHOLE, WOULD_OVERLAP, ListedWindow, listed

MOST = 1000  # windows of a panel; views show fewer
# amounts of the subscription's price; `cost_usd` is at list prices
TITLES = {
    "money": "Plan, $",
    "money_per_feature": "Plan per feature, $",
    "cost_usd_per_feature": "Cost per feature, $",
}
ABOUT = "Newest first. Providers without figures in a finished window are left out."
AS_READ = ' Points are shown as read; the Efficiency table multiplies them by "Older points".'
NEVER = datetime.min.replace(tzinfo=UTC)
UNNAMED = "-"  # the lane without a name, which is not an unknown one
FROM = Column(key="from", title="From", kind="instant", rank=4)
START = (
    Column(key="window", title="Window", rank=0),
    Column(key="provider", title="Provider", rank=0),
    Column(key="lane", title="Lane", rank=6),
    FROM,
    Column(key="to", title="To", kind="instant", rank=5),
    Column(key="state", title="State"),
    Column(key="features", title="Features", kind="number"),
    Column(key="capacity", title="Capacity", kind="number", rank=2),
    Column(key="unit", title="Unit", rank=3),
    Column(key="efficiency", title="Per unit", kind="rate"),
)


def panels(session: Session, period: Period) -> Iterator[Panel]:
    if period.wants("meters", "lanes"):
        status = look(session)
        found = meter_list.panel(status, Clock(status.now, session.zone)), lanes(status)
        yield from (one for one in found if one.rows and period.wants(one.name))
    if period.wants("windows"):
        yield windows(session, period)


def lanes(status: Status) -> Panel:
    """What is open in each lane, and what comes next."""
    return Panel(
        name="lanes",
        title="Lanes",
        place=59,
        about="The newest window of each provider in each lane.",
        columns=(*status_text.LANES, status_text.NEXT),
        rows=_lanes_named([status_text.lane_row(lane) for lane in status.lanes]),
    )


def _lanes_named(rows: Sequence[Mapping[str, Cell]]) -> Sequence[Mapping[str, Cell]]:
    """The lane without a name gets a sign if others have a name: it is not unknown."""
    return [{**row, "lane": row["lane"] or UNNAMED} for row in rows] if any(row["lane"] for row in rows) else rows


def windows(session: Session, period: Period) -> Panel:
    """The windows of a period, with the columns that features add."""
    shown = period.windows[-MOST:]
    earlier = len(period.windows) - len(shown)
    # those without a capture have no time, and come last by name
    found = list(listed(session, shown))[::-1]
    found.sort(key=lambda one: one.end or one.begin or NEVER, reverse=True)
    columns, rows = table(found)
    return Panel(
        name="windows",
        title="Windows",
        place=60,
        about=ABOUT + (AS_READ if any(row.get("older_points") for row in rows) else "") if rows else "",
        columns=columns,
        rows=rows,
        missing=[f"{plural(earlier, 'earlier window')}: `tracker windows` lists all."] if earlier else [],
    )


def table(found: Sequence[ListedWindow]) -> tuple[Sequence[Column], Sequence[Mapping[str, Cell]]]:
    """A row for each provider of each window; the columns that features add come last."""
    rows = _lanes_named([row for one in found for row in _rows(one)])
    known = {column.key for column in START}
    added = dict.fromkeys(key for row in rows for key in row if key not in known)
    extra = {key: rank for rank, key in enumerate(added, 5)}
    texts = {key for row in rows for key in extra if isinstance(row.get(key), str)}
    if any(row.get("tokens") and row.get("from") is None for row in rows):
        # a row without captures has nothing else
        extra["tokens"] = FROM.rank - 1
    if OVERLAPS in extra:
        # it says why a figure is missing
        extra[OVERLAPS] = FROM.rank - 2
    if len({row.get("account") for row in rows} - {None}) > 1:
        # rows of one provider may differ only in it
        extra["account"] = 0
    own = [_column(key, rank, is_text=key in texts) for key, rank in extra.items()]
    place = START.index(FROM)
    accounts, others = [one for one in own if not one.rank], [one for one in own if one.rank]
    return (*START[:place], *accounts, *START[place:], *others), [_whole(row, own) for row in rows]


def _whole(row: Mapping[str, Cell], columns: Sequence[Column]) -> Mapping[str, Cell]:
    """A row completed with values that follow although no feature gives them."""
    found = dict(row)
    for one in columns:
        # if requests are known, none lacks a price and none is shared unless a column says so
        is_none = one.key in BARE.values() or (one.key.startswith("shared_") and not row.get("shared_requests"))
        if "requests" in row and is_none:
            found.setdefault(one.key, "" if one.kind == "text" else 0)
        # no overlap is a known fact, not an unknown one
        if one.key in (OVERLAPS, WOULD_OVERLAP):
            found.setdefault(one.key, "")
    for prefix in ("", WHOLE):
        for key, count in BARE.items():
            usd = row.get(f"{prefix}{key}")
            # money that leaves requests out is a lower bound
            if row.get(f"{prefix}{count}") and isinstance(usd, int | float):
                found[f"{prefix}{key}"] = f"≥{least(usd)}"
    return found


def _column(key: str, rank: int, *, is_text: bool) -> Column:
    counts = ("tokens", "tokens_at_least", "tokens_per_feature", "requests", "files", "lost_sessions", "accounts")
    kinds = {**dict.fromkeys(counts, "count"), **dict.fromkeys((*TITLES, "cost_usd"), "money")}
    name = key.removeprefix(WHOLE).removeprefix("shared_").removeprefix("unpriced_")
    kind = "text" if is_text else kinds.get(name, "number")
    title = TITLES.get(key) or key.replace("_usd", ", $").replace("_", " ").capitalize()
    return Column(key=key, title=title, kind=kind, rank=rank)  # type: ignore[arg-type]


def _rows(one: ListedWindow) -> list[Mapping[str, Cell]]:
    # an outcome says that it is finalized
    start = {"window": one.window, "state": one.outcome or one.state}
    whole = {"lanes": one.lanes, "from": one.begin, "to": one.end}
    shown = {
        name: columns
        for name, columns in one.providers.items()
        if one.state != "finalized" or any(columns.get(key) is not None for key in (*FIGURES, "tokens"))
    }
    # columns of the whole window are shown once, as no provider's
    own = {f"{WHOLE}{key}": known for key, known in one.facts.items()}
    rows: list[Mapping[str, Cell]] = []
    for name, columns in (shown or {"": whole}).items():
        lanes = columns.get("lanes", ())
        lane = ", ".join(lane or UNNAMED for lane in lanes) if any(lanes) else None
        others = {key: known for key, known in columns.items() if key != "lanes"}
        rows.append({**start, "lane": lane, "provider": name or None, **others})
    return [{**rows[0], **own}, *rows[1:]]
