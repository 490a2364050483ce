"""Read GLM's two JSON texts: prompt counts in blocks, and the vendor's quota answer.

Prompt counts: `{"account", "generated_at", "blocks": [{"window_id", "provider", "prompts_used", ...}]}`; the meter
`prompts` is the sum, field `blocks` how many there are. The account is personal: its hash alone is kept.

Quota: `{"code": 200, "success": true, "data": {"level" or "planName", "limits": [{"type", "unit", "number", "usage",
"currentValue", "percentage", "nextResetTime"}]}}`; the meters `fiveh`, `weekly` and `mcp_month`, field `plan`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, TypeAlias

import orjson

from tracker.api import JSON, Gauge, Reading, account_id, amount, count, instant, percent, plain_text

Object: TypeAlias = "dict[str, Any]"  # a JSON object with nothing known about it

TOKEN_TYPES = ("TOKENS_LIMIT", "CREDIT_LIMIT")  # until mid-2026, and since
TOOL_TYPE = "TIME_LIMIT"
POOLS = {(3, 5): "fiveh", (6, 1): "weekly"}  # (unit, number): 5 hours, 1 week
LONG_AGO = timedelta(days=1)
METERS = ("fiveh", "weekly", "mcp_month")
EPOCH_MS = range(946_684_800_000, 4_102_444_800_000)  # 2000 to 2100; seconds taken for milliseconds would be 1970
WORD = re.compile(r"[A-Za-z][A-Za-z0-9 _.-]{0,39}")


def read(text: str, captured_at: datetime, timezone: tzinfo) -> Reading:
    """The reading of either text; a time in it that names no zone is one of the zone."""
    try:
        payload = orjson.loads(plain_text(text).removeprefix("\ufeff"))
    except ValueError:
        return Reading(errors=("invalid-json",))
    if not isinstance(payload, dict):
        return Reading(errors=("no-blocks",))
    if "blocks" not in payload and not payload.keys().isdisjoint(("code", "success", "data")):
        return _read_quota(payload)
    return _read_counts(payload, captured_at, timezone)


def _read_counts(payload: Object, captured_at: datetime, timezone: tzinfo) -> Reading:
    blocks = payload.get("blocks")
    if blocks is None or blocks == []:
        return Reading(errors=("no-blocks",))
    if not isinstance(blocks, list):
        return Reading(errors=("invalid-blocks",))
    counts = [count(block.get("prompts_used")) if isinstance(block, dict) else None for block in blocks]
    known = [prompts for prompts in counts if prompts is not None]
    total = count(sum(known))
    if total is None or len(known) < len(counts):  # a sum without some of its parts would be a guess
        return Reading(errors=("invalid-blocks",))
    account = payload.get("account")
    name = account.strip() if isinstance(account, str) else ""
    counted = _counted(payload.get("generated_at"), timezone)
    return Reading(
        gauges=(Gauge(meter="prompts", used=total),),
        fields={"blocks": len(blocks), **({"account": account_id(name)} if name else {})},
        errors=("counted-long-ago",) if counted and captured_at - counted > LONG_AGO else (),
        as_of=counted,
    )


def _counted(said: object, timezone: tzinfo) -> datetime | None:
    """When the prompts were counted."""
    found = instant(said)
    if found is None or datetime.fromisoformat(str(said)).tzinfo:
        return found
    with suppress(OverflowError):  # next to the years 1 and 9999
        return found.replace(tzinfo=timezone).astimezone(UTC)
    return None


def _read_quota(payload: Object) -> Reading:
    success, code, data = payload.get("success"), payload.get("code"), payload.get("data")
    if success not in (None, True) or code not in (None, 200):
        return Reading(errors=("usage-not-loaded",))
    if not isinstance(data, dict) or not isinstance(limits := data.get("limits"), list):
        return Reading(errors=("insufficient-data",))
    tags: dict[str, None] = {}
    gauges = _gauges(limits, tags)
    if all(gauge.used is None for gauge in gauges):
        return Reading(gauges=gauges, errors=("insufficient-data", *tags))
    return Reading(gauges=gauges, fields=_plan(data), errors=tuple(tags))


def _plan(data: Mapping[str, Any]) -> dict[str, JSON]:
    """The plan's name, such as `pro`."""
    for name in (data.get("level"), data.get("planName")):
        if isinstance(name, str) and WORD.fullmatch(name):
            return {"plan": name}
    return {}


def _gauges(limits: list[Any], tags: dict[str, None]) -> tuple[Gauge, ...]:
    """A gauge per known meter; one that the answer holds twice with different values has none."""
    found: dict[str, Gauge] = {}
    first = next((limit for limit in limits if isinstance(limit, dict) and limit.get("type") in TOKEN_TYPES), None)
    for limit in limits:
        meter = _meter(limit, is_first=limit is first)
        if meter is None:
            tags["limit-unknown"] = None
            continue
        gauge = _gauge(meter, limit, tags)
        if found.setdefault(meter, gauge) != gauge:
            tags[f"limit-ambiguous:{meter}"] = None
            found[meter] = Gauge(meter=meter, used=None)
    return tuple(found[meter] for meter in METERS if meter in found)


def _meter(limit: object, is_first: bool) -> str | None:
    """The meter of a limit, None if its type or its length is not known."""
    if not isinstance(limit, dict):
        return None
    if limit.get("type") == TOOL_TYPE:
        return "mcp_month"
    if limit.get("type") not in TOKEN_TYPES:
        return None
    if limit.get("unit") is None:
        return "fiveh" if is_first else None
    return POOLS.get((count(limit["unit"]) or 0, count(limit.get("number")) or 0))


def _gauge(meter: str, limit: Object, tags: dict[str, None]) -> Gauge:
    used = _used(limit)
    if used is None:
        tags[f"section-missing:{meter}"] = None
    reset = limit.get("nextResetTime")
    known = count(reset)
    if known is not None and known in EPOCH_MS:
        return Gauge(meter=meter, used=used, reset_at=datetime.fromtimestamp(known / 1000, UTC))
    if reset is not None:
        tags[f"reset-unreadable:{meter}"] = None
    return Gauge(meter=meter, used=used)


def _used(limit: Object) -> float | None:
    """The used percentage; from the value and its limit, which is called `usage`, only if the answer has none."""
    if limit.get("percentage") is not None:
        return percent(limit["percentage"])
    value, whole = amount(limit.get("currentValue")), amount(limit.get("usage"))
    return percent(round(100 * value / whole, 6)) if value is not None and whole else None
