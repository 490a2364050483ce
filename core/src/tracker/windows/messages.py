"""The messages of a capture: the records as JSON, or one line; values, anomalies and tags beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tracker.contract.readings import EPOCH, from_parsed, instant
from tracker.contract.sources import Source
from tracker.session import Session
from tracker.settings.zones import zone
from tracker.text.clock import span
from tracker.text.render import number, value
from tracker.windows.store import Stored


def stored_message(session: Session, source: Source, stored: Stored) -> None:
    """Say what was stored: the records themselves with `--json` or `--dry-run`, else one line."""
    records = stored.records
    if session.dry_run or session.json:
        session.data(records[0] if len(records) == 1 else list(records))
    else:
        session.say(_sentence(source, records))
        session.note(_values(session, source, stored))
    for found in stored.anomalies:
        session.warn(f"anomaly {found['kind']} in {found['window']}: {found['cause']}; cure: {found['cure']}")
    for note in stored.notes:
        session.note(note)
    tags = dict.fromkeys(tag for record in records for tag in record["parsed"]["errors"])
    for tag in tags:
        meaning = source.tags.get(tag.partition(":")[0])
        session.note(f"note: {tag}" + (f" ({meaning})" if meaning else ""))


def _sentence(source: Source, records: Sequence[Mapping[str, Any]]) -> str:
    first = records[0]
    name, window, phase = source.name, first["window"], first["phase"]
    meter = source.capacity_meter
    if meter is not None and meter.unit != "pp" and phase == "after":
        figures = f"baseline={value(first['baseline'])}, {meter.unit}={value(first[meter.field_name])}"
        done = f"stored {name} delta for {window}"
        end = f" ({figures})"
    else:
        done = f"stored {name} {phase} snapshot for {window}"
        end = " (awaiting end)" if phase == "before" else " (ready to finalize)"
    if len(records) == 2:
        seeded = f" and seeded before snapshot for {records[1]['window']}"
        return done + (f"{end}{seeded}" if "delta" in done else seeded)
    return done + end


def _values(session: Session, source: Source, stored: Stored) -> str:
    """`  fiveh 11% used, resets in 2 h; weekly 64%, resets Wed 06:32`: what was read, and how far it moved."""
    record = stored.records[0]
    taken = instant(record["captured_at"]) or EPOCH
    reading = from_parsed(record["parsed"], source, taken)
    parts = []
    for gauge in reading.gauges:
        meter = source.meter(gauge.meter)
        if meter is None or gauge.used is None:
            parts.append(f"{gauge.meter} not read")
            continue
        text = f"{gauge.meter} {number(gauge.used)}{'%' if meter.unit == 'pp' else f' {meter.unit}'}"
        text += " used" if meter.unit == "pp" and not parts else ""
        moved = stored.moved.get(meter.field_name)
        if moved is not None:
            text += f" (+{number(moved)})"
        if gauge.reset_at is not None and gauge.reset_at > taken:
            text += f", resets {_when(session, taken, gauge.reset_at)}"
        parts.append(text)
    return f"  {'; '.join(parts)}"


def _when(session: Session, now: datetime, reset: datetime) -> str:
    """`in 2 h`, or the day and time if it is over a day ahead."""
    if reset - now < timedelta(days=1):
        return f"in {span(reset - now)}"
    return f"{reset.astimezone(zone(session.config.timezone)):%a %H:%M}"
