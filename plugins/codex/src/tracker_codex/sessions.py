"""Codex's session files as requests: each response of the model counts once, over all files that show it.

`token_usage_record` stands once per response, compaction included, and its `response_id` is the key. Files of older
clients have `token_count` alone, with running totals: there the key is the total and the thread, which a copy shows
that lacks a line before. A legacy fork copies its parent's history at once: these copies have a key without a thread,
which fits that of every thread with the same total.

`scratch` is the state of one file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from tracker.api import Event, LogOrigin, Rejected, TelemetrySource, epoch, hookimpl

if TYPE_CHECKING:
    from tracker_codex.session_rows import Payload, Row, Usage

Numbers: TypeAlias = "tuple[int, int, int, int, int]"  # input with caches, read, written, output, reasoning

# A line without one of these tells nothing here. They stand in it whatever its spacing; the first one finds
# `token_usage_record`, `token_count` and newer types.
WORDS = ('"token_', '"session_meta"', '"turn_context"', '"thread_settings_applied"')
SOURCE = TelemetrySource(
    contract="1.2",
    name="codex-sessions",
    title="Codex sessions",
    stream="codex_sessions",
    tags={"model:unknown": "No line before the request names its model; it has no price."},
    origins=tuple(
        LogOrigin(
            name=name.replace("_", "-"),
            title=f"Codex's {name.replace('_', ' ')}",
            variable="CODEX_HOME",
            folder="~/.codex",
            pattern=f"{name}/**/rollout-*.jsonl",
            words=WORDS,
        )
        for name in ("sessions", "archived_sessions")
    ),
)
_WORDS = tuple(word.encode() for word in WORDS)
OTHERS = frozenset(("response_item", "compacted"))  # what was said: rows that may quote one with tokens
KINDS = (
    *("input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens"),
    *("reasoning_output_tokens", "total_tokens"),
)
MOST_NAMES, LONGEST = 20, 40  # of what is unknown in a file
LARGEST = 2**53
BURST_SECONDS = 1.0  # a legacy fork writes its parent's history at once
# tags: the event counts if that session is known, whose copy it may be, or unless that session showed it before
COPY, DOUBT = "if-session:", "unless-session:"


@hookimpl
def source_info() -> TelemetrySource:
    return SOURCE


@hookimpl
def ingest_line(line: bytes, scratch: dict[str, Any]) -> list[Event]:
    """The request that the line reports, if it is the first to report it in this file."""
    try:
        row = _reader("is_odd" in scratch)(line)
    except ValueError:
        _note_torn(line, scratch)
        row = _reader(True)(line)
        scratch["is_odd"] = True  # the next rows will hardly be of other types
    payload, kind = row.payload, row.type
    if payload is None:
        _note_row(line, kind, scratch)
        return []
    if kind == "event_msg":
        kind = payload.type
    if scratch.get("is_fork"):
        _pulse(row, scratch)
    if kind == "token_usage_record":
        return _recorded(payload, row, line, scratch)
    if kind == "token_count":
        info = payload.info
        if info is None or info.total_token_usage is None or info.last_token_usage is None:
            _whole(line)
        return _counted(payload, row, scratch)
    if kind == "turn_context":
        if payload.model is None:
            _whole(line)
        scratch["has_begun"] = True
        scratch["model"] = _text(payload.model) or scratch.get("model")
    elif kind == "session_meta":
        _meet(_whole(line)["payload"], row, scratch)
    elif kind == "thread_settings_applied":
        _settings(_whole(line)["payload"], scratch)
    elif not (isinstance(kind, str) and kind in OTHERS):
        _note_row(line, kind, scratch)
    return []


@cache
def _reader(is_odd: bool) -> Callable[[bytes], Row]:
    """What makes a row of a line; of one with fields of other types than expected, if it is odd."""
    from tracker_codex.session_rows import decode, unchecked  # late: msgspec takes 40 ms

    return (lambda line: unchecked(_whole(line))) if is_odd else decode


def _whole(line: bytes) -> dict[str, Any]:
    """The row of a line with all that it says; an empty one if it tells nothing here."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        if any(word in line for word in _WORDS):
            raise Rejected("not JSON") from None
        return {}
    if not isinstance(row, dict):
        raise Rejected("not a JSON object")
    return row


