"""The status for people, in the configured zone's local time, and for programs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import islice
from pathlib import Path
from typing import Any

from attrs import asdict, evolve

from tracker.api import Cell, Column, Gauge
from tracker.kernel import Clock, Session, iso, line, span, value
from tracker_desk import at_hand, meter_list
from tracker_desk.current_meters import SKEW, UNNAMED, CurrentMeter
from tracker_desk.status import OPEN, Due, Lane, Status

LANES = (
    Column(key="provider", title="Provider", rank=0),
    Column(key="lane", title="Lane"),
    Column(key="window", title="Window", rank=0),
    Column(key="state", title="State", rank=0),
    Column(key="since", title="Since", kind="instant", rank=3),
    Column(key="also", title="Also open", rank=2),
)
NEXT = Column(key="next", title="Next", rank=4)
SOON = timedelta(hours=6)  # a reset that is further away does not press


def show(session: Session, status: Status, zone: tzinfo) -> None:
    """One screen: on a terminal with tables, which fit it."""
    plain, clock = lines(session, status, zone), Clock(status.now, zone)
    for head in islice(plain, 2):
        session.show(head)
    found = meter_list.rows(status, clock)
    if not found or not session.table(meter_list.columns(found), found):
        for each in plain:
            session.show(each, has_cures=True)
        return
    session.show("")
    if status.lanes:
        session.table(LANES, [lane_row(lane) for lane in status.lanes])
    else:
        session.show(next_of_meters(session, status), has_cures=True)
    for lane in status.lanes:
        typed = [*filter(None, (lane.due.command,)), *(left.command for left in lane.also_open)]
        due = sentence(clock, evolve(lane.due, command=None))
        # a command stays on one line so that it can be copied
        each = "\n".join(("", f"Next for {lane_name(lane)}: {due}", *(f"    {line(one)}" for one in typed)))
        session.show(each, has_cures=True)
    for group in (_outlooks(status), _closing(clock, status)):
        session.show("\n".join(("", *group)), has_cures=True)


def next_of_meters(session: Session, status: Status) -> str:
    """What comes next if meters were only synced: windows from past work, which need its commits, or a new one."""
    here, propose = Path.cwd(), "tracker windows propose"
    measuring = {name: source.capacity for name, source in session.registry.providers.items()}
    if all(measuring.get(one.provider) not in (None, one.meter.key) for one in status.meters):
        # none of these measures a window
        return f"Next: tracker start {status.meters[0].provider} --stdin"
    if any((folder / ".git").exists() for folder in (here, *here.parents)):
        return f"Next: {propose}"
    return f"Next: {propose} (in the repository where you worked), or tracker start {status.meters[0].provider}"


def heading(clock: Clock) -> str:
    """The current time with the zone's name. There, `UTC+2` is a POSIX rule, which counts hours to the west."""
    name, shown = f"{clock.zone}", f"{clock.now:%a %d %b %Y %H:%M %Z}"
    if name.removeprefix("Etc/") == clock.now.tzname():
        return shown
    behind = f", as POSIX means it: {clock.now:UTC%z}" if re.match(r"(UTC|GMT)[+-]?\d", name) else ""
    return f"{shown} ({name}{behind})"


def _until(clock: Clock, instant: datetime) -> str:
    """`14:06 (in 4 min)`."""
    return f"{clock.at(instant)} (in {span(instant - clock.now)})"


def lane_row(lane: Lane) -> Mapping[str, Cell]:
    also = ", ".join(left.mark.window for left in lane.also_open)
    return {
        "provider": lane.mark.provider,
        "lane": lane.agent_id,
        "window": lane.mark.window,
        "state": "open" if lane.is_open else "closed",
        "since": lane.taken,
        "also": also or None,
        "next": lane.due.command or lane.due.reason,
    }


def lane_name(lane: Lane) -> str:
    """`codex, lane sub1`"""
    return line(lane.mark.provider) + (f", lane {line(lane.agent_id)}" if lane.agent_id else "")


def lines(session: Session, status: Status, zone: tzinfo) -> Iterator[str]:
    clock = Clock(status.now, zone)
    yield f"{heading(clock)}  {line(session.root)}"
    if not status.lanes and not status.meters:
        yield from _beginning(session)
    for lane in status.lanes:
        yield ""
        yield from _lane(clock, status, lane)
    for name, shown in status.elsewhere.items():
        yield ""
        yield f"{line(name)}: not in a window"
        yield from _meters(clock, shown)
    if status.meters and not status.lanes:
        yield ""
        yield next_of_meters(session, status)
    if status.outlooks:
        yield ""
    yield from _outlooks(status)
    yield ""
    yield from _closing(clock, status)


def _outlooks(status: Status) -> Iterator[str]:
    several = {one.provider for one in status.meters if one.several}
    for one in status.outlooks:
        account = f" account {line(one.account or UNNAMED)}" if one.provider in several else ""
        yield f"{one.provider} {one.meter}{account}: {line(one.text)}"


def _closing(clock: Clock, status: Status) -> Iterator[str]:
    if ready := [line(due.window) for due in status.ready if not due.reason]:
        yield f"Ready to finalize: {', '.join(ready)}"
    shown = {lane.due.window for lane in status.lanes}
    for due in status.ready:
        if due.reason and due.window not in shown:
            yield f"{line(due.reason)}: {line(due.command)}"
    if status.is_cut:
        yield f"Only the newest {OPEN} windows that are not finalized are shown. `tracker windows` shows all."
    if status.lanes and status.missing:
        yield f"Not captured yet: {', '.join(status.missing)}"
    yield from at_hand.lines(clock, status)
    yield f"Anomalies: {len(status.anomalies)} open"
    for found in status.anomalies:
        about = " ".join(line(found.record.get(key)) for key in ("window", "provider", "kind") if found.record.get(key))
        cure = found.record.get("cure")
        yield f"  - {about}: {value(found.record.get('cause'))}{f'; cure: {line(cure)}' if cure else ''}"


