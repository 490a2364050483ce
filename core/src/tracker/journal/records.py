"""The fields that every record carries, and the id that follows from them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import orjson

from tracker import __version__
from tracker.contract.readings import iso
from tracker.errors import TrackerError
from tracker.journal.files import LINE_LIMIT, NOTHING
from tracker.text.render import DEEPEST, is_too_deep, loads_leniently, plain

try:
    # `hashlib` loads OpenSSL, which costs 2.5 ms of each start; `random` does the same
    from _blake2 import blake2b as blake2b
except ImportError:
    from hashlib import blake2b as blake2b

SCHEMA = "1.1.0"
# the id of the running command, in every record of it, so that they are taken back together; ids sort by time
COMMAND: ContextVar[str | None] = ContextVar("COMMAND", default=None)
# bytes of the id's field, which is added last
ID_ROOM = 64
PHASES = ("before", "after")
# the stream of what records show that cannot be
ANOMALIES = "anomalies"
# the stream of what windows delivered
WINDOWS = "windows"
# the phase of a record of schema 1.0.0 that holds a count's difference and closes its window
COUNT = "count"
LANE = re.compile(r"\bAGENT_ID=([\w.-]+)")
# the name of a window or a lane, which becomes that of a file
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
EXPECTED = "Expected up to 64 letters, digits, '.', '_' and '-'"


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

    `record_id` is the BLAKE2b-128 of the record's canonical JSON (sorted keys, without the id); the random `nonce`
    tells two captures of the same microsecond apart.
    """
    record: dict[str, Any] = {
        "window": window,
        "provider": provider,
        "captured_at": iso(captured_at),
        "source": source,
        "notes": notes,
        "agent_id": agent_id,
        "schema_version": SCHEMA,
        "tool_version": __version__,
        "nonce": os.urandom(8).hex(),
        **({"command_id": command} if (command := COMMAND.get()) else {}),
        **fields,
    }
    if is_too_deep(record):
        raise TrackerError(f"The record is nested deeper than {DEEPEST} levels. {NOTHING}.")
    try:
        content = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # a lone surrogate, from an argument that is not UTF-8, or a number of more than 64 bits
        record = plain(record)
        content = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    if len(content) + ID_ROOM > LINE_LIMIT:
        size = f"{len(content) >> 20} MB as a line. Expected at most {LINE_LIMIT >> 20} MB"
        raise TrackerError(f"The record takes {size}: its text is mostly control characters, or not a text. {NOTHING}.")
    return {"record_id": blake2b(content, digest_size=16).hexdigest(), **record}


def record_id(stream: str, line: bytes, record: Mapping[str, Any]) -> str:
    """The id that a stored record has; records of schema 1.0.0 have none, so it is derived from the line."""
    found = record.get("record_id")
    if isinstance(found, str) and found:
        return found
    return blake2b(line, digest_size=16, person=stream.encode()[:16]).hexdigest()


def decode(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None if it is not an object, or is nested too deep to be written again."""
    try:
        record = orjson.loads(line)
    except (orjson.JSONDecodeError, RecursionError):
        record = loads_leniently(line)
    if not isinstance(record, dict):
        return None
    return None if line.count(b"[") + line.count(b"{") > DEEPEST and is_too_deep(record) else record


def lane_of(record: Mapping[str, Any]) -> str | None:
    """The lane of a record; schema 1.0.0 has it only at the end of the notes."""
    found = record.get("agent_id")
    if found is None and "agent_id" not in record:
        lanes = LANE.findall(text(record.get("notes")))
        return lanes[-1] if lanes else None
    return found if isinstance(found, str) and found else None


def text(value: object) -> str:
    """The value if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def check_lane(agent: str | None) -> str | None:
    """A lane's name, None for the lane without one."""
    # a lane's folder stands beside files
    if agent and (not NAME.fullmatch(agent) or ".." in agent or agent.endswith(".json")):
        raise TrackerError(f"Invalid AGENT_ID {agent[:80]!r}. {EXPECTED}, without '..' and without '.json' at the end.")
    return agent or None


def check_window(window: str) -> str:
    """A window's id."""
    if "," in window:
        several = " ".join(f"--window {one.strip()}" for one in window.split(",") if NAME.fullmatch(one.strip()))
        raise TrackerError(f"Invalid window id {window[:80]!r}. Expected one id each time: {several[:200]}.")
    if not NAME.fullmatch(window):
        raise TrackerError(f"Invalid window id {window[:80]!r}. {EXPECTED}.")
    return window
