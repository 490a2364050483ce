"""Sixteen processes at once, in the same and in different lanes: exactly what they announced stands."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tracker.journal.journal import Journal

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
LANES = ("", "main", "sub1", "sub2")
PROCESSES = 16


def operation(dice: random.Random, turn: int, number: int) -> tuple[list[str], str]:
    window = f"W{dice.randrange(3)}"
    return dice.choice(
        [
            (["alias", "start", "toy", "--stdin", "--window", window], f"fuel {turn}%"),
            (["alias", "end", "toy", "--stdin", "--window", window], f"fuel {50 + turn}%"),
            (["alias", "start", "tally", "--stdin"], str(turn)),
            (["alias", "end", "tally", "--stdin"], str(50 + turn)),
            (["alias", "delete", "toy", "--yes", "--window", window], ""),
            (["ingest", "toy-report", "--window", window, "--stdin"], "60"),
            (["ingest", "toy-stream", "--window", window, "--file", f"events-{number % 4}.jsonl"], ""),
            (["complete", "--window", window, "--toy-features", "1"], ""),
        ]
    )


def worker(program: Any, number: int, turns: int) -> Callable[[Callable[[str], None]], None]:
    def run(announce: Callable[[str], None]) -> None:
        dice, lane = random.Random(number), LANES[number % len(LANES)]
        for turn in range(turns):
            arguments, pane = operation(dice, turn, number)
            done = program("--json", *arguments, stdin=pane, lane=lane)
            assert done.error is None, done.error
            # 75: on a busy machine the lock is not free in time, and nothing is stored
            assert done.status in (0, 1, 75), done.err
            said = json.loads(done.out) if done.status == 0 else []
            for one in said if isinstance(said, list) else [said]:
                announce(one["record_id"] if "record_id" in one else f"events {one['window']} {one['new']}")

    return run


def test_sixteen_processes_end_with_what_they_announced(
    program: Any, forked: Callable[..., Any], often: Callable[[int, int], int]
) -> None:
    for number in range(4):
        lines = "".join(f'{{"rid": "{number}-{line}", "lane": "far"}}\n' for line in range(25))
        (program.root.parent / f"events-{number}.jsonl").write_text(lines)
    children = [forked(worker(program, number, often(6, 250))) for number in range(PROCESSES)]
    announced = [text for child in children for text in child.announced()]
    assert [child.wait() for child in children] == [0] * PROCESSES
    assert len(announced) > PROCESSES * 2
    streams = ("snapshots", "tally_counts", "toy_report", "windows")
    stored = Counter(row["record_id"] for stream in streams for row in program.rows(stream))
    assert stored == Counter(text for text in announced if not text.startswith("events"))
    new = Counter[str]()
    for text in announced:
        if text.startswith("events"):
            _, window, count = text.split()
            new[window] += int(count)
    events = program.rows("toy_stream")
    assert Counter(row["window"] for row in events) == +new
    assert len({row["record_id"] for row in events}) == len(events)
    check_states(program)


def check_states(program: Any) -> None:
    """Each lane's state names its newest standing capture."""
    checked = 0
    for source, stream in (("toy", "snapshots"), ("tally", "tally_counts")):
        rows = program.rows(stream)
        gone = {row["tombstone"] for row in rows if "tombstone" in row}
        for lane in LANES:
            own = [
                (row["captured_at"], place, row)
                for place, row in enumerate(rows)
                if row["record_id"] not in gone and "tombstone" not in row and row["agent_id"] == (lane or None)
            ]
            if not own:
                continue
            *_, newest = max(own, key=lambda found: found[:2])
            state = program.state(source, lane)
            assert (state["record_id"], state["window"], state["open"]) == (
                newest["record_id"],
                newest["window"],
                newest["phase"] == "before",
            )
            assert state.get("baseline") == (newest.get("baseline") if newest["phase"] == "before" else None)
            checked += 1
    assert checked > 4


