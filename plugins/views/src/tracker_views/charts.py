"""Charts of a panel's rows as SVG.

Positions across are in per cent and positions down in pixels, so that a chart fills a phone and a wide screen with text
of the same size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import partial
from itertools import pairwise
from typing import Any, TypeAlias

from attrs import frozen
from markupsafe import Markup
from rich.cells import cell_len

from tracker.api import Chart, Column, Panel
from tracker.kernel import plural
from tracker_views.cells import short, text
from tracker_views.fit import cut

Span: TypeAlias = tuple[datetime, datetime]  # from when to when a window was measured
Rows: TypeAlias = Sequence[Mapping[str, Any]]
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
    kinds: Mapping[str, Callable[[Plot], Picture]] = {
        "bars": bars,
        "intervals": partial(bars, draw=_interval),
        "columns": columns,
        "steps": steps,
    }
    return kinds[chart.kind](plot)


def nice(most: float) -> float:
    """The end of a scale: a round number not far above the largest value."""
    if most <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(most))
    return next(step * size for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * size >= most * (1 - 1e-9))


def _svg(pattern: str, **values: Any) -> Markup:
    return Markup(pattern).format(**values)


# --- a line for each row


def _bar(plot: Plot, row: Mapping[str, Any], top: int, scale: float) -> Markup:
    width = 100 * min(max(row[plot.chart.y], 0), scale) / scale
    bar = _svg('<rect x="0" y="{y}" width="{w:.2f}%" height="{h}" rx="2" class="s0"/>', y=top, w=width, h=BAR)
    low, high = plot.range_of(row)
    if low is None or high is None:
        return bar
    a, b = (100 * min(max(one, 0), scale) / scale for one in (low, high))
    shape = '<rect x="{a:.2f}%" y="{y}" width="{w:.2f}%" height="{h}" class="expected"/>'
    return bar + _svg(shape, a=a, y=top, w=max(b - a, 0.5), h=BAR)


def _interval(plot: Plot, row: Mapping[str, Any], top: int, scale: float) -> Markup:
    chart, middle = plot.chart, top + BAR // 2
    low, high = plot.range_of(row)
    found = Markup()
    if low is not None and high is not None:
        a, b = (100 * min(max(one, 0), scale) / scale for one in (low, high))
        found += _svg('<line x1="{a:.2f}%" x2="{b:.2f}%" y1="{y}" y2="{y}" class="range"/>', a=a, b=b, y=middle)
        for end in (a, b):
            found += _svg(
                '<line x1="{x:.2f}%" x2="{x:.2f}%" y1="{a}" y2="{b}" class="end"/>', x=end, a=top, b=top + BAR
            )
    at = 100 * min(max(row[chart.y], 0), scale) / scale
    return found + _svg('<circle cx="{x:.2f}%" cy="{y}" r="{r}" class="s0"/>', x=at, y=middle, r=DOT)


def bars(plot: Plot, draw: Callable[[Plot, Mapping[str, Any], int, float], Markup] = _bar) -> Picture:
    chart, shown = plot.chart, plot.rows[:MOST_BARS]
    scale = chart.top or nice(max(plot.most(shown), chart.at or 0))
    labels = [(plot.words(row, chart.x), _value(plot, row)) for row in shown]
    names = [cut(name, NAME, is_name=True) for name, _ in labels]
    # on a phone the name stands above the value
    is_high = any(cell_len(name + value) > PHONE for name, (_, value) in zip(names, labels, strict=True))
    first, step = (LINE, STEP + LINE) if is_high else (0, STEP)
    body = Markup()
    for place, (row, name, (_, value)) in enumerate(zip(shown, names, labels, strict=True)):
        top = first + place * step
        shape = '<text x="0" y="{y}"{kind}>{name}</text>'
        body += _svg(shape, y=top - first + 13, kind=Markup(' class="above"' if is_high else ""), name=name)
        body += _svg('<text x="100%" y="{y}" class="end-text">{value}</text>', y=top + 13, value=value)
        body += _svg('<rect x="0" y="{y}" width="100%" height="{h}" rx="2" class="rail"/>', y=top + 20, h=BAR)
        if row.get(chart.y) is not None:
            body += draw(plot, row, top + 20, scale)
        if chart.at is not None and chart.at <= scale:
            shape = '<line x1="{x:.2f}%" x2="{x:.2f}%" y1="{a}" y2="{b}" class="mark"/>'
            body += _svg(shape, x=100 * chart.at / scale, a=top + 16, b=top + 24 + BAR)
    some = f"the first {len(shown)} of {len(plot.rows)}" if len(plot.rows) > len(shown) else ""
    end = f" The scale ends at {short(scale, plot.y)}." if chart.kind == "intervals" else ""
    return Picture(
        title=f"{chart.title} ({some})" if some else chart.title,
        description=f"{'; '.join((*map(' '.join, labels), *filter(None, (some,))))}.{end}",
        height=len(shown) * step,
        body=body,
    )


def _value(plot: Plot, row: Mapping[str, Any]) -> str:
    """The row's value with its range."""
    chart, value = plot.chart, plot.words(row, plot.chart.y)
    if not chart.low or not chart.high or None in plot.range_of(row):
        return value
    expected = " expected" if chart.kind == "bars" else ""
    return f"{value} ({plot.words(row, chart.low)} to {plot.words(row, chart.high)}{expected})"


# --- over time


