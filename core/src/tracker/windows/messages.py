"""What a capture stored, said: the records as data, or one line; anomalies and tags beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracker.contract.values import Source
from tracker.session import Session
from tracker.text.render import value
from tracker.windows.store import Stored


def stored_message(session: Session, source: Source, stored: Stored) -> None:
    """Say what was stored: the records themselves with `--json` or `--dry-run`, else one line."""
    records = stored.records
    if session.dry_run or session.json:
        session.data(records[0] if len(records) == 1 else list(records))
    else:
        session.say(_sentence(source, records))
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
