"""Claude Code's session files as requests: one message of the model is one request, whatever shows it.

A message stands in one row per content block, in older versions with growing output, and again in forks and resumed
sessions: of one key the most output counts. A subagent's replay has a request id of its own: its key ends with a
slash and nothing behind it, which fits every key that begins like it. A row that `/branch` copied names the session
that it is from: that is the `rid` of its event; a subagent's is its own session's.

What may be a request but is not known as one is noted, as rows of `scratch["unknown"]`: newer clients write what nobody
has seen yet.

`cost-state` rows hold Claude's own totals of a session, with what no row shows, such as compaction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, cast

import orjson

from tracker.api import Event, Rejected, epoch
from tracker_claude.session_rows import FIELDS, WRITTEN, Message, Row, Usage, decode, decode_newer, fitted
from tracker_claude.sessions import WORDS

# rows that are no requests, though some repeat the usage of one
OTHERS = frozenset(("user", "system", "progress", "attachment", "summary", "result", "file-history-snapshot"))
OTHERS |= frozenset(("queue-operation", "api-request", "api-request-shape", "api-request-blob", "last-prompt"))
MOST_NAMES, LONGEST = 20, 40  # of what is unknown in a file
KINDS = ("assistant", "cost-state", "session-owner")
SHOWN = ("input_tokens", "output_tokens", "inputTokens", "outputTokens")  # what marks a usage, whatever its name is
_WORDS = tuple(word.encode() for word in WORDS)
SYNTHETIC = "<synthetic>"
USUAL = (None, "standard")  # speeds
# of `modelUsage`: what a usage calls it
TOTALS = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cache_read_input_tokens": "cacheReadInputTokens",
    "cache_creation_input_tokens": "cacheCreationInputTokens",
}
WITHIN = (None, "message", "fallback_message")  # types of iterations that the whole counts, if they are of its model
SURCHARGE = "surcharges for inference in the US (10%)"  # which no list of prices has
REFUSED = "discounts for refusals without output"  # most of which are free
KIND = re.compile(rb'"(\w*[Tt]okens)"')
COUNTS = frozenset(name.encode() for name in (*FIELDS, *WRITTEN, "thinking_tokens") if name.endswith("_tokens"))
DATE = re.compile(r"[-@]\d{8}$")  # of a snapshot
TOTAL = "session-total"  # a tag: not a request, but what the client says that the session used until then


def requests(line: bytes, scratch: dict[str, Any]) -> list[Event]:
    """As `ingest_line` has it."""
    row: Row | None
    try:
        row = decode_newer(line) if "is_newer" in scratch and _is_known(line) else decode(line)
    except ValueError:
        row = _unfit(line, scratch)
    if row is None:
        return []
    if row.type == "assistant":
        if row.message is None or row.message.usage is None:
            _note_row(_loaded(line), scratch)
            return []
        if row.message.id is None or row.sessionId is None:
            _loaded(line)  # msgspec does not see that a name is damaged
        events = _requests(row.message, row.message.usage, row, scratch)
        if row.message.usage.output_tokens == 0 and events and b'"stop_reason":"refusal"' in line:
            _note_extra(REFUSED, row.message.id or row.requestId or "", 1, scratch)
        return events
    if row.type == "cost-state":
        return _totals(row, scratch)
    if row.type == "session-owner":
        scratch["account"] = None if row.accountUuid is None else _digest(row.accountUuid, 6)
    elif not (isinstance(row.type, str) and row.type in OTHERS):
        _note_row(_loaded(line), scratch)
    return []


def _unfit(line: bytes, scratch: dict[str, Any]) -> Row | None:
    """The row of a line with fields of other types than expected; None if its kind does not count."""
    row = _loaded(line)
    if row.get("type") not in KINDS:
        _note_row(row, scratch)
        return None
    if isinstance(message := row.get("message"), dict):
        _note_tokens(message.get("usage"), scratch, is_copy=bool(row.get("forkedFrom")))
    return fitted(row, Row)


def _is_known(line: bytes) -> bool:
    """Whether a usage has no tokens of an unknown kind, so that its further fields tell nothing."""
    return all(name in COUNTS for name in KIND.findall(line, line.find(b'"usage"')))


def _loaded(line: bytes) -> dict[str, Any]:
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


def _requests(message: Message, usage: Usage, row: Row, scratch: dict[str, Any]) -> list[Event]:
    if message.model == SYNTHETIC:
        return []
    name, request = message.id or None, row.requestId or None
    if name is None and request is None:
        name = row.uuid or _digest(repr((row.sessionId, row.timestamp, usage)), 12)
    # a message without an id is known by its request alone
    is_wild = name is not None and (row.isSidechain is True or request is None)
    name, half = name or "", "" if is_wild or request is None else request
    if "/" in half:
        half = half.replace("/", "|")
    key = f"{name}/{half}"
    kept, details = usage.cache_creation, usage.output_tokens_details
    shown = (
        key, usage.output_tokens, usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens,
        kept and kept.ephemeral_1h_input_tokens, details and details.thinking_tokens, usage.iterations,
        message.model, usage.speed, usage.service_tier, not row.cwd, not row.gitBranch,
    )  # fmt: skip
    before = scratch.get("last")
    if before == shown:
        return []  # the row of another block of the same answer
    event = _event(key, message.model or None, usage, row, scratch)
    if row.requestedModel is not None:
        asked = scratch.setdefault("asked", {})
        if asked.setdefault(row.requestedModel, message.model) != message.model:
            asked[row.requestedModel] = row.requestedModel  # several answer under this name
    if before is not None and before[0] == key:
        event = _named_by(scratch["request"], event)
    else:  # a message that grows is of the time of its first row
        scratch["ts"] = event["ts"] or scratch.get("ts")
    scratch["last"], scratch["request"] = shown, event
    events = [event]
    if isinstance(usage.iterations, list):
        events = _with_iterations(key, event, usage.iterations, row, scratch)
    if usage.server_tool_use or usage.inference_geo:
        _note_extras(usage, name or key, scratch)
    return events


def _named_by(before: Event, event: Event) -> Event:
    """A further row of an answer, with what a row before it names: of two models its own, of other names the first.

    It has the time of the first, too, so that it stands for that one if it names more.
    """
    times = [at for at in (before["ts"], event["ts"]) if at is not None]
    both: dict[str, Any] = {**event, "ts": min(times, default=None)}
    for name in ("session", "project", "branch"):
        both[name] = before.get(name) or both[name]
    for name in ("model", "speed"):
        if (known := both.get(name) or before.get(name)) is not None:
            both[name] = known
    if both["model"] is not None:
        both.pop("tags", None)
    return cast("Event", both)


def _with_iterations(key: str, whole: Event, iterations: list[Any], row: Row, scratch: dict[str, Any]) -> list[Event]:
    """A request with what it leaves out: other models, an advisor, who may be of the same one, and compaction."""
    (name, _, half), model, others = key.rpartition("/"), whole["model"], list[Event]()
    for at, one in enumerate(iterations):
        if not isinstance(one, dict):
            continue
        kind, other = one.get("type"), _text(one.get("model"))
        if kind == "advisor_message" or other not in (None, model):
            others.append(_event(f"{name}#{at}/{half}", other or model, fitted(one, Usage), row, scratch))
            if kind == "message" and not others[-1]["output_tokens"]:  # it declined, and a further model took over
                _note_extra(REFUSED, name or half, 1, scratch)
        elif kind == "compaction":
            whole = _added(whole, _event("", model, fitted(one, Usage), row, scratch))
        elif kind not in WITHIN and not row.forkedFrom and _has_tokens(one):
            _note(f"iterations of type {_named(kind)}", scratch)
    return [whole, *others]


def _event(key: str, model: str | None, usage: Usage, row: Row, scratch: Mapping[str, Any]) -> Event:
    short, kept, details = usage.cache_creation_input_tokens, usage.cache_creation, usage.output_tokens_details
    output, long, reasoning = usage.output_tokens or 0, 0, 0
    if kept is not None:
        long = kept.ephemeral_1h_input_tokens or 0
        if short is None:
            short = kept.ephemeral_5m_input_tokens
        else:  # where another model declined, the split is still of what that one wrote
            long = long if long < short else short
            short -= long
    if details is not None:
        reasoning = details.thinking_tokens or 0
    event: Event = {
        "ts": epoch(row.timestamp),
        "key": key,
        "model": model,
        "input_tokens": usage.input_tokens or 0,
        "cache_read_tokens": usage.cache_read_input_tokens or 0,
        "cache_write_5m_tokens": short or 0,
        "cache_write_1h_tokens": long,
        "output_tokens": output,
        "reasoning_tokens": reasoning if reasoning < output else output,
        "session": row.sessionId or None,
        "project": row.cwd or None,
        "branch": row.gitBranch or None,
        "account": scratch.get("account"),
        "client": row.version or None,
    }
    speed = usage.service_tier if usage.speed in USUAL else usage.speed
    if speed is not None and speed != "standard":
        event["speed"] = speed
    if isinstance(row.forkedFrom, dict) and (parent := _text(row.forkedFrom.get("sessionId"))):
        event["rid"] = parent
    elif row.isSidechain is True and row.sessionId:
        event["rid"] = row.sessionId
    if model is None:
        event["tags"] = ["model:unknown"]
    return event


def _plain(model: str) -> str:
    """A model's name without the mark of a long context, which no row shows, and without the date of a snapshot."""
    return DATE.sub("", model.partition("[")[0])


