"""What a point of a meter buys: points per list-price dollar, or the reasons why that is not known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from importlib.util import find_spec
from typing import Any

import numpy as np
from attrs import evolve, frozen

from tracker.kernel import iso, line, number, plural
from tracker_verdict.accounts import first_of
from tracker_verdict.pieces import DAYS, NEAR, POINTS, Ledger, Piece
from tracker_verdict.silence import ELSEWHERE
from tracker_verdict.stats.calibration import Fit, Interval, Limits, fit, log_rate, scan_p, shared_weight
from tracker_verdict.stats.distributions import t_quantile
from tracker_verdict.unseen import HOUR

PIECES = 8
# with fewer days too many of the tried orders look like any change: none is sure to 1 in 100
SCANNED = 11
WIDEST, HALVES = 1.5, 0.35
ALPHA_REACH = 0.3
SURE = 0.01
SIDE_POINTS = 8.0
# In fewer hours without a request, single points would decide too much about other devices.
SILENT_HOURS = 24
# Of 30 simulated doublings with a rise a day, 11 are found after four weeks and all after twelve; with two, all.
TELLS = "more rises a day (sample more often: `tracker schedule print`) or more weeks will tell the two apart"


@frozen(kw_only=True)
class Change:
    """A change of what a point buys, from `day` on: `ratio` is points per dollar after to before, with its interval."""

    day: date
    p: float
    ratio: Limits


@frozen(kw_only=True)
class Rates:
    """The fit, if `why` is empty. columns: ("fresh", "cached") or ("dollars",), and "elsewhere" per hour.

    alpha: what a dollar of cache reads counts to one of fresh tokens; its limits are None if there are no finite ones.
    """

    ledger: Ledger
    pieces: Sequence[Piece]
    why: tuple[str, ...]
    change: Change | None = None
    fit: Fit | None = None
    columns: tuple[str, ...] = ()
    alpha: tuple[float, Interval | None] | None = None
    assumes: tuple[str, ...] = ()

    @property
    def per(self) -> dict[str, Limits]:
        """Points per dollar, or hour, of each column; less than nothing is within some limits, and never true."""
        found = self.fit.limits() if self.fit is not None and not self.why else []
        return {
            name: (max(middle, 0.0), max(low, 0.0), max(high, 0.0))
            for name, (middle, low, high) in zip(self.columns, found, strict=False)
        }

    def points(self, fresh: float, cached: float) -> Limits:
        """What some dollars took of the meter, with limits."""
        assert self.fit is not None
        return self.fit.points(_row(self.columns, fresh, cached, 0.0))


def _row(columns: Sequence[str], fresh: float, cached: float, awake: float) -> list[float]:
    amounts = {"fresh": fresh, "cached": cached, "dollars": fresh + cached, "elsewhere": awake}
    return [amounts[name] for name in columns]


def rates(ledger: Ledger) -> Rates:
    pieces = priced(ledger)
    known = Rates(ledger=ledger, pieces=pieces, why=tuple(_missing(ledger, pieces)))
    if known.why:
        return known
    change, doubt = changed(known)
    if doubt:
        return evolve(known, why=(f"it is not known whether a point buys more or less than before: {doubt}",))
    if change is not None:
        pieces = [piece for piece in pieces if piece.day >= change.day]
        known = evolve(known, change=change, pieces=pieces)
        if max(piece.day for piece in pieces) - change.day < timedelta(days=NEAR):
            return evolve(known, why=(f"what a point buys changed on {change.day}; wait until 3 days after that",))
        if why := tuple(_missing(ledger, pieces)):
            return evolve(known, why=tuple(f"since the change on {change.day}: {one}" for one in why))
    known = _fitted(known)
    return evolve(known, why=tuple(_doubts(known)))


def priced(ledger: Ledger) -> list[Piece]:
    """The pieces with requests, each of which has a price: the money of the others is not known."""
    return [piece for piece in ledger.pieces if piece.dollars > 0 and not piece.bare]


def unknowable(ledger: Ledger, pieces: Sequence[Piece]) -> Iterator[str]:
    """What no further days would cure."""
    if ledger.unpriced > 0.01:
        models = Counter(event.model or "(no model)" for event in ledger.events if event.fresh is None)
        named = (f"{line(model)} ({plural(count, 'request')})" for model, count in models.most_common())
        cure = "" if find_spec("genai_prices") else "install genai-prices, or "
        yield (
            f"{ledger.unpriced:.0%} of the tokens have no list price: {first_of(named, len(models), 3)};"
            f" {cure}add your own to the file that `tracker usage` names"
        )
    if not pieces:
        none = "no request with a list price was logged while it rose; `tracker usage` shows what was logged"
        yield left_out(ledger) or none
    elif ledger.elsewhere is not None and ledger.elsewhere > ELSEWHERE:
        yield f"{ledger.elsewhere:.0%} of its rise came while no request was logged here; the limit is 25%"


def left_out(ledger: Ledger) -> str:
    """`on 3 of 14 days other requests are known only as daily totals, ...`; empty if there is no such day."""
    if not ledger.unseen:
        return ""
    these = f"{ledger.unseen} of {plural(ledger.days, 'day')}"
    return f"on {these} other requests are known only as daily totals, such as from deleted files or another machine"


def _missing(ledger: Ledger, pieces: Sequence[Piece]) -> Iterator[str]:
    """What is too little, and how much is needed."""
    points, days = sum(piece.own for piece in pieces), len({piece.day for piece in pieces})
    yield from unknowable(ledger, pieces)
    if not pieces:
        return
    if (points < POINTS or days < DAYS) and ledger.unseen:
        yield left_out(ledger)
    if points < POINTS:
        yield f"{number(points)} points so far; {POINTS} are needed"
    if days < DAYS:
        yield f"{plural(days, 'day')} so far; {DAYS} are needed"
    if len(pieces) < PIECES:
        yield f"{plural(len(pieces), 'rise')} of 2 or more points so far; {PIECES} are needed"
    if sum(piece.step > 2 for piece in pieces) * 2 > len(pieces):
        yield "most readings are over 2 points apart; sample more often (`tracker schedule print`)"
    if not any(reading.reset_at for reading in ledger.readings):
        yield "no reading shows a reset time, so the meter may be a rolling window"


def _fitted(known: Rates) -> Rates:
    """The fit: cache reads with a rate of their own if that is known, else all dollars together."""
    pieces, days = known.pieces, [piece.day.toordinal() for piece in known.pieces]
    more = ("elsewhere",) if known.ledger.elsewhere is not None and _is_told(pieces, "awake") else ()
    # hours without requests must not weigh without limit
    least = 0.05 * sum(piece.dollars for piece in pieces) / len(pieces)
    weights = [1 / max(piece.dollars, least) for piece in pieces]

    def solved(columns: tuple[str, ...]) -> Fit | None:
        """None if the columns cannot be told apart without some day, such as if all requests are alike."""
        rows = [_row(columns, piece.fresh, piece.cached, piece.awake) for piece in pieces]
        # the column takes what rises in the hours that it counts
        points = [piece.points - piece.asleep if "elsewhere" in columns else piece.own for piece in pieces]
        with suppress(np.linalg.LinAlgError):
            # hours as a column must have weight as well: by dollars alone, a piece with few of them weighs too much
            return fit(points, rows, days, weights=None if "elsewhere" in columns else weights)
        return None

    assumes = () if more else (assumed(known.ledger),)
    # other devices give nothing back
    if more and (found := solved(("dollars", *more))) and found.slopes[-1] < 0:
        more = ()
    assumes = (*assumes, *_whose(known.ledger))
    alpha = None
    two = ("fresh", "cached", *more)
    if _is_told(pieces, "cached") and (found := solved(two)):
        alpha = found.ratio()
        _, reach = alpha
        if reach and reach[1] - reach[0] <= 2 * ALPHA_REACH:
            return evolve(known, fit=found, columns=two, alpha=alpha, assumes=assumes)
        spread = f"{reach[0]:.1f} to {reach[1]:.1f}" if reach else "no limits"
        assumes = (*assumes, f"cache reads count at list price: their own rate is not known yet ({spread})")
    one: tuple[str, ...] = ("dollars", *more)
    if (summed := solved(one)) is None:
        one, summed = ("dollars",), solved(("dollars",))
    return evolve(known, fit=summed, columns=one, alpha=alpha, assumes=assumes)


def _whose(ledger: Ledger) -> Iterator[str]:
    """The assumption by which requests are those of one of several accounts."""
    if ledger.is_named:
        yield "in the session logs, this account is the one whose requests its readings follow"
    elif ledger.account:
        yield "requests between two readings of this account are its own if no other account was read in between"


def assumed(ledger: Ledger) -> str:
    """The assumption about other devices of a history that does not show them."""
    when = " at the other times" if ledger.unseen else ""
    when += " while requests are made here" if any(piece.silent for piece in ledger.pieces) else ""
    return f"nothing else uses this account{when} (unchecked: {ledger.unheard or 'too few days have idle hours'})"


def _is_told(pieces: Sequence[Piece], name: str) -> bool:
    """Whether there is something of a kind on several days: a fit leaves each of them out in turn."""
    return len({piece.day for piece in pieces if getattr(piece, name) > 0}) > 1


def _doubts(known: Rates) -> Iterator[str]:
    """Why a fit is not good enough."""
    assert known.fit is not None
    (_, low, high), *more = known.fit.limits()
    if low <= 0 or high / low > WIDEST**2:
        yield f"the interval is wider than a factor of 1.5 either way ({low:.3g} to {high:.3g}); more days are needed"
    weight = 1.0
    if "cached" in known.columns and known.alpha:
        # else work with fewer cache reads would look like a change of the meter
        weight = max(known.alpha[0], 0.0)
        _, low, high = more[0]
        if high < 0:
            yield f"cache reads would cost less than nothing ({low:.3g} to {high:.3g} points per dollar)"
    ordered = sorted(known.pieces, key=lambda piece: piece.start)
    halves = ordered[: len(ordered) // 2], ordered[len(ordered) // 2 :]
    a, b = (
        sum(piece.own for piece in half) / sum(piece.fresh + weight * piece.cached for piece in half) for half in halves
    )
    if min(a, b) <= 0:
        yield "in one half of the time no rise came with requests"
    elif max(a, b) / min(a, b) - 1 > HALVES:
        yield f"the two halves of the time differ by {max(a, b) / min(a, b) - 1:.0%}; at most 35% can be chance"


def changed(known: Rates) -> tuple[Change | None, str]:
    """The change among days, if it is sure given what cache reads count on both sides of it; or why it is in doubt.

    Else work with fewer cache reads would look like a change of the meter. If the days do not show it, both may be.
    """
    pieces, found = known.pieces, _scanned(known.pieces, 1.0)
    if found is not None and (doubt := _elsewhere_too(known, found)):
        return None, doubt
    if found is None or not _is_told(pieces, "cached"):
        return found, ""
    weight, reach = shared_weight(
        [piece.own for piece in pieces],
        [piece.fresh for piece in pieces],
        [piece.cached for piece in pieces],
        [piece.day >= found.day for piece in pieces],
        [piece.day.toordinal() for piece in pieces],
    )
    if reach <= ALPHA_REACH:
        return _scanned(pieces, weight), ""
    fitted = _fitted(known).alpha
    if _scanned(pieces, max(fitted[0], 0.0) if fitted else 1.0) is None:
        return None, f"around {found.day} the share of cache reads changed as well; {TELLS}"
    return found, ""


def elsewhere_at(ledger: Ledger, change: Change) -> tuple[float, float] | None:
    """The points that rise in an hour without a request, before a change and since; None for too few such hours."""
    sides = _silent(ledger, change)
    if min(hours for _, hours in sides) < SILENT_HOURS:
        return None
    before, after = (points / hours for points, hours in sides)
    return before, after


def _silent(ledger: Ledger, change: Change) -> list[list[float]]:
    """The points that rise without a request, and the hours, before a change and since."""
    sides = [[0.0, 0.0], [0.0, 0.0]]
    for start, end, points in ledger.silences:
        side = sides[datetime.fromtimestamp(end, ledger.local).date() >= change.day]
        side[0], side[1] = side[0] + points, side[1] + (end - start) / HOUR
    return sides


def _elsewhere_too(known: Rates, change: Change) -> str:
    """Why a change may come from other devices: once their use in all hours is subtracted, no such change is left.

    Few points without a request leave their rate uncertain, and the scan may split the days next to the true change:
    the second round splits them where the rest changed.
    """
    sign, parted = math.copysign(1, math.log(change.ratio[0])), change
    for _ in range(2):
        found = elsewhere_at(known.ledger, parted)
        if found is None or found[1] == found[0]:
            return ""
        reach = [sign * 2 * math.sqrt(points + 1) / hours for points, hours in _silent(known.ledger, parted)]
        least = max(found[0] - reach[0], 0.0), max(found[1] + reach[1], 0.0)
        rest = [
            evolve(piece, points=max(piece.points - least[piece.day >= parted.day] * piece.hours, 0.0), silent=0.0)
            for piece in known.pieces
        ]
        left = _scanned(rest, 1.0)
        if left is None or math.log(left.ratio[0]) * sign < 0:
            return (
                f"around {change.day} the rise without requests changed as well, from {found[0]:.2g} to {found[1]:.2g}"
                " points an hour, and other devices may use as much during requests; days on which they are idle will"
                " tell the two apart"
            )
        parted = left
    return ""


def _scanned(pieces: Sequence[Piece], weight: float) -> Change | None:
    """The change that the scan finds, if it is sure. weight: that of a dollar of cache reads."""
    days = sorted({piece.day for piece in pieces})
    if len(days) < SCANNED:
        return None
    points = [sum(piece.own for piece in pieces if piece.day == day) for day in days]
    dollars = [sum(piece.fresh + weight * piece.cached for piece in pieces if piece.day == day) for day in days]
    _, first, p = scan_p(points, dollars, least_points=SIDE_POINTS)
    if p > SURE or not first:
        return None
    before, variance_before = log_rate(np.array(points[:first]), np.array(dollars[:first]))
    after, variance_after = log_rate(np.array(points[first:]), np.array(dollars[first:]))
    # points per dollar after to before, with an interval at 95 % on the logarithmic scale
    middle = float(after - before)
    reach = t_quantile(0.025, len(days) - 2) * math.sqrt(variance_before + variance_after)
    return Change(
        day=days[first],
        p=p,
        ratio=(math.exp(middle), math.exp(middle - reach), math.exp(middle + reach)),
    )


def document(known: Rates) -> dict[str, Any]:
    return {
        "provider": known.ledger.source.name,
        "meter": known.ledger.meter,
        "account": known.ledger.account,
        "origin": known.ledger.origin,
        "until": known.ledger.until and iso(known.ledger.until),
        "behind": len(known.ledger.behind),
        "points": sum(piece.points for piece in known.pieces),
        "days": len({piece.day for piece in known.pieces}),
        "days_left_out": known.ledger.unseen,
        "silent": sum(piece.silent for piece in known.pieces),
        "elsewhere": known.ledger.elsewhere,
        "why_not": list(known.why),
        "assumes": list(known.assumes),
        "since": known.change and str(known.change.day),
        "points_per": {name: list(row) for name, row in known.per.items()},
        "cache_read_share": known.alpha and [known.alpha[0], *(known.alpha[1] or (None, None))],
    }
