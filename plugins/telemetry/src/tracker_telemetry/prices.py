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
from tracker.kernel import PluginError, Session, TrackerError, rate
from tracker_telemetry.sessions import genai

FILE = "prices.toml"
SNAPSHOT = r"[-@](\d{8}|\d{4}-\d{2}-\d{2})"  # what follows a prefix, if the table has no expression of its own
USUAL = ("", "standard", "default", "auto")  # speeds that change no price
KINDS = ("input", "output", "cache_read", "cache_write", "cache_write_1h")
Found: TypeAlias = "tuple[Mapping[str, float], str, str]"  # prices with the date and the source of their table
Entry: TypeAlias = "tuple[re.Pattern[str], str | None, Found]"  # a model's name, the speed, the prices


@frozen(kw_only=True)
class Table:
    """Prices in US dollars per token; entries are tried in order."""

    as_of: str
    source: str
    entries: tuple[Entry, ...] = field(repr=False)
    is_last: bool = True  # whether no other table is asked for a model that this one lacks
    _found: dict[tuple[str | None, str | None, int | None], Found | None] = field(factory=dict, repr=False, eq=False)

    def price(self, model: str | None, speed: str | None = None, day: int | None = None) -> Mapping[str, float] | None:
        """The prices of a model, None if they are unknown. day: that of the requests, counted from 1970 in UTC."""
        key = model, speed, day
        if key not in self._found:
            name = (model or "").lower().rpartition("/")[2]
            fitting = (found for pattern, of, found in self.entries if of == speed and pattern.fullmatch(name))
            found = next(fitting, None)
            if found is None and model and not self.is_last:
                found = genai.listed(model, day)
            self._found[key] = found
        return found[0] if (found := self._found[key]) else None

    def used(self) -> dict[str, str]:
        """The dates and the sources of the tables that had a price that was asked for; of this one if none had."""
        tables = {found[1:] for found in self._found.values() if found} or {(self.as_of, self.source)}
        as_of, source = (", ".join(dict.fromkeys(part)) for part in zip(*sorted(tables), strict=True))
        return {"as_of": as_of, "source": source}


def table(session: Session, source: Source) -> Table:
    """The source's table with the user's entries before it, and genai-prices, if it is installed, behind it."""
    bundled, own = parse(_bundled(session, source), f"{source.prices} of {source.name}"), own_table()
    return evolve(bundled, entries=(own.entries if own else ()) + bundled.entries, is_last=False)


def own_table() -> Table | None:
    """The user's own prices, if there are any."""
    path = user_file()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise TrackerError(f"cannot read {path}: {error}") from error
    return parse(text, str(path), f"your {FILE}")


def _bundled(session: Session, source: Source) -> str:
    if source.prices is None:
        return ""
    try:
        return files(session.registry.package(source.name)).joinpath(source.prices).read_text(encoding="utf-8")
    except (OSError, ModuleNotFoundError, UnicodeDecodeError) as error:
        raise PluginError(source.name, f"give its prices ({source.prices})", error) from error


@cache
def user_file() -> Path:
    """The user's own table."""
    from platformdirs import user_config_path

    return user_config_path("tracker") / FILE


def dollars(usd: float | None, *beside: float | None) -> str:
    """In cents; an amount under half a cent with more digits, since it is not nothing, and what adds up with it."""
    if usd is None:
        return "n/a"
    smallest = min((abs(one) for one in (usd, *beside) if one), default=1.0)
    return f"${rate(usd, smallest)}" if smallest < 0.005 else f"${usd:,.2f}"


def parse(text: str, where: str, name: str | None = None) -> Table:
    """A table from TOML; one line says what is wrong with it, and where. `name` stands for a date that is not said."""
    import tomllib

    try:
        values = tomllib.loads(text)
        if not 0 < (per := float(values.get("tokens", 1_000_000))) < math.inf:
            raise ValueError("`tokens` is how many tokens a price is for")
        snapshot = str(values.get("snapshot", SNAPSHOT))
        as_of, source = (str(values.get(key, name or where)) for key in ("as_of", "source"))
        entries = tuple(_entry(entry, snapshot, per, as_of, source) for entry in values.get("model", []))
    except (re.error, TypeError, ValueError, AttributeError, LookupError) as error:
        raise TrackerError(f"Invalid price table {where}: {error}. Expected the form of the bundled {FILE}.") from error
    return Table(as_of=as_of, source=source, entries=entries)


def _entry(entry: Mapping[str, Any], snapshot: str, per: float, as_of: str, source: str) -> Entry:
    name = entry.get("name") or entry["prefix"]
    pattern = re.escape(name.lower()) + (f"(?:{snapshot})?" if "prefix" in entry else "")
    prices = {kind: float(entry[kind]) / per for kind in KINDS if kind in entry}
    if not {"input", "output"} <= prices.keys() or not all(0 <= price < math.inf for price in prices.values()):
        raise ValueError(f"the entry {name!r} needs `input` and `output` of 0 or more")
    derived = {"cache_write": 1.25 * prices["input"], "cache_write_1h": 2 * prices["input"]}
    speed = None if entry.get("speed") in USUAL else entry.get("speed")
    return re.compile(pattern), speed, ({**derived, **prices}, as_of, source)
