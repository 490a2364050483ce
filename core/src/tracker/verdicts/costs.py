"""What routing costs or saves: tokens and money of routed requests against the others, per feature, model, lane or day.

Tokens are input and output over all events, whatever their status. Saved money is what the routed requests would have
cost at the baseline's price, less what they cost: the price of the model that served the same request at the baseline,
else of the model that served most of the baseline's tokens.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from attrs import define, field, frozen

from tracker.errors import TrackerError
from tracker.event_index import count, epoch
from tracker.ledgers import encode
from tracker.models import Rejected, Source
from tracker.render import number
from tracker.session import Session
from tracker.tail import Splitter, stream_chunks
from tracker.telemetry import events
from tracker.verdicts.prices import FIELDS, KINDS, Table, cost

By: TypeAlias = Literal["rid", "model", "lane", "day"]
BASELINE = "baseline"


@define
class Side:
    """Tokens of one side, per model and kind."""

    tokens: int = 0
    models: dict[str | None, Counter[str]] = field(factory=dict)

    def add(self, event: Mapping[str, Any]) -> None:
        found = self.models.setdefault(event.get("model"), Counter())
        for kind in KINDS:
            amount = count(event.get(FIELDS[kind]))
            if amount:
                found[kind] += amount
        self.tokens += count(event.get("input_tokens")) + count(event.get("output_tokens"))

    def money(self, prices: Table) -> float | None:
        """What it cost; None where a model has no price."""
        known = [(prices.price(model), tokens) for model, tokens in self.models.items()]
        if any(price is None for price, _ in known):
            return None
        return sum(cost(price, tokens) for price, tokens in known if price is not None)

    def money_at(self, price: Mapping[str, float] | None) -> float | None:
        """What the same tokens would have cost at one price."""
        return None if price is None else sum(cost(price, tokens) for tokens in self.models.values())

    @property
    def main_model(self) -> str | None:
        """The model of most of its tokens."""
        return max(self.models, key=lambda model: self.models[model].total(), default=None)


@frozen(kw_only=True)
class CostLine:
    """One group: both sides, and the money where every model has a price."""

    key: str
    baseline: Side
    routed: Side
    baseline_usd: float | None
    routed_usd: float | None
    saved_usd: float | None

    @property
    def delta(self) -> int:
        return self.routed.tokens - self.baseline.tokens

    @property
    def side(self) -> str:
        """`both`, or the one side that it was seen on."""
        if self.baseline.models and self.routed.models:
            return "both"
        return BASELINE if self.baseline.models else "routed"


@frozen(kw_only=True)
class Costs:
    """Every group, in the order of the report, and the totals over all of them."""

    label: str
    lines: tuple[CostLine, ...]
    total: CostLine
    unpriced: tuple[str, ...]
    prices: Table


def costs(source: Source, found: Iterable[Mapping[str, Any]], by: By, prices: Table) -> Costs:
    """Add events up; groups that were seen on both sides come first, the largest difference first."""
    groups: dict[str, tuple[Side, Side]] = {}
    total = (Side(), Side())
    for event in found:
        key = epoch(event.get("ts"))[1] if by == "day" else str(event.get(by) if event.get(by) is not None else "")
        routed = event.get("routed") is True
        try:
            sides = groups[key]
        except KeyError:
            sides = groups[key] = (Side(), Side())
        sides[routed].add(event)
        total[routed].add(event)
    usual = prices.price(total[0].main_model)
    lines = [_line(key, sides, prices, usual) for key, sides in groups.items()]
    lines.sort(key=lambda line: (line.side != "both", -abs(line.delta), line.key))
    models = {model for side in total for model in side.models}
    unpriced = sorted(str(model) for model in models if prices.price(model) is None)
    saved = [line.saved_usd for line in lines]
    whole = _line("total", total, prices, usual)
    known = None if None in saved else sum(amount for amount in saved if amount is not None)
    return Costs(
        label=source.routed_label,
        lines=tuple(lines),
        total=CostLine(
            key="total",
            baseline=whole.baseline,
            routed=whole.routed,
            baseline_usd=whole.baseline_usd,
            routed_usd=whole.routed_usd,
            saved_usd=known,
        ),
        unpriced=tuple(unpriced),
        prices=prices,
    )


def _line(key: str, sides: tuple[Side, Side], prices: Table, usual: Mapping[str, float] | None) -> CostLine:
    baseline, routed = sides
    routed_usd = routed.money(prices)
    instead = routed.money_at((prices.price(baseline.main_model) if baseline.models else None) or usual)
    return CostLine(
        key=key,
        baseline=baseline,
        routed=routed,
        baseline_usd=baseline.money(prices),
        routed_usd=routed_usd,
        saved_usd=None if instead is None or routed_usd is None else instead - routed_usd,
    )


# --- where the events come from


def telemetry_source(session: Session, name: str | None) -> Source:
    """The source that was named, else the only telemetry source."""
    if name is not None:
        return session.source(name, kinds=["telemetry"])
    known = [source for source in session.registry.sources.values() if source.kind == "telemetry"]
    if not known:
        raise TrackerError("no telemetry source is installed; `tracker plugins list` shows what is")
    if len(known) > 1:
        names = ", ".join(source.name for source in known)
        raise TrackerError(f"there are several telemetry sources ({names}); name one with --source")
    return known[0]


def file_events(session: Session, source: Source, path: str) -> Iterator[Mapping[str, Any]]:
    """The events of a log that is not stored; lines that cannot be read are counted on stderr."""
    ingest_line = session.registry.bind(source.name, "ingest_line")
    scratch: dict[str, Any] = {}
    splitter, rejected = Splitter(), 0
    try:
        stream = sys.stdin.buffer if path == "-" else Path(path).open("rb")  # noqa: SIM115  closed below
    except OSError as error:
        raise TrackerError(f"cannot read {path}: {error.strerror}") from error
    with stream:
        chunks = (*map(splitter.feed, stream_chunks(stream.fileno())), splitter.end())
    for line in (line for lines in chunks for line in lines):
        try:
            if not isinstance(line, bytes):
                raise Rejected("too long")
            yield from ingest_line(line, scratch)
        except Rejected:
            rejected += 1
    if rejected:
        session.warn(f"{rejected} lines of {path} could not be read and are not counted")


def stored_events(session: Session, source: Source, window: str | None) -> Iterator[Mapping[str, Any]]:
    """The stored events of a window, or of all."""
    return events(session, source, None if window is None else [window])


# --- as text and JSON


def csv_lines(found: Costs, by: By, top: int | None) -> Iterator[str]:
    """CSV with the totals as its last line."""
    label = found.label
    yield f"{by},baseline_tokens,{label}_tokens,delta_{label}_minus_base"
    for line in found.lines[:top]:
        yield encode((line.key, line.baseline.tokens, line.routed.tokens, line.delta), "").decode()
    base, routed = found.total.baseline.tokens, found.total.routed.tokens
    share = f"{number(round(100 * routed / (base + routed), 1))}%" if base + routed else "n/a"
    yield f"# totals baseline={base} {label}={routed} {label}_share={share}"


def money_line(found: Costs) -> str:
    """The money in words, or why there is none."""
    if found.unpriced:
        return f"note: no money: no price for {', '.join(name or '(no model)' for name in found.unpriced)}"
    total = found.total
    shown = [("baseline", total.baseline_usd), (found.label, total.routed_usd), ("saved", total.saved_usd)]
    amounts = ", ".join(f"{name} {'n/a' if usd is None else f'${usd:.2f}'}" for name, usd in shown)
    return f"note: at list prices of {found.prices.as_of}: {amounts}"


def document(found: Costs, by: By, top: int | None) -> dict[str, Any]:
    """The comparison as JSON values."""

    def row(line: CostLine) -> dict[str, Any]:
        return {
            by: line.key,
            "side": found.label if line.side == "routed" else line.side,
            "baseline_tokens": line.baseline.tokens,
            f"{found.label}_tokens": line.routed.tokens,
            f"delta_{found.label}_minus_base": line.delta,
            "baseline_usd": line.baseline_usd,
            f"{found.label}_usd": line.routed_usd,
            "saved_usd": line.saved_usd,
        }

    total = row(found.total)
    del total[by], total["side"]
    whole = found.total.baseline.tokens + found.total.routed.tokens
    return {
        "by": by,
        "rows": [row(line) for line in found.lines[:top]],
        "totals": total | {f"{found.label}_share": found.total.routed.tokens / whole if whole else None},
        "unpriced_models": list(found.unpriced),
        "prices": {"as_of": found.prices.as_of, "source": found.prices.source},
    }
