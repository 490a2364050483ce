"""Charts of a panel's rows as SVG.

Positions across are in per cent and positions down in pixels, so that a chart fills a phone and a wide screen with text
of the same size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any, TypeAlias

from attrs import frozen
from markupsafe import Markup, escape
from rich.cells import cell_len

from tracker.api import Chart, Column, Panel
from tracker.kernel import plural
from tracker_views.cells import short, text
from tracker_views.fit import cut

Span: TypeAlias = tuple[datetime, datetime]  # from when to when a window was measured
Rows: TypeAlias = Sequence[Mapping[str, Any]]
Ends: TypeAlias = tuple[float, float]
MOST_BARS = 12
MOST_BANDS = 60  # more windows than that are a grey wall
HEIGHT = 180
HEAD = 16  # pixels above the plot, for the scale's first number
SERIES = 6  # patterns that the page defines
ROOM = 50  # the part of a line's time that its last value is drawn for
STEP, LINE, BAR, DOT = 42, 17, 12, 5
NAME, PHONE = 30, 34  # characters: of a name at most, and of a name and a value beside each other on a phone


@frozen(kw_only=True)
class Picture:
    """A chart: what it says in words, its marks, and the names of its series in the order of the patterns."""

    title: str
    description: str
    height: int
    body: Markup
    series: tuple[str, ...] = ()
    has_marks: bool = False
    has_bands: bool = False
    has_forecast: bool = False


class Plot:
    """What the charts of a panel are drawn with."""

    def __init__(self, panel: Panel, chart: Chart, zone: tzinfo, bands: Sequence[Span]) -> None:
        self.chart, self.zone, self.bands = chart, zone, bands
        self.columns = {column.key: column for column in panel.columns}
        self.rows: Rows = [row for row in panel.rows if row.get(chart.x) is not None]

    @property
    def y(self) -> Column:
        return self.columns[self.chart.y]

    def words(self, row: Mapping[str, Any], key: str) -> str:
        return text(row.get(key), self.columns.get(key, self.y), self.zone)

    def range_of(self, row: Mapping[str, Any]) -> tuple[Any, Any]:
        """The row's `low` and `high`, None if it has none."""
        low, high = (row.get(key) if key else None for key in (self.chart.low, self.chart.high))
        return low, high

    def most(self, rows: Rows) -> float:
        """The largest value of some rows, with their ranges."""
        keys = [key for key in (self.chart.y, self.chart.low, self.chart.high) if key]
        return max((float(row[key]) for row in rows for key in keys if row.get(key) is not None), default=0.0)


def picture(panel: Panel, chart: Chart, zone: tzinfo, bands: Sequence[Span] = ()) -> Picture | None:
    """The chart; None if no row has a value."""
    plot = Plot(panel, chart, zone, bands)
    if all(row.get(chart.y) is None for row in plot.rows):
        return None
    over_time = {"columns": columns, "steps": steps}
    return over_time.get(chart.kind, bars)(plot)


def nice(most: float) -> float:
    """The end of a scale: a round number not far above the largest value."""
    if most <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(most))
    return next(step * size for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * size >= most * (1 - 1e-9))


