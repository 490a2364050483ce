"""Records as rows of a table: nested objects become columns with dotted names, lists become JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Any, TypeAlias

import orjson

from tracker.kernel import Entry, Session

Scalar: TypeAlias = "str | int | float | bool | None"
FIRST = (
    *("record_id", "window", "provider", "phase", "captured_at", "source", "agent_id", "notes", "schema_version"),
    *("tool_version", "nonce", "ts", "rid", "lane", "model", "status"),
)


LONGEST = range(-(1 << 63), 1 << 63)  # what a column of whole numbers can hold


def flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Scalar]]:
    """The columns of a record."""
    for key, value in record.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        elif isinstance(value, Mapping | list):
            yield prefix + key, orjson.dumps(value).decode()
        else:
            yield prefix + key, value


def row(entry: Entry) -> dict[str, Scalar]:
    """A record's columns; one of schema 1.0.0 gets the id that follows from its line."""
    return dict(flat(entry.record)) | {"record_id": entry.record_id}


def rows(session: Session, stream: str, stop: int) -> Iterator[Mapping[str, Scalar]]:
    """The standing records of a stream as rows, those that stand before an offset: it may grow meanwhile."""
    return map(row, takewhile(lambda entry: entry.offset < stop, session.index.entries(stream)))


def columns(table: Iterable[Mapping[str, Scalar]]) -> dict[str, type]:
    """Every column with the type of all its values (text where they differ), the common ones first."""
    found: dict[str, type] = {}
    for one in table:
        for name, value in one.items():
            known, kind = found.get(name, type(None)), type(value)
            if kind is int and value not in LONGEST:
                kind = float
            if kind is not known and value is not None:
                found[name] = _common(known, kind)
            else:
                found.setdefault(name, known)
    ordered = [*(name for name in FIRST if name in found), *sorted(found.keys() - set(FIRST))]
    return {name: str if found[name] is type(None) else found[name] for name in ordered}


def _common(known: type, new: type) -> type:
    if known is type(None):
        return new
    return float if {known, new} == {int, float} else str


def as_type(value: Scalar, kind: type) -> Scalar:
    """The value in its column's type."""
    if value is None or type(value) is kind:
        return value
    if kind is float and isinstance(value, int):
        return float(value)
    return orjson.dumps(value).decode()
