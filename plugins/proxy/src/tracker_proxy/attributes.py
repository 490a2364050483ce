"""What OTLP JSON is nested from: lists of objects, and attributes with typed values.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

from typing import Any

from tracker.api import Rejected
from tracker_proxy import values


def objects(holder: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects; null is protobuf's default, the empty list."""
    found = holder.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise Rejected(f"otlp: {key} is not a list of objects")
    return found


def attributes(holder: object) -> dict[str, object]:
    """Each attribute's value as Python has it, numbers written as text still as text."""
    if holder is None:
        return {}
    if not isinstance(holder, dict):
        raise Rejected("otlp: a resource is not an object")
    return {_key(entry): scalar(entry.get("value")) for entry in objects(holder, "attributes")}


def scalar(value: object) -> object:
    """The one value of `{"stringValue"}`, `{"intValue"}`, `{"doubleValue"}` or `{"boolValue"}`; None for `{}`."""
    if value is None or value == {}:
        return None
    if not isinstance(value, dict):
        return values.UNREADABLE
    text = value.get("stringValue")
    if isinstance(text, str):
        return text
    if isinstance(value.get("boolValue"), bool):
        return value["boolValue"]
    # 64-bit integers are text in protobuf's JSON, but many exporters write numbers
    found = values.number(value.get("intValue", value.get("doubleValue")))
    return found if values.is_number(found) else values.UNREADABLE


def nanoseconds(value: object) -> object:
    """A time of OTLP, text or number; None if it is missing, which is also written as 0."""
    found = values.number(value)
    return None if found in (None, 0) else found


def _key(entry: dict[str, Any]) -> str:
    key = entry.get("key")
    if not isinstance(key, str):
        raise Rejected("otlp: an attribute has no key")
    return key
