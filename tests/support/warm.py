"""The command line in a process of its own, forked from a server that has its modules: a thousand imports, once."""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
SECONDS = 120
SERVER = Path(__file__).with_name("warm_server.py")
# settings of the interpreter, most of which a process that runs already cannot follow
INTERPRETERS = ("PYTHON", "LC_", "LANG")
FOLLOWED = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")


class Server:
    """The process that is forked; it holds no test, so that a fork of it costs a fifth of a fork of this one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    def run(
        self, arguments: Sequence[str], stdin: bytes, folder: Path, environment: Mapping[str, str]
    ) -> tuple[int, bytes, bytes]:
        read, write = os.pipe()
        answers, answer = os.pipe()
        request, out, err = (os.memfd_create(name) for name in ("request", "stdout", "stderr"))
        os.write(request, pickle.dumps((arguments, str(folder), dict(environment))))
        socket.send_fds(self._started(), [b"."], [request, read, out, err, answer])
        for file in (request, read, answer):
            os.close(file)
        writer = threading.Thread(target=_feed, args=(write, stdin))
        writer.start()
        status = _status(answers)
        writer.join()
        return status, _taken(out), _taken(err)

    def _started(self) -> socket.socket:
        with self._lock:
            if self._requests is None:
                self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
                with theirs:
                    self._process = subprocess.Popen(
                        [sys.executable, "-P", str(SERVER), str(theirs.fileno())],
                        stdin=subprocess.DEVNULL,
                        pass_fds=[theirs.fileno()],
                        env=environment,
                        start_new_session=True,
                    )
            return self._requests

    def stop(self) -> None:
        if self._requests and self._process:
            self._requests.close()
            self._process.wait(SECONDS)


SERVER_OF_THIS_RUN = Server()


def pytest_unconfigure() -> None:
    SERVER_OF_THIS_RUN.stop()


@pytest.fixture
def tracker_cli(tmp_path: Path) -> Run:
    """As the kit's fixture of that name: arguments, what is piped in, environment variables; gives what it printed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a test starts the program often: compile it once
    # the developer's own session logs are none of the tests'
    environment |= {"TRACKER_DATA_DIR": str(tmp_path / "data"), "TZ": "UTC", "COLUMNS": "120", "HOME": str(tmp_path)}

    def run(*arguments: str, stdin: str | bytes = "", **extra: str) -> subprocess.CompletedProcess[str]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        is_new = any(key.startswith(INTERPRETERS) and key not in FOLLOWED for key in extra)
        status, out, err = tracker(arguments, data, tmp_path, environment | extra, is_new=is_new)
        return subprocess.CompletedProcess(arguments, status, out.decode(), err.decode())

    return run


def tracker(
    arguments: Sequence[str], stdin: bytes, folder: Path, environment: Mapping[str, str], *, is_new: bool = False
) -> tuple[int, bytes, bytes]:
    """Run the command line, by a new interpreter if that is asked for; its exit status, stdout and stderr."""
    run = _program if is_new or not hasattr(os, "pidfd_open") else SERVER_OF_THIS_RUN.run
    return run(arguments, stdin, folder, environment)


def _program(
    arguments: Sequence[str], stdin: bytes, folder: Path, environment: Mapping[str, str]
) -> tuple[int, bytes, bytes]:
    words = [sys.executable, "-m", "tracker.cli", *arguments]
    done = subprocess.run(
        words, input=stdin, capture_output=True, cwd=folder, env=environment, timeout=SECONDS, check=False
    )
    return done.returncode, done.stdout, done.stderr


def _feed(pipe: int, data: bytes) -> None:
    with suppress(BrokenPipeError), os.fdopen(pipe, "wb", buffering=0) as file:
        while data:
            data = data[file.write(data) :]


def _status(answers: int) -> int:
    """The exit status, which follows the process's number; a program that hangs is killed."""
    with os.fdopen(answers, "rb") as file:
        child = int(file.readline())
        if not select.select([file], [], [], SECONDS)[0]:
            os.kill(child, signal.SIGKILL)
        return int(file.readline())


def _taken(file: int) -> bytes:
    with os.fdopen(file, "rb") as found:
        found.seek(0)
        return found.read()
