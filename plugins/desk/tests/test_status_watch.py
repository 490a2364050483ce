"""`tracker status --watch`: what stands on the screen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("as_json", [False, True])
def test_watch_says_it_again_until_ctrl_c(tmp_path: Path, as_json: bool) -> None:
    environment = {**os.environ, "TRACKER_DATA_DIR": str(tmp_path / "data"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "tracker.cli", "status", "--watch", "0.1", *(["--json"] if as_json else [])]
    watching = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)
    assert watching.stdout is not None
    last = "}\n" if as_json else "Anomalies: 0 open\n"
    seen = ""
    while seen.count(f"\n{last}") < 2:  # ends where the program does
        line = watching.stdout.readline()
        assert line
        seen += line
    watching.send_signal(signal.SIGINT)
    _, errors = watching.communicate(timeout=60)
    assert (watching.returncode, errors) == (0, "")
    assert f"\n{last}\n" in seen  # an empty line between two of them
    assert "\x1b" not in seen


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal")
@pytest.mark.parametrize(("name", "lines"), [("xterm", 24), ("xterm", 4), ("dumb", 4)])
def test_watch_redraws_what_a_terminal_has_room_for(tmp_path: Path, name: str, lines: int) -> None:
    """The meters and what is next were above the screen. A dumb terminal is not cleared."""
    import pty

    mine, theirs = pty.openpty()
    size = {"LINES": str(lines), "COLUMNS": "80", "TERM": name}
    environment = {**os.environ, "TRACKER_DATA_DIR": str(tmp_path / "data"), **size}
    command = [sys.executable, "-m", "tracker.cli", "status", "--watch", "0.1"]
    watching = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    seen, last = "", "more lines: `tracker status`" if (name, lines) == ("xterm", 4) else "Anomalies: 0 open"
    while seen.count(f"{last}\r\n") < 2:
        seen += os.read(mine, 65536).decode()
    watching.send_signal(signal.SIGINT)
    assert watching.wait(timeout=60) == 0
    os.close(mine)
    screens = seen.split("\x1b[2J\x1b[1;1H")[1:-1]
    assert bool(screens) == (name == "xterm")
    assert all(one.count("\n") < lines and not one.endswith("\r\n\r\n") for one in screens)
