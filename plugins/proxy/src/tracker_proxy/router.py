"""The log of claude-code-router: pino lines, of which several with one `reqId` make one request.

A request begins with `incoming request` and ends with `request completed`; what comes between is gathered in the
stream's scratch. A restarted process uses the same ids again, and in a container often the same pid.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from tracker.api import Event, Rejected
from tracker_proxy import plain, values

PINO = frozenset({"level", "time", "pid"})
OPEN_REQUESTS = 10_000  # a process that was killed leaves its requests open

# The host without its port and without what may come before an @.
HOST = re.compile(r"https?://(?:[^/?#\s]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d*)?(?:[/?#].*)?", re.DOTALL)

State = dict[str, object]


def events(record: dict[str, Any], scratch: dict[str, Any]) -> list[Event]:
    """The request that the line completes, if it completes one."""
    rid = _rid(record)
    if rid is None:
        return []
    waiting: dict[str, State] = scratch.setdefault("router", {})
    message = record.get("msg")
    if message == "incoming request":
        waiting.pop(rid, None)
        _state(waiting, rid, record)["call"] = _is_model_call(record.get("req"))
    elif message == "request completed":
        state = waiting.pop(rid, _begun(rid, record))
        if state.pop("call", True):
            return [plain.event(state | _outcome(record))]
    else:
        found = _final(record) if message == "final request" else _usage(record)
        if found is not None:
            state = _state(waiting, rid, record)
            if message != "final request" and (found["model"] is None or type(state.get("model")) is str):
                # where the request went comes first
                del found["model"]
            state.update((field, plain.kept(field, value)) for field, value in found.items())
            state["call"] = state.get("call", True) or message == "final request"
    return []


def _rid(record: dict[str, Any]) -> str | None:
    """`pid:reqId`; None for lines that belong to no request."""
    pid, request = record.get("pid"), record.get("reqId")
    if request is None:
        return None
    parts = [values.identifier(part) for part in (pid, request) if part is not None]
    rid = None if None in parts else values.identifier(":".join(part for part in parts if part))
    if rid is None:
        raise Rejected("router: the pid or the reqId cannot be read")
    return rid


def _state(waiting: dict[str, State], rid: str, record: dict[str, Any]) -> State:
    """What is known of a request so far; if a log begins within it, it begins with the first line seen."""
    state = waiting.get(rid)
    if state is None:
        if len(waiting) >= OPEN_REQUESTS:
            del waiting[next(iter(waiting))]
        state = waiting[rid] = _begun(rid, record)
    return state


def _begun(rid: str, record: dict[str, Any]) -> State:
    return {"ts": values.epoch_seconds(record.get("time"), 1000), "rid": rid}


def _outcome(record: dict[str, Any]) -> State:
    response = record.get("res")
    if response is not None:
        response = response.get("statusCode") if isinstance(response, dict) else values.UNREADABLE
    return {"status": response, "latency_ms": record.get("responseTime")}


def _is_model_call(request: object) -> bool:
    """Whether it asks for a model: not the router's own pages, nor the counting of tokens, which it does itself."""
    if not isinstance(request, dict):
        return True
    method, url = request.get("method"), request.get("url")
    path = url.partition("?")[0] if isinstance(url, str) else "/v1"
    return method in (None, "POST") and path.startswith("/v1") and not path.endswith("/count_tokens")


def _final(record: dict[str, Any]) -> State:
    """Where the request really went."""
    return {"lane": _host(record.get("requestUrl")), "model": _model(record.get("request"))}


def _host(url: object) -> object:
    if url is None:
        return None
    found = HOST.fullmatch(url) if isinstance(url, str) else None
    return found[1] if found else values.UNREADABLE


def _model(request: object) -> object:
    """The model in the body, which is JSON as text; the prompts beside it are dropped here."""
    try:
        body = request["body"]  # type: ignore[index]  # TypeError, where it is none
        return (orjson.loads(body) if isinstance(body, str) else body)["model"]
    except KeyError:
        return None
    except (TypeError, orjson.JSONDecodeError):
        return values.UNREADABLE


def _usage(record: dict[str, Any]) -> State | None:
    """The model and the tokens of a response line, in the vendor's words or, in `result`, in the Messages API's."""
    for holder in (record.get("result"), record.get("response")):
        if isinstance(holder, dict) and isinstance(usage := holder.get("usage"), dict):
            found = _messages_usage(usage) if "input_tokens" in usage else _chat_usage(usage)
            return found | {"model": holder.get("model")}
    return None


def _messages_usage(usage: dict[str, Any]) -> State:
    written, kept = usage.get("cache_creation_input_tokens"), usage.get("cache_creation")
    long = kept.get("ephemeral_1h_input_tokens") if isinstance(kept, dict) else None
    whole, part = values.count(written), values.count(long)
    return {
        "input_tokens": usage.get("input_tokens"),
        "output_tokens": usage.get("output_tokens"),
        "cache_read_tokens": usage.get("cache_read_input_tokens"),
        "cache_write_tokens": written if whole is None or part is None else max(whole - part, 0),
        "cache_write_1h_tokens": long,
    }


def _chat_usage(usage: dict[str, Any]) -> State:
    return {
        "input_tokens": usage.get("prompt_tokens"),
        "output_tokens": usage.get("completion_tokens"),
        **dict.fromkeys(plain.CACHE_FIELDS),
    }
