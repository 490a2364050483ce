"""The way from bytes to batches: lines of any length in any pieces, a busy lock, a bar for people."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.errors import Busy, PluginError
from tracker.session import Session
from tracker_telemetry import lines as tail
from tracker_telemetry.intake import Intake
from tracker_telemetry.lines import EVENT_LIMIT, LINE_LIMIT, Line, Splitter, Stop, TooLong, pipe_chunks
from tracker_telemetry.progress import Progress
from tracker_telemetry.reader import Reader

TEXTS = st.lists(
    st.sampled_from([b"", b"a", b"bc", b"\r", b"d" * 7, b"e" * 8, b"f" * 9, b"g" * 30, b"h\r"]), max_size=8
)


def split(data: bytes, sizes: list[int]) -> list[Line]:
    splitter, found = Splitter(), list[Line]()
    while data:
        size = sizes.pop() if sizes else len(data)
        found += splitter.feed(data[:size])
        data = data[size:]
    return found + splitter.end()


@settings(deadline=None)
@given(lines=TEXTS, has_end=st.booleans(), sizes=st.lists(st.integers(1, 12)))
def test_lines_do_not_depend_on_the_pieces_they_came_in(lines: list[bytes], has_end: bool, sizes: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "LINE_LIMIT", 8)
        patch.setattr(tail, "KEPT", 3)
        data = b"\n".join(lines) + (b"\n" if has_end else b"")
        # of a line over the limit, its end cannot be told from its text
        whole = [line if len(line) > 9 else line.removesuffix(b"\r") for line in data.split(b"\n")]
        expected = whole[:-1] if data.endswith(b"\n") or not data else whole
        expected = expected if expected != [b""] or data else []
        found = split(data, list(sizes))
        assert [line if isinstance(line, bytes) else line.length for line in found if line != b""] == [
            line if len(line) <= 8 else len(line) for line in expected if line
        ]
        for line in found:
            if isinstance(line, TooLong):
                assert line.head in {one[:3] for one in expected}
                assert line.sha256 in {hashlib.sha256(one).hexdigest() for one in expected}


def test_a_line_of_exactly_the_limit_is_one() -> None:
    [line] = Splitter().feed(b"x" * LINE_LIMIT + b"\n")
    assert isinstance(line, bytes)
    [line] = Splitter().feed(b"x" * (LINE_LIMIT + 1) + b"\n")
    assert isinstance(line, TooLong)


def test_an_endless_line_takes_bounded_memory() -> None:
    splitter = Splitter()
    for _ in range(4):
        assert splitter.feed(b"x" * LINE_LIMIT) == []
        assert len(splitter._held) <= 2 * LINE_LIMIT
    [line] = splitter.end()
    assert isinstance(line, TooLong)
    assert line.length == 4 * LINE_LIMIT


def test_what_arrives_in_a_moment_is_one_chunk() -> None:
    reading, writing = os.pipe()
    writer = threading.Thread(target=lambda: (os.write(writing, b"a\n"), os.write(writing, b"b\n"), os.close(writing)))
    writer.start()
    with Stop() as stop:
        assert b"".join(pipe_chunks(reading, stop)) == b"a\nb\n"
    writer.join()
    os.close(reading)


def test_what_had_arrived_when_the_end_was_asked_for_is_given() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a\n")
    with Stop() as stop:
        stop.is_asked = True
        assert list(pipe_chunks(reading, stop)) == [b"a\n"]
    os.close(reading)
    os.close(writing)


@pytest.fixture
def at_work(new_session: Callable[[], Session], monkeypatch: pytest.MonkeyPatch) -> Intake:
    monkeypatch.setattr("tracker_telemetry.intake.RETRY_SECONDS", 0)
    session = new_session()
    return Intake(session, Reader(session, session.registry.sources["toy-stream"], "W1", None), Stop())


def given_file(tmp_path: Path, data: bytes) -> int:
    (tmp_path / "stream").write_bytes(data)
    return os.open(tmp_path / "stream", os.O_RDONLY)


def test_a_file_that_was_read_when_the_end_was_asked_for_is_whole(
    at_work: Intake, stored: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b'{"rid": "a"}\n{"rid": "b"}'
    store = Reader.store

    def interrupted(*given: Any) -> None:
        store(*given)
        at_work.stop.is_asked = True

    monkeypatch.setattr(Reader, "store", interrupted)
    file = given_file(tmp_path, data)
    at_work.read(file)
    os.close(file)
    assert at_work.read_until is None
    assert [row["rid"] for row in stored()] == ["a", "b"]
    at_work.stop.is_asked = False
    monkeypatch.setattr(tail, "BATCH", 13)
    file = given_file(tmp_path, data)
    at_work.read(file)
    os.close(file)
    assert at_work.read_until == 13 / len(data)


def test_a_busy_lock_is_waited_for(
    at_work: Intake, stored: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    journal, tries = at_work.session.journal, [1, 1, 1, 0]
    real = journal.lock

    @contextmanager
    def lock(purpose: str | None = None) -> Any:
        if tries.pop(0):
            raise Busy("The lock is busy. Nothing was stored. Try again.")
        with real(purpose):
            yield

    monkeypatch.setattr(journal, "lock", lock)
    file = given_file(tmp_path, b'{"rid": "a"}\n{"rid": "b"}\n')
    at_work.read(file)
    os.close(file)
    assert [row["rid"] for row in stored()] == ["a", "b"]
    assert capsys.readouterr().err.count("The lock is busy. The stream waits with 2 lines to store.") == 1
    at_work.session.index.close()


def test_who_asks_for_the_end_is_told_what_was_not_stored(
    at_work: Intake, stored: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def lock() -> Any:
        at_work.stop.is_asked = True
        raise Busy("The lock is busy. Nothing was stored. Try again.")
        yield

    monkeypatch.setattr(at_work.session.journal, "lock", lock)
    file = given_file(tmp_path, b'{"rid": "a"}\n')
    with pytest.raises(Busy, match=r"Not stored: the last 1 line\. Replay the stream") as raised:
        at_work.read(file)
    os.close(file)
    assert raised.value.status == 75
    assert stored() == []
    at_work.session.index.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"input_tokens": 10**15},
        {"output_tokens": 10**26},
        {"cost_usd": 1e300},
        {"status": 10**400},
        {"rid": "\ud800"},
        {"tags": ["\udfff"]},
        {"key": "\ud800"},
        [{"rid": "x" * (EVENT_LIMIT - 20)}],
    ],
    ids=lambda wrong: f"{wrong!a:.40}",
)
def test_what_no_record_can_hold_costs_its_line(intake: Any, stored: Any, wrong: dict[str, Any]) -> None:
    rows = [{"rid": "a", "input_tokens": 5}, wrong, {"rid": "b", "input_tokens": 5}, {"rid": "c"}]
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    assert intake().give(text).end() == "events=3, new=3, duplicates=0, rejected=1, routed=0%"
    assert intake().give(text).end() == "events=3, new=0, duplicates=3, rejected=1, routed=0%"
    assert [row["rid"] for row in stored()] == ["a", "b", "c"]
    [kept] = stored("toy_stream.rejected")
    assert (kept["line_number"], kept["rejected"]) == (2, "the plugin failed: TypeError")


def test_a_line_that_is_refused_without_a_reason_is_kept_and_counted(intake: Any, stored: Any) -> None:
    assert intake().give(b'{"rid": "a"}\n""\n').end().startswith("events=1, new=1, duplicates=0, rejected=1, ")
    [kept] = stored("toy_stream.rejected")
    assert (kept["line_number"], kept["rejected"]) == (2, "the plugin gave no reason")


def test_an_empty_key_is_refused(intake: Any, stored: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It would make one request of all that have it."""
    lines = b'{"rid": "a", "key": ""}\n{"rid": "b", "key": ""}\n{"rid": "c", "key": "k"}\n'
    assert intake().give(lines).end().startswith("events=1, new=1, duplicates=0, rejected=2, ")
    assert "an event's key is empty. Expected the request's own id, or None" in capsys.readouterr().err
    assert [row["rid"] for row in stored()] == ["c"]


