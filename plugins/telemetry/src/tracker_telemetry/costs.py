"""What routing costs or saves: tokens and money of routed requests against the others, per request, model, lane or day.

Tokens are input and output over all events, whatever their status; money counts cached ones, too. What is saved is what
the routed requests would have cost at the baseline's price, less what they cost. The baseline's price is that of the
model that has most of the baseline's tokens in all that is compared: one price, so that rows add up to the total,
however they are grouped.
"""

from __future__ import annotations

import operator
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Literal, TypeAlias

from attrs import define, field, frozen

from tracker.api import Source
from tracker.kernel import csv_line, number
from tracker_telemetry.costed_log import Log
from tracker_telemetry.event_columns import Columns
from tracker_telemetry.prices import KINDS, Table
from tracker_telemetry.totals import Known

By: TypeAlias = Literal["rid", "model", "lane", "day"]
BASELINE = "baseline"
ABSENT = -1  # of tokens
PLAIN = re.compile(r"[A-Za-z0-9_][\w.:/-]*", re.ASCII)  # a name that needs no care in a spreadsheet


@define
class Side:
    """What one side of a comparison used: the tokens of each model, by kind in the order of `KINDS`."""

    models: dict[str, list[int]] = field(factory=dict)

    def add(self, model: str, tokens: Sequence[int]) -> None:
        known = self.models.get(model)
        self.models[model] = list(tokens) if known is None else [a + b for a, b in zip(known, tokens, strict=True)]

    @property
    def tokens(self) -> int:
        return sum(counts[0] + counts[1] for counts in self.models.values())

    @property
    def main_model(self) -> str | None:
        """The model that has most of its tokens."""
        return max(sorted(self.models), key=lambda model: sum(self.models[model][:2]), default=None)

    def money(self, prices: Table) -> float | None:
        """What it cost; None where a model has no price."""
        known = [(prices.price(model), counts) for model, counts in self.models.items()]
        if any(price is None for price, _ in known):
            return None
        return sum(_cost(price, counts) for price, counts in known if price is not None)

    def money_at(self, price: Mapping[str, float] | None) -> float | None:
        """What the same tokens would have cost at one price."""
        return None if price is None else sum(_cost(price, counts) for counts in self.models.values())


def _cost(price: Mapping[str, float], counts: Sequence[int]) -> float:
    """Cached tokens cost the input price where the table has no other."""
    return sum(count * price.get(kind, price["input"]) for kind, count in zip(KINDS, counts, strict=True))


Compared: TypeAlias = tuple[str, "int | None", "int | None"]  # a group's tokens at the baseline, and routed, if any
Ranked: TypeAlias = tuple[int, str, "int | None", "int | None"]  # the same behind what it is ordered by


@frozen(kw_only=True)
class Costs:
    """The groups that are shown, in their order, and both sides of everything that was compared."""

    label: str
    by: By
    rows: Sequence[Ranked]
    sides: tuple[Side, Side]
    prices: Table
    price: Mapping[str, float] | None  # the baseline's

    @property
    def unpriced(self) -> list[str]:
        """The models that have no price."""
        return sorted(model for model in {*self.sides[0].models, *self.sides[1].models} if not self.prices.price(model))

    def money(self, sides: tuple[Side, Side]) -> dict[str, float | None]:
        """What both sides of some events cost, and what was saved; None where a model has no price."""
        baseline, routed = (side.money(self.prices) for side in sides)
        instead = sides[1].money_at(self.price)
        saved = None if instead is None or routed is None else instead - routed
        return {"baseline_usd": baseline, f"{self.label}_usd": routed, "saved_usd": saved}


def compare(source: Source, events: Known | Log, by: By, top: int | None, prices: Table) -> Costs:
    """Compare events; `top` limits the rows, not the totals."""
    sides = Side(), Side()
    for group, sums in events.sums():
        sides[group.routed].add(group.model, sums.tokens)
    return Costs(
        label=source.routed_label,
        by=by,
        rows=_ranked(events.fold(_by_rid) if by == "rid" else _by_label(events, by))[:top],
        sides=sides,
        prices=prices,
        price=prices.price(sides[0].main_model),
    )


def _ranked(rows: Iterable[Compared]) -> list[Ranked]:
    """Groups of both sides first, then the largest difference; what has no name matches nothing."""
    matched: list[Ranked] = []
    others: list[Ranked] = []
    for key, baseline, routed in rows:
        if key and baseline is not None and routed is not None:
            matched.append((-abs(routed - baseline), key, baseline, routed))
        else:
            others.append((-abs((routed or 0) - (baseline or 0)), key, baseline, routed))
    return sorted(matched) + sorted(others)  # no two have one key, so that nothing behind it is compared


