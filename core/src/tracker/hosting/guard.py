"""Plugin code runs guarded: what it raises, prints, takes too long for or changes for the process is caught and named.

A plugin is trusted code. The guard catches mistakes. It does not contain hostile code.
"""

from __future__ import annotations

import builtins
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import current_thread, main_thread
from typing import Any, ClassVar, NoReturn

from tracker.errors import PluginError, TrackerError

# CPU time of this process, so that a command that was suspended or that waits for a disk blames no plugin
SECONDS = 10.0
LIMIT = "TRACKER_PLUGIN_SECONDS"
UNLIMITED = 1e9
PATIENCE = 3  # interruptions that a plugin may swallow before the program is ended
# those that the program and its children live by
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGCHLD)


class Hang(BaseException):
    """Raised in a plugin that took too long. A BaseException, because plugins write `except Exception`."""


class Timer:
    """The time of one plugin. A caller that runs it many times under one guard catches `FAULTS` itself."""

    FAULTS: ClassVar[tuple[type[BaseException], ...]] = (Exception, SystemExit, Hang)
    rings, is_pressed = 0, False

    def __init__(self, seconds: float) -> None:
        self.seconds, self.is_armed = seconds, current_thread() is main_thread()

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
    timer, interrupt = Timer(seconds or _limit()), signal.getsignal(signal.SIGINT)

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

    with ExitStack() as stack:
        for name in () if speaks else ("stdout", "__stdout__"):
            stack.callback(setattr, sys, name, getattr(sys, name))
            setattr(sys, name, sys.stderr)
        with suppress(OSError):  # of C libraries and programs; one of the two descriptors may be closed
            if not speaks:
                stack.callback(os.close, kept := os.dup(1))
                stack.callback(os.dup2, kept, 1)
                os.dup2(2, 1)
        if timer.is_armed:
            if callable(interrupt):
                stack.callback(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, press))
            stack.callback(signal.signal, signal.SIGVTALRM, signal.signal(signal.SIGVTALRM, ring))
            outer = signal.setitimer(signal.ITIMER_VIRTUAL, timer.seconds, min(timer.seconds, 1))
            stack.callback(signal.setitimer, signal.ITIMER_VIRTUAL, *outer)
        try:
            yield timer
        except BaseException as error:
            if isinstance(error, PluginError) or (timer.is_pressed and isinstance(error, KeyboardInterrupt)):
                raise
            raise PluginError(plugin, step, timer.fault(error)) from error
        finally:
            timer.is_armed = False


def _limit() -> float:
    text = os.environ.get(LIMIT)
    if text and (not re.fullmatch(r"[0-9]{0,6}\.?[0-9]+", text) or not float(text)):
        raise TrackerError(f"Invalid {LIMIT} {text!r}. Expected a number of seconds over 0, such as 10.")
    return float(text or SECONDS)


@contextmanager
def restored() -> Iterator[list[str]]:
    """Put back what an import changes for the whole process, which the list names at the end, and let it not end it."""
    changed, parts, leave, process = list[str](), list(_process()), os._exit, os.getpid()
    # 800 names, copied and compared by the interpreter; the journal would use what a plugin put in their place
    modules = [(module, dict(vars(module))) for module in (os, builtins, time, signal)]

    def refuse(status: int) -> NoReturn:
        if os.getpid() != process:
            leave(status)
        raise SystemExit(status)

    os._exit = refuse
    try:
        yield changed
    finally:
        os._exit = leave
        for module, names in modules:
            if vars(module) != names:
                own = vars(module)
                changed += [f"{module.__name__}.{name}" for name in names if own.get(name) is not names[name]]
                own.update(names)
        for (name, value, write, place), (_, now, *_) in zip(parts, _process(), strict=True):
            # entries added at the end are harmless: packages such as `six` add an importer for what nobody else finds
            if value != (now[: len(value)] if isinstance(value, list) else now):
                write(*place, value)
                changed.append(name)


def _process() -> Iterator[tuple[str, Any, Callable[..., object], tuple[Any, ...]]]:
    """The name of each part, its value, and the call that puts it back: the function and its first arguments."""
    for name in ("path", "meta_path", "path_hooks", "argv"):
        yield f"sys.{name}", list(getattr(sys, name)), setattr, (sys, name)
    os.umask(mask := os.umask(0o077))
    yield "the umask", mask, os.umask, ()
    yield "the working directory", os.getcwd(), os.chdir, ()
    yield "environment variables", dict(os.environ), _set_environment, ()
    yield "the recursion limit", sys.getrecursionlimit(), sys.setrecursionlimit, ()
    yield "the signal mask", signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.pthread_sigmask, (signal.SIG_SETMASK,)
    for number in SIGNALS if current_thread() is main_thread() else ():
        yield f"the handler of {number.name}", signal.getsignal(number), signal.signal, (number,)


def _set_environment(kept: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(kept)
