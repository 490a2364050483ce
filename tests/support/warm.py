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


class Process:
    """A running command line: what tests use of `subprocess.Popen`, of which it is no child."""

    def __init__(self, answers: int) -> None:
        self._answers = os.fdopen(answers, "rb")
        self.pid = int(self._answers.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, seconds: float | None = None) -> int:
        if self._ended(seconds) is None:
            raise subprocess.TimeoutExpired("tracker", seconds or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def _ended(self, seconds: float | None) -> int | None:
        """The exit status, which follows the process's number."""
        if self.returncode is None and select.select([self._answers], [], [], seconds)[0]:
            self.returncode = int(self._answers.readline())
            self._answers.close()
        return self.returncode


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
        out, err = (os.memfd_create(name) for name in ("stdout", "stderr"))
        process = self.start(arguments, (read, out, err), folder, environment)
        os.close(read)
        writer = threading.Thread(target=_feed, args=(write, stdin))
        writer.start()
        try:
            status = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            status = process.wait(SECONDS)
        writer.join()
        return status, _taken(out), _taken(err)

    def start(
        self, arguments: Sequence[str], streams: tuple[int, int, int], folder: Path, environment: Mapping[str, str]
    ) -> Process:
        """Start the command line with these descriptors, which stay open here."""
        answers, answer = os.pipe()
        request = os.memfd_create("request")
        os.write(request, pickle.dumps((arguments, str(folder), dict(environment))))
        socket.send_fds(self._started(), [b"."], [request, *streams, answer])
        for file in (request, answer):
            os.close(file)
        return Process(answers)

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


def started(
    arguments: Sequence[str], streams: tuple[int, int, int], folder: Path, environment: Mapping[str, str]
) -> Process | subprocess.Popen[bytes]:
    """The command line as a process that runs beside the test, with these descriptors."""
    if hasattr(os, "pidfd_open"):
        return SERVER_OF_THIS_RUN.start(arguments, streams, folder, environment)
    stdin, stdout, stderr = streams
    words = [sys.executable, "-m", "tracker.cli", *arguments]
    return subprocess.Popen(words, stdin=stdin, stdout=stdout, stderr=stderr, cwd=folder, env=environment)


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


def _taken(file: int) -> bytes:
    with os.fdopen(file, "rb") as found:
        found.seek(0)
        return found.read()
