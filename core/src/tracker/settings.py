"""`tracker.toml`: found in the working directory or the nearest folder above it, read and checked.

Each of its tables is a frozen attrs class, declared by the code that reads it. The class variable `TABLE` is the name
of the table, "" the top level; every field is made by `setting`.

Whoever clones a repository did not write its settings. Those that run commands, name variables with keys, or write
outside of the file's folder need consent. It is given once per content, and is kept outside of the repository: a TOML
file in the user's state directory says which entries of which files are trusted. You may edit it.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar, get_type_hints

from attrs import Factory, evolve, field, fields, frozen, has

from tracker.contract.checks import is_line, number_from
from tracker.errors import PluginError, TrackerError
from tracker.hosting import discovery
from tracker.text.clock import zone
from tracker.text.render import near

T = TypeVar("T")


def setting(default: Any, about: str, **limits: Any) -> Any:
    """A field with its default and what it is for; its annotation says what it may be.

    The limits are the optional fields of a `Setting`: least, most, fits, fits_new, expected, consent, is_path.
    """
    return field(default=default, metadata={"about": about, **limits})


class Kind(NamedTuple):
    """What the values of an annotation are: of these types, and what else must be true of one in a file."""

    title: str
    expected: str
    of: Any
    fits: Callable[[Any], object] = lambda _value: True

    def holds(self, value: Any) -> object:
        return isinstance(value, self.of) and self.fits(value)


TEXT = Kind("text", "a text of one line", str, lambda value: is_line(value) and value.strip())
LISTED = 'a list of texts such as ["a", "b"]'
KINDS = {
    str: TEXT,
    str | None: TEXT,
    tuple[str, ...]: Kind("list of texts", LISTED, list | tuple, lambda value: all(map(TEXT.holds, value))),
    bool: Kind("true or false", "true or false", bool),
    float: Kind("number", "a number from {0.least:g} to {0.most:g}", float | int, number_from(-1e300, 1e300)),
    Mapping[str, Any]: Kind("table", "a table", Mapping),
}


class Setting(NamedTuple):
    """One setting; `key` is dotted if it stands in a table.

    least, most: the limits of a number. fits: whether a value is right, and expected: what to say if it is not.
    fits_new: the same for one that is being set, if files may still have others, from an earlier version.
    consent: why a value from a file needs the user's consent, such as `runs commands`. is_path: a value that leads out
    of the file's folder needs it.
    """

    key: str
    kind: Kind
    default: Any
    about: str
    least: float = 0
    most: float = 1e12
    fits: Callable[[Any], object] | None = None
    fits_new: Callable[[Any], object] | None = None
    expected: str = ""
    consent: str = ""
    is_path: bool = False

    def check(self, value: Any) -> Any:
        """The value as the program uses it; a `ValueError` says what was expected."""
        is_right = self.kind.holds(value)
        found = float(value) if is_right and type(value) is int else tuple(value) if isinstance(value, list) else value
        is_right = is_right and (not isinstance(found, float) or self.least <= found <= self.most)
        try:
            is_right = is_right and (self.fits is None or self.fits(found))
        except Exception as error:
            is_meant = isinstance(error, TrackerError | ValueError)
            if not is_meant and (fault := discovery.culprit(error, f"check {self.key} {value!r:.60}")):
                raise fault from error
            raise
        if not is_right:
            expected = self.expected or self.kind.expected.format(self)
            given = str(value).lower() if isinstance(value, bool) else repr(value)
            raise ValueError(f"Invalid {self.key} {given:.60}. Expected {expected}.")
        return found


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class Kernel:
    TABLE: ClassVar[str] = ""

    data_dir: str | None = setting(
        None,
        "where records are stored, relative to this file; default: data/week0/live in the working directory",
        is_path=True,
    )
    timezone: str | None = setting(
        None, "the time zone of times without one, and of times that are shown; default: this machine's", fits=zone
    )
    buffer_minutes: float = setting(
        5.0, "minutes after a reset in which no AFTER is accepted, because vendors' panes lag", most=10080
    )
    keep_account: bool = setting(False, "keep the account's e-mail address in stored records")
    fsync: bool = setting(True, "flush every record to disk before reporting it as stored")
    divergence_pp: float = setting(10.0, "percentage points by which a report and a meter may differ", most=100)


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class Data:
    TABLE: ClassVar[str] = "data"

    track: bool = setting(False, "let git track a new data directory: otherwise it gets a .gitignore of its own")


def key_of(kind: Any, name: str) -> str:
    return f"{kind.TABLE}.{name}" if kind.TABLE else name


def settings() -> dict[str, Setting]:
    """Every setting by its key, in the order in which they are shown: the top level first."""
    return _declared(os.environ.get(discovery.DISABLE))


@cache
def _declared(_disabled: str | None) -> dict[str, Setting]:
    known = _settings(Kernel, "") | _settings(Data, "data")
    for feature in discovery.installed():
        for table, place in feature.info.settings.items() if feature.info else ():
            with discovery.spared(feature, f"declare its settings {place}"):
                own = _settings(discovery.attribute(place), table)
                if taken := own.keys() & known.keys() or {table} & {key.partition(".")[0] for key in known}:
                    raise ValueError(f"Invalid setting {min(taken)!r}. Expected a name that nobody else has.")
                known |= own
    tables = list(dict.fromkeys(key.rpartition(".")[0] for key in known))
    return {key: known[key] for key in sorted(known, key=lambda key: tables.index(key.rpartition(".")[0]))}


def _settings(kind: Any, table: str) -> dict[str, Setting]:
    if not isinstance(kind, type) or not has(kind) or getattr(kind, "TABLE", None) != table:
        raise TypeError(f"{kind!r:.80} is not a settings class. Expected an attrs class with TABLE = {table!r}.")
    hints, found = get_type_hints(kind), {}
    for one in fields(kind):
        if hints[one.name] not in KINDS or not is_line(one.metadata.get("about")):
            raise TypeError(f"Invalid field {one.name!r}. Expected `setting` with one line, and one of {[*KINDS]}.")
        key = key_of(kind, one.name)
        found[key] = Setting(key=key, kind=KINDS[hints[one.name]], default=one.default, **one.metadata)
        if not isinstance(one.default, KINDS[hints[one.name]].of | Factory | None):
            raise TypeError(f"Invalid default {one.default!r:.60} of {key}. Expected {found[key].kind.title}.")
    return found


def setting_of(key: str) -> Setting:
    """The setting of that key; a `ValueError` says what exists instead."""
    if key in (known := settings()):
        return known[key]
    if keys := [one for one in known if one.startswith(f"{key}.")]:
        raise ValueError(f"{key} is a table. Expected its settings: {', '.join(keys)}.")
    elsewhere = [other for other in known if other.rpartition(".")[2] == key.rpartition(".")[2]]
    hint = f"Did you mean {elsewhere[0]}?" if elsewhere else near(key, [*known, *(one.split(".")[0] for one in known)])
    raise ValueError(f"Unknown setting {key!r}. {hint}")


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class Settings:
    """What a file sets: `given` are its values by key as they stand, `values` the same, checked. No file, no path."""

    NAME = "tracker.toml"

    path: Path | None = None
    text: str = ""
    given: Mapping[str, Any] = {}
    values: Mapping[str, Any] = {}

    known = staticmethod(settings)
    of = staticmethod(setting_of)

    @classmethod
    def find(cls, start: Path | None = None) -> Path | None:
        """The nearest settings file in a folder or above it, by default the working directory."""
        folders = (start := start or Path.cwd()), *start.parents
        return next((path for folder in folders if os.path.lexists(path := folder / cls.NAME)), None)

    @staticmethod
    def read(path: Path) -> str:
        """The text of a file, which must not belong to another user."""
        try:
            for user in {path.lstat().st_uid, path.stat().st_uid} - {os.geteuid(), 0}:
                raise TrackerError(
                    f"{path} belongs to user {user}. tracker reads only settings files that you own."
                    " Work in another folder, or make the file yours."
                )
            return path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise TrackerError(f"Cannot read {path}: {error.strerror}. Expected a file, or a link to one.") from error
        except UnicodeDecodeError as error:
            raise TrackerError(f"{path} is not TOML: {error}") from error

    @classmethod
    def check(cls, text: str, path: Path, report: Callable[[str], object] | None = None) -> "Settings":
        """The settings in a file's text. report: called with what is wrong, which is left out; else it is an error."""
        found, values = cls(path=path, text=text, given=_leaves(cls.parse(text, path))), {}
        for key, value in found.given.items():
            try:
                values[key] = setting_of(key).check(value)
            except (ValueError, TrackerError) as error:
                if key not in settings() and discovery.may_have(key, is_table=isinstance(value, dict)):
                    continue
                gone = "If its plugin is gone, delete the table. " if isinstance(value, dict) else ""
                problem = f"{found.place(key)}: {error} {gone}`tracker config list` shows the settings."
                if not (report or (isinstance(error, PluginError) and not discovery.is_strict())):
                    raise TrackerError(problem) from error
                (report or discovery.warn)(problem)
        return evolve(found, values=values)

    @staticmethod
    def parse(text: str, path: Path) -> dict[str, Any]:
        import tomllib

        try:
            return tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # a ValueError is also a number that Python refuses to read
            why = error if isinstance(error, ValueError) else "it is nested too deeply"
            raise TrackerError(f"{path} is not TOML: {why}") from error

    @property
    def base(self) -> Path:
        """What relative settings are relative to: the file's folder, else the working directory."""
        return self.path.parent if self.path else Path.cwd()

    def section(self, kind: type[T]) -> T:
        """The settings of one class, with the defaults of those that the file does not set."""
        names = {key_of(kind, one.name): one.name for one in fields(kind)}  # type: ignore[arg-type]
        own = {key: names[key] for key in self.values if key in names}
        for key, reason in self.unconsented(own).items():
            raise TrackerError(
                f"{self.place(key)}: {key} needs your consent, because it {reason}."
                " Read the file, then run `tracker config trust`."
            )
        return kind(**{name: self.values[key] for key, name in own.items()})

    def place(self, key: str, line: str = " (line {})") -> str:
        """The file, and the line in it that sets a key or begins its table, if that can be told."""
        table, _, name = key.rpartition(".")
        current = ""
        for number, text in enumerate(self.text.splitlines(), 1):
            header = re.match(r"\s*\[\s*([\w.-]+)\s*\]", text)
            current = header[1] if header else current
            is_set = current == table and re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*[=.]", text)
            if is_set or (header and current == key):
                return f"{self.path}{line.format(number)}"
        return str(self.path)

    def unconsented(self, keys: Iterable[str] | None = None) -> dict[str, str]:
        """Which of the keys that the file sets need consent that was not given, with the reason."""
        found = {}
        for key in self.values if keys is None else keys:
            setting, value = setting_of(key), self.values[key]
            reason = setting.consent if value else ""
            if setting.is_path and not (self.base / value).resolve().is_relative_to(self.base.resolve()):
                reason = "leads out of the file's folder"
            if reason and self.consent(key) not in _consents():
                found[key] = reason
        return found

    def consent(self, key: str) -> dict[str, str]:
        """An entry of the file `trusted`; `digest` is the value's, so that a new value is not trusted."""
        import hashlib
        import json

        assert self.path is not None
        whole = json.dumps(self.values[key], sort_keys=True).encode()
        name = os.fsencode(self.path.resolve()).decode("utf-8", "backslashreplace")
        return {"file": name, "setting": key, "digest": hashlib.sha256(whole).hexdigest()}

    @staticmethod
    def trusted() -> Path:
        """The file that lists what the user agreed to, under `consent`."""
        state = os.environ.get("XDG_STATE_HOME", "")
        base = Path(state) if os.path.isabs(state) else Path("~/.local/state").expanduser()
        return base / "tracker" / "trusted.toml"


def _leaves(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a file by dotted key: those in known tables one by one, everything else as it stands."""
    tables = {key.partition(".")[0] for key in settings() if "." in key}
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in tables and isinstance(value, dict):
            found |= {f"{name}.{key}": own for key, own in value.items()}
        else:
            found[f'"{name}"' if "." in name else name] = value  # a quoted key with a dot names no table
    return found


def _consents() -> list[Any]:
    """What the user agreed to. A spoilt file gives no consent."""
    import tomllib

    with contextlib.suppress(OSError, ValueError):
        known = tomllib.loads(Settings.trusted().read_text(encoding="utf-8")).get("consent")
        return known if isinstance(known, list) else []
    return []
