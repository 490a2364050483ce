"""What every record carries, and how its id follows from it."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Any

import orjson

from tracker import __version__
from tracker.contract.parsed import iso
from tracker.errors import TrackerError
from tracker.journal.files import LINE_LIMIT
from tracker.text.json_values import DEEPEST, is_too_deep, plain

SCHEMA = "1.1.0"
ID_ROOM = 64  # bytes of the id's field, which its record gets in the end


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
        content = _canonical(record)
    except TypeError:  # half characters, as of an argument that is no UTF-8, or numbers of more than 64 bits
        record = plain(record)
        content = _canonical(record)
    if len(content) + ID_ROOM > LINE_LIMIT:
        raise TrackerError(
            f"the record would be a line of {len(content) >> 20} MB, and one of more than {LINE_LIMIT >> 20} MB is not"
            " read back: its text is mostly control characters, or none; nothing was stored"
        )
    return record | {"record_id": _digest(content)}


def identify(record: dict[str, Any]) -> str:
    """The id that the record's content gives; what JSON has no number for (NaN) counts as null."""
    return _digest(_canonical(record))


def _canonical(record: dict[str, Any]) -> bytes:
    return orjson.dumps(
        {key: value for key, value in record.items() if key != "record_id"}, option=orjson.OPT_SORT_KEYS
    )


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