def test_captures_of_one_instant_are_all_kept(program: Any, forked: Callable[..., Any]) -> None:
    def run(announce: Callable[[str], None]) -> None:
        for _ in range(5):
            at = ["--captured-at", "2026-01-10T08:00:00.000001Z"]
            done = program("--json", "alias", "start", "toy", "--stdin", "--window", "W1", *at, stdin="fuel 1%")
            announce(json.loads(done.ok())["record_id"])

    said = [text for child in [forked(run) for _ in range(4)] for text in child.announced()]
    assert len(set(said)) == 20
    assert Counter(row["record_id"] for row in program.rows("snapshots")) == Counter(said)


# --- the lock


def test_the_waiting_times_are_as_promised() -> None:
    from tracker.journal import journal

    assert (journal.NOTICE_SECONDS, journal.WAIT_SECONDS) == (1.0, 5.0)


def holder(program: Any) -> Callable[[Callable[[str], None]], None]:
    """A process that takes the lock and keeps it."""

    def run(announce: Callable[[str], None]) -> None:
        from tracker.journal.journal import Journal

        with Journal(program.root).lock("tracker ingest toy-stream"):
            announce("held")
            time.sleep(600)

    return run


def until_held(child: Any) -> None:
    assert os.read(child.pipe, 100) == b"held\n"


def test_a_busy_lock_is_waited_for_and_then_given_up(
    program: Any, forked: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    program("alias", "start", "toy", "--stdin", stdin="fuel 1%").ok()
    before = program.files()
    child = forked(holder(program))
    until_held(child)
    monkeypatch.setattr("tracker.journal.journal.NOTICE_SECONDS", 0.05)
    monkeypatch.setattr("tracker.journal.journal.WAIT_SECONDS", 0.2)
    done = program("alias", "end", "toy", "--stdin", stdin="fuel 2%")
    who = f"held by process {child.pid}, tracker ingest toy-stream"
    assert f"warning: waiting for the lock of {program.root}, {who}\n" in done.err
    assert done.refused(75) == (f"error: The lock of {program.root} is busy ({who}). Nothing was stored. Try again.")
    assert program.files() == before
    assert "W0-01" in program("preview").ok()


def test_the_lock_of_a_dead_process_blocks_nobody(program: Any, forked: Callable[..., Any]) -> None:
    child = forked(holder(program))
    until_held(child)
    child.kill()
    assert f"process {child.pid}" in (program.root / ".lock").read_text()
    done = program("alias", "start", "toy", "--stdin", stdin="fuel 1%")
    assert (done.ok(), done.err) == ("stored toy before snapshot for W0-01 (awaiting end)\n", "  fuel 1% used\n")


def test_what_the_owner_file_says_cannot_steer_a_terminal(
    program: Any, forked: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    child = forked(holder(program))
    until_held(child)
    (program.root / ".lock").write_bytes(b"\x1b[2J\xff" * 1000)
    monkeypatch.setattr("tracker.journal.journal.NOTICE_SECONDS", 0.01)
    monkeypatch.setattr("tracker.journal.journal.WAIT_SECONDS", 0.05)
    error = program("alias", "start", "toy", "--stdin", stdin="fuel 1%").refused(75)
    assert "\x1b" not in error
    assert len(error) < 2000


@pytest.mark.parametrize("words", ["alias end toy --stdin", "complete --window W0-01 --toy-features 1"])
def test_what_the_index_lacks_is_read_before_the_lock_is_taken(
    program: Any, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    for verb in ("start", "end", "start"):
        program("alias", verb, "toy", "--stdin", stdin="fuel 1%").ok()
    shutil.rmtree(program.root / ".index")
    held, read = list[bool](), list[tuple[str, int, bool]]()
    lock, checksums = Journal.lock, Journal.checksums

    @contextlib.contextmanager
    def noted(journal: Journal, *given: Any, **named: Any) -> Iterator[None]:
        with lock(journal, *given, **named):
            held.append(True)
            yield
            held.pop()

    def summed(journal: Journal, stream: str, start: int, *rest: int) -> Any:
        read.append((stream, start, bool(held)))
        return checksums(journal, stream, start, *rest)

    monkeypatch.setattr(Journal, "lock", noted)
    monkeypatch.setattr(Journal, "checksums", summed)
    program(*words.split(), stdin="fuel 3%").ok()
    assert ("snapshots", 0, False) in read
    assert ("snapshots", 0, True) not in read
