"""Settings as frozen attrs classes, one for each table of `tracker.toml`, declared by the code that reads them.

The class variable `TABLE` is the table's name, "" the top level. Every field is made by `setting`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from attrs import evolve, field, fields, frozen

from tracker.errors import TrackerError
from tracker.hosting import features
from tracker.text.render import escape
from tracker.text.wording import near

LARGEST = 1e12


def setting(
    default: Any,
    about: str,
    *,
    kind: str,
    least: float = 0,
    most: float = LARGEST,
    check: Callable[[Any], bool] | None = None,
    expected: str = "",
    consent: str = "",
    is_path: bool = False,
) -> Any:
    """A field with its default, what it is for, and what it may be.

    consent: why a value from a file needs the user's consent, such as `runs commands`. is_path: a value that leads out
    of the file's folder needs it.

    kind: `text`, `texts`, `switch`, `number` (within `least` and `most`), `zone`, or `table`, for which `check` says
    whether a value fits and `expected` what was expected.
    """
    known = Setting(
        key="",
        kind=kind,
        default=default,
        about=about,
        least=least,
        most=most,
        fits=check,
        expected=expected,
        consent=consent,
        is_path=is_path,
    )
    return field(default=default, metadata={"setting": known})


@frozen(kw_only=True)
class Setting:
    """One setting; `key` is dotted if it stands in a table."""

    key: str
    kind: str
    default: Any
    about: str
    least: float = 0
    most: float = LARGEST
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

    @property
    def title(self) -> str:
        """What people call its kind."""
        return TITLES[self.kind]

    def check(self, value: Any) -> Any:
        """The value as the program uses it; a `ValueError` says what was expected."""
        found = _taken(self, value)
        if found is None:
            expected = self.expected or EXPECTED[self.kind].format(self)
            raise ValueError(f"{self.key} must be {expected}, not {_brief(value)}")
        return found


TITLES = {
    "text": "text",
    "texts": "list of texts",
    "switch": "true or false",
    "number": "number",
    "zone": "time zone",
    "table": "table",
}
EXPECTED = {
    "text": "a text of one line",
    "texts": 'a list of texts such as ["a", "b"]',
    "switch": "true or false",
    "number": "a number from {0.least:g} to {0.most:g}",
    "zone": "the name of a time zone such as Europe/Berlin or UTC",
    "table": "a table",
}


def _taken(setting: Setting, value: Any) -> Any:
    """The value as the program uses it, None for one that does not fit: TOML has no null."""
    if setting.kind == "text":
        return value if _is_line(value) else None
    if setting.kind == "texts":
        return tuple(value) if isinstance(value, list) and all(map(_is_line, value)) else None
    if setting.kind == "switch":
        return value if isinstance(value, bool) else None
    if setting.kind == "number":
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return float(value) if is_number and setting.least <= value <= setting.most else None
    if setting.kind == "zone":
        return value if _is_line(value) and _is_zone(value) else None
    return value if setting.fits is None or setting.fits(value) else None


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\n" not in value and escape(value) == value


def _is_zone(name: str) -> bool:
    from tracker.settings.zones import zone

    try:
        return bool(zone(name))
    except TrackerError:
        return False


def _brief(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


@frozen(kw_only=True)
class Kernel:
    """What the kernel itself lets you set."""

    TABLE: ClassVar[str] = ""

    data_dir: str | None = setting(
        None,
        "where records are stored, relative to this file; default: data/week0/live in the working directory",
        kind="text",
        is_path=True,
    )
    timezone: str | None = setting(
        None,
        "the time zone of times without a zone, and of times that are shown; default: this machine's",
        kind="zone",
    )
    buffer_minutes: float = setting(
        5.0,
        "minutes after a reset in which no AFTER is accepted, because vendors' panes lag",
        kind="number",
        most=10080,
    )
    keep_account: bool = setting(False, "keep the account's e-mail address in stored records", kind="switch")
    fsync: bool = setting(True, "flush every record to disk before reporting it as stored", kind="switch")
    divergence_pp: float = setting(
        10.0, "percentage points by which a report and a meter may differ", kind="number", most=100
    )


@frozen(kw_only=True)
class Data:
    """`[data]`"""

    TABLE: ClassVar[str] = "data"

    track: bool = setting(
        False, "let git track a new data directory: otherwise it gets a .gitignore of its own", kind="switch"
    )


def sections() -> dict[str, list[type]]:
    """The classes of each table, the top level first, the kernel's before those of the installed features."""
    found: dict[str, list[type]] = {"": [Kernel], "data": [Data]}
    for feature in features.declared():
        for table, place in feature.settings.items():
            module, _, name = place.partition(":")
            found.setdefault(table, []).append(getattr(import_module(module), name))
    return found


def settings() -> dict[str, Setting]:
    """Every setting by its key, in the order in which they are shown."""
    found = {}
    for table, classes in sections().items():
        for one in (one for kind in classes for one in fields(kind)):
            key = f"{table}.{one.name}" if table else one.name
            found[key] = evolve(one.metadata["setting"], key=key)
    return found


def leaves(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a file by dotted key: those in known tables one by one, everything else as it stands."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in sections() and isinstance(value, dict):
            found |= {f"{name}.{key}": own for key, own in value.items()}
        else:
            # a quoted key with a dot is no place in a table
            found[f'"{name}"' if "." in name else name] = value
    return found


def setting_of(key: str) -> Setting:
    """The setting of that key; a `ValueError` says what exists instead."""
    known = settings()
    if key in known:
        return known[key]
    if key in sections():
        keys = ", ".join(one for one in known if one.startswith(f"{key}."))
        raise ValueError(f"{key} is a table with {keys}, not a value")
    elsewhere = [other for other in known if other.rpartition(".")[2] == key.rpartition(".")[2]]
    hint = f"did you mean {elsewhere[0]}?" if elsewhere else near(key, [*known, *filter(None, sections())])
    raise ValueError(f"unknown setting {key!r}; {hint}")
