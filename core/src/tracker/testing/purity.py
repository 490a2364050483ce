"""Guards: a plugin that opens a file, a socket or a process, or that reads the clock, is caught in the act."""

from __future__ import annotations

import contextlib
import sys
import time
import types
from collections.abc import Iterator
from typing import Any
from unittest import mock

WATCHED = ("open", "os.", "socket.", "subprocess.", "shutil.", "urllib.", "http.", "ftplib.", "webbrowser.", "sqlite3.")
HARMLESS = ("os.putenv", "os.unsetenv")
CLOCKS = (
    "time",
    "time_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "localtime",
    "gmtime",
    "sleep",
)
NAMES = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter", "localtime", "gmtime"}

_watching: list[list[str]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event.startswith(WATCHED) and event not in HARMLESS:
        _watching[-1].append(f"{event}({', '.join(repr(argument) for argument in arguments[:1])})")


_installed: list[bool] = []


@contextlib.contextmanager
def no_input_or_output() -> Iterator[list[str]]:
    """What the code inside touched: files, sockets, processes; and the clock functions of `time`."""
    if not _installed:
        sys.addaudithook(_hook)  # for the life of the process: it looks only while `_watching` holds something
        _installed.append(True)
    seen: list[str] = []

    def clock(name: str) -> Any:
        def called(*_arguments: Any) -> Any:
            seen.append(f"time.{name}()")
            raise RuntimeError(f"a plugin must not read the clock: time.{name}()")

        return called

    with contextlib.ExitStack() as stack:
        for name in CLOCKS:
            stack.enter_context(mock.patch.object(time, name, clock(name)))
        _watching.append(seen)
        try:
            yield seen
        finally:
            _watching.pop()


def clock_calls(module: types.ModuleType) -> list[str]:
    """Functions of a module that name a clock, such as `datetime.now`: it is in C and cannot be watched."""
    found = []
    for name, value in vars(module).items():
        if isinstance(value, types.FunctionType) and value.__module__ == module.__name__:
            used = NAMES & set(_names(value.__code__))
            found += [f"{module.__name__}.{name} uses {word}" for word in sorted(used)]
    return found


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
