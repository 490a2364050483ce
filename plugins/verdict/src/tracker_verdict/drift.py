"""Whether a point of a meter buys less than before, and what else changed then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import frozen

from tracker.kernel import iso, line, plural
from tracker_verdict.accounts import alike, first_of
from tracker_verdict.pieces import Ledger
from tracker_verdict.rates import SCANNED, Change, Rates, assumed, changed, elsewhere_at, left_out, priced, unknowable
from tracker_verdict.shares import behind

DAY = timedelta(days=1)


@frozen(kw_only=True)
class Drift:
    """The change, if one is sure, and what was new since then; `why`: why it cannot tell.

    has_looked: whether the days were compared at all.
    """

    ledger: Ledger
    days: int
    change: Change | None
    new: Sequence[str] = ()
    why: str | None = None
    has_looked: bool = True

    def document(self) -> dict[str, Any]:
        change = self.change
        return {
            "provider": self.ledger.source.name,
            "meter": self.ledger.meter,
            "account": self.ledger.account,
            "until": self.ledger.until and iso(self.ledger.until),
            "behind": len(self.ledger.behind),
            "days": self.days,
            "days_left_out": self.ledger.unseen,
            "since": change and str(change.day),
            "p": change and change.p,
            "ratio": change and list(change.ratio),
            "new": list(self.new),
            "assumes": [] if self.ledger.elsewhere is not None else [assumed(self.ledger)],
            "why_not": self.why,
        }


def drift(ledger: Ledger) -> Drift:
    """Look for a change among the days with requests."""
    pieces = priced(ledger)
    days = len({piece.day for piece in pieces})
    why = list(unknowable(ledger, pieces))
    if not why and days < SCANNED:
        why += [left_out(ledger)] if ledger.unseen else []
        why.append(f"{plural(days, 'day')} so far; {SCANNED} are needed")
    if why:
        return Drift(ledger=ledger, days=days, change=None, why="; ".join(why), has_looked=False)
    change, doubt = changed(Rates(ledger=ledger, pieces=pieces, why=()))
    if change is None and not doubt and ledger.is_old:
        doubt = f"{behind(ledger)} not compared; read the meter again with `tracker sync`"
    new = tuple(_new(ledger, change)) if change else ()
    return Drift(ledger=ledger, days=days, change=change, new=new, why=doubt or None)


def _new(ledger: Ledger, change: Change) -> Iterator[str]:
    """Plans and clients that were seen since the day before the change, and not earlier; models and cache reads.

    The scan may find a change on the day after, if that is the first whole one.
    """
    # a pane and JSON, which one origin may show, have words of their own for a plan
    yield from _added("plan", ((one.at, one.plan) for one in ledger.readings), ledger, change, alike)
    clients = [(one.at, one.client) for one in ledger.readings]
    clients += [(datetime.fromtimestamp(one.at, UTC), one.client) for one in ledger.events]
    yield from _added("client", clients, ledger, change, str.__eq__)
    money = defaultdict[str, float](float), defaultdict[str, float](float)
    cached: list[float] = [0.0, 0.0]
    bare: tuple[set[str], set[str]] = set(), set()
    for event in ledger.events:
        is_after = datetime.fromtimestamp(event.at, ledger.local).date() >= change.day
        money[is_after][event.model] += (event.fresh or 0.0) + (event.cached or 0.0)
        cached[is_after] += event.cached or 0.0
        if event.fresh is None:
            bare[is_after].add(event.model or "(none)")
    totals = [sum(side.values()) or 1.0 for side in money]
    for model in sorted(money[0] | money[1]):
        before, after = (side[model] / total for side, total in zip(money, totals, strict=True))
        if abs(after - before) >= 0.1:
            yield f"model {model or '(none)'} from {before:.0%} to {after:.0%} of the money"
    if new := sorted(bare[1] - bare[0]):
        yield f"requests without a list price ({', '.join(map(line, new))})"
    if (rates := elsewhere_at(ledger, change)) and abs(rates[1] - rates[0]) > 0.1 * max(rates):
        yield f"other devices from {rates[0]:.2g} to {rates[1]:.2g} points an hour without a request"
    before, after = (read / total for read, total in zip(cached, totals, strict=True))
    if abs(after - before) >= 0.1:
        yield f"cache reads from {before:.0%} to {after:.0%} of the money"


def _added(
    name: str,
    seen: Iterable[tuple[datetime, str | None]],
    ledger: Ledger,
    change: Change,
    is_one: Callable[[str, str], bool],
) -> Iterator[str]:
    """What was seen since the day before a change, and not earlier."""
    sides: tuple[set[str], set[str]] = set(), set()
    for at, found in seen:
        if found:
            sides[at.astimezone(ledger.local).date() >= change.day - DAY].add(found)
    added = sorted(one for one in sides[1] if not any(is_one(one, other) for other in sides[0]))
    if added:
        yield f"{name} {first_of(added, len(added), 3)}"


def lines(found: Drift) -> Iterator[str]:
    head = found.ledger.title
    if found.why is not None:
        yield f"{head}: cannot tell: {found.why}"
    elif found.change is None:
        yield f"{head}: no change found in {plural(found.days, 'day')}"
    else:
        middle, low, high = found.change.ratio
        yield (
            f"{head}: since {found.change.day} a dollar of tokens costs {middle:.2f} times as many points as"
            f" before ({low:.2f} to {high:.2f}; p {found.change.p:.3f}, false alarms 1 in 100)"
        )
        yield f"  new since then: {'; '.join(found.new) or 'nothing known'}"
        if found.ledger.is_old:
            yield f"  {behind(found.ledger)} not compared"
        if found.ledger.elsewhere is None:
            yield f"  assuming: {assumed(found.ledger)}"
    if found.why is None and found.ledger.unseen:
        yield f"  {left_out(found.ledger)}: rises in that time are not compared"
