"""The streams' files: appended, flushed, read in whole lines of any length, set aside when torn."""

from __future__ import annotations

import errno
import json
import os
import re
import threading
from enum import IntEnum
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker.errors import TrackerError
from tracker.journal import records as stored
from tracker.journal.journal import Journal
from tracker.journal.records import DEEPEST, decode, is_too_deep


def store(journal: Journal, *records: dict[str, Any]) -> None:
    with journal.lock("test"):
        journal.append("events", records)


def test_records_are_appended_in_one_write_and_flushed(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    store(journal, {"a": 0})
    calls: list[str] = []
    for name in ("write", "fsync"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *words, name=name, real=real: (calls.append(name), real(*words))[1])
    with journal.lock("test"):
        calls.clear()
        journal.append("events", [{"a": 1}, {"b": "ü\n"}])
    assert calls == ["write", "fsync"]
    assert (journal.root / "events.jsonl").read_bytes() == '{"a":0}\n{"a":1}\n{"b":"ü\\n"}\n'.encode()


@pytest.mark.parametrize("words", [["--no-fsync"], []])
def test_the_flush_can_be_left_out(program: Any, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    if not words:
        (program.root.parent / "tracker.toml").write_text("fsync = false\n")
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    program("alias", "start", "toy", "--stdin", *words, stdin="fuel 1%").ok()
    assert flushed == []
    (program.root.parent / "tracker.toml").unlink(missing_ok=True)
    program("alias", "start", "toy", "--stdin", stdin="fuel 1%").ok()
    assert flushed


@pytest.mark.parametrize("stream", ["../x", "", "A", "a/b", "a b"])
def test_a_stream_is_a_name_and_no_path(journal: Journal, stream: str) -> None:
    with journal.lock(), pytest.raises(ValueError, match="Invalid stream"):
        journal.append(stream, [{}])
    assert not [*journal.root.parent.rglob("*.jsonl")]


def test_an_append_needs_the_lock(journal: Journal) -> None:
    journal.prepare()
    with pytest.raises(AssertionError, match="needs the lock"):
        journal.append("events", [{}])


def test_a_lock_that_cannot_be_taken_says_what_to_type(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("fcntl.flock", refuse)
    cure = r"Nothing was stored\. Copy the records .*, and name it with --data-dir"
    with pytest.raises(TrackerError, match=cure), journal.lock():
        pass


def test_the_lock_can_be_taken_again_by_its_holder(journal: Journal) -> None:
    with journal.lock("outer"), journal.lock("inner"):
        journal.append("events", [{"a": 1}])
    with journal.lock("again"):
        journal.append("events", [{"a": 2}])
    assert [record for _, _, record in journal.records("events")] == [{"a": 1}, {"a": 2}]


def test_other_files_of_the_folder_are_no_streams(journal: Journal) -> None:
    store(journal, {"a": 1})
    for name in ("Notes.jsonl", "my notes.jsonl", ".hidden.jsonl", "events.jsonl.torn", "x.json"):
        (journal.root / name).write_text("{}\n")
    (journal.root / "toy.rejected.jsonl").write_text("{}\n")
    assert journal.streams() == ["events", "toy.rejected"]


LINES = st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line), max_size=30)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES, tail=st.binary(max_size=10).filter(lambda tail: b"\n" not in tail), data=st.data())
def test_whole_lines_whatever_the_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[bytes], tail: bytes, data: st.DataObject
) -> None:
    content = b"".join(line + b"\n" for line in lines)
    path = tmp_path / "stream"
    path.write_bytes(content + tail)
    offsets = [sum(len(line) + 1 for line in lines[:place]) for place in range(len(lines) + 1)]
    first = data.draw(st.integers(0, len(lines)))
    last = data.draw(st.integers(first, len(lines)))
    with monkeypatch.context() as patched:
        patched.setattr(stored, "CHUNK", data.draw(st.integers(1, 40)))
        patched.setattr(stored, "LINE_LIMIT", limit := data.draw(st.sampled_from([5, 1000])))
        file = os.open(path, os.O_RDONLY)
        try:
            assert stored.whole_size(file, len(content + tail)) == len(content)
            for stop, end in ((None, len(lines)), (offsets[last], last)):
                found = list(stored.whole_lines(file, offsets[first], stop))
                wanted = [(offsets[place], lines[place]) for place in range(first, end)]
                assert [offset for offset, _ in found] == [offset for offset, _ in wanted]
                for (_, line), (_, real) in zip(found, wanted, strict=True):
                    assert line == real or (line is None and len(real) > limit)
        finally:
            os.close(file)


