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
PATIENCE = 3  # interruptions that a plugin may swallow before the program is ended


class Hang(BaseException):
    """Raised in a plugin that took too long. A BaseException, because plugins write `except Exception`."""


class Timer:
    """The time of one plugin. `restart` gives it anew to a caller that runs the plugin many times under one guard.

    Such a caller catches `FAULTS` itself, so that one call costs no other.
    """

    FAULTS: ClassVar[tuple[type[BaseException], ...]] = (Exception, SystemExit, Hang)

    def __init__(self, plugin: str, seconds: float) -> None:
        self.plugin, self.seconds, self.rings, self.is_pressed = plugin, seconds, 0, False
        self.is_armed = threading.current_thread() is threading.main_thread() and hasattr(signal, "ITIMER_VIRTUAL")
        self.interrupt: Any = signal.getsignal(signal.SIGINT)

    def fault(self, error: BaseException) -> BaseException | str:
        """What a plugin did, in words if its exception does not say it."""
        if isinstance(error, Hang):
            return f"did not finish within {self.seconds:g} s"
        return error if isinstance(error, Exception) else f"raised {error!r}"

    def restart(self) -> None:
        self.rings = 0
        if self.is_armed:
            signal.setitimer(signal.ITIMER_VIRTUAL, self.seconds, min(self.seconds, 1))

    def ring(self, *_signal: Any) -> None:
        self.rings += 1
        if self.rings > PATIENCE:
            os.write(2, f"error: Plugin {self.plugin!r} does not end and cannot be interrupted.\n".encode())
            os._exit(1)
        if self.is_armed:
            raise Hang

    def press(self, *arguments: Any) -> None:
        self.is_pressed = True
        self.interrupt(*arguments)


def _seconds() -> float:
    """The time of a call, which `TRACKER_PLUGIN_SECONDS` may set."""
    text = os.environ.get("TRACKER_PLUGIN_SECONDS", "")
    try:
        found = float(text or SECONDS)
        if 0 < found < 1e6:
            return found
    except ValueError:
        pass
    raise TrackerError(f"Invalid TRACKER_PLUGIN_SECONDS {text!r}. Expected a number of seconds over 0, such as 10.")


@contextlib.contextmanager
def guarded(plugin: str, step: str, seconds: float | None = None) -> Iterator[Timer]:
    """Run a plugin's code. Whatever it raises becomes a `PluginError`, except the user's own Ctrl-C."""
    timer = Timer(plugin, seconds or _seconds())
    undo = contextlib.ExitStack()
    for name in ("stdout", "__stdout__"):  # stdout is for data
        undo.callback(setattr, sys, name, getattr(sys, name))
        setattr(sys, name, sys.stderr)
    with contextlib.suppress(OSError):  # of C libraries and programs; one of the two descriptors may be closed
        kept = os.dup(1)
        undo.callback(os.close, kept)
        undo.callback(os.dup2, kept, 1)
        os.dup2(2, 1)
    if timer.is_armed:
        if callable(timer.interrupt):
            undo.callback(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, timer.press))
        undo.callback(signal.signal, signal.SIGVTALRM, signal.signal(signal.SIGVTALRM, timer.ring))
        outer = signal.setitimer(signal.ITIMER_VIRTUAL, timer.seconds, min(timer.seconds, 1))
        undo.callback(signal.setitimer, signal.ITIMER_VIRTUAL, *outer)
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
        undo.close()
