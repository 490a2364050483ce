"""Codex's session files as requests: each response of the model counts once, over all files that show it.

`token_usage_record` stands once per response, compaction included, and its `response_id` is the key. A compaction holds
the last one before it, which may stand nowhere else. Files of older clients have `token_count` alone, with running
totals: there the key is the total and the thread, which a copy shows that lacks a line before. A legacy fork copies its
parent's history at once: of these requests those count that its parent did not show before, if the parent is known.
So do some clients where a subagent begins, mostly with its parent's first line before them: without that line, the
first requests are its own unless its parent showed them before.

`scratch` is the state of one file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tracker.api import Event, Rejected, epoch
from tracker_codex.session_notes import RECORD, note_counted, note_nameless, note_row, note_usage
from tracker_codex.session_rows import Numbers, Payload, Row, decode, digest, grown, numbers, text, unchecked
from tracker_codex.session_threads import (
    BURST_SECONDS,
    begun,
    is_headless,
    is_older,
    later,
    look_for_copies,
    note_first,
    note_named,
    spawner,
)
from tracker_codex.sessions import LATEST, WORDS

_WORDS = tuple(word.encode() for word in WORDS)
OTHERS = frozenset(("response_item", "compacted"))  # what was said: rows that may quote one with tokens
# a subagent answers within a second, but not within milliseconds
COPY_SECONDS = 0.05
# tags: the event counts if that session is known, whose copy it may be, and did not show it before; or unless that
# session showed it before; or unless it used as much with the last request before, up to the same total
COPY, DOUBT, REPEAT = "if-session:", "unless-session:", "unless-repeated:"


def requests(line: bytes, scratch: dict[str, Any]) -> list[Event]:
    """As `ingest_line` has it."""
    try:
        row = unchecked(_whole(line)) if "is_odd" in scratch else decode(line)
    except ValueError:
        _note_torn(line, scratch)
        row = unchecked(_whole(line))
        scratch["is_odd"] = True  # the next rows will hardly be of other types
    payload, kind = row.payload, row.type
    if payload is None:
        _note_row(line, kind, scratch)
        return []
    if kind == "event_msg":
        kind = payload.type
    if "burst" in scratch:
        _pulse(row, scratch)
    if kind == RECORD:
        return _recorded(payload, row, line, scratch)
    if kind == "token_count":
        info = payload.info
        if info is None or info.total_token_usage is None or info.last_token_usage is None:
            whole = _whole(line)
            if info is None:
                note_nameless(whole, kind, scratch)
        return _counted(payload, row, scratch)
    if kind == "turn_context":
        return _turned(payload, line, scratch)
    if kind == "compacted":
        return _compacted(payload.latest_token_usage_record, row, scratch)
    if kind == "session_meta":
        _meet(_whole(line)["payload"], row, scratch)
    elif kind == "thread_settings_applied":
        _settings(_whole(line)["payload"], scratch)
    elif not (isinstance(kind, str) and kind in OTHERS):
        _note_row(line, kind, scratch)
    return []


def _note_row(line: bytes, kind: object, scratch: dict[str, Any]) -> None:
    _note_torn(line, scratch)
    note_row(_whole(line), kind, scratch)


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
    thread = text(payload.get("id")) or text(payload.get("thread_id"))
    if thread and "\ufffd" in thread:  # by which its requests would count again
        raise Rejected("a damaged id")
    note_named(payload, scratch)
    if "thread" not in scratch:
        _begin(thread, payload, row, scratch)
    elif thread == scratch["thread"] or "total" in scratch:
        pass
    elif scratch["is_subagent"]:
        scratch["is_replay"] = look_for_copies(thread, row, scratch)
    elif not scratch["is_paginated"]:
        scratch["parent"], scratch["is_fork"] = scratch["parent"] or thread, True
        scratch["burst"] = scratch["forked"] = later(scratch["forked"], epoch(row.timestamp))


def _begin(thread: str | None, payload: Mapping[str, Any], row: Row, scratch: dict[str, Any]) -> None:
    at = epoch(row.timestamp)
    git, account, source, base, told = map(
        payload.get, ("git", "creator_account_id", "source", "history_base", "base_instructions")
    )
    # "cli", or an object with one name, such as `custom`; the totals of a subagent mostly start at 0
    is_subagent = isinstance(source, dict) and any("agent" in name.lower() for name in source)
    parent = text(payload.get("forked_from_id")) or (spawner(payload) if is_subagent else None)
    is_paginated = payload.get("history_mode") == "paginated" or bool(base)
    is_based = bool(parent or base) and is_paginated and not is_subagent
    is_fork = bool(parent) and not (is_paginated or is_subagent)
    scratch |= {
        "thread": thread,
        "forked": at,
        "parent": parent,
        "is_paginated": is_paginated,
        "is_subagent": is_subagent,
        "is_based": is_based,
        "is_fork": is_fork,
        # Codex migrates legacy forks to pages, without a base; the totals of others are none that a parent showed
        "may_copy": is_based and bool(parent) and not base,
        "base": text(base.get("thread_id")) if is_based and isinstance(base, dict) else parent if is_subagent else None,
        "start": payload.get("subagent_history_start_ordinal"),
        "own": {
            "session": thread,
            "project": text(payload.get("cwd")),
            "branch": text(git.get("branch")) if isinstance(git, dict) else None,
            "account": digest(account, 6) if isinstance(account, str) else None,
            "client": text(payload.get("cli_version")),
        },
    }
    if is_fork:
        scratch["burst"] = at
    elif is_subagent:
        look_for_copies(parent, row, scratch)
    if isinstance(told, dict) and isinstance(made_for := told.get("provenance"), dict):
        scratch.setdefault("model", text(made_for.get("model")))


def _pulse(row: Row, scratch: dict[str, Any]) -> None:
    """Notice where the copied history ends: after the first gap. A fork may go on copying."""
    at, before = epoch(row.timestamp), scratch["burst"]
    gap = BURST_SECONDS if scratch["is_fork"] else COPY_SECONDS
    if at is not None and before is not None and at - before > gap:
        del scratch["burst"]
        scratch["is_fork"], scratch["may_copy"] = False, scratch["is_fork"]
    else:
        scratch["burst"] = later(before, at)


def _turned(payload: Payload, line: bytes, scratch: dict[str, Any]) -> list[Event]:
    """Note the model of a turn, which is that of the response before a compaction, too, if no row before names one."""
    if payload.model is None or "own" not in scratch:
        _note_folder(_whole(line), scratch)
    scratch["has_begun"] = True
    model = scratch["model"] = text(payload.model) or scratch.get("model")
    event = scratch.pop("nameless", None)
    if event is None or model is None:
        return []
    del event["tags"]
    return [event | {"model": model}]


def _note_folder(row: Mapping[str, Any], scratch: dict[str, Any]) -> None:
    """The project of a file without its first line."""
    if isinstance(payload := row.get("payload"), dict):
        scratch.setdefault("own", {"project": text(payload.get("cwd"))})


def _settings(payload: Mapping[str, Any], scratch: dict[str, Any]) -> None:
    settings = payload.get("thread_settings")
    settings = settings if isinstance(settings, dict) else payload
    scratch["tier"] = text(settings.get("service_tier"))
    scratch["model"] = text(settings.get("model")) or scratch.get("model")
    if text(payload.get("thread_id")) == scratch.get("thread"):
        scratch["is_fork"] = scratch["may_copy"] = False
        scratch.pop("burst", None)


# --- requests


def _note_torn(line: bytes, scratch: dict[str, Any]) -> None:
    """Note the response that a record which cannot be read is of; the `token_count` beside it counts in its place."""
    if LATEST.encode() in line:  # of a response that was counted
        return
    found = re.search(rb'"response_id" *: *"([^"\\]+)"', line)
    if found or b'"token_usage_record"' in line:
        scratch["torn"] = found and found[1].decode("utf-8", "replace")


def _recorded(payload: Payload, row: Row, line: bytes, scratch: dict[str, Any]) -> list[Event]:
    if payload.usage is None or payload.response_id is None:
        _note_torn(line, scratch)
        whole = _whole(line)  # msgspec does not see that a name is damaged
        if payload.usage is None:
            _note_nameless(whole, payload, scratch)
    scratch.pop("torn", None)
    usage = numbers(payload.usage)
    if usage is None:
        return []
    own, thread = scratch.get("thread"), text(payload.thread_id)
    is_other = thread != own and thread is not None
    is_copy = is_other and own is not None and not is_headless(thread, row, scratch)
    if (early := scratch.pop("early", None)) is not None and _is_early(early, usage, payload, row, is_copy=is_copy):
        return []
    # the `token_count` beside it, also if both are copies
    scratch["covered"] = [*scratch.get("covered", ())[-7:], usage]
    if isinstance(payload.usage, dict) and not is_copy:
        note_usage(payload.usage, row.type, scratch)
    if is_copy or not any(usage):
        return []
    if "is_stamped" not in scratch:
        note_first(row, scratch)
    key = text(payload.response_id)
    if key is None:
        total = numbers(payload.thread_token_usage)
        # without a total only its time tells a response from another one that used as much
        told = tuple(total) if total else epoch(row.timestamp)
        key = digest(repr((thread, payload.turn_id, told, tuple(usage))), 12)
    event = _event(key, usage, row, scratch, payload)
    if thread is None and scratch.get("is_fork"):
        event["tags"] = [*event.get("tags", []), f"{COPY}{scratch['parent']}"]
    if is_other:
        event["session"] = thread
        if "thread" not in scratch:  # its first line is lost, and totals do not name it
            scratch["own"] = {**scratch.get("own", {}), "session": thread}
    return [event]


def _note_nameless(row: Mapping[str, Any], payload: Payload, scratch: dict[str, Any]) -> None:
    """Note a record whose usage has another name, but not a copy, or one whose `token_count` was counted."""
    own = scratch.get("thread")
    if own in (None, text(payload.thread_id) or own) and scratch.pop("early", None) is None:
        scratch["is_noted"] = note_nameless(row, RECORD, scratch)


def _compacted(record: Payload | None, row: Row, scratch: dict[str, Any]) -> list[Event]:
    """The response before a compaction: Codex's migration drops the rows before the last one."""
    if record is None:
        return []
    usage = numbers(record.usage)
    if "total" not in scratch and (whole := numbers(record.thread_token_usage)) is not None:
        scratch["total"] = whole  # which may be written again
    if usage is None or not any(usage) or text(record.thread_id) != scratch.get("thread"):
        return []
    if scratch.get("early", (None,))[0] == usage:
        return []  # its own record is lost, and it was counted by its total
    if (key := text(record.response_id)) is None:
        return []
    event = _event(key, usage, row, scratch, record)
    if event["model"] is None:
        scratch["nameless"] = event
    return [event]


