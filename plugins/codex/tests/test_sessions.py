"""Requests are counted once over all files that show them, exactly as the backend served them."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tracker.api import Rejected
from tracker_codex.sessions import SOURCE, ingest_line

LOGS = Path(__file__).parent / "session_logs"
TRUTH: dict[str, Any] = json.loads((LOGS / "truth.json").read_text())
session_truth = pytest.importorskip("session_truth", reason="the workspace adds up the logs of every client")


def test_every_case_gives_the_truth() -> None:
    for case, truth in TRUTH.items():
        session_truth.assert_truth(ingest_line, LOGS / case, truth)


def test_a_line_that_is_torn_is_rejected_and_any_other_is_skipped() -> None:
    word = SOURCE.origins[0].words[0]
    with pytest.raises(Rejected):
        ingest_line(b'{"type": ' + word.encode(), {})
    assert ingest_line(b"nonsense", {}) == []


def line(kind: str, at: float, **payload: Any) -> bytes:
    if kind in ("token_count", "thread_settings_applied"):
        kind, payload = "event_msg", {"type": kind, **payload}
    return json.dumps({"timestamp": at, "type": kind, "payload": payload}).encode()


def usage(inputs: int, output: int, cached: int = 0) -> dict[str, int]:
    return {"input_tokens": inputs, "cached_input_tokens": cached, "output_tokens": output}


def count(at: float, total: dict[str, int] | None, last: dict[str, int] | None) -> bytes:
    return line("token_count", at, info={"total_token_usage": total, "last_token_usage": last})


def tokens(lines: list[bytes]) -> list[tuple[Any, ...]]:
    scratch: dict[str, Any] = {}
    return [
        (event["input_tokens"], event["cache_read_tokens"], event["output_tokens"])
        for one in lines
        for event in ingest_line(one, scratch)
    ]


META = line("session_meta", 1e9, id="t")


def test_a_running_total_alone_is_subtracted_and_may_fall() -> None:
    totals = [usage(100, 10, 40), usage(300, 30, 90), usage(50, 5), usage(50, 5)]
    lines = [META, *(count(1e9 + at, total, None) for at, total in enumerate(totals))]
    assert tokens(lines) == [(60, 40, 10), (150, 50, 20), (50, 0, 5)]


def test_a_compaction_leaves_a_last_usage_of_nothing() -> None:
    assert tokens([META, count(1e9, usage(900, 10), usage(0, 0))]) == []


def test_a_response_that_only_a_compaction_still_holds_counts() -> None:
    """Elsewhere it is one that was counted, or another thread's."""

    def compacted(thread: str, response: Any, **more: Any) -> bytes:
        kept = {"thread_id": thread, "response_id": response, "usage": usage(100, 10)}
        return line("compacted", 1e9, replacement_history=["canary"], latest_token_usage_record=kept, **more)

    after = [record(1e9 + 9, "b", usage(200, 20)), count(1e9 + 9, usage(300, 30), usage(200, 20))]
    assert tokens([META, compacted("t", "a"), *after]) == [(100, 0, 10), (200, 0, 20)]
    assert keys([META, record(1e9, "a", usage(100, 10)), compacted("t", "a")]) == ["a", "a"]
    # it covers no total, also if it cannot be read
    later = [count(1e9 + 9, usage(100, 10), usage(100, 10))]
    for given in (compacted("other", "a"), compacted("t", None), compacted("t", "a", info=7), compacted("t", "a")[:-9]):
        assert keys([META, given, *later])[-1].endswith("/t"), given
    assert tokens([META, line("compacted", 1e9, latest_token_usage_record=None), *later]) == [(100, 0, 10)]
    # nor does it count again where its own record is lost
    counted = count(1e9, usage(100, 10), usage(100, 10))
    for lost in ([], [record(1e9, "a", usage(100, 10))[:60]]):
        assert len(keys([META, *lost, counted, compacted("t", "a"), *after])) == 2
    # nor does its total, which is written again behind it
    kept = {"thread_id": "t", "response_id": "a", "usage": usage(100, 10), "thread_token_usage": usage(500, 50)}
    again = [line("compacted", 1e9, latest_token_usage_record=kept), count(1e9, usage(500, 50), usage(100, 10))]
    assert tokens([META, *again, *after]) == [(100, 0, 10), (200, 0, 20)]


