"""`tracker.toml`: found in the working directory or the nearest folder above it, read and checked.

Whoever clones a repository did not write its settings. Those that run commands, name variables of keys, or write
outside of the file's folder need consent. It is given once per content, and is kept outside of the repository: a TOML
file in the user's state directory says which entries of which files are trusted. You may edit it.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from attrs import evolve, fields, frozen

from tracker.errors import TrackerError
from tracker.hosting.discovery import owner
from tracker.journal.files import private_folder
from tracker.settings import sections
from tracker.settings.sections import Setting

T = TypeVar("T")


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class Settings:
    """What a file sets: `given` are its values by key as they stand, `values` the same, checked. No file, no path."""

    NAME = "tracker.toml"

    path: Path | None = None
    text: str = ""
    given: Mapping[str, Any] = {}
    values: Mapping[str, Any] = {}
    # every setting that can be in a file, by key
    declared: Mapping[str, Setting] = {}

    known = staticmethod(sections.settings)
    of = staticmethod(sections.setting_of)

    @classmethod
    def find(cls, start: Path) -> Path | None:
        """The nearest settings file in a folder or above it."""
        return next((path for folder in (start, *start.parents) if (path := folder / cls.NAME).is_file()), None)

    @staticmethod
    def read(path: Path) -> str:
        try:
            _refuse_foreign(path)
            return path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise TrackerError(f"Cannot read {path}: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise TrackerError(f"{path} is not TOML: {error}") from error

    @classmethod
    def load(cls, path: Path | None) -> Settings:
        return cls() if path is None else cls.check(cls.read(path), path)

    @classmethod
    def check(cls, text: str, path: Path) -> Settings:
        """The settings in a file's text, with names, types and limits checked."""
        found = cls(path=path, text=text, given=sections.leaves(cls.parse(text, path)))
        known, values = cls.known(), {}
        for key, value in found.given.items():
            try:
                values[key] = (known.get(key) or cls.of(key)).check(value)
            except ValueError as error:
                # a feature that is not in use may have the setting, or its whole table
                if not (owner("settings", key) or owner("settings", key.partition(".")[0])):
                    place = found.place(key)
                    raise TrackerError(f"{place}: {error} `tracker config list` shows the settings.") from error
        return evolve(found, values=values, declared=known)

    @staticmethod
    def parse(text: str, path: Path) -> dict[str, Any]:
        """The values of a file's text, unchecked."""
        import tomllib

        try:
            return tomllib.loads(text)
        except RecursionError as error:
            raise TrackerError(f"{path} is not TOML: it is nested too deeply") from error
        # not TOML, or a number that Python refuses to read
        except ValueError as error:
            raise TrackerError(f"{path} is not TOML: {error}") from error

    @property
    def base(self) -> Path:
        """What relative settings are relative to: the file's folder, else the working directory."""
        return self.path.parent if self.path else Path.cwd()

    def section(self, kind: type[T]) -> T:
        """The settings of one class, with the defaults of those that the file does not set."""
        own = {sections.key_of(kind, one.name): one.name for one in fields(kind)}  # type: ignore[arg-type]
        for key, reason in self._reasons(own):
            raise TrackerError(
                f"{self.place(key)}: {key} needs your consent, because it {reason}."
                " Read the file, then run `tracker config trust`."
            )
        return kind(**{name: self.values[key] for key, name in own.items() if key in self.values})

    def place(self, key: str, line: str = " (line {})") -> str:
        """The file, and the line in it that sets a key or begins its table, if that can be told."""
        number = self._line_of(key)
        return f"{self.path}{line.format(number) if number else ''}"

    def unconsented(self) -> dict[str, str]:
        """The keys that the file sets and that need consent which was not given, with the reason."""
        return dict(self._reasons(self.values))

    def consent(self, keys: Iterable[str]) -> None:
        """Record that the user agrees to some values."""
        import tomli_w

        lines, path = tomli_w.dumps({"consent": [self._consent(key) for key in keys]}), trusted()
        try:
            private_folder(path.parent)
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
            with os.fdopen(file, "a", encoding="utf-8") as found:
                found.write(f"\n{lines}")
        except OSError as error:
            raise TrackerError(f"Cannot record your consent in {path}: {error.strerror}.") from error

    def _reasons(self, keys: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Which of the keys need consent that was not given, and why."""
        for key in keys:
            if self.path and key in self.values and key in self.declared:
                reason = self.declared[key].consent_reason(self.values[key], self.base)
                if reason and self._consent(key) not in _consents():
                    yield key, reason

    def _consent(self, key: str) -> dict[str, str]:
        """An entry of the consents; `digest` is the value's, so that a new value is not trusted."""
        import hashlib
        import json

        assert self.path is not None
        whole = json.dumps(self.values[key], sort_keys=True).encode()
        name = os.fsencode(self.path.resolve()).decode("utf-8", "backslashreplace")
        return {"file": name, "setting": key, "digest": hashlib.sha256(whole).hexdigest()}

    def _line_of(self, key: str) -> int | None:
        table, _, name = key.rpartition(".")
        current = ""
        for number, line in enumerate(self.text.splitlines(), 1):
            header = re.match(r"\s*\[\s*([\w.-]+)\s*\]", line)
            if header:
                current = header[1]
                if current == key:
                    return number
            elif current == table and re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*[=.]", line):
                return number
        return None


def trusted() -> Path:
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path("~/.local/state").expanduser()
    return base / "tracker" / "trusted.toml"


def _consents() -> list[Any]:
    """What the user agreed to. A spoilt file gives no consent."""
    import tomllib

    with contextlib.suppress(OSError, ValueError):
        known = tomllib.loads(trusted().read_text(encoding="utf-8")).get("consent")
        return known if isinstance(known, list) else []
    return []


def _refuse_foreign(path: Path) -> None:
    """Refuse a settings file that belongs to another user."""
    if os.name != "posix":
        return
    import pwd

    for number in {path.lstat().st_uid, path.stat().st_uid} - {os.geteuid(), 0}:
        owner = f"user {number}"
        with contextlib.suppress(KeyError):
            owner = f"user {pwd.getpwuid(number).pw_name!r}"
        raise TrackerError(
            f"{path} belongs to {owner}. tracker reads only settings of your own."
            " Work in another folder, or make the file yours."
        )
