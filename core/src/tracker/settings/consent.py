"""Consent to settings that run commands, name variables of keys, or write outside of the file's folder.

Whoever clones a repository did not write its settings. Consent is given once per content, and is kept outside of the
repository: a TOML file in the user's state directory says which entries of which files are trusted. You may edit it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tracker.errors import TrackerError
from tracker.journal.files import private_folder


def place() -> Path:
    """The file with the consents."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path("~/.local/state").expanduser()
    return base / "tracker" / "trusted.toml"


def is_given(path: Path, key: str, value: Any) -> bool:
    """Whether the user agreed to this value of a setting in this file. A spoilt list of consents gives none."""
    import tomllib

    with contextlib.suppress(OSError, ValueError):
        known = tomllib.loads(place().read_text(encoding="utf-8")).get("consent")
        return isinstance(known, list) and _consent(path, key, value) in known
    return False


def give(path: Path, entries: Iterable[tuple[str, Any]]) -> None:
    """Record the user's consent to some values."""
    import tomli_w

    lines = tomli_w.dumps({"consent": [_consent(path, key, value) for key, value in entries]})
    try:
        private_folder(place().parent)
        file = os.open(place(), os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(file, "a", encoding="utf-8") as found:
            found.write(f"\n{lines}")
    except OSError as error:
        raise TrackerError(f"Cannot record your consent in {place()}: {error.strerror}.") from error


def _consent(path: Path, key: str, value: Any) -> dict[str, str]:
    """An entry of the file; `digest` is the value's, so that a new value is not trusted."""
    import hashlib
    import json

    whole = json.dumps(value, sort_keys=True).encode()
    name = os.fsencode(path.resolve()).decode("utf-8", "backslashreplace")
    return {"file": name, "setting": key, "digest": hashlib.sha256(whole).hexdigest()}


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
