"""Ctrl-C, SIGTERM and a closed terminal as a wish that is granted between two batches, never within one."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from types import FrameType
from typing import Any

from attrs import define, field

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
SECONDS = 0.5  # after which a wait looks for a signal that came just before it began


class _Awake(Exception):
    """Ends a wait."""


@define
class Stop:
    """Whether the end was asked for, and by which signal; while it is entered, signals end only what waits here."""

    is_asked: bool = False
    number: int = signal.SIGINT
    _is_waiting: bool = False
    _before: dict[int, Any] = field(factory=dict)

    def __enter__(self) -> Stop:
        for number in ENDING:
            if number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) is signal.SIG_IGN:
                continue  # started with nohup
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_error: object) -> None:
        while self._before:
            signal.signal(*self._before.popitem())

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self.is_asked, self.number = True, number
        if self._is_waiting:
            self._is_waiting = False
            raise _Awake

    def wait(self, file: int | None = None, seconds: float | None = None) -> None:
        """Wait until a descriptor can be read, a stop is asked for, or the time is over."""
        until = None if seconds is None else time.monotonic() + seconds
        with suppress(_Awake):
            self._is_waiting = True
            while not self.is_asked and (until is None or time.monotonic() < until):
                left = SECONDS if until is None else min(SECONDS, until - time.monotonic())
                if file is None:
                    time.sleep(max(left, 0))
                elif is_ready(file, left):
                    break
            self._is_waiting = False


def is_ready(file: int, seconds: float) -> bool:
    """Whether a descriptor can be read within some time. Windows selects sockets alone: there, reading itself waits."""
    return os.name != "posix" or bool(select.select([file], [], [], max(seconds, 0))[0])
