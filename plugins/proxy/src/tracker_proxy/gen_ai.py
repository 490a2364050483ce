"""Spans of OpenTelemetry's GenAI conventions: one call of a model each.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

from typing import Any

from tracker.api import Event, Rejected
from tracker_proxy import plain, values
from tracker_proxy.attributes import attributes, nanoseconds

# The older names are those before version 1.27 and 1.37 of the conventions.
PROVIDER = ("gen_ai.provider.name", "gen_ai.system")
MODEL = ("gen_ai.response.model", "gen_ai.request.model")
INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
RESPONSE = ("gen_ai.response.id",)
TELLING = frozenset(PROVIDER + MODEL + INPUT + OUTPUT + RESPONSE)

# Spans around calls of a model: an agent's repeats the tokens of the calls in it, a tool's has none.
OUTER = frozenset({"create_agent", "invoke_agent", "invoke_workflow", "execute_tool"})

ERROR = (2, "2", "STATUS_CODE_ERROR")


def event(span: dict[str, Any]) -> Event | None:
    """The call of a span; None for spans of anything else. Input tokens include what came from a cache."""
    found = attributes(span)
    if TELLING.isdisjoint(found) or found.get("gen_ai.operation.name") in OUTER:
        return None
    start, end = nanoseconds(span.get("startTimeUnixNano")), nanoseconds(span.get("endTimeUnixNano"))
    return plain.event(
        {
            "ts": values.epoch_seconds(start, 10**9),
            "rid": _first(found, RESPONSE) or span.get("traceId"),
            "lane": _first(found, PROVIDER),
            "model": _first(found, MODEL),
            "status": _status(span.get("status")),
            "input_tokens": values.number(_first(found, INPUT)),
            "output_tokens": values.number(_first(found, OUTPUT)),
            "latency_ms": values.elapsed(start, end, 1e-6),
        }
    )


def _first(found: dict[str, object], names: tuple[str, ...]) -> object:
    return next((found[name] for name in names if found.get(name) not in (None, "")), None)


def _status(status: object) -> object:
    if status is None:
        return "ok"
    if not isinstance(status, dict):
        raise Rejected("otlp: a span's status is not an object")
    return "error" if status.get("code") in ERROR else "ok"
