"""The command line in a process of its own that is forked from this one: the imports of a thousand programs, once."""

from __future__ import annotations

import functools
import importlib
import os
import runpy
import select
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
SECONDS = 120
# settings of the interpreter, which a process that runs already cannot follow
INTERPRETERS = ("PYTHON", "LC_", "LANG")


@pytest.fixture
def tracker_cli(tmp_path: Path) -> Run:
    """As the kit's fixture of that name: arguments, what is piped in, environment variables; gives what it printed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a test starts the program often: compile it once
    environment |= {"TRACKER_DATA_DIR": str(tmp_path / "data"), "TZ": "UTC", "COLUMNS": "120"}

    def run(*arguments: str, stdin: str | bytes = "", **extra: str) -> subprocess.CompletedProcess[str]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        is_new = any(key.startswith(INTERPRETERS) and key != "PYTHONPATH" for key in extra)
        status, out, err = tracker(arguments, data, tmp_path, environment | extra, is_new=is_new)
        return subprocess.CompletedProcess(arguments, status, out.decode(), err.decode())

    return run


def tracker(
    arguments: Sequence[str], stdin: bytes, folder: Path, environment: Mapping[str, str], *, is_new: bool = False
) -> tuple[int, bytes, bytes]:
    """Run the command line, by a new interpreter if that is asked for; its exit status, stdout and stderr."""
    run = _program if is_new or not hasattr(os, "pidfd_open") else _fork
    return run(arguments, stdin, folder, environment)


def _program(
    arguments: Sequence[str], stdin: bytes, folder: Path, environment: Mapping[str, str]
) -> tuple[int, bytes, bytes]:
    words = [sys.executable, "-m", "tracker.cli", *arguments]
    done = subprocess.run(
        words, input=stdin, capture_output=True, cwd=folder, env=environment, timeout=SECONDS, check=False
    )
    return done.returncode, done.stdout, done.stderr


def _fork(
    arguments: Sequence[str], stdin: bytes, folder: Path, environment: Mapping[str, str]
) -> tuple[int, bytes, bytes]:
    read, write = os.pipe()
    files = [os.memfd_create(name) for name in ("stdout", "stderr", "modules")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a thread of the test runner's may exist; the child starts nothing of it
        child = os.fork()
    if not child:
        try:
            os.close(write)
            os._exit(_run(arguments, folder, environment, (read, *files)))
        except BaseException:  # noqa: BLE001
            os.write(files[1], traceback.format_exc().encode())
        finally:
            os._exit(70)  # nothing may return into the parent's test
    os.close(read)
    _feed(write, stdin)
    status = _wait(child)
    out, err, modules = (_taken(file) for file in files)
    for name in modules.decode().split():
        with suppress(Exception):  # a module of that test's own
            importlib.import_module(name)
    return status, out, err


def _feed(pipe: int, data: bytes) -> None:
    if len(data) <= select.PIPE_BUF:
        with suppress(BrokenPipeError):
            os.write(pipe, data)
        os.close(pipe)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if os.fork():
            os.close(pipe)
            return
    with suppress(BrokenPipeError), os.fdopen(pipe, "wb") as file:
        file.write(data)
    os._exit(0)


def _wait(child: int) -> int:
    handle = os.pidfd_open(child)
    try:
        if not select.select([handle], [], [], SECONDS)[0]:
            os.kill(child, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        os.close(handle)


def _taken(file: int) -> bytes:
    with os.fdopen(file, "rb") as found:
        found.seek(0)
        return found.read()


def _run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], files: tuple[int, int, int, int]
) -> int:
    """Run the program in this process, which looks as a new one would."""
    stdin, stdout, stderr, modules = files
    for number, file in enumerate((stdin, stdout, stderr)):
        os.dup2(file, number)
    sys.stdin = sys.__stdin__ = _text(0, "r")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _text(1, "w")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _text(2, "w", errors="backslashreplace", buffering=1)  # type: ignore[misc]
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.path[:0] = [str(folder), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    importlib.invalidate_caches()
    known = set(sys.modules)
    for name in known:
        if name.partition(".")[0].startswith("tracker"):
            for value in vars(sys.modules[name]).values():
                if isinstance(value, functools._lru_cache_wrapper):
                    value.cache_clear()
    sys.argv = ["tracker", *arguments]
    status = _status()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os.write(modules, " ".join(set(sys.modules) - known).encode())
    return status


def _text(number: int, mode: str, **more: Any) -> Any:
    return open(number, mode, encoding="utf-8", closefd=False, **more)


def _status() -> int:
    try:
        runpy.run_module("tracker.cli", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        if isinstance(stop.code, int) or stop.code is None:
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        return 1
    return 0
