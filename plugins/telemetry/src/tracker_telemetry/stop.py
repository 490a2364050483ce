"""Ctrl-C, SIGTERM and a closed terminal as a wish that is granted between two batches, never within one."""

from __future__ import annotations

import os
import select
import signal
import time
from types import FrameType
from typing import Any

from attrs import define, field

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@define
class Stop:
    """Whether the end was asked for, and by which signal; while it is entered, signals only note that, and end what
    waits here.

    The signal's byte in a pipe that `wait` looks at, too, leaves no moment in which a signal could be missed.
    """

    is_asked: bool = False
    number: int = signal.SIGINT
    _awake: int = -1
    _wake: int = -1
    _before: dict[int, Any] = field(factory=dict)
    _wake_before: int = -1

    def __enter__(self) -> Stop:
        for number in ENDING:
            if number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN:
                continue  # started with nohup
            self._before[number] = signal.signal(number, self._ask)
        if os.name == "posix":
            self._awake, self._wake = os.pipe()
            for end in (self._awake, self._wake):
                os.set_blocking(end, False)
            self._wake_before = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._awake >= 0:
            signal.set_wakeup_fd(self._wake_before)
            os.close(self._awake)
            os.close(self._wake)
            self._awake = self._wake = -1
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self.is_asked, self.number = True, number

    def wait(self, file: int | None = None, seconds: float | None = None) -> None:
        """Wait until a descriptor can be read, a stop is asked for, or the time is over."""
        until = None if seconds is None else time.monotonic() + seconds
        while not self.is_asked:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return
            if os.name != "posix":  # Windows selects sockets alone: reading itself waits
                if file is None:
                    time.sleep(min(left or 0.1, 0.1))
                    continue
                return
            ready, _, _ = select.select([self._awake, *([] if file is None else [file])], [], [], left)
            if self._awake in ready:
                os.read(self._awake, 4096)
            if file in ready:
                return


def is_ready(file: int, seconds: float) -> bool:
    """Whether a descriptor can be read within some time."""
    return os.name != "posix" or bool(select.select([file], [], [], max(seconds, 0))[0])
