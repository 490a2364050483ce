"""`tracker board` in a real pseudo-terminal, and in tmux."""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from typing import Any

import pytest

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@contextmanager
def terminal(recent: Any, folder: Path, *more: str, size: tuple[int, int] = (80, 24), **options: Any) -> Iterator[Any]:
    """The board in a pseudo-terminal: the terminal's other side, and the process."""
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    main, side = pty.openpty()
    termios.tcsetwinsize(side, (size[1], size[0]))
    environment = os.environ | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | options.pop("env", {})
    environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    words = more if "report" in more else ("board", "--period", "all", *more)
    command = [sys.executable, "-m", "tracker.cli", "--data-dir", str(recent.root), *words]
    with subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, env=environment, cwd=folder, **options
    ) as process:
        os.close(side)
        try:
            yield main, process
        finally:
            if process.poll() is None:
                process.kill()
            with suppress(OSError):
                os.close(main)


@pytest.mark.parametrize(("name", "key"), [("xterm-256color", b"q"), ("screen", b"\x03")])
def test_it_runs_in_a_terminal_and_gives_it_back(recent: Any, tmp_path: Path, key: bytes, name: str) -> None:
    with terminal(recent, tmp_path, env={"TERM": name}) as (main, process):
        # the toys are no plugins there: their windows are known, their meters are not
        seen = until(main, b"W2", b"")
        os.write(main, key)
        seen = until(main, b"\x1b[?1049l", seen)
        assert b"Traceback" not in seen
        assert process.wait(60) == 0


def test_keys_that_come_at_once_each_do_what_they_are_for(recent: Any, tmp_path: Path) -> None:
    """On a busy machine the field still had the focus behind Enter, and a `q` went into it."""
    with terminal(recent, tmp_path) as (main, process):
        until(main, b"W2", b"")
        os.write(main, b"?")
        until(main, b"any key closes it", b"")
        os.write(main, b"\r")
        until(main, b"W2", b"")
        os.write(main, b"/W1\rq")
        until(main, b"\x1b[?1049l", b"")
        assert process.wait(60) == 0


def test_a_signal_that_ends_it_gives_the_terminal_back(recent: Any, tmp_path: Path) -> None:
    """It stayed in the other screen, raw, and reported each movement of the mouse."""
    with terminal(recent, tmp_path) as (main, process):
        seen = until(main, b"W2", b"")
        process.terminate()
        until(main, b"\x1b[?1049l", seen)
        assert process.wait(60) == 128 + signal.SIGTERM


def test_it_ends_with_its_terminal_whoever_began_it(recent: Any, tmp_path: Path) -> None:
    """Its parent ignores the signal, as `nohup` does: it read the terminal that was gone again and again."""
    import fcntl
    import termios

    def own() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with terminal(recent, tmp_path, preexec_fn=own, start_new_session=True) as (main, process):
        until(main, b"W2", b"")
        os.close(main)
        assert process.wait(60) == -signal.SIGHUP


def _without_folder(said: str) -> str:
    """What was said in one line, without the data directory that its commands name."""
    return re.sub(r" --data-dir \S+", "", " ".join(said.split()))


def test_a_dumb_terminal_is_refused(recent: Any, tmp_path: Path) -> None:
    with terminal(recent, tmp_path, env={"TERM": "dumb"}) as (main, process):
        assert process.wait(60) == 1
        said = _without_folder(os.read(main, 4096).decode())
        assert said.startswith("error: The board needs a terminal. Type `tracker board --once")


def test_a_terminal_without_its_characters_is_refused(recent: Any, tmp_path: Path) -> None:
    """Each line of a frame was six characters long."""
    with terminal(recent, tmp_path, env=ASCII) as (main, process):
        assert process.wait(60) == 1
        said = _without_folder(os.read(main, 4096).decode())
        assert said == "error: ascii cannot encode the board's lines. Set PYTHONUTF8=1, or type `tracker status`."


@pytest.mark.parametrize(
    ("word", "refused"),
    [("--once", "SVG. Type `tracker board --once --out "), ("report", "HTML. Type `tracker report --out ")],
)
def test_a_terminal_gets_no_picture_and_no_page(recent: Any, tmp_path: Path, word: str, refused: str) -> None:
    with terminal(recent, tmp_path, word) as (main, process):
        assert process.wait(60) == 1
        assert _without_folder(os.read(main, 4096).decode()).startswith(f"error: A terminal cannot show {refused}")


def test_it_stops_on_ctrl_z_and_goes_on(recent: Any, tmp_path: Path) -> None:
    with terminal(recent, tmp_path) as (main, process):
        until(main, b"W2", b"")
        os.write(main, b"\x1a")
        seen = until(main, b"\x1b[?1049l", b"")
        end = time.monotonic() + 30
        while state(process.pid) != "T":
            assert time.monotonic() < end, seen
        os.kill(process.pid, signal.SIGCONT)
        until(main, b"W2", b"")
        os.write(main, b"q")
        until(main, b"\x1b[?1049l", b"")
        assert process.wait(60) == 0


def state(process: int) -> str:
    return subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout[:1]


@pytest.mark.skipif(which("tmux") is None, reason="tmux is not installed")
def test_it_runs_in_tmux(recent: Any, tmp_path: Path) -> None:
    def tmux(*arguments: str) -> str:
        # a server of its own, which ends with its only session
        command = ["tmux", "-f", os.devnull, "-S", str(tmp_path / "socket"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    def screen(wanted: str, unwanted: str = "\0") -> list[str]:
        end = time.monotonic() + 300
        while wanted not in (shown := tmux("capture-pane", "-p")) or unwanted in shown:
            # whatever is drawn is told at once; on a machine that is busy with other things a minute may pass between
            is_drawn = select.select([watcher.stdout], [], [], 60)[0] and os.read(watcher.stdout.fileno(), 1 << 16)
            assert is_drawn, (wanted, shown)
            assert time.monotonic() < end, (wanted, shown)
        return shown.splitlines()

    command = [sys.executable, "-m", "tracker.cli", "--data-dir", str(recent.root), "board", "--period", "all"]
    tmux(
        "new-session",
        "-d",
        "-x",
        "80",
        "-y",
        "24",
        f"env LC_ALL=C.UTF-8 {shlex.join(command)}; echo ended $?; sleep 60",
    )
    watcher = subprocess.Popen(
        ["tmux", "-S", str(tmp_path / "socket"), "-C", "attach", "-f", "ignore-size"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert watcher.stdin
    assert watcher.stdout
    try:
        shown = screen("W2")
        assert len(shown) == 24
        assert "q quit" in shown[-1]
        tmux("send-keys", "?")
        screen("this help; any key closes it")
        tmux("send-keys", "Escape")
        screen("W2", "any key closes it")
        tmux("send-keys", "/", "W1", "Enter")
        screen("W1", "W2")
        tmux("send-keys", "q")
        assert "W1" not in "".join(screen("ended 0"))
    finally:
        tmux("kill-server")
        watcher.communicate(timeout=60)


def until(main: int, wanted: bytes, seen: bytes) -> bytes:
    end = time.monotonic() + 60
    while wanted not in seen:
        assert select.select([main], [], [], max(0.0, end - time.monotonic()))[0], seen[-2000:]
        try:
            seen += os.read(main, 65536)
        except OSError:
            break
    assert wanted in seen, seen[-2000:]
    return seen
