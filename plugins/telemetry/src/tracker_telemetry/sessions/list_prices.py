"""List prices of requests: the user's own table, then genai-prices, as of the day of the request."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from attrs import define, field

from tracker.kernel import Session
from tracker_telemetry import prices
from tracker_telemetry.sessions.store import Store

SNAPSHOT = re.compile(r"[-@](\d{8}|\d{4}-\d{2}-\d{2})$|-latest$")
KINDS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
LONG = 2.0  # a 1-hour cache write costs twice the input price, a 5-minute one this much of it:
SHORT = 1.25
SMALL = 1000  # tokens of a request that no tier for long ones touches


@define
class ListPrices:
    """Prices by model, day and speed; `version` says which tables they are from."""

    own: prices.Table | None
    version: str
    _known: dict[tuple[str, str, str], Any] = field(factory=dict)

    @classmethod
    def of(cls, session: Session) -> ListPrices:
        path = prices.user_file()
        text = path.read_bytes() if path.is_file() else b""
        found = find_spec("genai_prices")
        name = "none"
        if found is not None and found.origin:
            folder = Path(found.origin).parents[1]
            name = next((one.stem for one in folder.glob("genai_prices-*.dist-info")), "genai_prices")
        own = prices.parse(text.decode("utf-8", "replace"), str(path)) if text else None
        return cls(own, f"{name}+{hashlib.blake2b(text, digest_size=4).hexdigest()}" if text else name)

    def apply(self, store: Store) -> None:
        """Give each request that has no price of this version its price."""
        columns = "input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens"
        store.forget_prices(self.version)
        query = f"SELECT source, key, model, ts, speed, {columns} FROM request WHERE prices IS NULL AND whole = 0"
        rows = store.database.execute(query).fetchall()
        found = [(self.cost(row[2], row[3], row[4], row[5:]), self.version, *row[:2]) for row in rows]
        with store.database:
            store.database.executemany("UPDATE request SET cost = ?, prices = ? WHERE source = ? AND key = ?", found)

    def cost(self, model: str | None, ts: float | None, speed: str | None, tokens: tuple[int, ...]) -> float | None:
        """What a request cost at list price; None if its model has no price."""
        if model is None:
            return None
        day = datetime.fromtimestamp(ts, UTC).date().isoformat() if ts is not None else ""
        key = model, day, speed or ""
        if key not in self._known:
            self._known[key] = self._units(model, ts, speed)
        units = self._known[key]
        if units is None or isinstance(units, list):
            return None if units is None else sum(count * unit for count, unit in zip(tokens, units, strict=True))
        return _exact(units, tokens)

    def units(self, model: str, ts: float | None, speed: str | None) -> list[float] | None:
        """The price of a token of each of `KINDS`, in US dollars; None if the model has no price."""
        found = self._units(model, ts, speed)
        if found is None or isinstance(found, list):
            return found
        of_each = [[SMALL if at == kind else 0 for at in range(len(KINDS))] for kind in range(len(KINDS))]
        return [_exact(found, (*counts,)) / SMALL for counts in of_each]

    def _units(self, model: str, ts: float | None, speed: str | None) -> Any:
        """The price of each kind of tokens; what genai-prices answers, if it depends on the length of the request."""
        if self.own is not None and (price := self.own.price(model)) is not None:
            base = price["input"]
            short = price.get("cache_write", SHORT * base)
            return [base, price.get("cache_read", base), short, LONG * base, price["output"]]
        if find_spec("genai_prices") is None:
            return None
        from genai_prices import Usage, calc_price, types

        at = datetime.fromtimestamp(ts, UTC) if ts is not None else datetime.now(UTC)
        context = dict.fromkeys(("processing", "speed", "service_tier"), speed) if speed else None
        name = model.rpartition("/")[2].lower()

        def ask(usage: Any) -> Any:
            return calc_price(usage, model_ref=name, genai_request_timestamp=at, price_context=context)

        try:
            found = ask(Usage(input_tokens=1000, output_tokens=1000))
        except LookupError:
            return None
        if SNAPSHOT.sub("", name) not in (found.model.id.lower(), SNAPSHOT.sub("", found.model.id.lower())):
            return None  # a price that was found by the beginning of the name alone
        if any(isinstance(one, types.TieredPrices) for one in vars(found.model_price).values()):
            return ask
        million = 10**6
        usages = (
            Usage(input_tokens=million),
            Usage(input_tokens=million, cache_read_tokens=million),
            Usage(input_tokens=million, cache_write_tokens=million),
            Usage(input_tokens=million, cache_write_tokens=million, cache_write_1h_tokens=million),
            Usage(output_tokens=million),
        )
        return [float(ask(usage).total_price) / million for usage in usages]


def _exact(ask: Any, tokens: tuple[int, ...]) -> float:
    from genai_prices import Usage

    plain, read, short, long, output = tokens
    usage = Usage(
        input_tokens=plain + read + short + long,
        cache_read_tokens=read,
        cache_write_tokens=short + long,
        cache_write_1h_tokens=long,
        output_tokens=output,
    )
    return float(ask(usage).total_price)


@cache
def has_prices() -> bool:
    """Whether the table of list prices is installed."""
    return find_spec("genai_prices") is not None
