"""The history of each meter: its readings in order, its resets, a sparkline and a table."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from shutil import get_terminal_size
from typing import Any, Literal

from attrs import evolve, field, frozen

from tracker.api import Cell, Column, Meter, MeterReading, Source
from tracker.kernel import Session, iso, near, number, plural, value
from tracker_capture.accounts import owners
from tracker_capture.outline import outline
from tracker_capture.readings import FUTURE, RESET_TOLERANCE, ROUNDING, Sample, history, is_same_reset
from tracker_capture.units import unit_of

BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.:-=+*#"  # the plain ones are for a terminal whose encoding has no others
WIDTH = 48
RESET = "|"
COARSE = timedelta(hours=1)  # panes name some resets by the hour
# How long after a reset a floored 0 is taken as nothing used.
AT_RESET = timedelta(minutes=5)
UNNAMED = "(not named)"


@frozen(kw_only=True)
class Point:
    """One run of equal values of a meter. is_future: it claims to be of a time that is still to come."""

    at: datetime
    until: datetime
    used: float
    reset_at: datetime | None
    origin: str
    has_reset: bool = False
    is_future: bool = False


@frozen(kw_only=True)
class Series:
    """The readings of a meter of one account, the earliest first. `has_reset` marks the first one after a reset.

    several: whether the provider has readings of more than one account.
    """

    provider: str
    meter: str
    account: str | None
    several: bool = False
    points: Sequence[Point] = field(factory=tuple)


def readings(session: Session, provider: str | None, since: datetime | None, hourly: bool) -> list[MeterReading]:
    """The readings of all meters by time, for other features."""
    owner = owners(session)
    if hourly:
        return outline(session).readings(owner, provider, since)
    return [
        MeterReading(
            sample.provider, key, account, sample.origin, sample.at, sample.until,
            gauge.used, gauge.reset_at, sample.is_scheduled, sample.plan, sample.client, gauge.limit,
        )
        for sample in history(session, provider, since)
        for account in [owner(sample.provider, sample.account, sample.mark)]
        for key, gauge in sample.gauges.items()
        if gauge.used is not None
    ]  # fmt: skip


def series(
    session: Session, provider: str | None, meter: str | None, since: datetime | None, until: datetime | None
) -> list[Series]:
    """Every meter's history in a time. Accounts are never mixed."""
    found: dict[tuple[str, str, str | None], list[Point]] = {}
    accounts: dict[str, set[str | None]] = {}
    owner = owners(session)
    for sample in history(session, provider, since):
        if until is None or sample.at <= until:
            account = owner(sample.provider, sample.account, sample.mark)
            accounts.setdefault(sample.provider, set()).add(account)
            for key, point in points_of(sample):
                if meter in (None, key):
                    found.setdefault((sample.provider, key, account), []).append(point)
    limit = session.now + FUTURE
    return [
        Series(
            provider=name,
            meter=key,
            account=account,
            several=len(accounts[name]) > 1,
            points=_told(points, limit, length_of(session.registry.source(name), key)),
        )
        for (name, key, account), points in sorted(found.items(), key=lambda item: tuple(map(str, item[0])))
    ]


def length_of(source: Source | None, key: str) -> timedelta | None:
    """How long a period of a meter is, if each is as long."""
    meter = source.meter(key) if source else None
    return meter.window if meter and isinstance(meter.window, timedelta) else None


def _told(points: Sequence[Point], limit: datetime, length: timedelta | None) -> list[Point]:
    """The points with the resets between them, then those of the future, which show no resets."""
    claims = sorted((point for point in points if point.until > limit), key=lambda point: point.at)
    past = with_resets([point for point in points if point.until <= limit], length)
    return [*past, *(evolve(point, is_future=True) for point in claims)]


def none_matches(session: Session, provider: str | None, meter: str | None) -> str:
    """Why there is no series: an empty history, a meter that it has not, or a time without readings."""
    known = {one.meter for one in series(session, provider, None, None, None)}
    if not known:
        of = f" of {provider}" if provider else ""
        return (
            f"The history has no readings{of}. Fill it with `tracker sync` or `tracker capture --sample --all`, or"
            f" paste a pane with `tracker start {provider or 'PROVIDER'}`."
        )
    if meter is not None and meter not in known:
        return f"No reading of the meter {meter!r}. {near(meter, sorted(known))}"
    return "There are no readings in that period. `tracker meters` shows all."


def points_of(sample: Sample) -> Iterator[tuple[str, Point]]:
    for key, gauge in sample.gauges.items():
        if gauge.used is not None:
            yield (
                key,
                Point(at=sample.at, until=sample.until, used=gauge.used, reset_at=gauge.reset_at, origin=sample.origin),
            )


def with_resets(points: Sequence[Point], length: timedelta | None = None) -> list[Point]:
    """The points by their time, equal ones in a row as one, the first one after a reset marked.

    length: of the meter's periods.
    """
    found: list[Point] = []
    for point in sorted(points, key=lambda point: point.at):
        before = found[-1] if found else None
        if before is not None and before.used == point.used and is_same_reset(before.reset_at, point.reset_at):
            found[-1] = evolve(before, until=max(before.until, point.until))
        else:
            found.append(point)
    before = found[0] if found else None
    for place, point in enumerate(found):
        assert before is not None
        # an origin may still show a period that the vendor ended
        if not (before.reset_at and point.reset_at and before.reset_at - point.reset_at > COARSE):
            if _begins_anew(before, point, length):
                found[place] = evolve(point, has_reset=True)
            before = point
    return found


