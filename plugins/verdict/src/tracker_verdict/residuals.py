"""Where a meter and the session logs do not agree: rises that no request explains, and requests that moved nothing."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import frozen

from tracker.kernel import iso, number
from tracker_verdict.pieces import Ledger, Piece
from tracker_verdict.rates import Rates

SURE = 0.99
# The median absolute deviation of normal data times this is their standard deviation.
MAD = 1.4826


@frozen(kw_only=True)
class Residual:
    """What a piece moved more than its requests explain (less, if below 0). certainty: None if no request was made."""

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


def residuals(ledger: Ledger, known: Rates) -> list[Residual]:
    """The pieces that differ for sure, the largest first; without a calibration those without any request."""
    found = [Residual(piece=piece, points=piece.points, certainty=None) for piece in ledger.pieces if not piece.dollars]
    if known.fit is not None and not known.why:
        found += _unlikely(known)
    return sorted(found, key=lambda one: -abs(one.points))


def _unlikely(known: Rates) -> Iterator[Residual]:
    from tracker_verdict.stats.distributions import t_cdf

    left = [piece.points - known.points(piece.fresh, piece.cached)[0] for piece in known.pieces]
    # from the median, so that what is looked for does not hide itself
    scaled = [abs(one) / math.sqrt(piece.dollars) for one, piece in zip(left, known.pieces, strict=True)]
    unit = MAD * statistics.median(scaled)
    for one, piece in zip(left, known.pieces, strict=True):
        spread = unit * math.sqrt(piece.dollars)
        if spread <= 0:
            continue
        certainty = 2 * t_cdf(abs(one) / spread, len(known.pieces) - 1) - 1
        if certainty >= SURE and abs(one) >= 1:
            yield Residual(piece=piece, points=one, certainty=certainty)


def lines(ledger: Ledger, known: Rates, found: Sequence[Residual], rows: int) -> Iterator[str]:
    head = f"{ledger.source.name} {ledger.meter} ({ledger.origin})"
    for one in found[:rows]:
        start, end = (datetime.fromtimestamp(at, ledger.local) for at in (one.piece.start, one.piece.end))
        when = f"{start:%Y-%m-%d %H:%M} to {end:%a %H:%M}"
        if one.certainty is None:
            yield f"{head}: {when}: {number(one.points)} points, and no request was logged"
        else:
            way = "more than" if one.points > 0 else "less than"
            sure = f"{100 * min(one.certainty, 0.999):.1f}% sure"
            yield f"{head}: {when}: {number(abs(one.points), 1)} points {way} the requests explain, {sure}"
    if not found:
        yield f"{head}: everything is explained in {number(sum(piece.points for piece in ledger.pieces))} points"
    if known.why:
        yield f"  only rises without any request are listed: it will not calibrate: {'; '.join(known.why)}"
    elif known.fit is not None:
        yield f"  of {len(known.pieces)} rises, {number(0.01 * len(known.pieces), 1)} would look like this by chance"
