"""Pieces of a meter between its ticks, with what the session logs say was used in each."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date, datetime, timedelta, tzinfo
from itertools import accumulate, groupby, pairwise
from statistics import median
from typing import NamedTuple, TypeAlias

from attrs import frozen

from tracker.api import MeterReading, Source, UsageEvent
from tracker.kernel import Session, TrackerError, iso, line, number
from tracker_verdict.accounts import NO_ACCOUNT, one_of
from tracker_verdict.stats.calibration import ticks
from tracker_verdict.weeks import FULL, is_reset

# Time and whole value of readings.
Segment: TypeAlias = list[tuple[float, float]]
HOUR = 3600.0
# A vendor may count a request so much later than the client logs it.
LAG = 600.0
# The share of a rise that may come from elsewhere.
ELSEWHERE = 0.25


@frozen(kw_only=True)
class Piece:
    """Whole points that a meter rose by, and list-price dollars of the requests meanwhile.

    awake: hours in it in which requests are usual. step: the most points between two readings. requests: how many were
    made. bare: the models of those that have no price.
    """

    start: float
    end: float
    day: date
    points: float
    fresh: float
    cached: float
    awake: float
    step: float
    requests: int = 0
    bare: tuple[str, ...] = ()

    @property
    def dollars(self) -> float:
        return self.fresh + self.cached


@frozen(kw_only=True)
class Ledger:
    """A meter of one account as one origin showed it, and the requests that were made on it.

    elsewhere: the share of its rise that came while no request was logged, scaled to all waking hours; None if that is
    not known, unheard: for which reason. unpriced: the share of tokens without a price. quiet: what it rose while no
    request was logged, however little, and also next to a reset, where pieces do not reach. accounts: all that its
    readings are of; account: the one that was chosen, None if there is only one.
    """

    source: Source
    meter: str
    origin: str
    readings: Sequence[MeterReading]
    events: Sequence[UsageEvent]
    pieces: Sequence[Piece]
    elsewhere: float | None
    unpriced: float
    local: tzinfo
    accounts: Sequence[str] = ()
    account: str | None = None
    quiet: Sequence[Piece] = ()
    unheard: str = ""

    @property
    def moving(self) -> list[UsageEvent]:
        """The requests that could move the meter: not those that were made while it stood at its end."""
        spans = list(_full(self.readings, _length(self.source, self.meter)))
        return [event for event in self.events if not any(start < event.at <= end for start, end in spans)]

    @property
    def title(self) -> str:
        """`codex weekly account work (codex-log)`"""
        account = f" account {line(self.account)}" if self.account else ""
        return f"{self.source.name} {self.meter}{account} ({self.origin})"


class NoReadings(TrackerError):
    """The history has none of a meter; `is_known`: it has older ones."""

    def __init__(self, why: str, *, is_known: bool) -> None:
        self.is_known = is_known
        super().__init__(why)


def ledger(
    session: Session, source: Source, meter: str, since: datetime | None, wanted: Collection[str] = ()
) -> Ledger:
    """Readings and requests from an instant on. It fails if there are none, or if they are of several accounts.

    wanted: which account to take of several. Only what was done while no other account was read counts for it.
    """
    known = _readings(session, source, meter, since)
    origin = _most([one for one in known if _name(one) in wanted] or known)
    every = [one for one in known if one.origin == origin]
    accounts = sorted({_name(one) for one in every})
    account = _chosen(f"{source.name} {meter}", accounts, wanted)
    own = [one for one in every if account in (None, _name(one))]
    logged = session.registry.first("usage_events", session=session, since=own[0].at, folder=None)
    if logged is None:
        # behind a command that is missing here stands how to get it
        raise TrackerError("No feature in use reads session logs, as that of `tracker usage` does.")
    requests = [event for event in logged if event.provider == source.name]
    is_own = _stretches(every, account)
    events = [event for event in requests if is_own(event.at, event.at)]
    local = session.zone
    awake = {datetime.fromtimestamp(event.at, local).hour for event in requests}
    length = _length(source, meter)
    parts = list(segments(own, length))
    silence = heard(own, scheduled(known, account), [event.at for event in requests], awake, local, length)
    return Ledger(
        source=source,
        meter=meter,
        origin=origin,
        readings=own,
        events=events,
        pieces=[one for one in _pieces(parts, events, awake, local) if is_own(one.start, one.end)],
        elsewhere=silence.share,
        unheard=silence.why,
        unpriced=_unpriced(events),
        local=local,
        accounts=accounts,
        account=account,
        quiet=[one for one in _quiet(parts, [event.at for event in requests], local) if is_own(one.start, one.end)],
    )


def _pieces(parts: Sequence[Segment], events: Sequence[UsageEvent], awake: set[int], local: tzinfo) -> Iterator[Piece]:
    """What was used between two ticks of the meter."""
    times = [event.at for event in events]
    # the money of the first events
    fresh = list(accumulate((event.fresh or 0.0 for event in events), initial=0.0))
    cached = list(accumulate((event.cached or 0.0 for event in events), initial=0.0))
    for segment in parts:
        for start, end, points in ticks(segment):
            first, last = bisect_right(times, start), bisect_right(times, end)
            inside = [value for at, value in segment if start <= at <= end]
            yield Piece(
                start=start,
                end=end,
                day=datetime.fromtimestamp(end, local).date(),
                points=points,
                fresh=fresh[last] - fresh[first],
                cached=cached[last] - cached[first],
                awake=awake_hours(start, end, awake, local),
                step=max((b - a for a, b in pairwise(inside)), default=0.0),
                requests=last - first,
                bare=tuple(event.model for event in events[first:last] if event.fresh is None),
            )


def _unpriced(events: Sequence[UsageEvent]) -> float:
    tokens = sum(event.tokens + event.cached_tokens for event in events)
    bare = sum(event.tokens + event.cached_tokens for event in events if event.fresh is None)
    return bare / tokens if tokens else 0.0


def _quiet(parts: Sequence[Segment], times: Sequence[float], local: tzinfo) -> list[Piece]:
    """Rises between two readings without a request in them or shortly before."""
    found: list[Piece] = []
    for segment in parts:
        for (start, before), (end, after) in pairwise(segment):
            if after <= before or bisect_right(times, end) > bisect_right(times, start - LAG):
                continue
            day, points = datetime.fromtimestamp(end, local).date(), after - before
            found.append(Piece(start=start, end=end, day=day, points=points, fresh=0, cached=0, awake=0, step=points))
    return found


def _readings(session: Session, source: Source, meter: str, since: datetime | None) -> list[MeterReading]:
    """Those of a meter, the earliest first; it fails if there are none."""
    asked = {"session": session, "provider": source.name, "since": since, "hourly": False}
    readings = session.registry.first("meter_readings", **asked)
    if readings is None:
        raise TrackerError("No feature in use keeps a meter history, as that of `tracker sync` does.")
    every = [one for one in readings if one.meter == meter and (since is None or one.at >= since)]
    if not every:
        older = session.registry.first("meter_readings", **{**asked, "since": None}) or ()
        last = max((one.at for one in older if one.meter == meter), default=None)
        raise NoReadings(_absence(f"{source.name} {meter}", since, last), is_known=last is not None)
    return sorted(every, key=lambda one: one.at)


def _most(readings: Sequence[MeterReading]) -> str:
    """The origin of the most: origins differ in what they show, and are never mixed."""
    counts = Counter(one.origin for one in readings)
    return max(counts, key=counts.__getitem__, default="")


def scheduled(readings: Sequence[MeterReading], account: str | None) -> list[MeterReading]:
    """Those of an account, or of any, that were taken whether or not somebody worked."""
    taken = [one for one in readings if one.is_scheduled and account in (None, _name(one))]
    return [one for one in taken if one.origin == _most(taken)]


def _absence(whose: str, since: datetime | None, last: datetime | None) -> str:
    if since is None or last is None:
        return f"The history has no reading of {whose}. Fill it with `tracker sync`."
    return (
        f"The history has no reading of {whose} since {iso(since)}; the last one is of {iso(last)}."
        " Name an earlier --since, or add newer readings with `tracker sync`."
    )


def _name(reading: MeterReading) -> str:
    return reading.account or NO_ACCOUNT


def _chosen(whose: str, accounts: Sequence[str], wanted: Collection[str]) -> str | None:
    """The account that was asked for, None if there is only one; an error if there are several and none was."""
    if len(accounts) == 1:
        return None
    problem = (
        f"{whose} has readings of {len(accounts)} accounts ({', '.join(map(line, accounts))}), and session logs do"
        " not say which account a request was made on."
    )
    return one_of(accounts, wanted, problem)


def _stretches(readings: Sequence[MeterReading], account: str | None) -> Callable[[float, float], bool]:
    """Whether only an account was read from one instant to another, and on both sides of them."""
    if account is None:
        return lambda _start, _end: True
    marks = sorted((at.timestamp(), _name(one)) for one in readings for at in (one.at, one.until))
    runs = [(name, [at for at, _ in group]) for name, group in groupby(marks, key=lambda mark: mark[1])]
    runs[-1][1].append(math.inf)
    starts, ends = ([times[place] for name, times in runs if name == account] for place in (0, -1))

    def is_own(start: float, end: float) -> bool:
        place = bisect_right(starts, start) - 1
        return place >= 0 and end <= ends[place]

    return is_own


def segments(readings: Sequence[MeterReading], length: timedelta | None = None) -> Iterator[Segment]:
    """(time, whole value) of the readings between two resets; a run of equal ones counts at both of its ends.

    length: of the meter's periods.
    """
    found: Segment = []
    before: MeterReading | None = None
    for one in readings:
        if before is not None and is_reset(before, one, length):
            yield found
            found = []
        value = float(math.floor(one.used))
        found.append((one.at.timestamp(), value))
        if one.until > one.at:
            found.append((one.until.timestamp(), value))
        before = one
    if found:
        yield found


def _length(source: Source, meter: str) -> timedelta | None:
    """How long a meter's periods are, if all are as long."""
    declared = source.meter(meter)
    return declared.window if declared and isinstance(declared.window, timedelta) else None