def _by_rid(chunks: Iterator[Columns]) -> Iterable[Compared]:
    """Each request is looked up once, and counted in lists: twice as fast as two dictionaries of a million events."""
    numbers: dict[str, int] = defaultdict(count().__next__)
    sides: tuple[list[int], list[int]] = ([], [])
    for chunk in chunks:
        found = list(map(numbers.__getitem__, chunk.rids))
        for side in sides:
            side.extend([ABSENT] * (len(numbers) - len(side)))
        into = [sides[group.routed] for group in chunk.groups]
        counts = map(operator.add, *chunk.tokens[:2])
        for place, side, tokens in zip(found, map(into.__getitem__, chunk.places), counts, strict=True):
            before = side[place]
            side[place] = tokens if before == ABSENT else before + tokens
    both = (([None if tokens == ABSENT else tokens for tokens in side]) for side in sides)
    return zip(numbers, *both, strict=True)


def _by_label(events: Known | Log, by: By) -> list[Compared]:
    found: tuple[dict[str, int], dict[str, int]] = ({}, {})
    for group, sums in events.sums():
        side, key = found[group.routed], getattr(group, by)
        side[key] = side.get(key, 0) + sums.tokens[0] + sums.tokens[1]
    return [(key, found[0].get(key), found[1].get(key)) for key in {**found[0], **found[1]}]


def sides_of(events: Known | Log, by: By, keys: Iterable[str]) -> dict[str, tuple[Side, Side]]:
    """Both sides of some groups, model by model, as money needs them."""
    found = {key: (Side(), Side()) for key in keys}
    if by == "rid":
        for (model, is_routed), counts in events.fold(_by_model_and_rid).items():
            for rid in found.keys() & counts.keys():
                found[rid][is_routed].models[model] = counts[rid]
        return found
    for group, sums in events.sums():
        if (sides := found.get(getattr(group, by))) is not None:
            sides[group.routed].add(group.model, sums.tokens)
    return found


def _by_model_and_rid(chunks: Iterator[Columns]) -> dict[tuple[str, bool], dict[str, list[int]]]:
    """The tokens of each model on each side, of each request."""
    found: dict[tuple[str, bool], dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0] * len(KINDS)))
    for chunk in chunks:
        sides = [found[group.model, group.routed] for group in chunk.groups]
        for at, column in enumerate(chunk.tokens):
            if any(column):
                for rid, side, count in zip(chunk.rids, map(sides.__getitem__, chunk.places), column, strict=True):
                    side[rid][at] += count
    return found


# --- as text and JSON


def csv_lines(found: Costs) -> Iterator[str]:
    """CSV with the totals as its last line."""
    label = found.label
    yield f"{found.by},baseline_tokens,{label}_tokens,delta_{label}_minus_base"
    for _, key, baseline, routed in found.rows:
        name = key if PLAIN.fullmatch(key) else csv_line((key,), "").decode()
        yield f"{name},{baseline or 0},{routed or 0},{(routed or 0) - (baseline or 0)}"
    base, routed = (side.tokens for side in found.sides)
    share = f"{number(round(100 * routed / (base + routed), 1))}%" if base + routed else "n/a"
    yield f"# totals baseline={base} {label}={routed} {label}_share={share}"


def money_line(found: Costs) -> str:
    """The money in words, as far as it is known, and the models without a price."""
    money = {name.removesuffix("_usd"): usd for name, usd in found.money(found.sides).items()}
    amounts = (f"{name} {'n/a' if usd is None else f'${usd:.2f}'}" for name, usd in money.items())
    names = ", ".join(name or "(no model)" for name in found.unpriced)
    why = f"; no price for {names}" if names else ""
    return f"note: at list prices of {found.prices.as_of}: {', '.join(amounts)}{why}"


def document(found: Costs, events: Known | Log) -> dict[str, Any]:
    """The comparison as JSON values."""
    label = found.label
    names = ("baseline_tokens", f"{label}_tokens", f"delta_{label}_minus_base")
    sides = sides_of(events, found.by, [row[1] for row in found.rows])
    rows: list[dict[str, Any]] = [
        {
            found.by: key or None,
            "side": BASELINE if routed is None else label if baseline is None else "both",
            **dict(zip(names, (baseline or 0, routed or 0, (routed or 0) - (baseline or 0)), strict=True)),
            **found.money(sides[key]),
        }
        for _, key, baseline, routed in found.rows
    ]
    base, routed = (side.tokens for side in found.sides)
    return {
        "by": found.by,
        "rows": rows,
        "totals": {
            **dict(zip(names, (base, routed, routed - base), strict=True)),
            f"{label}_share": routed / (base + routed) if base + routed else None,
            **found.money(found.sides),
        },
        "baseline_model": found.sides[0].main_model,
        "unpriced_models": found.unpriced,
        "prices": {"as_of": found.prices.as_of, "source": found.prices.source},
    }