def _totals(row: Row, scratch: Mapping[str, Any]) -> list[Event]:
    """One event per model; `rid` is the lineage, which a fork shares with its parent."""
    events: dict[str, Event] = {}
    totals = row.modelUsage if isinstance(row.modelUsage, dict) else {}
    names = {*map(_plain, totals)}
    answered = {_plain(asked): _plain(other) for asked, other in scratch.get("asked", {}).items() if other}
    for name, used in totals.items():
        if not isinstance(used, dict):
            continue
        # a total has a model under the name that was asked for, also under its alias and a snapshot's name
        model = _plain(name)
        if (other := answered.get(model, model)) not in names:  # an endpoint of another vendor maps names
            model = other
        counts: dict[str, Any] = {name: used.get(own) for name, own in TOTALS.items()}
        long = {"ephemeral_1h_input_tokens": used.get("cacheCreationEphemeral1hInputTokens")}
        event = _event("", model, fitted({**counts, "cache_creation": long}, Usage), row, scratch)
        cost = used.get("costUSD")
        if isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost < 1e12:
            event["cost_usd"] = float(cost)
        events[model] = _added(event, events[model]) if model in events else event
    for model, event in events.items():
        shown = [value for name, value in event.items() if name.endswith("_tokens")]
        event["key"] = f"cost-state:{row.sessionId}:{row.startTime}:{model}:{shown}"
        event["ts"], event["rid"], event["tags"] = scratch.get("ts"), str(row.startTime or row.sessionId), [TOTAL]
    return [*events.values()]


