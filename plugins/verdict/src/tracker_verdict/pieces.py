"""Pieces of a meter between its ticks, with what the session logs say was used in each."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from itertools import accumulate, groupby, pairwise, takewhile
from operator import itemgetter
from statistics import mode
from typing import TypeAlias

from attrs import evolve, frozen

from tracker.api import MeterReading, Source, UsageEvent
from tracker.kernel import Session, TrackerError, iso, line
from tracker_verdict.accounts import NO_ACCOUNT, one_of
from tracker_verdict.owners import owners
from tracker_verdict.silence import Silence, Silent, awake_hours, full_spans, heard, silences
from tracker_verdict.stats.calibration import ticks
from tracker_verdict.unseen import HOUR, LAG, Unseen
from tracker_verdict.weeks import between_resets, current

# What a rate needs, and how many days old it may be.
POINTS, DAYS, NEAR = 20, 6, 3
# Time and whole value of readings.
Segment: TypeAlias = list[tuple[float, float]]


@frozen(kw_only=True)
class Piece:
    """Whole points that a meter rose by, and list-price dollars of the requests meanwhile.

    awake: hours in it in which requests are usual. step: the most points between two readings. requests: how many were
    made. bare: the models of those that have no price. silent: the points between readings without a request; asleep:
    those of hours in which none is usual.
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
    silent: float = 0.0
    asleep: float = 0.0

    @property
    def own(self) -> float:
        """The points that its requests may have taken."""
        return self.points - self.silent

    @property
    def hours(self) -> float:
        return (self.end - self.start) / HOUR

    @property
    def dollars(self) -> float:
        return self.fresh + self.cached


@frozen(kw_only=True)
class Ledger:
    """A meter of one account as one origin showed it, and the requests that were made on it.

    elsewhere: the share of its rise while no request was logged, scaled to all waking hours; None if not known, for the
    reason in `unheard`. unpriced: tokens without a price, a share. quiet: rises while no request was logged, however
    small, also next to a reset, where pieces do not reach. rests: the stretches before the first piece and after the
    last one between two resets, with the most points that they may have moved. accounts: those of the readings;
    account: the chosen one, None if there is only one; is_named: whether session logs name the account of requests.
    silences: the stretches without a request by the readings of a schedule, and the rise in each. until: the last
    reading; behind: the newer requests, which are not in `events`. days: how many days it rose on; unseen: how many of
    them have time that is left out, since other requests are known only as totals.
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
    is_named: bool = False
    quiet: Sequence[Piece] = ()
    rests: Sequence[Piece] = ()
    unheard: str = ""
    silences: Sequence[Silent] = ()
    until: datetime | None = None
    behind: Sequence[UsageEvent] = ()
    days: int = 0
    unseen: int = 0

    @property
    def moving(self) -> list[UsageEvent]:
        """The requests that could move the meter: not those that were made while it stood at its end."""
        spans = list(full_spans(self.readings, _length(self.source, self.meter)))
        return [event for event in self.events if not any(start < event.at <= end for start, end in spans)]

    @property
    def is_old(self) -> bool:
        """Whether requests of the last days have no reading."""
        return self.until is not None and any(one.at - self.until.timestamp() > NEAR * 24 * HOUR for one in self.behind)

    @property
    def title(self) -> str:
        """`codex weekly account work (codex-log)`"""
        account = f" account {line(self.account)}" if self.account else ""
        return f"{self.source.name} {self.meter}{account} ({self.origin})"


class NoReadings(TrackerError):
    """The history has none of a meter; `is_known`: it has older ones, or of the provider's other meters."""

    def __init__(self, why: str, *, is_known: bool) -> None:
        self.is_known = is_known
        super().__init__(why)


def ledger(session: Session, source: Source, meter: str, since: datetime, wanted: Collection[str] = ()) -> Ledger:
    """Readings and requests from an instant on. It fails if there are none, or if they are of several accounts.

    wanted: which account to take of several. If logs do not tell, only what was done while no other was read counts.
    """
    known, length = _readings(session, source, meter, since), _length(source, meter)
    origin = _origin([one for one in known if _name(one) in wanted] or known)
    every = [one for one in known if one.origin == origin]
    accounts = sorted({_name(one) for one in every})
    account = _chosen(f"{source.name} {meter}", accounts, wanted)
    own = current([one for one in every if account in (None, _name(one))], length)
    logged = _requests(session, source, own[0].at)
    named = owners(*logged, every) if account else {}
    requests, totals = (_without_others(some, named, account) for some in logged)
    is_own = _stretches(every, None if named else account)
    until = max(one.until for one in own)
    events = [event for event in requests if is_own(event.at, event.at)]
    read = [event for event in events if event.at <= until.timestamp() + LAG]
    empty = Ledger(
        source=source,
        meter=meter,
        origin=origin,
        readings=own,
        events=read,
        pieces=(),
        elsewhere=None,
        unpriced=_unpriced(read),
        local=session.zone,
        accounts=accounts,
        account=account,
        is_named=bool(named),
        until=until,
        behind=events[len(read) :],
    )
    return _filled(empty, requests, is_own, current(scheduled(known, account), length), Unseen.of(totals, events))


