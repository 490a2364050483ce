"""Read Codex's part of a report of ccusage 16 to 20, or a hand-made summary of one, into flat figures.

The figures, all None if the report lacks them:

    scope                     daily, weekly, monthly, session or blocks
    rows                      days, weeks, months, sessions or blocks (without the gaps between blocks)
    latest                    the newest row's ISO day, month, or instant as given
    tokens, cost_usd          of the newest row (of all rows that name the newest time)
    input_tokens              of the newest row, without those read from the cache, whatever the version
    output_tokens, reasoning_output_tokens, cache_read_tokens, cache_write_tokens   of the newest row
    percent_used              the newest row's used percent of the quota
    tokens_remaining, reset   of a hand-made summary; `reset` is ISO 8601 text as given
    total_tokens, total_cost_usd   over the report: its own totals, else the sum of its rows

In the unified reports of 20 the rows of Codex count, by their `agent`; a report of another agent gives no figures.
A cost is None if ccusage had no price for one of its models: it says 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import orjson

from tracker.api import JSON, Reading, amount, count, instant, percent

Object: TypeAlias = "dict[str, Any]"  # a JSON object with nothing known about it
Tags: TypeAlias = "dict[str, None]"  # in order, each once


class Unreadable(ValueError):
    """Raised if a text gives no figures; its message is the tag that says why."""


class Scope(NamedTuple):
    """How one kind of report looks: the key of its rows, the keys that mark one, and those that hold its time."""

    lists: tuple[str, ...]
    marks: tuple[str, ...]
    times: tuple[str, ...]


# `period` is the day, week, month or session id in the unified reports of 20; `days` and `currentWeek` are hand-made.
SCOPES = {
    "session": Scope(lists=("sessions", "session"), marks=("sessionId", "period"), times=("lastActivity",)),
    "daily": Scope(lists=("daily", "days"), marks=("date", "period"), times=("date", "period")),
    "weekly": Scope(
        lists=("weekly", "currentWeek"),
        marks=("week", "period", "startDate", "percentUsed", "tokensUsed"),
        times=("week", "period", "startDate"),
    ),
    "monthly": Scope(lists=("monthly",), marks=("month", "period"), times=("month", "period")),
    "blocks": Scope(lists=("blocks",), marks=("startTime",), times=("startTime",)),
}

AGENT = "codex"
# What rows of Claude Code have and those of Codex lack, and the totals of an empty report that is not Codex's.
FOREIGN = {"modelBreakdowns", "modelsUsed", "tokenCounts", "totalCost"}

TOTALS = {"total_tokens": "tokens", "total_cost_usd": "cost_usd"}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# The last part of both is missing in months. English months are spelt out here: strptime's depend on the locale.
DAY = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?")
NAMED = re.compile(rf"({'|'.join(MONTHS)}) (?:([0-9]{{1,2}}), )?([0-9]{{4}})")

# What a row says, the names that it has had, and how an honest value is told.
FIGURES: dict[str, tuple[tuple[str, ...], Callable[[object], float | None]]] = {
    "tokens": (("totalTokens", "tokensUsed"), count),
    "input_tokens": (("inputTokens",), count),
    "output_tokens": (("outputTokens",), count),
    "reasoning_output_tokens": (("reasoningOutputTokens",), count),
    "cache_read_tokens": (("cacheReadTokens", "cachedInputTokens"), count),
    "cache_write_tokens": (("cacheCreationTokens",), count),
    "cost_usd": (("costUSD", "totalCost"), amount),
    "percent_used": (("percentUsed",), percent),
    "tokens_remaining": (("tokensRemaining",), count),
}


def read_report(text: str, scope: str | None) -> Reading:
    """The figures of one report; `scope` is the kind that it must be, None if the text decides."""
    try:
        payload = _payload(text, scope)
        scope, rows = _rows(payload, scope)
    except Unreadable as reason:
        return Reading(errors=(str(reason),))
    tags: Tags = {}
    latest, newest = _newest(SCOPES[scope], rows, tags)
    fields: dict[str, JSON] = {"scope": scope, "rows": len(rows), "latest": latest}
    fields |= {name: _sum(newest, name, tags) if newest else None for name in FIGURES}
    fields["reset"] = shown_time(payload.get("resetAt"))
    if payload.get("resetAt") is not None and fields["reset"] is None:
        tags["section-missing:reset"] = None
    # those of a unified report are over all agents
    totals = None if any("agent" in row for row in rows) else payload.get("totals")
    for shown, name in TOTALS.items():
        own = _figure(totals, name, tags, shown) if isinstance(totals, dict) else None
        fields[shown] = _sum(rows, name, tags, shown) if own is None else own
    return Reading(fields=fields, errors=tuple(tags), as_of=instant(payload.get("generated_at")))


def shown_time(value: object) -> str | None:
    """How a day, month or instant is shown."""
    found = _moment(value)
    return None if found is None else found[1]


def stored_figure(name: str, value: object) -> JSON:
    """A figure of a record that others may have written: None if a report has no such value."""
    if name in ("latest", "reset"):
        return shown_time(value)
    return FIGURES[name][1](value) if name in FIGURES else count(value)


def _payload(text: str, scope: str | None) -> Object:
    try:
        payload = orjson.loads(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise Unreadable("invalid-json") from error
    if payload == []:  # the whole answer of some versions if there is nothing to report
        if scope not in SCOPES:
            raise Unreadable("scope-unknown")
        return {SCOPES[scope].lists[0]: []}
    if not isinstance(payload, dict):
        raise Unreadable("invalid-report")
    return payload


def _rows(payload: Object, scope: str | None) -> tuple[str, list[Object]]:
    """The report's scope and the rows that count."""
    found = {name: key for name, known in SCOPES.items() for key in known.lists if key in payload}
    view = payload.get("view")
    if not found or (isinstance(view, str) and view not in found):
        raise Unreadable("invalid-report")
    if scope is None and len(found) > 1:
        raise Unreadable("scope-unknown")
    scope = scope or next(iter(found))
    if scope not in found:
        raise Unreadable("scope-mismatch")
    rows = payload[found[scope]]
    if found[scope] == "currentWeek":
        rows = [rows]
    marks = set(SCOPES[scope].marks)
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.keys() & marks for row in rows):
        raise Unreadable("invalid-report")
    rows = [row for row in rows if row.get("isGap") is not True]
    if any("agent" in row for row in rows):
        return scope, [_normal(row) for row in _of_agent(rows)]
    totals = payload.get("totals")
    if any(row.keys() & FOREIGN for row in (rows or [totals]) if isinstance(row, dict)):
        raise Unreadable("other-agent")
    return scope, [_normal(row) for row in rows]


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


