"""What a plugin's code finds around it in the process, and what is put back behind it."""

from __future__ import annotations

import contextlib
import io
import locale
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NoReturn, TypeVar

STDIN, STDOUT, STDERR = 0, 1, 2
ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGPIPE") if hasattr(signal, name)]
STREAMS = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")
T = TypeVar("T")

exit_now = os._exit  # the real one


class Exit(SystemExit):
    """Raised by `os._exit` in a plugin, which would end the program without a word."""


class Unclosable:
    """A stream that a plugin may write to, and that is still open afterwards."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def close(self) -> None:
        self._stream.flush()


@contextlib.contextmanager
def put_back() -> Iterator[None]:
    """Give a plugin streams that do no harm, and undo afterwards what it changed in the process."""
    process, undo = os.getpid(), list(_kept())
    with _streams():
        os._exit = _refuse_to_exit
        try:
            yield
        finally:
            if os.getpid() != process:
                exit_now(1)  # a child that it forked would go on as a second program, and store everything again
            os._exit = exit_now
            for put in undo:
                put()


def _refuse_to_exit(status: int) -> NoReturn:
    raise Exit(status)


def _kept() -> Iterator[Callable[[], None]]:
    """What is part of a process and not of a module; other modules' values that a plugin replaces stay replaced."""
    yield _keep(_folder, _to_folder)
    yield _keep(lambda: locale.setlocale(locale.LC_ALL), lambda place: locale.setlocale(locale.LC_ALL, place))
    yield _keep(_mask, os.umask)
    yield _keep(_variables, _set_variables)
    yield _keep(lambda: list(warnings.filters), _set_filters)
    yield _keep(sys.getrecursionlimit, sys.setrecursionlimit)
    if threading.current_thread() is threading.main_thread():
        yield from (_keep(partial(signal.getsignal, one), partial(signal.signal, one)) for one in ENDING)


def _keep(read: Callable[[], T], write: Callable[[T], object]) -> Callable[[], None]:
    kept = read()

    def put() -> None:
        if read() != kept:
            write(kept)

    return put


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None  # it was removed


def _to_folder(folder: str | None) -> None:
    if folder is not None:
        os.chdir(folder)


def _mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _variables() -> dict[Any, Any]:
    """The environment as Python keeps it: a copy through its public face costs 15 µs, and every call makes one."""
    return dict(vars(os.environ)["_data"])


def _set_variables(kept: dict[Any, Any]) -> None:
    os.environ.clear()
    os.environ.update({os.fsdecode(name): os.fsdecode(value) for name, value in kept.items()})
    if hasattr(time, "tzset"):
        time.tzset()


def _set_filters(kept: list[Any]) -> None:
    warnings.resetwarnings()  # tells Python that they changed
    warnings.filters[:] = kept  # type: ignore[index]


@contextlib.contextmanager
def _streams() -> Iterator[None]:
    """What is printed goes to stderr, since stdout is for data, and what is read is empty.

    The descriptors, too, since a C library and another program know nothing else.
    """
    kept = {name: getattr(sys, name) for name in STREAMS}
    nothing = io.StringIO()
    aside = Unclosable(sys.stderr or nothing)
    for name in STREAMS:
        setattr(sys, name, nothing if "stdin" in name else aside)
    files: dict[int, int] = {}
    try:
        for number in (STDIN, STDOUT, STDERR):
            with contextlib.suppress(OSError):  # it was closed before
                files[number] = os.dup(number)
        if STDOUT in files and STDERR in files:
            os.dup2(STDERR, STDOUT)
        if STDIN in files:
            empty, end = os.pipe()
            os.close(end)
            os.dup2(empty, STDIN)
            os.close(empty)
        yield
    finally:
        for name, stream in kept.items():
            setattr(sys, name, stream)
        for number, file in files.items():
            os.dup2(file, number)
            os.close(file)
