"""The backend's figures in Codex's JSON, in the spelling of session files or of `codex app-server`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tracker.api import JSON, Gauge, amount, percent
from tracker_codex.meters import MONTHLY_CREDIT, key_of, of_length

PLACES = ("primary", "secondary")
LIMIT = 10**11  # seconds until the year 5138, or credits
LONGEST = 60  # characters of a reset that is not read
EPOCH = datetime.fromtimestamp(0, UTC)


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str | None:
    """The value if it is a text with something in it."""
    return value if isinstance(value, str) and value else None


def gauges(limits: Mapping[str, Any], bucket: str | None, as_of: datetime | None = None) -> Iterator[Gauge]:
    """The gauges of one bucket; relative resets count from `as_of`."""
    for place in PLACES:
        window = limits.get(place)
        if window is None:  # 0.40: `primary_used_percent` and so on
            window = {name.removeprefix(f"{place}_"): value for name, value in limits.items() if name in _FLAT[place]}
        if window := mapping(window):
            key = of_length(_either(window, "window_minutes", "windowDurationMins"), place)
            used = percent(_either(window, "used_percent", "usedPercent"))
            yield _gauge(key_of(bucket, key), used, window, as_of)
    spending = mapping(_either(limits, "individual_limit", "individualLimit"))
    if spending and bucket is None:
        left = percent(_either(spending, "remaining_percent", "remainingPercent"))
        used = 100 - left if left is not None and left <= 100 else None
        yield _gauge(MONTHLY_CREDIT, used, spending, as_of)


_FLAT = {place: {f"{place}_used_percent", f"{place}_window_minutes", f"{place}_resets_in_seconds"} for place in PLACES}


def fields(limits: Mapping[str, Any]) -> dict[str, JSON]:
    """Plan and credits, if the account has any."""
    found: dict[str, JSON] = {}
    if plan := text(_either(limits, "plan_type", "planType")):
        found["plan"] = plan
    credits = mapping(limits.get("credits"))
    if credits.get("unlimited") is True:
        found["credits"] = "Unlimited"
    elif balance := _balance(credits.get("balance")):
        found["credits"] = balance
    return found


def _either(values: Mapping[str, Any], name: str, other: str) -> Any:
    return values.get(name, values.get(other))


def _balance(value: object) -> float | int | None:
    try:
        known = amount(float(value) if isinstance(value, str) else value)
    except ValueError:
        return None
    return known if known and known < LIMIT else None


def _gauge(key: str, used: float | None, window: Mapping[str, Any], as_of: datetime | None) -> Gauge:
    """A gauge; a reset that names no instant is kept as it is."""
    said = _either(window, "resets_at", "resetsAt")
    reset_at = _after(as_of, window.get("resets_in_seconds")) if said is None else _after(EPOCH, said)
    is_kept = reset_at is None and isinstance(said, int | float | str) and not isinstance(said, bool)
    return Gauge(meter=key, used=used, resets=str(said)[:LONGEST] if is_kept else None, reset_at=reset_at)


def _after(start: datetime | None, given: object) -> datetime | None:
    seconds = amount(given)
    if start is None or seconds is None or seconds >= LIMIT:
        return None
    try:
        return (start + timedelta(seconds=seconds)).replace(microsecond=0)
    except OverflowError:
        return None
