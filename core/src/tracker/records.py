"""What every record carries, and how its id follows from it."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Any

import orjson

from tracker import __version__
from tracker.errors import TrackerError
from tracker.parsed import iso
from tracker.plain import DEEPEST, is_too_deep, plain

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
    if is_too_deep(record):
        raise TrackerError(f"the record would be nested deeper than {DEEPEST} levels; nothing was stored")
    try:
        record["record_id"] = identify(record)
    except TypeError:  # half characters, as of an argument that is no UTF-8, or numbers of more than 64 bits
        record = plain(record)
        record["record_id"] = identify(record)
    return record


def identify(record: dict[str, Any]) -> str:
    """The id that the record's content gives; what JSON has no number for (NaN) counts as null."""
    content = {key: value for key, value in record.items() if key != "record_id"}
    return hashlib.blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
