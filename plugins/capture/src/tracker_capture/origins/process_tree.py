"""A program with everything that it started, so that nothing of it is left behind.

The process group is enough until a child calls `setsid`. On Linux, /proc shows such children: by their ancestors, and
by a mark in the environment that they inherit if an ancestor has ended. Elsewhere they stay.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from weakref import WeakSet

from tracker_capture.origins.answer import OriginError

PROC = Path("/proc")
MARK = "METER_READING"
# A process may start another one while it is being looked for.
ROUNDS = 5

_running: WeakSet[ProcessTree] = WeakSet()
_starting = threading.Lock()  # held while a program is started
_is_over = threading.Event()  # a signal ends this process; else a thread would go on with its next program


class ProcessTree:
    """A program in a session of its own: no terminal to ask on, and one group to end."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        token = secrets.token_hex(8)
        self._mark = f"{MARK}={token}".encode()
        with _starting:
            if _is_over.is_set():
                raise OriginError("interrupted")
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**environment, MARK: token},
                start_new_session=True,
            )
            _running.add(self)

    def end(self) -> None:
        """End the program and all that it started."""
        for _ in range(ROUNDS):
            found = self._members()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            for number in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(number, signal.SIGKILL)
            if not found:
                break
        self.process.wait()
        _running.discard(self)

    def _members(self) -> set[int]:
        """The living processes that descend from the program or carry its mark."""
        parents, found = {}, set()
        for entry in PROC.glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    parents[int(entry.name)] = int(parent)
                    if self._mark in (entry / "environ").read_bytes().split(b"\0"):
                        found.add(int(entry.name))
        found.add(self.process.pid)
        while more := {child for child, parent in parents.items() if parent in found} - found:
            found |= more
        return (found & parents.keys()) - {os.getpid()}


@contextlib.contextmanager
def ended_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end this process in good order; on any way out, no program is left running."""

    def stop(number: int, _frame: FrameType | None) -> None:
        _is_over.set()
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    # SIGHUP stays ignored under nohup.
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    mine = [number for number, how in before.items() if how in (signal.SIG_DFL, signal.default_int_handler)]
    _is_over.clear()
    try:
        for number in mine:
            signal.signal(number, stop)
        yield
    finally:
        with _starting:
            trees = list(_running)
        for tree in trees:
            tree.end()
        for number in mine:
            signal.signal(number, before[number])
