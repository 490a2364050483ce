"""List prices from genai-prices: bundled, offline, dated; imported only if a price is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# plain input, cache reads, cache writes for five minutes, for one hour, output: the tokens of a request, in this order
Tokens = tuple[int, int, int, int, int]
Units = tuple[float, float, float, float, float]  # US dollars for one of each
SNAPSHOT = re.compile(r"[-@](\d{8}|\d{4}-\d{2}-\d{2})$|-latest$")
MILLION = 10**6
NOON = time(12, tzinfo=UTC)
USUAL = 1000  # tokens of a request that no tier for long ones touches
# whose list is asked first, by how a model's name begins: the table itself takes the Chinese list for Z.ai's models,
# and knows OpenAI's by other beginnings
VENDORS = {"glm": "zai", "codex": "openai", "chatgpt": "openai"}
RULES = 2  # version of how a price is found: with another number, stored requests are priced again


@cache
def is_installed() -> bool:
    return find_spec("genai_prices") is not None


def version() -> str:
    """The name and version of the table; `none` if it is not installed."""
    found = find_spec("genai_prices")
    if found is None or not found.origin:
        return "none"
    folder = Path(found.origin).parents[1]
    return next((one.stem for one in folder.glob("genai_prices-*.dist-info")), "genai_prices")


def product(tokens: Tokens, units: Units) -> float:
    """Tokens times prices: written out, since each request asks."""
    a, b, c, d, e = tokens
    v, w, x, y, z = units
    return a * v + b * w + c * x + d * y + e * z


class Price:
    """The price of a model for requests of one time and speed, in US dollars."""

    def __init__(self, ask: Any, found: Any) -> None:
        from genai_prices import types

        self._ask, self.table = ask, found.model_price
        tiered = [one for one in vars(found.model_price).values() if isinstance(one, types.TieredPrices)]
        self.has_tiers = bool(tiered)
        # the tokens of input above which a request is a long one; to ask for its price takes 0.2 ms
        self.starts = sorted({tier.start for one in tiered for tier in one.tiers})
        self._above: dict[int, Units] = {}
        self.has_hours = any(isinstance(one.constraint, types.TimeOfDateConstraint) for one in _dated(found.model))
        size = USUAL if self.has_tiers else MILLION
        plain, read, short, long, output = (
            self._exact(tuple(size if at == kind else 0 for at in range(5))) / size for kind in range(5)
        )
        self.units = plain, read, short, long, output

    def of(self, tokens: Tokens) -> float:
        """What a request costs."""
        return self._exact(tokens) if self._is_long(sum(tokens[:4])) else product(tokens, self.units)

    def above(self, context: int) -> Units:
        """Dollars per token of each kind, of a request with more tokens of input than that."""
        if not self._is_long(context):
            return self.units
        if context not in self._above:
            size = context + 1
            costs = [self._exact(tuple(size if at == kind else 0 for at in range(5))) for kind in range(4)]
            plain, read, short, long = (cost / size for cost in costs)
            output = self._exact((size, 0, 0, 0, MILLION)) - costs[0]
            self._above[context] = plain, read, short, long, output / MILLION
        return self._above[context]

    def _is_long(self, context: int) -> bool:
        return bool(self.starts) and context >= self.starts[0]

    def _exact(self, tokens: tuple[int, ...]) -> float:
        return float(self._ask(_usage(tokens)).total_price)


_newest: dict[tuple[str, str | None], Price] = {}  # by name and speed: few days change a price


def price(model: str, at: datetime | None = None, speed: str | None = None) -> Price | None:
    """The price of a model; None if the table does not name it, whatever its name begins like, or has no such speed.

    Without a time, at noon of today: the price of most hours, if it depends on the hour.
    """
    if not is_installed():
        return None
    name = model.rpartition("/")[2].partition("[")[0].lower()  # `[1m]` is a mark of Claude Code's own
    when = at or datetime.combine(datetime.now(UTC).date(), NOON)
    names, vendor = dict.fromkeys((name, SNAPSHOT.sub("", name))), VENDORS.get(name.partition("-")[0])
    known = (_listed(one, when, speed, of) for of in dict.fromkeys((vendor, None)) for one in names)
    return next(filter(None, known), None)


def _listed(name: str, when: datetime, speed: str | None, vendor: str | None) -> Price | None:
    """The price of the model with exactly this name in the table, except for a snapshot's date."""
    from genai_prices import calc_price

    context = dict.fromkeys(("processing", "speed", "service_tier"), speed) if speed else {}

    def ask(usage: Any) -> Any:
        return calc_price(
            usage, model_ref=name, provider_id=vendor, genai_request_timestamp=when, price_context=context
        )

    try:
        usual = ask(_usage((USUAL, 0, 0, 0, USUAL)))
    except LookupError:
        return None
    if not _is_called(usual.model, name) or (context and not _has_variant(usual.model, when, context)):
        return None
    found = _newest.get((name, speed))
    if found is None or found.table != usual.model_price:
        found = _newest[name, speed] = Price(ask, usual)
    return found


def _is_called(model: Any, name: str) -> bool:
    """Whether the table spells out this name: one that only begins like it, or fits a pattern, may be another's."""
    clauses = getattr(model.match, "or_", [model.match])
    spelled = {model.id, *(clause.equals for clause in clauses if hasattr(clause, "equals"))}
    known = {*map(str.lower, spelled), SNAPSHOT.sub("", model.id.lower())}
    return not known.isdisjoint((name, SNAPSHOT.sub("", name)))


def _dated(model: Any) -> Iterator[Any]:
    """The prices of a model that hold from a day on, or at some hours."""
    yield from model.prices if isinstance(model.prices, list) else ()
    yield from model.price_variants or ()


def _has_variant(model: Any, when: datetime, context: Mapping[str, str]) -> bool:
    """Whether the table has a price of its own for a speed, at that time."""
    return any(
        one.when.items() <= context.items() and (one.constraint is None or one.constraint.active(when))
        for one in model.price_variants or ()
    )


def _usage(tokens: tuple[int, ...]) -> Any:
    from genai_prices import Usage

    plain, read, short, long, output = tokens
    return Usage(
        input_tokens=plain + read + short + long,
        cache_read_tokens=read,
        cache_write_tokens=short + long,
        cache_write_1h_tokens=long,
        output_tokens=output,
    )
