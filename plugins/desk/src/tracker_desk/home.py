"""The home screen: every provider's meters, what is open and due, or what can be read here before the first capture."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta, tzinfo

from attrs import frozen

from tracker.api import FileOrigin, Gauge, LogOrigin, Meter, Period, StatusLineOrigin
from tracker.kernel import Clock, Session, line, plural, span, value
from tracker_desk.setup_checks import missing
from tracker_desk.status import Lane, Status

WIDTH = 20
HEADS = ("provider", "meter", "", "used", "read", "resets", "even pace")
FULL, HALF, EMPTY = "█", "▌", "░"
# points ahead of an even pace from which a meter is shown as pressing
AHEAD = 10


@frozen(kw_only=True)
class MeterLine:
    """One meter of a provider, as it is shown; `share` is what is used of the quota, if that is known."""

    provider: str
    meter: str
    share: float | None
    used: str
    age: str
    resets: str
    pace: str
    is_pressing: bool = False

    def bar(self, width: int = WIDTH) -> str:
        """The share as a bar."""
        if self.share is None:
            return ""
        halves = round(min(max(self.share, 0), 1) * width * 2)
        return (FULL * (halves // 2) + HALF * (halves % 2)).ljust(width, EMPTY)


def meter_lines(status: Status, clock: Clock) -> list[MeterLine]:
    """The newest values of each provider."""
    newest: dict[str, Lane] = {}
    for lane in status.lanes:
        known = newest.get(lane.mark.provider)
        if known is None or lane.as_of > known.as_of:
            newest[lane.mark.provider] = lane
    return [_meter_line(lane, meter, gauge, clock) for lane in newest.values() for meter, gauge in lane.gauges]


def _meter_line(lane: Lane, meter: Meter, gauge: Gauge, clock: Clock) -> MeterLine:
    is_past = gauge.reset_at is not None and gauge.reset_at <= clock.now
    is_share = meter.unit == "pp" and gauge.used is not None and not is_past
    share = gauge.used / 100 if is_share and gauge.used is not None else None
    ahead = None if share is None else _ahead(meter, gauge, share, lane)
    return MeterLine(
        provider=lane.mark.provider,
        meter=meter.key,
        share=share,
        used="reset since" if is_past else value(gauge.used, unit="%" if meter.unit == "pp" else f" {meter.unit}"),
        age=f"{span(clock.now - lane.as_of)} ago",
        resets=f"resets {clock.until(gauge.reset_at)}" if gauge.reset_at and not is_past else "",
        pace="" if ahead is None else f"{abs(ahead):.0f} points {'ahead of' if ahead > 0 else 'behind'} an even pace",
        is_pressing=bool(ahead is not None and ahead > AHEAD) or bool(share and share >= 0.9),
    )


def _ahead(meter: Meter, gauge: Gauge, share: float, lane: Lane) -> float | None:
    """Points by which more is used than time has passed, at the instant of the reading."""
    if not isinstance(meter.window, timedelta) or gauge.reset_at is None or not meter.window:
        return None
    passed = 1 - (gauge.reset_at - lane.as_of) / meter.window
    return 100 * (share - passed) if 0 <= passed <= 1 else None


def today_lines(session: Session, status: Status, zone: tzinfo) -> Iterator[str]:
    """What the agents used today, if a feature knows it."""
    midnight = status.now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    for panels in session.registry.ask("panels", session=session, period=Period(since=midnight, names=("today",))):
        for row in (row for panel in panels for row in panel.rows):
            cost = row.get("cost_usd")
            money = f", ${cost:,.2f} at list prices" if isinstance(cost, float) else ""
            requests = plural(int(row["requests"]), "request")
            yield f"Today: {line(row['provider'])} {requests}, {row['tokens']:,} tokens{money}"


def due_lines(status: Status) -> Iterator[str]:
    """What is open, and the commands that come next."""
    for lane in status.lanes:
        name = line(lane.mark.provider) + (f", lane {line(lane.agent_id)}" if lane.agent_id else "")
        if lane.is_open:
            yield f"Open: {line(lane.mark.window)} of {name}, for {span(status.now - lane.taken)}"
    commands = [f"tracker complete --window {window}" for window in status.ready]
    commands += [lane.due.command for lane in status.lanes if lane.due.command and lane.due.action != "complete"]
    for command in list(dict.fromkeys(commands))[:3]:
        yield f"Next: {line(command)}"
    if status.anomalies:
        yield f"Anomalies: {len(status.anomalies)} open; `tracker status` shows them"


def first_lines(session: Session) -> Iterator[str]:
    """Before the first capture: what can be read here, and the one command to begin with."""
    yield "Nothing is recorded here yet."
    begin = None
    for name, source in sorted(session.registry.providers.items()):
        # session logs hold no meters, and a status line shows them only later
        origins = [one for one in source.origins if not isinstance(one, LogOrigin | StatusLineOrigin)]
        found = [origin for origin in origins if missing(origin) is None]
        places = [origin.folder if isinstance(origin, FileOrigin) else origin.title for origin in found]
        yield f"  {name}: {'can be read from ' + ', '.join(places) if places else 'has to be pasted'}"
        begin = begin or (f"tracker capture {name}" if found else None)
    yield f"Begin: {begin or 'tracker start PROVIDER --stdin'}"


def text(session: Session, status: Status, zone: tzinfo) -> Iterator[str]:
    """The screen as plain text."""
    clock = Clock(status.now, zone)
    yield clock.head()
    yield ""
    if not status.lanes:
        yield from first_lines(session)
        return
    rows = meter_lines(status, clock)
    names = max((len(row.provider) for row in rows), default=0), max((len(row.meter) for row in rows), default=0)
    for row in rows:
        notes = ", ".join(filter(None, (row.age, row.resets, row.pace)))
        bar = f"{row.bar():{WIDTH}}  "
        yield f"{row.provider:{names[0]}}  {row.meter:{names[1]}}  {bar}{row.used:>5}  {notes}".rstrip()
    yield ""
    yield from today_lines(session, status, zone)
    yield from due_lines(status)


def _cells(one: MeterLine, width: int, *, is_short: bool) -> tuple[str, ...]:
    resets = one.resets.removeprefix("resets ")
    pace = one.pace.removesuffix(" an even pace").removesuffix(" of")
    return (
        one.provider,
        one.meter,
        one.bar(width),
        one.used,
        one.age,
        resets.partition(" (")[0] if is_short else resets,
        pace,
    )


def show(session: Session, status: Status, zone: tzinfo) -> None:
    """The screen on a terminal, in colour, as wide as it is."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, clock = Console(highlight=False, no_color=session.no_color or None), Clock(status.now, zone)
    console.print(Text(clock.head(), style="bold"))
    if not status.lanes:
        console.print(Text("\n".join(first_lines(session))))
        return
    lines = meter_lines(status, clock)
    # a line for each meter, whatever the width: the pace goes first, then half of the bar, then the time to the reset
    for width, columns, is_short in (
        (WIDTH, 7, False),
        (WIDTH, 6, False),
        (WIDTH // 2, 6, False),
        (WIDTH // 2, 6, True),
    ):
        rows = [HEADS[:columns], *(_cells(one, width, is_short=is_short)[:columns] for one in lines)]
        if sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True)) <= console.width:
            break
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in rows[0]:
        table.add_column(head, justify="right" if head == "used" else "left", no_wrap=True, overflow="ellipsis")
    for one, cells in zip(lines, rows[1:], strict=True):
        style = "red" if one.is_pressing else "green"
        table.add_row(*(Text(cell, style=style if place == 2 else "") for place, cell in enumerate(cells)))
    console.print(table)
    console.print()
    for each in (*today_lines(session, status, zone), *due_lines(status)):
        console.print(Text(each))
