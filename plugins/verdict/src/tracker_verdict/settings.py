"""What verdicts let you set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import frozen

from tracker.kernel import Session, number, setting

USUAL_EFFECT = 1.5
LARGEST_PRICE = 1e12
# what a month costs, and how much of a unit it buys: 200/mo:4.3bars; compiled when there is a price
PRICE = r"(?i)\s*([\d.]+)\s*/\s*mo(?:nth)?\s*:\s*([\d.]+)\s*([a-z]+)\s*"


def are_prices(value: Any) -> bool:
    """Whether a value is a table with a price for each provider."""
    return isinstance(value, dict) and all(map(_is_price, value.values()))


def _is_price(price: Any) -> bool:
    """A text as `--price` takes it, or its parts by name."""
    if isinstance(price, str):
        return re.fullmatch(PRICE, price) is not None
    parts = price.values() if isinstance(price, dict) else [None]
    return all(bool(part.strip()) if isinstance(part, str) else _is_amount(part) for part in parts)


def are_sound_prices(value: Any) -> bool:
    """Whether the prices also say an amount above 0, for money above 0."""
    return are_prices(value) and all(_is_above_0(price) for price in value.values() if isinstance(price, str))


def _is_above_0(price: str) -> bool:
    found = re.fullmatch(PRICE, price)
    try:
        return found is not None and float(found[1]) > 0 and float(found[2]) > 0
    except ValueError:
        return False


def is_ratio(value: float) -> bool:
    """Whether a ratio is one of the larger to the smaller."""
    return value > 1


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST_PRICE


@frozen(kw_only=True, eq=False, repr=False, slots=False)
class VerdictSettings:
    """At the top level."""

    TABLE: ClassVar[str] = ""

    reserve_pp: float = setting(
        10.0,
        "percentage points of each meter to keep free: with no more left, `tracker plan` and `tracker gate` say stop",
        most=100,
    )
    effect: float = setting(
        USUAL_EFFECT,
        "the ratio of efficiencies that power and windows needed are computed for",
        least=1e-9,
        most=1e6,
        fits_new=is_ratio,
        expected="a ratio above 1, such as 1.5",
    )
    comparable_days: float = setting(
        3.0, "how many days apart two providers' windows may be for `compare` to compare them", most=1e4
    )
    tau: float = setting(
        0.5,
        "how much subscriptions typically differ, for the certainty: 0.5 means by half",
        least=0.01,
        most=10,
    )
    prices: Mapping[str, Any] = setting(
        {},
        "what each provider costs a month and how many full meters it buys",
        fits=are_prices,
        fits_new=are_sound_prices,
        expected="a table with a text such as '200/mo:4.3bars', or a table, for each provider",
    )


def effect_in_use(session: Session) -> float:
    """The setting, a ratio; the usual one with a warning if a file still has a difference, as earlier versions took."""
    found = session.settings(VerdictSettings).effect
    if is_ratio(found):
        return found
    session.warn(
        f"the setting effect = {number(found)} is not used. Expected a ratio above 1."
        f" Type `tracker config set effect {USUAL_EFFECT}`."
    )
    return USUAL_EFFECT
