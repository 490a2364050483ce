"""How likely planned windows fit before each reset, from what windows have cost."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import evolve, frozen

from tracker.api import Gauge, Meter, Source
from tracker.kernel import Capture, Session, captures, finalized, iso, number, plural, span, value
from tracker_verdict.settings import VerdictSettings

FULL = 100.0
GO, TIGHT, STOP, UNKNOWN = "GO", "tight", "STOP", "unknown"
# The probabilities that the planned windows fit from which the verdict is GO, or tight.
GO_FROM, TIGHT_FROM = 0.8, 0.5


@frozen(kw_only=True)
class Outlook:
    """One meter: its last value, what a window usually costs, and how many still fit above the reserve.

    cost, fits: (least, usual, most); the usual cost is the median of the finalized windows' deltas, `fits` counts with
    the most, the usual and the least cost, None if windows of that cost have no limit: they cost nothing.
    probability: that the planned windows fit. why: what is missing if the verdict is unknown.
    """

    meter: str
    title: str
    is_capacity: bool
    used: float | None = None
    taken_at: datetime | None = None
    reset_at: datetime | None = None
    costs: int = 0
    cost: tuple[float, float, float] | None = None
    fits: tuple[int, int | None, int | None] | None = None
    probability: float | None = None
    verdict: str = UNKNOWN
    why: str | None = None


def outlooks(
    session: Session, source: Source, now: datetime, windows_left: int, windows: Sequence[str] | None = None
) -> list[Outlook]:
    """Every meter of a provider that has a bar, the capacity meter first; `windows` say what one costs (None: all)."""
    groups = captures(session.index, session.registry)
    own = [capture for (_, name), group in groups.items() if name == source.name for capture in group]
    deltas = [
        entry["delta"]
        for row in finalized(session.index, windows).values()
        if isinstance(entry := row.providers.get(source.name), Mapping) and isinstance(entry.get("delta"), Mapping)
    ]
    keys = dict.fromkeys([source.capacity, *(gauge.meter for capture in own for gauge in capture.reading.gauges)])
    meters = [meter for key in keys if key and (meter := source.meter(key))]
    return [_outlook(session, source, meter, own, deltas, now, windows_left) for meter in meters]


def _outlook(
    session: Session,
    source: Source,
    meter: Meter,
    own: list[Capture],
    deltas: list[Mapping[str, Any]],
    now: datetime,
    windows_left: int,
) -> Outlook:
    known = Outlook(meter=meter.key, title=meter.title, is_capacity=meter.key == source.capacity)
    if meter.unit != "pp":
        return evolve(known, why=f"{meter.unit} have no bar: the vendor does not say where they end")
    shown = [
        (capture.order, capture, gauge)
        for capture in own
        if (gauge := capture.reading.gauge(meter.key)) and gauge.used is not None
    ]
    if not shown:
        return evolve(known, why=f"it was never captured: `{_capturing(source)}`")
    _, capture, gauge = max(shown, key=lambda one: one[0])
    known = evolve(known, used=gauge.used, taken_at=capture.captured_at, reset_at=gauge.reset_at)
    if past := _past(meter, capture, gauge, now):
        return evolve(known, why=f"{past}: `{_capturing(source)}`")
    costs = sorted(
        float(found)
        for delta in deltas
        if isinstance(found := delta.get(meter.field_name), int | float) and not isinstance(found, bool) and found >= 0
    )
    if not costs or not costs[-1]:
        return evolve(known, costs=len(costs), why="no finalized window says what one costs")
    return _verdict(evolve(known, costs=len(costs)), costs, session.settings(VerdictSettings).reserve_pp, windows_left)


def _past(meter: Meter, capture: Capture, gauge: Gauge, now: datetime) -> str | None:
    """Why a reading says nothing about now: its meter was reset since, for certain; None where it still holds."""
    if gauge.reset_at is not None and gauge.reset_at <= now:
        return f"it was reset at {iso(gauge.reset_at)} and not captured since"
    age = now - (capture.reading.as_of or capture.captured_at)
    if meter.longest is not None and age >= meter.longest:
        return f"the last reading is {span(age)} old and the meter is reset every {span(meter.longest)}; capture again"
    return None


def _capturing(source: Source) -> str:
    """The command that takes a new reading."""
    return f"tracker capture {source.name}" if source.origins else f"tracker alias start {source.name} --stdin"


def _verdict(known: Outlook, costs: list[float], reserve: float, windows_left: int) -> Outlook:
    from tracker_verdict.stats.room import fits

    assert known.used is not None
    usual = statistics.median(costs)
    room = max(FULL - reserve - known.used, 0.0)
    cost = (costs[0], usual, costs[-1])

    def fitting(one: float) -> int | None:
        return math.floor(room / one + 1e-9) if one else None if room else 0

    least, likely, most = math.floor(room / cost[2] + 1e-9), fitting(usual), fitting(cost[0])
    chance = fits(costs, windows_left, room)
    verdict = GO if chance >= GO_FROM else TIGHT if chance >= TIGHT_FROM else STOP
    return evolve(known, cost=cost, fits=(least, likely, most), probability=chance, verdict=verdict)


def overall(found: list[Outlook]) -> str:
    """The worst that a meter says; unknown if the capacity meter is."""
    for verdict in (STOP, TIGHT):
        if any(one.verdict == verdict for one in found):
            return verdict
    return next((one.verdict for one in found if one.is_capacity), UNKNOWN)


def lines(source: Source, found: list[Outlook], reserve: float, windows_left: int) -> Iterator[str]:
    """The plan in words."""
    for one in found:
        reset = f", reset {iso(one.reset_at)}" if one.reset_at else ""
        at = f" at {iso(one.taken_at)}" if one.taken_at else ""
        yield f"{source.name} {one.meter}: {value(one.used, unit='% used')}{at}{reset}"
        if one.cost is None or one.fits is None:
            yield f"  unknown: {one.why}"
            continue
        least, usual, most = (number(cost) for cost in one.cost)
        spread = f"{least} to {most}, " if one.costs > 1 else ""
        yield f"  a usual window costs {usual} pp ({spread}of {plural(one.costs, 'window')})"
        yield f"  {_room(*one.fits)} and leave {number(reserve)} pp"
        yield f"  {plural(windows_left, 'planned window')}: {_chance(one.probability)} likely to fit: {one.verdict}"
    yield f"verdict: {overall(found)}"


def _chance(probability: float | None) -> str:
    """In whole per cent, but never 0 or 100."""
    assert probability is not None
    return f"{number(100 * min(max(probability, 0.01), 0.99), 0)}%"


def _room(low: int, usual: int | None, high: int | None) -> str:
    """How many fit, in words; the verdict goes by the probability."""
    if usual is None:
        return f"{low} or more fit (the usual window cost nothing)"
    if high is None:
        return f"{usual} more fit" + (f" ({low} or more: the cheapest window cost nothing)" if usual else "")
    return f"{usual} more fit" + (f" ({low} to {high})" if low != high else "")


def document(source: Source, found: list[Outlook], reserve: float, windows_left: int) -> dict[str, Any]:
    """The plan as JSON values."""
    return {
        "provider": source.name,
        "reserve_pp": reserve,
        "windows_planned": windows_left,
        "verdict": overall(found),
        "meters": [
            {
                "meter": one.meter,
                "capacity": one.is_capacity,
                "used_pct": one.used,
                "captured_at": one.taken_at and iso(one.taken_at),
                "reset_at": one.reset_at and iso(one.reset_at),
                "windows_measured": one.costs,
                "cost": one.cost and dict(zip(("least", "usual", "most"), one.cost, strict=True)),
                "windows_that_fit": one.fits and dict(zip(("least", "usual", "most"), one.fits, strict=True)),
                "probability": one.probability,
                "verdict": one.verdict,
                "why": one.why,
            }
            for one in found
        ],
    }