def _is_early(early: Sequence[Any], usage: Numbers, payload: Payload, row: Row, *, is_copy: bool) -> bool:
    """Whether the `token_count` of the same response stands before its record, and was counted.

    All that a fork copied at once has one time, which tells nothing.
    """
    shown, at, total = early
    if shown != usage:
        return False
    now, whole = epoch(row.timestamp), numbers(payload.thread_token_usage)
    if at is None or now is None or abs(now - at) > BURST_SECONDS:
        return False
    if whole is None or total is None:
        return not is_copy
    # a further response has a larger total
    return whole != [a + b for a, b in zip(total, usage, strict=True)]


def _counted(payload: Payload, row: Row, scratch: dict[str, Any]) -> list[Event]:
    """How much a running total grew; for a response with a record this is known already."""
    limits, info = payload.rate_limits, payload.info
    if limits is not None:
        scratch["plan"] = text(limits.plan_type) or scratch.get("plan")
    if info is None:
        return []
    total, last = numbers(info.total_token_usage), numbers(info.last_token_usage)
    if total is None and last is None:
        raise Rejected("token_count without usage")
    if not (total or last or (0,))[0]:
        note_usage(info.last_token_usage or info.total_token_usage, "token_count", scratch)
    before: Numbers | None = scratch.get("total")
    if total is not None:
        scratch["total"] = total
        if total == before:
            return []  # written again
        if before is not None and sum(total) < sum(before):
            scratch["resets"] = scratch.get("resets", 0) + 1
    usage = grown(total, before) if last is None and total is not None else last
    if _is_covered(usage, scratch, is_known=last is not None or before is not None):
        return []
    if before is None and scratch.get("is_based"):
        if total is not None and total != last and not scratch.get("has_begun"):
            return []  # its parent's, written again
        if last is None:
            raise Rejected("the first total of a fork, which holds its parent's")
    if usage is None or not any(usage) or is_older(row, scratch):
        return []  # after a compaction
    note_counted(info.last_token_usage, row, scratch)
    key = scratch.pop("torn", None) or f"{_base(total, last, row, scratch)}/{scratch.get('thread') or ''}"
    event = _event(key, usage, row, scratch)
    if scratch.get("is_fork") or (scratch.get("is_replay") and "burst" in scratch):
        event["tags"] = [*event.get("tags", []), f"{COPY}{scratch['parent']}"]
        return [event]
    scratch["early"] = usage, epoch(row.timestamp), total
    is_first = before is None and (total != last or not scratch.get("is_subagent"))
    if doubt := _doubt(scratch, is_first=is_first):
        event["rid"], event["tags"] = str(scratch["forked"]), [*event.get("tags", []), doubt]
    return [event]


