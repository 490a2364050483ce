"""`tracker.toml`: found in the working directory or the nearest folder above it, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve

from tracker.errors import TrackerError
from tracker.settings.schema import Config

FILE = "tracker.toml"


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
    import tomllib

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
    from tracker.settings.table import TABLES, leaves, setting_of  # most have no file to check

    found: dict[str, Any] = {}
    tables: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
    for key, value in leaves(values).items():
        try:
            checked = setting_of(key).check(value)
        except ValueError as error:
            from tracker.settings.toml_text import line_of

            number = line_of(text, tuple(key.split(".")))
            raise TrackerError(
                f"{path}{f' (line {number})' if number else ''}: {error}; `tracker config list` shows the settings"
            ) from error
        table, _, name = key.rpartition(".")
        (tables[table] if table else found)[name] = checked
    parts = {name: TABLES[name](**own) for name, own in tables.items()}
    return evolve(Config(**found, **parts), path=path)
