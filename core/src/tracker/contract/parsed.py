"""Readings to and from the field `parsed` of a record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tracker.contract.values import Gauge, Reading, Source

EPOCH = datetime.fromtimestamp(0, UTC)  # of records without a time


def compact(value: float) -> float | int:
    """Whole numbers as integers, so that a record says 11 and not 11.0."""
    return int(value) if float(value).is_integer() else value


def iso(instant: datetime) -> str:
    """ISO 8601 in UTC with a `Z`, with microseconds only if there are any."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def instant(text: object) -> datetime | None:
    """The instant of an ISO 8601 text (UTC if it names no zone), None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def to_parsed(reading: Reading, source: Source) -> dict[str, Any]:
    """Flat JSON: `<meter>_pct` (a count: `<meter>_used`), `<meter>_resets`, `<meter>_reset_at`, fields, `errors`."""
    parsed: dict[str, Any] = {}
    for gauge in reading.gauges:
        meter = source.meter(gauge.meter)
        if meter is None:
            raise ValueError(f"reported the meter {gauge.meter!r}, which it does not declare")
        parsed[meter.field_name] = None if gauge.used is None else compact(gauge.used)
        parsed[f"{gauge.meter}_resets"] = gauge.resets
        parsed[f"{gauge.meter}_reset_at"] = gauge.reset_at and iso(gauge.reset_at)
        if gauge.limit is not None:
            parsed[f"{gauge.meter}_limit"] = compact(gauge.limit)
    clash = parsed.keys() & reading.fields.keys()
    if clash:
        raise ValueError(f"the reading's fields repeat a meter's: {', '.join(sorted(clash))}")
    parsed |= reading.fields
    if reading.as_of is not None:
        parsed["as_of"] = iso(reading.as_of)
    parsed["errors"] = list(reading.errors)
    return parsed


def from_parsed(parsed: Mapping[str, Any], source: Source, captured_at: datetime) -> Reading:
    """The reading of a record, of any schema; values of a wrong type are left out, since a file may be edited."""
    keys = {meter.field_name: meter.key for meter in source.meters}
    if source.open_meters:
        keys |= {name: name[:-4] for name in parsed if name.endswith("_pct") and name not in keys}
    gauges = tuple(
        Gauge(
            meter=key,
            used=_number(parsed[name]),
            resets=_text(parsed.get(f"{key}_resets")),
            reset_at=instant(parsed.get(f"{key}_reset_at")),
            limit=_number(parsed.get(f"{key}_limit")),
        )
        for name, key in keys.items()
        if name in parsed
    )
    errors = parsed.get("errors")
    return Reading(
        gauges=gauges,
        errors=tuple(tag for tag in errors if isinstance(tag, str)) if isinstance(errors, list) else (),
        as_of=instant(parsed.get("as_of")) or captured_at,
    )


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
