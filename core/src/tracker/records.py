"""What every record carries, and how its id follows from it."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Any

import orjson

from tracker import __version__
from tracker.parsed import iso

SCHEMA = "1.1.0"


def stamp(
    *,
    window: str | None,
    provider: str | None,
    captured_at: datetime,
    source: str,
    notes: str | None = None,
    agent_id: str | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """A whole record: the common fields first, then its own.

    `record_id` is the BLAKE2b-128 of the record's canonical JSON (sorted keys, without the id); the random `nonce` in
    it keeps two captures of one microsecond apart.
    """
    record: dict[str, Any] = {
        "record_id": "",
        "window": window,
        "provider": provider,
        "captured_at": iso(captured_at),
        "source": source,
        "notes": notes,
        "agent_id": agent_id,
        "schema_version": SCHEMA,
        "tool_version": __version__,
        "nonce": secrets.token_hex(8),
        **fields,
    }
    record["record_id"] = identify(record)
    return record


def identify(record: dict[str, Any]) -> str:
    """The id that the record's content gives."""
    content = {key: value for key, value in record.items() if key != "record_id"}
    return hashlib.blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