# --- what says whose requests follow


def _meet(payload: Mapping[str, Any], row: Row, scratch: dict[str, Any]) -> None:
    """The first names the file's own thread; those that follow it at once, whose history a legacy fork has copied."""
    thread = _text(payload.get("id"))
    if thread and "\ufffd" in thread:  # by which its requests would count again
        raise Rejected("a damaged id")
    if scratch.get("is_subagent"):  # whose items are copies, and whose requests are its own
        return
    if "thread" in scratch:
        if thread != scratch["thread"] and not scratch["is_paginated"] and "total" not in scratch:
            scratch["parent"], scratch["is_fork"] = scratch["parent"] or thread, True
            scratch["burst"] = scratch["forked"] = epoch(row.timestamp)
        return
    git, account = payload.get("git"), payload.get("creator_account_id")
    scratch["thread"] = thread
    scratch["burst"] = scratch["forked"] = epoch(row.timestamp)
    scratch["parent"] = _text(payload.get("forked_from_id"))
    scratch["is_paginated"] = payload.get("history_mode") == "paginated" or bool(payload.get("history_base"))
    is_based = bool(scratch["parent"] or payload.get("history_base")) and scratch["is_paginated"]
    source = payload.get("source")  # "cli", or an object with one name, such as `custom`
    is_subagent = isinstance(source, dict) and any("agent" in name for name in source)  # whose totals start at 0
    scratch["is_subagent"] = is_subagent
    scratch["is_based"] = is_based and not is_subagent
    scratch["is_fork"] = bool(scratch["parent"]) and not (scratch["is_paginated"] or is_subagent)
    scratch["own"] = {
        "session": thread,
        "project": _text(payload.get("cwd")),
        "branch": _text(git.get("branch")) if isinstance(git, dict) else None,
        "account": _digest(account, 6) if isinstance(account, str) else None,
        "client": _text(payload.get("cli_version")),
    }


def _pulse(row: Row, scratch: dict[str, Any]) -> None:
    """Notice where the copied history may end: behind the first gap."""
    at, before = epoch(row.timestamp), scratch.get("burst")
    if at is not None and before is not None and at - before > BURST_SECONDS:
        scratch["is_fork"], scratch["may_copy"] = False, True
    scratch["burst"] = before if at is None else at


def _settings(payload: Mapping[str, Any], scratch: dict[str, Any]) -> None:
    settings = payload.get("thread_settings")
    settings = settings if isinstance(settings, dict) else payload
    scratch["tier"] = _text(settings.get("service_tier"))
    scratch["model"] = _text(settings.get("model")) or scratch.get("model")
    if _text(payload.get("thread_id")) == scratch.get("thread"):
        scratch["is_fork"] = scratch["may_copy"] = False


# --- requests


def _note_torn(line: bytes, scratch: dict[str, Any]) -> None:
    """Note the response that a record which cannot be read is of; the `token_count` beside it counts in its place."""
    found = re.search(rb'"response_id" *: *"([^"\\]+)"', line)
    if found or b'"token_usage_record"' in line:
        scratch["torn"] = found and found[1].decode("utf-8", "replace")


def _recorded(payload: Payload, row: Row, line: bytes, scratch: dict[str, Any]) -> list[Event]:
    if payload.usage is None or payload.response_id is None:
        _note_torn(line, scratch)
        _whole(line)  # msgspec does not see that a name is damaged
    scratch.pop("torn", None)
    usage = _numbers(payload.usage)
    if usage is None:
        return []
    thread = _text(payload.thread_id)
    is_copy = thread is not None and thread != scratch.get("thread", thread)
    if (early := scratch.pop("early", None)) is not None and _is_early(early, usage, payload, row, is_copy=is_copy):
        return []
    # the `token_count` beside it, also if both are copies
    scratch["covered"] = [*scratch.get("covered", ())[-7:], usage]
    if is_copy or not any(usage):
        return []
    _note(payload.usage, scratch)
    key = _text(payload.response_id)
    if key is None:
        key = _hash(thread, payload.turn_id, _numbers(payload.thread_token_usage), usage)
    return [_event(key, usage, row, scratch)]


