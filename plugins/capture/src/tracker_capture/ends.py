"""Which readings count as the two ends of a window.

A client writes its meters after a request, so the first reading of a session includes the session's first request.
What a meter showed at an instant is what a reading shows, however old, if no request was made between the reading and
the instant.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from attrs import evolve, frozen

from tracker.kernel import iso, number, plural
from tracker_capture.readings import Sample, is_same_reset

# Just before a request.
TICK = timedelta(microseconds=1)


@frozen(kw_only=True)
class End:
    """A reading at one end of a window, its instant, and the wanted one.

    edge: the wanted instant, or just before it if a request of that instant belongs into the window. between: how many
    requests were made between the reading and the edge; None without logs. read: when the vendor reported it, if `at`
    is another instant for which it counts.
    """

    sample: Sample
    at: datetime
    wanted: datetime
    edge: datetime
    between: int | None = None
    read: datetime | None = None

    @property
    def distance(self) -> timedelta:
        return abs((self.read or self.at) - self.edge)

    @property
    def age(self) -> int:
        return round(self.distance.total_seconds())

    @property
    def is_exact(self) -> bool:
        """Whether the meter showed the reading's values at the edge: by the logs, no request came in between."""
        return self.between == 0

    @property
    def begin(self) -> datetime:
        """When the window begins whose BEFORE it is."""
        return max(self.at, self.wanted) if self.is_exact else self.at


def ends_at(samples: Sequence[Sample], wanted: datetime, requests: Sequence[datetime], *, is_first: bool) -> list[End]:
    """The readings by their time, as the first or the last end of a window. A request of that very instant is in it."""
    edge = wanted - TICK if is_first and count(requests, wanted - TICK, wanted) else wanted
    found = []
    for one in sorted(samples, key=lambda one: one.at):
        at = min(max(edge, one.at), one.until)
        between = count(requests, *sorted((at, edge))) if requests else None
        found.append(End(sample=one, at=at, wanted=wanted, edge=edge, between=between))
    return found


def count(requests: Sequence[datetime], start: datetime, end: datetime) -> int:
    """How many were made after one instant and up to another."""
    return bisect_right(requests, end) - bisect_right(requests, start)


def exact(ends: Sequence[End], capacity: str | None) -> End | None:
    """The nearest reading with no request between it and the edge, or the one that the capacity meter kept showing."""
    known = [one for one in ends if one.is_exact]
    if known:
        # of one instant the highest is the last: several sessions may write at once
        return min(known, key=lambda one: (one.distance, -used_of(one, capacity)))
    old, new = around(ends, capacity)
    if old is None or new is None or old.between is None:
        return None
    same = {key: gauge for key, gauge in old.sample.gauges.items() if _stood(old.sample, new.sample, key)}
    if capacity not in same:
        return None
    return evolve(old, sample=evolve(old.sample, gauges=same, until=new.at), at=old.edge, between=0)


def used_of(end: End, meter: str | None) -> float:
    gauge = end.sample.gauges.get(meter or "")
    return (gauge.used if gauge else None) or 0.0


def at_edge(end: End, ends: Sequence[End], capacity: str | None) -> End:
    """A reading long after the last request as one of that request, without the meters that were reset since.

    The window would last until that reading, and hold what others did meanwhile.
    """
    old, _ = around(ends, capacity)
    if not end.is_exact or end.at <= end.edge or old is None:
        return end
    known = old.sample.gauges
    same = {
        key: gauge
        for key, gauge in end.sample.gauges.items()
        if key in known and is_same_reset(known[key].reset_at, gauge.reset_at)
    }
    return evolve(end, sample=evolve(end.sample, gauges=same), at=end.edge, read=end.at)


def _stood(old: Sample, new: Sample, key: str) -> bool:
    one, other = old.gauges[key], new.gauges.get(key)
    return other is not None and one.used == other.used and is_same_reset(one.reset_at, other.reset_at)


def around(ends: Sequence[End], capacity: str | None) -> tuple[End | None, End | None]:
    """The last reading before the edge and the first one after it, the highest of each; one at the edge is both."""
    old = [one for one in ends if one.at <= one.edge]
    new = [one for one in ends if one.at >= one.edge]
    return (
        max(old, key=lambda one: (one.at, used_of(one, capacity)), default=None),
        min(new, key=lambda one: (one.at, -used_of(one, capacity)), default=None),
    )


def unknown(name: str, capacity: str, firsts: Sequence[End], lasts: Sequence[End]) -> str:
    """Why the readings do not show what some requests used, and what that was at least, or at most."""
    first, last = exact(firsts, capacity), exact(lasts, capacity)
    (before, inside), (still_inside, after) = (around(ends, capacity) for ends in (firsts, lasts))
    if first is None:
        why = _lacks(name, "before its first request", firsts[0], before, "after")
    else:
        why = _lacks(name, "after its last request", lasts[0], after, "before")
    least = _rise(capacity, first or inside, last or still_inside)
    most = _rise(capacity, first or before, last or after)
    if least and most:
        return f"{why}; {capacity} moved by {number(least)} to {number(most)}"
    if rise := least or most:
        return f"{why}; {capacity} moved by at {'least' if least else 'most'} {number(rise)}"
    return why


def _lacks(name: str, place: str, wanted: End, near: End | None, way: str) -> str:
    if near is None:
        return f"{name} has no reading {place} at {said(wanted.wanted)}"
    others = f"{plural(near.between or 0, 'other request')} came {way} the reading of {said(near.at)}"
    return f"{name} has no reading right {place} at {said(near.wanted)}: {others}"


def _rise(meter: str, first: End | None, last: End | None) -> float | None:
    """How far a meter rose from one reading to a later one of the same period."""
    if first is None or last is None or first.at >= last.at:
        return None
    old, new = first.sample.gauges.get(meter), last.sample.gauges.get(meter)
    if old is None or new is None or old.used is None or new.used is None:
        return None
    if not is_same_reset(old.reset_at, new.reset_at):
        return None
    return new.used - old.used if new.used > old.used else None


def said(at: datetime) -> str:
    return iso(at.replace(microsecond=0))