def _doubt(scratch: Mapping[str, Any], *, is_first: bool) -> str | None:
    """The tag of a request that its parent may have shown.

    In a fork's first turn that gets no answer, such as at a limit, the parent's last one is written again.
    """
    if is_first and scratch.get("base"):
        return f"{REPEAT}{scratch['base']}"
    return f"{DOUBT}{scratch['parent']}" if scratch.get("may_copy") else None


def _base(total: Numbers | None, last: Numbers | None, row: Row, scratch: Mapping[str, Any]) -> str:
    """What tells a `token_count` from others, whatever comes before it: the total, which grows except at a reset."""
    shown = [scratch.get("resets", 0), *((epoch(row.timestamp),) if total is None else (total[0], total[3]))]
    return ".".join(map(str, shown if last is None else (*shown, last[0], last[3])))


def _is_covered(usage: Numbers | None, scratch: dict[str, Any], *, is_known: bool) -> bool:
    """Whether records before a `token_count` tell its usage: one of them, or all of them together.

    An older client that goes on writes none. What it used is known unless the file's first total stands alone.
    """
    known: list[Numbers] = scratch.get("covered", [])
    if not known:
        return False
    scratch["covered"] = []
    if usage in known:
        # each covers its own
        scratch["covered"] = known[known.index(usage) + 1 :]
        return True
    if not is_known or usage is None or not any(usage):
        return True
    whole = [sum(counts) for counts in zip(*known, strict=True)]
    # not by the input alone, which a further response may share; a damaged record may lack its output
    return any(one[0] == usage[0] and one[3] in (usage[3], 0) for one in (*known, whole))


def _event(key: str, usage: Numbers, row: Row, scratch: Mapping[str, Any], record: Payload | None = None) -> Event:
    inputs, read, written, output, reasoning = usage
    at, model = epoch(row.timestamp), scratch.get("model")
    if read + written > inputs:
        read = min(read, inputs)
        written = min(written, inputs - read)
    if record is not None:
        model = text(record.model) or model
        # Codex's migration stamps what it keeps of a subagent with the time of its first line
        at = later(at, begun(record.turn_id)) if at == scratch.get("forked") else at
    event: Event = {
        "ts": at,
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
