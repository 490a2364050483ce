"""Requests are checked and summed up by column: the same as if each stood alone."""

from __future__ import annotations

import marshal
import sys
from collections import defaultdict
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.kernel import Registry
from tracker_telemetry.sessions import lines as log_lines
from tracker_telemetry.sessions.files import Print
from tracker_telemetry.sessions.list_prices import ListPrices
from tracker_telemetry.sessions.requests import Requests
from tracker_telemetry.sessions.scan import FileRows, Job, Rows, Rules

JOB = Job("toy", "path", (), 0, "{}", Print(0, 0, 0), is_whole=True)
COUNTS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens", "output_tokens")
SOUND = st.fixed_dictionaries(
    {"key": st.sampled_from(["a/1", "a/2", "a/", "b", "c/3"]), "ts": st.none() | st.integers(0, 10_000)},
    optional={
        **dict.fromkeys((*COUNTS, "reasoning_tokens", "cache_write_1h_tokens"), st.none() | st.integers(0, 9)),
        **dict.fromkeys(("session", "project", "model", "speed"), st.none() | st.sampled_from(["x", "y"])),
        "tags": st.sampled_from([["session-total"], ["if-session:x"], ["other"]]),
    },
)
WRONG = st.sampled_from(
    [{"key": "\ud800"}, {"key": 5}, {}, {"key": "k", "ts": 1e300}, {"key": "k", "input_tokens": -1},
     {"key": "k", "output_tokens": 0.5}, {"key": "k", "model": 5}, {"key": "k", "session": "\udfff"}]
)  # fmt: skip
LINES = st.lists(st.lists(SOUND | WRONG, max_size=3), max_size=12)


def rows_of(lines: list[list[dict[str, Any]]], *, at_once: bool) -> Rows:
    waiting = iter(lines)
    with Registry.guarded("toy", "ingest_line") as timer:
        rows = Rows(Rules({"toy": lambda _line, _scratch: next(waiting)}, {}, False), JOB, timer)
        for _ in lines:
            rows.take([b"line"])
            if not at_once:
                rows.settle()
        rows.settle()
        return rows


@settings(deadline=None)
@given(LINES)
def test_lines_give_together_what_each_gives_alone(lines: list[list[dict[str, Any]]]) -> None:
    together, alone = rows_of(lines, at_once=True), rows_of(lines, at_once=False)
    assert (together.found, together.bad) == (alone.found, alone.bad)
    assert together.labels == alone.labels


@settings(deadline=None)
@given(st.lists(st.lists(SOUND, min_size=1, max_size=3), min_size=1, max_size=12))
def test_sums_hold_all_requests_but_totals(lines: list[list[dict[str, Any]]]) -> None:
    rows = rows_of(lines, at_once=True)
    columns = marshal.dumps([*zip(*rows.found.values(), strict=True)])
    done = FileRows(JOB, 0, "", size=len(rows.found), requests=columns, labels=[*rows.labels])
    expected: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * 7)
    for _, _, at, model, _, *tokens, _, number in rows.found.values():
        if not done.labels[number].whole:
            sums = expected[number, model or "", -1 if at is None else at // 900]
            sums[:] = [a + b for a, b in zip(sums, (1, *tokens), strict=True)]
    found: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * 7)
    for number, model, quarter, _first, _last, *counts, _cost, _priced, _speed in Requests.of(
        done, ListPrices(None, "")
    ).sums():
        sums = found[number, model, quarter]
        sums[:] = [a + b for a, b in zip(sums, counts, strict=True)]
    assert found == expected


WORDS = (b'"usage"', b'"cost-state"', b"usage")


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*WORDS, b"\n", b"text", b'"usag', b"\xff" * 3]), max_size=40).map(b"".join),
    st.integers(0, 9),
)
def test_a_line_with_a_word_is_found_once_with_and_without_the_extra(data: bytes, cut: int) -> None:
    stop = data.rfind(b"\n", 0, max(len(data) - cut, 0)) + 1
    expected = [one for one in data[:stop].splitlines(keepends=True) if any(word in one for word in WORDS)]
    log_lines.search.cache_clear()
    found = log_lines.lines_with(bytearray(data), WORDS, stop)
    with mock.patch.dict(sys.modules, {"ahocorasick_rs": None}):
        log_lines.search.cache_clear()
        plain = log_lines.lines_with(bytearray(data), WORDS, stop)
    log_lines.search.cache_clear()
    assert found == plain == expected


def test_a_plugin_that_answers_none_has_not_read_the_line() -> None:
    with Registry.guarded("toy", "ingest_line") as timer:
        given = Rules({"toy": lambda _line, _scratch: None}, {}, False)  # type: ignore[arg-type,return-value]
        rows = Rows(given, JOB, timer)
        rows.take([b"line", b"line"])
        assert rows.bad == 2
        assert "returned a NoneType. Expected a list of events; lines like it" in (rows.fault or "")


UNFIT: list[dict[str, Any]] = [
    {"key": "\ud800"}, {"model": "\ud800"}, {"session": "\udfff"}, {"project": 5}, {"model": 5}, {"ts": 1e300},
    {"input_tokens": "1"}, {"output_tokens": -1}, {"input_tokens": 0.5},
]  # fmt: skip


@pytest.mark.parametrize("unfit", UNFIT, ids=repr)
def test_an_event_that_cannot_be_stored_costs_its_line(unfit: dict[str, Any]) -> None:
    rows = rows_of([[{"key": "k2", **unfit}], [{"key": "k", "ts": 1.0, "input_tokens": 1}]], at_once=True)
    assert (rows.bad, list(rows.found)) == (1, ["k"])


def test_a_time_may_be_text() -> None:
    events = [{"key": "a", "ts": "2026-11-20T10:00:00Z"}, {"key": "b", "ts": 5.0}, {"key": "c", "ts": "soon"}]
    rows = rows_of([events], at_once=True)
    assert ([row[2] for row in rows.found.values()], rows.bad, rows.fault) == ([1795168800.0, 5.0, None], 0, None)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"key": None}, "an event of a session file has no key. Expected the request's own id"),
        ({"prompt": "x"}, "an event has the unknown key 'prompt'"),
        ({"input_tokens": True}, "an event's input_tokens is of type bool"),
        ({"input_tokens": ""}, "an event's input_tokens is of type str"),
        ({"session": 5}, "an event's session is of type int"),
        ({"key": ""}, "an event of a session file has no key. Expected the request's own id"),
        ({"input_tokens": 10**13}, "a count of tokens is too large"),
        ({"input_tokens": -1}, "a count of tokens is below 0"),
        ({"ts": 1795168800000.0}, "an event's ts is 1795168800000.0. Expected seconds since 1970, or ISO 8601"),
        ({"model": "\ud800"}, None),
    ],
)
def test_a_value_that_no_event_may_have_is_the_plugins_fault(wrong: dict[str, Any], why: str | None) -> None:
    for at_once in (False, True):
        rows = rows_of([[{"key": "a"}], [{"key": "b", **wrong}], [{"key": "c"}]], at_once=at_once)
        assert (list(rows.found), rows.bad) == (["a", "c"], 1)
        assert rows.fault is None if why is None else why in (rows.fault or "")
