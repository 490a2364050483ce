"""Whatever a line holds: events that can be stored, or `Rejected`, and never anything else."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tracker.api import Event, Rejected
from tracker_kit.cases import together
from tracker_proxy import ingest_line

SAMPLES = Path(__file__).parent / "samples"
LINES = [line for path in sorted(SAMPLES.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
RECORDS = [json.loads(line) for line in LINES if b"register transformer" not in line]
RECORDS.append(
    {
        "ts": "2025-10-19T16:22:41Z",
        "rid": "F-1",
        "lane": "glm",
        "model": "glm-4.6",
        "status": "ok",
        "input_tokens": 1,
        "output_tokens": 2,
        "reason": "routed",
        "latency_ms": 3.5,
    }
)
ATTRIBUTES = [
    {"key": "gen_ai.response.model", "value": {"stringValue": "m"}},
    {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "5"}},
]
SPAN = {"traceId": "a", "startTimeUnixNano": "1", "endTimeUnixNano": "2", "status": {"code": 1}}
RECORDS.append({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN | {"attributes": ATTRIBUTES}]}]}]})

TEXTS = ("ts", "rid", "lane", "model", "status", "reason")
COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def check(event: Any) -> None:
    """An event holds its own fields only, each of its type, and can be stored."""
    orjson.dumps(event)
    assert event.keys() <= Event.__annotations__.keys()
    assert {"routed", "ok", "latency_ms", *TEXTS, *COUNTS[:2]} <= event.keys()
    assert type(event["routed"]) is type(event["ok"]) is bool
    for field in TEXTS:
        number_too = field in ("ts", "status")
        assert event[field] is None or type(event[field]) is str or number_too, field
    for field in COUNTS:
        count = event.get(field)
        assert count is None or (type(count) is int and 0 <= count < 10**15)
    for value in event.values():
        assert type(value) in (str, int, float, bool, list, type(None))
        assert not isinstance(value, float) or math.isfinite(value)
    assert event["latency_ms"] is None or event["latency_ms"] >= 0
    assert event.get("tags") is None or (event["tags"] and len(set(event["tags"])) == len(event["tags"]))


def take(line: bytes, scratch: dict[str, Any]) -> None:
    events, rejection = [], ""
    try:
        events = ingest_line(line, scratch)
    except Rejected as reason:
        rejection = str(reason) or "no reason"
    assert rejection != "no reason"
    assert len(rejection) < 80
    assert isinstance(events, list)
    for event in events:
        check(event)


@given(st.binary())
def test_any_bytes(line: bytes) -> None:
    take(line, {})


@given(JSON)
def test_any_json(record: Any) -> None:
    take(json.dumps(record).encode(), {})


@given(st.sampled_from(LINES), st.data())
def test_samples_with_broken_bytes(line: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(start, min(len(line), start + 20)))
    take(line[:start] + data.draw(st.binary(max_size=5)) + line[end:], {})


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to each value in a record."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] + [place for key, one in inner for place in places(one, (*path, key))]


def replaced(record: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = record.copy()
    copy[path[0]] = replaced(record[path[0]], path[1:], new)
    return copy


@together("record", RECORDS, ids=lambda record: "-".join(record)[:40])
@together("new", [None, True, -1, 1e300, "x", [5], {"a": 5}], ids=repr)
def test_samples_with_each_value_replaced(record: Any, new: Any) -> None:
    """Every value of another type in every place, one at a time; a request's end follows, so that it comes out."""
    completed = RECORDS[[entry.get("msg") for entry in RECORDS].index("request completed")]
    for path in places(record):
        if "model_map_information" in path:  # 150 values of which none is looked at
            continue
        scratch: dict[str, Any] = {}
        take(json.dumps(replaced(record, path, new)).encode(), scratch)
        take(json.dumps(completed).encode(), scratch)


@given(st.lists(st.tuples(st.sampled_from(RECORDS), JSON, st.randoms(use_true_random=False)), max_size=6))
def test_streams_of_changed_samples(changes: list[tuple[Any, Any, Any]]) -> None:
    scratch: dict[str, Any] = {}
    for record, new, random in changes:
        take(json.dumps(replaced(record, random.choice(places(record)), new)).encode(), scratch)


@together("deep", [b"[" * 100_000, b'{"a":' * 100_000, b'{"rid":' + b"[" * 900 + b"]" * 900 + b"}"])
def test_deep_nesting(deep: bytes) -> None:
    take(deep, {})


def test_a_deeply_nested_request_body() -> None:
    body = "[" * 50_000
    line = {"pid": 1, "reqId": "a", "msg": "final request", "request": {"body": body}}
    take(json.dumps(line).encode(), {})
