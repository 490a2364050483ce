"""How much of a meter each project, session or window used, by the calibration."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from typing import Any, NamedTuple

from tracker.api import UsageEvent
from tracker.kernel import Session, Windows, number, plural
from tracker_verdict.accounts import first_of
from tracker_verdict.pieces import Ledger
from tracker_verdict.rates import Rates, left_out
from tracker_verdict.rates import document as rates_document
from tracker_verdict.residuals import unmoved

KINDS = ("input", "cache read", "5-minute cache write", "1-hour cache write", "output")
UNNAMED = "(none)"


class Shares(NamedTuple):
    """The points that each took, the largest first, with limits: those of the mean rate of all.

    cut: those that also have requests before `start`, when the fitted time begins; before: those with no later ones.
    """

    found: list[tuple[str, tuple[float, float, float]]]
    start: float = 0.0
    cut: Set[str] = frozenset()
    before: Sequence[str] = ()


def shares(session: Session, known: Rates, by: str) -> Shares:
    """What each used by the requests of the fitted time, without those made while the meter was full or stood still."""
    start, begin = known.pieces[0].start, known.ledger.readings[0].at.timestamp()
    spans = _spans(session, known.ledger.source.name) if by == "window" else []
    # requests before the first reading are not known here
    early = {window for first, last, window in spans if first < begin < last}
    sums: dict[str, list[float]] = {}
    for event in _moving(known):
        if event.fresh is None or event.cached is None:
            continue
        if by == "window":
            names = [window for first, last, window in spans if first < event.at <= last] or [UNNAMED]
            # what two windows share is nobody's
            name = names[0] if len(names) == 1 else "+".join(sorted(names))
        else:
            name = (event.project if by == "project" else event.session) or UNNAMED
        if event.at <= start:
            early.add(name)
            continue
        own = sums.setdefault(name, [0.0, 0.0])
        own[0] += event.fresh
        own[1] += event.cached
    found = sorted(((name, known.points(*own)) for name, own in sums.items()), key=lambda share: -share[1][0])
    # of a project, and of what has no name, nobody expects the whole
    early = set() if by == "project" else early - {UNNAMED}
    return Shares(found, start, early & sums.keys(), sorted(early - sums.keys()))


def _moving(known: Rates) -> list[UsageEvent]:
    """The requests that moved the meter as far as the readings tell."""
    still = [one.piece for one in unmoved(known)]
    return [one for one in known.ledger.moving if not any(piece.start < one.at <= piece.end for piece in still)]


def _spans(session: Session, provider: str) -> list[tuple[float, float, str]]:
    """From when to when each window was measured, without an end if it has none, in epoch seconds."""
    groups = {key: group for key, group in Windows(session).captures().items() if key[1] == provider}
    return [
        (begin.timestamp(), end.timestamp() if end else math.inf, window)
        for window, (begin, end) in Windows(session).spans((), groups).items()
    ]


def document(session: Session, known: Rates, by: str) -> dict[str, Any]:
    own = Shares([]) if known.why else shares(session, known, by)
    rows = [
        {"name": name, "points": points, "low": low, "high": high, "is_cut": name in own.cut}
        for name, (points, low, high) in own.found
    ]
    return {"shares": rows, "before": list(own.before)}


def lines(session: Session, known: Rates, by: str, rows: int) -> Iterator[str]:
    """The calibration in words, the points per million tokens of each model, and what took how much."""
    ledger = known.ledger
    head = ledger.title
    if known.why or known.fit is None:
        yield f"{head}: will not calibrate: {'; '.join(known.why)}"
        return
    data = rates_document(known)
    since = f" since {data['since']}" if data["since"] else ""
    yield f"{head}: {number(data['points'])} points on {data['days']} days{since}"
    names = {"fresh": "of tokens other than cache reads", "cached": "of cache reads", "dollars": "of tokens"}
    per = known.per
    for name, what in names.items():
        if name in per:
            middle, low, high = per[name]
            buys = f": a point buys ${1 / middle:,.2f}" if name == "dollars" and middle else ""
            yield f"  {middle:.3g} points per list-price dollar {what} ({low:.3g} to {high:.3g}){buys}"
    if ledger.elsewhere:
        hourly = ""
        if "elsewhere" in per:
            hourly = " ({:.2g} points per working hour, {:.2g} to {:.2g})".format(*per["elsewhere"])
        yield f"  other devices: about {ledger.elsewhere:.0%} of the rise{hourly}"
    for assumed in known.assumes:
        yield f"  assuming: {assumed}"
    yield from _models(known)
    if ledger.behind:
        yield f"  {behind(ledger)} left out"
    if ledger.unseen:
        yield f"  {left_out(ledger)}: rises in that time are left out"
    if silent := sum(piece.silent for piece in known.pieces):
        yield f"  {number(silent)} points rose without a request and are in no share"
    if bare := sum(piece.points for piece in ledger.pieces if piece.bare):
        yield f"  {number(bare)} points are left out: some of their requests have no list price"
    if full := len(ledger.events) - len(ledger.moving):
        yield f"  {plural(full, 'request')} made while the meter was full moved nothing: left out"
    if still := len(ledger.moving) - len(_moving(known)):
        when = "`tracker meters reconcile` shows when"
        yield f"  {plural(still, 'request')} made while the meter stood still: left out; {when}"
    yield from _listed(known, shares(session, known, by), by, rows)


def _listed(known: Rates, own: Shares, by: str, rows: int) -> Iterator[str]:
    begin = f"{datetime.fromtimestamp(own.start, known.ledger.local):%Y-%m-%d %H:%M}"
    if own.found:
        spread = f"the ranges ignore how much points per dollar differ between {by}s"
        yield f"  since {begin}, by list price alone: {spread}"
    for name, (middle, low, high) in own.found[:rows]:
        part = f" since {begin}, not the whole {by}" if name in own.cut else ""
        yield f"  {name}: {number(middle, 1)} points ({number(low, 1)} to {number(high, 1)}){part}"
    if len(own.found) > rows:
        yield f"  and {len(own.found) - rows} more: `--rows {len(own.found)}` lists them"
    if own.before:
        count = len(own.before)
        yield f"  {plural(count, by)} before {begin}, when the fit begins: {first_of(own.before, count, 3)}"


def behind(ledger: Ledger) -> str:
    """`12 requests after the last reading (2026-11-20 18:03) are`"""
    assert ledger.until is not None
    count = len(ledger.behind)
    when = f"{ledger.until.astimezone(ledger.local):%Y-%m-%d %H:%M}"
    return f"{plural(count, 'request')} after the last reading ({when}) {'is' if count == 1 else 'are'}"


def _models(known: Rates) -> Iterator[str]:
    assert known.fit is not None
    models = {event.model: event.prices for event in known.ledger.events if event.prices}
    for model, prices in sorted(models.items()):
        assert prices is not None
        each = []
        for place, (kind, price) in enumerate(zip(KINDS, prices, strict=True)):
            dollars = price * 1e6
            middle = known.points(0.0, dollars)[0] if place == 1 else known.points(dollars, 0.0)[0]
            each.append(f"{kind} {middle:.2g}")
        yield f"  {model}, points per million tokens: {', '.join(each)}"
