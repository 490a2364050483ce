"""Files of the working repository that people read, too: where they lie, and how one is replaced in one step."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.kernel import OPEN, TrackerError, failed, refuse_special

if TYPE_CHECKING:
    from tracker.kernel import Session


def home(session: Session) -> Path:
    """The folder that holds `docs/`: that of the settings file, else the repository's, else the working directory."""
    if session.config.path is not None:
        return session.config.base
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)


def read(path: Path) -> bytes | None:
    """The file's bytes, None where there is none; a link or a pipe in its place is refused."""
    refuse_special(path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrackerError(f"cannot read {path}: {error.strerror}") from error


def replace(path: Path, content: bytes) -> None:
    """Write the whole file beside its place and move it there: readers see the old one or the new one."""
    refuse_special(path)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else None
        try:
            file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | OPEN, 0o666)
            with os.fdopen(file, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(file)
            if mode is not None:
                os.chmod(beside, mode)
            os.replace(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
    except OSError as error:
        raise failed("write", path, error) from error
