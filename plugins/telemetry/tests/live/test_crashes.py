"""Killed at any moment, replayed from the start: the journal equals that of one clean run."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., Any]
TIMES = 200 if os.environ.get("TRACKER_SOAK") == "1" else 4
STREAMS = ("proxy_telemetry", "proxy_telemetry.rejected")
SAMPLES = Path(__file__).parents[4] / "plugins" / "proxy" / "tests" / "samples"


def mixed(line: Start) -> bytes:
    """Every format of a proxy's log in one stream, with repeated, broken and blank lines."""
    randomly = random.Random(11)
    others = [one for path in sorted(SAMPLES.glob("*.jsonl")) for one in path.read_bytes().splitlines(keepends=True)]
    plain = [line(f"r{at}", output_tokens=at) for at in range(4000)]
    broken = [b'{"rid": "torn', b"nonsense\n", b"\n", b'{"rid": "x"} trailing\r\n']
    found = plain + [one for one in plain[:300] for _ in range(randomly.randrange(3))]
    randomly.shuffle(found)
    for one in (*broken * 20, *others):  # a router's lines stay in their order
        found.insert(0, one if one.endswith(b"\n") else one + b"\n")
    return b"".join(found)


@pytest.fixture
def clean(ingest: Start, data: Any, line: Start, tmp_path: Path) -> tuple[Path, list[Any]]:
    """The stream as a file, and what one run makes of it."""
    path = tmp_path / "usage.jsonl"
    path.write_bytes(mixed(line))
    status, _, err = ingest("--file", "usage.jsonl").end()
    assert status == 0, err
    found = journal(data)
    shutil.rmtree(data.folder)
    return path, found


def journal(data: Any) -> list[list[str]]:
    """The records, whatever batches they came in; a rejected line's number is where it stood in its own run."""
    return [sorted(json.dumps(row, sort_keys=True) for row in data.rows(stream)) for stream in STREAMS]


def test_kills_at_random_moments(ingest: Start, data: Any, clean: tuple[Path, list[Any]]) -> None:
    path, expected = clean
    text = path.read_bytes()
    randomly = random.Random(time.time_ns())
    for _ in range(TIMES):
        shutil.rmtree(data.folder, ignore_errors=True)
        for _ in range(randomly.randrange(1, 3)):
            kill_at_random(ingest, data, text, randomly)
            spoil_at_random(data.folder / ".index", randomly)
        status, out, err = ingest("--file", "usage.jsonl").end()
        assert status == 0, err
        assert journal(data) == expected
    status, out, _ = ingest("--file", "usage.jsonl").end()
    assert (status, "new=0," in out) == (0, True)
    assert journal(data) == expected


def kill_at_random(ingest: Start, data: Any, text: bytes, randomly: random.Random) -> None:
    """A run that is fed and dies: sometimes at once, mostly while it stores."""
    run = ingest("--stdin")
    os.set_blocking(run.input.fileno(), False)
    until = time.monotonic() + randomly.random() * 1.2
    sent, step = 0, randomly.choice((4096, 60_000, len(text)))
    while time.monotonic() < until:
        try:
            sent += os.write(run.input.fileno(), text[sent : sent + step])
        except BlockingIOError:
            time.sleep(0.001)
        time.sleep(randomly.random() * 0.01)
    run.kill()


def spoil_at_random(index: Path, randomly: random.Random) -> None:
    """What may become of an index meanwhile."""
    files = (
        sorted(path for path in index.glob("*") if path.suffix in (".sqlite3", ".duckdb", ".json"))
        if index.exists()
        else []
    )
    kind = randomly.randrange(6)
    for path in files:
        if kind == 0:
            path.unlink()
        elif kind == 1:
            path.write_bytes(path.read_bytes()[: randomly.randrange(1 + path.stat().st_size)])
        elif kind == 2 and (size := path.stat().st_size):
            with path.open("r+b") as file:
                file.seek(randomly.randrange(size))
                file.write(b"garbage " * 1024)


def test_an_index_of_another_directory_is_noticed(
    ingest: Start, data: Any, clean: tuple[Path, list[Any]], line: Start, tmp_path: Path
) -> None:
    _, expected = clean
    (tmp_path / "other.jsonl").write_bytes(b"".join(line(f"other-{at}") for at in range(5000)))
    for _ in range(2):  # the first command in a new directory may keep its index in memory
        assert ingest("--file", "other.jsonl").end()[0] == 0
    shutil.move(data.folder / ".index", tmp_path / "foreign")
    shutil.rmtree(data.folder)
    assert ingest("--file", "usage.jsonl").end()[0] == 0
    shutil.rmtree(data.folder / ".index", ignore_errors=True)
    shutil.move(tmp_path / "foreign", data.folder / ".index")
    status, out, err = ingest("--file", "usage.jsonl").end()
    assert (status, "new=0," in out) == (0, True), err
    assert journal(data) == expected