def test_what_a_migration_kept_of_a_subagent_has_the_model_and_the_time_of_its_turn() -> None:
    """Its rows, from the last compaction on, have the time of the first line; a turn's id has that of the turn."""
    first = line("session_meta", 1.5e9, id="t", source={"subagent": "review"})
    used = {"thread_id": "t", "turn_id": "01d1a94a-2000-7aa0-b65f-2bac481c3ddb", "usage": usage(100, 10)}
    kept = line("compacted", 1.5e9, latest_token_usage_record={**used, "response_id": "a"})
    told = {"b": {}, "c": {"turn_id": "013a96c0-0000-7aa0-b65f-2bac481c3ddb"}, "d": {"turn_id": "turn"}}
    own = [line("token_usage_record", 1.5e9, **{**used, "response_id": name, **more}) for name, more in told.items()]
    [_, *shown] = events(first, kept, line("turn_context", 1.5e9, model="m"), *own)
    assert [one["ts"] for one in shown] == [2e9, 2e9, 1.5e9, 1.5e9]
    assert {one["model"] for one in shown} == {"m"}


def test_a_stretch_without_records_is_counted_by_its_totals() -> None:
    record = line("token_usage_record", 1e9, thread_id="t", response_id="r", usage=usage(100, 10))
    lines = [META, record, count(1e9, usage(100, 10), usage(100, 10)), count(1e9 + 9, usage(300, 30), usage(200, 20))]
    assert tokens(lines) == [(100, 0, 10), (200, 0, 20)]


def test_a_total_that_is_written_again_covers_no_record() -> None:
    lines = [
        META,
        count(1e9, usage(100, 10), usage(100, 10)),
        line("token_usage_record", 1e9, thread_id="t", response_id="r", usage=usage(200, 20)),
        count(1e9, usage(100, 10), usage(100, 10)),
        count(1e9, usage(300, 30), usage(200, 20)),
    ]
    assert tokens(lines) == [(100, 0, 10), (200, 0, 20)]


def record(at: float, name: str, used: dict[str, int] | None) -> bytes:
    return line("token_usage_record", at, thread_id="t", response_id=name, usage=used)


def test_each_of_several_records_covers_its_own_total() -> None:
    one, two = usage(100, 10), usage(200, 20)
    lines = [META, record(1e9, "a", one), record(1e9, "b", two), count(1e9, one, one), count(1e9, usage(300, 30), two)]
    assert tokens(lines) == [(100, 0, 10), (200, 0, 20)]
    # a compaction has no total of its own
    lines = [META, record(1e9, "a", usage(5000, 50)), record(1e9, "b", two), count(1e9, two, two)]
    assert tokens([*lines, count(1e9, usage(300, 30), one)]) == [(5000, 0, 50), (200, 0, 20), (100, 0, 10)]


def test_an_older_client_that_goes_on_behind_a_compaction_is_counted() -> None:
    compaction = record(1e9, "c", usage(5000, 50))
    lines = [META, record(1e9, "a", usage(100, 10)), count(1e9, usage(100, 10), usage(100, 10)), compaction]
    after = [count(1e9 + 9, usage(300, 30), usage(200, 20)), count(1e9 + 19, usage(310, 31), None)]
    assert tokens([*lines, *after]) == [(100, 0, 10), (5000, 0, 50), (200, 0, 20), (10, 0, 1)]
    # one total of two responses, and a first total that holds what the file does not show
    lines = [META, record(1e9, "a", usage(100, 10)), record(1e9, "b", usage(200, 20))]
    assert tokens([*lines, count(1e9, usage(300, 30), None)]) == [(100, 0, 10), (200, 0, 20)]
    assert tokens([*lines, count(1e9, usage(9000, 90), None)]) == [(100, 0, 10), (200, 0, 20)]


