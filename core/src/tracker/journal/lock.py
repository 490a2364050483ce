"""The one lock of a data directory: a command waits for it a few seconds, and says who holds it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracker.errors import Busy
from tracker.journal.files import OPEN, refuse_special, system_error, write_all

if TYPE_CHECKING:
    from filelock import BaseFileLock

WAIT_SECONDS, NOTICE_SECONDS = 5.0, 1.0
# commands hold the lock for a few milliseconds
POLL_SECONDS = 0.01
FILE = ".lock"
# characters of what another process wrote about itself
OWNER_LIMIT = 200

Warn = Callable[[str], None]


class Lock:
    """`flock` on a file of the directory: the system frees it when its process ends, however that ends."""

    def __init__(self, root: Path, warn: Warn) -> None:
        self.root, self.warn = root, warn
        self._path, self._owner = root / FILE, root / ".lock-owner"
        self._depth = 0

    @property
    def is_held(self) -> bool:
        return self._depth > 0

    @contextlib.contextmanager
    def hold(self, purpose: str) -> Iterator[None]:
        """Hold the lock, also if this process holds it already; `purpose` is told to others who wait for it."""
        if self._depth:
            with self._counted():
                yield
            return
        lock = self._made()
        try:
            self._acquire(lock)
            self._introduce(purpose)
            with self._counted():
                yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def hold_if_free(self, purpose: str) -> Iterator[bool]:
        """Hold the lock if nobody else does; whether it is held."""
        from filelock import Timeout

        lock = self._made()
        try:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                yield False
                return
            except OSError as error:
                raise system_error("lock", self._path, error) from error
            self._introduce(purpose)
            with self._counted():
                yield True
        finally:
            lock.release()

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def _made(self) -> BaseFileLock:
        from filelock import FileLock

        for path in (self._path, self._owner):
            refuse_special(path)
        return FileLock(self._path, mode=0o600)

    def _acquire(self, lock: BaseFileLock) -> None:
        from filelock import Timeout

        try:
            try:
                lock.acquire(timeout=NOTICE_SECONDS, poll_interval=POLL_SECONDS)
            except Timeout:
                self.warn(f"waiting for the lock of {self.root}, held by {self._holder()}")
                lock.acquire(timeout=WAIT_SECONDS - NOTICE_SECONDS, poll_interval=POLL_SECONDS)
        except Timeout:
            held = f"the lock of {self.root} is busy (held by {self._holder()})"
            raise Busy(f"{held}; nothing was written, try again") from None
        except OSError as error:
            raise system_error("lock", self._path, error) from error

    def _introduce(self, purpose: str) -> None:
        # only a courtesy to commands that wait
        with contextlib.suppress(OSError):
            file = os.open(self._owner, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | OPEN, 0o600)
            try:
                write_all(file, f"process {os.getpid()}, {purpose}\n".encode("utf-8", "replace"))
            finally:
                os.close(file)

    def _holder(self) -> str:
        try:
            file = os.open(self._owner, os.O_RDONLY | OPEN)
            with os.fdopen(file, encoding="utf-8", errors="replace") as stream:
                return stream.readline(OWNER_LIMIT).strip() or "another process"
        except OSError:
            return "another process"


def command_line() -> str:
    """This command's name, without its arguments, as others see who holds the lock."""
    context = click.get_current_context(silent=True)
    return context.command_path if context else "tracker"
