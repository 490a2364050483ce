"""Read Claude Code's part of a report of ccusage 16 to 20 into flat figures.

The figures, all None if the report lacks them:

    scope                     daily, weekly, monthly, session or blocks
    rows                      days, weeks, months, sessions or blocks (without the gaps between blocks)
    latest                    the newest row's ISO day, month, or instant as given
    tokens, cost_usd          of the newest row (of all rows that name the newest time)
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens   of the newest row
    total_tokens, total_cost_usd   over all rows

A row counts if ccusage says that it is Claude Code's: by `agent` in the unified reports of 20, else by what its rows of
Claude Code hold and those of Codex do not. A cost is None if ccusage had no price for one of its models: it says 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import orjson

from tracker.api import JSON, Reading, amount, count, instant

Object: TypeAlias = "dict[str, Any]"  # a JSON object with nothing known about it
Tags: TypeAlias = "dict[str, None]"  # in order, each once

AGENT = "claude"
# What only rows of Codex have, and what each row of Claude Code has: the last in the totals of an empty report, too.
FOREIGN = {"costUSD", "cachedInputTokens", "reasoningOutputTokens", "sessionFile"}
OWN = {"modelBreakdowns", "modelsUsed", "totalCost"}
# What Claude Code calls: Anthropic's models, GLM's at Z.ai, and `<synthetic>`, its own word for no call.
MODELS = re.compile("claude|glm|^<", re.IGNORECASE)
# A scope's list of rows, and the keys that hold a row's time; sessions are `session` in the unified reports.
LISTS = {"daily": "daily", "weekly": "weekly", "monthly": "monthly", "sessions": "session", "session": "session"}
LISTS |= {"blocks": "blocks"}
TIMES = ("lastActivity", "date", "week", "month", "startTime", "period")
MARKS = {*TIMES, "sessionId"}  # each row has one of them
# What a row says, the names that it has had, and how an honest value is told.
FIGURES: dict[str, tuple[tuple[str, ...], Callable[[object], float | None]]] = {
    "tokens": (("totalTokens",), count),
    "input_tokens": (("inputTokens",), count),
    "output_tokens": (("outputTokens",), count),
    "cache_read_tokens": (("cacheReadTokens", "cacheReadInputTokens"), count),
    "cache_write_tokens": (("cacheCreationTokens", "cacheCreationInputTokens"), count),
    "cost_usd": (("totalCost", "costUSD"), amount),
}
TOTALS = {"total_tokens": "tokens", "total_cost_usd": "cost_usd"}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NAMED = re.compile(rf"({'|'.join(MONTHS)}) (?:([0-9]{{1,2}}), )?([0-9]{{4}})")  # up to 18
DAY = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?")


class Unreadable(ValueError):
    """Raised if a text gives no figures; its message is the tag that says why."""


def read_report(text: str, scope: str | None) -> Reading:
    """The figures of one report; `scope` is the kind that it must be, None if the text decides."""
    try:
        scope, rows = _rows(_payload(text, scope), scope)
    except Unreadable as reason:
        return Reading(errors=(str(reason),))
    tags: Tags = {}
    latest, newest = _newest(rows, tags)
    fields: dict[str, JSON] = {"scope": scope, "rows": len(rows), "latest": latest}
    fields |= {name: _sum(newest, name, tags) if newest else None for name in FIGURES}
    fields |= {shown: _sum(rows, name, tags) for shown, name in TOTALS.items()}
    return Reading(fields=fields, errors=tuple(tags))


def shown_time(value: object) -> str | None:
    """How a day, month or instant is shown."""
    found = _moment(value)
    return None if found is None else found[1]


def _payload(text: str, scope: str | None) -> Object:
    try:
        payload = orjson.loads(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise Unreadable("invalid-json") from error
    if payload == []:  # the whole answer of some versions if there is nothing to report
        if scope is None:
            raise Unreadable("scope-unknown")
        return {scope: []}
    if not isinstance(payload, dict):
        raise Unreadable("invalid-report")
    return payload


def _rows(payload: Object, scope: str | None) -> tuple[str, list[Object]]:
    """The report's scope and the rows that count."""
    found = {LISTS[key]: payload[key] for key in LISTS if key in payload}
    if not found:
        raise Unreadable("invalid-report")
    if scope is None and len(found) > 1:
        raise Unreadable("scope-unknown")
    scope = scope or next(iter(found))
    if scope not in found:
        raise Unreadable("scope-mismatch")
    rows, totals = found[scope], payload.get("totals")
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.keys() & MARKS for row in rows):
        raise Unreadable("invalid-report")
    if any("agent" in row for row in rows):
        return scope, _of_agent(rows)
    own = [row for row in rows if row.get("isGap") is not True]
    if not all(map(_is_own, own)) or (not own and isinstance(totals, dict) and totals.keys() & FOREIGN):
        raise Unreadable("other-agent")
    return scope, [_flat(row) for row in own]