def _tag(name: str, content: str | None = None, **attributes: object) -> Markup:
    """An element, its values escaped; `class_` is the attribute class, `text_anchor` is text-anchor."""
    known = [(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None]
    head = name + "".join(f' {key}="{escape(value)}"' for key, value in known)
    return Markup(f"<{head}/>" if content is None else f"<{head}>{escape(content)}</{name}>")


def _percent(value: float) -> str:
    return f"{value:.2f}%"


def _upright(x: float, top: int, bottom: int, kind: str) -> Markup:
    return _tag("line", x1=_percent(x), x2=_percent(x), y1=top, y2=bottom, class_=kind)


# --- a line for each row: places across are in per cent of the scale


def _bar(value: float, ends: Ends | None, top: int) -> Markup:
    bar = _tag("rect", x=0, y=top, width=_percent(value), height=BAR, rx=2, class_="s0")
    if ends is None:
        return bar
    low, high = ends
    width = _percent(max(high - low, 0.5))
    return bar + _tag("rect", x=_percent(low), y=top, width=width, height=BAR, class_="expected")


def _interval(value: float, ends: Ends | None, top: int) -> Markup:
    middle, found = top + BAR // 2, Markup()
    if ends is not None:
        low, high = ends
        found += _tag("line", x1=_percent(low), x2=_percent(high), y1=middle, y2=middle, class_="range")
        found += _upright(low, top, top + BAR, "end") + _upright(high, top, top + BAR, "end")
    return found + _tag("circle", cx=_percent(value), cy=middle, r=DOT, class_="s0")


def bars(plot: Plot) -> Picture:
    chart, shown = plot.chart, plot.rows[:MOST_BARS]
    draw = _interval if chart.kind == "intervals" else _bar
    scale = chart.top or nice(max(plot.most(shown), chart.at or 0))

    def across(value: float) -> float:
        return 100 * min(max(value, 0), scale) / scale

    labels = [(plot.words(row, chart.x), _value(plot, row)) for row in shown]
    names = [cut(name, NAME, is_name=True) for name, _ in labels]
    # on a phone the name is above the value
    is_high = any(cell_len(name + value) > PHONE for name, (_, value) in zip(names, labels, strict=True))
    first, step = (LINE, STEP + LINE) if is_high else (0, STEP)
    body = Markup()
    for place, (row, name, (_, value)) in enumerate(zip(shown, names, labels, strict=True)):
        top = first + place * step
        body += _tag("text", name, x=0, y=top - first + 13, class_="above" if is_high else None)
        body += _tag("text", value, x="100%", y=top + 13, class_="end-text")
        body += _tag("rect", x=0, y=top + 20, width="100%", height=BAR, rx=2, class_="rail")
        if row.get(chart.y) is not None:
            low, high = plot.range_of(row)
            ends = None if low is None or high is None else (across(low), across(high))
            body += draw(across(row[chart.y]), ends, top + 20)
        if chart.at is not None and chart.at <= scale:
            body += _upright(100 * chart.at / scale, top + 16, top + 24 + BAR, "mark")
    said, some = [" ".join(label) for label in labels], f"the first {len(shown)} of {len(plot.rows)}"
    is_cut = len(plot.rows) > len(shown)
    end = f" The scale ends at {short(scale, plot.y)}." if chart.kind == "intervals" else ""
    return Picture(
        title=f"{chart.title} ({some})" if is_cut else chart.title,
        description=f"{'; '.join([*said, some] if is_cut else said)}.{end}",
        height=len(shown) * step,
        body=body,
    )


def _value(plot: Plot, row: Mapping[str, Any]) -> str:
    """The row's value with its range."""
    chart, value = plot.chart, plot.words(row, plot.chart.y)
    if not chart.low or not chart.high or None in plot.range_of(row):
        return value
    expected = " expected" if chart.kind == "bars" else ""
    high = plot.words(row, chart.high)
    if chart.kind == "intervals" and chart.top is not None and row[chart.high] > chart.top:
        # the scale ends before it, because it says hardly anything
        high = f"over {text(chart.top, plot.y, plot.zone)}"
    return f"{value} ({plot.words(row, chart.low)} to {high}{expected})"


# --- over time


@frozen
class Area:
    """Where an instant is across, in per cent, and a value down, in pixels of the plot."""

    begin: datetime
    end: datetime
    scale: float

    def across(self, at: datetime) -> float:
        length = (self.end - self.begin) / timedelta(seconds=1) or 1.0
        return 100 * ((at - self.begin) / timedelta(seconds=1)) / length

    def down(self, value: float) -> float:
        return HEIGHT * (1 - min(value / self.scale, 1.0))


def _grid() -> Markup:
    lines = (HEAD + HEIGHT * (1 - share) for share in (0.0, 0.5, 1.0))
    return Markup().join(_tag("line", x1=0, x2="100%", y1=y, y2=y, class_="grid") for y in lines)


def _scales(plot: Plot, area: Area, end: datetime, step: timedelta = timedelta(0)) -> Markup:
    """The numbers of both axes, the times up to an end; they are drawn last, so that nothing crosses them.

    step: the length of the column that begins at the end; the last time is printed below it.
    """
    body = Markup()
    for share in (0.5, 1.0):
        y, shown = HEAD + HEIGHT * (1 - share) - 4, short(area.scale * share, plot.y)
        body += _tag("text", shown, x=0, y=y, class_="scale")
    begin, length = area.begin, end - area.begin
    is_short = length < timedelta(days=3) and step < timedelta(days=1)
    form = "%d %b %H:%M" if is_short else "%d %b" if length < timedelta(days=300) else "%b %Y"
    times = dict[str, Markup]()
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        at = begin + length * share
        words, x = f"{at.astimezone(plot.zone):{form}}", f"{area.across(at + step * share):.0f}%"
        place = {"x": x, "y": HEAD + HEIGHT + 16, "text_anchor": anchor}
        times.setdefault(words, _tag("text", words, **place, class_="scale"))
    return body + Markup().join(times.values())


def columns(plot: Plot) -> Picture:
    chart = plot.chart
    names = list(dict.fromkeys(plot.words(row, chart.by) for row in plot.rows)) if chart.by else []
    stacks: dict[datetime, list[tuple[int, float]]] = {}
    for row in sorted(plot.rows, key=lambda row: row[chart.x]):
        if row.get(chart.y) is not None:
            series = min(names.index(plot.words(row, chart.by)), SERIES - 1) if chart.by else 0
            stacks.setdefault(row[chart.x], []).append((series, max(float(row[chart.y]), 0)))
    times = list(stacks)
    step = min((b - a for a, b in pairwise(times)), default=timedelta(days=1))
    begin, end = times[0], times[-1] + step
    totals = {at: sum(value for _, value in stack) for at, stack in stacks.items()}
    scale = chart.top or nice(max(totals.values()))
    area, body = Area(begin, end, scale), _grid()
    width = 0.8 * area.across(begin + step)
    for at, stack in stacks.items():
        base = float(HEAD + HEIGHT)
        for series, value in sorted(stack):
            height = HEIGHT * min(value / scale, 1.0)
            base -= height
            if height:
                x, y = _percent(area.across(at) + width / 8), f"{base:.1f}"
                fill = f"url(#p{series})"
                body += _tag("rect", x=x, y=y, width=_percent(width), height=f"{height:.1f}", fill=fill)
    body += _scales(plot, area, times[-1], step)
    most = max(totals, key=lambda at: totals[at])
    highest = f"{text(totals[most], plot.y, plot.zone)} on {_day(plot, most)}"
    said = f"{plural(len(stacks), 'column')} {_days(plot, begin, times[-1])}; the highest is {highest}."
    shown = (*names[: SERIES - 1], "others") if len(names) > SERIES else tuple(names)
    return Picture(title=chart.title, description=said, height=HEAD + HEIGHT + 22, body=body, series=shown)


def _day(plot: Plot, at: datetime) -> str:
    return f"{at.astimezone(plot.zone):%d %b %Y}"


def _days(plot: Plot, begin: datetime, end: datetime) -> str:
    first, last = _day(plot, begin), _day(plot, end)
    return f"on {first}" if first == last else f"from {first} to {last}"


def steps(plot: Plot) -> Picture:
    chart = plot.chart
    rows = sorted((row for row in plot.rows if row.get(chart.y) is not None), key=lambda row: row[chart.x])
    coming = [row for row in plot.rows if row.get(chart.y) is None and None not in plot.range_of(row)]
    last = rows[-1]
    begin, end = rows[0][chart.x], last[chart.x]
    # without a little more room the last value could not be seen
    drawn = end if coming else end + ((end - begin) / ROOM or timedelta(hours=1))
    most = plot.most(plot.rows)
    scale = chart.top if chart.top and chart.top >= most else nice(most)
    area, body = Area(begin, max([drawn, *(row[chart.x] for row in coming)]), scale), Markup()
    shown = [band for band in plot.bands if band[1] >= begin and band[0] <= end]
    shown = shown if len(shown) <= MOST_BANDS else []
    for opened, closed in shown:
        a, b = max(area.across(opened), 0.0), min(area.across(closed), 100.0)
        width = _percent(max(b - a, 0.3))
        body += _tag("rect", x=_percent(a), y=HEAD, width=width, height=HEIGHT, class_="band")
    body += _grid()
    marks = [row for row in rows if chart.mark and row.get(chart.mark)]
    for row in marks:
        body += _upright(area.across(row[chart.x]), HEAD, HEAD + HEIGHT, "mark")
    line = _line([*rows, {**last, chart.x: drawn}], chart, area)
    body += _scaled(*(_expected(plot, last, row, area) for row in coming), line)
    body += _scales(plot, area, area.end if coming or begin == end else end)
    return Picture(
        title=chart.title,
        description=_steps_words(plot, rows, coming, len(marks)),
        height=HEAD + HEIGHT + 22,
        body=body,
        has_marks=bool(marks),
        has_bands=bool(shown),
        has_forecast=bool(coming),
    )


def _steps_words(plot: Plot, rows: Rows, coming: Rows, marks: int) -> str:
    values = [float(row[plot.chart.y]) for row in rows]
    low, high, last = (text(one, plot.y, plot.zone) for one in (min(values), max(values), values[-1]))
    days = _days(plot, rows[0][plot.chart.x], rows[-1][plot.chart.x])
    said = f"{days[:1].upper()}{days[1:]}: lowest {low}, highest {high}, last {last}"
    said += f"; {plural(marks, 'reset')}." if marks else "."
    for row in coming:
        a, b = (text(one, plot.y, plot.zone) for one in plot.range_of(row))
        said += f" Expected on {_day(plot, row[plot.chart.x])}: {a} to {b}."
    return said


def _expected(plot: Plot, last: Mapping[str, Any], row: Mapping[str, Any], area: Area) -> Markup:
    """A band that opens from the last value to the range."""
    corners = [(last, float(last[plot.chart.y])), *((row, float(one)) for one in plot.range_of(row))]
    points = " ".join(f"{10 * area.across(at[plot.chart.x]):.0f},{area.down(y):.1f}" for at, y in corners)
    return _tag("polygon", points=points, class_="expected")


def _line(rows: Rows, chart: Chart, area: Area) -> Markup:
    """Each value stays until the next one."""
    known = [(10 * area.across(row[chart.x]), area.down(float(row[chart.y]))) for row in rows]
    corners = known[:1]
    for (_, before), (x, y) in pairwise(known):
        corners += [(x, before), (x, y)]
    path = " ".join(f"{x:.0f},{y:.1f}".removesuffix(".0") for x, y in corners)
    return _tag("polyline", points=path, class_="line", vector_effect="non-scaling-stroke")


def _scaled(*shapes: Markup) -> Markup:
    """Shapes whose places across are in thousandths of the width."""
    box, body = f"0 0 1000 {HEIGHT}", Markup().join(shapes)
    size = {"x": 0, "y": HEAD, "width": "100%", "height": HEIGHT}
    return _tag("svg", body, **size, viewBox=box, preserveAspectRatio="none")