def _is_early(early: Sequence[Any], usage: Numbers, payload: Payload, row: Row, *, is_copy: bool) -> bool:
    """Whether the `token_count` of the same response stands before its record, and was counted.

    All that a fork copied at once has one time, which tells nothing.
    """
    shown, at, total = early
    if tuple(shown) != usage:
        return False
    now, whole = epoch(row.timestamp), _numbers(payload.thread_token_usage)
    if at is None or now is None or abs(now - at) > BURST_SECONDS:
        return False
    if whole is None or total is None:
        return not is_copy
    # a further response has a larger total
    return whole != tuple(a + b for a, b in zip(total, usage, strict=True))


def _counted(payload: Payload, row: Row, scratch: dict[str, Any]) -> list[Event]:
    """What a running total grew by; of a response that has a record, it is known already."""
    limits, info = payload.rate_limits, payload.info
    if limits is not None:
        scratch["plan"] = _text(limits.plan_type) or scratch.get("plan")
    if info is None:
        return []
    total, last = _numbers(info.total_token_usage), _numbers(info.last_token_usage)
    if total is None and last is None:
        raise Rejected("token_count without usage")
    known = scratch.get("total")
    before: Numbers | None = None if known is None else tuple(known)
    if total is not None:
        scratch["total"] = total
        if total == before:
            return []  # written again
        if before is not None and sum(total) < sum(before):
            scratch["resets"] = scratch.get("resets", 0) + 1
    usage = last if last is not None else _grown(total, before)
    if _is_covered(usage, scratch, is_known=last is not None or before is not None):
        return []
    if before is None and scratch.get("is_based"):
        if total is not None and total != last and not scratch.get("has_begun"):
            return []  # its parent's, written again
        if last is None:
            raise Rejected("the first total of a fork, which holds its parent's")
    if usage is None or not any(usage):
        return []  # after a compaction
    _note(info.last_token_usage, scratch)
    thread = "" if scratch.get("is_fork") else scratch.get("thread") or ""
    key = scratch.pop("torn", None) or f"{_base(total, last, row, scratch)}/{thread}"
    event = _event(key, usage, row, scratch)
    if scratch.get("is_fork"):
        event["tags"] = [*event.get("tags", []), f"{COPY}{scratch['parent']}"]
        return [event]
    scratch["early"] = usage, epoch(row.timestamp), total
    if scratch.get("may_copy"):
        event["rid"], event["tags"] = str(scratch["forked"]), [*event.get("tags", []), f"{DOUBT}{scratch['parent']}"]
    return [event]


def _base(total: Numbers | None, last: Numbers | None, row: Row, scratch: Mapping[str, Any]) -> str:
    """What tells a `token_count` from others, whatever stands before it: the total, which grows but for a reset."""
    shown = [scratch.get("resets", 0), *((epoch(row.timestamp),) if total is None else (total[0], total[3]))]
    return ".".join(map(str, shown if last is None else (*shown, last[0], last[3])))


def _is_covered(usage: Numbers | None, scratch: dict[str, Any], *, is_known: bool) -> bool:
    """Whether records before a `token_count` tell its usage: one of them, or all of them together.

    An older client that goes on writes none. What it used is known unless the file's first total stands alone.
    """
    covered = scratch.get("covered")
    if not covered:
        return False
    known = [*map(tuple, covered)]
    scratch["covered"] = []
    if usage in known:
        # each covers its own
        scratch["covered"] = known[known.index(usage) + 1 :]
        return True
    if not is_known or usage is None or not any(usage):
        return True
    return usage[0] in (*(one[0] for one in known), sum(one[0] for one in known))


