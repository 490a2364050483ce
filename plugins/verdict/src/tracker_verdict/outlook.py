"""How likely planned windows fit before each reset, from what windows have cost."""

from __future__ import annotations

import math
import os
import shlex
import shutil
import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from tracker.api import CommandOrigin, ExchangeOrigin, FileOrigin, HttpOrigin, Meter, MeterOutlook, Origin, Source
from tracker.kernel import Session, Windows, canonical, iso, line, number, plural, span, value, zone
from tracker_verdict.accounts import MIXED, NO_ACCOUNT, accounts
from tracker_verdict.prospect import Prospect, local_time, prospect
from tracker_verdict.prospect import lines as words
from tracker_verdict.settings import VerdictSettings
from tracker_verdict.standings import (
    FRESH,
    PERCENT,
    USUAL,
    Standing,
    captures,
    history,
    is_of_all,
    newest_windows,
    of_accounts,
    standings,
)
from tracker_verdict.weeks import FULL, weeks_before

ONE_MODEL = "this is the meter of one model: it stops work with that model alone and does not count for the verdict"
GO, TIGHT, STOP, UNKNOWN = "GO", "tight", "STOP", "unknown"
# The probabilities that the planned windows fit from which the verdict is GO, or tight.
GO_FROM, TIGHT_FROM = 0.8, 0.5
# Fewer windows say nothing of how their costs differ: the probability is that of the spread that STATS2 takes for
# granted. GO then fits in 79 to 93 % of simulated cases of one window, and in 87 to 97 % of three.
MEASURED_FROM = 3


@frozen(kw_only=True)
class Outlook:
    """One meter: its last value, what a window usually costs, and how many still fit above the reserve.

    cost, fits: (least, usual, most); the usual cost is the median of the finalized windows' deltas, `fits` counts with
    the most, the usual and the least cost, None if windows of that cost have no limit: they cost nothing.
    probability: that the planned windows fit. why: what is missing if the verdict is unknown. several: whether the
    provider has readings of more than one account. is_of_all: whether it stops all work if it is full.
    """

    meter: str
    title: str
    is_capacity: bool
    is_of_all: bool = True
    account: str | None = None
    several: bool = False
    unit: str = PERCENT
    used: float | None = None
    limit: float | None = None
    percent: float | None = None
    taken_at: datetime | None = None
    reset_at: datetime | None = None
    costs: int = 0
    cost: tuple[float, float, float] | None = None
    fits: tuple[int, int | None, int | None] | None = None
    probability: float | None = None
    verdict: str = UNKNOWN
    why: str | None = None
    prospect: Prospect | None = None

    @property
    def assumption(self) -> str | None:
        """What the probability rests on, if windows do not measure it yet."""
        if self.probability is None or self.costs >= MEASURED_FROM:
            return None
        return f"how much costs differ is assumed: {plural(self.costs, 'window')} of {MEASURED_FROM} that measure it"


def outlooks(
    session: Session,
    source: Source,
    now: datetime,
    windows_left: int,
    windows: Sequence[str] | None = None,
    *,
    is_brief: bool = False,
    max_age: timedelta = FRESH,
) -> list[Outlook]:
    """Every meter of a provider, the capacity meter first; `windows` say what one costs.

    is_brief: of few windows. max_age: how old a reading may be for GO.
    """
    # a plan does not read years of windows
    if is_brief or windows is None:
        windows = session.index.newest_windows(USUAL)
    newest = newest_windows(session, source)
    past, deltas = history(session, source, now), _deltas(session, source, windows)
    # without a history the captures alone tell which accounts there are
    own = captures(session, source, newest if is_brief and past else {*newest, *windows})
    shown = [*(gauge.meter for one in own for gauge in one.capture.reading.gauges), *(one.meter for one in past)]
    meters = [meter for key in dict.fromkeys([source.capacity, *shown]) if key and (meter := source.meter(key))]
    local, reserve = zone(session.config.timezone), session.settings(VerdictSettings).reserve_pp
    several = len({*(one.account for one in own), *(one.account for one in past)}) > 1
    found = []
    for meter in meters:
        known = Outlook(
            meter=meter.key,
            title=meter.title,
            unit=meter.unit,
            is_capacity=meter.key == source.capacity,
            is_of_all=is_of_all(source, meter),
        )
        now_shown = standings(past, own, meter, now)
        if not now_shown:
            never = f"it was never captured: {_cure(session, source, known)}"
            found.append(evolve(known, why=never if meter.unit == PERCENT else _no_bar(meter)))
        for standing in now_shown:
            one = evolve(
                known,
                account=standing.account,
                several=several,
                used=standing.used,
                limit=standing.limit,
                percent=standing.percent,
                taken_at=standing.taken_at,
                reset_at=standing.reset_at,
            )
            if not standing.limit:
                found.append(evolve(one, why=_no_bar(meter)))
                continue
            readings = of_accounts(past, meter.key).get(standing.account, [])
            if meter.unit == PERCENT:
                weeks = partial(weeks_before, readings, local)
                one = evolve(one, prospect=prospect(weeks, standing, meter, now, local))
            costs = _costs(deltas, meter, standing.account if one.several else None)
            wanted = (now, max_age, reserve, windows_left, local)
            found.append(_outlook(session, source, meter, one, standing, costs, wanted))
    return found


