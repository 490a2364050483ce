"""How likely planned windows fit before each reset, from what windows have cost."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from attrs import asdict, evolve, frozen

from tracker.api import Meter, MeterReading, Source
from tracker.kernel import Session, TrackerError, near, number, plural, span
from tracker_verdict.accounts import NO_ACCOUNT, plans
from tracker_verdict.costs import MeterMoves, Plans, costs_of, moved_by
from tracker_verdict.current_meters import (
    FRESH,
    PERCENT,
    USUAL,
    CurrentMeter,
    OwnedCapture,
    current_meters,
    holds,
    is_of_all,
    read,
    too_old,
    unread,
)
from tracker_verdict.new_reading import new_reading
from tracker_verdict.prospect import Prospect, over, prospect
from tracker_verdict.regimes import Regime, refresh, regime
from tracker_verdict.settings import VerdictSettings
from tracker_verdict.weeks import FULL

GO, TIGHT, STOP, UNKNOWN = "GO", "tight", "STOP", "unknown"
# From these probabilities that the planned windows fit, the verdict is GO, or tight.
GO_FROM, TIGHT_FROM = 0.8, 0.5
# Fewer windows do not show how much their costs vary, so the probability assumes a spread (`stats.room`). GO then
# fits in 79 to 93 % of simulated cases of one window, and in 87 to 97 % of three.
MEASURED_FROM = 3
# The points that a window may have cost if it moved a meter of whole points by 0.
HIDDEN = 1.0


@frozen(kw_only=True)
class Outlook:
    """One meter: its last value, what a window usually costs, and how many still fit above the reserve.

    cost, fits: (least, usual, most); the usual cost is the mean of the finalized windows' deltas. `fits` counts with
    the most, the usual and the least cost, None if windows of that cost have no limit: they cost nothing.
    costs, left_out, outdated: how many windows show what one costs, and how many do not because they overlap others, or
    were measured on an earlier plan.
    probability: that the planned windows fit. why: what is missing if the verdict is unknown, or why none fits if what
    one costs is. doubt: what its value rests on, if anything. several: whether the provider has readings of more than
    one account. is_of_all: whether it stops all work if it is full. is_over: whether it was reset since it was read.
    change: that of what a point buys, if the figures include use before it, in today's points.
    """

    meter: str
    is_capacity: bool
    is_of_all: bool = True
    is_over: bool = False
    account: str | None = None
    several: bool = False
    unit: str = PERCENT
    used: float | None = None
    limit: float | None = None
    percent: float | None = None
    taken_at: datetime | None = None
    at: datetime | None = None  # which the value is of
    reset_at: datetime | None = None
    costs: int = 0
    left_out: int = 0
    outdated: int = 0
    cost: tuple[float, float, float] | None = None
    fits: tuple[int, int | None, int | None] | None = None
    probability: float | None = None
    verdict: str = UNKNOWN
    why: str | None = None
    doubt: str | None = None
    prospect: Prospect | None = None
    change: Regime | None = None

    @property
    def is_unmoved(self) -> bool:
        """Whether no window moved it by as much as it shows: what one costs has an upper limit."""
        return self.cost is not None and not self.cost[-1]

    @property
    def assumption(self) -> str | None:
        """What the probability rests on, if windows do not measure it yet."""
        if self.is_unmoved:
            return f"no window moved it: the probability assumes {number(HIDDEN)} pp each, the most that rounding hides"
        if self.probability is None or self.costs >= MEASURED_FROM:
            return None
        return f"how much costs vary is assumed until {MEASURED_FROM} windows measure it ({self.costs} so far)"


@frozen(kw_only=True)
class _Question:
    """What is asked of each meter of a provider, and the records that answer it; several: of more than one account."""

    session: Session
    source: Source
    now: datetime
    max_age: timedelta
    windows_left: int
    reserve: float
    past: Sequence[MeterReading]
    own: Sequence[OwnedCapture]
    several: bool
    moved: Sequence[MeterMoves]

    @property
    def meters(self) -> list[Meter]:
        """The capacity meter, then every other one that was read."""
        captured = (gauge.meter for one in self.own for gauge in one.capture.reading.gauges)
        keys = dict.fromkeys([self.source.capacity, *captured, *(one.meter for one in self.past)])
        return [meter for key in keys if key and (meter := self.source.meter(key))]

    def plans(self, account: str | None) -> dict[str, Plans]:
        """The plans that each origin named, by time; of one account if there are several."""
        read = [(one.until, one.account, one.origin, one.plan) for one in self.past if one.plan]
        shown = [
            (capture.captured_at, owner, *named)
            for capture, owner in self.own
            for named in plans([capture])
            if capture.captured_at <= self.now
        ]
        found: dict[str, Plans] = {}
        for at, owner, origin, plan in sorted([*read, *shown], key=lambda one: one[0]):
            if not self.several or owner == account:
                found.setdefault(origin, []).append((at, plan))
        return found


def outlooks(
    session: Session,
    source: Source,
    windows_left: int,
    windows: Sequence[str] | None = None,
    *,
    is_brief: bool = False,
    max_age: timedelta = FRESH,
) -> list[Outlook]:
    """Every meter of a provider, the capacity meter first; `windows` say what one costs.

    is_brief: of few windows, and without a look at what a point buys, which reads session logs.
    max_age: how old a reading may be for GO.
    """
    if not is_brief:
        refresh(session, [source])
    # a plan does not read years of windows
    if windows is None:
        windows = session.index.newest_windows(USUAL)
    now = session.now
    past, own = read(session, source, now, None if is_brief else windows)
    asked = _Question(
        session=session,
        source=source,
        now=now,
        max_age=max_age,
        windows_left=windows_left,
        reserve=session.settings(VerdictSettings).reserve_pp,
        past=past,
        own=own,
        several=len({*(one.account for one in own), *(one.account for one in past)}) > 1,
        moved=moved_by(session, source, windows),
    )
    return [one for meter in asked.meters for one in _of_meter(asked, meter)]


def only(
    plans: Sequence[tuple[Source, list[Outlook]]], accounts: Collection[str]
) -> list[tuple[Source, list[Outlook]]]:
    """The meters of these accounts, if a provider has several. Without accounts, and of other providers, all."""
    known = {one.account or NO_ACCOUNT for _, found in plans for one in found if one.used is not None}
    for name in accounts:
        if name not in known:
            raise TrackerError(f"No reading of account {name!r}. {near(name, sorted(known))}")
    if not accounts:
        return list(plans)
    chosen = [
        (source, [one for one in found if not one.several or (one.account or NO_ACCOUNT) in accounts])
        for source, found in plans
    ]
    return [(source, found) for source, found in chosen if found]


def _of_meter(asked: _Question, meter: Meter) -> Iterator[Outlook]:
    """One of each account that has a reading; without any, one that says so."""
    known = Outlook(
        meter=meter.key,
        unit=meter.unit,
        is_capacity=meter.key == asked.source.capacity,
        is_of_all=is_of_all(asked.source, meter),
    )
    found = current_meters(asked.past, asked.own, meter, asked.now)
    if not found:
        never = f"{unread(asked.own, meter) or 'it was never captured'}: {_cure(asked, known)}"
        yield evolve(known, why=never if meter.unit == PERCENT else _no_bar(meter))
    for current in found:
        one = evolve(known, several=asked.several, percent=current.percent, **asdict(current))
        yield _of_current(asked, meter, one, current)


def _of_current(asked: _Question, meter: Meter, known: Outlook, current: CurrentMeter) -> Outlook:
    """With what is ahead of it, and how many windows fit."""
    change, limit, local = None, current.limit, asked.session.zone
    if limit is None:
        return evolve(known, why=_no_bar(meter))
    if meter.unit == PERCENT:
        change = regime(asked.session, asked.source, meter.key, current.account, several=asked.several)
        ahead = prospect(asked.past, current, meter, asked.now, local, change)
        known = evolve(known, prospect=ahead, change=ahead.change if ahead else None)
    if why := over(current, asked.source.title, asked.now, local) or _aged(meter, current, asked.now):
        return evolve(known, is_over=True, why=f"{why}: {_cure(asked, known)}")
    own = [one for one in asked.moved if not asked.several or one.account == current.account]
    named = asked.plans(current.account)
    by_state: dict[str, list[MeterMoves]] = {"alone": [], "shared": [], "outdated": []}
    for one in own:
        by_state[one.state(named)].append(one)
    costs, shared, outdated = (costs_of(moved, meter, change) for moved in by_state.values())
    is_so = holds(current, asked.now, asked.max_age)
    known = evolve(known, costs=len(costs), left_out=len(shared), outdated=len(outdated))
    if change is not None and any(change.is_before(one.at) for one in by_state["alone"]):
        known = evolve(known, change=change)
    kept = limit * asked.reserve / FULL
    room = max(limit - current.used - kept, 0.0)
    if not costs or (not costs[-1] and meter.unit != PERCENT):
        if is_so and not room:
            return evolve(known, verdict=STOP, why=_no_room(known, limit - current.used, kept))
        return evolve(known, why=_no_cost(own, meter, known))
    found = _verdict(known, costs, room, asked.windows_left)
    age = asked.now - current.at
    if age > asked.max_age and not (found.verdict == STOP and is_so):
        # what was used since is not known, so it cannot be GO
        why = f"the last reading is {too_old(age, asked.max_age)}: {_cure(asked, known)}"
        return evolve(found, verdict=UNKNOWN, why=why)
    if found.is_unmoved and found.verdict != GO and found.fits != (0, 0, 0):
        # it may cost less than the assumed point
        return evolve(found, verdict=UNKNOWN, why=_no_cost(own, meter, known))
    return found


def _cure(asked: _Question, known: Outlook) -> str:
    return new_reading(asked.session, asked.source, known.account, several=known.several)


def _no_room(known: Outlook, left: float, kept: float) -> str | None:
    """Why no window fits, whatever one costs; a meter that is full until its reset has said so already."""
    if known.prospect is not None and known.prospect.is_full:
        return None
    return f"{number(max(left, 0))} {known.unit} left, and the reserve is {number(kept)}: no window fits"


def _no_cost(moved: Sequence[object], meter: Meter, known: Outlook) -> str:
    """Why no cost is known, and what would make it known."""
    nothing = "no finalized window shows what one costs"
    if known.costs:
        return f"{plural(known.costs, 'finalized window')} moved it by 0: a longer one will show what one costs"
    if known.left_out:
        return f"{nothing}: {left_out(known)}; measure one while no other window of this account is open"
    if known.outdated:
        return f"{nothing}: {left_out(known)}; measure one on this plan"
    if not moved:
        return f"{nothing}: `tracker complete` finalizes one"
    return f"{nothing}: measure one that begins and ends between two resets of {meter.key}"


def left_out(known: Outlook) -> str:
    """Which windows do not say what one costs; empty if all do."""
    counts = (
        (known.left_out, f"that overlap{'s' if known.left_out == 1 else ''}"),
        (known.outdated, "of another plan"),
    )
    said = [
        f"{plural(count, 'window')} {which} {'is' if count == 1 else 'are'} left out"
        for count, which in counts
        if count
    ]
    return "; ".join(said)


def _no_bar(meter: Meter) -> str:
    return f"{meter.unit} have no bar: the vendor shows no limit"


def _aged(meter: Meter, current: CurrentMeter, now: datetime) -> str | None:
    """Why a reading without a reset time no longer holds: its meter was certainly reset since."""
    age = now - current.at
    if meter.longest is not None and age >= meter.longest:
        return f"the last reading is {span(age)} old and the meter is reset every {span(meter.longest)}"
    return None


def _verdict(known: Outlook, costs: list[float], room: float, windows_left: int) -> Outlook:
    """room: what windows may cost together, in the meter's unit."""
    from tracker_verdict.stats.room import fits

    # several windows together cost as much as that many of the mean: the median of lopsided costs would promise more
    usual = round(math.fsum(costs) / len(costs), 6)
    cost = (costs[0], usual, costs[-1])

    def fitting(one: float) -> int | None:
        return math.floor(room / one + 1e-9) if one else None if room else 0

    most_costly = cost[2] or HIDDEN
    least, likely, most = math.floor(room / most_costly + 1e-9), fitting(usual), fitting(cost[0])
    chance = fits(costs if any(costs) else [HIDDEN] * len(costs), windows_left, room)
    verdict = GO if chance >= GO_FROM else TIGHT if chance >= TIGHT_FROM else STOP
    return evolve(known, cost=cost, fits=(least, likely, most), probability=chance, verdict=verdict)
