"""What the meters moved in the periods of a report, from the meter history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from attrs import frozen

from tracker.api import instant
from tracker.kernel import Session

# vendors compute a reset anew for every answer, and panes show it to the minute
TOLERANCE = timedelta(seconds=90)


@frozen(kw_only=True)
class Moves:
    """How far a provider's capacity meter moved in each period, of one account; None is an account without a name."""

    provider: str
    account: str | None
    meter: str
    unit: str
    periods: Mapping[str, float]

    def documents(self) -> list[dict[str, Any]]:
        about = {"provider": self.provider, "account": self.account, "meter": self.meter}
        return [
            {**about, "period": period, "moved": round(moved, 6), "unit": self.unit}
            for period, moved in self.periods.items()
        ]


def moves(session: Session, provider: str, period_of: Callable[[datetime], str | None]) -> list[Moves]:
    """The moves of each account; of several origins the one with the most readings tells them.

    A rise between two readings belongs to the period of the later one; behind a reset it is all that the meter shows.
    """
    source = session.registry.providers.get(provider)
    meter = source.capacity_meter if source is not None else None
    if meter is None:
        return []
    series: dict[str | None, dict[str, list[_Point]]] = defaultdict(lambda: defaultdict(list))
    for account, origin, point in _points(session, provider, meter.key):
        series[account][origin].append(point)
    found = []
    for account, origins in sorted(series.items(), key=lambda one: one[0] or ""):
        most = max(origins, key=lambda name: len(origins[name]))
        points = sorted(origins[most])
        periods: dict[str, float] = defaultdict(float)
        for (_, used, reset), (at, later, next_reset) in pairwise(points):
            is_reset = later < used or abs(next_reset - reset) > TOLERANCE.total_seconds()
            period = period_of(datetime.fromtimestamp(at).astimezone())
            if period is not None:
                periods[period] += later if is_reset else later - used
        if periods:
            moved = dict(sorted(periods.items()))
            found.append(Moves(provider=provider, account=account, meter=meter.key, unit=meter.unit, periods=moved))
    return found


_Point = tuple[float, float, float]  # when, how much is used, when the meter is reset


def _points(session: Session, provider: str, meter: str) -> list[tuple[str | None, str, _Point]]:
    entries = [(entry.record_id, entry.record) for entry in session.index.entries("readings")]
    replaced = {one for _, record in entries for one in record.get("supersedes") or () if isinstance(one, str)}
    found = []
    for record_id, record in entries:
        parsed, at = record.get("parsed"), instant(record.get("captured_at"))
        if record.get("provider") != provider or record_id in replaced or not isinstance(parsed, dict) or at is None:
            continue
        used, reset = parsed.get(f"{meter}_used"), instant(parsed.get(f"{meter}_reset_at"))
        if isinstance(used, int | float) and not isinstance(used, bool):
            account, origin = record.get("account"), record.get("origin")
            point = (at.timestamp(), float(used), reset.timestamp() if reset is not None else 0.0)
            found.append((account if isinstance(account, str) else None, str(origin), point))
    return found