def _across(begin: datetime, end: datetime) -> Callable[[datetime], float]:
    length = (end - begin) / timedelta(seconds=1) or 1.0
    return lambda at: 100 * ((at - begin) / timedelta(seconds=1)) / length


def _grid() -> Markup:
    lines = (HEAD + HEIGHT * (1 - share) for share in (0.0, 0.5, 1.0))
    return Markup().join(_svg('<line x1="0" x2="100%" y1="{y}" y2="{y}" class="grid"/>', y=y) for y in lines)


def _scales(plot: Plot, scale: float, across: Callable[[datetime], float], begin: datetime, end: datetime) -> Markup:
    """The numbers of both axes; they are drawn last, so that nothing crosses them."""
    body = Markup()
    for share in (0.5, 1.0):
        y, shown = HEAD + HEIGHT * (1 - share) - 4, short(scale * share, plot.y)
        body += _svg('<text x="0" y="{y}" class="scale">{v}</text>', y=y, v=shown)
    length = end - begin
    form = "%d %b %H:%M" if length < timedelta(days=3) else "%d %b" if length < timedelta(days=300) else "%b %Y"
    for anchor, at in (("start", begin), ("middle", begin + length / 2), ("end", end)):
        words = f"{at.astimezone(plot.zone):{form}}"
        shape = '<text x="{x:.0f}%" y="{y}" text-anchor="{a}" class="scale">{w}</text>'
        body += _svg(shape, x=across(at), y=HEAD + HEIGHT + 16, a=anchor, w=words)
    return body


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
    scale = chart.top or nice(max(sum(value for _, value in stack) for stack in stacks.values()))
    across, body = _across(begin, end), _grid()
    width = 0.8 * across(begin + step)
    for at, stack in stacks.items():
        base = float(HEAD + HEIGHT)
        for series, value in sorted(stack):
            height = HEIGHT * min(value / scale, 1.0)
            base -= height
            if height:
                body += _svg(
                    '<rect x="{x:.2f}%" y="{y:.1f}" width="{w:.2f}%" height="{h:.1f}" fill="url(#p{s})"/>',
                    x=across(at) + width / 8,
                    y=base,
                    w=width,
                    h=height,
                    s=series,
                )
    body += _scales(plot, scale, across, begin, end)
    totals = {at: sum(value for _, value in stack) for at, stack in stacks.items()}
    most = max(totals, key=lambda at: totals[at])
    highest = f"{text(totals[most], plot.y, plot.zone)} at {_day(plot, most)}"
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
    edge = max([drawn, *(row[chart.x] for row in coming)])
    most = plot.most(plot.rows)
    scale = chart.top if chart.top and chart.top >= most else nice(most)
    across, body = _across(begin, edge), Markup()
    shown = [band for band in plot.bands if band[1] >= begin and band[0] <= end]
    shown = shown if len(shown) <= MOST_BANDS else []
    for opened, closed in shown:
        a, b = max(across(opened), 0.0), min(across(closed), 100.0)
        shape = '<rect x="{a:.2f}%" y="{y}" width="{w:.2f}%" height="{h}" class="band"/>'
        body += _svg(shape, a=a, y=HEAD, w=max(b - a, 0.3), h=HEIGHT)
    body += _grid()
    marks = [row for row in rows if chart.mark and row.get(chart.mark)]
    for row in marks:
        shape = '<line x1="{x:.2f}%" x2="{x:.2f}%" y1="{a}" y2="{b}" class="mark"/>'
        body += _svg(shape, x=across(row[chart.x]), a=HEAD, b=HEAD + HEIGHT)
    line = _line(_points([*rows, {**last, chart.x: drawn}], chart, across, scale))
    body += _scaled(*(_expected(plot, last, row, across, scale) for row in coming), line)
    body += _scales(plot, scale, across, begin, edge if coming or begin == end else end)
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
        said += f" Expected at {_day(plot, row[plot.chart.x])}: {a} to {b}."
    return said


def _expected(
    plot: Plot, last: Mapping[str, Any], row: Mapping[str, Any], across: Callable[[datetime], float], scale: float
) -> Markup:
    """A band that opens from the last value to the range."""
    corners = [(last, float(last[plot.chart.y])), *((row, float(one)) for one in plot.range_of(row))]
    points = " ".join(f"{10 * across(at[plot.chart.x]):.0f},{_down(y, scale):.1f}" for at, y in corners)
    return _svg('<polygon points="{points}" class="expected"/>', points=points)


def _down(value: float, scale: float) -> float:
    return HEIGHT * (1 - min(value / scale, 1.0))


def _points(
    rows: Rows, chart: Chart, across: Callable[[datetime], float], scale: float
) -> Iterator[tuple[float, float]]:
    before: float | None = None
    for row in rows:
        x, y = 10 * across(row[chart.x]), _down(float(row[chart.y]), scale)
        if before is not None:
            yield x, before
        yield x, y
        before = y


def _line(points: Iterator[tuple[float, float]]) -> Markup:
    path = " ".join(f"{x:.0f},{y:.1f}".removesuffix(".0") for x, y in points)
    return _svg('<polyline points="{points}" class="line" vector-effect="non-scaling-stroke"/>', points=path)


def _scaled(*shapes: Markup) -> Markup:
    """Shapes whose places across are in thousandths of the width."""
    return _svg(
        '<svg x="0" y="{top}" width="100%" height="{h}" viewBox="0 0 1000 {h}" preserveAspectRatio="none">{body}</svg>',
        top=HEAD,
        h=HEIGHT,
        body=Markup().join(shapes),
    )
