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
from typing import Any, ClassVar

from tracker.errors import PluginError, TrackerError

# CPU time of this process, so that a command that was suspended or that waits for a disk blames no plugin
SECONDS = 10.0
LIMIT = "TRACKER_PLUGIN_SECONDS"
UNLIMITED = float("inf")
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


@contextlib.contextmanager
def guarded(plugin: str, step: str, seconds: float = 0, *, speaks: bool = False) -> Iterator[Timer]:
    """Run a plugin's code. Whatever it raises becomes a `PluginError`, except the user's own Ctrl-C.

    seconds: its CPU time; 0 is the limit of plugins, `UNLIMITED` as long as it likes. speaks: it may print.
    """
    timer, undo, interrupt = Timer(), contextlib.ExitStack(), signal.getsignal(signal.SIGINT)
    timer.seconds = seconds or (_seconds() if LIMIT in os.environ else SECONDS)
    timer.is_armed = is_timed = timer.seconds < UNLIMITED and threading.current_thread() is threading.main_thread()

    def press(*arguments: Any) -> None:
        timer.is_pressed = True
        assert callable(interrupt)
        interrupt(*arguments)

    def ring(*_signal: Any) -> None:
        timer.rings += 1
        if timer.rings > PATIENCE:
            os.write(2, f"error: Plugin {plugin!r} does not end and cannot be interrupted.\n".encode())
            os._exit(1)
        if timer.is_armed:
            raise Hang

    if not speaks:  # stdout is for data, also of C libraries and programs
        undo.enter_context(contextlib.redirect_stdout(sys.stderr))
        undo.callback(setattr, sys, "__stdout__", sys.__stdout__)
        sys.__stdout__ = sys.stderr  # type: ignore[assignment, misc]
        with contextlib.suppress(OSError):  # one of the two descriptors may be closed
            kept = os.dup(1)
            undo.callback(os.close, kept)
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
    except PluginError:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and (timer.is_pressed or (speaks and not is_timed)):
            raise
        raise PluginError(plugin, step, timer.fault(error)) from error
    finally:
        timer.is_armed = False
        undo.close()


def _seconds() -> float:
    text = os.environ.get(LIMIT) or str(SECONDS)
    with contextlib.suppress(ValueError):
        if 0 < (found := float(text)) < 1e6:
            return found
    raise TrackerError(f"Invalid {LIMIT} {text!r}. Expected a number of seconds over 0, such as 10.")
