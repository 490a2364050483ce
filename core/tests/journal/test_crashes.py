"""Processes are killed at random moments: what they announced stands, and at most one line is torn."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

EVENTS = "".join(f'{{"rid": "r{number}", "lane": "far", "ms": {number}}}\n' for number in range(40))


def commands(dice: random.Random, turn: int) -> tuple[list[str], str]:
    """One writing command of any kind, and what is piped to it."""
    window = f"W{dice.randrange(4)}"
    pane = f"fuel {dice.randrange(40)}%\n{'text ' * dice.choice([1, 400])}"
    return dice.choice(
        [
            (["alias", "start", "toy", "--stdin", "--window", window], pane),
            (["alias", "end", "toy", "--stdin", "--window", window], pane),
            (["alias", "cross", "toy", "--stdin", "--window", window], pane),
            (["alias", "start", "tally", "--stdin", "--window", window], str(turn)),
            (["alias", "end", "tally", "--stdin", "--window", window], str(turn + 5)),
            (["alias", "delete", "toy", "--yes", "--window", window], ""),
            (["override", "toy", "--window", window, "--phase", "after", "--fuel-pct", "50"], ""),
            (["ingest", "toy-report", "--window", window, "--stdin"], "60"),
            (["ingest", "toy-stream", "--window", f"{window}-{turn}", "--file", "events.jsonl"], ""),
            (["complete", "--window", window, "--toy-features", "1"], ""),
            (["capture", "toy", "--from", "stdin", "--window", window], pane),
            (["churn", "--window", window, "--provider", "toy"], ""),
            (["evidence", "add", "--window", window, "--capability", "c", "--result", "pass"], ""),
            (["feature", "log", "--id", f"F-{turn}", "--window", window], ""),
            (
                ["checkpoint", "--window", window, "--provider", "toy", "--task", "t", "--plan", "1", "--actual", "2"],
                "",
            ),
            (["handoff", "--window", window], ""),
            (["import", "other"], ""),
            (["doctor", "--fix"], ""),
        ]
    )


def ids_of(out: str) -> list[str]:
    """The records that a command printed with `--json`."""
    found = json.loads(out)
    return [one["record_id"] for one in (found if isinstance(found, list) else [found]) if "record_id" in one]


WRITE = os.write


def breaking(at: int) -> Callable[[int, Any], int]:
    """A disk that takes a few bytes at a time, and a process that is killed between the pieces."""
    pieces = iter(range(at))

    def write(file: int, data: Any) -> int:
        if next(pieces, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return WRITE(file, bytes(data)[:64])

    return write


def work(program: Any, seed: int, dies_at: int | None) -> Callable[[Callable[[str], None]], None]:
    """Commands without end, each announced when it has come to its own."""

    def run(announce: Callable[[str], None]) -> None:
        dice = random.Random(seed)
        if dies_at is not None:
            os.write = breaking(dies_at)
        for turn in range(10_000):
            arguments, pane = commands(dice, turn)
            done = program("--json", *arguments, stdin=pane)
            assert done.error is None, done.error
            assert done.status in (0, 1), done.err
            if done.status == 0:
                window = arguments[3] if "toy-stream" in arguments else ""
                announce(f"{','.join(ids_of(done.out))} {window}")

    return run


def whole_lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")[:-1]


def check(program: Any, announced: list[str], before: dict[str, bytes]) -> bool:
    """Nothing that was announced is missing, nothing that stood has changed; whether a line was torn."""
    after = program.files()
    for name, data in before.items():
        assert after[name].startswith(data), name
    cut = [name for name, data in after.items() if data and not data.endswith(b"\n")]
    torn = [name for name in cut if not after[name].endswith(b"}")]  # the others only lack their end, and get it
    assert len(cut) <= 1, cut
    records = [json.loads(line) for data in after.values() for line in whole_lines(data)]
    stored = {record["record_id"] for record in records}
    for text in announced:
        ids, _, events = text.partition(" ")
        assert stored.issuperset(ids.split(",") if ids else ()), text
        if events:
            assert sum(record["window"] == events for record in records if "rid" in record) == EVENTS.count("\n")
    shown = program("--json", "preview")
    assert [name for name in torn if f"warning: {name} ended in a torn line" not in shown.err] == []
    shown.ok()
    for name, data in program.files().items():
        assert data.endswith(b"\n") or not data, name
    return bool(torn)


def same_without_index(program: Any) -> None:
    """The index that the killed processes left says what a new one says."""
    import shutil

    windows = json.loads(program("--json", "preview").ok())["windows"]
    ask = [["--json", "preview"], *(["--json", "window-audit", "--window", one["id"]] for one in windows[:6])]
    found = [program(*words).ok() for words in ask]
    shutil.rmtree(program.root / ".index")
    assert [program(*words).ok() for words in ask] == found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_process_loses_nothing_that_it_announced(
    program: Any, forked: Callable[..., Any], often: Callable[[int, int], int]
) -> None:
    (program.root.parent / "events.jsonl").write_text(EVENTS)
    for root in (program.root, program.root.parent / "other"):
        program("alias", "start", "toy", "--stdin", "--window", "W0", stdin="fuel 1%", root=root).ok()
    dice = random.Random(os.environ.get("TRACKER_SEED", "7"))
    torn = announced = 0
    for kill in range(often(12, 1000)):
        before = program.files()
        dies_at = dice.randrange(150) if kill % 2 else None
        child = forked(work(program, dice.randrange(1 << 30), dies_at))
        said = b""
        if dies_at is None:  # killed from outside, some time after it has announced something
            for _ in range(dice.randrange(1, 4)):
                said += os.read(child.pipe, 1 << 16)
            time.sleep(dice.uniform(0, 0.02))
            child.kill()
        lines = (said.decode() + "".join(f"{text}\n" for text in child.announced())).splitlines()
        announced += len(lines)
        torn += check(program, lines, before)
    assert announced >= kill / 2
    assert torn, "some kill must fall into a line"
    same_without_index(program)
    program("feature", "reserve").ok()  # mends what a kill left of a ledger's last row
    found = json.loads(program("--json", "doctor").out)["findings"]
    assert [one for one in found if one["level"] == "error"] == []
