"""Settings: `tracker.toml`, found in the working directory or the nearest folder above it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

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
    """Every setting with its default; `tracker.settings` lists them."""

    data_dir: str | None = _setting(
        None, "text", "where the records live, relative to this file; else data/week0/live in the working directory"
    )
    timezone: str | None = _setting(
        None, "zone", "the zone of times that name none, and of those that are shown; else this machine's"
    )
    buffer_minutes: float = _setting(
        5.0, "number", "minutes after a reset in which no AFTER is taken, since the vendors' panes lag", most=10080
    )
    stale_minutes: float = _setting(
        15.0, "number", "minutes after which a meter's automatic reading is too old for an AFTER", most=10080
    )
    key_variables: tuple[str, ...] = _setting(
        (), "texts", "which environment variable holds a provider's key for captures, as PROVIDER=VARIABLE"
    )
    run_commands: tuple[str, ...] = _setting(
        (), "texts", "commands for `tracker ingest SOURCE --run` instead of the declared, as SOURCE=COMMAND"
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


def find(start: Path) -> Path | None:
    """The nearest settings file in a folder or above it."""
    return next((path for folder in (start, *start.parents) if (path := folder / FILE).is_file()), None)


def read(path: Path) -> tuple[dict[str, Any], str]:
    """The values and the text of a file; one line says why it cannot be read."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TrackerError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TrackerError(f"{path} is no TOML: {error}") from error
    return parse(text, path), text


def parse(text: str, path: Path) -> dict[str, Any]:
    """The values of a file's text."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise TrackerError(f"{path} is no TOML: it is nested too deeply") from error
    except ValueError as error:  # no TOML, or a number that Python refuses to read
        raise TrackerError(f"{path} is no TOML: {error}") from error


def load(path: Path | None) -> Config:
    """The settings of a file; one line says what is wrong with it, and where."""
    return Config() if path is None else structure(*read(path), path)


def structure(values: Mapping[str, Any], text: str, path: Path) -> Config:
    """Check names, types and limits; `text` is where the line of a wrong one is looked up."""
    from tracker.settings import TABLES, leaves, setting_of

    found: dict[str, Any] = {}
    tables: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
    for key, value in leaves(values).items():
        try:
            checked = setting_of(key).check(value)
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
