"""A plugin's code at arm's length: whatever it does, the command goes on or ends cleanly, and says who it was.

In the main thread of a POSIX system a plugin that does not come back is interrupted by a timer; elsewhere it can only
be waited for. A plugin that calls `os._exit`, or that crashes the interpreter, cannot be held back.
"""

from __future__ import annotations

import contextlib
import locale
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from tracker.errors import PluginError

SECONDS = float(os.environ.get("TRACKER_PLUGIN_SECONDS") or 10)


class Hang(BaseException):
    """Raised in a plugin that took too long; no `except Exception` of the plugin's can swallow it."""


@contextlib.contextmanager
def guarded(plugin: str, step: str, seconds: float | None = None) -> Iterator[None]:
    """Run a plugin's code: every way out but the normal one is a `PluginError`, and what it changed is put back.

    What it prints goes to stderr, since stdout is for data. The user's own Ctrl-C stays a `KeyboardInterrupt`.
    """
    folder, place = _working_directory(), locale.setlocale(locale.LC_ALL)
    limit = SECONDS if seconds is None else seconds
    with _timer(limit) as pressed, contextlib.redirect_stdout(sys.stderr):
        try:
            yield
        except PluginError:
            raise
        except Hang as error:
            raise PluginError(plugin, step, f"did not finish within {limit:g} s") from error
        except KeyboardInterrupt as error:
            if pressed:
                raise
            raise PluginError(plugin, step, "raised KeyboardInterrupt") from error
        except SystemExit as error:
            raise PluginError(plugin, step, f"called sys.exit({error.code!r})") from error
        except Exception as error:
            raise PluginError(plugin, step, error) from error
        except BaseException as error:
            raise PluginError(plugin, step, f"raised {type(error).__name__}") from error
        finally:
            _put_back(folder, place)


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None  # it was removed


def _put_back(folder: str | None, place: str) -> None:
    if folder is not None and _working_directory() != folder:
        os.chdir(folder)
    if locale.setlocale(locale.LC_ALL) != place:
        locale.setlocale(locale.LC_ALL, place)


@contextlib.contextmanager
def _timer(seconds: float) -> Iterator[list[bool]]:
    """Interrupts what takes too long; the list holds something once the user pressed Ctrl-C."""
    pressed: list[bool] = []
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield pressed
        return

    def too_long(_number: int, _frame: FrameType | None) -> None:
        raise Hang

    old_interrupt = signal.getsignal(signal.SIGINT)

    def interrupt(number: int, frame: FrameType | None) -> Any:
        pressed.append(True)
        if callable(old_interrupt):
            return old_interrupt(number, frame)
        raise KeyboardInterrupt

    old_alarm = signal.signal(signal.SIGALRM, too_long)
    if old_interrupt is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield pressed
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old_alarm)
        signal.signal(signal.SIGINT, old_interrupt)
