"""OTLP JSON, as an OpenTelemetry exporter posts it: log records of Claude Code and spans of any GenAI program.

One line is one export with any number of events, bare or wrapped as `{"path", "body"}` by what received it. A line
whose structure is broken is rejected as a whole; a single value that cannot be read is a tag on its event.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tracker.api import Event, Rejected
from tracker_proxy import claude_code, gen_ai
from tracker_proxy.attributes import attributes, objects

ROOTS = frozenset({"resourceLogs", "resourceSpans", "resourceMetrics"})
PATHS = frozenset({"/v1/logs", "/v1/traces", "/v1/metrics"})


def payload(record: dict[str, Any]) -> dict[str, Any] | None:
    """The export that the line holds; None if it is not OTLP."""
    if not ROOTS.isdisjoint(record):
        return record
    body, path = record.get("body"), record.get("path")
    if isinstance(body, dict) and not ROOTS.isdisjoint(body):
        return body
    if isinstance(path, str) and path in PATHS and "body" in record:
        if isinstance(body, dict):
            return body
        raise Rejected("otlp: the body is not an object")
    return None


def events(export: dict[str, Any]) -> list[Event]:
    """The requests among the log records and the spans; prompts, tools and metrics are none."""
    logs = (
        claude_code.event(resource, record)
        for resource, record in _leaves(export, "resourceLogs", "scopeLogs", "logRecords")
    )
    spans = (gen_ai.event(span) for _, span in _leaves(export, "resourceSpans", "scopeSpans", "spans"))
    return [event for found in (logs, spans) for event in found if event is not None]


def _leaves(
    export: dict[str, Any], resources: str, scopes: str, leaves: str
) -> Iterator[tuple[dict[str, object], dict[str, Any]]]:
    for entry in objects(export, resources):
        resource = attributes(entry.get("resource"))
        for scope in objects(entry, scopes):
            for leaf in objects(scope, leaves):
                yield resource, leaf
