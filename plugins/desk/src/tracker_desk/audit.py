"""The audit of a window: its records, which of them count, what was taken back, and what is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tracker.kernel import Capture, Entry, FinalizeRow, Session, Windows, canonical, iso, line, plural, value


def audit(session: Session, window: str) -> dict[str, Any]:
    """Everything as JSON values."""
    groups = {name: group for (_, name), group in Windows(session).captures([window]).items()}
    row = Windows(session).finalized([window]).get(window)
    # a provider whose captures are all gone was measured too
    names = {*groups, *(row.providers.keys() & session.registry.sources.keys() if row else ())}
    open_ids = {entry.record_id for entry in Windows(session).open_anomalies([window])}
    return {
        "window": window,
        "providers": {name: _provider(name, groups.get(name, []), row) for name in sorted(names)},
        "finalize_rows": [
            _picked(entry, "finalized_at", "outcome")
            | {"canonical": row is not None and entry.record_id == row.record_id}
            for entry in session.index.entries("windows", [window])
        ],
        "repeated_lines": _repeated_lines(session, window),
        "tombstones": list(_tombstones(session, window)),
        "anomalies": [
            _picked(entry, "provider", "kind", "cause", "cure")
            | {
                "open": entry.record_id in open_ids,
                # when, why, by which record, in which lane
                "closed_by": closed_by and _picked(closed_by, "captured_at", "cause", "by", "agent_id", "source"),
            }
            for entry, closed_by in Windows(session).anomalies([window])
        ],
        "churn_rows": sum(1 for _ in session.index.entries("churn", [window])),
        "other_records": _other(session, window),
    }


def _picked(entry: Entry, *keys: str) -> dict[str, Any]:
    """A record's id and some of its fields."""
    return {"record_id": entry.record_id} | {key: entry.record.get(key) for key in keys}


def _provider(name: str, group: list[Capture], row: FinalizeRow | None) -> dict[str, Any]:
    phases = Counter(capture.phase or "count" for capture in group)
    lanes = dict.fromkeys(capture.agent_id for capture in group)
    return {
        "entries": dict(sorted(phases.items())),
        "duplicates": {phase: count - 1 for phase, count in sorted(phases.items())},
        "canonical": _pair(group),
        "lanes": {lane or "": _pair([one for one in group if one.agent_id == lane]) for lane in lanes},
        "stale": row is not None and row.is_stale(name, group),
    }


def _pair(group: list[Capture]) -> dict[str, Any]:
    """The captures that count, by phase."""
    return {
        phase: capture
        and {"record_id": capture.record_id, "captured_at": iso(capture.captured_at), "agent_id": capture.agent_id}
        for phase, capture in zip(("before", "after"), canonical(group), strict=True)
    }


def _other(session: Session, window: str) -> dict[str, int]:
    """How many records of each other stream belong to the window, such as events and reports."""
    known = {"anomalies", "windows", "churn", "commands", *session.registry.status_streams}
    counts = {
        stream: sum(1 for _ in session.index.entries(stream, [window]))
        for stream in session.journal.streams()
        if stream not in known
    }
    return {stream: count for stream, count in counts.items() if count}


def _repeated_lines(session: Session, window: str) -> dict[str, int]:
    """The number of lines in each stream that repeat an earlier record."""
    found = {}
    for stream in session.journal.streams():
        ids = [entry.record_id for entry in session.index.entries(stream, [window], repeated=True)]
        if len(ids) > len(set(ids)):
            found[stream] = len(ids) - len(set(ids))
    return found