def _full(readings: Sequence[MeterReading], length: timedelta | None) -> Iterator[tuple[float, float]]:
    """From when to when a meter stood at its end."""
    start: float | None = None
    before: MeterReading | None = None
    for one in readings:
        if start is not None and before is not None and is_reset(before, one, length):
            reset = before.reset_at if before.reset_at and before.reset_at < one.at else one.at
            yield start, reset.timestamp()
            start = None
        if start is None and one.used >= FULL:
            start = one.at.timestamp()
        before = one
    if start is not None:
        last = readings[-1].reset_at
        yield start, math.inf if last is None else last.timestamp()


def awake_hours(start: float, end: float, awake: set[int], local: tzinfo) -> float:
    """How many hours between two instants are of the hours of the day in which requests are usual."""
    total, at = 0.0, start
    while at < end:
        stop = min((at // HOUR + 1) * HOUR, end)
        if datetime.fromtimestamp(at, local).hour in awake:
            total += stop - at
        at = stop
    return total / HOUR


class Silence(NamedTuple):
    """The share of a meter's rise that came from elsewhere; None if it is not known, and why."""

    share: float | None
    why: str = ""


def heard(
    readings: Sequence[MeterReading],
    taken: Sequence[MeterReading],
    times: Sequence[float],
    awake: set[int],
    local: tzinfo,
    length: timedelta | None,
) -> Silence:
    """What came from elsewhere, as what rose in silence. taken: the scheduled readings; times: those of the requests.

    The rise of waking hours is scaled to all of them, since some have requests, and that of nights to all nights.
    Of so few silent hours that a single point in them would be too much nothing is known.
    """
    if len(taken) < 2:
        return Silence(None, "no reading was taken by a schedule")
    by_day = by_night = hours = nights = 0.0
    for start, end, rise in _silences(taken, times, length):
        waking = awake_hours(start, end, awake, local)
        share = min(waking * HOUR / (end - start), 1.0)
        by_day, by_night = by_day + rise * share, by_night + rise * (1 - share)
        hours, nights = hours + waking, nights + (end - start) / HOUR - waking
    begin, stop = readings[0].at.timestamp(), readings[-1].until.timestamp()
    every = awake_hours(begin, stop, awake, local)
    points = sum(max(0.0, b.used - a.used) for a, b in pairwise(readings) if not is_reset(a, b, length))
    # a schedule may have begun later than the session logs
    all_nights = (stop - begin) / HOUR - every
    is_known = nights > 0 and all_nights <= nights * points * ELSEWHERE
    by_night *= max(all_nights / nights, 1.0) if is_known else 1.0
    if every > hours * points * ELSEWHERE:
        least = by_night / points if points and is_known else 0.0
        why = f"{number(hours, 1)} working hours without a request are too few to tell"
        return Silence(min(least, 1.0) if least > ELSEWHERE else None, why)
    return Silence(min((by_day / hours * every + by_night) / points, 1.0))


def _silences(
    taken: Sequence[MeterReading], times: Sequence[float], length: timedelta | None
) -> Iterator[tuple[float, float, float]]:
    """From when to when no request was made, nor within an interval of the schedule before, and the rise meanwhile.

    Equal readings in a row are a run, in which nothing rose; so far apart as most runs are its readings, too.
    """
    gaps = [other.at.timestamp() - one.until.timestamp() for one, other in pairwise(taken)]
    step = max(median(gaps), 1.0)
    least = max(LAG, step)
    for one, other, gap in zip(taken, [*taken[1:], None], [*gaps, 0.0], strict=True):
        first, last = one.at.timestamp(), one.until.timestamp()
        begin = first
        for at in times[bisect_right(times, first - least) : bisect_right(times, last)]:
            if (stop := first + (at - first) // step * step) > begin:
                yield begin, stop, 0.0
            begin = max(begin, first + math.ceil((at + least - first) / step) * step)
        if last > begin:
            yield begin, last, 0.0
        is_silent = bisect_right(times, last + gap) == bisect_right(times, last - least)
        if other is not None and gap > 0 and is_silent and not is_reset(one, other, length):
            yield last, last + gap, max(0.0, other.used - one.used)