def test_a_line_over_the_limit_is_left_out_with_a_warning(
    journal: Journal, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store(journal, {"a": 1}, {"b": "x" * 5000}, {"c": 3})
    monkeypatch.setattr(stored, "CHUNK", 100)
    monkeypatch.setattr(stored, "LINE_LIMIT", 1000)
    assert [record for _, _, record in journal.records("events")] == [{"a": 1}, {"c": 3}]
    assert said == ["events.jsonl holds lines that are not records. `tracker doctor` shows them."]


NESTED = b"[" * (DEEPEST - 1) + b"]" * (DEEPEST - 1)


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'{"a": 1}\r', {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": NaN, "b": -Infinity}', {"a": None, "b": None}),
        (b'{"a": "\\ud800x"}', {"a": "\ufffdx"}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        (b'{"a": ' + b"9" * 30 + b"}", {"a": 1e30}),
        (b'{"a": 1e999}', {"a": None}),
        (b'{"a": ' + NESTED + b"}", {"a": orjson.loads(NESTED)}),
        (b'{"a": [' + NESTED + b"]}", None),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
        (b"[1]", None),
        (b'"text"', None),
        (b"", None),
        (b"{", None),
        (b'{"a": "\xff"}', None),
        (b'{"a": 1} {"b": 2}', None),
    ],
)
def test_what_a_line_says(line: bytes, record: dict[str, Any] | None) -> None:
    found = decode(line)
    assert found == record
    if found is not None:
        assert orjson.loads(orjson.dumps(found)) == found, "what is read can be written"


@settings(deadline=None)
@given(
    st.recursive(
        st.none(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
        max_leaves=30,
    )
)
def test_the_depth_of_a_value(value: Any) -> None:
    def depth(one: Any) -> int:
        children = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        return 1 + max(map(depth, children), default=0) if isinstance(one, dict | list) else 0

    for deepest in range(5):
        assert is_too_deep(value, deepest) is (depth(value) > deepest)


def test_a_reader_sees_whole_records_while_a_slow_writer_is_at_it(
    journal: Journal, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No lock is needed to read: what has no end yet is not there yet."""
    write, done = os.write, threading.Event()
    monkeypatch.setattr(os, "write", lambda file, data: write(file, bytes(data)[:7]))

    def writing() -> None:
        writer = Journal(journal.root, fsync=False)
        for number in range(150):
            with writer.lock("test"):
                writer.append("events", [{"number": number, "text": "ü" * 20}] * 2)
        done.set()

    thread = threading.Thread(target=writing)
    thread.start()
    seen, rounds = 0, 0
    while not done.is_set() or not rounds:
        found = [record["number"] for _, _, record in journal.records("events", 0, journal.size("events"))]
        assert found == [number // 2 for number in range(len(found))]
        assert len(found) >= seen
        seen, rounds = len(found), rounds + 1
    thread.join()
    assert len(list(journal.records("events"))) == 300
    assert said == []
    assert not list(journal.root.glob("*.torn"))


def test_garbage_is_left_where_it_is(program: Any) -> None:
    program("alias", "start", "toy", "--stdin", "--window", "W1", stdin="fuel 1%").ok()
    path = program.root / "snapshots.jsonl"
    garbage = b"\x00\xff garbage\n\n[]\n"
    path.write_bytes(garbage + path.read_bytes() + garbage)
    done = program("alias", "end", "toy", "--stdin", stdin="fuel 2%")
    assert "ready to finalize" in done.ok()
    assert "snapshots.jsonl holds lines that are not records" in done.err
    assert "capacity=1 pp" in program("preview").ok()
    assert path.read_bytes().startswith(garbage)


@pytest.mark.parametrize("call", ["open", "lstat"])
def test_an_error_of_the_system_is_one_line(journal: Journal, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    store(journal, {"a": 1})

    def broken(*_words: object, **_named: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, call, broken)
    with pytest.raises(TrackerError, match=r"^cannot (read|look at) .*: Input/output error. Nothing was ") as caught:
        list(journal.records("events"))
    assert "\n" not in str(caught.value)


def test_a_new_directory_is_private_whatever_the_mask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        journal = Journal(tmp_path / "deep" / "er" / "data")
        store(journal, {"a": 1})
        assert (tmp_path / "deep" / "er" / "data").stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in journal.root.iterdir()} == {0o600}
    finally:
        os.umask(before)


def test_a_record_that_is_gone_is_an_empty_one(journal: Journal) -> None:
    assert journal.record("events", 0) == {}
    store(journal, {"a": 1})
    assert journal.record("events", 0) == {"a": 1}
    assert journal.record("events", 1000) == {}


def test_halves_are_rounded_up() -> None:
    from tracker.text.render import number, rate

    assert [rate(one) for one in (1 / 8, 3 / 8, 0.0125, 1 / 6)] == ["0.13", "0.38", "0.013", "0.17"]
    assert [number(one, 2) for one in (0.125, -0.125, 0, 0.1249)] == ["0.13", "-0.13", "0.00", "0.12"]
    assert [number(one, 0) for one in (2.5, 10**15, 10**18)] == ["3", "1000000000000000", "1000000000000000000"]


def test_whole_numbers_of_a_type_of_their_own_are_plain() -> None:
    """Whether a range of 64 bits holds one Python finds out number by number."""
    from tracker.text.render import plain

    class Level(IntEnum):
        HIGH = 3

    assert plain({"a": Level.HIGH, "b": -(1 << 70)}) == {"a": 3, "b": -(2.0**70)}


def test_json_is_shown_without_anything_that_steers() -> None:
    from tracker.text.render import CONTROL, escape, json_parts, line, number

    text = "".join(map(chr, range(0x2100))) + "\U0001f600"
    assert re.search(CONTROL, escape(text)) is None
    assert re.search(CONTROL, line(text)) is None
    assert "\n" not in line(text)
    shown = "".join(json_parts({text: [text]}))
    assert re.search(CONTROL, shown) is None
    assert json.loads(shown) == {text: [text]}
    assert [number(one) for one in (7, 7.0, 7.25, -0.5, 1e20, 10**22, 10**400, float("inf"))] == [
        *("7", "7", "7.25", "-0.5", "100000000000000000000", "1.000e+22", "huge", "huge")
    ]