def _is_own(row: Object) -> bool:
    """Whether a row that names no agent has the shape of Claude Code's: a block, or a period with a list of models.

    Reports of OpenCode and others also have that shape: their sessions have no time, and most of them other models.
    """
    if isinstance(row.get("tokenCounts"), dict):
        return True
    models = row.get("modelsUsed")
    if isinstance(models, list) and models and not any(MODELS.search(str(model)) for model in models):
        return False
    is_timed = "sessionId" not in row or "lastActivity" in row
    return is_timed and not row.keys() & FOREIGN and not isinstance(row.get("models"), dict) and bool(row.keys() & OWN)


def _flat(row: Object) -> Object:
    """A row with the token kinds of a block in it."""
    kinds = row.get("tokenCounts")
    return kinds | row if isinstance(kinds, dict) else row


def _of_agent(rows: list[Object]) -> list[Object]:
    """The agent's rows and parts of rows; a sum of several agents that has no parts cannot be taken apart."""
    own = [row for row in rows if row.get("agent") == AGENT]
    known = {str(row.get("period")) for row in own}
    for row in rows:
        if row.get("agent") != "all" or str(row.get("period")) in known:
            continue
        parts, metadata = row.get("agents"), row.get("metadata")
        if isinstance(parts, list) and all(isinstance(part, dict) for part in parts):
            about = {"period": row.get("period"), "metadata": metadata}
            own += [about | part for part in parts if part.get("agent") == AGENT]
            continue
        agents = metadata.get("agents") if isinstance(metadata, dict) else None
        if agents == [AGENT]:
            own.append(row)
        elif not isinstance(agents, list) or AGENT in agents:
            raise Unreadable("agents-mixed")
    if not own:
        raise Unreadable("other-agent")
    return own


def _moment(value: object) -> tuple[datetime, str] | None:
    """What a time sorts by and how it is shown: `Oct 05, 2025` as 2025-10-05, a month as 2025-10, instants as given."""
    if not isinstance(value, str):
        return None
    if named := NAMED.fullmatch(value):
        month, day, year = named.groups()
        value = f"{year}-{MONTHS.index(month) + 1:02}" + (f"-{day:0>2}" if day else "")
    rest = ""
    if DAY.fullmatch(value):
        rest = "T00:00" if len(value) > len("2025-10") else "-01T00:00"
    found = instant(value + rest)
    return None if found is None else (found, value)


def _newest(rows: Sequence[Object], tags: Tags) -> tuple[str | None, Sequence[Object]]:
    """The newest time and the rows that name it; neither if one of several rows has none that can be read."""
    times = [_time(row) for row in rows]
    known = [found for found in map(_moment, times) if found is not None]
    if len(known) < len(rows):
        tags["section-missing:latest"] = None
        return None, rows if len(rows) == 1 else []
    if not rows:
        return None, []
    last, shown = max(known, key=lambda found: found[0])
    return shown, [row for row, found in zip(rows, known, strict=True) if found[0] == last]


def _time(row: Object) -> object:
    metadata = row.get("metadata")  # where the unified reports keep what not every agent has
    places = (metadata if isinstance(metadata, dict) else {}, row)
    return next((place[key] for place in places for key in TIMES if place.get(key) is not None), None)


def _sum(rows: Sequence[Object], name: str, tags: Tags) -> float | None:
    """A figure over rows; None if one of them lacks it."""
    values = [_figure(row, name, tags) for row in rows]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return FIGURES[name][1](sum(known) if all(isinstance(value, int) for value in known) else math.fsum(known))


def _figure(row: Object, name: str, tags: Tags) -> float | None:
    names, honest = FIGURES[name]
    value = next((row[known] for known in names if row.get(known) is not None), None)
    figure = honest(value)
    if value is not None and figure is None:
        tags[f"section-missing:{name}"] = None
    if name == "cost_usd" and figure is not None and _is_unpriced(row):
        tags["unpriced"] = None
        return None
    return figure


def _is_unpriced(row: Object) -> bool:
    """Whether ccusage had no price for a model of the row. Blocks do not say so: there it is a cost of 0 for tokens."""
    if isinstance(row.get("tokenCounts"), dict):
        return not row.get("costUSD") and bool(row.get("totalTokens"))
    models = row.get("modelBreakdowns")
    return isinstance(models, list) and any(
        isinstance(one, dict) and one.get("missingPricing") is True for one in models
    )