def _filled(
    empty: Ledger,
    requests: Sequence[UsageEvent],
    is_own: Callable[[float, float], bool],
    taken: Sequence[MeterReading],
    unseen: Unseen,
) -> Ledger:
    """A ledger with its pieces. requests: also those of other accounts; taken: the readings of a schedule."""
    local, length, times = empty.local, _length(empty.source, empty.meter), [event.at for event in requests]
    awake = {datetime.fromtimestamp(at, local).hour for at in times}
    summed, moving = _Requests(empty.events, awake, local), _Requests(empty.moving, awake, local)
    parts = list(segments(empty.readings, length))
    quiet = list(_quiet(parts, times, summed))
    # a schedule's readings of another origin show rises without a request if each own reading comes with a request
    if taken and taken[0].origin != empty.origin:
        begin = taken[0].at.timestamp()
        quiet = [one for one in quiet if one.end <= begin] + list(_quiet(segments(taken, length), times, summed))
    quiet, pieces, rests = (
        [one for one in some if is_own(one.start, one.end)]
        for some in (quiet, _pieces(parts, summed), _rests(parts, moving))
    )
    days = {one.day for one in (*quiet, *pieces)}
    lost = {one.day for one in (*quiet, *pieces) if unseen.meets(one.start, one.end)}
    quiet, pieces, rests = (
        [one for one in some if not unseen.meets(one.start, one.end)] for some in (quiet, pieces, rests)
    )
    silent = [one for one in silences(taken, times, length) if not unseen.meets(*one[:2])]
    none = Silence(None, "no reading was taken by a schedule")
    silence = heard(empty.readings, silent, awake, local, length, unseen) if len(taken) > 1 else none
    return evolve(
        empty,
        pieces=[_heard(one, quiet) for one in pieces],
        elsewhere=silence.share,
        unheard=silence.why,
        quiet=quiet,
        rests=[_heard(one, quiet) for one in rests],
        silences=silent,
        days=len(days),
        unseen=len(lost),
    )


class _Requests:
    """Requests, and what those between two instants come to. awake: the hours of the day in which they are usual."""

    def __init__(self, events: Sequence[UsageEvent], awake: set[int], local: tzinfo) -> None:
        self.events, self.awake, self.local = events, awake, local
        self.times = [event.at for event in events]
        # the money of the first events
        self.fresh = list(accumulate((event.fresh or 0.0 for event in events), initial=0.0))
        self.cached = list(accumulate((event.cached or 0.0 for event in events), initial=0.0))

    def piece(self, start: float, end: float, points: float, step: float) -> Piece:
        first, last = bisect_right(self.times, start), bisect_right(self.times, end)
        return Piece(
            start=start,
            end=end,
            day=datetime.fromtimestamp(end, self.local).date(),
            points=points,
            fresh=self.fresh[last] - self.fresh[first],
            cached=self.cached[last] - self.cached[first],
            awake=awake_hours(start, end, self.awake, self.local),
            step=step,
            requests=last - first,
            bare=tuple(event.model for event in self.events[first:last] if event.fresh is None),
        )


def _pieces(parts: Sequence[Segment], requests: _Requests) -> Iterator[Piece]:
    """What was used between two ticks of the meter."""
    for segment in parts:
        for start, end, points in ticks(segment):
            inside = [value for at, value in segment if start <= at <= end]
            step = max((b - a for a, b in pairwise(inside)), default=0.0)
            yield requests.piece(start, end, points, step)


def _rests(parts: Sequence[Segment], requests: _Requests) -> Iterator[Piece]:
    """The stretches before a segment's first tick and after its last piece, with the most points that each may have."""
    for segment in parts:
        pieces, values = ticks(segment), dict(segment)
        (begin, low), (stop, high) = segment[0], segment[-1]
        if not pieces:
            yield requests.piece(begin, max(stop - LAG, begin), high - low + 1, 0.0)
            continue
        first, last = pieces[0][0], pieces[-1][1]
        yield requests.piece(begin, first, max(values[first] - low, 0.0), 0.0)
        # what was used last may be counted later
        yield requests.piece(last, max(stop - LAG, last), high - values[last] + 1, 0.0)


def _unpriced(events: Sequence[UsageEvent]) -> float:
    tokens = sum(event.tokens + event.cached_tokens for event in events)
    bare = sum(event.tokens + event.cached_tokens for event in events if event.fresh is None)
    return bare / tokens if tokens else 0.0


def _quiet(parts: Iterable[Segment], times: Sequence[float], requests: _Requests) -> Iterator[Piece]:
    """Rises between two readings without a request of any account in them or shortly before, at one of `times`."""
    for segment in parts:
        for (start, before), (end, after) in pairwise(segment):
            if after > before and bisect_right(times, end) == bisect_right(times, start - LAG):
                yield requests.piece(start, end, after - before, after - before)


