"""What is said while a stream is taken in, and what is left behind where nothing shall be written."""

from __future__ import annotations

import json
import os
import select
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., Any]
pty = pytest.importorskip("pty")


def listing(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with its size and content."""
    return {str(path): (path.stat().st_size, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_a_dry_run_prints_what_is_new_and_writes_nothing(ingest: Start, data: Any, line: Start, tmp_path: Path) -> None:
    (tmp_path / "usage.jsonl").write_bytes(line("a") + b"nonsense\n" + line("b"))
    status, out, err = ingest("--file", "usage.jsonl", "--dry-run").end()
    assert (status, err) == (0, "")
    assert not data.folder.exists()
    *rows, summary = out.splitlines()
    assert [row.partition('"window":"W0-CHN"')[1] != "" for row in rows] == [True] * 3
    assert summary == "would store proxy telemetry for W0-CHN (events=2, new=2, duplicates=0, rejected=1, routed=100%)"
    run = ingest("--stdin")
    run.write(line("a"))
    assert run.end()[0] == 0
    before = listing(data.folder)
    status, out, _ = ingest("--file", "usage.jsonl", "--dry-run").end()
    assert (status, "(events=2, new=1, duplicates=1, rejected=1, " in out) == (0, True)
    assert listing(data.folder).keys() == before.keys()
    assert {path: content for path, content in listing(data.folder).items() if ".index" not in path} == {
        path: content for path, content in before.items() if ".index" not in path
    }


def test_values_that_cannot_be_are_noted_once(ingest: Start, line: Start, tmp_path: Path) -> None:
    lines = [line(str(at), output_tokens=value) for at, value in enumerate((10**18, 5.5, -5, True, 7))]
    (tmp_path / "usage.jsonl").write_bytes(b"".join([*lines, line("late", input_tokens=-1, latency_ms="soon")]))
    status, out, err = ingest("--file", "usage.jsonl").end()
    assert (status, "(events=6, new=6, " in out) == (0, True)
    assert err == (
        "note: 5 new events are tagged tokens:invalid (A count of tokens is not a whole number; it is left out, so"
        " tokens and money are too low.)\n"
        "note: 1 new event is tagged latency:invalid (The latency is not a number of milliseconds; the event is left"
        " out of the percentiles.)\n"
    )
    assert ingest("--file", "usage.jsonl").end()[2] == ""
    (tmp_path / "usage.jsonl").write_bytes(line("x", input_tokens=-1, output_tokens=-1))
    _, out, _ = ingest("--file", "usage.jsonl", "--json").end()
    assert json.loads(out)["tags"] == {"tokens:invalid": 1}


def watched(environment: dict[str, str], folder: Path, *arguments: str, lines: Iterable[bytes], until: str) -> str:
    """What a command says on a terminal while lines come slowly, the last one once it has said `until`."""
    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "tracker.cli", "ingest", "proxy-telemetry", "--window", "W1", *arguments]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=inner, env=environment, cwd=folder
    )
    os.close(inner)
    assert process.stdin is not None
    said = b""
    for one in lines:
        if until.encode() in said:
            break
        os.write(process.stdin.fileno(), one)
        if select.select([outer], [], [], 0.4)[0]:
            said += os.read(outer, 65536)
    process.stdin.close()
    while True:
        try:
            chunk = os.read(outer, 65536)
        except OSError:  # how Linux says that the other end was closed
            break
        if not chunk:
            break
        said += chunk
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) == 0
    os.close(outer)
    return said.decode()


def test_a_pipe_shows_a_counter_on_a_terminal_and_none_when_quiet(
    environment: dict[str, str], tmp_path: Path, line: Start
) -> None:
    many = (line(str(at)) for at in range(150))
    said = watched(environment, tmp_path, "--stdin", lines=many, until=" events, ")
    assert " events, " in said
    assert "/s" in said
    assert said.endswith("\r\x1b[K")
    few = [line(f"quiet {at}") for at in range(6)]
    assert watched(environment, tmp_path, "--stdin", "--quiet", lines=few, until=" events, ") == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ingest", "proxy-telemetry", "--window", "W1", "--stdin"), "stored proxy telemetry for W1 (events=1, "),
        (("cost-compare", "--file", "-"), "totals baseline="),
    ],
)
def test_a_terminal_is_asked_for_the_text(
    environment: dict[str, str], tmp_path: Path, line: Start, words: tuple[str, ...], said: str
) -> None:
    outer, inner = pty.openpty()
    os.write(outer, line("a") + b"\x04")  # as Ctrl-D
    command = [sys.executable, "-m", "tracker.cli", *words]
    done = subprocess.run(command, stdin=inner, capture_output=True, env=environment, cwd=tmp_path, timeout=60)
    os.close(inner)
    os.close(outer)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(b"paste the text, then press Ctrl-D:\n")
    assert said in done.stdout.decode()


def test_a_pipe_without_a_terminal_shows_nothing_at_first(ingest: Start, line: Start) -> None:
    run = ingest("--stdin")
    for at in range(4):
        run.write(line(str(at)))
        time.sleep(0.4)
    assert run.end()[2] == ""


def test_a_directory_that_cannot_be_written_is_said_in_one_line(
    ingest: Start, data: Any, line: Start, tmp_path: Path
) -> None:
    data.folder.write_text("a file")
    run = ingest("--stdin")
    run.write(line("a"))
    status, _, err = run.end()
    assert status == 1
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("error: ")


def test_a_file_that_is_not_there(ingest: Start) -> None:
    status, out, err = ingest("--file", "nope.jsonl").end()
    assert (status, out) == (1, "")
    assert err == "error: cannot read nope.jsonl: No such file or directory\n"


def test_a_named_pipe_as_file(ingest: Start, data: Any, line: Start, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert stat.S_ISFIFO(path.stat().st_mode)
    run = ingest("--file", "pipe")
    path.write_bytes(line("a"))
    assert run.end()[0] == 0
    assert data.rids() == ["a"]
