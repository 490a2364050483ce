"""What a reading claims, to be held against the truth."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve

from tracker.api import Change, Gauge, Reading


def later(before: Reading, change: Any) -> Reading:
    """A reading a minute later, in which every value has changed."""
    assert before.as_of is not None

    def moved(gauge: Gauge) -> Gauge:
        return evolve(gauge, used=None if gauge.used is None else change(gauge.used))

    as_of = before.as_of + timedelta(minutes=1)
    return evolve(before, gauges=tuple(moved(gauge) for gauge in before.gauges), as_of=as_of)


def values(reading: Reading) -> dict[str, float]:
    """Every value that a reading gives."""
    return {gauge.meter: gauge.used for gauge in reading.gauges if gauge.used is not None}


def figures(reading: Reading) -> dict[str, Any]:
    """The same, and every number among the fields."""
    fields = reading.fields.items()
    return values(reading) | {
        name: one for name, one in fields if isinstance(one, int | float) and not isinstance(one, bool)
    }


def of(reading: Reading) -> dict[str, Any]:
    """Every value, and of every reset its instant and its words, however they are spaced."""
    found: dict[str, Any] = dict(values(reading))
    for gauge in reading.gauges:
        found[f"{gauge.meter} resets at"] = gauge.reset_at
        found[f"{gauge.meter} resets"] = None if gauge.resets is None else "".join(gauge.resets.split())
    return {name: claim for name, claim in found.items() if claim is not None}


def said(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {claim}" for name, claim in found.items()) or "nothing"


def moves(changes: Iterable[Change]) -> str:
    return ", ".join(f"{change.meter}: {change.delta}" for change in changes)


def is_true(found: Any, true: Any) -> bool:
    """Whether a claim is none at all, or true: an instant to the minute, since an earlier line may say it less well."""
    if isinstance(found, datetime) and isinstance(true, datetime):
        return abs(found - true) < timedelta(minutes=1)
    return found in (None, true)


def kept(reading: Reading) -> str:
    """All the text that a record would keep."""
    words = [gauge.resets for gauge in reading.gauges]
    return json.dumps([words, dict(reading.fields), reading.errors], default=str, ensure_ascii=False)
