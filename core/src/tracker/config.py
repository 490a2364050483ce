"""Settings: `tracker.toml`, found in the working directory or the nearest folder above it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import tzinfo
from functools import cache
from pathlib import Path
from typing import Any

from attrs import evolve, field, fields, frozen

from tracker.errors import TrackerError

FILE = "tracker.toml"
DATA_DIR = Path("data/week0/live")
PRICES = "prices"


def _setting(default: Any, kind: str, about: str, **limits: float) -> Any:
    return field(default=default, metadata={"about": about, "kind": kind, **limits})


@frozen(kw_only=True)
class Ledgers:
    """`[ledgers]`"""

    dir: str = _setting("docs/Ledgers", "text", "where the CSV ledgers live, relative to this file")


@frozen(kw_only=True)
class Churn:
    """`[churn]`"""

    exclude: tuple[str, ...] = _setting((), "texts", "paths that are no work, as git pathspec patterns")


@frozen(kw_only=True)
class Handoff:
    """`[handoff]`"""

    file: str = _setting("docs/SESSION_HANDOFF.md", "text", "the brief for the next person, relative to this file")
    read_first: tuple[str, ...] = _setting(
        ("docs/SOP/uat_opener.md",), "texts", "files that the next person reads first"
    )


@frozen(kw_only=True)
class Config:
    """Every setting with its default; `settings()` lists them."""

    data_dir: str | None = _setting(None, "text", "where the records live, relative to this file")
    timezone: str | None = _setting(None, "zone", "the zone of times that name none, and of those that are shown")
    buffer_minutes: float = _setting(
        5.0, "number", "minutes after a reset in which no AFTER is taken, since the vendors' panes lag", most=10080
    )
    stale_minutes: float = _setting(
        15.0, "number", "minutes after which a meter's automatic reading is too old for an AFTER", most=10080
    )
    keep_account: bool = _setting(False, "switch", "keep the account's e-mail address in what is stored")
    fsync: bool = _setting(True, "switch", "flush every record to disk before saying that it is stored")
    command_log: bool = _setting(True, "switch", "log the commands that were run, for the handoff")
    divergence_pp: float = _setting(
        10.0, "number", "percentage points by which a report and a meter may differ", most=100
    )
    reserve_pp: float = _setting(
        10.0, "number", "percentage points of a bar that the plan keeps: it says STOP before that", most=100
    )
    effect: float = _setting(
        0.10, "number", "the effect, in features per unit, that power is computed for", least=1e-9, most=1e6
    )
    ledgers: Ledgers = field(factory=Ledgers)
    churn: Churn = field(factory=Churn)
    handoff: Handoff = field(factory=Handoff)
    prices: Mapping[str, Any] = field(
        factory=dict,
        metadata={"about": "what each provider costs a month and the full bars it gives", "kind": "prices"},
    )

    path: Path | None = None  # the file, None where there is none; no setting

    @property
    def base(self) -> Path:
        """What relative settings are relative to: the file's folder, else the working directory."""
        return self.path.parent if self.path else Path.cwd()


TABLES: dict[str, type] = {"ledgers": Ledgers, "churn": Churn, "handoff": Handoff}


@frozen(kw_only=True)
class Setting:
    """One setting; `key` is dotted where it stands in a table. Numbers are within `least` and `most`."""

    key: str
    kind: str
    default: Any
    about: str
    least: float = 0
    most: float = 0

    def check(self, value: Any) -> Any:
        """The value as the program uses it; a `ValueError` says what was expected."""
        from tracker.setting_kinds import CHECKS

        return CHECKS[self.kind](self, value)


@cache
def settings() -> dict[str, Setting]:
    """All settings by key, in the order in which they are shown."""
    found: list[Setting] = []
    for one in fields(Config):
        if one.name in TABLES:
            table = fields(TABLES[one.name])
            found += [Setting(key=f"{one.name}.{own.name}", default=own.default, **own.metadata) for own in table]
        elif "kind" in one.metadata:
            default = {} if one.metadata["kind"] == PRICES else one.default
            found.append(Setting(key=one.name, default=default, **one.metadata))
    return {setting.key: setting for setting in found}


def find(start: Path) -> Path | None:
    """The nearest settings file in a folder or above it."""
    return next((path for folder in (start, *start.parents) if (path := folder / FILE).is_file()), None)


def read(path: Path) -> tuple[dict[str, Any], str]:
    """The values and the text of a file; one line says why it cannot be read."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text), text
    except OSError as error:
        raise TrackerError(f"cannot read {path}: {error.strerror}") from error
    except RecursionError as error:
        raise TrackerError(f"{path} is no TOML: it is nested too deeply") from error
    except ValueError as error:  # no UTF-8, no TOML, or a number that Python refuses to read
        raise TrackerError(f"{path} is no TOML: {error}") from error


def load(path: Path | None) -> Config:
    """The settings of a file; one line says what is wrong with it, and where."""
    return Config() if path is None else structure(*read(path), path)


def structure(values: Mapping[str, Any], text: str, path: Path) -> Config:
    """Check names, types and limits; `text` is where the line of a wrong one is looked up."""
    found: dict[str, Any] = {}
    tables: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
    for key, value in leaves(values).items():
        try:
            checked = setting(key).check(value)
        except ValueError as error:
            from tracker.toml_text import line_of

            number = line_of(text, tuple(key.split(".")))
            raise TrackerError(
                f"{path}{f' (line {number})' if number else ''}: {error}; `tracker config list` shows the settings"
            ) from error
        table, _, name = key.rpartition(".")
        (tables[table] if table else found)[name] = checked
    parts = {name: TABLES[name](**own) for name, own in tables.items()}
    return evolve(Config(**found, **parts), path=path)


def leaves(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted key: those of the tables that are known, everything else as it stands."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in TABLES and isinstance(value, dict):
            found |= {f"{name}.{key}": own for key, own in value.items()}
        else:
            found[name] = value
    return found


def setting(key: str) -> Setting:
    """The setting of that key; a `ValueError` says what is there instead."""
    from tracker.wording import near

    known = settings()
    if key in known:
        return known[key]
    if key in TABLES:
        raise ValueError(f"{key} is a table: write [{key}], then {near('', _keys_of(key))}")
    same = [other for other in known if other.rpartition(".")[2] == key.rpartition(".")[2]]
    raise ValueError(f"unknown setting {key!r}; {near(key, same if len(same) == 1 else known)}")


def _keys_of(table: str) -> list[str]:
    return [own.name for own in fields(TABLES[table])]


def zone(name: str | None) -> tzinfo:
    """The named zone; the machine's where none is named."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name is None:
        return local_zone()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise TrackerError(f"no time zone is named {name!r}; names look like Europe/Berlin or UTC") from error


def local_zone() -> tzinfo:
    """The machine's zone with its rules for summer time, not just today's offset."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    for name in (os.environ.get("TZ", ""), os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]):
        try:
            return ZoneInfo(name.lstrip(":"))
        except (KeyError, ValueError, OSError):
            continue
    found = datetime.now().astimezone().tzinfo
    assert found is not None
    return found
