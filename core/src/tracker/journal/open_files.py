"""The streams' files while they are open: each is opened once in a block that needs it several times."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tracker.journal.files import NOTHING, OPEN, check_directory, special_file, system_error

# why a file may be read but not written
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


class OpenFiles:
    """Descriptors of regular files in one directory, which stay open until the outermost `kept` block ends."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # the descriptor, and whether it may be written
        self._files: dict[Path, tuple[int, bool]] = {}
        self._depth = 0

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Keep files open in this block."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            for path in () if self._depth else list(self._files):
                self.close(path)

    def close(self, path: Path) -> None:
        file, _ = self._files.pop(path, (None, False))
        if file is not None:
            os.close(file)

    def open(self, path: Path) -> int:
        """The file to append to, made if there is none."""
        file, may_write = self._files.get(path, (None, False))
        if file is None or not may_write:
            self.close(path)
            file = self._descriptor(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            assert file is not None
            self._files[path] = file, True
        return file

    def find(self, path: Path) -> int | None:
        """The file if there is one, opened so that it can be appended to if possible."""
        if path not in self._files:
            file, may_write = self._descriptor(path, os.O_RDWR | os.O_APPEND), True
            if file is None:
                file, may_write = self._descriptor(path, os.O_RDONLY), False
            if file is None:
                return None
            self._files[path] = file, may_write
        return self._files[path][0]

    def _descriptor(self, path: Path, flags: int) -> int | None:
        """The open file; None if there is none, or it may only be read."""
        check_directory(self.root)
        try:
            file = os.open(path, flags | OPEN, 0o600)
        except OSError as error:
            is_missing = isinstance(error, FileNotFoundError) or (flags & os.O_RDWR and error.errno in READ_ONLY)
            if is_missing and not flags & os.O_CREAT:
                return None
            action, after = ("open", NOTHING) if flags & os.O_CREAT else ("read", "Nothing was read")
            raise system_error(action, path, error, after) from error
        try:
            mode = os.fstat(file).st_mode
            if not stat.S_ISREG(mode):
                raise special_file(path, mode)
        except BaseException as error:
            os.close(file)
            if isinstance(error, OSError):
                raise system_error("open", path, error) from error
            raise
        return file

    @contextlib.contextmanager
    def reading(self, path: Path) -> Iterator[int | None]:
        """The file to read, None if there is none."""
        if self._depth:
            # a descriptor of its own, because a reader may go on after the block
            file = self.find(path)
            file = None if file is None else os.dup(file)
        else:
            file = self._descriptor(path, os.O_RDONLY)
        try:
            yield file
        except OSError as error:
            raise system_error("read", path, error, "Nothing was read") from error
        finally:
            if file is not None:
                os.close(file)
