"""The core's default `compute_delta`: plain subtraction, or the reason why there is no delta."""

from __future__ import annotations

from datetime import datetime

from tracker.contract.hooks import hookimpl
from tracker.contract.values import Change, Delta, Gauge, Reading

NOT_BEFORE = "not-shown-before"
NOT_AFTER = "not-shown-after"
CROSSED = "reset-crossed"
FELL = "negative-delta"


@hookimpl(trylast=True)
def compute_delta(before: Reading, after: Reading) -> Delta:
    """A change for every meter that either reading shows, in the order of the later one."""
    meters = dict.fromkeys(gauge.meter for reading in (after, before) for gauge in reading.gauges)
    assert before.as_of is not None
    assert after.as_of is not None
    return Delta(
        changes=tuple(
            _change(meter, before.gauge(meter), after.gauge(meter), before.as_of, after.as_of) for meter in meters
        )
    )


def _change(meter: str, old: Gauge | None, new: Gauge | None, start: datetime, end: datetime) -> Change:
    if old is None or old.used is None:
        return Change(meter=meter, delta=None, reason=f"{NOT_BEFORE}:{meter}")
    if new is None or new.used is None:
        return Change(meter=meter, delta=None, reason=f"{NOT_AFTER}:{meter}")
    if old.reset_at is not None and start < old.reset_at <= end:
        return Change(meter=meter, delta=None, reason=f"{CROSSED}:{meter}")
    if fell(old.used, new.used):
        return Change(meter=meter, delta=None, reason=f"{FELL}:{meter}")
    return Change(meter=meter, delta=max(round(new.used - old.used, 6), 0))


def fell(old: float, new: float) -> bool:
    """Whether a meter went down; 90 after an exact 90.4 did not, nor did an exact 90.6 after a rounded 91."""
    is_mixed = float(new).is_integer() != float(old).is_integer()
    return new < old and not (is_mixed and old - new < 1)
