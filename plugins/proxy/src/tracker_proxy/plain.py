"""The plain form: one request a line under an event's own names; every other form is brought into it first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, TypeAlias, cast

from tracker.api import Event
from tracker_proxy import values
from tracker_proxy.values import LIMIT, YEAR_10000, is_usual

Reader: TypeAlias = "tuple[Callable[[object], object], str]"

# What an event holds, who reads it, and the tag of a value that cannot be read.
FIELDS: Final[dict[str, Reader]] = {
    "ts": (values.time, "ts:invalid"),
    "rid": (values.identifier, "rid:invalid"),
    "lane": (values.name, "lane:invalid"),
    "model": (values.name, "model:invalid"),
    "status": (values.status, "status:invalid"),
    "input_tokens": (values.count, "tokens:invalid"),
    "output_tokens": (values.count, "tokens:invalid"),
    "reason": (values.word, "reason:invalid"),
    "latency_ms": (values.milliseconds, "latency:invalid"),
}
# These are in an event only if the line has them apart from `input_tokens`.
CACHE_FIELDS: Final[dict[str, Reader]] = dict.fromkeys(
    ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens"), (values.count, "tokens:invalid")
)
READERS: Final = FIELDS | CACHE_FIELDS
BLANK: Final = dict.fromkeys(FIELDS)
WIDTH: Final = len(FIELDS)
TEXTS = frozenset({"rid", "lane", "model", "status", "reason"})  # for these, programs write "" if there is no value
TELLING = frozenset(FIELDS) - {"ts", "reason"}  # a time and a message alone are some other program's log line

NUMBERS = frozenset({int, float})
_parse_time = datetime.fromisoformat
_fields = itemgetter(*FIELDS)


def event(fields: Mapping[str, object]) -> Event:
    """The event of a line's fields; a value that cannot be read is left out and tagged, and the event stays."""
    found: dict[str, Any] = dict(BLANK)
    tags: list[str] = []
    for field, (read, tag) in READERS.items():
        value = fields.get(field)
        if value is None or (value == "" and field in TEXTS):
            continue
        found[field] = read(value)
        if found[field] is None and tag not in tags:
            tags.append(tag)
    status, reason = found["status"], found["reason"]
    missing = status is None and "status:invalid" not in tags
    found["routed"] = values.is_routed(found["lane"], found["model"])
    found["ok"] = missing or values.is_healthy(status) or values.is_healthy(reason)
    if found["ok"] and found["input_tokens"] is found["output_tokens"] is None and "tokens:invalid" not in tags:
        tags.append("tokens:missing")
    if tags:
        found["tags"] = tags
    return cast(Event, found)


def kept(field: str, value: object) -> object:
    """A value while its request waits for more lines: as an event holds it, so that nothing long or private waits."""
    if value is None or value == "":
        return None
    found = READERS[field][0](value)
    return values.UNREADABLE if found is None else found


def as_is(record: Any) -> Event | None:
    """The record itself as the event, if it has no other fields and each is as `event` would give it; else None.

    Nearly every line of a plain stream is such a one, and this takes less than half of `event`'s time. It may say None
    to any record, but what it lets through must equal `event`'s answer: a test holds the two together.
    """
    try:
        if len(record) != WIDTH:
            if not record.keys() <= FIELDS.keys():
                return None
            record = BLANK | record
        ts, rid, lane, model, status, inputs, outputs, reason, latency = _fields(record)
        if (
            type(inputs) is int
            and 0 <= inputs < LIMIT
            and type(outputs) is int
            and 0 <= outputs < LIMIT
            and type(latency) in NUMBERS
            and 0 <= latency < LIMIT
            and type(status) is not float
            and (is_usual(ts) and _parse_time(ts) if type(ts) is str else type(ts) in NUMBERS and 0 <= ts < YEAR_10000)
            and (
                (len(rid) <= 36 and rid.replace("-", "").isalnum() and "sk-" not in rid)
                or values.identifier(rid) is rid
            )
        ):
            record["routed"], record["ok"] = _verdict(lane, model, status, reason)
            whole: Event = record
            return whole
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    return None


# typed, since 0 and 1 equal False and True, which are no status
@lru_cache(maxsize=1024, typed=True)
def _verdict(lane: object, model: object, status: object, reason: object) -> tuple[bool, bool]:
    """Routed and ok of a lane, model, status and reason that need no repair; a stream has few of these combinations.

    ValueError for any that `event` would change: those are never kept, so what is kept is short, and no private text
    among it.
    """
    fields = {"lane": lane, "model": model, "status": status, "reason": reason, "input_tokens": 0}
    judged = event(fields)
    if "tags" in judged or any(judged.get(field) != value for field, value in fields.items()):
        raise ValueError("needs repair")
    return judged["routed"], judged["ok"]
