"""Consent to settings that run commands, name variables of keys, or write outside of the file's folder.

Whoever clones a repository did not write its settings. Consent is given once per content, and is kept outside of the
repository: a digest per entry in the user's state directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tracker.errors import TrackerError
from tracker.journal.files import private_folder


def place() -> Path:
    """The file with the digests."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path("~/.local/state").expanduser()
    return base / "tracker" / "trusted"


def is_given(path: Path, key: str, value: Any) -> bool:
    """Whether the user agreed to this value of a setting in this file."""
    with contextlib.suppress(OSError):
        return _digest(path, key, value) in place().read_text(encoding="ascii").split()
    return False


def give(path: Path, entries: Iterable[tuple[str, Any]]) -> None:
    """Record the user's consent to some values."""
    lines = "".join(f"{_digest(path, key, value)}\n" for key, value in entries)
    try:
        private_folder(place().parent)
        file = os.open(place(), os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(file, "a", encoding="ascii") as found:
            found.write(lines)
    except OSError as error:
        raise TrackerError(f"Cannot record your consent in {place()}: {error.strerror}.") from error


def _digest(path: Path, key: str, value: Any) -> str:
    text = json.dumps([str(path.resolve()), key, value], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def refuse_foreign(path: Path) -> None:
    """Refuse a settings file that belongs to another user."""
    if os.name != "posix":
        return
    owners = {path.lstat().st_uid, path.stat().st_uid} - {os.geteuid(), 0}
    for owner in owners:
        raise TrackerError(
            f"{path} belongs to {_user(owner)}. tracker reads only settings of your own."
            " Work in another folder, or make the file yours."
        )


def _user(number: int) -> str:
    import pwd

    try:
        return f"user {pwd.getpwuid(number).pw_name!r}"
    except KeyError:
        return f"user {number}"
