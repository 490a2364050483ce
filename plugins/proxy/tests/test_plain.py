"""The plain form: what is kept, what is tagged, and that its fast way gives what the careful one does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.api import Rejected
from tracker_kit.cases import together
from tracker_proxy import ingest_line, plain, values

LINE = {
    "ts": "2025-10-19T16:22:41.026Z",
    "rid": "F-101",
    "lane": "baseline",
    "model": "claude-sonnet-4-5",
    "status": "ok",
    "input_tokens": 820,
    "output_tokens": 180,
    "reason": "routed",
    "latency_ms": 320,
}


def read(line: object) -> Any:
    [event] = ingest_line(json.dumps(line).encode(), {})
    return event


def test_a_whole_line_is_kept_as_it_is() -> None:
    assert read(LINE) == LINE | {"routed": False, "ok": True}


def test_a_line_may_lack_nearly_everything() -> None:
    found = dict.fromkeys(LINE) | {"rid": "F-1", "routed": False, "ok": True, "tags": ["tokens:missing"]}
    assert read({"rid": "F-1"}) == found


def test_unknown_fields_are_left_out() -> None:
    assert read(LINE | {"prompt": "hi", "pid": 1, "level": 2, "time": 3}) == LINE | {"routed": False, "ok": True}


def test_cache_tokens_stand_apart() -> None:
    event = read(LINE | {"cache_read_tokens": 5, "cache_write_tokens": None})
    assert event == LINE | {"routed": False, "ok": True, "cache_read_tokens": 5}


@together(
    ("field", "value", "kept", "tags"),
    [
        ("latency_ms", "fast", None, ["latency:invalid"]),
        ("latency_ms", "320", None, ["latency:invalid"]),
        ("latency_ms", -1, None, ["latency:invalid"]),
        ("latency_ms", True, None, ["latency:invalid"]),
        ("latency_ms", 1e300, None, ["latency:invalid"]),
        ("latency_ms", [], None, ["latency:invalid"]),
        ("latency_ms", "", None, ["latency:invalid"]),
        ("latency_ms", None, None, None),
        ("latency_ms", 0, 0, None),
        ("latency_ms", 0.25, 0.25, None),
        ("input_tokens", "12", None, ["tokens:invalid"]),
        ("input_tokens", 12.5, None, ["tokens:invalid"]),
        ("input_tokens", 12.0, 12, None),
        ("input_tokens", -1, None, ["tokens:invalid"]),
        ("output_tokens", False, None, ["tokens:invalid"]),
        ("output_tokens", 10**15, None, ["tokens:invalid"]),
        ("ts", 1760890961.5, 1760890961.5, None),
        ("ts", "2025-10-19T18:22:41+02:00", "2025-10-19T18:22:41+02:00", None),
        ("ts", "2025-10-19 18:22:41.5", "2025-10-19 18:22:41.5", None),
        # of another form, which the index of events does not read; the first is that of Python's own logs
        ("ts", "2025-10-19 18:22:41,026", "2025-10-19T18:22:41.026000", None),
        ("ts", "20251019T182241Z", "2025-10-19T18:22:41+00:00", None),
        ("ts", "2025-W42-7T18:22:41Z", "2025-10-19T18:22:41+00:00", None),
        ("ts", "2025-10-19T18", "2025-10-19T18:00:00", None),
        ("ts", "yesterday", None, ["ts:invalid"]),
        ("ts", "", None, ["ts:invalid"]),
        ("ts", 1760890961026, None, ["ts:invalid"]),  # milliseconds are no seconds
        ("ts", True, None, ["ts:invalid"]),
        ("ts", {}, None, ["ts:invalid"]),
        ("rid", 17, "17", None),
        ("rid", "", None, None),
        ("rid", "Neue Anmeldung für Gäste", "Neue Anmeldung für Gäste", None),
        ("rid", True, None, ["rid:invalid"]),
        ("rid", ["F-1"], None, ["rid:invalid"]),
        ("rid", "F" * 201, None, ["rid:invalid"]),
        ("lane", "sub agent 1", "sub agent 1", None),
        ("lane", {"name": "a"}, None, ["lane:invalid"]),
        ("lane", " ", None, ["lane:invalid"]),
        ("model", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5@20250929", None),
        ("model", 5, None, ["model:invalid"]),
        ("model", "a\nb", None, ["model:invalid"]),
        ("status", 200.0, 200, None),
        ("status", [200], None, ["status:invalid"]),
        ("reason", 200, "200", None),
        ("reason", "rate_limited", "rate_limited", None),
        ("reason", "the request was too long", None, ["reason:invalid"]),
        ("reason", {"message": "x"}, None, ["reason:invalid"]),
    ],
)
def test_single_values(field: str, value: object, kept: object, tags: list[str] | None) -> None:
    event = read(LINE | {field: value})
    assert (event[field], event.get("tags")) == (kept, tags)
    assert type(event[field]) is type(kept)


@together(
    ("change", "tags"),
    [
        ({"input_tokens": None, "output_tokens": None}, ["tokens:missing"]),
        ({"input_tokens": None, "output_tokens": None, "usage": {"input_tokens": 5}}, ["tokens:missing"]),
        ({"input_tokens": None, "output_tokens": None, "prompt_tokens": 5}, ["tokens:missing"]),
        ({"input_tokens": None, "output_tokens": 0}, None),
        ({"input_tokens": 0, "output_tokens": None}, None),
        ({"input_tokens": "5", "output_tokens": None}, ["tokens:invalid"]),
        ({"input_tokens": None, "output_tokens": None, "status": 500, "reason": None}, None),
    ],
)
def test_a_request_that_succeeded_has_counts_of_tokens(change: dict[str, Any], tags: list[str] | None) -> None:
    """Counts under other names would be requests of no tokens, and of no money."""
    assert read({key: value for key, value in (LINE | change).items() if value is not None}).get("tags") == tags


def test_each_tag_stands_once() -> None:
    event = read(LINE | {"input_tokens": -1, "output_tokens": "x", "latency_ms": "x"})
    assert event["tags"] == ["tokens:invalid", "latency:invalid"]


@together("healthy", ["ok", "OK", "Success", 200, "200", 200.0, "routed", "CACHED", None, ""])
def test_healthy_statuses(healthy: object) -> None:
    assert read(LINE | {"status": healthy, "reason": None})["ok"] is True


@together("unhealthy", ["error", "okay", 201, 204, 500, "2000", 0, 1, True, False, [], "ok then"])
def test_other_statuses(unhealthy: object) -> None:
    assert read(LINE | {"status": unhealthy, "reason": "none"})["ok"] is False


@together("reason", ["cached", "Routed", 200, "OK"])
def test_a_healthy_reason_is_enough(reason: object) -> None:
    assert read(LINE | {"status": "error", "reason": reason})["ok"] is True


def test_a_missing_status_is_healthy() -> None:
    assert read({"rid": "a", "reason": "timeout"})["ok"] is True


@together(
    ("lane", "model", "routed"),
    [
        ("glm", None, True),
        ("my-GLM-lane", "gpt-5", True),
        ("zai", None, True),
        ("Z.AI", None, True),
        ("z.ai-2", None, False),
        ("bonzai", None, False),
        (None, "GLM-4.6", True),
        (None, "openrouter/z-ai/glm-4.5", True),
        ("baseline", "Z.ai/anything", True),
        ("baseline", "zai/anything", False),
        ("baseline", "claude", False),
        (None, None, False),
    ],
)
def test_routed_means_glm(lane: str | None, model: str | None, routed: bool) -> None:
    assert read({"rid": "a", "lane": lane, "model": model})["routed"] is routed


@together("line", [b"", b"  ", b"\r", b"\t\n", b"\xef\xbb\xbf"])
def test_a_blank_line_is_no_event(line: bytes) -> None:
    assert ingest_line(line, {}) == []


def test_a_line_may_begin_with_a_byte_order_mark_and_end_with_a_carriage_return() -> None:
    [event] = ingest_line(b'\xef\xbb\xbf{"rid": "a"}\r', {})
    assert event["rid"] == "a"


@together(
    ("line", "reason"),
    [
        (b'{"rid": "a"', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"rid": NaN}', "not JSON"),
        (b"\xef\xbb\xbf" * 50_000 + b"x", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'"rid"', "not a JSON object"),
        (b"17", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}", "no known field"),
        (b'{"message": "hello"}', "no known field"),
        (b'{"ts": 1760890961, "reason": "started"}', "no known field"),
    ],
)
def test_lines_that_cannot_be_read(line: bytes, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        ingest_line(line, {})
    assert str(caught.value) == reason
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 2**64 - 1), st.floats(allow_nan=False), st.text())
CHOICES: dict[str, list[object]] = {
    "ts": ["2025-10-19T16:22:41Z", "2025-10-19 16:22:41,5", "20251019T16", 1760890961, 1.5, -1, 10**12, "soon"],
    "rid": [
        "F-1",
        "",
        "9f8efff7-9803-8103-d269-b633813fc60c",
        "a_b",
        "sk-abcdefgh1",
        "ask-me-anything",
        "é",
        "a@b.cd",
        7,
    ],
    "lane": ["glm", "zai", "", "dev@example.com", [], {}],
    "model": ["glm-4.6", "z.ai/x", "claude", {}, "x" * 200],
    "status": ["ok", 200, 200.0, 0, 1, True, False, 1.0, "", "two words", []],
    "input_tokens": [0, 5, 5.0, 10**15, True, "5"],
    "output_tokens": [0, 5, 10**15 - 1, -1],
    "reason": ["routed", "a b", 200, True, "", []],
    "latency_ms": [0, 0.5, -0.0, 1e15, True, "1"],
}
RECORDS = st.fixed_dictionaries({}, optional={field: st.sampled_from(CHOICES[field]) | SCALARS for field in CHOICES})


@settings(deadline=None)
@given(st.lists(RECORDS, max_size=4))
def test_the_fast_way_agrees_with_the_careful_one(records: list[dict[str, Any]]) -> None:
    """Several in a row, since the fast way remembers what it met."""
    for record in records:
        careful = plain.event(record)
        fast = plain.as_is(dict(record))
        if fast is not None:
            assert fast == careful
            assert {key: type(value) for key, value in fast.items()} == {k: type(v) for k, v in careful.items()}


@together("record", [LINE, {k: v for k, v in LINE.items() if k != "reason"}, LINE | {"ts": 1.5}])
def test_common_lines_take_the_fast_way(record: dict[str, Any]) -> None:
    assert plain.as_is(dict(record)) is not None


def test_what_the_fast_way_remembers_is_bounded() -> None:
    most = plain._verdict.cache_info().maxsize
    assert most
    for number in range(most + 10):
        assert plain.as_is(LINE | {"model": f"model-{number}"}) is not None
    assert plain._verdict.cache_info().currsize == most


@given(st.text(alphabet=st.characters(categories=["L", "N"], include_characters="-"), max_size=36))
def test_short_ids_of_letters_digits_and_dashes_hold_nothing_private(rid: str) -> None:
    if "sk-" not in rid:
        assert not values.PRIVATE.search(rid)


def test_a_key_among_short_ids_is_dropped() -> None:
    assert read(LINE | {"rid": "sk-ant-api03-abcdefgh"})["tags"] == ["rid:invalid"]


def test_what_was_met_before_does_not_excuse_a_status_that_equals_it() -> None:
    for status, tags in [(1, None), (True, ["status:invalid"]), (0, None), (False, ["status:invalid"])]:
        event = read(LINE | {"status": status, "reason": "again"})
        assert (event.get("tags"), event["ok"]) == (tags, False)
