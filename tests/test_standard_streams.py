"""Standard input, output and errors that a shell has closed, or that cannot take what is printed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="closes descriptors with a POSIX shell")
SCREEN = Path(__file__).parents[1] / "plugins" / "codex" / "tests" / "screens" / "v0.155.0_base.txt"
EVENT = (
    '{"ts": "2026-01-10T08:00:00Z", "rid": "a", "lane": "glm", "model": "glm-4.6", "status": "ok", "input_tokens": 5}\n'
)


@pytest.fixture
def shell(tmp_path: Path) -> Any:
    """Runs a line of shell in which `tracker` is the program."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID"))}

    def run(line: str) -> subprocess.CompletedProcess[str]:
        script = f'tracker() {{ "{sys.executable}" -m tracker.cli "$@"; }}\n{line}'
        environment = kept | {"TRACKER_DATA_DIR": str(tmp_path / "data"), "TZ": "UTC"}
        return subprocess.run(
            ["sh", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )

    (tmp_path / "usage.jsonl").write_text(EVENT)
    (tmp_path / "pane").write_text(SCREEN.read_text())
    return run


@pytest.mark.parametrize(
    "command", ["alias start codex", "cost-compare --file -", "ingest proxy-telemetry --window W1 --stdin"]
)
def test_a_closed_standard_input_is_an_empty_one(shell: Any, tmp_path: Path, command: str) -> None:
    closed = shell(f"tracker {command} <&-")
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
    (tmp_path / "tracker.toml").unlink(missing_ok=True)
    empty = shell(f"tracker {command} </dev/null")
    assert "Traceback" not in empty.stderr
    assert (closed.returncode, closed.stdout, closed.stderr) == (empty.returncode, empty.stdout, empty.stderr)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_nobody_can_read_costs_no_record(shell: Any, tmp_path: Path, closed: str) -> None:
    ingest = "tracker ingest proxy-telemetry --window W1 --file usage.jsonl"
    done = shell(f"{ingest} {closed}")
    assert (done.returncode, done.stderr) == (0, "")
    journal = tmp_path / "data" / "proxy_telemetry.jsonl"
    assert journal.read_text().count("\n") == 1
    assert shell(f"tracker preview {closed}").returncode == 0
    done = shell(f"tracker ingest nothing --window W1 --stdin {closed}")
    assert done.returncode == 2
    assert "new=0, duplicates=1" in shell(ingest).stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("buffered", ["", "PYTHONUNBUFFERED=1 "])
def test_a_result_that_cannot_be_printed(shell: Any, tmp_path: Path, buffered: str) -> None:
    full = "The result cannot be printed: No space left on device"

    def said(command: str) -> tuple[int, str]:
        done = shell(f"unset PYTHONUNBUFFERED; {buffered} tracker {command} > /dev/full")
        return done.returncode, done.stderr

    start = "alias start codex --stdin --window W1 --captured-at 2026-11-22T06:30:00Z"
    assert said(f"{start} --dry-run < pane") == (1, f"error: {full}\n")
    stored = f"error: {full}. These records were stored: {{}}.jsonl 1.\n"
    also = "snapshots.jsonl 1, readings.jsonl 1, commands"
    assert said(f"{start} < pane") == (1, stored.format(also))
    assert (tmp_path / "data" / "snapshots.jsonl").read_text().count("\n") == 1
    ingest = "ingest proxy-telemetry --window W1 --file usage.jsonl"
    assert said(ingest) == (1, stored.format("proxy_telemetry"))
    assert said(f"--json {ingest}") == (1, f"error: {full}\n")  # the lines were stored before
    others = ("cost-compare", "status", "export --format csv --out out", "shell-init bash")
    for command in ("preview --json", *(() if buffered else others)):
        assert said(command) == (1, f"error: {full}\n")


@pytest.mark.parametrize(
    "command", ["--help", "status", "doctor", "--json preview", "shell-init bash", "plugins list", ""]
)
def test_a_pipe_that_nobody_reads_ends_a_command_as_it_ends_others(tmp_path: Path, command: str) -> None:
    """In silence, with the status that a shell gives a program of which SIGPIPE made an end: no error is meant."""
    (tmp_path / "data").mkdir(mode=0o700)
    reader, writer = os.pipe()
    os.close(reader)
    words, environment = command.split(), os.environ | {"TRACKER_DATA_DIR": str(tmp_path / "data"), "TZ": "UTC"}
    program = [sys.executable, "-m", "tracker.cli", *words]
    done = subprocess.run(program, stdout=writer, stderr=subprocess.PIPE, env=environment, cwd=tmp_path, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_what_the_encoding_of_the_terminal_lacks_is_escaped(shell: Any) -> None:
    start = "tracker start codex --stdin --window W1 --captured-at 2026-11-22T06:30:00Z"
    assert shell(f"{start} --notes '\u65e5 caf\u00e9' < pane").returncode == 0
    done = shell("PYTHONUTF8=0 PYTHONIOENCODING=latin-1 tracker preview | iconv -f latin1 -t utf-8")
    assert "notes=\\u65e5 caf\u00e9" in done.stdout, done.stderr


def test_an_index_that_no_file_can_hold_is_in_memory_as_a_whole(shell: Any, tmp_path: Path) -> None:
    """As on a full disk: what SQLite puts into temporary files for a moment did not fit either."""
    assert shell("tracker start codex --stdin --captured-at -1h --force < pane").returncode == 0
    shutil.rmtree(tmp_path / "data" / ".index")
    # Python would leave modules compiled in part
    done = shell("export PYTHONDONTWRITEBYTECODE=1; ulimit -f 8; tracker windows")
    assert done.returncode == 0, done.stderr
    assert "W0-01" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_terminal_of_plain_ascii_gets_the_tables(shell: Any, tmp_path: Path) -> None:
    """Where Python is told to take nothing for UTF-8, a name with an accent ended the table."""
    message = {"id": "m", "model": "claude-haiku-4-5", "usage": {"input_tokens": 5, "output_tokens": 1}, "content": []}
    row = {"type": "assistant", "timestamp": "2026-11-22T06:30:00Z", "sessionId": "s", "requestId": "r"}
    log = tmp_path / ".claude" / "projects" / "one" / "s.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text(json.dumps({**row, "cwd": "/home/dev/caf\u00e9", "message": message}) + "\n")
    plain = "PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 LC_ALL=C FORCE_COLOR=1 NO_COLOR=1 HOME=."
    done = shell(f"{plain} tracker usage project")
    assert (done.returncode, done.stderr) == (0, "")
    assert "caf\\xe9" in done.stdout
