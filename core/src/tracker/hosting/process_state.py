"""What a plugin's import changes for the whole process: named, and put back if that is one assignment."""

from __future__ import annotations

import builtins
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

# If a plugin replaced one of their functions, the journal would use the replacement.
MODULES = (os, builtins, time, signal)
# Entries added at the end are harmless: packages such as `six` add an importer for what nobody else finds.
LISTS: dict[str, list[Any]] = {"sys.path": sys.path, "sys.meta_path": sys.meta_path, "sys.path_hooks": sys.path_hooks}


def _umask() -> int:
    os.umask(mask := os.umask(0o077))
    return mask


def _set_environment(kept: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(kept)


# name: how it is read, and how what was read is written back
PARTS: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "the working directory": (os.getcwd, os.chdir),
    "the umask": (_umask, os.umask),
    "environment variables": (lambda: dict(os.environ), _set_environment),
    "the recursion limit": (sys.getrecursionlimit, sys.setrecursionlimit),
    "the signal mask": (
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        lambda kept: signal.pthread_sigmask(signal.SIG_SETMASK, kept),
    ),
}


class ProcessState:
    """The state before a plugin's import."""

    def __init__(self) -> None:
        self._parts = {name: read() for name, (read, _) in PARTS.items()}
        self._functions = [(module, dict(vars(module))) for module in MODULES]
        self._lists = {name: list(entries) for name, entries in LISTS.items()}
        is_main = threading.current_thread() is threading.main_thread()
        self._handlers = {number: signal.getsignal(number) for number in signal.valid_signals()} if is_main else {}

    def restored(self) -> Iterator[str]:
        """Put back what has changed since, and name it."""
        for module, kept in self._functions:
            for name in [name for name, value in kept.items() if vars(module).get(name, value) is not value]:
                setattr(module, name, kept[name])
                yield f"{module.__name__}.{name}"
        for name in [name for name, (read, _) in PARTS.items() if read() != self._parts[name]]:
            PARTS[name][1](self._parts[name])
            yield name
        for name in [name for name, kept in self._lists.items() if LISTS[name][: len(kept)] != kept]:
            LISTS[name][:] = self._lists[name]
            yield name
        for number, handler in self._handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
                yield f"the handler of {signal.Signals(number).name}"
