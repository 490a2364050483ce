"""Plugin code runs guarded: what it raises, prints or takes too long for is caught, and the plugin is named.

A plugin is trusted code. The guard catches mistakes. It does not contain hostile code.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import current_thread, main_thread
from typing import Any, ClassVar

from tracker.errors import PluginError, TrackerError

# CPU time of this process, so that a command that was suspended or that waits for a disk blames no plugin
SECONDS = 10.0
LIMIT = "TRACKER_PLUGIN_SECONDS"
UNLIMITED = 1e9
PATIENCE = 3  # interruptions that a plugin may swallow before the program is ended


class Hang(BaseException):
    """Raised in a plugin that took too long. A BaseException, because plugins write `except Exception`."""


class Timer:
    """The time of one plugin. A caller that runs it many times under one guard catches `FAULTS` itself."""

    FAULTS: ClassVar[tuple[type[BaseException], ...]] = (Exception, SystemExit, Hang)
    seconds, rings, is_armed, is_pressed = SECONDS, 0, False, False

    def fault(self, error: BaseException) -> BaseException | str:
        """What a plugin did, in words if its exception does not say it."""
        if isinstance(error, Hang):
            return f"did not finish within {self.seconds:g} s"
        return error if isinstance(error, Exception) else f"raised {error!r}"

    def restart(self) -> None:
        """Give the plugin its time anew."""
        self.rings = 0
        if self.is_armed:
            signal.setitimer(signal.ITIMER_VIRTUAL, self.seconds, min(self.seconds, 1))


@contextmanager
def guarded(plugin: str, step: str, seconds: float = 0, *, speaks: bool = False) -> Iterator[Timer]:
    """Run a plugin's code. Whatever it raises becomes a `PluginError`, except the user's own Ctrl-C.

    seconds: its CPU time; 0 is the limit of plugins. speaks: it may print.
    """
    timer, interrupt = Timer(), signal.getsignal(signal.SIGINT)
    timer.seconds, timer.is_armed = (
        seconds or (_limit() if LIMIT in os.environ else SECONDS),
        current_thread() is main_thread(),
    )

    def press(*arguments: Any) -> None:
        timer.is_pressed = True
        if callable(interrupt):
            interrupt(*arguments)

    def ring(*_signal: Any) -> None:
        timer.rings += 1
        if timer.rings > PATIENCE:
            os.write(2, f"error: Plugin {plugin!r} does not end and cannot be interrupted.\n".encode())
            os._exit(1)
        if timer.is_armed:
            raise Hang

    with ExitStack() as undo:
        for name in () if speaks else ("stdout", "__stdout__"):
            undo.callback(setattr, sys, name, getattr(sys, name))
            setattr(sys, name, sys.stderr)
        with suppress(OSError):  # of C libraries and programs; one of the two descriptors may be closed
            if not speaks:
                undo.callback(os.close, kept := os.dup(1))
                undo.callback(os.dup2, kept, 1)
                os.dup2(2, 1)
        if timer.is_armed:
            if callable(interrupt):
                undo.callback(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, press))
            undo.callback(signal.signal, signal.SIGVTALRM, signal.signal(signal.SIGVTALRM, ring))
            outer = signal.setitimer(signal.ITIMER_VIRTUAL, timer.seconds, min(timer.seconds, 1))
            undo.callback(signal.setitimer, signal.ITIMER_VIRTUAL, *outer)
        try:
            yield timer
        except BaseException as error:
            if isinstance(error, PluginError) or (timer.is_pressed and isinstance(error, KeyboardInterrupt)):
                raise
            raise PluginError(plugin, step, timer.fault(error)) from error
        finally:
            timer.is_armed = False


def _limit() -> float:
    text = os.environ.get(LIMIT) or str(SECONDS)
    if not re.fullmatch(r"[0-9]{0,6}\.?[0-9]+", text) or not float(text):
        raise TrackerError(f"Invalid {LIMIT} {text!r}. Expected a number of seconds over 0, such as 10.")
    return float(text)
