"""Records as rows of a table: nested objects become columns with dotted names, lists become JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Any, TypeAlias

import orjson

from tracker.kernel import Session
from tracker_desk.progress import Advance

Scalar: TypeAlias = "str | int | float | bool | None"
FIRST = (
    *("record_id", "window", "provider", "phase", "captured_at", "source", "agent_id", "notes", "schema_version"),
    *("tool_version", "nonce", "ts", "rid", "lane", "model", "status"),
)


def rows(session: Session, stream: str, stop: int, advance: Advance) -> Iterator[Mapping[str, Scalar]]:
    """The standing records of a stream before an offset: the stream may grow meanwhile."""
    last = 0
    for entry in takewhile(lambda entry: entry.offset < stop, session.index.entries(stream)):
        # a table is read twice: for its columns, and for its cells
        advance((entry.offset - last) // 2)
        last = entry.offset
        # a record of schema 1.0.0 has no id of its own
        yield dict(by_path(entry.record)) | {"record_id": entry.record_id}


def columns(table: Iterable[Iterable[str]]) -> list[str]:
    """Every column, the common ones first."""
    found = {name for row in table for name in row}
    return [*(name for name in FIRST if name in found), *sorted(found - set(FIRST))]


def by_path(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Scalar]]:
    """The values of a record by path, such as `providers.toy.delta`; lists are JSON."""
    for key, value in record.items():
        if isinstance(value, Mapping) and value:
            yield from by_path(value, f"{prefix}{key}.")
        elif isinstance(value, Mapping | list):
            yield prefix + key, orjson.dumps(value).decode()
        else:
            yield prefix + key, value
