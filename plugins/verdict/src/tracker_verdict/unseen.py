"""The times of requests that are known only as a day's totals: what a meter moved then proves nothing."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from attrs import frozen

from tracker.api import UsageEvent

Span = tuple[float, float]
HOUR, DAY = 3600.0, 86400.0
# A vendor may count a request this much later than the client logs it.
LAG = 600.0


@frozen
class Unseen:
    """The spans of such time, merged."""

    spans: Sequence[Span] = ()

    @classmethod
    def of(cls, totals: Iterable[UsageEvent], events: Iterable[UsageEvent]) -> Unseen:
        """The days of totals that may belong to the account of some requests: logs have other names than readings."""
        accounts: dict[float, set[str]] = {}
        for event in events:
            accounts.setdefault(event.at // DAY, set()).add(event.account)
        found = []
        for one in totals:
            own = accounts.get((one.since or 0.0) // DAY, set())
            if not (one.account and own) or own & {one.account, ""}:
                # the vendor may count the last one later
                found.append((one.since or 0.0, one.at + LAG))
        return cls(merged(found))

    def meets(self, start: float, end: float) -> bool:
        """Whether some such time lies between two instants."""
        place = bisect_right(self.spans, start, key=lambda span: span[1])
        return place < len(self.spans) and self.spans[place][0] < end


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time without overlaps, the earliest first."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found
