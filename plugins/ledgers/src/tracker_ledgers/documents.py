"""Files of the working repository that people read too: their places, and how one is replaced in one step."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.kernel import TrackerError, replace_file

if TYPE_CHECKING:
    from tracker.kernel import Session

ATTEMPTS = 5  # to replace a file that a person saves at the same time


def home(session: Session) -> Path:
    """The folder that holds `docs/`: that of the settings file, else the repository's, else the working directory."""
    if session.settings_file.path is not None:
        return session.settings_file.base
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)


def place(session: Session, path: Path) -> str:
    """A file's path relative to the data directory, which stays right if project and records are moved together."""
    return os.path.relpath(os.path.realpath(path), os.path.realpath(session.root))


def refuse_outside(session: Session, path: Path, key: str | None = None) -> None:
    """Refuse a default place that a link leads out of the repository: whoever cloned it did not make that link.

    key: the setting that names the place; if it is set, the user has consented.
    """
    base, real = home(session), os.path.realpath(path.parent)
    if key in session.settings_file.values or Path(real).is_relative_to(os.path.realpath(base)):
        return
    cure = f", or set {key} to that place in tracker.toml, which asks for your consent" if key else ""
    raise TrackerError(
        f"{path} leads out of {base} through a link, to {real}. Expected a place in {base}."
        f" Remove the link{cure}. Nothing was written."
    )


def refuse_special(path: Path) -> None:
    """Refuse a link, pipe or directory in the place of a file."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a directory"}
        kind = kinds.get(stat.S_IFMT(mode), "not a regular file")
        raise TrackerError(f"{path} is {kind}. Expected a regular file. Move it away.")


def read(path: Path) -> bytes | None:
    """The file's bytes, None without one; a link or a pipe in its place is refused."""
    refuse_special(path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrackerError(f"cannot read {path}: {error.strerror}") from error


def line_end(data: bytes) -> str:
    """The line end of a file, taken from its first line."""
    return "\r\n" if data.partition(b"\n")[0].endswith(b"\r") else "\n"


def rewrite(path: Path, change: Callable[[bytes | None], bytes]) -> bool:
    """Replace a file by what `change` makes of its bytes; whether anything in it changed.

    A person may save the file meanwhile: its content is compared just before it is replaced, and changed again if it
    differs.
    """
    for _ in range(ATTEMPTS):
        before = read(path)
        after = change(before)
        if after == before:
            return False
        try:
            replace_file(path, after, was=before or b"")
        except TrackerError:
            if read(path) in (before, after):
                raise
        else:
            return True
    raise TrackerError(f"{path} keeps changing while it is written. It was left as it is.")