def test_a_total_before_its_record_is_the_same_response() -> None:
    one, two = usage(100, 10), usage(200, 20)
    lines = [count(1e9, one, one), record(1e9, "a", one), count(1e9 + 0.2, usage(300, 30), two)]
    assert tokens([META, *lines, record(1e9 + 0.2, "b", two)]) == [(100, 0, 10), (200, 0, 20)]
    # a client that was updated writes the next response with a record of its own
    later = [record(1e9 + 60, "b", one), count(1e9 + 60, two, one)]
    assert tokens([META, lines[0], *later]) == [(100, 0, 10), (100, 0, 10)]
    thread = {"thread_id": "t", "response_id": "b", "usage": one, "thread_token_usage": two}
    soon = [line("token_usage_record", 1e9, **thread), count(1e9, two, one)]
    assert tokens([META, lines[0], *soon]) == [(100, 0, 10), (100, 0, 10)]


def test_a_paginated_fork_that_writes_its_parents_total_again() -> None:
    meta = line("session_meta", 1e9, id="f", forked_from_id="p", history_mode="paginated")
    begun = line("turn_context", 1e9, model="m")
    parents, own = usage(300, 30), count(1e9 + 9, usage(340, 34), usage(40, 4))
    for last in (usage(200, 20), None):
        assert tokens([meta, count(1e9, parents, last), begun, own]) == [(40, 0, 4)]
    assert tokens([meta, count(1e9, parents, parents), begun, own]) == [(300, 0, 30), (40, 0, 4)]
    assert tokens([meta, begun, count(1e9, parents, usage(10, 1)), own]) == [(10, 0, 1), (40, 0, 4)]


def test_a_total_of_an_older_client_is_not_covered_by_the_input_of_a_compaction() -> None:
    compaction = record(1e9, "c", usage(200, 300))
    lines = [META, count(1e9, usage(100, 10), usage(100, 10)), compaction]
    assert tokens([*lines, count(1e9 + 47, usage(300, 30), usage(200, 20))])[2:] == [(200, 0, 20)]
    # but by a record whose output was lost
    assert tokens([META, record(1e9, "c", usage(200, 0)), count(1e9, usage(200, 20), usage(200, 20))]) == [(200, 0, 0)]


def events(*lines: bytes) -> list[dict[str, Any]]:
    scratch: dict[str, Any] = {}
    return [{**event} for one in lines for event in ingest_line(one, scratch)]


def test_a_thread_that_the_first_line_does_not_name_makes_no_record_a_copy() -> None:
    for first in (line("session_meta", 1e9, session_id="t"), line("session_meta", 1e9, thread_id="t")):
        used = record(1e9, "a", usage(100, 10)), record(1e9, "b", usage(200, 20))
        assert [(one["key"], one["session"]) for one in events(first, *used)] == [("a", "t"), ("b", "t")]
    other = line("token_usage_record", 1e9, thread_id="o", response_id="o", usage=usage(100, 10))
    assert events(line("session_meta", 1e9, thread_id="t"), other) == []


def test_a_file_without_its_first_line_has_the_folder_of_its_turn_and_the_thread_of_its_records() -> None:
    begun = line("turn_context", 1e9, model="m", cwd="/home/dev/acme")
    used = [count(1e9 + at, usage(100 * at, at), usage(100, 1)) for at in (1, 2)]
    given = begun, used[0], record(1e9 + 1.5, "a", usage(70, 7)), used[1]
    shown = [(one.get("session"), one.get("project")) for one in events(*given)]
    assert shown == [(None, "/home/dev/acme"), *[("t", "/home/dev/acme")] * 2]
    # a first line that is not the first one says both
    [_, *rest] = events(begun, used[0], line("session_meta", 1e9, id="x", cwd="/home/dev/other"), used[1])
    assert [(one["session"], one["project"]) for one in rest] == [("x", "/home/dev/other")]


