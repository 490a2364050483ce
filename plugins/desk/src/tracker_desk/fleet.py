"""Tables for a fleet of machines: what windows gave, what meters showed, what session logs add up to.

They are long tables with fixed columns, so that one SQL file can query the exports of many machines. Each has its own
folder, even if it has no rows. They hold no addresses: accounts are hashes, and names are redacted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from tracker.api import LogOrigin, Source, epoch, redact
from tracker.kernel import Capture, Session, Windows, iso
from tracker_desk.window_list import excluded, facts

PARTIAL = ("shared_requests", "unpriced_requests")  # what the figures of a window leave out
NAMES = ("project", "branch")  # names that somebody gave to a folder or a branch
_TEXT, _NUMBER, _COUNT, _TIME, _FLAG = "VARCHAR", "DOUBLE", "BIGINT", "TIMESTAMPTZ", "BOOLEAN"
TABLES: Mapping[str, Mapping[str, str]] = {
    "results": {
        **dict.fromkeys(("record_id", "window_id", "lane", "provider", "account", "unit", "outcome", "reason"), _TEXT),
        **dict.fromkeys(("features", "capacity", "quality", "tokens", "cost_usd"), _NUMBER),
        **dict.fromkeys(("began_at", "ended_at", "resets_at", "finalized_at"), _TIME),
        "imported": _FLAG,
    },
    "meters": {
        **dict.fromkeys(("record_id", "provider", "account", "origin", "plan", "meter"), _TEXT),
        "used": _NUMBER,
        **dict.fromkeys(("first_at", "last_at", "reset_at"), _TIME),
        "imported": _FLAG,
    },
    "usage": {
        **dict.fromkeys(
            ("source", "session", "day", "model", "project", "branch", "account", "client", "plan", "prices"), _TEXT
        ),
        "requests": _COUNT,
        **dict.fromkeys(("input_tokens", "cache_read_tokens", "cache_write_5m_tokens"), _COUNT),
        **dict.fromkeys(("cache_write_1h_tokens", "output_tokens", "reasoning_tokens"), _COUNT),
        **dict.fromkeys(("cost_usd", "until"), _NUMBER),
        "stored_at": _TIME,
        "imported": _FLAG,
    },
}


def tables(session: Session) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """The name of each table and its rows."""
    yield from (("results", _results(session)), ("meters", _meters(session)), ("usage", _usage(session)))


def _results(session: Session) -> Iterator[dict[str, Any]]:
    """A row per finalized window and provider; `reason` says why one does not count."""
    imported = session.index.made_elsewhere()
    for part in Windows(session).parts():
        known, reasons = facts(session, list(part.rows)), excluded(session, part.rows, part.groups)
        for window, row in part.rows.items():
            for name in sorted(row.named & session.registry.providers.keys()):
                group, own = part.groups.get((window, name), ()), known.get((window, name), {})
                source = session.registry.providers[name]
                if (found := row.result(source, group)) is None:
                    continue
                reason, (before, after) = reasons.get((window, name)) or found.reason, found.pair
                yield {
                    "record_id": row.record_id,
                    "window_id": window,
                    "lane": row.text("agent_id"),
                    "provider": name,
                    "account": found.pair.account,
                    "unit": source.capacity_meter.unit if source.capacity_meter else "",
                    "outcome": row.text("outcome"),
                    "reason": reason,
                    "features": None if reason else float(found.features),
                    "capacity": None if reason else float(found.capacity),
                    "quality": row.quality,
                    # a sum over machines must not take a part for the whole
                    "tokens": None if own.get("shared_requests") else own.get("tokens"),
                    "cost_usd": None if any(map(own.get, PARTIAL)) else own.get("cost_usd"),
                    "began_at": before and iso(before.captured_at),
                    "ended_at": after and iso(after.captured_at),
                    "resets_at": before and _reset(source, before),
                    "finalized_at": row.text("finalized_at") or row.text("captured_at"),
                    "imported": str(row.record.get("command_id")) in imported,
                }


def _reset(source: Source, capture: Capture) -> str | None:
    """The hour in which the capacity meter resets, which tells unnamed accounts apart. Panes round it."""
    gauge = capture.reading.gauge(source.capacity) if source.capacity else None
    if gauge is None or gauge.reset_at is None:
        return None
    return iso((gauge.reset_at + timedelta(minutes=30)).replace(minute=0, second=0, microsecond=0))


def _meters(session: Session) -> Iterator[dict[str, Any]]:
    """A row per run of equal readings and meter; what a longer run has replaced is left out."""
    replaced, imported = set[str](), session.index.made_elsewhere()
    for entry in session.index.entries("readings"):
        replaced.update(one for one in entry.record.get("supersedes") or () if isinstance(one, str))
    for entry in session.index.entries("readings"):
        record, parsed = entry.record, entry.record.get("parsed")
        if not isinstance(parsed, dict) or entry.record_id in replaced:
            continue
        for key, used in parsed.items():
            meter = key.removesuffix("_used")
            if meter != key and isinstance(used, int | float):
                yield {
                    **{name: record.get(name) for name in ("provider", "account", "origin", "plan")},
                    "record_id": entry.record_id,
                    "meter": meter,
                    "used": used,
                    "first_at": record.get("captured_at"),
                    "last_at": record.get("until") or record.get("captured_at"),
                    "reset_at": parsed.get(f"{meter}_reset_at"),
                    "imported": str(record.get("command_id")) in imported,
                }


def _usage(session: Session) -> Iterator[dict[str, Any]]:
    """The daily totals of sessions that `tracker usage` has stored; for each key the most complete one.

    Another machine may have counted an older copy later. Among records of older versions the last one counts.
    """
    imported = session.index.made_elsewhere()
    for source in session.registry.sources.values():
        if not any(isinstance(origin, LogOrigin) for origin in source.origins):
            continue
        latest: dict[tuple[object, ...], dict[str, Any]] = {}
        ranks: dict[tuple[object, ...], tuple[float, int, int, int]] = {}
        for entry in session.index.entries(source.stream):
            usage = entry.record.get("usage")
            if isinstance(usage, dict):
                key = tuple(usage.get(name) for name in ("session", "day", "model", "project", "branch"))
                known = {name: usage.get(name) for name in TABLES["usage"] if name in usage}
                known |= {name: redact(one) for name in NAMES if isinstance(one := known.get(name), str)}
                at = entry.record.get("captured_at")
                # if it does not say when its last request was made, that was before it was counted
                until = epoch(at) if usage.get("until") is None else usage["until"]
                fields = {"source": source.name, "prices": entry.record.get("prices"), "stored_at": at, "until": until}
                if isinstance(apart := usage.get("apart"), dict):
                    rank = until or 0.0, usage.get("revision") or 0, len(apart), usage.get("requests") or 0
                    if rank < ranks.get(key, rank):
                        continue
                    ranks[key] = rank
                latest[key] = {**known, **fields, "imported": str(entry.record.get("command_id")) in imported}
        yield from latest.values()
