"""Hostile input: no traceback, no hang, bounded memory, all that is stored can be read back, no steered terminal."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202eevil\r\nerror: forged\u2066"
MEMORY = 300 << 20
READING = (
    ["preview"],
    ["preview", "--window", "W1"],
    ["window-audit", "--window", "W1"],
    ["status"],
    ["doctor"],
    ["decision-card", "--window", "W1"],
    ["compare"],
    ["cost-compare"],
    ["scoreboard"],
    ["plan", "--provider", "toy"],
    ["statusline"],
    ["handoff", "--window", "W1", "--dry-run"],
    ["checkpoint", "--window", "W1", "--provider", "toy", "--task", "t", "--plan", "1", "--actual", "2", "--dry-run"],
    ["churn", "--window", "W1", "--dry-run"],
    ["complete", "--window", "W1", "--toy-features", "1", "--dry-run"],
    ["alias", "start", "toy", "--file", "pane", "--dry-run"],
    ["alias", "end", "tally", "--file", "count", "--window", "W1", "--dry-run"],
    ["alias", "delete", "toy", "--yes", "--window", "W1", "--dry-run"],
    ["alias", "delete", "toy", "--yes", "--dry-run"],
)
WRONG: tuple[Any, ...] = (
    None, True, -1, 1.5, 1e300, 2**63, "", "x" * 5000, EVIL, "9" * 5000, [], [[]], [None, 1, {}], {}, {"a": {"b": []}},
    "2026-13-45T99:99:99Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
)  # fmt: skip


def known_commands() -> Iterator[list[str]]:
    from tracker.hosting.discovery import commands

    yield from (words for words in READING if words[0] in commands())


def check(done: Any, where: object) -> None:
    """Whatever it answers, it is an answer, and the terminal is safe."""
    assert done.error is None, (where, repr(done.error))
    assert done.status in (0, 1, 2), (where, done.err)
    assert "Traceback" not in done.err, where
    for text in (done.out, done.err):
        found = STEERING.search(text)
        assert found is None, (where, text[max(0, found.start() - 80) : found.end() + 80])
    if done.status:
        assert sum(line.startswith("error: ") for line in done.err.splitlines()) == 1, (where, done.err)


@pytest.fixture
def filled(program: Any, kept: Any) -> Any:
    """A record of every kind that the core writes."""
    kept(program.root.parent, lambda: fill(program))
    return program


def fill(program: Any) -> None:
    folder = program.root.parent
    (folder / "pane").write_text("fuel 77%\nheat 3%")
    (folder / "count").write_text("99")
    (folder / "events").write_text('{"ts": "2026-01-10T08:00:00Z", "rid": "a", "lane": "far", "ms": 3}\nno json\n')
    steps: list[tuple[str, str]] = [
        (
            "alias start toy --stdin --window W1 --captured-at 2026-01-10T08:00:00Z",
            "fuel 10% reset 2026-01-11T00:00:00Z",
        ),
        ("alias end toy --stdin --captured-at 2026-01-10T09:00:00Z", "fuel 5%"),
        ("alias end toy --stdin --window W1 --captured-at 2026-01-10T10:00:00Z", "fuel 20%\nheat 2%"),
        ("alias start tally --stdin --window W1", "5"),
        ("alias end tally --stdin --window W1", "9"),
        ("ingest toy-report --window W1 --stdin", "60"),
        ("ingest toy-stream --window W1 --file events", ""),
        ("complete --window W1 --toy-features 1 --quality 0.9 --outcome pass --notes fine", ""),
        ("alias start toy --stdin --window W2", "fuel 20%"),
        ("alias delete toy --window W2", ""),
    ]
    for arguments, pane in steps:
        program(*arguments.split(), stdin=pane).ok()


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a record."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*path, key)
        yield from paths(child, (*path, key))


def changed(record: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(record))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


def test_wrong_types_in_every_field_of_every_record(filled: Any, often: Callable[[int, int], int]) -> None:
    """Data directories in which copies of records have a field wrong in each way: in full every field, else a sixth."""
    program, streams = filled, {path.name: path.read_bytes() for path in filled.root.glob("*.jsonl")}
    cases = []
    for name, data in streams.items():
        kinds: dict[Any, Any] = {}
        for record in map(json.loads, data.splitlines()):
            kinds.setdefault((record.get("phase"), "tombstone" in record, "closes" in record), record)
        cases += [(name, record, path) for record in kinds.values() for path in paths(record)]
    assert len(cases) > 200
    random.Random(3).shuffle(cases)
    cases = cases[:: often(6, 1)]
    step = often(60, 1)
    for start in range(0, len(cases), step):
        for name, data in streams.items():
            (program.root / name).write_bytes(data)
        for name, record, path in cases[start : start + step]:
            rows = [changed(record, path, value) for value in WRONG]
            for number, row in enumerate(rows):
                if path != ("record_id",):
                    row["record_id"] = f"{number:032x}"
            with (program.root / name).open("ab") as file:
                file.write(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        for number, words in enumerate(known_commands()):
            forms = [(), ("--json",)] if often(0, 1) else [("--json",) if (start // step + number) % 2 else ()]
            for form in forms:
                check(program(*form, *words), (words, cases[start : start + step]))


def test_control_characters_in_every_text_are_shown_escaped(filled: Any, often: Callable[[int, int], int]) -> None:
    program = filled
    for path in program.root.glob("*.jsonl"):
        rows = []
        for line in path.read_bytes().splitlines():
            record = json.loads(line)
            for place in paths(record):
                value = record
                for key in place:
                    value = value[key]
                if isinstance(value, str) and place[-1] not in (
                    "record_id",
                    "window",
                    "phase",
                    "captured_at",
                    "provider",
                ):
                    rows.append(changed(record, place, value + EVIL) | {"record_id": f"{len(rows):032x}"})
            rows.append(record | {"record_id": f"{len(rows):032x}", "window": record.get("window") and "W1" + EVIL})
        with path.open("ab") as file:
            file.write(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    for number, words in enumerate(known_commands()):
        for form in ((), ("--json",)) if often(0, 1) else [("--json",) if number % 2 else ()]:
            check(program(*form, *words), words)
    shown = program("preview")
    assert "\\x1b[2J" in shown.ok()
    assert "\nerror: forged" not in shown.out


def hostile(dice: random.Random) -> bytes:
    """One input that nobody should send."""
    size = dice.choice([0, 1, 10, 1000, 100_000])
    deep = dice.choice([10, 300, 5000, 100_000])
    number = "9" * dice.choice([20, 400, 5000])
    return dice.choice(
        [
            lambda: dice.randbytes(size),
            lambda: b"\x00" * size,
            lambda: b"\xff\xfe" + "fuel 1%".encode("utf-16-le"),
            lambda: b"\xef\xbb\xbffuel 1%",
            lambda: b"fuel 12% \xff\xc3\x28 \xed\xa0\x80",
            lambda: f"fuel {number}%".encode(),
            lambda: f"fuel 0.{number}% heat {number}.{number}%".encode(),
            lambda: number.encode(),
            lambda: b"fuel 5% reset 9999-99-99T00:00:00",
            lambda: f"fuel 5% reset 0001-01-01T00:00:00+23:59 {EVIL}".encode(),
            lambda: b"\r".join([b"fuel 1%"] * 50),
            lambda: b"[" * deep + b"]" * deep,
            lambda: b'{"a":' * deep + b"1" + b"}" * deep,
            lambda: b'{"rid": "\\ud800", "lane": "far"}',
            lambda: f'{{"rid": {number}, "ms": {number}, "lane": "far"}}'.encode(),
            lambda: b'{"rid": NaN, "ms": Infinity}\n{"ts": -1e400}',
            lambda: b'{"rid": "' + b"x" * 1_200_000 + b'"}',
            lambda: b"\n" * size,
            lambda: b'{"lane": {"far": []}, "rid": ["a"], "ms": "x", "ok": 7}',
            lambda: EVIL.encode() * max(1, size // 20),
            lambda: b"\x1b[" + b";".join([b"1"] * size) + b"H" + b"fuel 3%",
        ]
    )()


def hostile_commands(dice: random.Random, text: str) -> list[str]:
    stdin = ["--stdin"]
    return dice.choice(
        [
            ["alias", "start", "toy", *stdin, "--window", "W1"],
            ["alias", "end", "toy", *stdin, "--window", "W1", "--force"],
            ["alias", "cross", "toy", *stdin, "--window", "W1"],
            ["alias", "start", "tally", *stdin, "--force"],
            ["alias", "end", "tally", *stdin],
            ["ingest", "toy", "--window", "W1", "--phase", "after", *stdin],
            ["ingest", "toy-report", "--window", "W1", *stdin],
            ["ingest", "toy-stream", "--window", "W1", "--file", "input"],
            ["alias", "start", "toy", *stdin, "--window", text],
            ["alias", "start", "toy", *stdin, "--window", "W1", "--notes", text],
            ["alias", "start", "toy", *stdin, "--captured-at", text],
            ["alias", "start", "toy", *stdin, "--timezone", text],
            ["alias", "start", text, *stdin],
            ["--agent", text, "alias", "start", "toy", *stdin],
            ["alias", "delete", "toy", "--yes", "--reason", text],
            ["alias", "delete", "toy", "--yes", "--window", text],
            ["override", "toy", "--window", "W1", "--phase", "before", "--fuel-pct", "1", "--fuel-resets", text],
            ["override", "toy", "--window", "W1", "--phase", "before", "--fuel-pct", text],
            ["complete", "--window", "W1", "--outcome", text, "--notes", text, "--feature-id", text],
            ["complete", "--window", text],
            ["window-audit", "--window", text],
            ["preview", "--window", text],
            [text],
        ]
    )


def test_a_generator_of_hostile_inputs(program: Any, often: Callable[[int, int], int]) -> None:
    dice = random.Random(int(os.environ.get("TRACKER_SEED", "11")))
    before: dict[str, bytes] = {}
    for turn in range(often(100, 6000)):
        data = hostile(dice)
        (program.root.parent / "input").write_bytes(data)
        text = data[:300].decode("utf-8", "surrogateescape").replace("\x00", "") or EVIL
        words = hostile_commands(dice, text)
        check(program(*words, stdin=data), (turn, words, data[:100]))
        if turn % 50 == 49:
            after = program.files()
            assert all(after[name].startswith(old) for name, old in before.items())
            before = after
    for name, data in program.files().items():
        for line in data.splitlines():
            record = orjson.loads(line)  # strictly: no half character, no number that is none
            assert orjson.loads(orjson.dumps(record)) == record, name
    for words in known_commands():
        check(program(*words), words)


# --- sizes, in processes of their own


MEASURED = """
import atexit, sys
from pathlib import Path

