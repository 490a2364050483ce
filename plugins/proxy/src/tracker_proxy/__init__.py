"""The source `proxy-telemetry`: requests that a proxy, a router or an agent logged, in four forms and a plain one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from tracker.api import Demo, DemoStep, Event, Source, hookimpl
from tracker_proxy.block import TITLE, render_preview_block

__all__ = ["ingest_line", "render_preview_block", "source_info"]

SOURCE = Source(
    contract="1.0",
    name="proxy-telemetry",
    title=TITLE,
    kind="telemetry",
    stream="proxy_telemetry",
    place=20,
    routed_label="glm",
    prices="prices.toml",
    tags={
        "ts:invalid": "The time is neither ISO 8601 nor epoch seconds; the event is kept without it.",
        "rid:invalid": "The id is not a short text, or looks like an address or a key; `cost-compare` cannot use it.",
        "lane:invalid": "The lane is not a short text, or looks like an address or a key; use a word as its name.",
        "model:invalid": "The model is not a short text; only the lane tells whether the request was routed.",
        "status:invalid": "The status is neither a word nor a number; the event counts as an error.",
        "tokens:invalid": "A count of tokens is not a whole number; it is left out, so tokens and money are too low.",
        "tokens:missing": "The line has no input_tokens and no output_tokens, so tokens and money are not known.",
        "reason:invalid": "The reason is more than a word and was left out: messages may quote prompts.",
        "latency:invalid": "The latency is not a number of milliseconds; the event is left out of the percentiles.",
    },
    demo=Demo(
        steps=(
            DemoStep(
                stage=20,
                arguments=("ingest", "proxy-telemetry", "--window", "{window}", "--stdin"),
                capture="demo/usage.jsonl",
            ),
        )
    ),
)


@hookimpl
def source_info() -> Source:
    return SOURCE


@hookimpl
def ingest_line(line: bytes, scratch: dict[str, Any]) -> list[Event]:
    """The requests that the line completes; `Rejected` never quotes the line, since it may hold prompts and keys."""
    return _requests()(line, scratch)


@cache
def _requests() -> Callable[[bytes, dict[str, Any]], list[Event]]:
    """Imported late and once: the forms and their patterns take 2 ms, and a preview only shows what was counted."""
    from tracker_proxy.shape import requests

    return requests