def test_the_model_is_that_of_the_record_of_the_turn_or_of_the_instructions() -> None:
    told = {"text": "canary", "provenance": {"type": "model", "model": "m1"}}
    first = line("session_meta", 1e9, id="t", base_instructions=told)
    own = line("token_usage_record", 1e9, thread_id="t", response_id="b", usage=usage(200, 20), model="m3")
    turn = line("turn_context", 1e9, model="m2")
    rows = record(1e9, "a", usage(100, 10)), turn, own, record(1e9, "c", usage(300, 30))
    assert [one["model"] for one in events(first, *rows)] == ["m1", "m3", "m2"]
    for odd in ("canary", {"provenance": ["m"]}, {"provenance": {"model": 7}}):
        [event] = events(line("session_meta", 1e9, id="t", base_instructions=odd), rows[0])
        assert event["tags"] == ["model:unknown"]


def test_a_record_without_usage_covers_nothing() -> None:
    assert tokens([META, record(1e9, "a", None), count(1e9, usage(100, 10), usage(100, 10))]) == [(100, 0, 10)]


@pytest.mark.parametrize(("mode", "kind"), [("legacy", "subagent"), ("paginated", "subagent"), ("legacy", "subAgent")])
def test_a_subagent_that_repeats_its_parents_meta_is_no_fork(mode: str, kind: str) -> None:
    spawned = {kind: {"thread_spawn": {"parent_thread_id": "p"}}}
    own = line("session_meta", 1e9, id="x", forked_from_id="p", source=spawned, history_mode=mode)
    other = line("session_meta", 1e9, id="p", source="cli")
    lines = [own, other, count(1e9 + 0.2, usage(200, 20), None), count(1e9 + 0.7, usage(300, 30), None)]
    assert tokens(lines) == [(200, 0, 20), (100, 0, 10)]
    keys = []
    for given in (lines, [other, *lines[2:]]):
        scratch: dict[str, Any] = {}
        keys.append({event["key"] for one in given for event in ingest_line(one, scratch)})
    assert keys[0].isdisjoint(keys[1]), "its requests are not those of its parent that show the same totals"


def test_a_copied_record_is_no_request_and_covers_its_total() -> None:
    lines = [
        line("session_meta", 1e9, id="fork", forked_from_id="t"),
        META,
        line("token_usage_record", 1e9, thread_id="t", response_id="r", usage=usage(100, 10)),
        count(1e9, usage(100, 10), usage(100, 10)),
    ]
    assert tokens(lines) == []


TIMES = [1795836093.5, 1795836093500, 1795836093500000, "1795836093500", "1795836093500000", 1795836093500000000]
TEXTS = [
    "2026-11-28T03:21:33.5Z",
    "2026-11-28T03:21:33.500000Z",
    "2026-11-28t03:21:33.5z",
    "2026-11-28T04:21:33.5+01:00",
]


@pytest.mark.parametrize("at", [*TIMES, *TEXTS])
def test_times_in_any_form(at: Any) -> None:
    scratch: dict[str, Any] = {}
    ingest_line(META, scratch)
    [event] = ingest_line(count(at, usage(1, 1), usage(1, 1)), scratch)
    assert event["ts"] == 1795836093.5


def test_nothing_but_figures_and_names_is_kept() -> None:
    scratch: dict[str, Any] = {}
    ingest_line(line("session_meta", 1e9, id="t", cwd="/home/dev/acme", base_instructions="canary"), scratch)
    ingest_line(line("turn_context", 1e9, model="m", user_instructions="canary"), scratch)
    events = ingest_line(count(1e9, usage(1, 1), usage(1, 1)), scratch)
    assert "canary" not in json.dumps([scratch, events])


