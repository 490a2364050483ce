"""A provider's estimate as the preview and the tables show it: with its windows, its spread and its price."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from attrs import frozen

from tracker.kernel import Session, number, plural, rate
from tracker_verdict.accounts import first_of
from tracker_verdict.stats.efficiency import LEAST_WINDOWS, Efficiency, measure
from tracker_verdict.stats.power import in_windows

if TYPE_CHECKING:
    from tracker_verdict.price import Price
    from tracker_verdict.regimes import Regime
    from tracker_verdict.tally import Results

# From this many windows on the spread is that between days: windows of one day are alike.
BLOCKS_FROM = 12
# The least windows for a correlation.
LAGGED = 4


class WindowResult(NamedTuple):
    """What a provider delivered in a finalized window, and for how much capacity.

    at: the middle between the captures that count, or when the window was finalized; None if neither is known.
    """

    window: str
    features: float
    capacity: float
    quality: float | None = None
    at: datetime | None = None


# slots, comparisons and a repr would make every preview start later
@frozen(kw_only=True, eq=False, repr=False, slots=False)
class ProviderEstimate:
    """given: the windows. blocks: what they were summed by for the spread, None if each stands alone.

    waiting: those that count only as long as another window is not finalized, which moved the meter at the same time.
    plans: those that the windows were measured on, if they are several. change: that of what a point buys, if some of
    the windows were before it: their capacity is in today's points.
    """

    given: Results
    whole: Efficiency
    spread: Efficiency
    blocks: str | None = None
    price: Price | None = None
    waiting: Mapping[str, str] = {}
    plans: Sequence[str] = ()
    change: Regime | None = None
    few_days: int = 0

    def counted(self) -> Iterator[WindowResult]:
        """The windows that count, one by one: a million of them do not fit into memory."""
        return (one for one in self.given if one.features or one.capacity)

    @property
    def n(self) -> int:
        return self.whole.n

    @property
    def features(self) -> float:
        return self.whole.features

    @property
    def capacity(self) -> float:
        return self.whole.capacity

    @property
    def efficiency(self) -> float | None:
        return self.whole.efficiency

    @property
    def ci(self) -> tuple[float, float] | None:
        return self.spread.ci

    @property
    def ci_kind(self) -> Literal["measured", "assumed", "none"]:
        return self.spread.ci_kind

    @property
    def power(self) -> float | None:
        return self.spread.power

    @property
    def per_block(self) -> float:
        """How many windows a block has on average; 1 if the spread is that between windows."""
        return self.whole.n / self.spread.n if self.spread.n else 1.0

    @property
    def money_per_feature(self) -> float | None:
        return self.price.cost(self.capacity) / self.features if self.price and self.features else None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the preview says after the figures."""
        money = self.money_per_feature
        if money is None:
            return self.caveats
        # what is under half a cent is not nothing
        return f"${rate(money) if money < 0.005 else number(money, 2)} per feature", *self.caveats

    @property
    def caveats(self) -> tuple[str, ...]:
        """What the figures rest on."""
        row, older = self.blocks or "window", self.change.sentence if self.change else None
        uneven = f"no interval: one {row} used most of the capacity" if self.spread.is_lopsided else None
        return tuple(one for one in (uneven, self._spread_over, self.unsure, self.mixed, older) if one)

    @property
    def _spread_over(self) -> str | None:
        """What the interval is measured between; if that is single windows though there are many, why not days."""
        if self.blocks:
            return f"spread over {plural(self.spread.n, self.blocks)}"
        if not self.few_days or self.ci_kind != "measured":
            return None
        few = (
            f"only {plural(self.few_days, 'day')}" if self.few_days < LEAST_WINDOWS else "one day outweighs the others"
        )
        return f"spread over single windows: {few}"

    @property
    def mixed(self) -> str | None:
        """The plans, if there are several: their per cent belong to different quotas."""
        return f"measured on several plans: {', '.join(self.plans)}" if self.plans else None

    @property
    def unsure(self) -> str | None:
        """Which windows count only as long as others are not finalized."""
        if not self.waiting:
            return None
        named = first_of(
            (f"{window} with {other}" for window, other in self.waiting.items()), len(self.waiting), most=3
        )
        return f"would overlap if all were finalized: {named}"

    @property
    def lag_1(self) -> float | None:
        """The correlation of the efficiency of a window with that of the one before; None for under 4 with a time."""
        times, rates = array("d"), array("d")
        for one in self.given if self.efficiency else ():
            if one.at and one.capacity:
                times.append(one.at.timestamp())
                rates.append(one.features / one.capacity)
        if len(times) < LAGGED or min(rates) == max(rates):
            return None
        import numpy as np

        with np.errstate(all="ignore"):
            off = np.array(rates)[np.argsort(times, kind="stable")]
            off -= off.mean()
            found = float(off[1:] @ off[:-1] / (off @ off))
        return found if math.isfinite(found) else None

    def figures(self) -> dict[str, Any]:
        """What `preview --json` prints, as JSON values."""
        # in windows, even if the spread is between blocks of them
        needed = in_windows(self.spread.windows_needed, self.per_block)
        return {
            **self.spread.figures(),
            "efficiency_quality": self.whole.efficiency_quality,
            "n_quality": self.whole.quality.n if self.whole.quality else 0,
            "n": self.n,
            "fano": self.spread.fano,
            "lag_1": self.lag_1,
            "windows_needed": None if needed is None else list(needed),
            "effect": self.whole.effect,
            "blocks": self.blocks and {"by": self.blocks, "n": self.spread.n},
            "money_per_feature": self.money_per_feature,
            **({"change": self.change.document()} if self.change else {}),
        }


def since(change: Regime | None, results: Iterable[WindowResult]) -> Regime | None:
    """The change, if one of the windows was before it."""
    return change if change is not None and any(change.is_before(one.at) for one in results) else None


def of_results(
    results: Results,
    block: Callable[[WindowResult], str],
    *,
    effect: float,
    price: Price | None,
    asked: str | None = None,
) -> ProviderEstimate:
    """The estimate of some windows.

    asked: what a block is called, if its spread was asked for. Else it is that between days, if they are enough.
    """
    whole = measure(((one.features, one.capacity, one.quality) for one in results), effect=effect)
    blocks = sums(results, block) if asked or whole.n >= BLOCKS_FROM else []
    spread = measure(blocks, effect=effect) if 0 < len(blocks) < whole.n else whole
    # an assumed interval measures no spread
    is_of_blocks = bool(blocks) and (asked is not None or spread.ci_kind == "measured")
    return ProviderEstimate(
        given=results,
        whole=whole,
        spread=spread if is_of_blocks else whole,
        blocks=(asked or "day") if is_of_blocks else None,
        price=price,
        few_days=len(blocks) if not is_of_blocks and len(blocks) < whole.n else 0,
    )


def sums(results: Iterable[WindowResult], block: Callable[[WindowResult], str]) -> list[tuple[float, float]]:
    """Features and capacity of each block of windows that count."""
    found: dict[str, tuple[array[float], array[float]]] = {}
    for one in results:
        if one.features or one.capacity:
            features, capacity = found.setdefault(block(one), (array("d"), array("d")))
            features.append(one.features)
            capacity.append(one.capacity)
    return [(math.fsum(features), math.fsum(capacity)) for features, capacity in found.values()]


def day_of(session: Session) -> Callable[[WindowResult], str]:
    """The local day of a window; one without a time stands alone."""
    return lambda one: one.window if one.at is None else one.at.astimezone(session.zone).date().isoformat()