def say():
    [peak] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print("peak", peak.split()[1], file=sys.stderr)

atexit.register(say)
from tracker.cli.main import main
main(prog_name="tracker")
"""


def spent(tmp_path: Path, arguments: list[str], feed: Path, tmp_site: Path) -> tuple[int, str]:
    """Exit status of a command and what it said; its memory and its time are within bounds."""
    disabled = "tracker-codex,tracker-claude,tracker-glm,tracker-proxy"
    environment = os.environ | {"PYTHONPATH": str(tmp_site), "TRACKER_DISABLE_PLUGINS": disabled}
    environment |= {"TRACKER_DATA_DIR": str(tmp_path / "data"), "TZ": "UTC"}
    before = os.times()
    with feed.open("rb") as stdin:
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, *arguments], stdin=stdin, capture_output=True, env=environment, check=False
        )
    after = os.times()
    text = (done.stdout + done.stderr).decode()
    assert "Traceback" not in text, text[-2000:]
    assert after.children_user + after.children_system - before.children_user - before.children_system < 10
    peak = int(text.rpartition("peak ")[2]) << 10
    assert peak < MEMORY, f"{arguments}: {peak >> 20} MB"
    return done.returncode, text


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks /proc for the most memory that was taken")
def test_a_line_of_100_mb(toys_apart: Any, tmp_path: Path) -> None:
    site, big = tmp_path / "site", tmp_path / "big"
    with big.open("wb") as file:
        for _ in range(100):
            file.write(b"x" * (1 << 20))
    status, text = spent(tmp_path, ["alias", "start", "toy", "--stdin"], big, site)
    assert (status, "The text is too long. Expected at most 8 MB." in text) == (1, True)
    status, text = spent(tmp_path, ["ingest", "toy-report", "--window", "W1", "--stdin"], big, site)
    assert status == 1
    assert not (tmp_path / "data").exists()
    status, text = spent(tmp_path, ["ingest", "toy-stream", "--window", "W1", "--stdin"], big, site)
    assert (status, "rejected=1" in text) == (0, True)
    [row] = map(json.loads, (tmp_path / "data" / "toy_stream.rejected.jsonl").read_bytes().splitlines())
    assert (row["length"], row["line"], len(row["sha256"]), row["is_cut"]) == (100 << 20, "***", 64, True)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks /proc for the most memory that was taken")
@pytest.mark.parametrize("is_record", [True, False])
def test_a_line_of_100_mb_in_the_journal(toys_apart: Any, tmp_path: Path, is_record: bool) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    assert toys_apart("alias", "start", "toy", "--stdin", "--window", "W1", stdin="fuel 1%").returncode == 0
    stream = tmp_path / "data" / "snapshots.jsonl"
    before = stream.read_bytes()
    with stream.open("ab") as file:
        file.write(b'{"window": "W1", "raw_text": "')
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n' if is_record else b"\n")
        file.write(before)
    for words in (["preview"], ["window-audit", "--window", "W1"], ["doctor"]):
        status, text = spent(tmp_path, words, empty, tmp_path / "site")
        assert status == (1 if words == ["doctor"] else 0), text
    assert toys_apart("alias", "end", "toy", "--stdin", stdin="fuel 2%").returncode == 0
    assert stream.read_bytes().startswith(before)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks /proc for the most memory that was taken")
def test_a_pane_of_8_mb_is_stored_and_read_back(toys_apart: Any, tmp_path: Path) -> None:
    """One character of four bytes, so that Python keeps four of each; escapes, so that the line is longer still."""
    pane, empty, site = tmp_path / "pane", tmp_path / "empty", tmp_path / "site"
    head = "fuel 5% \U0001f600\n".encode()
    pane.write_bytes(head + (b"\x1b[31mfoo" * (1 << 20))[: (8 << 20) - len(head)])
    empty.write_bytes(b"")
    assert toys_apart("alias", "start", "toy", "--stdin", stdin="fuel 1%").returncode == 0
    status, text = spent(tmp_path, ["alias", "cross", "toy", "--stdin"], pane, site)
    assert status == 0, text
    out = ["--out", str(tmp_path / "out")]
    for words in (["--json", "window-audit", "--window", "W0-01"], ["export", "--format", "parquet", *out]):
        status, text = spent(tmp_path, words, empty, site)
        assert (status, "W0-01" in text or "snapshots 3" in text) == (0, True), text


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks /proc for the most memory that was taken")
def test_a_pane_that_would_be_a_line_too_long_to_read_is_refused(toys_apart: Any, tmp_path: Path) -> None:
    pane = tmp_path / "pane"
    pane.write_bytes(b"fuel 5%" + b"\x01" * ((8 << 20) - 7))
    status, text = spent(tmp_path, ["alias", "start", "toy", "--stdin"], pane, tmp_path / "site")
    assert status == 1
    assert (
        "error: The record takes 49 MB as a line. Expected at most 16 MB. Its text is mostly control characters" in text
    )
    assert not list((tmp_path / "data").glob("*.jsonl"))


@pytest.mark.parametrize(
    "words",
    [
        ["status", "--watch", "{}"],
        ["compare", "--effect", "{}"],
        ["complete", "--window", "W1", "--quality", "{}"],
        ["uat", "--window", "W1", "--timeout", "{}"],
    ],
)
@pytest.mark.parametrize("number", ["nan", "-nan", "1e999"])
def test_a_number_that_is_none_is_refused(filled: Any, words: list[str], number: str) -> None:
    error = filled(*(word.format(number) for word in words)).refused(2)
    assert "Invalid number " in error or "Invalid whole number " in error


@pytest.mark.parametrize("window", ["/nope/\udcff", " ", "\ud800", "W\x1b[2J"])
def test_the_demo_refuses_a_window_before_it_prints_it(program: Any, window: str) -> None:
    assert "Invalid window id" in program("demo", f"--window={window}").refused()