def test_a_text_that_is_too_long_is_named(intake: Any, capsys: pytest.CaptureFixture[str]) -> None:
    row = json.dumps([{"rid": "a", "reason": "x" * (EVENT_LIMIT - 40)}]).encode()
    assert len(row) <= EVENT_LIMIT
    intake().give(row + b"\n").end()
    assert "an event's reason is too long. Expected at most 1 MB in all;" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "why"),
    [
        *(([wrong], "") for wrong in ({"rid": "\ud800"}, {"key": "\ud800"}, {"rid": "x" * (EVENT_LIMIT + 1)})),
        (None, "TypeError: returned a NoneType. Expected a list of events"),
    ],
    ids=["rid", "key", "long", "none"],
)
def test_what_no_record_can_hold_at_the_end_names_the_plugin(new_session: Any, given: Any, why: str) -> None:
    session = with_end(new_session, given)
    reader = Reader(session, session.registry.sources["toy-stream"], "W0-CHN", None)
    with pytest.raises(PluginError, match=f"'toy-stream' failed to end_stream: {why}"):
        reader.finish()


def test_a_pipe_that_a_signal_ends_gives_what_its_lines_leave_open(new_session: Any) -> None:
    session = with_end(new_session, [{"rid": "open"}])
    intake = Intake(session, Reader(session, session.registry.sources["toy-stream"], "W1", None), Stop(is_asked=True))
    reading, writing = os.pipe()
    os.write(writing, b'{"rid": "whole"}\n')
    intake.read(reading)
    os.close(reading)
    os.close(writing)
    assert [entry.record["rid"] for entry in session.index.entries("toy_stream")] == ["whole", "open"]


