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
from functools import cache
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


@cache
def _install() -> None:
    """For the life of the process: the hook looks only while `_watching` holds something."""
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event.startswith(WATCHED) and event not in HARMLESS:
        thread, seen = _watching[-1]
        if thread == threading.get_ident():
            seen.append(f"{event}({', '.join(repr(argument) for argument in arguments[:1])})")


@contextlib.contextmanager
def no_input_or_output() -> Iterator[list[str]]:
    """What the code inside touched: files, sockets, processes; and the clock functions of `time`."""
    _install()
    seen: list[str] = []
    with contextlib.ExitStack() as stack:
        for name in (*CLOCKS, *GIVEN):
            stack.enter_context(_watched(seen, time, name, is_clock=True))
        for owner, name in (
            *((os, name) for name in LOOKS),
            (_thread, "start_new_thread"),
            (threading.Thread, "start"),
        ):
            stack.enter_context(_watched(seen, owner, name))
        _watching.append((threading.get_ident(), seen))
        try:
            yield seen
        finally:
            _watching.pop()


def _watched(seen: list[str], owner: Any, name: str, *, is_clock: bool = False) -> Any:
    """Replace a function by one that notes its calls from this thread; a clock also raises."""
    real, thread, label = getattr(owner, name), threading.get_ident(), f"{owner.__name__}.{name}"

    def called(*arguments: Any, **named: Any) -> Any:
        is_ours = threading.get_ident() == thread and not _asker().startswith("tracker.")
        if is_ours and len(arguments) < GIVEN.get(name, 9):
            seen.append(f"{label}({', '.join(map(repr, arguments[:1]))})")
            if is_clock:
                raise RuntimeError(f"a plugin must not read the clock: {label}()")
        return real(*arguments, **named)

    return mock.patch.object(owner, name, called)


def _asker() -> str:
    """The module that called a watched function; the kernel's guard goes back to the working directory."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame and frame.f_globals.get("__name__") in PATHS:
        frame = frame.f_back
    return str(frame and frame.f_globals.get("__name__"))


def modules_of(package: str) -> list[types.ModuleType]:
    """The modules of a package that are imported."""
    return [found for name, found in sys.modules.items() if f"{name}.".startswith(f"{package}.")]


def kept(package: str) -> dict[str, str]:
    """What the modules of a package hold in containers, which a hook must not change."""
    return {
        f"{module.__name__}.{name}": repr(value)
        for module in modules_of(package)
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
