"""The home screen: every provider's meters, what is open and due, or what can be read here before the first capture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, time, timedelta, tzinfo

from tracker.api import Cell, FileOrigin, LogOrigin, Period, StatusLineOrigin
from tracker.kernel import Clock, Session, line, plural, span
from tracker_desk import meter_list as meters
from tracker_desk.at_hand import readings, rows_of
from tracker_desk.current_meters import SKEW
from tracker_desk.money import dollars, least
from tracker_desk.status import Lane, LeftOpen, Status
from tracker_desk.status_text import heading, lane_name, next_of_meters, sentence

MOST = 3  # commands that come next


def today_lines(session: Session, status: Status, zone: tzinfo) -> Iterator[str]:
    """What the agents used today, if a feature knows it."""
    today = status.now.astimezone(zone).date()
    # a request dated in the future belongs to its own day
    since, until = (datetime.combine(day, time(), zone) for day in (today, today + timedelta(days=1)))
    for row in rows_of(session, Period(since=since, until=until, names=("today",))):
        requests = plural(int(row["requests"]), "request")
        yield f"Today: {line(row['provider'])} {requests}, {row['tokens']:,} tokens{_money(row)}"


def _money(row: Mapping[str, Cell]) -> str:
    """What it cost; a lower bound if some requests have no price."""
    cost, bare = row.get("cost_usd"), row.get("unpriced_requests")
    without = f"; {plural(bare, 'request')} without a known price" if isinstance(bare, int) and bare else ""
    if not isinstance(cost, float):
        return without
    money = f"at least {least(cost)}" if without else dollars(cost)
    return f", {money} at list prices{without}"


def due_lines(session: Session, status: Status, clock: Clock) -> Iterator[str]:
    """What is open, and the commands that come next."""
    for lane in status.lanes:
        opened: Iterable[Lane | LeftOpen] = (lane, *lane.also_open) if lane.is_open else lane.also_open
        for one in opened:
            is_ahead = one.taken - status.now > SKEW
            since = "since a time in the future" if is_ahead else f"for {span(status.now - one.taken)}"
            why = f": {line(one.due.reason)}" if lane.source and one.due.action is None else ""
            yield f"Open: {line(one.mark.window)} of {lane_name(lane)}, {since}{why}"
    unread = [lane for lane in status.lanes if lane.source is None]
    yield from (f"Left out: {lane_name(lane)}: {line(lane.due.reason)}" for lane in unread)
    commands = [due.command for due in status.ready if due.command]
    # open windows come first: their meters go on
    lanes = sorted(status.lanes, key=lambda lane: not lane.is_open)
    due = [lane.due for lane in lanes if lane.due.command and lane.due.action != "complete"]
    # typed at once, an AFTER would be refused
    commands += [sentence(clock, one) if one.allowed_from else one.command or "" for one in due]
    commands = list(dict.fromkeys(commands))
    yield from (f"Next: {line(command)}" for command in commands[:MOST])
    if more := len(commands[MOST:]):
        yield f"Next: {plural(more, 'more command')}; `tracker status` shows {'it' if more == 1 else 'them'}"
    if status.meters and not status.lanes:
        yield next_of_meters(session, status)
    if status.anomalies:
        yield f"Anomalies: {len(status.anomalies)} open; `tracker status` shows them"


def first_lines(session: Session) -> Iterator[str]:
    """Before the first capture: what can be read here, and the one command to begin with."""
    from tracker_desk.machine import missing

    # usage and events may be there without a capture
    yield "No captures here yet." if session.journal.streams() else "Nothing is recorded here yet."
    begin, known = None, readings(session)
    for name, source in sorted(session.registry.providers.items()):
        # a folder of session files may hold no meter, and session logs never do
        others = [one for one in source.origins if not isinstance(one, FileOrigin | LogOrigin | StatusLineOrigin)]
        places = [one.place for one in known if one.provider == name]
        places += [one.title for one in others if missing(one) is None]
        yield f"  {name}: {'can be read from ' + ', '.join(places) if places else 'has to be pasted'}"
        begin = begin or (f"tracker capture {name}" if places else None)
    sources = session.registry.sources.values()
    if any(session.registry.first("session_files", source=source) for source in sources):
        yield "Session logs found: `tracker usage` shows their tokens and cost, `tracker sync` stores their meters."
    first = next(iter(sorted(session.registry.providers)), "PROVIDER")
    yield f"Begin: {begin or f'tracker start {first}'}"


def show(session: Session, status: Status, zone: tzinfo) -> None:
    """The screen: meters as a table on a terminal, else as text."""
    clock = Clock(status.now, zone)
    session.show(f"{heading(clock)}\n")
    if not status.lanes and not status.meters:
        session.show("\n".join(first_lines(session)), has_cures=True)
        return
    found = meters.rows(status, clock)
    if found and not session.table(meters.columns(found), found):
        session.show("\n".join(meters.lines(found)))
    last = (*([""] if found else []), *today_lines(session, status, zone), *due_lines(session, status, clock))
    session.show("\n".join(last), has_cures=True)
