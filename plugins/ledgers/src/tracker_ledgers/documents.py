"""Files of the working repository that people read, too: where they lie, and how one is replaced in one step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tracker.kernel import TrackerError, refuse_special

if TYPE_CHECKING:
    from tracker.kernel import Session


def home(session: Session) -> Path:
    """The folder that holds `docs/`: that of the settings file, else the repository's, else the working directory."""
    if session.settings_file.path is not None:
        return session.settings_file.base
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