def _beginning(session: Session) -> Iterator[str]:
    names = [name for name, source in session.registry.sources.items() if source.kind == "status"]
    yield "No captures here yet."
    if names:
        yield "Begin with `tracker start PROVIDER --stdin`: pipe or paste the provider's pane into it."
        yield f"Providers: {', '.join(names)}"
    else:
        yield "No provider is installed either: `tracker plugins list` shows what is."


def _lane(clock: Clock, status: Status, lane: Lane) -> Iterator[str]:
    ago = span(clock.now - lane.taken) if lane.taken - clock.now <= SKEW else "in the future"
    state = f"open since {clock.at(lane.taken)} ({ago})" if lane.is_open else f"closed at {clock.at(lane.taken)}"
    yield f"{lane_name(lane)}: {line(lane.mark.window)} {state}"
    yield from _meters(clock, status.shown(lane))
    yield f"  next: {sentence(clock, lane.due)}"
    for left in [one for one in lane.also_open if one.due is not lane.due]:
        why = f"{line(left.due.reason)}: " if left.due.action is None else ""
        yield f"  also open: {line(left.mark.window)} since {clock.at(left.taken)}: {why}{line(left.command)}"


def _meters(clock: Clock, shown: Sequence[CurrentMeter]) -> Iterator[str]:
    width = max((len(line(one.label)) for one in shown), default=0)
    for one in shown:
        age = span(clock.now - one.at)
        yield f"  {line(one.label):{width}}  {one.used}, {age} ago{_reset(clock, one.gauge)}"


def _reset(clock: Clock, gauge: Gauge) -> str:
    if gauge.reset_at is None:
        # the zone or day of the vendor's words is not known
        return f", reset not known (the pane says: {line(gauge.resets)})" if gauge.resets else ""
    if gauge.reset_at <= clock.now:
        return f", was reset {clock.at(gauge.reset_at)}"
    return f", resets {_until(clock, gauge.reset_at)}"


def sentence(clock: Clock, due: Due) -> str:
    how = f": {line(due.command)}" if due.command else ""
    window, reason = line(due.window), line(due.reason)
    if due.action is None:
        return f"nothing to capture here: {reason}{how}"
    if due.action == "before":
        return f"BEFORE of {window}, since {reason}{how}"
    if due.action == "complete":
        return f"{reason if due.reason else f'complete {window}'}{how}"
    if due.allowed_from is not None:
        return f"AFTER allowed from {_until(clock, due.allowed_from)}, since a meter was just reset{how}"
    if due.resets_at is None or due.resets_at - clock.now > SOON:
        return f"AFTER when the work is done{how}"
    until = _until(clock, due.resets_at)
    if due.buffered_until is None:
        return f"AFTER before {until}, when its capacity meter is reset{how}"
    return f"AFTER before {until}, when a meter is reset, or from {clock.at(due.buffered_until)} on{how}"


def document(session: Session, status: Status, zone: tzinfo) -> dict[str, Any]:
    """One JSON object; instants in UTC, ages in seconds."""
    return {
        "schema_version": session.journal.schema_version,
        "now": iso(status.now),
        "timezone": str(zone),
        "data_dir": str(session.root),
        "lanes": [_lane_document(status, lane) for lane in status.lanes],
        "meters": [
            {
                "provider": one.provider,
                "account": one.account,
                "age_s": _seconds(status.now - one.at),
                **_meter_document(one),
            }
            for one in status.meters
        ],
        "outlooks": [
            {"provider": one.provider, "meter": one.meter, "account": one.account, **one.figures}
            for one in status.outlooks
        ],
        "ready": [due.window for due in status.ready if not due.reason],
        "not_captured": list(status.missing),
        "at_hand": [asdict(one, value_serializer=_plain) for one in status.at_hand],
        "anomalies": [found.record | {"record_id": found.record_id} for found in status.anomalies],
    }


def _lane_document(status: Status, lane: Lane) -> dict[str, Any]:
    return {
        "provider": lane.mark.provider,
        "agent_id": lane.agent_id,
        "window": lane.mark.window,
        "open": lane.is_open,
        "phase": lane.mark.phase,
        "captured_at": iso(lane.taken),
        "also_open": [left.mark.window for left in lane.also_open],
        "age_s": _seconds(status.now - lane.as_of),
        "meters": [_meter_document(one) for one in status.shown(lane)],
        "next": asdict(lane.due, value_serializer=_plain),
    }


def _plain(_owner: object, _field: object, found: Any) -> Any:
    """A value of a class as JSON has it."""
    return iso(found) if isinstance(found, datetime) else found


def _meter_document(one: CurrentMeter) -> dict[str, Any]:
    gauge = one.gauge
    return {
        "meter": one.meter.key,
        "used": gauge.used,
        "unit": one.meter.unit,
        "resets": gauge.resets,
        "reset_at": gauge.reset_at and iso(gauge.reset_at),
    }


def _seconds(length: timedelta) -> float:
    return round(length.total_seconds(), 3)
