"""What a window used of meters that were reset in it: the sum of the parts between the readings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from tracker.api import Meter, Source
from tracker.kernel import TrackerError, iso, span
from tracker_capture.ends import End, count, said
from tracker_capture.meters import Point, length_of, points_of, reset_between, stands_for, with_resets
from tracker_capture.readings import RESET_TOLERANCE, Sample, compact


def parts_of(
    source: Source,
    samples: Sequence[Sample],
    before: End,
    after: End,
    requests: Sequence[datetime],
    limit: timedelta,
) -> dict[str, dict[str, Any]]:
    """The delta of each meter that was reset in between, as the sum of its parts, and the most that is not covered.

    After a reset a meter begins at 0. What was used between the last reading before a reset and the reset itself is
    not known; it is at most the rest of the bar, and nothing if the logs have no request of then.
    """
    found: dict[str, list[Point]] = {}
    for one in samples:
        if one.until >= before.at and one.at <= (after.read or after.at):
            for key, point in points_of(one):
                found.setdefault(key, []).append(point)
    firsts, lasts = (dict(points_of(end.sample)) for end in (before, after))
    parts = {}
    for key, points in found.items():
        meter = source.meter(key)
        if meter is None or meter.unit != "pp" or key not in firsts or key not in lasts:
            continue
        try:
            part = _sum(source, meter, points, (firsts[key], lasts[key]), before.begin, requests, limit)
        except TrackerError:
            if key == source.capacity:
                raise
            continue
        if part is not None:
            parts[key] = part
    return parts


def _sum(
    source: Source,
    meter: Meter,
    readings: Sequence[Point],
    ends: tuple[Point, Point],
    begin: datetime,
    requests: Sequence[datetime],
    limit: timedelta,
) -> dict[str, Any] | None:
    """None without a reset. It is an error if no reading is close enough before one.

    ends: the readings that were chosen. begin: when the window begins, up to which the meter stood where the first
    one shows it.
    """
    length = length_of(source, meter.key)
    # of one instant the highest is the last
    points = with_resets(sorted(readings, key=lambda one: one.used), length)
    values = [stands_for(meter, one.used, one.reset_at, one.at, length) for one in points]
    base, last = (stands_for(meter, one.used, one.reset_at, one.at, length) for one in ends)
    total = most = 0.0
    resets = []
    for (old, new), used in zip(pairwise(points), values, strict=False):
        if (reset := reset_between(old, new, length)) is not None:
            behind = _behind_unseen(reset, new, length, requests)
            is_covered = not count(requests, old.until, behind) if requests else reset <= begin
            if behind - max(old.until, begin) > limit and not is_covered:
                raise TrackerError(
                    f"{source.name} has no reading within {span(limit)} before the reset of {meter.key} at"
                    f" {said(behind)}; the last one is from {said(old.until)} and shows {compact(old.used)}%."
                    " Use --stale-ok to take it. Nothing was stored."
                )
            total += max(0.0, used - base)
            most += 0.0 if is_covered else max(0.0, 100 - old.used) + (100 if behind > reset else 0)
            base = 0.0
            resets.append({"reset_at": iso(reset), "last_reading": iso(old.until), "used": compact(old.used)})
    if not resets:
        return None
    total += max(0.0, last - base)
    return {"delta": compact(round(total, 6)), "not_covered_at_most": compact(round(most, 6)), "resets": resets}


def _behind_unseen(reset: datetime, new: Point, length: timedelta | None, requests: Sequence[datetime]) -> datetime:
    """The reset, or that of a later period in which requests were made, and of which there is no reading."""
    if new.reset_at is None or length is None or new.reset_at - reset <= length + RESET_TOLERANCE:
        return reset
    begin = new.reset_at - length - RESET_TOLERANCE
    return begin if count(requests, reset, begin) else reset