def _heard(piece: Piece, quiet: Sequence[Piece]) -> Piece:
    """A piece with what it rose without a request."""
    first = bisect_left(quiet, piece.start, key=lambda one: one.start)
    inside = list(takewhile(lambda one: one.end <= piece.end, quiet[first:]))
    asleep = sum(one.points * (1 - one.awake * HOUR / (one.end - one.start)) for one in inside)
    return evolve(piece, silent=sum(one.points for one in inside), asleep=asleep)


def _readings(session: Session, source: Source, meter: str, since: datetime) -> list[MeterReading]:
    """Those of a meter, the earliest first; it fails if there are none."""
    asked = {"session": session, "provider": source.name, "since": since, "hourly": False}
    readings = session.registry.first("meter_readings", **asked)
    if readings is None:
        raise TrackerError("This needs a meter history, which `tracker sync` keeps.")
    every = [one for one in readings if one.meter == meter and one.at >= since]
    if not every:
        older = session.registry.first("meter_readings", **{**asked, "since": None}) or ()
        last = max((one.at for one in older if one.meter == meter), default=None)
        others = sorted({one.meter for one in older} - {meter})
        problem = _absence(f"{source.name} {meter}", since, last, others)
        raise NoReadings(problem, is_known=last is not None or bool(others))
    return sorted(every, key=lambda one: one.at)


def _requests(session: Session, source: Source, since: datetime) -> tuple[list[UsageEvent], list[UsageEvent]]:
    """The requests of a provider, and its days that have only totals left."""
    logged = session.registry.first("usage_events", session=session, since=since, folder=None)
    if logged is None:
        # if the command is missing here, the program adds how to get it
        raise TrackerError("This needs session logs, which `tracker usage` reads.")
    own = [event for event in logged if event.provider == source.name]
    return [event for event in own if event.since is None], [event for event in own if event.since is not None]


def _without_others(events: Sequence[UsageEvent], named: Mapping[str, str], account: str | None) -> list[UsageEvent]:
    """Those that are of an account or may be. named: the accounts of readings by what session logs call them."""
    return [one for one in events if named.get(one.account, account) == account]


def _origin(readings: Sequence[MeterReading]) -> str:
    """The origin of most readings among those that are still read and enough for a rate; else of most at all."""
    rises, days, last = Counter[str](), dict[str, set[date]](), dict[tuple[str, str], MeterReading]()
    for one in readings:
        before = last.get((one.origin, _name(one)), one)
        rises[one.origin] += max(int(one.used) - int(before.used), 0)
        days.setdefault(one.origin, set()).add(one.at.date())
        last[one.origin, _name(one)] = one
    newest = max(one.until for one in readings) - timedelta(days=NEAR)
    read = {origin for (origin, _), one in last.items() if one.until >= newest}
    known = {origin for origin in read if rises[origin] >= POINTS and len(days[origin]) >= DAYS}
    return mode(one.origin for one in readings if one.origin in known or not known)


def scheduled(readings: Sequence[MeterReading], account: str | None) -> list[MeterReading]:
    """Those of an account, or of any, that were taken whether or not somebody worked."""
    taken = [one for one in readings if one.is_scheduled and account in (None, _name(one))]
    # origins differ in what they show, and are never mixed
    origin = mode(one.origin for one in taken) if taken else ""
    return [one for one in taken if one.origin == origin]


def _absence(whose: str, since: datetime, last: datetime | None, others: Sequence[str]) -> str:
    if last is None and others:
        names = ", ".join(others)
        cure = "Fill it with `tracker sync`, or choose another --meter."
        return f"The history has no reading of {whose}, only of {names}. {cure}"
    if last is None:
        return f"The history has no reading of {whose}. Fill it with `tracker sync`."
    return (
        f"The history has no reading of {whose} since {iso(since)}; the last one is from {iso(last)}."
        " Choose an earlier --since, or add newer readings with `tracker sync`."
    )


def _name(reading: MeterReading) -> str:
    return reading.account or NO_ACCOUNT


def _chosen(whose: str, accounts: Sequence[str], wanted: Collection[str]) -> str | None:
    """The account that was asked for, None if there is only one; an error if there are several and none was."""
    if len(accounts) == 1:
        return None
    problem = f"{whose} has readings of {len(accounts)} accounts ({', '.join(map(line, accounts))})."
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
    for period in between_resets(readings, length):
        found = [(at.timestamp(), float(math.floor(one.used))) for one in period for at in sorted({one.at, one.until})]
        # runs of two machines overlap
        yield sorted(found, key=itemgetter(0))


def _length(source: Source, meter: str) -> timedelta | None:
    """How long a meter's periods are, if all are as long."""
    declared = source.meter(meter)
    return declared.window if declared and isinstance(declared.window, timedelta) else None
