"""Processes that are killed at any point, or run side by side: the figures are the same, with and without the index."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., str]
START = """
import os, signal, sys
from tracker.cli.main import main
from tracker.journal.journal import Journal
from tracker_telemetry.sessions import parallel, scan, store

def patched(cls, name, before=None, after=None):
    old = getattr(cls, name)
    def new(*given, **more):
        before and before()
        done = old(*given, **more)
        after and after()
        return done
    setattr(cls, name, new)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

"""
KILLS = {
    "files are read": 'patched(store.Store, "_sum_up", before=die)',
    "before the journal has it": 'patched(Journal, "append", before=die)',
    "when the journal has it": 'patched(Journal, "append", after=die)',
    "when the journal has all": 'patched(store.Store, "_keep", after=die)',
    "when the index has it": 'patched(store.Store, "sync", after=die)',
}


def environment(home: Any) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.endswith(("_HOME", "_CONFIG_DIR"))}
    return kept | {"HOME": str(home.folder), "TRACKER_DATA_DIR": str(home.data), "TZ": "UTC"}


def begin(home: Any, patches: str) -> subprocess.Popen[str]:
    """A command in a process of its own, patched."""
    command, pipe = [sys.executable, "-c", f"{START}{patches}\nmain(['usage'])"], subprocess.PIPE
    return subprocess.Popen(command, env=environment(home), text=True, stdout=pipe, stderr=pipe)


@pytest.mark.parametrize("kill", KILLS)
@pytest.mark.parametrize("is_indexed", [False, True])
def test_a_command_that_is_killed_changes_no_figure(
    home: Any, message: Make, forked: Any, kill: str, is_indexed: bool
) -> None:
    def usage(_announce: object) -> None:
        known = environment(home)
        os.environ.clear()
        os.environ.update(known)
        exec(f"{START}{KILLS[kill]}\nmain(['usage'])", {})

    log = home.projects / "s1.jsonl"
    log.write_text(message("a") + message("b"))
    if is_indexed:
        assert home.total()[0] == 2
        with log.open("a") as file:
            file.write(message("c"))
    true = 2 + is_indexed
    assert forked(usage).wait() == -signal.SIGKILL
    for _ in range(2):
        assert home.total() == home.total("window") == (true, 100 * true, 50 * true)
        assert home.missing() == {}
    log.unlink()
    assert home.total()[0] == true
    shutil.rmtree(home.data / ".index")
    assert home.total()[0] == true
    assert home.missing() == {"deleted": 1}


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("is_upgrade", [False, True])
def test_two_commands_at_once_without_an_index(
    home: Any, message: Make, tmp_path: Path, is_upgrade: bool, waits: bool
) -> None:
    """The second one begins when the journal has what the index of the first does not have yet."""
    for name in "abc":
        (home.projects / f"{name}.jsonl").write_text(message(name, sessionId=name))
    if is_upgrade:
        home.usage()
        with contextlib.closing(sqlite3.connect(home.data / ".index" / "sessions.sqlite3")) as index:
            index.execute("PRAGMA user_version = 1")
        (home.projects / "d.jsonl").write_text(message("d", sessionId="d"))
    true = 3 + is_upgrade
    appended, go, done = (str(tmp_path / name) for name in ("appended", "go", "done"))
    for path in (appended, go, done):
        os.mkfifo(path)
    wait = f"lambda: (open({appended!r}, 'w').close(), open({go!r}).close())"
    first = begin(home, f'patched(Journal, "append", after={wait})')
    open(appended).close()
    # it is let go when the second one looked at its store, which goes on beside it or behind it
    beside = f'patched(store.Store, "sync", before=lambda: open({go!r}, "w").close())'
    behind = f'patched(store.Store, "__init__", after=lambda: (open({go!r}, "w").close(), open({done!r}).close()))'
    second = begin(home, behind if waits else beside)
    for child in (first, second):
        out, err = child.communicate(timeout=60)
        assert out.splitlines()[-1].split()[1] == str(true), err
        if waits and child is first:
            open(done, "w").close()
    for _ in range(2):
        assert home.total() == home.total("window") == (true, 100 * true, 50 * true)
        assert home.missing() == {}


def test_what_could_not_be_kept_once_is_kept_by_the_next_command(
    home: Any, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tracker.journal.journal import Journal
    from tracker.kernel import TrackerError

    def busy(*_given: Any) -> None:
        raise TrackerError("The lock is busy. Nothing was stored. Try again.")

    log = home.projects / "s1.jsonl"
    log.write_text(message("a"))
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", busy)
        assert home.total()[0] == 1
    assert home.total()[0] == 1
    log.unlink()
    shutil.rmtree(home.data / ".index")
    assert home.total()[0] == 1


@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM", "SIGHUP"])
def test_workers_end_with_the_command_that_began_them(home: Any, message: Make, end: str) -> None:
    for name in "abcdef":
        (home.projects / f"{name}.jsonl").write_text(message(name, sessionId=name))
    die = f'patched(store.Store, "_put", before=lambda: os.kill(os.getpid(), signal.{end}))'
    child = begin(home, f"parallel.PARALLEL = 0\nscan.workers = lambda: 2\n{die}")
    # its output ends when all have ended that write to it
    assert child.communicate(timeout=60)[0] == ""
    assert child.returncode == -signal.Signals[end]