def test_tokens_of_an_unknown_kind_are_noted() -> None:
    scratch: dict[str, Any] = {}
    used = {**usage(100, 10, 5), "reasoning_output_tokens": 1, "total_tokens": 110, "audio_tokens": 3, "tools": 1}
    for one in (META, record(1e9, "a", used), count(1e9, used, used), count(1e9 + 9, usage(300, 20), used)):
        ingest_line(one, scratch)
    assert scratch["unknown"] == {"rows with audio_tokens": 2}


def test_usages_under_other_names_are_noted() -> None:
    """But not the record beside which a `token_count` counts, nor a copy."""
    scratch: dict[str, Any] = {}
    nested = {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 40}, "output_tokens": 10}
    camel = {"inputTokens": 100, "outputTokens": 10}
    known: dict[str, Any] = {"thread_id": "t", "response_id": "r"}
    renamed = line("token_usage_record", 1e9, **known, token_usage=usage(100, 10))
    lines = [
        record(1e9, "a", nested),
        record(1e9, "b", camel),
        count(1e9, camel, camel),
        renamed,
        line("token_count", 1e9, total_token_usage=usage(100, 10)),
        line("token_count", 1e9, info=None, rate_limits={"primary": {"used_percent": 5}}),
        line("token_usage_record", 1e9, **{**known, "thread_id": "other"}, token_usage=usage(100, 10)),
    ]
    assert len([event for one in (META, *lines) for event in ingest_line(one, scratch)]) == 1
    types = ("token_usage_record", "token_count")
    assert scratch.pop("unknown") == {
        "rows with cached_tokens": 1,
        **{f"rows of type {name} without known tokens": 2 for name in types},
    }
    for order in (1, -1):
        scratch = {}
        for one in (META, *[renamed, count(1e9, usage(100, 10), usage(100, 10))][::order]):
            ingest_line(one, scratch)
        assert not scratch.get("unknown")


def test_what_a_fork_copied_is_noted_where_it_came_from() -> None:
    scratch: dict[str, Any] = {}
    odd = {**usage(100, 10), "audio_tokens": 3}
    newer = line("token_usage_record_v2", 1e9, usage=usage(100, 10))
    for one in (line("session_meta", 1e9, id="f", forked_from_id="t"), META, count(1e9, odd, odd), newer):
        ingest_line(one, scratch)
    ingest_line(record(1e9, "a", odd), scratch)
    assert "unknown" not in scratch


def test_rows_of_an_unknown_type_that_hold_tokens_are_noted() -> None:
    scratch: dict[str, Any] = {}
    used = {"thread_id": "t", "usage": usage(100, 10)}
    newer = [
        line("token_usage_record_v2", 1e9, **used),
        line("event_msg", 1e9, type="token_count_v2", info={"last_token_usage": usage(100, 10)}),
        line("token_usage text", 1e9, **used),
        json.dumps({"type": "token_usage_record", **used}).encode(),
        *(line(kind, 1e9, **used) for kind in ("response_item", "compacted")),
        line("token_usage_record_v2", 1e9, usage=usage(0, 0)),
    ]
    words = [word.encode() for word in SOURCE.origins[0].words]
    assert all(any(word in one for word in words) for one in newer[:4])
    assert [ingest_line(one, scratch) for one in (META, *newer)] == [[]] * 8
    types = ("token_usage_record_v2", "token_count_v2", "(odd)", "token_usage_record")
    assert scratch["unknown"] == {f"rows of type {name}": 1 for name in types}