def reset_between(before: Point, after: Point, length: timedelta | None) -> datetime | None:
    """When the meter was reset between two readings, if they show it: the earlier period ended, or a later one began.

    Vendors also begin one early. An unused meter may show a new period at each reading.
    """
    if before.reset_at is None:
        return None
    if before.reset_at <= after.at:
        is_later = after.reset_at is None or after.reset_at - before.reset_at > RESET_TOLERANCE
        return before.reset_at if is_later else None
    if after.reset_at is None or length is None or not (before.used and after.used):
        return None
    is_another = after.reset_at - before.reset_at > COARSE
    # the difference of two times always exists, but a time minus a length may be before the year 1
    begins_between = after.reset_at - before.until > length >= after.reset_at - after.at
    return after.reset_at - length if is_another and begins_between else None


def _begins_anew(before: Point, after: Point, length: timedelta | None) -> bool:
    """Whether a reading shows a new period, or fell as if at a reset whose time no reading shows.

    `tracker usage` has the same rule. A fall beside one and the same reset is a correction.
    """
    fall = before.used - after.used
    if before.reset_at is None or after.reset_at is None:
        is_fall = fall > ROUNDING
    else:
        is_fall = fall > 0 and not is_same_reset(before.reset_at, after.reset_at)
    return is_fall or reset_between(before, after, length) is not None


def stands_for(
    meter: Meter | None, used: float, reset_at: datetime | None, at: datetime, length: timedelta | None
) -> float:
    """The value to count: a floored one counts half a point more, except 0 at a reset, as in any window."""
    is_new = reset_at and length and timedelta(0) <= at - reset_at + length <= AT_RESET
    is_exact = meter is None or meter.rounding != "floor" or not float(used).is_integer() or (is_new and not used)
    return used if is_exact else used + 0.5


def sparkline(points: Sequence[Point], width: int = WIDTH) -> str:
    """The last value in each of equal spans of time; `|` before a span with a reset, a space without a reading.

    Resets that fill the line are not marked.
    """
    has_marks = sum(point.has_reset for point in points) <= width / 3
    start, end = points[0].at, max(point.until for point in points)
    step = (end - start) / width
    most = max(100.0, *(point.used for point in points)) if points else 100.0
    bars = BARS if "utf" in (sys.stdout.encoding or "utf").lower() else PLAIN_BARS
    cells = [" "] * width
    for point in points:
        first, last = (min(width - 1, int((one - start) / step)) if step else 0 for one in (point.at, point.until))
        cells[first : last + 1] = [bars[round(point.used / most * (len(bars) - 1))]] * (last - first + 1)
        if has_marks and point.has_reset and first and cells[first - 1] != RESET:
            cells[first - 1] = RESET
    return "".join(cells).rstrip()


def lines(session: Session, found: Series, rows: int) -> Iterator[str]:
    """The title, the sparkline, and the newest readings as a table."""
    points, source, local = found.points, session.registry.source(found.provider), session.zone
    account = f" account {found.account or UNNAMED}" if found.several else ""
    resets = sum(point.has_reset for point in points)
    yield f"{found.provider} {found.meter}{account}: {plural(len(points), 'reading')}, {plural(resets, 'reset')}"
    room = get_terminal_size((80, 24)).columns - 2 if session.is_terminal else WIDTH
    yield f"  {sparkline(points, max(1, min(room, WIDTH)))}"
    for point, change in newest(found, rows):
        shown = value(point.used, unit=unit_of(source, found.meter))
        at, end = point.at.astimezone(local), point.until.astimezone(local)
        day = "" if at.date() == end.date() else "%a "
        until = f" to {end:{day}%H:%M}" if point.until - point.at >= RESET_TOLERANCE else ""
        yield f"  {at:%Y-%m-%d %H:%M}{until:<13} {shown:>8} {change:>7}  {point.origin}"


def newest(found: Series, rows: int) -> Iterator[tuple[Point, str]]:
    """The last readings, each with how far the meter moved to it."""
    points = found.points
    for place in range(max(0, len(points) - rows), len(points)):
        point = points[place]
        before = points[place - 1] if place else None
        moved = point.used - before.used if before else None
        shown = "" if moved is None else f"{'' if moved < 0 else '+'}{number(moved)}"
        yield point, "future" if point.is_future else "reset" if point.has_reset else shown


def table(session: Session, found: Series, rows: int) -> tuple[Sequence[Column], Sequence[Mapping[str, Cell]]]:
    """The newest readings for a terminal."""
    unit = unit_of(session.registry.source(found.provider), found.meter)
    kind: Literal["share", "number"] = "share" if unit == "%" else "number"
    columns = (
        Column(key="at", title="From", kind="instant", rank=0),
        Column(key="until", title="To", kind="instant", rank=1),
        Column(key="used", title=f"Used,{unit}" if unit[:1] == " " else "Used", kind=kind, rank=0),
        Column(key="change", title="Change", rank=0),
        Column(key="origin", title="Origin", rank=2),
    )
    return columns, [
        {"at": point.at, "until": point.until, "used": point.used, "change": change, "origin": point.origin}
        for point, change in newest(found, rows)
    ]


def document(found: Series) -> dict[str, Any]:
    return {
        "provider": found.provider,
        "meter": found.meter,
        "account": found.account,
        "points": [
            {
                "at": iso(point.at),
                "until": iso(point.until),
                "used": point.used,
                "reset_at": point.reset_at and iso(point.reset_at),
                "has_reset": point.has_reset,
                **({"is_future": True} if point.is_future else {}),
                "origin": point.origin,
            }
            for point in found.points
        ],
    }
