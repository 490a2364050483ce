"""Where a meter and the session logs do not agree: rises that no request explains, and requests that moved nothing."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from attrs import evolve, frozen

from tracker.api import Cell, Column
from tracker.kernel import iso, number, plural
from tracker_verdict.pieces import Ledger, Piece
from tracker_verdict.rates import Rates, left_out

SURE = 0.99
# From a normal distribution on. Heavier tails than the last one's are the rises that are searched for: with tails as
# heavy as theirs, four rises of 6 points among 100 of 2 hid themselves.
DEGREES = (1000.0, 30.0, 15.0, 10.0, 8.0, 6.0, 5.0, 4.0, 3.5, 3.0, 2.5)


@frozen(kw_only=True)
class Residual:
    """What a piece moved more than its requests explain (less, if below 0). certainty: None if none was logged."""

    piece: Piece
    points: float
    certainty: float | None

    def document(self) -> dict[str, Any]:
        return {
            "from": iso(datetime.fromtimestamp(self.piece.start, UTC)),
            "to": iso(datetime.fromtimestamp(self.piece.end, UTC)),
            "moved": self.piece.points,
            "unexplained": round(self.points, 3),
            "certainty": self.certainty,
        }


def document(known: Rates) -> dict[str, Any]:
    return {
        "provider": known.ledger.source.name,
        "meter": known.ledger.meter,
        "account": known.ledger.account,
        "why_not": list(known.why),
        "days_left_out": known.ledger.unseen,
        "residuals": [one.document() for one in residuals(known)],
        "unpriced": unpriced(known.ledger),
    }


def residuals(known: Rates) -> list[Residual]:
    """The pieces that differ for sure, the largest first, and every rise without a request.

    What requests without a price took is not known: a piece with one of them is not judged.
    """
    found = [Residual(piece=piece, points=piece.points, certainty=None) for piece in _silent(known.ledger)]
    found += [one for one in _judged(known, known.pieces) if abs(one.points) >= 1]
    return sorted([*found, *unmoved(known)], key=lambda one: -abs(one.points))


def _silent(ledger: Ledger) -> Iterator[Piece]:
    """Every rise without a request; those of one day, without a request in between, are one."""
    long = [one for one in ledger.pieces if not one.requests and not one.silent]
    times = [event.at for event in ledger.events]
    for _, group in groupby(ledger.quiet, key=lambda one: (bisect_right(times, one.end), one.day)):
        rises = list(group)
        yield evolve(rises[-1], start=rises[0].start, points=sum(one.points for one in rises))
    yield from long


def unmoved(known: Rates) -> list[Residual]:
    """The stretches before the first and after the last piece between resets that surely moved too little."""
    start = known.pieces[0].start if known.pieces else math.inf
    rests = [one for one in known.ledger.rests if one.start >= start]
    return [one for one in _judged(known, rests) if one.points <= -1]


def _judged(known: Rates, pieces: Sequence[Piece]) -> Iterator[Residual]:
    """The pieces that moved more or less than their requests explain for sure."""
    from tracker_verdict.stats.distributions import t_cdf

    if known.fit is None or known.why:
        return

    def off(piece: Piece) -> float:
        return (piece.own - known.points(piece.fresh, piece.cached)[0]) / math.sqrt(piece.dollars)

    # what is searched for raises the rate, so that most pieces seem to have moved too little
    usual = statistics.median(map(off, known.pieces))
    every = [off(piece) - usual for piece in known.pieces]
    spreads = {
        is_more: _spread([abs(one) for one in every if (one > 0) == is_more] or [0.0]) for is_more in (True, False)
    }
    for piece in pieces:
        if piece.bare or not piece.dollars:
            continue
        size = off(piece) - usual
        unit, df = spreads[size > 0]
        certainty = 2 * t_cdf(abs(size) / unit, df) - 1 if unit else 0.0
        if certainty >= SURE:
            yield Residual(piece=piece, points=size * math.sqrt(piece.dollars), certainty=certainty)


def _spread(sizes: Sequence[float]) -> tuple[float, float]:
    """The scale and the degrees of freedom of a t distribution with the median and the ninth decile of `sizes`.

    Points per dollar differ from turn to turn, and a piece often ends with an expensive turn, so some sizes are large,
    mostly those of pieces that rose more. What is searched for mostly lies above the decile.
    """
    from tracker_verdict.stats.distributions import t_quantile

    middle, high = statistics.median(sizes), statistics.quantiles([*sizes, *sizes], n=10, method="inclusive")[-1]
    df = next((df for df in DEGREES if t_quantile(0.05, df) * middle >= t_quantile(0.25, df) * high), DEGREES[-1])
    df = min(df, max(len(sizes) - 1, 1))
    return middle / t_quantile(0.25, df), df


def unpriced(ledger: Ledger) -> dict[str, Any]:
    """The pieces that are not judged because requests in them have no price, and the models of those requests."""
    pieces = [piece for piece in ledger.pieces if piece.bare]
    models = Counter(model or "unknown" for piece in pieces for model in piece.bare)
    return {"rises": len(pieces), "moved": sum(piece.points for piece in pieces), "requests": dict(models)}


COLUMNS = (
    Column(key="meter", title="Meter", rank=0),
    Column(key="from", title="From", kind="instant", rank=0),
    Column(key="to", title="To", kind="instant", rank=3),
    Column(key="points", title="Points", kind="number", rank=0),
    Column(key="what", title="Requests"),
    Column(key="sure", title="Sure, %", kind="number", rank=2),
)


def table(known: Rates, found: Sequence[Residual], rows: int) -> list[dict[str, Cell]]:
    """The largest for a terminal."""
    return [
        {
            "meter": f"{known.ledger.source.name} {known.ledger.meter}",
            "from": datetime.fromtimestamp(one.piece.start, UTC),
            "to": datetime.fromtimestamp(one.piece.end, UTC),
            "points": round(abs(one.points), 1),
            "what": "none" if one.certainty is None else "explain less" if one.points > 0 else "explain more",
            "sure": None if one.certainty is None else round(100 * min(one.certainty, 0.999), 1),
        }
        for one in found[:rows]
    ]


def listed(known: Rates, found: Sequence[Residual], rows: int) -> Iterator[str]:
    """The largest as text."""
    head, local = known.ledger.title, known.ledger.local
    for one in found[:rows]:
        start, end = (datetime.fromtimestamp(at, local) for at in (one.piece.start, one.piece.end))
        when = f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M %Z}"
        if one.certainty is None:
            yield f"{head}: {when}: {number(one.points)} point{'s' * (one.points != 1)}, and no request was logged"
        else:
            way = "more than" if one.points > 0 else "less than"
            sure = f"{100 * min(one.certainty, 0.999):.1f}% sure"
            yield f"{head}: {when}: {number(abs(one.points), 1)} points {way} the requests explain, {sure}"


def summary(known: Rates, found: Sequence[Residual], rows: int) -> Iterator[str]:
    """What the list leaves out, and what it rests on."""
    ledger, head = known.ledger, known.ledger.title
    if len(found) > rows:
        yield f"{head}: {len(found) - rows} more: `--rows {len(found)}` lists them"
    bare = unpriced(ledger)
    judged = number(sum(piece.points for piece in ledger.pieces if not piece.bare))
    if not found and known.why:
        yield f"{head}: none of {judged} points rose without a request"
    elif not found:
        yield f"{head}: no rise among {judged} points surely differs from what the requests explain"
    if ledger.unseen and left_out(ledger) not in known.why:
        yield f"{head}: {left_out(ledger)}: rises in that time are not judged"
    if bare["rises"]:
        models = ", ".join(f"{model} {number(count)}" for model, count in bare["requests"].items())
        these = plural(sum(bare["requests"].values()), "request")
        points = f"{number(bare['moved'])} points are not judged"
        yield f"{head}: {points}, because of {these} without a list price ({models})"
    if known.why:
        yield f"  only rises without a request are listed, since the meter will not calibrate: {'; '.join(known.why)}"
    elif known.fit is not None:
        count = len(known.pieces)
        yield f"  of {plural(count, 'rise')}, {number((1 - SURE) * count, 1)} would look like this by chance"
