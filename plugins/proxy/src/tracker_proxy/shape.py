"""Which program wrote a line: recognized by the names in it, line by line, so that one stream may mix them."""

from __future__ import annotations

from typing import Any

import orjson

from tracker.api import Event, Rejected
from tracker_proxy import litellm, otlp, plain, router

# Names that only the plain form has at its top, whatever else a line of it holds beside them.
PLAIN_ONLY = frozenset({"rid", "lane", "latency_ms"})
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def requests(line: bytes, scratch: dict[str, Any]) -> list[Event]:
    """As `ingest_line` has it."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        if line.startswith(BYTE_ORDER_MARK):
            return requests(line.lstrip(BYTE_ORDER_MARK), scratch)
        if not line.strip():
            return []
        raise Rejected("not JSON") from None  # the cause holds the line
    event = plain.as_is(record)
    return [event] if event is not None else _events(record, scratch)


def _events(record: Any, scratch: dict[str, Any]) -> list[Event]:
    if not isinstance(record, dict):
        raise Rejected("not a JSON object")
    export = otlp.payload(record)
    if export is not None:
        return otlp.events(export)
    if PLAIN_ONLY.isdisjoint(record):
        if "reqId" in record or record.keys() >= router.PINO:
            return router.events(record, scratch)
        if not litellm.TELLING.isdisjoint(record):
            return [litellm.event(record)]
        if plain.TELLING.isdisjoint(record):
            raise Rejected("no known field")
    return [plain.event(record)]