def _no_bar(meter: Meter) -> str:
    return f"{meter.unit} have no bar: the vendor does not say where they end"


def _deltas(session: Session, source: Source, windows: Sequence[str]) -> list[tuple[str | None, Mapping[str, Any]]]:
    """What the meters moved in each finalized window, with its account; of one account to another nothing moves."""
    named = accounts(session, windows)
    return [
        (named.get((window, source.name)), entry["delta"])
        for window, row in Windows(session).finalized(windows).items()
        if isinstance(entry := row.providers.get(source.name), Mapping)
        and isinstance(entry.get("delta"), Mapping)
        and named.get((window, source.name)) != MIXED
    ]


def _costs(deltas: Sequence[tuple[str | None, Mapping[str, Any]]], meter: Meter, account: str | None) -> list[float]:
    """What windows cost, sorted; of one of several accounts only its own."""
    return sorted(
        float(one)
        for owner, delta in deltas
        if account in (None, owner)
        and isinstance(one := delta.get(meter.field_name), int | float)
        and not isinstance(one, bool)
        and one >= 0
    )


def _outlook(
    session: Session,
    source: Source,
    meter: Meter,
    known: Outlook,
    standing: Standing,
    costs: list[float],
    wanted: tuple[datetime, timedelta, float, int, tzinfo],
) -> Outlook:
    now, max_age, reserve, windows_left, local = wanted
    if over := _over(meter, standing, now, local):
        return evolve(known, why=f"{over}: {_cure(session, source, known)}")
    if not costs or not costs[-1]:
        return evolve(known, costs=len(costs), why="no finalized window says what one costs")
    found = _verdict(evolve(known, costs=len(costs)), costs, reserve, windows_left)
    age = now - standing.at
    if found.verdict != STOP and age > max_age:
        # what was used since is not known, so that it may not be GO; a full meter stays full until its reset
        why = f"the last reading is {span(age)} old; {span(max_age)} are the most: {_cure(session, source, known)}"
        return evolve(found, verdict=UNKNOWN, why=why)
    return found


def _over(meter: Meter, standing: Standing, now: datetime, local: tzinfo) -> str | None:
    """Why a reading says nothing about now: its meter was reset since, for certain; None where it still holds."""
    if standing.reset_at is not None and standing.reset_at <= now:
        return f"it was reset at {local_time(standing.reset_at, now, local)} and not read since"
    age = now - standing.at
    if meter.longest is not None and age >= meter.longest:
        return f"the last reading is {span(age)} old and the meter is reset every {span(meter.longest)}"
    return None


