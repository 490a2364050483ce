"""Settings: `tracker.toml`, found in the working directory or the nearest folder above it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from tracker.errors import TrackerError

FILE = "tracker.toml"
DATA_DIR = Path("data/week0/live")


def _setting(default: Any, about: str) -> Any:
    return field(default=default, metadata={"about": about})


@frozen(kw_only=True)
class Ledgers:
    """`[ledgers]`"""

    dir: str = _setting("docs/Ledgers", "where the CSV ledgers live, relative to this file")


@frozen(kw_only=True)
class Churn:
    """`[churn]`"""

    exclude: tuple[str, ...] = _setting((), "paths that are no work, as git pathspec patterns")


@frozen(kw_only=True)
class Handoff:
    """`[handoff]`"""

    file: str = _setting("docs/SESSION_HANDOFF.md", "the brief for the next person, relative to this file")
    read_first: tuple[str, ...] = _setting(("docs/SOP/uat_opener.md",), "files that the next person reads first")


@frozen(kw_only=True)
class Config:
    """Every setting with its default."""

    data_dir: str | None = _setting(None, "where the records live, relative to this file")
    timezone: str | None = _setting(None, "the zone of times that name none, such as Europe/Berlin")
    buffer_minutes: float = _setting(5.0, "how long after a reset no AFTER is taken, since the vendors' panes lag")
    keep_account: bool = _setting(False, "keep the account's e-mail address in what is stored")
    fsync: bool = _setting(True, "flush every record to disk before saying that it is stored")
    divergence_pp: float = _setting(10.0, "how far a report and a meter may differ, in percentage points")
    effect: float = _setting(0.10, "the effect, in features per unit, that power is computed for")
    ledgers: Ledgers = field(factory=Ledgers)
    churn: Churn = field(factory=Churn)
    handoff: Handoff = field(factory=Handoff)
    prices: Mapping[str, Any] = field(factory=dict, metadata={"about": "a month's price and full bars"})

    path: Path | None = None  # the file, None where there is none

    @property
    def base(self) -> Path:
        """What relative settings are relative to: the file's folder, else the working directory."""
        return self.path.parent if self.path else Path.cwd()


def find(start: Path) -> Path | None:
    """The nearest settings file in a folder or above it."""
    return next((path for folder in (start, *start.parents) if (path := folder / FILE).is_file()), None)


def load(path: Path | None) -> Config:
    """The settings of a file; one line says what is wrong with it, and where."""
    if path is None:
        return Config()
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise TrackerError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrackerError(f"{path} is no TOML: {error}") from error
    return structure(values, path, text)


def structure(values: dict[str, Any], path: Path, text: str = "") -> Config:
    """Check names and types; `text` is where the line of a wrong one is looked up."""
    from cattrs import BaseValidationError, transform_error

    from tracker.codec import converter

    values.pop("path", None)
    try:
        config: Config = converter().structure(values, Config)
    except BaseValidationError as error:
        first = transform_error(error, path=FILE)[0]
        cure = "`tracker config list` shows the settings"
        raise TrackerError(f"{path}: {first}{_line_of(first, text)}; {cure}") from error
    return evolve(config, path=path)


def _line_of(message: str, text: str) -> str:
    """The line of the setting that a message of cattrs names: `... @ $.churn.exclude[1]`, `... found (nope) @ $`."""
    unknown = re.search(r"extra fields found \((\w+)", message)
    place = re.search(r"@ [\w.$]*\.(\w+)(\[\d+\])?$", message)
    key = unknown or place
    if key is None:
        return ""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*(\[+\s*)?[\"']?{key[1]}[\"']?\s*[=\].]", line):
            return f" (line {number})"
    return ""


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
