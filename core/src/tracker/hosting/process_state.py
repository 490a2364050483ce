"""What a plugin's import changes for the whole process: named, and put back, since that is one call each."""

from __future__ import annotations

import builtins
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def _parts() -> Iterator[tuple[str, Any, Callable[..., object], tuple[Any, ...]]]:
    """The name of each part, its value, and the call that puts it back: the function and its first arguments."""
    # if a plugin replaced one of their functions, the journal would use the replacement
    for module in (os, builtins, time, signal):
        for name, value in vars(module).items():
            yield f"{module.__name__}.{name}", value, setattr, (module, name)
    for name in ("path", "meta_path", "path_hooks", "argv"):
        yield f"sys.{name}", list(getattr(sys, name)), list.__setitem__, (getattr(sys, name), slice(None))
    os.umask(mask := os.umask(0o077))
    yield "the umask", mask, os.umask, ()
    yield "the working directory", os.getcwd(), os.chdir, ()
    yield "environment variables", dict(os.environ), _set_environment, ()
    yield "the recursion limit", sys.getrecursionlimit(), sys.setrecursionlimit, ()
    yield "the signal mask", signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.pthread_sigmask, (signal.SIG_SETMASK,)
    if threading.current_thread() is threading.main_thread():
        for number in signal.Signals:
            if (handler := signal.getsignal(number)) is not None:
                yield f"the handler of {number.name}", handler, signal.signal, (number,)


def _set_environment(kept: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(kept)


@contextmanager
def watched(is_trusted: bool = False) -> Iterator[list[str]]:
    """Put back what has changed at the end; the list names it then."""
    before, changed = [] if is_trusted else list(_parts()), list[str]()
    try:
        yield changed
    finally:
        after = {name: value for name, value, *_ in _parts()} if before else {}
        for name, value, write, place in before:
            now = after.get(name, value)
            # entries added at the end are harmless: packages such as `six` add an importer for what nobody else finds
            now = now[: len(value)] if isinstance(value, list) else now
            if now is not value and now != value:
                write(*place, value)
                changed.append(name)
