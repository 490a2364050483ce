"""What a unit of quota costs: a month's price, and the full meters or the counts that it buys."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from tracker.api import Source
from tracker.kernel import ProviderFigures, Session, TrackerError, near
from tracker_verdict.settings import PRICE, VerdictSettings

EXAMPLE = "200/mo:4.3bars"


@frozen(kw_only=True)
class Price:
    """A month's price in money, and the units (pp or counts) that it buys."""

    price: float
    units: float

    @property
    def units_per_money(self) -> float:
        """k of docs/explanation/statistics.md: units for one unit of money."""
        return self.units / self.price

    def cost(self, units: float) -> float:
        return units / self.units_per_money


def example_of(unit: str) -> str:
    """A price of a provider whose capacity has this unit."""
    return EXAMPLE if unit == "pp" else f"30/mo:2400{unit}"


def parse(source: Source, value: Any) -> Price:
    """`200/mo:4.3bars` of a provider with bars, `30/mo:2400prompts` of one that counts; or a table of those parts."""
    meter = source.capacity_meter
    unit = meter.unit if meter else "pp"
    wanted = "bars" if unit == "pp" else unit
    example = example_of(unit)
    if isinstance(value, Mapping):
        price, amount, given = value.get("month"), value.get(wanted), wanted
    else:
        found = re.fullmatch(PRICE, str(value))
        price, amount, given = (found[1], found[2], found[3].lower()) if found else (None, None, wanted)
    try:
        known = Price(price=float(price), units=float(amount) * (100 if unit == "pp" else 1))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TrackerError(f"Invalid price {value!r} of {source.name}. Expected one such as {example!r}.") from None
    if given.rstrip("s") != wanted.rstrip("s"):
        raise TrackerError(f"Invalid price {value!r} of {source.name}. Expected {wanted}, such as {example!r}.")
    if not (known.price > 0 and 0 < known.units_per_money < math.inf):
        raise TrackerError(f"Invalid price {value!r} of {source.name}. Expected numbers above 0.")
    return known


def price_of(session: Session, source: Source) -> Price | None:
    """The price in the settings; a wrong one costs the money alone."""
    value = session.settings(VerdictSettings).prices.get(source.name)
    try:
        return None if value is None else parse(source, value)
    except TrackerError as error:
        key = f"prices.{source.name}"
        example = example_of(source.capacity_meter.unit if source.capacity_meter else "pp")
        cure = f"Type `tracker config set {key} {example}`, with your price."
        session.warn(f"{key} in tracker.toml is not used: {error} {cure}")
        return None


def prices(session: Session, given: Iterable[str] = ()) -> dict[str, Price]:
    """Every price that is known; `NAME=PRICE` of the command line goes before the settings."""
    providers, settings = session.registry.providers, session.settings(VerdictSettings)
    sources = [providers[name] for name in settings.prices if name in providers]
    found = {source.name: price for source in sources if (price := price_of(session, source)) is not None}
    for name in sorted(settings.prices.keys() - providers.keys()):
        hint = near(name, sorted(providers))
        session.warn(f"the price of {name!r} under [prices] is not used: no provider has that name. {hint}")
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise TrackerError(f"Invalid --price {text!r}. Expected PROVIDER={EXAMPLE}.")
        found[name] = parse(session.source(name, kinds=["status"]), value)
    return found


def price_options(units: Mapping[str, str], known: Mapping[str, Price]) -> list[str]:
    """What to add to `tracker compare` so that providers of these units can be compared: an example for each price."""
    return [f"--price {name}={example_of(unit)}" for name, unit in units.items() if name not in known]


def incomparable(found: Sequence[ProviderFigures], prices: Mapping[str, Price]) -> TrackerError:
    """Why providers of several units cannot be compared, and what to type."""
    units: dict[str, list[str]] = {}
    for one in found:
        units.setdefault(one.unit, []).append(one.source.name)
    said = ", ".join(f"{' and '.join(names)} in {unit}" for unit, names in units.items())
    words = [one.source.name for one in found] if len(found) == 2 else []
    words += price_options({one.source.name: one.unit for one in found}, prices)
    alike = next((f", or `tracker compare {' '.join(names[:2])}`" for names in units.values() if len(names) > 1), "")
    return TrackerError(
        f"Different units cannot be compared ({said}). Expected each one's monthly price and how much of its unit that"
        f" buys. Put your prices under [prices] in tracker.toml, or type `tracker compare {' '.join(words)}`{alike}."
    )
