"""What the index adds up equals what the events themselves add up to, whatever happened to the journal."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import asdict, evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker.api import Source
from tracker.contract.events import EventTotals
from tracker.session import Session
from tracker_telemetry.totals import facts

pytestmark = pytest.mark.usefixtures("scale")
relaxed = settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
TIMES = st.sampled_from(["2026-01-10T08:00:00Z", "2026-01-11T01:00:00+02:00", "2026-01-10T08:00:00", 1768032000, None])
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "ts": TIMES,
        "rid": st.sampled_from(["F-1", "F-2", "", None]),
        "lane": st.sampled_from(["far", "near", None]),
        "model": st.sampled_from(["m", "n", "", None]),
        "ok": st.booleans(),
        "input_tokens": st.sampled_from([0, 7, 1 << 40, None]),
        "output_tokens": st.sampled_from([0, 7, 300]),
        "cache_read_tokens": st.sampled_from([0, 5]),
        "latency_ms": st.sampled_from([0, 1, 12.5, 70000, None]),
    },
)


def totals(session: Session, source: Source, windows: list[str]) -> EventTotals:
    return facts(session, source, windows, {}).totals


def lines(found: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in found)


def expected(session: Session, windows: list[str]) -> EventTotals:
    """The totals of the events that are read back one by one."""
    found = [entry.record for entry in session.index.entries("toy_stream", windows)]

    def part(own: list[Any]) -> EventTotals:
        latencies = [one.get("latency_ms") for one in own]
        durations = [value for value in latencies if isinstance(value, int | float) and value >= 0]
        p50, p95 = (float(np.percentile(durations, p)) if durations else None for p in (50, 95))
        tokens = [[one.get(name) for one in own] for name in ("input_tokens", "output_tokens")]
        sums = [sum(count for count in counts if isinstance(count, int) and count > 0) for counts in tokens]
        return EventTotals(
            events=len(own),
            routed=sum(one["routed"] for one in own),
            errors=sum(one["ok"] is not True for one in own),
            input_tokens=sums[0],
            output_tokens=sums[1],
            latency_ms=evolve(EventTotals().latency_ms, n=len(durations), p50=p50, p95=p95),
        )

    def by(name: str) -> dict[str, EventTotals]:
        names = sorted({one.get(name) or "" for one in found})
        return {value: part([one for one in found if (one.get(name) or "") == value]) for value in names}

    return evolve(part(found), lanes=by("lane"), models=by("model"))


def rounded(found: EventTotals) -> Any:
    """The totals, with what differs by the order of an addition made equal."""
    document = json.dumps(asdict(found), sort_keys=True)
    return json.loads(document, parse_float=lambda text: round(float(text), 6))


@relaxed
@given(first=st.lists(EVENTS, max_size=12), second=st.lists(EVENTS, max_size=12), cut=st.integers(1, 12))
def test_the_index_adds_up_what_the_journal_holds(
    intake: Callable[..., Any],
    new_session: Callable[[], Session],
    tmp_path: Path,
    first: list[dict[str, Any]],
    second: list[dict[str, Any]],
    cut: int,
) -> None:
    journal = tmp_path / "data" / "toy_stream.jsonl"
    journal.unlink(missing_ok=True)
    run = intake("W1")
    for start in range(0, len(first), cut):
        run.give(lines(first[start : start + cut]))
    run.end()
    intake("W2").give(lines(second)).end()
    toy = new_session().registry.sources["toy-stream"]
    if not journal.exists():
        return
    for windows in (["W1"], ["W2"], ["W1", "W2"], ["W3"]):
        session = new_session()
        assert rounded(totals(session, toy, windows)) == rounded(expected(session, windows))
        session.index.close()
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole)  # two journals put together: every record stands there twice
    session = new_session()
    assert rounded(totals(session, toy, ["W1", "W2"])) == rounded(expected(session, ["W1", "W2"]))
    rows = [json.loads(line) for line in whole.splitlines()]
    journal.write_bytes(whole + json.dumps({"tombstone": rows[0]["record_id"], "window": "W1"}).encode() + b"\n")
    session.index.close()
    session = new_session()
    assert rounded(totals(session, toy, ["W1", "W2"])) == rounded(expected(session, ["W1", "W2"]))
    assert totals(session, toy, ["W1", "W2"]).events == len(rows) - 1
    session.index.close()
    journal.unlink()
    assert totals(new_session(), toy, ["W1", "W2"]).events == 0


def test_rows_of_schema_1_0_0_are_counted_as_their_lines_and_not_taken_in_again(
    intake: Callable[..., Any], new_session: Callable[[], Session], stored: Callable[..., Any], tmp_path: Path
) -> None:
    stream = '{"rid": "a", "lane": "far", "reason": "\u2028"}\r\n{"rid": "b"}\n{"rid": "b"}\nnonsense\n\n{"rid": "c"}'
    old = {"window": "W0-CHN", "provider": "toy-stream", "raw_text": stream, "parsed": {"events": 9}}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "toy_stream.jsonl").write_text(json.dumps(old) + "\n")
    session = new_session()
    found = totals(session, session.registry.sources["toy-stream"], ["W0-CHN"])
    assert (found.events, found.routed) == (4, 1)
    session.index.close()
    again = stream.encode() + b'\n{"rid": "b"}\n{"rid": "d"}\n'
    for summary in ("events=6, new=2, duplicates=4, rejected=1", "events=6, new=0, duplicates=6, rejected=1"):
        assert intake().give(again).end().startswith(summary)
    assert [(row.get("rid"), row.get("nth")) for row in stored()[1:]] == [("b", 2), ("d", None)]
    session = new_session()
    assert totals(session, session.registry.sources["toy-stream"], ["W0-CHN"]).events == 6
    session.index.close()


def test_each_row_of_schema_1_0_0_counts_and_a_line_of_its_window_once(
    intake: Callable[..., Any], new_session: Callable[[], Session], tmp_path: Path
) -> None:
    """That schema kept each run of `ingest` as one row without an id, also a log that had grown since the last run.

    A line that was no UTF-8 left half a character in it. An import may bring a row of lines that are stored already.
    """
    first, other = [{"rid": f"a{at}"} for at in range(5)], [{"rid": f"b{at}"} for at in range(8)]
    twice = [{"rid": "c"}, {"rid": "c"}]
    runs = (("W1", first), ("W2", other), ("W1", first + twice), ("W2", twice[:1]), ("W2", twice))
    intake("W3").give(lines(twice)).end()
    with (tmp_path / "data" / "toy_stream.jsonl").open("a") as file:
        for window, given in (*runs, ("W3", [*twice, {"rid": "c"}])):
            text = lines(given).decode() + "\udce2"
            file.write(json.dumps({"window": window, "provider": "toy-stream", "raw_text": text}) + "\n")
    for _ in range(2):
        session = new_session()
        toy = session.registry.sources["toy-stream"]
        assert [totals(session, toy, [window]).events for window in ("W1", "W2", "W3")] == [7, 10, 3]
        session.index.close()


def test_events_outside_a_span_of_time_are_counted(
    intake: Callable[..., Any], new_session: Callable[[], Session]
) -> None:
    for hour in range(10):
        found = [{"rid": f"{hour}-{at}", "ts": f"2026-01-10T{hour:02}:00:0{at}Z"} for at in range(3)]
        intake("W1").give(lines([*found, {"rid": f"{hour}"}])).end()
    session = new_session()
    toy, parse = session.registry.sources["toy-stream"], datetime.fromisoformat
    start, end = parse("2026-01-10T02:00:01Z"), parse("2026-01-10T08:00:01Z")
    assert facts(session, toy, ["W1"], {"W1": (start, end)}).outside == {"W1": 2 * 3 + 1 + 1 + 3}
    assert facts(session, toy, ["W1"], {"W1": (start, None)}).outside == {"W1": 7}
    years = parse("2025-01-01T00:00:00Z"), parse("2027-01-01T00:00:00Z")
    assert facts(session, toy, ["W1"], {"W1": years}).outside == {}
    session.index.close()


@pytest.mark.parametrize("is_well", [True, False])
@pytest.mark.parametrize("orders", [("open", "whole"), ("whole", "open"), ("open", "whole", "open")])
def test_a_request_that_was_open_at_the_end_of_a_stream_is_not_open_for_ever(
    new_session: Callable[[], Session], orders: tuple[str, ...], is_well: bool
) -> None:
    """The line that ends it may have no more tokens, and say that it failed, though it was taken for well before."""
    from types import ModuleType

    from tracker.api import hookimpl
    from tracker.hosting.discovery import Plugin
    from tracker_telemetry.reader import Reader

    request = {"key": "r1", "rid": "r1", "input_tokens": 10, "output_tokens": 40}

    def ingest_line(line: bytes, scratch: dict[str, Any]) -> list[dict[str, Any]]:
        if line == b"begin":
            scratch["open"] = True
            return []
        return [{**request, "ok": is_well, "routed": False, "latency_ms": 300}] if scratch.pop("open", False) else []

    def end_stream(scratch: dict[str, Any]) -> list[dict[str, Any]]:
        return [{**request, "ok": not is_well, "routed": False}] if scratch else []

    module = ModuleType("toy")
    vars(module).update(vars(new_session().registry.find("toy-stream").module))  # type: ignore[union-attr]
    vars(module).update(ingest_line=hookimpl(ingest_line), end_stream=hookimpl(end_stream))
    for order in orders:
        session = new_session()
        session.__dict__["registry"] = type(session.registry)(plugins=[Plugin("toy-stream", load=lambda: module)])
        reader = Reader(session, source := session.registry.sources["toy-stream"], "W1", None)
        reader.store(reader.read([b"begin"] + ([b"end"] if order == "whole" else [])))
        reader.store(reader.finish())
        session.index.close()
    found = totals(session, source, ["W1"])
    assert (found.events, found.errors, found.latency_ms.n, found.output_tokens) == (1, not is_well, 1, 40)