def _tombstones(session: Session, window: str) -> Iterator[dict[str, Any]]:
    """What was taken back: when and why, and what it was."""
    for stream in session.journal.streams():
        if not session.index.tombstoned(stream):
            continue
        everything: dict[str, dict[str, Any]] = {}
        for entry in session.index.entries(stream, [window], removed=True):
            # without its pane: many panes do not fit into memory
            everything[entry.record_id] = {key: one for key, one in entry.record.items() if key != "raw_text"}
        put_back = {one["tombstone"]: one for one in everything.values() if isinstance(one.get("tombstone"), str)}
        for record_id, record in everything.items():
            target = everything.get(str(record.get("tombstone")), {})
            # what takes a tombstone back puts its record back, which that one's line says
            if "tombstone" not in record or "tombstone" in target:
                continue
            yield {
                "record_id": record_id,
                "removed": record["tombstone"],
                "stream": stream,
                "provider": record.get("provider"),
                "phase": target.get("phase"),
                "captured_at": target.get("captured_at"),
                "outcome": target.get("outcome"),
                "removed_at": record.get("captured_at"),
                "reason": record.get("reason"),
                "agent_id": record.get("agent_id"),
                "put_back_at": put_back.get(record_id, {}).get("captured_at"),
            }


def lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"Window: {line(found['window'])}"
    yield "Captures:" if found["providers"] else "Captures: none"
    for name, entry in found["providers"].items():
        twice = {phase: f" ({plural(count, 'duplicate')})" for phase, count in entry["duplicates"].items() if count}
        counts = (f"{count} {phase}{twice.get(phase, '')}" for phase, count in entry["entries"].items())
        yield f"  - {name}: {', '.join(counts) or 'none left'}{_stale(entry)}"
        yield f"      counts: {_times(entry['canonical'])}"
        if len(entry["lanes"]) > 1:
            for lane, pair in entry["lanes"].items():
                yield f"      lane {line(lane) or '(none)'}: {_times(pair)}"
    rows = found["finalize_rows"]
    yield "Finalized:" if rows else "Finalized: no"
    for row in rows:
        mark = " (counts)" if row["canonical"] else ""
        yield f"  - {value(row['finalized_at'])} outcome={value(row['outcome'])}{mark}"
    if found["repeated_lines"]:
        repeated = (f"{plural(count, 'line')} in {name}.jsonl" for name, count in found["repeated_lines"].items())
        yield f"Repeated lines, counted once: {', '.join(repeated)}"
    yield "Taken back:" if found["tombstones"] else "Taken back: nothing"
    for one in found["tombstones"]:
        what = f"{_removed(one)} of {value(one['captured_at'])}"
        back = f"; put back {value(one['put_back_at'])}" if one["put_back_at"] else ""
        yield f"  - {what}, removed {value(one['removed_at'])}: {value(one['reason'])}{back}"
    yield "Anomalies:" if found["anomalies"] else "Anomalies: none"
    for one in found["anomalies"]:
        state = "open" if one["open"] else "closed"
        yield f"  - {state}: {value(one['provider'])} {value(one['kind'])}: {value(one['cause'])}"
        if one["open"] and one["cure"]:
            yield f"      cure: {value(one['cure'])}"
        if not one["open"] and not one["closed_by"]:
            yield "      one of its records was taken back"
        if by := one["closed_by"]:
            lane = f" in lane {value(by['agent_id'])}" if by["agent_id"] else ""
            yield f"      {value(by['cause'])} ({value(by['captured_at'])}{lane}, record {value(by['by'])})"
    yield f"Churn rows: {found['churn_rows']}"
    if other := found["other_records"]:
        yield f"Other records: {', '.join(f'{line(stream)} {count}' for stream, count in other.items())}"


def _stale(entry: dict[str, Any]) -> str:
    """How to correct a stale window: `complete` refuses one whose pair is not complete."""
    cure = "re-run complete" if all(entry["canonical"].values()) else "decision-card names the cure"
    return f" (stale: {cure})" if entry["stale"] else ""


def _removed(one: dict[str, Any]) -> str:
    """What was taken back; its stream tells the kind of record."""
    if one["stream"] == "windows":
        return f"finalize row (outcome={value(one['outcome'])})"
    if one["phase"] is None:
        return " ".join(filter(None, (line(one["provider"] or ""), line(one["stream"]), "record")))
    return f"{value(one['provider'])} {value(one['phase'])}"


def _times(pair: dict[str, Any]) -> str:
    def one(phase: str) -> str:
        found = pair[phase]
        lane = f" by {line(found['agent_id'])}" if found and found["agent_id"] else ""
        return f"{phase} {found['captured_at']}{lane}" if found else f"no {phase}"

    return f"{one('before')}, {one('after')}"
