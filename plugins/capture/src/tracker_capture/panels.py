"""The meter history as panels: one for each meter, with its resets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from tracker.api import Cell, Chart, Column, Panel, Period
from tracker.kernel import Session, plural
from tracker_capture.meters import UNNAMED, Point, Series, series

# Rows of one panel. A longer history is summed up in equal spans of time.
MOST = 60


def panels(session: Session, period: Period) -> Iterator[Panel]:
    """Every meter with a history in the period."""
    for found in series(session, period.provider, None, period.since, period.until):
        if len(found.points) > 1:
            coming = [] if period.until else list(_coming(session, found))
            yield _panel(session, found, coming, f", account {found.account or UNNAMED}" if found.several else "")


def _coming(session: Session, found: Series) -> Iterator[Mapping[str, Cell]]:
    """What is expected of a meter at its reset, as a row."""
    source, reset = session.registry.source(found.provider), found.points[-1].reset_at
    if source is None or reset is None or reset <= session.now:
        return
    for one in session.registry.first("meter_outlooks", session=session, source=source) or ():
        expected = one.figures.get("expected")
        if (one.meter, one.account) == (found.meter, found.account) and expected:
            yield {"at": reset, "expected_low": expected[0], "expected_high": expected[1]}


def _panel(session: Session, found: Series, coming: Sequence[Mapping[str, Cell]], account: str) -> Panel:
    source = session.registry.source(found.provider)
    meter = source.meter(found.meter) if source else None
    is_share = meter is not None and meter.unit == "pp"
    kind: Literal["percent", "number"] = "percent" if is_share else "number"
    # without the plugin nothing tells what its values count
    unit = "used" if meter is None else "% used" if is_share else meter.unit
    title = f"{found.provider}, {meter.title if meter else found.meter}{account}"
    resets = sum(point.has_reset for point in found.points)
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
        rows=[*map(_cells, parts(found.points)), *coming],
        charts=(
            Chart(
                kind="steps",
                title=f"{title}, {unit}",
                x="at",
                y="high",
                low="expected_low",
                high="expected_high",
                mark="resets" if resets <= MOST / 2 else None,
                top=100 if is_share else None,
            ),
        ),
    )


def _cells(part: Sequence[Point]) -> Mapping[str, Cell]:
    return {
        "at": part[0].at,
        "until": max(point.until for point in part),
        "used": part[-1].used,
        "high": max(point.used for point in part),
        "resets": sum(point.has_reset for point in part),
    }


def parts(points: Sequence[Point]) -> list[list[Point]]:
    """The points one by one; of a long history those of equal spans of time together."""
    if len(points) <= MOST:
        return [[point] for point in points]
    step = (points[-1].at - points[0].at) / MOST
    found: dict[int, list[Point]] = {}
    for point in points:
        found.setdefault(min(int((point.at - points[0].at) / step), MOST - 1), []).append(point)
    return list(found.values())
