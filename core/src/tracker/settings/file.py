"""`tracker.toml`: found in the working directory or the nearest folder above it, read and checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import fields, frozen

from tracker.errors import TrackerError

if TYPE_CHECKING:
    from tracker.settings.sections import Setting

FILE = "tracker.toml"
T = TypeVar("T")


@frozen(kw_only=True)
class Settings:
    """The values that a file sets, by key, each checked; `path` is None if there is no file."""

    path: Path | None = None
    values: Mapping[str, Any] = {}

    @property
    def base(self) -> Path:
        """What relative settings are relative to: the file's folder, else the working directory."""
        return self.path.parent if self.path else Path.cwd()

    def section(self, kind: type[T]) -> T:
        """The settings of one class, with the defaults of those that the file does not set."""
        table: str = kind.TABLE  # type: ignore[attr-defined]
        found = {}
        for one in fields(kind):  # type: ignore[arg-type]
            key = f"{table}.{one.name}" if table else one.name
            if key in self.values:
                found[one.name] = self.values[key]
                self._check_consent(key, self._reason(one.metadata["setting"], key))
        return kind(**found)

    def unconsented(self) -> dict[str, str]:
        """The keys that the file sets and that need consent which was not given, with the reason."""
        from tracker.settings.sections import settings

        known = settings()
        reasons = {key: self._reason(known[key], key) for key in self.values}
        return {key: reason for key, reason in reasons.items() if reason}

    def consent(self, keys: Iterable[str]) -> None:
        """Record that the user agrees to some values."""
        from tracker.settings.consent import give

        assert self.path is not None
        give(self.path, [(key, self.values[key]) for key in keys])

    def _reason(self, setting: Setting, key: str) -> str | None:
        """Why a value that the file sets needs consent that was not given."""
        reason = setting.consent_reason(self.values[key], self.base) if self.path else None
        if reason is None or self.path is None:
            return None
        from tracker.settings.consent import is_given

        return None if is_given(self.path, key, self.values[key]) else reason

    def _check_consent(self, key: str, reason: str | None) -> None:
        if reason is not None and self.path is not None:
            number = line_of(read(self.path), key)
            where = f"{self.path}{f' (line {number})' if number else ''}"
            raise TrackerError(
                f"{where}: {key} needs your consent, because it {reason}."
                " Read the file, then run `tracker config trust`."
            )


def find(start: Path) -> Path | None:
    """The nearest settings file in a folder or above it."""
    return next((path for folder in (start, *start.parents) if (path := folder / FILE).is_file()), None)


def read(path: Path) -> str:
    """The text of a file."""
    from tracker.settings.consent import refuse_foreign

    try:
        refuse_foreign(path)
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TrackerError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TrackerError(f"{path} is not TOML: {error}") from error


def load(path: Path | None) -> Settings:
    """The settings of a file; one line says what is wrong with it, and where."""
    return Settings() if path is None else checked(read(path), path)


def parsed(text: str, path: Path) -> dict[str, Any]:
    """The values of a file's text, unchecked."""
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise TrackerError(f"{path} is not TOML: it is nested too deeply") from error
    # not TOML, or a number that Python refuses to read
    except ValueError as error:
        raise TrackerError(f"{path} is not TOML: {error}") from error


def checked(text: str, path: Path) -> Settings:
    """The settings in a file's text, with names, types and limits checked."""
    from tracker.settings.sections import leaves, setting_of

    found = {}
    for key, value in leaves(parsed(text, path)).items():
        try:
            found[key] = setting_of(key).check(value)
        except ValueError as error:
            if is_elsewhere(key):
                continue
            number = line_of(text, key)
            where = f"{path}{f' (line {number})' if number else ''}"
            raise TrackerError(f"{where}: {error}; `tracker config list` shows the settings") from error
    return Settings(path=path, values=found)


def is_elsewhere(key: str) -> bool:
    """Whether the setting belongs to a feature that is not installed, or left out."""
    from tracker.hosting.features import elsewhere

    return any(key in names or key.partition(".")[0] in names for names in elsewhere("settings").values())


def line_of(text: str, key: str) -> int | None:
    """The number of the line that sets a key, or begins its table; None if it cannot be told."""
    table, _, name = key.rpartition(".")
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*([\w.-]+)\s*\]", line)
        if header:
            current = header[1]
            if current == key:
                return number
        elif current == table and re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*[=.]", line):
            return number
    return None
