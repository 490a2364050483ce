"""Plugin code runs guarded: what it raises, prints or takes too long for is caught and named.

A plugin is trusted code. The guard catches mistakes. It does not contain hostile code.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from signal import ITIMER_VIRTUAL, SIGINT, SIGVTALRM, getsignal, setitimer, signal
from threading import current_thread, main_thread
from typing import Any, cast

from tracker.errors import Hang, PluginError, TrackerError
from tracker.text.render import escape

# CPU time of this process, so that a command that was suspended or that waits for a disk blames no plugin
SECONDS, LIMIT, UNLIMITED = "10", "TRACKER_PLUGIN_SECONDS", 1e9
PATIENCE = 3  # interruptions that a plugin may swallow before the program is ended


class Timer:
    """The time of one plugin. A caller that runs it many times under one guard catches `FAULTS` itself."""

    FAULTS = (Exception, SystemExit, Hang)

    def __init__(self, plugin: str, step: str, seconds: float) -> None:
        text = os.environ.get(LIMIT, "")
        if text and not seconds and (not re.fullmatch(r"[0-9]{0,6}\.?[0-9]+", text) or not float(text)):
            raise TrackerError(f"Invalid {LIMIT} {text!r}. Expected a number of seconds over 0, such as 10.")
        self.plugin, self.step, self.seconds = plugin, step, seconds or float(text or SECONDS)
        self.interrupt = cast(Any, getsignal(SIGINT))
        self.is_armed, self.is_pressed, self.rings = current_thread() is main_thread(), False, 0

    def restart(self, step: str = "") -> None:
        self.step, self.rings = step or self.step, 0
        if self.is_armed:
            setitimer(ITIMER_VIRTUAL, self.seconds, min(self.seconds, 1))

    def ring(self, *_signal: Any) -> None:
        self.rings += 1
        if self.rings > PATIENCE:
            os.write(2, f"error: Plugin {self.plugin!r} does not end and cannot be interrupted.\n".encode())
            os._exit(1)
        if self.is_armed:
            raise Hang(f"did not finish within {self.seconds:g} s")

    def press(self, *given: Any) -> None:
        self.is_pressed = True
        self.interrupt(*given)


class PluginOutput:
    """Standard error, as the place of what a plugin prints: nothing in it steers the terminal, or closes it."""

    close = staticmethod(lambda: None)

    def write(self, text: str) -> int:
        return sys.stderr.write(escape(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


@contextmanager
def guarded(plugin: str, step: str, seconds: float = 0, *, speaks: bool = False) -> Iterator[Timer]:
    """Run a plugin's code. Whatever it raises becomes a `PluginError`, except the user's own Ctrl-C.

    seconds: its CPU time; 0 is the limit of plugins. speaks: it may print. Of several at once the first moves stdout.
    """
    timer = Timer(plugin, step, seconds)
    with suppress(OSError), ExitStack() as stack:  # the folder to go back to may be gone
        names = () if speaks or isinstance(sys.stdout, PluginOutput) else ("stdout", "__stdout__")
        for name in names:
            stack.callback(setattr, sys, name, getattr(sys, name))
            setattr(sys, name, PluginOutput())
        with suppress(OSError):  # a folder that is gone has no name
            stack.callback(lambda folder: None if os.path.samefile(".", folder) else os.chdir(folder), os.getcwd())
        with suppress(OSError):  # of C libraries and programs; one of the two descriptors may be closed
            if names:
                stack.callback(os.close, kept := os.dup(1))
                stack.callback(os.dup2, kept, 1)
                os.dup2(2, 1)
        if timer.is_armed:
            if callable(timer.interrupt):
                stack.callback(signal, SIGINT, signal(SIGINT, timer.press))
            stack.callback(signal, SIGVTALRM, signal(SIGVTALRM, timer.ring))
            stack.callback(setitimer, ITIMER_VIRTUAL, *setitimer(ITIMER_VIRTUAL, timer.seconds, min(timer.seconds, 1)))
        try:
            yield timer
        except BaseException as error:
            if isinstance(error, PluginError) or (timer.is_pressed and isinstance(error, KeyboardInterrupt)):
                raise
            raise PluginError(plugin, timer.step, error) from error
        finally:
            timer.is_armed = False
