"""The meter history as panels: one for each meter, with its resets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Literal

from attrs import evolve

from tracker.api import Cell, Chart, Column, Panel, Period
from tracker.kernel import Session, plural, span
from tracker_capture.meters import UNNAMED, Point, Series, series

# Rows of one panel. A longer history is summed up in equal spans of time.
MOST = 60
FEW = MOST // 2  # resets that are marked, each with a row of its own


def panels(session: Session, period: Period) -> Iterator[Panel]:
    """Every meter with a history in the period."""
    for found in series(session, period.provider, None, period.since, period.until):
        past = evolve(found, points=[point for point in found.points if not point.is_future])
        if len(past.points) > 1:
            coming = [] if period.until else list(_coming(session, past))
            yield _panel(session, past, coming, f", account {found.account or UNNAMED}" if found.several else "")


def _coming(session: Session, found: Series) -> Iterator[Mapping[str, Cell]]:
    """What is expected of a meter at its reset, as a row."""
    source, reset = session.registry.source(found.provider), found.points[-1].reset_at
    if source is None or reset is None or reset <= session.now:
        return
    for one in session.registry.first("meter_outlooks", session=session, source=source) or ():
        expected = one.figures.get("expected")
        if (one.meter, one.account) == (found.meter, found.account) and expected:
            yield {"at": reset, "expected_low": round(expected[0], 1), "expected_high": round(expected[1], 1)}


def _panel(session: Session, found: Series, coming: list[Mapping[str, Cell]], account: str) -> Panel:
    source = session.registry.source(found.provider)
    meter = source.meter(found.meter) if source else None
    is_share = meter is not None and meter.unit == "pp"
    kind: Literal["percent", "number"] = "percent" if is_share else "number"
    # without the plugin it is not known what its values count
    unit = "used" if meter is None else "% used" if is_share else meter.unit
    title = f"{found.provider}, {meter.title if meter else found.meter}{account}"
    resets = sum(point.has_reset for point in found.points)
    points = _with_newest(found.points)
    step = _step(points)
    summed = f" (highest of each {span(step)})" if step else ""
    return Panel(
        name=f"meter-{found.provider}-{found.meter}-{found.account or 'any'}",
        title=title,
        place=30,
        about=f"Meter history: {plural(len(found.points), 'reading')}, {plural(resets, 'reset')}.",
        columns=(
            Column(key="at", title="From", kind="instant", rank=0),
            Column(key="used", title=f"Last, {unit}", kind=kind, rank=0),
            Column(key="high", title=f"Highest, {unit}", kind=kind),
            Column(key="resets", title="Resets", kind="count", rank=1),
            Column(key="until", title="To", kind="instant", rank=2),
            Column(key="expected_low", title="Expected from, %", kind="percent", rank=3),
            Column(key="expected_high", title="to, %", kind="percent", rank=3),
        ),
        rows=[_cells(found, part) for part in parts(points, step)] + coming,
        charts=(
            Chart(
                kind="steps",
                title=f"{title}, {unit}{summed}",
                x="at",
                y="high",
                low="expected_low",
                high="expected_high",
                mark="resets" if resets <= FEW else None,
                top=100 if is_share else None,
            ),
        ),
    )


def _cells(found: Series, part: Sequence[Point]) -> Mapping[str, Cell]:
    return {
        # without a column: a view shows the windows of this account after the line
        "provider": found.provider,
        "account": found.account if found.several else None,
        "at": part[0].at,
        "until": max(point.until for point in part),
        "used": part[-1].used,
        "high": max(point.used for point in part),
        "resets": sum(point.has_reset for point in part),
    }


def _with_newest(points: Sequence[Point]) -> Sequence[Point]:
    """The points; a last value that stayed also has one where it was read last."""
    last = points[-1]
    return points if last.until == last.at else [*points, evolve(last, at=last.until, has_reset=False)]


def _step(points: Sequence[Point]) -> timedelta | None:
    """How much time one row of a long history covers."""
    resets = sum(point.has_reset for point in points)
    spans = MOST - 1 - (resets if resets <= FEW else 0)
    return (points[-1].at - points[0].at) / spans if len(points) > MOST else None


def parts(points: Sequence[Point], step: timedelta | None) -> list[list[Point]]:
    """The points one by one; of a long history those of each step of time together, but the newest one alone.

    A reset begins another part, unless there are many.
    """
    if step is None:
        return [[point] for point in points]
    *earlier, newest = points
    few = sum(point.has_reset for point in points) <= FEW
    found: dict[tuple[int, int], list[Point]] = {}
    resets = 0
    for point in earlier:
        resets += few and point.has_reset
        found.setdefault((int((point.at - points[0].at) / step), resets), []).append(point)
    return [*found.values(), [newest]]
