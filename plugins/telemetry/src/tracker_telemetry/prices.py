"""List prices of models: a table that a telemetry source bundles, and the user's own entries before it.

A table is TOML: `as_of`, `source`, `tokens` (how many a price is for), `snapshot` (a regular expression), `[[model]]`
entries with a `name` or a `prefix`, prices per kind of tokens, and the `speed` that they are for, if it is not the
usual one. A `prefix` fits that name alone or followed by a snapshot's date. The user's table is `prices.toml` in the
user's configuration folder of tracker.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

from attrs import evolve, field, frozen

from tracker.api import Source
from tracker.kernel import PluginError, Session, TrackerError, near

FILE = "prices.toml"
SNAPSHOT = r"[-@](\d{8}|\d{4}-\d{2}-\d{2})"  # what follows a prefix, if the table has no expression of its own
USUAL = ("", "standard", "default", "auto")  # speeds that change no price
KINDS = ("input", "cache_read", "cache_write", "cache_write_1h", "output")
TOP = {"as_of", "source", "currency", "tokens", "snapshot", "model"}
ENTRY = {"name", "prefix", "speed", *KINDS}
Units: TypeAlias = "tuple[float, float, float, float, float]"  # US dollars per token of each kind
ListedPrice: TypeAlias = "tuple[Units, str, str]"  # prices with the date and the source of their table
Entry: TypeAlias = "tuple[re.Pattern[str], str | None, ListedPrice]"  # a model's name, the speed, the prices


@frozen(kw_only=True)
class Table:
    """Prices in US dollars per token; entries are tried in order."""

    as_of: str
    source: str
    entries: tuple[Entry, ...] = field(repr=False)

    def found(self, model: str, speed: str | None = None) -> ListedPrice | None:
        """The prices of a model, with their table; None if they are unknown."""
        name = model.lower().rpartition("/")[2]
        return next((found for pattern, of, found in self.entries if of == speed and pattern.fullmatch(name)), None)


def table(session: Session, source: Source) -> Table | None:
    """The source's table, if it has one, with the user's entries before it."""
    own = own_table()
    if source.prices is None:
        return own
    bundled = parse(_bundled(session, source, source.prices), f"{source.prices} of {source.name}")
    return evolve(bundled, entries=(own.entries if own else ()) + bundled.entries)


def own_table() -> Table | None:
    """The user's own prices, if there are any."""
    path = user_file()
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise TrackerError(f"cannot read {path}: {error}") from error
    return parse(text, str(path), f"your {FILE}")


def _bundled(session: Session, source: Source, name: str) -> str:
    try:
        return files(session.registry.package(source.name)).joinpath(name).read_text(encoding="utf-8")
    except (OSError, ModuleNotFoundError, UnicodeDecodeError) as error:
        raise PluginError(source.name, f"give its prices ({name})", error) from error


@cache
def user_file() -> Path:
    """The user's own table."""
    from platformdirs import user_config_path

    return user_config_path("tracker") / FILE


def parse(text: str, where: str, name: str | None = None) -> Table:
    """A table from TOML; an error has one line on what is wrong, and where. `name` replaces a missing date."""
    import tomllib

    try:
        values = tomllib.loads(text)
        if not 0 < (per := float(values.get("tokens", 1_000_000))) < math.inf:
            raise ValueError("`tokens`, the number that a price is for, must be above 0")
        snapshot = str(values.get("snapshot", SNAPSHOT))
        as_of, source = (str(values.get(key, name or where)) for key in ("as_of", "source"))
        entries = tuple(_entry(entry, snapshot, per, as_of, source) for entry in values.get("model", []))
    except (re.error, TypeError, ValueError, AttributeError, LookupError) as error:
        raise TrackerError(f"Invalid price table {where}: {error}. Expected the form of the bundled {FILE}.") from error
    for one, known in ((values, TOP), *((entry, ENTRY) for entry in values.get("model", []))) if name else ():
        for wrong in sorted(one.keys() - known):  # a typing error would silently change the money
            raise TrackerError(f"Invalid price table {where}: Unknown key {wrong!r}. {near(wrong, sorted(known))}")
    return Table(as_of=as_of, source=source, entries=entries)


def _entry(entry: Mapping[str, Any], snapshot: str, per: float, as_of: str, source: str) -> Entry:
    name = (entry.get("name") or entry["prefix"]).rpartition("/")[2]  # a model is found without its vendor's path
    pattern = re.escape(name.lower()) + (f"(?:{snapshot})?" if "prefix" in entry else "")
    prices = {kind: float(entry[kind]) / per for kind in KINDS if kind in entry}
    if not {"input", "output"} <= prices.keys() or not all(0 <= price < math.inf for price in prices.values()):
        raise ValueError(f"the entry {name!r} needs `input` and `output` of 0 or more")
    base = prices["input"]
    derived = {"cache_read": base, "cache_write": 1.25 * base, "cache_write_1h": 2 * base}
    plain, read, short, long, output = map((derived | prices).__getitem__, KINDS)
    speed = None if entry.get("speed") in USUAL else entry.get("speed")
    return re.compile(pattern), speed, ((plain, read, short, long, output), as_of, source)
