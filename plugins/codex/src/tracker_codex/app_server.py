"""What `codex app-server` answers to `account/rateLimits/read`: alone, among other messages, or as a transcript."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from tracker.api import JSON, Gauge, Reading, redact
from tracker_codex import backend
from tracker_codex.meters import reading

MAIN = "codex"
NOT_AUTHENTICATED = "not-authenticated"
NOT_LOADED = "usage-not-loaded"
SAID = re.compile(r"\s*(?:[<>]\s*)?(?=\{)")  # `<` marks an answer in a transcript, `>` a request
AGENT_VERSION = re.compile(r"/([0-9]+\.[0-9]+\.[0-9]+[\w.+-]*)")


def read(text: str) -> Reading | None:
    """The reading of the last answer with limits; None if nothing in the text is an answer of the app-server."""
    answers = [message for message in _messages(text) if "result" in message or "error" in message]
    for message in reversed(answers):
        result = backend.mapping(message.get("result"))
        if "rateLimits" in result or "rateLimitsByLimitId" in result:
            others = _buckets(result)
            main = others.pop(MAIN, {})
            return reading(_gauges(main, others), _fields(answers) | backend.fields(main))
    if not answers:
        return None
    failed, known = _failed(answers), _fields(answers)
    return Reading(fields=known, errors=(failed,)) if failed else reading((), known)


def _messages(text: str) -> Iterator[Mapping[str, Any]]:
    whole = _json(text)
    if whole is not None:
        yield whole if whole.keys() & {"result", "error"} else {"result": whole}
        return
    for line in text.split("\n"):
        if (start := SAID.match(line)) and line.rstrip().endswith("}"):
            yield _json(line[start.end() :]) or {}


def _json(text: str) -> Mapping[str, Any] | None:
    try:
        return backend.mapping(orjson.loads(text)) or None
    except orjson.JSONDecodeError:
        return None


def _buckets(result: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The limits of each bucket by its id; `rateLimits` are those of the main one if they name none."""
    found = dict(backend.mapping(result.get("rateLimitsByLimitId")))
    limits = backend.mapping(result.get("rateLimits"))
    if limits and limits.get("limitId") in (None, MAIN):
        found[MAIN] = limits
    elif limits:
        found.setdefault(str(limits.get("limitId")), limits)
    return {name: backend.mapping(bucket) for name, bucket in found.items()}


def _gauges(main: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> Iterator[Gauge]:
    yield from backend.gauges(main, None)
    for name, bucket in others.items():
        yield from backend.gauges(bucket, backend.text(bucket.get("limitName")) or name)


def _failed(answers: list[Mapping[str, Any]]) -> str | None:
    """The tag of what went wrong, from the last error about rate limits, else from any."""
    said = [str(backend.mapping(answer.get("error")).get("message", "")) for answer in answers if answer.get("error")]
    said = [message for message in said if "rate limit" in message] or said
    if not said:
        return None
    return NOT_AUTHENTICATED if "authentication required" in said[-1] else NOT_LOADED


def _fields(answers: list[Mapping[str, Any]]) -> dict[str, JSON]:
    """Version, account and plan from the answers to other requests."""
    found: dict[str, JSON] = {}
    for answer in answers:
        result = backend.mapping(answer.get("result"))
        if version := AGENT_VERSION.search(backend.text(result.get("userAgent")) or ""):
            found["version"] = version[1]
        account = backend.mapping(result.get("account"))
        if address := backend.text(account.get("email")):
            found["account"] = redact(address)
        if plan := backend.text(account.get("planType")):
            found["plan"] = plan
    return found
