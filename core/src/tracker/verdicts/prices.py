"""List prices of models: a table that a telemetry source bundles, and the user's own entries before it.

A table is TOML: `as_of`, `source`, `tokens` (how many a price is for), `snapshot` (a regular expression), `[[model]]`
entries with a `name` or a `prefix` and prices per kind of tokens. A `prefix` fits that name alone or followed by a
snapshot's date. The user's table is `prices.toml` in the user's configuration folder of tracker.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from attrs import field, frozen

from tracker.errors import TrackerError
from tracker.models import Source
from tracker.session import Session

FILE = "prices.toml"
KINDS = ("input", "output", "cache_read", "cache_write")


@frozen(kw_only=True)
class Table:
    """Prices in US dollars per token; entries are tried in order."""

    as_of: str
    source: str
    entries: tuple[tuple[re.Pattern[str], Mapping[str, float]], ...] = field(repr=False)

    def price(self, model: str | None) -> Mapping[str, float] | None:
        """The prices of a model, None where none is known."""
        name = (model or "").lower().rpartition("/")[2]
        return next((prices for pattern, prices in self.entries if pattern.fullmatch(name)), None)


def table(session: Session, source: Source) -> Table:
    """The source's table with the user's entries before it."""
    bundled = parse(_bundled(session, source), f"{FILE} of {source.name}")
    path = _user_file()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return bundled
    except (OSError, UnicodeDecodeError) as error:
        raise TrackerError(f"cannot read {path}: {error}") from error
    own = parse(text, str(path))
    return Table(as_of=bundled.as_of, source=f"{path}, then {bundled.source}", entries=own.entries + bundled.entries)


def _bundled(session: Session, source: Source) -> str:
    try:
        return files(session.registry.package(source.name)).joinpath(FILE).read_text(encoding="utf-8")
    except (OSError, ModuleNotFoundError):
        return ""


@cache
def _user_file() -> Path:
    from platformdirs import user_config_path

    return user_config_path("tracker") / FILE


def parse(text: str, where: str) -> Table:
    """A table from TOML; one line says what is wrong with it, and where."""
    try:
        values = tomllib.loads(text)
        per = float(values.get("tokens", 1_000_000))
        snapshot = str(values.get("snapshot", ""))
        entries = tuple(_entry(entry, snapshot, per) for entry in values.get("model", []))
    except (tomllib.TOMLDecodeError, re.error, TypeError, ValueError, AttributeError, KeyError) as error:
        raise TrackerError(f"{where} is no price table: {error}; it reads like the bundled {FILE}") from error
    return Table(as_of=str(values.get("as_of", "")), source=str(values.get("source", where)), entries=entries)


def _entry(entry: Mapping[str, Any], snapshot: str, per: float) -> tuple[re.Pattern[str], Mapping[str, float]]:
    name = entry.get("name") or entry["prefix"]
    pattern = re.escape(name.lower()) + (f"(?:{snapshot})?" if "prefix" in entry and snapshot else "")
    prices = {kind: float(entry[kind]) / per for kind in KINDS if kind in entry}
    if not {"input", "output"} <= prices.keys() or any(price < 0 for price in prices.values()):
        raise ValueError(f"the entry {name!r} needs `input` and `output` of 0 or more")
    return re.compile(pattern), prices
