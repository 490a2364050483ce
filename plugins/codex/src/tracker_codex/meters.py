"""Codex's meters: their labels in the pane, their window lengths in the backend's figures, their buckets' names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from zlib import adler32

from tracker.api import JSON, Gauge, Meter, Reading, amount

MONTHLY_CREDIT = "monthly_credit"
# The pane prints whole points, rounded; what the backend says has decimals.
METERS = (
    Meter(key="fiveh", title="5 h", window=timedelta(hours=5), rounding="nearest"),
    Meter(key="weekly", title="7 d", window=timedelta(days=7), rounding="nearest"),
    Meter(key="daily", title="24 h", window=timedelta(days=1), rounding="nearest"),
    Meter(key="monthly", title="30 d", window=timedelta(days=30), rounding="nearest"),
    Meter(key="annual", title="365 d", window=timedelta(days=365), rounding="nearest"),
    Meter(key="usage", title="another window"),
    Meter(key="secondary_usage", title="a second other window"),
    Meter(key=MONTHLY_CREDIT, title="monthly credit", window="month"),
)
KEYS = {meter.key for meter in METERS}
WINDOWS = {meter.window: meter.key for meter in METERS if isinstance(meter.window, timedelta)}
TOLERANCE = timedelta(minutes=3)  # backends also sent 299 and 10079 minutes; Codex's own labels allow three minutes

LONGEST, SHORT = 40, 31  # characters of a bucket in a key, and of one that is cut
INSUFFICIENT = "insufficient-data"
MISSING = "section-missing"
AMBIGUOUS, CONTRADICTED, UNREAD = "limit-ambiguous", "bar-contradicts", "reset-unread"

LABELS = {
    "5h limit": "fiveh",
    "Weekly limit": "weekly",
    "Daily limit": "daily",
    "Daily": "daily",
    "Monthly limit": "monthly",
    "Monthly": "monthly",
    "Annual limit": "annual",
    "Annual": "annual",
    "Usage limit": "usage",
    "Secondary usage limit": "secondary_usage",
    "Monthly credit limit": MONTHLY_CREDIT,
}


def slug(name: str) -> str:
    """A bucket's name in a meter's key: `GPT-5.3-Codex-Spark` is `gpt_5_3_codex_spark`."""
    found = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    found = found if found[:1].isalpha() else f"bucket_{found}".rstrip("_")
    # two long names may begin alike
    return found if len(found) <= LONGEST else f"{found[:SHORT].rstrip('_')}_{adler32(found.encode()):08x}"


def key_of(bucket: str | None, meter: str) -> str:
    """A meter's key: for the main bucket (None) its own, for another with the bucket's slug before it."""
    if bucket is None:
        return meter
    return foreign(f"{slug(bucket)}_{meter}")


def foreign(key: str) -> str:
    """A key that the main bucket does not have, whatever the vendor names a bucket."""
    return f"bucket_{key}" if key in KEYS else key


def of_length(minutes: object, place: str) -> str:
    """The meter of a window that long; `place` is the backend's `primary` or `secondary`."""
    known = amount(minutes)
    if known and known < 1e7:
        length = timedelta(minutes=known)
        for window, key in WINDOWS.items():
            if abs(window - length) <= TOLERANCE:
                return key
    return "usage" if place == "primary" else "secondary_usage"


def reading(
    gauges: Iterable[Gauge],
    fields: Mapping[str, JSON],
    errors: Iterable[str] = (),
    as_of: datetime | None = None,
    causes: Iterable[str] = (),
) -> Reading:
    """A reading of one gauge of each meter, tagged with what has no value; `causes` say why none has one.

    If two have different values, none counts. A reset's words that name no instant are tagged if they have a number:
    without one, Codex prints only `soon`.
    """
    first: dict[str, Gauge] = {}
    several = dict[str, None]()
    for gauge in gauges:
        known = first.setdefault(gauge.meter, gauge)
        if known.used is None:
            first[gauge.meter] = gauge
        elif gauge.used not in (None, known.used):
            several[gauge.meter] = None
    first |= {key: Gauge(meter=key, used=None) for key in several}
    unread = [key for key, one in first.items() if one.reset_at is None and re.search("[0-9]", one.resets or "")]
    errors = (*errors, *(f"{AMBIGUOUS}:{key}" for key in several), *(f"{UNREAD}:{key}" for key in unread))
    told = {tag.partition(":")[2] for tag in errors if tag.startswith((CONTRADICTED, AMBIGUOUS))}
    missing = [key for key, gauge in first.items() if gauge.used is None]
    is_insufficient = len(missing) == len(first) and not several
    # a tag of its own says why the meter has no value
    tags = [INSUFFICIENT] if is_insufficient else [f"{MISSING}:{key}" for key in missing if key not in told]
    if is_insufficient:
        # a bar that contradicts says why there is no value, and what helps
        causes = (*causes, *(tag for tag in errors if tag.startswith(CONTRADICTED)))
        errors = tuple(tag for tag in errors if tag not in causes)
    return Reading(gauges=tuple(first.values()), fields=fields, errors=(*causes, *tags, *errors), as_of=as_of)
