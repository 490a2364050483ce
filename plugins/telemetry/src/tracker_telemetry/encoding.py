"""Events as JSON and by column, checked: what could not be stored or added up is a `TypeError`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from tracker_telemetry.envelope import RESERVED
from tracker_telemetry.event_columns import Column, Row, columns_of, row_of

Event = dict[str, Any]
LABEL = frozenset({str, type(None)})
LANE, MODEL, ROUTED, OK = range(2, 6)  # of a row


def encode(event: Event) -> tuple[bytes, Row]:
    """One event; where it does not say whether it is routed, or well, it is not routed, and well."""
    if not isinstance(event, dict):
        raise TypeError(f"an event is a {type(event).__name__}, expected a dict")
    if not RESERVED.isdisjoint(event):
        raise TypeError(f"an event has a field of the core's: {RESERVED & event.keys()}")
    if type(event.get("routed")) is not bool or event.get("ok") is None:
        event = {**event, "routed": event.get("routed") is True, "ok": event.get("ok") in (None, True)}
    row = row_of(event)
    if type(row[LANE]) not in LABEL or type(row[MODEL]) not in LABEL:
        raise TypeError("an event's lane or model is neither a text nor None")
    return orjson.dumps(event), row


def encode_all(events: Sequence[Event]) -> tuple[list[bytes], Sequence[Column]]:
    """Some hundred events at once, which takes half the time; a `TypeError` does not say which one is wrong."""
    if set(map(type, events)) != {dict}:
        raise TypeError("not every event is a dict")
    names: set[str] = set().union(*events)
    columns = columns_of(events, names)
    lanes, models, routed, ok = columns[LANE], columns[MODEL], columns[ROUTED], columns[OK]
    is_labelled = {*map(type, lanes), *map(type, models)} <= LABEL
    if not is_labelled or set(map(type, routed)) != {bool} or None in ok or not RESERVED.isdisjoint(names):
        raise TypeError("not every event is as it is to be")
    return list(map(orjson.dumps, events)), columns