def _cure(session: Session, source: Source, known: Outlook) -> str:
    """What to type for a new reading. It replaces no BEFORE: a sample touches no window, and an open one is ended.

    Of several accounts only a window of the meter's own one is ended, and a new one begins in a window of its own.
    """
    name, on = source.name, f" on account {known.account}" if known.several and known.account else ""
    asked = any(map(_is_here, source.origins)) and session.registry.first("meter_sampler", session=session, every=FRESH)
    if asked:
        return f"`tracker capture --sample {name}`{on}"
    newest = {lane: mark for lane, mark in session.index.lanes(source.stream) if mark.provider == name}
    if known.several:
        windows = [mark.window for mark in newest.values()]
        named, groups = accounts(session, windows), Windows(session).captures(windows)
        # the account of a window is that of its pair: a capture that does not count may be of another one
        own = {window for window, provider in groups if provider == name and named.get((window, name)) == known.account}
        counting = {one.record_id for window in own for one in canonical(groups[window, name]) if one}
        newest = {lane: mark for lane, mark in newest.items() if mark.record_id in counting}
    opened = {lane: mark for lane, mark in newest.items() if mark.phase == "before"}
    chosen = opened or newest if known.several else opened
    lane = session.lane if session.lane in chosen else next(iter(chosen), session.lane)
    agent = "" if lane == session.lane else f" --agent {shlex.quote(lane or '')}"
    if opened:
        return f"`tracker end {name}{agent}`{on}, which ends {line(opened[lane].window)}"
    place = f" --window {shlex.quote(_free_window(session, name))}" if known.several else ""
    return f"`tracker start {name}{agent}{place}`{on}"


def _free_window(session: Session, name: str) -> str:
    """The next window that is not finalized and holds no capture of the provider."""
    found = next(iter(session.index.newest_windows(1)), "W0-01")
    while any(session.index.entries("windows", [found])) or (found, name) in Windows(session).captures([found]):
        found = Windows(session).following(found)
    return found


def _is_here(origin: Origin) -> bool:
    if isinstance(origin, CommandOrigin | ExchangeOrigin):
        return shutil.which(origin.argv[0]) is not None
    if isinstance(origin, HttpOrigin):
        return bool(os.environ.get(origin.key))
    if isinstance(origin, FileOrigin):
        return Path(os.environ.get(origin.variable or "") or origin.folder).expanduser().is_dir()
    # only the other program knows whether it was asked
    return False


def _verdict(known: Outlook, costs: list[float], reserve: float, windows_left: int) -> Outlook:
    from tracker_verdict.stats.room import fits

    assert known.used is not None
    assert known.limit is not None
    usual = statistics.median(costs)
    room = max(known.limit * (1 - reserve / FULL) - known.used, 0.0)
    cost = (costs[0], usual, costs[-1])

    def fitting(one: float) -> int | None:
        return math.floor(room / one + 1e-9) if one else None if room else 0

    least, likely, most = math.floor(room / cost[2] + 1e-9), fitting(usual), fitting(cost[0])
    chance = fits(costs, windows_left, room)
    verdict = GO if chance >= GO_FROM else TIGHT if chance >= TIGHT_FROM else STOP
    return evolve(known, cost=cost, fits=(least, likely, most), probability=chance, verdict=verdict)


def overall(found: list[Outlook]) -> str:
    """The worst that a meter says, as the gate has it: not one of a single model. Unknown if the capacity meter is."""
    for verdict in (STOP, TIGHT):
        if any(one.verdict == verdict for one in found if one.is_of_all):
            return verdict
    return next((one.verdict for one in found if one.is_capacity), UNKNOWN)


def lines(
    source: Source, found: list[Outlook], reserve: float, windows_left: int, now: datetime, local: tzinfo
) -> Iterator[str]:
    """The plan in words."""
    for one in found:
        reset = f", reset {local_time(one.reset_at, now, local)}" if one.reset_at else ""
        at = f" at {local_time(one.taken_at, now, local)}" if one.taken_at else ""
        name = f" account {one.account or NO_ACCOUNT}" if one.several else ""
        used = value(one.used, unit="% used" if one.unit == PERCENT else f" {one.unit}")
        if one.unit != PERCENT and one.limit:
            used = f"{value(one.used)} of {number(one.limit)} {one.unit} used"
        yield f"{source.name} {one.meter}{name}: {used}{at}{reset}"
        if one.prospect is not None:
            yield from words(one.prospect, local)
        if one.cost is None or one.fits is None:
            yield f"  unknown: {one.why}"
            continue
        least, usual, most = (number(cost) for cost in one.cost)
        spread = f"{least} to {most}, " if one.costs > 1 else ""
        yield f"  a usual window costs {usual} {one.unit} ({spread}of {plural(one.costs, 'window')})"
        leave = "leaves" if one.fits[1] == 1 else "leave"
        yield f"  {_room(*one.fits)} and {leave} {number(reserve * (one.limit or FULL) / FULL)} {one.unit}"
        yield f"  {plural(windows_left, 'planned window')}: {_chance(one.probability)} likely to fit: {one.verdict}"
        if one.verdict == UNKNOWN:
            yield f"  unknown: {one.why}"
        elif not one.is_of_all and one.verdict != GO:
            yield f"  {ONE_MODEL}"
        if one.assumption:
            yield f"  {one.assumption}"
    for account, verdict in verdicts(found).items():
        own = [one for one in found if account in ("", one.account or NO_ACCOUNT)]
        words_of_gate = risk(own, windows_left) if verdict in (GO, TIGHT) else ""
        yield f"{source.name}{f' account {account}' if account else ''} verdict: {verdict}{words_of_gate}"