def test_a_client_with_a_name_of_its_own_is_no_subagent() -> None:
    own = line("session_meta", 1e9, id="f", forked_from_id="p", source={"custom": "editor"})
    lines = [own, line("session_meta", 1e9, id="p"), count(1e9, usage(100, 10), usage(100, 10))]
    scratch: dict[str, Any] = {}
    [event] = [event for one in lines for event in ingest_line(one, scratch)]
    assert event["tags"] == ["model:unknown", "if-session:p"]


ODD: dict[str, Any] = {"cache_write_input_tokens": None, "output_tokens": 10.0, "audio_tokens": 0}


@pytest.mark.parametrize("odd", [ODD, {"video_tokens": {}}, {"total_tokens": "many"}])
def test_rows_with_values_of_other_types_count_all_the_same(odd: dict[str, Any]) -> None:
    used: dict[str, Any] = {**usage(100, 10, 5), **odd}
    named = {"response_id": "a", "usage": used, "thread_token_usage": {"input_tokens": -1}}
    recorded = line("token_usage_record", 1e9, thread_id=["t"], **named)
    counted = line("token_count", 1e9 + 9, rate_limits=[1], info={"total_token_usage": used, "last_token_usage": 7})
    assert tokens([META, recorded]) == tokens([META, counted]) == [(95, 5, 10)]
    assert tokens([META, recorded, counted]) == [(95, 5, 10)], "one covers the other"
    silent = [
        line("turn_context", 1e9, model=["m"]),
        line("response_item", 1e9, usage={"input_tokens": -1}),
        line("token_count", 1e9, info=7, rate_limits={}),
    ]
    assert tokens([recorded, *silent]) == [(95, 5, 10)]
    for bad in (record(1e9, "a", {**used, "input_tokens": -1}), b"[]"):
        with pytest.raises(Rejected):
            tokens([META, bad])


def keys(lines: list[bytes]) -> list[str]:
    scratch: dict[str, Any] = {}
    found = []
    for one in lines:
        with suppress(Rejected):
            found += [event["key"] for event in ingest_line(one, scratch)]
    return found


@pytest.mark.parametrize("at", range(1, 6))
def test_a_copy_that_lacks_a_line_shows_the_other_requests_under_their_keys(at: int) -> None:
    sums = [(100, 10), (300, 30), (50, 5), (100, 10), (300, 30)]  # counted from 0 anew
    lasts = [(100, 10), (200, 20), (50, 5), (50, 5), (200, 20)]
    lines = [META, *(count(1e9 + n, usage(*sums[n]), usage(*lasts[n])) for n in range(5))]
    whole = keys(lines)
    assert len({*whole}) == 5
    copy = keys([*lines[:at], lines[at][:-40], *lines[at + 1 :]])
    assert copy == whole[: at - 1] + whole[at:]


def test_a_copy_without_the_name_of_its_thread_fits_that_which_has_one() -> None:
    counted = count(1e9, usage(100, 10), usage(100, 10))
    [whole], [copy] = keys([META, counted]), keys([META[:-9], counted])
    assert whole == f"{copy}t"


@pytest.mark.parametrize("is_odd", [False, True])
def test_the_total_beside_a_torn_record_is_its_response(is_odd: bool) -> None:
    used = usage(100, 10)
    lines = [record(1e9, "b", used), count(1e9, usage(200, 20), used), record(2e9, "c", used)]
    before = [META, record(1e9, "a", {**used, "output_tokens": 10.0} if is_odd else used), count(1e9, used, used)]
    assert keys([*before, *lines]) == keys([*before, lines[0][:-40], *lines[1:]]) == ["a", "b", "c"]


@pytest.mark.parametrize("kind", [[], {}, [{"a": 1}], 5, None, True])
def test_a_row_of_a_type_that_is_no_text_tells_nothing(kind: object) -> None:
    row = json.dumps({"timestamp": 1e9, "type": kind, "payload": {"type": "token_count"}}).encode()
    assert ingest_line(row, {}) == []
    assert ingest_line(line("event_msg", 1e9, type=kind, note="token_count"), {}) == []
