"""Settings as frozen attrs classes, one for each table of `tracker.toml`, declared by the code that reads them.

The class variable `TABLE` is the table's name, "" the top level. Every field is made by `setting`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, get_type_hints

from attrs import field, fields, frozen, has

from tracker.errors import TrackerError
from tracker.hosting import discovery
from tracker.text.render import escape, near


def setting(default: Any, about: str, **limits: Any) -> Any:
    """A field with its default and what it is for; its annotation says what it may be.

    The limits are the optional fields of a `Setting`: least, most, fits, expected, consent, is_path.
    """
    return field(default=default, metadata={"about": about, **limits})


class Kind(NamedTuple):
    """What the values of an annotation are. take: the value as the program uses it, None if it does not fit."""

    name: str
    title: str
    expected: str
    take: Callable[[Any], Any]


def _line(value: Any) -> str | None:
    is_line = isinstance(value, str) and value.strip() and "\n" not in value and escape(value) == value
    return value if is_line else None


def _lines(value: Any) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, list) and all(map(_line, value)) else None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


TEXT = Kind("text", "text", "a text of one line", _line)
TABLE = Kind("table", "table", "a table", lambda value: value)
KINDS = {
    str: TEXT,
    str | None: TEXT,
    tuple[str, ...]: Kind("texts", "list of texts", 'a list of texts such as ["a", "b"]', _lines),
    bool: Kind("switch", "true or false", "true or false", lambda value: value if isinstance(value, bool) else None),
    float: Kind("number", "number", "a number from {0.least:g} to {0.most:g}", _number),
}


class Setting(NamedTuple):
    """One setting; `key` is dotted if it stands in a table.

    least, most: the limits of a number. fits: whether a value is right, and expected: what to say if it is not.
    consent: why a value from a file needs the user's consent, such as `runs commands`. is_path: a value that leads out
    of the file's folder needs it.
    """

    key: str
    kind: Kind
    default: Any
    about: str
    least: float = 0
    most: float = 1e12
    fits: Callable[[Any], bool] | None = None
    expected: str = ""
    consent: str = ""
    is_path: bool = False

    def consent_reason(self, value: Any, base: Path) -> str | None:
        """Why a value in a file of the folder `base` needs the user's consent, None if it needs none."""
        if self.is_path:
            is_inside = (base / value).resolve().is_relative_to(base.resolve())
            return None if is_inside else "leads out of the file's folder"
        return self.consent if self.consent and value else None

    def check(self, value: Any) -> Any:
        """The value as the program uses it; a `ValueError` says what was expected."""
        found = self.kind.take(value)
        is_within = not isinstance(found, float) or self.least <= found <= self.most
        # TOML has no null
        if found is None or not is_within or (self.fits and not self.fits(found)):
            expected = (self.expected or self.kind.expected).format(self)
            raise ValueError(f"Invalid {self.key} {_brief(value)}. Expected {expected}.")
        return found


def _brief(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def is_zone(name: str) -> bool:
    from tracker.text.clock import zone

    try:
        return bool(zone(name))
    except TrackerError:
        return False


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class Kernel:
    """What the kernel itself lets you set."""

    TABLE: ClassVar[str] = ""

    data_dir: str | None = setting(
        None,
        "where records are stored, relative to this file; default: data/week0/live in the working directory",
        is_path=True,
    )
    timezone: str | None = setting(
        None,
        "the time zone of times without a zone, and of times that are shown; default: this machine's",
        fits=is_zone,
        expected="the name of a time zone such as Europe/Berlin or UTC",
    )
    buffer_minutes: float = setting(
        5.0, "minutes after a reset in which no AFTER is accepted, because vendors' panes lag", most=10080
    )
    keep_account: bool = setting(False, "keep the account's e-mail address in stored records")
    fsync: bool = setting(True, "flush every record to disk before reporting it as stored")
    divergence_pp: float = setting(10.0, "percentage points by which a report and a meter may differ", most=100)


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class Data:
    """`[data]`"""

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
        if "about" not in one.metadata:
            raise TypeError(f"The field {one.name!r} is not made by `setting`.")
        key = key_of(kind, one.name)
        found[key] = Setting(key=key, kind=KINDS.get(hints[one.name], TABLE), default=one.default, **one.metadata)
    return found


def leaves(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a file by dotted key: those in known tables one by one, everything else as it stands."""
    tables = {key.partition(".")[0] for key in settings() if "." in key}
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in tables and isinstance(value, dict):
            found |= {f"{name}.{key}": own for key, own in value.items()}
        else:
            # a quoted key with a dot names no table
            found[f'"{name}"' if "." in name else name] = value
    return found


def setting_of(key: str) -> Setting:
    """The setting of that key; a `ValueError` says what exists instead."""
    known = settings()
    if key in known:
        return known[key]
    if keys := [one for one in known if one.startswith(f"{key}.")]:
        raise ValueError(f"{key} is a table. Expected its settings: {', '.join(keys)}.")
    elsewhere = [other for other in known if other.rpartition(".")[2] == key.rpartition(".")[2]]
    names = [*known, *(one.partition(".")[0] for one in known)]
    hint = f"Did you mean {elsewhere[0]}?" if elsewhere else near(key, names)
    raise ValueError(f"Unknown setting {key!r}. {hint}")
