"""What routing costs or saves: tokens and money of routed requests against the others, per request, model, lane or day.

Tokens are input and output over all events, whatever their status; money also counts cached ones. What is saved is what
the routed requests would have cost at the baseline's price, less what they cost. The baseline's price is that of the
model with most of the baseline's tokens in the whole comparison: one model, so that rows add up to the total,
however they are grouped. Prices are those of the day of each request (UTC), or of its hour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import add
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import define, field, frozen

from tracker.api import Cell, Column, Source
from tracker.kernel import csv_line, line, number, plural
from tracker_telemetry import DAY
from tracker_telemetry.prices import KINDS
from tracker_telemetry.sessions.genai import Tokens, product
from tracker_telemetry.sessions.list_prices import Grain, ListPrices
from tracker_telemetry.sessions.money import dollars, total

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

By: TypeAlias = Literal["rid", "model", "lane", "day"]
NOTHING = (0,) * len(KINDS)
PART = 10_000  # groups that are held at once: millions would take hundreds of megabytes
# how groups are formed, if not by a column of events
KEYS = {"day": "coalesce(strftime(make_timestamp((ts * 1000000)::BIGINT), '%Y-%m-%d'), '')"}
CONTEXT, COUNTS = " + ".join(KINDS[:4]), ", ".join(f"sum({kind})::BIGINT" for kind in KINDS)
# Groups of both sides first, then the largest difference; what has no name matches nothing.
RANKED = """
SELECT {columns} FROM (
  SELECT {by} AS key, sum(input + output) FILTER (NOT routed)::BIGINT AS base,
    sum(input + output) FILTER (routed)::BIGINT AS routed
  FROM standing GROUP BY 1)
ORDER BY key != '' AND base IS NOT NULL AND routed IS NOT NULL DESC,
  abs(coalesce(routed, 0) - coalesce(base, 0)) DESC, key LIMIT $1
"""
# A line of CSV; apart from it the name if it may need care in a spreadsheet.
LINE = r"""
concat(if(is_plain, key, ''), ',', coalesce(base, 0), ',', coalesce(routed, 0), ',',
  coalesce(routed, 0) - coalesce(base, 0)), if(is_plain, NULL, key)