def with_end(new_session: Any, given: Any) -> Session:
    """A session whose toy stream ends with these events."""
    from types import ModuleType

    from tracker.api import hookimpl
    from tracker.hosting.discovery import Plugin

    def end_stream(scratch: dict[str, Any]) -> Any:
        return given

    module = ModuleType("toy")
    own = new_session().registry.find("toy-stream").module
    vars(module).update(vars(own), end_stream=hookimpl(end_stream))
    session: Session = new_session()
    session.__dict__["registry"] = type(session.registry)(plugins=[Plugin("toy-stream", load=lambda: module)])
    return session


def test_a_bar_has_a_rate_and_the_time_left() -> None:
    bar = Progress(size=1000, is_shown=False)
    bar.advance(250, 5000)
    assert bar.text(10) == "[######------------------]  25%  5,000 events, 500/s, 0:30 left"
    counter = Progress(is_shown=False)
    counter.advance(250, 5000)
    assert counter.text(10) == "5,000 events, 500/s"


def test_a_pipe_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("tracker_telemetry.progress.PIPE_SECONDS", 0.0)
    progress = Progress(size=1000, is_terminal=False, noun="requests")
    progress.advance(500, 20)
    progress.end()
    said = capsys.readouterr().err
    assert said.startswith("[############------------]  50%  20 requests, ")
    assert said.endswith(" left\n")
    assert "\r" not in said


def test_a_service_that_follows_a_log_fills_no_file_with_counts(
    new_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for is_terminal in (True, False):
        monkeypatch.setattr("sys.stderr.isatty", lambda is_terminal=is_terminal: is_terminal)
        assert Progress.of(new_session(), 0).is_shown is is_terminal
        assert Progress.of(new_session(), 5).is_shown
