"""Plugin code runs guarded: what it raises, prints or takes too long for is caught, and the plugin is named.

A plugin is trusted code. The guard catches mistakes. It does not contain hostile code.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import ClassVar

from tracker.errors import PluginError

# CPU time of this process, so that a command that was suspended or that waits for a disk blames no plugin
SECONDS = float(os.environ.get("TRACKER_PLUGIN_SECONDS") or 10)
PATIENCE = 3  # interruptions that a plugin may swallow before the program is ended
STDOUT, STDERR = 1, 2


class Hang(BaseException):
    """Raised in a plugin that took too long. A BaseException, because plugins write `except Exception`."""


class Timer:
    """The time of one plugin. `restart` gives it anew to a caller that runs the plugin many times under one guard.

    Such a caller catches `FAULTS` itself, so that one call costs no other.
    """

    FAULTS: ClassVar[tuple[type[BaseException], ...]] = (Exception, SystemExit, Hang)

    def __init__(self, plugin: str, seconds: float) -> None:
        self.is_pressed = False  # whether the user pressed Ctrl-C
        self.seconds = seconds
        self.interrupt = signal.getsignal(signal.SIGINT)
        self._plugin, self._swallowed = plugin, 0
        self.is_armed = threading.current_thread() is threading.main_thread() and hasattr(signal, "ITIMER_VIRTUAL")

    def fault(self, error: BaseException) -> BaseException | str:
        """What a plugin did, in words if its exception does not say it."""
        if isinstance(error, Hang):
            return f"did not finish within {self.seconds:g} s"
        if isinstance(error, SystemExit):
            return f"called sys.exit({error.code!r})"
        return error if isinstance(error, Exception) else f"raised {type(error).__name__}"

    def restart(self) -> None:
        self._swallowed = 0
        if self.is_armed:
            signal.setitimer(signal.ITIMER_VIRTUAL, self.seconds, min(self.seconds, 1))

    def ring(self, _number: int, _frame: FrameType | None) -> None:
        self._swallowed += self.is_armed
        if self._swallowed > PATIENCE:
            os.write(STDERR, f"error: Plugin {self._plugin!r} does not end and cannot be interrupted.\n".encode())
            os._exit(1)
        if self.is_armed:
            raise Hang

    def press(self, number: int, frame: FrameType | None) -> None:
        self.is_pressed = True
        if callable(self.interrupt):
            self.interrupt(number, frame)


@contextlib.contextmanager
def guarded(plugin: str, step: str, seconds: float | None = None) -> Iterator[Timer]:
    """Run a plugin's code. Whatever it raises becomes a `PluginError`, except the user's own Ctrl-C."""
    timer = Timer(plugin, SECONDS if seconds is None else seconds)
    with _stdout_aside(), _timed(timer):
        try:
            yield timer
        except PluginError:
            raise
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and timer.is_pressed:
                raise
            raise PluginError(plugin, step, timer.fault(error)) from error
        finally:
            timer.is_armed = False


@contextlib.contextmanager
def _timed(timer: Timer) -> Iterator[None]:
    if not timer.is_armed:
        yield
        return
    if callable(timer.interrupt):
        signal.signal(signal.SIGINT, timer.press)
    old_timer, old_handler = signal.getitimer(signal.ITIMER_VIRTUAL), signal.signal(signal.SIGVTALRM, timer.ring)
    timer.restart()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, *old_timer)
        signal.signal(signal.SIGVTALRM, old_handler)
        signal.signal(signal.SIGINT, timer.interrupt)


@contextlib.contextmanager
def _stdout_aside() -> Iterator[None]:
    """Send what is printed to stderr, because stdout is for data; the descriptor too, for C libraries and programs."""
    streams = sys.stdout, sys.__stdout__
    sys.stdout = sys.__stdout__ = sys.stderr  # type: ignore[misc, assignment]
    kept = None
    with contextlib.suppress(OSError):  # one of the two is closed
        kept = os.dup(STDOUT)
        os.dup2(STDERR, STDOUT)
    try:
        yield
    finally:
        sys.stdout, sys.__stdout__ = streams  # type: ignore[misc]
        if kept is not None:
            os.dup2(kept, STDOUT)
            os.close(kept)
