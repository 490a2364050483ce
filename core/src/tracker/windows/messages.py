"""What a capture says: the records as JSON, or one line; values, anomalies, tags and captures nearby beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tracker.contract.readings import EPOCH, from_parsed, instant
from tracker.contract.sources import Source
from tracker.session import Session
from tracker.settings.zones import zone
from tracker.text.clock import Clock, span
from tracker.text.render import line, number, value
from tracker.windows.captures import Capture, canonical

if TYPE_CHECKING:
    from tracker.windows.store import CaptureRequest, Stored


def say(session: Session, source: Source, stored: Stored) -> None:
    """Say what was stored: the records themselves with `--json` or `--dry-run`, else one line."""
    records = stored.records
    if session.dry_run or session.json:
        session.data(records[0] if len(records) == 1 else records)
    elif "phase" not in records[0]:
        scope = records[0]["parsed"].get("scope")
        session.say(f"stored {source.name} {f'{value(scope)} ' if scope else ''}report for {records[0]['window']}")
    else:
        session.say(_sentence(source, records))
        session.note(_values(session, source, stored))
    for found in stored.anomalies:
        session.warn(f"anomaly {found['kind']} in {found['window']}: {found['cause']}; cure: {found['cure']}")
    for note in stored.notes:
        session.note(note)
    for tag in dict.fromkeys(tag for record in records for tag in record["parsed"]["errors"]):
        meaning = source.tags.get(tag.partition(":")[0])
        session.note(f"note: {tag}" + (f" ({meaning})" if meaning else ""))


def _sentence(source: Source, records: Sequence[Mapping[str, Any]]) -> str:
    first, meter = records[0], source.capacity_meter
    name, window, phase = source.name, first["window"], first["phase"]
    seeded = f" and seeded before snapshot for {records[1]['window']}" if len(records) == 2 else ""
    if meter is not None and meter.unit != "pp" and phase == "after":
        figures = f"baseline={value(first['baseline'])}, {meter.unit}={value(first[meter.field_name])}"
        return f"stored {name} delta for {window} ({figures}){seeded}"
    state = "awaiting end" if phase == "before" else "ready to finalize"
    return f"stored {name} {phase} snapshot for {window}" + (seeded or f" ({state})")


def _values(session: Session, source: Source, stored: Stored) -> str:
    """`  fiveh 11% used, resets in 2 h; weekly 64%, resets Wed 06:32`: what was read, and how far it moved."""
    record = stored.records[0]
    taken = instant(record["captured_at"]) or EPOCH
    parts = []
    for gauge in from_parsed(record["parsed"], source, taken).gauges:
        meter = source.meter(gauge.meter)
        if meter is None or gauge.used is None:
            parts.append(f"{gauge.meter} not read")
            continue
        text = f"{gauge.meter} {number(gauge.used)}{'%' if meter.unit == 'pp' else f' {meter.unit}'}"
        text += " used" if meter.unit == "pp" and not parts else ""
        if (moved := stored.moved.get(meter.field_name)) is not None:
            text += f" (+{number(moved)})"
        if gauge.reset_at is not None and gauge.reset_at > taken:
            left = gauge.reset_at - taken
            day = f"{gauge.reset_at.astimezone(zone(session.config.timezone)):%a %H:%M}"
            text += f", resets {f'in {span(left)}' if left < timedelta(days=1) else day}"
        parts.append(text)
    return f"  {'; '.join(parts)}"


# --- what a new BEFORE does to captures that stand already: worth a note, since nothing of it is wrong


def window_notes(session: Session, request: CaptureRequest, new: Capture, group: Sequence[Capture]) -> Iterator[str]:
    """Notes about the captures of a new BEFORE's window, `group`, and about the window that the lane leaves open."""
    source, window = request.source, new.window
    lane = f" --agent {new.agent_id}" if new.agent_id else ""
    lanes = {capture.agent_id for capture in group}
    if request.window is None and lanes and new.agent_id not in lanes:
        found = ", ".join(sorted(f"lane {agent}" if agent else "the lane without a name" for agent in lanes))
        yield (
            f"note: {window} holds captures of {source.name} by {line(found)}, too; one pair per provider and window"
            " counts: `--window` names another"
        )
    own = [capture for capture in group if capture.agent_id == new.agent_id]
    old, clock = canonical(own), Clock(session.now, zone(session.config.timezone))
    delete = f"`tracker alias delete {source.name} --phase before --window {window}{lane}`"
    if old.after is not None and old.before is not None and new.captured_at > old.after.captured_at:
        yield (
            f"note: this BEFORE is later than the AFTER of {clock.at(old.after.captured_at)} in {window}, so it does"
            f" not count until an AFTER follows: `tracker end {source.name} --stdin --window {window}{lane}`, or"
            f" {delete} takes it back"
        )
    elif old.before is not None and canonical([*own, new]).before is new:
        was = f"the BEFORE of {clock.at(old.before.captured_at)}{_meters(source, old.before, new)}"
        yield f"note: this replaces {was}; {delete} takes it back"
    newest = session.index.newest(source.stream, new.agent_id, source.name) if request.phases == ("before",) else None
    if newest is not None and newest.phase == "before" and newest.window != window:
        left = line(newest.window)
        end = f"`tracker end {source.name} --stdin --window {left}{lane}`"
        yield f"note: {left} stays open for {source.name} in this lane; {end} ends it"


def _meters(source: Source, old: Capture, new: Capture) -> str:
    """` (weekly 20% -> 50%)`: the meters that both have."""
    pairs = []
    for gauge in new.reading.gauges:
        meter, was = source.meter(gauge.meter), old.reading.gauge(gauge.meter)
        if meter is not None and was is not None:
            unit = "%" if meter.unit == "pp" else f" {meter.unit}"
            pairs.append(f"{meter.key} {value(was.used, unit=unit)} -> {value(gauge.used, unit=unit)}")
    return f" ({', '.join(pairs)})" if pairs else ""
