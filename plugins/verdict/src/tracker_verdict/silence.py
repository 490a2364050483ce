"""What other devices use: the rise of a meter while no request is logged, from the readings of a schedule."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from statistics import median
from typing import NamedTuple, TypeAlias

from tracker.api import MeterReading
from tracker.kernel import number
from tracker_verdict.unseen import HOUR, LAG, Unseen, merged
from tracker_verdict.weeks import FULL, between_resets, is_reset

# From when to when no request was made, and the rise meanwhile.
Silent: TypeAlias = tuple[float, float, float]
# The share of a rise that may come from elsewhere.
ELSEWHERE = 0.25


def awake_hours(start: float, end: float, awake: set[int], local: tzinfo) -> float:
    """How many hours between two instants fall into hours of the day in which requests are usual."""
    total, at = 0.0, start
    while at < end:
        stop = min((at // HOUR + 1) * HOUR, end)
        if datetime.fromtimestamp(at, local).hour in awake:
            total += stop - at
        at = stop
    return total / HOUR


class Silence(NamedTuple):
    """The share of a meter's rise that came from elsewhere; None if it is not known, and why."""

    share: float | None
    why: str = ""


def heard(
    readings: Sequence[MeterReading],
    silent: Sequence[Silent],
    awake: set[int],
    local: tzinfo,
    length: timedelta | None,
    unseen: Unseen,
) -> Silence:
    """The share that came from elsewhere, judged by the rise in silence.

    The rise of waking hours is scaled to all of them, since some have requests, and that of nights to all nights.
    Nothing is known with so few silent hours that a single point in them would be too much.
    """
    by_day = by_night = hours = nights = 0.0
    for start, end, rise in silent:
        waking = awake_hours(start, end, awake, local)
        share = min(waking * HOUR / (end - start), 1.0)
        by_day, by_night = by_day + rise * share, by_night + rise * (1 - share)
        hours, nights = hours + waking, nights + (end - start) / HOUR - waking
    begin, stop = readings[0].at.timestamp(), readings[-1].until.timestamp()
    # a full meter cannot rise, whoever works
    out = merged([*full_spans(readings, length), *unseen.spans])
    out = [(max(start, begin), min(end, stop)) for start, end in out if start < stop and begin < end]
    every = awake_hours(begin, stop, awake, local) - sum(awake_hours(*span, awake, local) for span in out)
    pairs = (pair for period in between_resets(readings, length) for pair in pairwise(period))
    pairs = (pair for pair in pairs if not unseen.meets(pair[0].until.timestamp(), pair[1].at.timestamp()))
    points = sum(max(0.0, after.used - before.used) for before, after in pairs)
    # a schedule may have begun later than the session logs
    all_nights = (stop - begin - sum(end - start for start, end in out)) / HOUR - every
    tells_nights = nights > 0 and all_nights <= nights * points * ELSEWHERE
    if tells_nights:
        by_night *= max(all_nights / nights, 1.0)
    if not (hours and points) or every > hours * points * ELSEWHERE:
        least = by_night / points if points and tells_nights else 0.0
        why = f"{number(hours, 1)} working hours without a request are too few to tell"
        return Silence(min(least, 1.0) if least > ELSEWHERE else None, why)
    return Silence(min((by_day / hours * every + by_night) / points, 1.0))


def silences(taken: Sequence[MeterReading], times: Sequence[float], length: timedelta | None) -> Iterator[Silent]:
    """Each stretch without a request in it or within a schedule interval before it, and its rise.

    Equal readings in a row are a run, in which nothing rose; its readings are taken to be as far apart as most runs.
    """
    if len(taken) < 2:
        return
    gaps = [other.at.timestamp() - one.until.timestamp() for one, other in pairwise(taken)]
    step = max(median(gaps), 1.0)
    least = max(LAG, step)
    for one, other, gap in zip(taken, [*taken[1:], None], [*gaps, 0.0], strict=True):
        if one.used >= FULL:
            continue
        first, last = one.at.timestamp(), one.until.timestamp()
        begin = first
        for at in times[bisect_right(times, first - least) : bisect_right(times, last)]:
            if (stop := first + (at - first) // step * step) > begin:
                yield begin, stop, 0.0
            begin = max(begin, first + math.ceil((at + least - first) / step) * step)
        if last > begin:
            yield begin, last, 0.0
        is_silent = bisect_right(times, last + gap) == bisect_right(times, last - least)
        if other is not None and gap > 0 and is_silent and not is_reset(one, other, length):
            yield last, last + gap, max(0.0, other.used - one.used)


def full_spans(readings: Sequence[MeterReading], length: timedelta | None) -> Iterator[tuple[float, float]]:
    """From when to when a meter was full."""
    periods = list(between_resets(readings, length))
    for place, period in enumerate(periods):
        full_at = next((one.at for one in period if one.used >= FULL), None)
        if full_at is None:
            continue
        end, after = period[-1].reset_at, periods[place + 1 : place + 2]
        if after and (end is None or end >= after[0][0].at):
            end = after[0][0].at
        yield full_at.timestamp(), math.inf if end is None else end.timestamp()
