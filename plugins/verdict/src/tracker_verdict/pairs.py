"""Pairs of windows in which chance decides who goes first: planned by `plan --pairs`, certified by `compare`."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen

from tracker.api import instant
from tracker.kernel import Session, Windows, canonical, plural, stamp
from tracker_verdict.current_meters import SKEW
from tracker_verdict.overlaps import Groups
from tracker_verdict.stats.evidence import signflip
from tracker_verdict.tally import Figures

PAIRS = "pairs"


@frozen(kw_only=True)
class PlannedPair:
    """One pair: both windows, by provider in the order in which they are to be measured; whether both are finalized.

    is_followed: not if their BEFOREs tell another order, or that they are older than the draw.
    """

    windows: Mapping[str, str]
    is_finished: bool
    is_followed: bool


@frozen(kw_only=True)
class Certificate:
    """What the finished pairs say: exactly, whatever the days were like, if all were measured as they were drawn.

    evidence: against equality, two-sided; None without a pair. favours: ``a`` or ``b``. open: planned pairs that are
    not finished. left_out: those that are, but not selected, or a window of theirs does not count or is of another
    provider. strayed: how many of the pairs were not measured as drawn.
    """

    pairs: int
    open: int
    left_out: int
    evidence: float | None
    favours: str | None
    strayed: int


def plan(session: Session, names: tuple[str, str], count: int) -> list[dict[str, Any]]:
    """Draw an order for each pair and store it before anything is measured; the records."""
    seed, plan_id = secrets.randbits(64), secrets.token_hex(2)
    chance, records = random.Random(seed), []
    for at in range(1, count + 1):
        order = list(names)
        chance.shuffle(order)
        record = stamp(
            window=None,
            provider=None,
            captured_at=session.now,
            source="plan",
            agent_id=session.lane,
            plan=plan_id,
            pair=at,
            order=order,
            windows={name: f"P{plan_id}-{at:02d}{part}" for name, part in zip(order, "ab", strict=True)},
            seed=str(seed),
        )
        records.append(record)
    if session.dry_run:
        session.data(records)
        return records
    with session.journal.lock("tracker plan --pairs"):
        session.journal.append(PAIRS, records)
    return records


def planned(session: Session) -> list[PlannedPair]:
    drawn = []
    for entry in session.index.entries(PAIRS):
        own = entry.record.get("windows")
        # a file may be edited
        if isinstance(own, dict) and len(own) == 2 and all(isinstance(one, str) for one in own.values()):
            drawn.append((own, instant(entry.record.get("captured_at"))))
    windows = [window for own, _ in drawn for window in own.values()]
    done, groups = Windows(session).finalized(windows).keys(), Windows(session).captures(windows)
    return [
        PlannedPair(windows=own, is_finished=done >= {*own.values()}, is_followed=_is_followed(own, at, groups))
        for own, at in drawn
    ]


def _is_followed(windows: Mapping[str, str], drawn: datetime | None, groups: Groups) -> bool:
    """Whether the windows began in their order, after the draw; True if no capture says otherwise."""
    befores = [canonical(groups.get((window, name), ())).before for name, window in windows.items()]
    times = [drawn and drawn - SKEW, *(one and one.captured_at for one in befores)]
    known = [one for one in times if one is not None]
    return known == sorted(known)


def certificate(
    known: list[PlannedPair], sides: tuple[Figures, Figures], worth: tuple[float, float]
) -> Certificate | None:
    """The certificate of two providers' finished pairs; None without any.

    Idle windows count, though they say nothing about a rate: leaving out a pair breaks the certificate.
    """
    own = [one for one in known if one.windows.keys() == {side.source.name for side in sides}]
    windows = {window for one in own for window in one.windows.values()}
    results = {
        (side.source.name, one.window): one for side in sides for one in side.efficiency.given if one.window in windows
    }
    pairs, strayed = [], 0
    for one in own:
        a, b = (results.get((side.source.name, one.windows[side.source.name])) for side in sides)
        if a is not None and b is not None:
            pairs.append(((a.features, a.capacity), (b.features, b.capacity)))
            strayed += not one.is_followed
    finished = sum(one.is_finished for one in own)
    if not finished and not pairs:
        return None
    found = signflip(pairs, *worth)
    return Certificate(
        pairs=len(pairs),
        open=len(own) - finished,
        left_out=finished - len(pairs),
        evidence=max(found) / 2 if pairs else None,
        favours=("a" if found[0] >= found[1] else "b") if pairs else None,
        strayed=strayed,
    )


def lines(drawn: Sequence[Mapping[str, Any]], prices: Sequence[str]) -> Iterator[str]:
    """What to measure, in order. prices: the options without which two units cannot be compared."""
    words = " ".join([*sorted(drawn[0]["order"]), *prices])
    yield (
        f"Measure {plural(len(drawn), 'pair')} in this order, the two windows of a pair one right after the other."
        f" Then type `tracker compare {words}`{', with your prices,' if prices else ''} to see what they show."
    )
    for one in drawn:
        steps = ", then ".join(f"{name} as --window {window}" for name, window in one["windows"].items())
        yield f"  pair {one['pair']}: {steps}"


def document(drawn: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: one[name] for name in ("plan", "pair", "order", "windows")} for one in drawn]
