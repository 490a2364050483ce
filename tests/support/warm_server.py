"""What `warm` forks the command line from: a process with the program's modules and nothing else."""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import runpy
import select
import socket
import sys
import time
import traceback
from contextlib import suppress
from typing import Any, NoReturn

# They would make every later fork dearer than the few programs that import them.
LARGE = ("pandas", "pyarrow")


class Server:
    def __init__(self, requests: socket.socket) -> None:
        self.requests = requests
        self.running: dict[int, tuple[int, int, int]] = {}
        self.known: set[str] = set()
        self.learn({"tracker.cli.main"})

    def serve(self) -> None:
        """Answer requests until the other end is closed."""
        while True:
            for ready in select.select([self.requests, *self.running], [], [])[0]:
                if ready is not self.requests:
                    self.end(ready)
                elif not self.start():
                    return

    def start(self) -> bool:
        found, files, *_ = socket.recv_fds(self.requests, 1, 5)
        if not found:
            return False
        request, stdin, stdout, stderr, answer = files
        child = os.fork()
        if not child:
            run(request, (stdin, stdout, stderr))
        for file in (stdin, stdout, stderr):
            os.close(file)
        os.write(answer, b"%d\n" % child)
        self.running[os.pidfd_open(child)] = child, answer, request
        return True

    def end(self, handle: int) -> None:
        child, answer, request = self.running.pop(handle)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with suppress(BrokenPipeError):
            os.write(answer, b"%d\n" % status)
        if status >= 0 and (names := content(request)):  # one that was killed may not have read its request
            self.learn(pickle.loads(names))
        for file in (answer, handle, request):
            os.close(file)

    def learn(self, names: set[str]) -> None:
        """Import what a program did; a module of a test's own is not found here."""
        for name in names - self.known:
            if name.partition(".")[0] not in LARGE:
                with suppress(Exception):
                    importlib.import_module(name)
        self.known |= names
        gc.collect()
        gc.freeze()


def run(request: int, streams: tuple[int, int, int]) -> NoReturn:
    """Run the program in this process, which looks as a new one would."""
    try:
        for number, file in enumerate(streams):
            os.dup2(file, number)
        os.closerange(3, request)
        os.closerange(request + 1, 256)
        known = set(sys.modules)
        words = pickle.loads(content(request))
        os.ftruncate(request, 0)
        prepare(*words)
        status = ended()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os.pwrite(request, pickle.dumps(set(sys.modules) - known), 0)
        os._exit(status)
    except BaseException:  # noqa: BLE001
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(70)  # nothing may return into the server


def prepare(arguments: tuple[str, ...], folder: str, environment: dict[str, str]) -> None:
    sys.stdin = sys.__stdin__ = text(0, "r")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = text(1, "w")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = text(2, "w", errors="backslashreplace", buffering=1)  # type: ignore[misc]
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.path[:0] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    importlib.invalidate_caches()
    sys.argv = ["tracker", *arguments]


def content(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


def text(number: int, mode: str, **more: Any) -> Any:
    return open(number, mode, encoding="utf-8", closefd=False, **more)


def ended() -> int:
    """Run the command line; its exit status."""
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


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        Server(connection).serve()