def _normal(row: Object) -> Object:
    """A row with input that has nothing of what was read from the cache."""
    given, cached = count(row.get("inputTokens")), row.get("cachedInputTokens")
    if given is None or cached is None or row.get("cacheReadTokens") is not None:
        return row
    read = count(cached)
    return row | {"inputTokens": cached if read is None else given - read}


def _newest(scope: Scope, rows: list[Object], tags: Tags) -> tuple[str | None, list[Object]]:
    """The newest time and the rows that name it; neither if one of several rows has none that can be read."""
    times = [_time(scope, row) for row in rows]
    known = [found for found in map(_moment, times) if found is not None]
    if len(known) < len(rows):
        if any(time is not None for time in times):
            tags["section-missing:latest"] = None
        return None, rows if len(rows) == 1 else []
    if not rows:
        return None, []
    last, shown = max(known, key=lambda found: found[0])
    return shown, [row for row, found in zip(rows, known, strict=True) if found[0] == last]


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


def _time(scope: Scope, row: Object) -> object:
    metadata = row.get("metadata")  # where the unified reports keep what not every agent has
    places = (row, metadata if isinstance(metadata, dict) else {})
    return next((place[key] for place in places for key in scope.times if place.get(key) is not None), None)


def _figure(row: Object, name: str, tags: Tags, shown: str | None = None) -> float | None:
    names, honest = FIGURES[name]
    value = next((row[known] for known in names if row.get(known) is not None), None)
    figure = honest(value)
    if value is not None and figure is None:
        tags[f"section-missing:{shown or name}"] = None
    if name == "cost_usd" and figure is not None and _is_unpriced(row):
        tags["unpriced"] = None
        return None
    return figure


def _is_unpriced(row: Object) -> bool:
    if row.get("unpricedModels"):  # of totals
        return True
    models = row.get("models") or row.get("modelBreakdowns")
    known = models.values() if isinstance(models, dict) else models if isinstance(models, list) else ()
    return any(isinstance(one, dict) and one.get("missingPricing") is True for one in known)


def _sum(rows: Sequence[Object], name: str, tags: Tags, shown: str | None = None) -> float | None:
    """A figure over rows; None if a row lacks it, and of percentages, which do not add up."""
    values = [_figure(row, name, tags, shown) for row in rows]
    known = [value for value in values if value is not None]
    if len(known) < len(values) or (name == "percent_used" and len(values) > 1):
        return None
    return FIGURES[name][1](sum(known) if all(isinstance(value, int) for value in known) else math.fsum(known))