def _added(event: Event, other: Event) -> Event:
    """One with the tokens and the cost of both."""
    both: dict[str, Any] = {**event}
    for name, value in other.items():
        if name.endswith(("_tokens", "_usd")):
            both[name] = both.get(name, 0) + value
    return cast("Event", both)


# --- what is not known


def _note_row(row: Mapping[str, Any], scratch: dict[str, Any]) -> None:
    """Note a row that shows tokens where none are expected."""
    kind, message = row.get("type"), row.get("message")
    is_synthetic = isinstance(message, dict) and message.get("model") == SYNTHETIC
    is_known = _named(kind) in OTHERS or is_synthetic or bool(row.get("forkedFrom"))  # as a copy of another
    if not is_known and _has_tokens(row):
        _note(f"rows of type {_named(kind)}", scratch)


def _named(kind: object) -> str:
    """A type as it is shown: it may be anything."""
    is_name = isinstance(kind, str) and len(kind) <= LONGEST and kind.replace("-", "_").isidentifier()
    return str(kind) if is_name else "(odd)"


def _has_tokens(value: object, depth: int = 4) -> bool:
    """Whether it is or holds a usage; `toolUseResult` and the like repeat one of another row."""
    if not isinstance(value, dict) or depth == 0:
        return False
    if any(isinstance(value.get(name), int) and value[name] > 0 for name in SHOWN):
        return True
    return any(_has_tokens(one, depth - 1) for name, one in value.items() if name != "toolUseResult")


def _note_tokens(usage: object, scratch: dict[str, Any], *, is_copy: bool) -> None:
    """Note tokens of an unknown kind, unless this is the copy of another row."""
    if not isinstance(usage, dict):
        return
    odd = {name: usage[name] for name in usage.keys() - FIELDS}
    if isinstance(written := usage.get("cache_creation"), dict):
        odd |= {name: written[name] for name in written.keys() - WRITTEN}
    for value in [*odd.values()]:
        odd |= value if isinstance(value, dict) else {}
    kinds = [name for name in sorted(odd) if name.endswith(("_tokens", "Tokens"))]
    if not is_copy and any(odd[name] for name in kinds) and usage.keys().isdisjoint(TOTALS):
        _note("rows of type assistant without known tokens", scratch)
    elif not is_copy:
        for name in kinds:
            if odd[name] and len(name) <= LONGEST and name.isidentifier():
                _note(f"rows with {name}", scratch)
    if odd and not kinds:  # those of the next rows are read without a look
        scratch["is_newer"] = True


def _note_extras(usage: Usage, message: str, scratch: dict[str, Any]) -> None:
    if isinstance(tools := usage.server_tool_use, dict):
        _note_extra("web searches", message, tools.get("web_search_requests"), scratch)
    if usage.inference_geo == "us":
        _note_extra(SURCHARGE, message, 1, scratch)


def _note_extra(kind: str, message: str, count: object, scratch: dict[str, Any]) -> None:
    """Note what costs more than a message's tokens, by message, since copies and its further rows show the same."""
    if type(count) is int and count > 0:
        noted = scratch.setdefault("extras", {}).setdefault(kind, {})
        noted[message] = max(count, noted.get(message, 0))


def _note(name: str, scratch: dict[str, Any]) -> None:
    counts = scratch.setdefault("unknown", {})
    if name in counts or len(counts) < MOST_NAMES:
        counts[name] = counts.get(name, 0) + 1


# --- values


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _digest(text: str, size: int) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=size).hexdigest()