""".replace("is_plain", r"regexp_full_match(key, '[A-Za-z0-9_][\w.:/-]*')")
Row: TypeAlias = tuple[str, "int | None", "int | None"]  # a group's tokens at the baseline, and routed, if any


@define
class Side:
    """What one side used: the tokens of each model from a time on, above a size of input, in the order of `KINDS`."""

    used: dict[tuple[str, int | None, int], Tokens] = field(factory=dict)
    uncounted: int = 0  # requests that succeeded without token counts

    def add(self, model: str, at: int | None, context: int, uncounted: int, *counts: int) -> None:
        self.uncounted += uncounted
        a, b, c, d, e = map(add, self.used.get((model, at, context), NOTHING), counts)
        self.used[model, at, context] = a, b, c, d, e

    @property
    def tokens(self) -> int:
        return sum(counts[0] + counts[-1] for counts in self.used.values())

    @property
    def main_model(self) -> str | None:
        """The model that has most of its tokens."""
        tokens = Counter[str]()
        for (model, *_), counts in self.used.items():
            tokens[model] += counts[0] + counts[-1]
        return max(sorted(tokens), key=tokens.__getitem__, default=None)

    def money(self, prices: ListPrices, instead: str | None = None) -> float | None:
        """What it cost, or would have at the prices of another model; None if a model or a count is missing."""
        known = {key: prices.units(key[0] if instead is None else instead, key[1], None, key[2]) for key in self.used}
        costs = [units and product(self.used[key], units) for key, units in known.items()]
        return None if None in costs or self.uncounted else total([*filter(None, costs)]) or 0


Sides: TypeAlias = tuple[Side, Side]  # the baseline and what was routed


@frozen(kw_only=True)
class Costs:
    """Both sides of everything that was compared."""

    label: str
    sides: Sides
    prices: ListPrices
    grain: Grain = (DAY, ())  # for which prices hold

    @property
    def unpriced(self) -> list[str]:
        """The models that have no price."""
        return sorted({model for one in self.sides for model, at, _ in one.used if not self.prices.units(model, at)})

    def money(self, sides: Sides) -> dict[str, float | None]:
        """What both sides of some events cost, and what was saved; None if a model has no price."""
        baseline, routed = (side.money(self.prices) for side in sides)
        main = self.sides[0].main_model
        instead = None if main is None else sides[1].money(self.prices, main)
        saved = None if instead is None or routed is None else instead - routed
        return {"baseline_usd": baseline, f"{self.label}_usd": routed, "saved_usd": saved}


def compare(source: Source, events: DuckDBPyConnection, prices: ListPrices) -> Costs:
    """Compare events."""
    [(models, longest)] = events.execute(f"SELECT list(DISTINCT model), max({CONTEXT}) FROM standing").fetchall()
    grain = prices.grain(models or (), longest or 0)
    whole = _sides(events.execute(f"SELECT '', routed, {sums(*grain)} FROM standing GROUP BY ALL").fetchall())
    return Costs(label=source.routed_label, sides=whole.get("", (Side(), Side())), prices=prices, grain=grain)


def sums(step: int = DAY, starts: Sequence[int] = ()) -> str:
    """What one price holds for: the sums of tokens by model, time and size of input."""
    above = "".join(f", if({CONTEXT} > {start}, {start}, 0)" for start in starts)
    return f"model, (floor(ts / {step}) * {step})::BIGINT, greatest(0{above}), count(*) FILTER (is_uncounted), {COUNTS}"


def ranked(
    events: DuckDBPyConnection, by: By, top: int | None = None, columns: str = "key, base, routed"
) -> Iterator[Any]:
    """The groups in their order, one by one; with `top` only the first ones."""
    found = events.execute(RANKED.format(columns=columns, by=KEYS.get(by, by)), [top])
    while part := found.fetchmany(PART):
        yield from part


def _sides(rows: Sequence[tuple[Any, ...]]) -> dict[str, Sides]:
    found: dict[str, Sides] = {}
    for key, routed, *counts in rows:
        found.setdefault(key, (Side(), Side()))[routed].add(*counts)
    return found


def figures(row: Row) -> tuple[int, int, int]:
    """The tokens of a group at the baseline and routed, and their difference."""
    _, baseline, routed = row
    return baseline or 0, routed or 0, (routed or 0) - (baseline or 0)


# --- as text and JSON


def csv_lines(found: Costs, events: DuckDBPyConnection, by: By, top: int | None) -> Iterator[str]:
    """CSV without its last line, the totals."""
    yield f"{by},baseline_tokens,{found.label}_tokens,delta_{found.label}_minus_base"
    for figures, name in ranked(events, by, top, LINE):
        yield figures if name is None else csv_line((name,), "").decode() + figures


def totals_line(found: Costs) -> str:
    base, routed = (side.tokens for side in found.sides)
    share = f"{number(round(100 * routed / (base + routed), 1))}%" if base + routed else "n/a"
    return f"totals baseline={base} {found.label}={routed} {found.label}_share={share}"


def table(
    found: Costs, events: DuckDBPyConnection, by: By, top: int | None
) -> tuple[Sequence[Column], Sequence[Mapping[str, Cell]]]:
    """The same for a terminal."""
    columns = (
        Column(key="key", title=by.capitalize(), rank=0),
        Column(key="baseline", title="Baseline tokens", kind="count", rank=0),
        Column(key="routed", title=f"{found.label} tokens", kind="count", rank=0),
        Column(key="delta", title=f"{found.label} - baseline", kind="count"),
    )
    names = [column.key for column in columns]
    return columns, [dict(zip(names, (row[0], *figures(row)), strict=True)) for row in ranked(events, by, top)]


def money_line(found: Costs) -> str:
    """The money in words, as far as it is known, and why it is not."""
    money = {name.removesuffix("_usd"): usd for name, usd in found.money(found.sides).items()}
    amounts = (f"{name} {dollars(usd, *money.values())}" for name, usd in money.items())
    names = ", ".join(line(name) or "(no model)" for name in found.unpriced)
    why = f"; no price for {names}" if names else ""
    if uncounted := sum(side.uncounted for side in found.sides):
        why += f"; {plural(uncounted, 'request')} succeeded without token counts, so the tokens are a minimum"
    return f"note: at list prices of {found.prices.used()['as_of'] or 'no table'}: {', '.join(amounts)}{why}"


def document(found: Costs, events: DuckDBPyConnection, by: By, top: int | None) -> dict[str, Any]:
    """The comparison as JSON values, with the money of each group."""
    label, groups, key = found.label, list(ranked(events, by, top)), KEYS.get(by, by)
    chosen = "" if top is None else f"WHERE list_contains($1, {key})"  # events also have a column `key`
    query = f"SELECT {key}, routed, {sums(*found.grain)} FROM standing {chosen} GROUP BY ALL"
    sides = _sides(events.execute(query, [] if top is None else [[row[0] for row in groups]]).fetchall())
    names = ("baseline_tokens", f"{label}_tokens", f"delta_{label}_minus_base")
    rows: list[dict[str, Any]] = [
        {
            by: row[0] or None,
            "side": "baseline" if row[2] is None else label if row[1] is None else "both",
            **dict(zip(names, figures(row), strict=True)),
            **found.money(sides[row[0]]),
        }
        for row in groups
    ]
    base, routed = (side.tokens for side in found.sides)
    return {
        "by": by,
        "rows": rows,
        "totals": {
            **dict(zip(names, (base, routed, routed - base), strict=True)),
            f"{label}_share": routed / (base + routed) if base + routed else None,
            **found.money(found.sides),
        },
        "baseline_model": found.sides[0].main_model,
        "unpriced_models": found.unpriced,
        "uncounted_requests": sum(side.uncounted for side in found.sides),
        "prices": found.prices.used(),
    }
