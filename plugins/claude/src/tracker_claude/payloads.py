"""The JSON forms of the same figures: the OAuth usage answer, and what Claude Code passes its status-line command."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from tracker.api import JSON, Gauge, Reading
from tracker_claude import windows

BEGINNING = re.compile(r"^\{", re.MULTILINE)
NAMED = {"five_hour": windows.SESSION, "seven_day": windows.ALL_MODELS}
WEEKLY = "seven_day_"
LONGEST = 60  # characters of a reset
# `kind` of an entry of `limits` that has no scope
KINDS = NAMED | {"session": windows.SESSION, "weekly": windows.ALL_MODELS, "weekly_all": windows.ALL_MODELS}


def read(text: str) -> Reading | None:
    """The reading of the last JSON object in a plain text, with a shell prompt around it or not; None without one."""
    text = text.strip()
    begins, end = [found.start() for found in BEGINNING.finditer(text)], text.rfind("}") + 1
    for begin in dict.fromkeys([*begins[:1], *begins[-1:]]):  # one object, or the last of several
        try:
            payload = orjson.loads(text[begin:end])
        except orjson.JSONDecodeError:
            continue
        return _reading(payload, is_last=begin != begins[0])
    return None


def _reading(payload: Mapping[str, Any], *, is_last: bool) -> Reading:
    """Percentages are as exact as they come; panes print the floor. is_last: there were others before."""
    found = mapping(payload.get("rate_limits")) or payload
    gauges, several = gauges_of([*_named(found), *listed(found.get("limits"))])
    errors = tags(gauges, several)
    if all(gauge.used is None for gauge in gauges.values()) and not several:
        errors.insert(0, "usage-not-loaded" if payload.get("error") else "insufficient-data")
    if is_last:
        errors.append("multi-pane-trimmed")
    return Reading(gauges=tuple(gauges.values()), fields=fields(payload), errors=tuple(errors))


def _named(found: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The windows under names of their own; one that is null does not exist for the account."""
    for name, window in found.items():
        key = windows.weekly_key(name.removeprefix(WEEKLY)) if name.startswith(WEEKLY) else NAMED.get(name)
        if key and isinstance(window, dict):
            yield key, window


def listed(limits: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The windows of the later list: the unscoped ones of known kinds, and the weekly ones of single models."""
    for entry in limits if isinstance(limits, list) else ():
        kind, scope = mapping(entry).get("kind"), mapping(entry).get("scope")
        model = mapping(mapping(scope).get("model")).get("display_name")
        key = None
        if scope is None and isinstance(kind, str):
            key = KINDS.get(kind)
        elif isinstance(model, str) and isinstance(kind, str) and kind.startswith("weekly"):
            key = windows.weekly_key(model)
        if key:
            yield key, entry


def gauges_of(found: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[dict[str, Gauge], set[str]]:
    """One gauge per key, and the keys with several different values, none of which counts."""
    gauges: dict[str, Gauge] = {}
    several = set[str]()
    for key, window in found:
        gauge = gauge_of(key, window)
        known = gauges.setdefault(key, gauge)
        if known.used is None:
            gauges[key] = gauge
        elif gauge.used is not None and abs(gauge.used - known.used) >= 1:  # the one may be the other's floor
            several.add(key)
    return gauges | {key: Gauge(meter=key, used=None) for key in several}, several


def tags(gauges: Mapping[str, Gauge], several: Collection[str]) -> list[str]:
    """The tags of what cannot be read: values, those that differ, and resets."""
    missing = [key for key, gauge in gauges.items() if gauge.used is None]
    unread = [key for key, gauge in gauges.items() if gauge.resets and gauge.reset_at is None]
    values = (f"{'limit-ambiguous' if key in several else 'section-missing'}:{key}" for key in missing)
    return [*values, *(f"reset-unread:{key}" for key in unread)]


def gauge_of(key: str, window: Mapping[str, Any]) -> Gauge:
    used = next((window[name] for name in ("utilization", "used_percentage", "percent") if name in window), None)
    used, said = number(used), window.get("resets_at")
    reset_at = _instant(said)
    is_kept = isinstance(said, str) or (reset_at is None and number(said) is not None)  # as it stands, if unread
    return Gauge(
        meter=key,
        used=used if used is not None and 0 <= used < windows.NONSENSE else None,
        resets=str(said)[:LONGEST] if is_kept else None,
        reset_at=reset_at,
    )


def _instant(value: Any) -> datetime | None:
    """Of ISO 8601 text, or of epoch seconds."""
    seconds = number(value)
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def fields(payload: Mapping[str, Any]) -> dict[str, JSON]:
    """`extra_usage` as the group that a pane's section makes; its amounts are cents."""
    credits = mapping(payload.get("extra_usage"))
    enabled, limit = credits.get("is_enabled"), credits.get("monthly_limit")
    group: dict[str, JSON] = {
        "enabled": enabled if isinstance(enabled, bool) else None,
        "used_pct": number(credits.get("utilization")),
        "spent": _dollars(credits.get("used_credits")),
        "limit": _dollars(limit),
        "unlimited": True if enabled is True and "monthly_limit" in credits and limit is None else None,
    }
    group = {name: value for name, value in group.items() if value is not None}
    return {"extra": group} if group else {}


def _dollars(cents: Any) -> float | None:
    known = number(cents)
    return None if known is None else known / 100


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
