"""Guards: a plugin that opens a file, a socket or a process, or that reads the clock, is caught in the act."""

from __future__ import annotations

import _thread
import contextlib
import dis
import os
import sys
import threading
import time
import types
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any
from unittest import mock

WATCHED = ("open", "os.", "socket.", "subprocess.", "shutil.", "urllib.", "http.", "ftplib.", "webbrowser.", "sqlite3.")
HARMLESS = ("os.putenv", "os.unsetenv")
# names that nothing but a clock has
PLAIN = {"time_ns", "monotonic", "perf_counter", "localtime", "gmtime", "clock_gettime", "process_time", "thread_time"}
CLOCKS = ("time", "sleep", *PLAIN, *(f"{name}_ns" for name in PLAIN if hasattr(time, f"{name}_ns")))
GIVEN = {"strftime": 2, "ctime": 1, "asctime": 1}  # clocks, unless they get so many arguments
LOOKS = ("stat", "lstat", "access")  # at files; no event tells of them
PATHS = {"os", "pathlib", "genericpath", "posixpath"}  # whose functions call them for others
NAMES = {"now", "utcnow", "today"}  # of `datetime`, which is in C and cannot be watched

# what was seen, and in which thread; what other threads of the process do is not the plugin's
_watching: list[tuple[int, list[str]]] = []
_installed: list[bool] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event.startswith(WATCHED) and event not in HARMLESS:
        thread, seen = _watching[-1]
        if thread == threading.get_ident():
            seen.append(f"{event}({', '.join(repr(argument) for argument in arguments[:1])})")


@contextlib.contextmanager
def no_input_or_output() -> Iterator[list[str]]:
    """What the code inside touched: files, sockets, processes; and the clock functions of `time`."""
    if not _installed:
        sys.addaudithook(_hook)  # for the life of the process: it looks only while `_watching` holds something
        _installed.append(True)
    seen: list[str] = []
    thread = threading.get_ident()

    def clock(name: str) -> Any:
        real = getattr(time, name)

        def called(*arguments: Any) -> Any:
            if threading.get_ident() != thread or len(arguments) >= GIVEN.get(name, 9):
                return real(*arguments)
            seen.append(f"time.{name}()")
            raise RuntimeError(f"a plugin must not read the clock: time.{name}()")

        return called

    def noted(owner: types.ModuleType, name: str) -> Any:
        real = getattr(owner, name)

        def called(*arguments: Any, **named: Any) -> Any:
            if threading.get_ident() == thread and not _asker().startswith("tracker."):
                seen.append(f"{owner.__name__}.{name}({', '.join(map(repr, arguments[:1]))})")
            return real(*arguments, **named)

        return mock.patch.object(owner, name, called)

    start = threading.Thread.start

    def started(new: threading.Thread) -> None:
        if threading.get_ident() == thread:
            seen.append("threading.Thread.start()")
        start(new)

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(threading.Thread, "start", started))
        for name in (*CLOCKS, *GIVEN):
            stack.enter_context(mock.patch.object(time, name, clock(name)))
        for owner, name in (*((os, name) for name in LOOKS), (_thread, "start_new_thread")):
            stack.enter_context(noted(owner, name))
        _watching.append((thread, seen))
        try:
            yield seen
        finally:
            _watching.pop()


def _asker() -> str:
    """The module that called a watched function; the kernel's guard goes back to the working directory."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame and frame.f_globals.get("__name__") in PATHS:
        frame = frame.f_back
    return str(frame and frame.f_globals.get("__name__"))


def kept(package: str) -> dict[str, str]:
    """What the modules of a package hold in containers, which a hook leaves as it is."""
    modules = [found for name, found in sys.modules.items() if f"{name}.".startswith(f"{package}.")]
    return {
        f"{module.__name__}.{name}": repr(value)
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, list | dict | set | bytearray) and not name.startswith("__")
    }


@contextlib.contextmanager
def time_zone(name: str) -> Iterator[None]:
    """Change the machine's time zone."""
    try:
        with mock.patch.dict(os.environ, TZ=name):
            time.tzset()
            yield
    finally:
        time.tzset()


def clock_calls(modules: Iterable[types.ModuleType]) -> Iterator[str]:
    """Where modules use a clock, such as `datetime.now`, or hold one that they imported from `time`."""
    for module in modules:
        for word in sorted(set(_words(_code(module), {"datetime", "date"}))):
            yield f"{module.__name__} uses {word}"
        for name, value in vars(module).items():
            if isinstance(value, types.BuiltinFunctionType) and value in _CLOCKS:
                yield f"{module.__name__} imports {name} from time"


_CLOCKS = [getattr(time, name) for name in CLOCKS]


def _code(module: types.ModuleType) -> types.CodeType | None:
    loader: Any = getattr(module.__spec__, "loader", None)
    return loader.get_code(module.__name__) if hasattr(loader, "get_code") else None


def _words(code: object, known: set[str]) -> Iterator[str]:
    """The clocks that code names. known: what a clock of `datetime` is an attribute of; `session.now` is none."""
    if not isinstance(code, types.CodeType):
        return
    yield from PLAIN & set(code.co_names)
    for one, then in pairwise(dis.get_instructions(code)):
        if one.opname == "IMPORT_FROM" and one.argval in known:
            known = {*known, then.argval}
        elif one.argval in known and then.argval in NAMES:
            yield then.argval
    for constant in code.co_consts:
        yield from _words(constant, known)