def risk(found: Sequence[Outlook], windows_left: int) -> str:
    """What to add to a verdict where planned windows fit, but the gate stops: it asks about the whole week."""
    for one in found:
        if one.is_capacity and one.prospect is not None and one.prospect.is_risky:
            chance = one.prospect.chance
            how = one.prospect.word if chance is None else f"{chance}% likely"
            planned = plural(windows_left, "window")
            return f" for {planned}; {one.meter} is {how} to be full before the reset, so `tracker gate` stops"
    return ""


def verdicts(found: list[Outlook]) -> dict[str, str]:
    """The verdict of each account, by its name; of a single one under an empty name."""
    several = {one.account or NO_ACCOUNT for one in found if one.several}
    if not several:
        return {"": overall(found)}
    return {name: overall([one for one in found if (one.account or NO_ACCOUNT) == name]) for name in sorted(several)}


def brief(session: Session, source: Source, found: Sequence[Outlook]) -> Iterator[MeterOutlook]:
    """What is worth saying of each meter beside its value."""
    local = zone(session.config.timezone)
    for one in found:
        ahead = one.prospect
        has_words = ahead is not None and (ahead.is_full or ahead.linear)
        parts = [text.strip() for text in words(ahead, local, is_brief=True)] if ahead and has_words else []
        if one.fits is not None:
            parts.append(_room(*one.fits))
        if parts:
            figures: dict[str, Any] = {"windows_that_fit": one.fits, "forecast": ahead and ahead.shown()}
            figures["expected"] = ahead and ahead.expected
            yield MeterOutlook(source.name, one.meter, one.account, "; ".join(parts), figures)


def _chance(probability: float | None) -> str:
    """In whole per cent, but never 0 or 100."""
    assert probability is not None
    return f"{number(100 * min(max(probability, 0.01), 0.99), 0)}%"


def _room(low: int, usual: int | None, high: int | None) -> str:
    """How many fit, in words; the verdict goes by the probability."""
    if usual is None:
        return f"{low} or more windows fit (the usual window cost nothing)"
    more = f"{usual} more {'window fits' if usual == 1 else 'windows fit'}"
    if high is None:
        return more + (f" ({low} or more: the cheapest window cost nothing)" if usual else "")
    return more + (f" ({low} to {high})" if low != high else "")


def document(source: Source, found: list[Outlook], reserve: float, windows_left: int) -> dict[str, Any]:
    """The plan as JSON values."""
    return {
        "provider": source.name,
        "reserve_pp": reserve,
        "windows_planned": windows_left,
        "verdict": overall(found),
        **({} if "" in (own := verdicts(found)) else {"verdict_of_account": own}),
        "meters": [
            {
                "meter": one.meter,
                "account": one.account,
                "capacity": one.is_capacity,
                "used": one.used,
                "unit": one.unit,
                "limit": one.limit,
                "used_pct": one.percent,
                "captured_at": one.taken_at and iso(one.taken_at),
                "reset_at": one.reset_at and iso(one.reset_at),
                "windows_measured": one.costs,
                "cost": one.cost and dict(zip(("least", "usual", "most"), one.cost, strict=True)),
                "windows_that_fit": one.fits and dict(zip(("least", "usual", "most"), one.fits, strict=True)),
                "probability": one.probability,
                "spread": None if one.probability is None else "assumed" if one.assumption else "measured",
                "verdict": one.verdict,
                "why": one.why,
                "forecast": one.prospect and one.prospect.shown(),
            }
            for one in found
        ],
    }
