"""Guards: a plugin that opens a file, a socket or a process, or that reads the clock, is caught in the act."""

from __future__ import annotations

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
PLAIN = {"time_ns", "monotonic", "perf_counter", "localtime", "gmtime"}  # names that nothing but a clock has
CLOCKS = ("time", "monotonic_ns", "perf_counter_ns", "sleep", *PLAIN)
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
            if threading.get_ident() != thread:
                return real(*arguments)
            seen.append(f"time.{name}()")
            raise RuntimeError(f"a plugin must not read the clock: time.{name}()")

        return called

    start = threading.Thread.start

    def started(new: threading.Thread) -> None:
        if threading.get_ident() == thread:
            seen.append("threading.Thread.start()")
        start(new)

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(threading.Thread, "start", started))
        for name in CLOCKS:
            stack.enter_context(mock.patch.object(time, name, clock(name)))
        _watching.append((thread, seen))
        try:
            yield seen
        finally:
            _watching.pop()


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