def _grown(total: Numbers | None, before: Numbers | None) -> Numbers | None:
    if total is None:
        return None
    if before is None or sum(total) < sum(before):  # the first, or counted from 0 anew
        return total
    a, b, c, d, e = (max(new - old, 0) for new, old in zip(total, before, strict=True))
    return a, b, c, d, e


def _event(key: str, usage: Numbers, row: Row, scratch: Mapping[str, Any]) -> Event:
    inputs, read, written, output, reasoning = usage
    if read + written > inputs:
        read = min(read, inputs)
        written = min(written, inputs - read)
    model = scratch.get("model")
    event: Event = {
        "ts": epoch(row.timestamp),
        "key": key,
        "model": model,
        "input_tokens": inputs - read - written,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "output_tokens": output,
        "reasoning_tokens": reasoning if reasoning < output else output,
        "plan": scratch.get("plan"),
        **scratch.get("own", {}),  # type: ignore[typeddict-item]
    }
    if scratch.get("tier") not in (None, "default", "auto", "standard"):
        event["speed"] = scratch["tier"]
    if model is None:
        event["tags"] = ["model:unknown"]
    return event


# --- what is not known: newer clients write what nobody has seen yet


def _note(usage: Usage | dict[str, Any] | None, scratch: dict[str, Any]) -> None:
    """Note tokens of an unknown kind, which a `Usage` cannot have."""
    if not isinstance(usage, dict):
        return
    for name in sorted(usage.keys() - KINDS):
        if name.endswith("_tokens") and usage[name] and len(name) <= LONGEST and name.isidentifier():
            _count_unknown(f"rows with {name}", scratch)


def _note_row(line: bytes, kind: object, scratch: dict[str, Any]) -> None:
    """Note a row of an unknown type that shows tokens."""
    _note_torn(line, scratch)
    if _has_tokens(_whole(line)):
        is_named = isinstance(kind, str) and len(kind) <= LONGEST and kind.replace("-", "_").isidentifier()
        _count_unknown(f"rows of type {kind if is_named else '(odd)'}", scratch)


def _has_tokens(value: object, depth: int = 5) -> bool:
    """Whether it is or holds a usage."""
    if not isinstance(value, dict) or depth == 0:
        return False
    if any(isinstance(value.get(name), int) and value[name] > 0 for name in ("input_tokens", "output_tokens")):
        return True
    return any(_has_tokens(one, depth - 1) for one in value.values())


def _count_unknown(name: str, scratch: dict[str, Any]) -> None:
    if scratch.get("is_fork"):  # a copy of its parent's
        return
    counts = scratch.setdefault("unknown", {})
    if name in counts or len(counts) < MOST_NAMES:
        counts[name] = counts.get(name, 0) + 1


# --- values


def _numbers(usage: Usage | dict[str, Any] | None) -> Numbers | None:
    if usage is None:
        return None
    if isinstance(usage, dict):
        a, b, c, d, e = (_count(usage.get(name)) for name in KINDS[:5])
        return a, b, c, d, e
    read, written = usage.cached_input_tokens, usage.cache_write_input_tokens
    return usage.input_tokens, read, written, usage.output_tokens, usage.reasoning_output_tokens


def _count(value: object) -> int:
    """A count; another value makes the line unreadable: unreadable is not zero."""
    if type(value) is int and 0 <= value < LARGEST:
        return value
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer() and 0 <= value < LARGEST:
        return int(value)
    raise Rejected("an invalid count of tokens")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _hash(*values: object) -> str:
    return _digest(repr(values), 12)


def _digest(text: str, size: int) -> str:
    # not imported at the top: OpenSSL, which hashlib loads, costs 2.5 ms of each start
    from hashlib import blake2b

    return blake2b(text.encode("utf-8", "replace"), digest_size=size).hexdigest()
