"""A plugin's code at arm's length: whatever it does, the command goes on or ends cleanly, and says who it was.

In the main thread of a POSIX system a plugin that does not come back is interrupted by a timer; elsewhere it can only
be waited for. A plugin that kills the process, or that crashes the interpreter, cannot be held back.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from tracker.errors import PluginError
from tracker.hosting.surroundings import STDERR, Exit, exit_now, put_back

SECONDS = float(os.environ.get("TRACKER_PLUGIN_SECONDS") or 10)
PATIENCE = 3  # interruptions that a plugin may swallow before the command is ended in its stead

_strays: list[threading.Thread] = []  # that plugins left running


class Hang(BaseException):
    """Raised in a plugin that took too long; no `except Exception` of the plugin's can swallow it."""


class Timer:
    """The time of one plugin: `restart` gives it anew, where the core calls the plugin many times under one guard."""

    def __init__(self, plugin: str, seconds: float) -> None:
        self.is_pressed = False  # whether the user pressed Ctrl-C meanwhile
        self.is_armed = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
        self.seconds = seconds
        self._plugin, self._swallowed = plugin, 0

    def restart(self) -> None:
        self._swallowed = 0
        if self.is_armed:  # where the plugin swallows the first interruption, others follow
            signal.setitimer(signal.ITIMER_REAL, self.seconds, min(self.seconds, 1))

    def too_long(self, _number: int, _frame: FrameType | None) -> None:
        if not self.is_armed:
            return
        self._swallowed += 1
        if self._swallowed > PATIENCE:
            os.write(STDERR, f"error: plugin {self._plugin!r} does not end and cannot be interrupted\n".encode())
            exit_now(1)
        raise Hang


@contextlib.contextmanager
def guarded(plugin: str, step: str, seconds: float | None = None) -> Iterator[Timer]:
    """Run a plugin's code: every way out but the normal one is a `PluginError`, and what it changed is put back.

    What it prints goes to stderr, since stdout is for data. The user's own Ctrl-C stays a `KeyboardInterrupt`.
    """
    limit = SECONDS if seconds is None else seconds
    with _timed(plugin, limit) as timer, put_back():
        try:
            try:
                with _no_thread_left():
                    yield timer
            finally:
                timer.is_armed = False  # an alarm that comes from here on is late, and nobody's fault
        except PluginError:
            raise
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and timer.is_pressed:
                raise
            raise PluginError(plugin, step, fault(error, limit)) from error


def fault(error: BaseException, seconds: float) -> BaseException | str:
    """What a plugin did, in words where its exception does not say it."""
    if isinstance(error, Hang):
        return f"did not finish within {seconds:g} s"
    if isinstance(error, Exit):
        return f"called os._exit({error.code!r})"
    if isinstance(error, SystemExit):
        return f"called sys.exit({error.code!r})"
    return error if isinstance(error, Exception) else f"raised {type(error).__name__}"


@contextlib.contextmanager
def _no_thread_left() -> Iterator[None]:
    """Refuse what starts a thread and does not wait for it: it could print, or change values, at any later time."""
    before = set(threading.enumerate())
    try:
        yield
    finally:
        left = [thread for thread in threading.enumerate() if thread not in before]
        _strays.extend(left)
    if left and threading.current_thread() is threading.main_thread():
        raise RuntimeError("left a thread running")


def leave_strays(status: object) -> None:
    """End the process with that status if a plugin's thread would keep it alive for longer."""
    if any(thread.is_alive() and not thread.daemon for thread in _strays):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        exit_now(status if isinstance(status, int) else int(status is not None))


@contextlib.contextmanager
def _timed(plugin: str, seconds: float) -> Iterator[Timer]:
    """Interrupts what takes too long, and notes whether the user pressed Ctrl-C."""
    timer = Timer(plugin, seconds)
    if not timer.is_armed:
        yield timer
        return
    old_interrupt = signal.getsignal(signal.SIGINT)

    def interrupt(number: int, frame: FrameType | None) -> Any:
        timer.is_pressed = True
        if callable(old_interrupt):
            return old_interrupt(number, frame)
        raise KeyboardInterrupt

    old_alarm = signal.signal(signal.SIGALRM, timer.too_long)
    if old_interrupt is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)
    old_timer = signal.getitimer(signal.ITIMER_REAL)
    timer.restart()
    try:
        yield timer
    finally:
        signal.setitimer(signal.ITIMER_REAL, *old_timer)
        signal.signal(signal.SIGALRM, old_alarm)
        signal.signal(signal.SIGINT, old_interrupt)
