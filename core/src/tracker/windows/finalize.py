"""Finalize a window: check that every provider's pair stands, and keep what it measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from tracker.contract.readings import CROSSED, EPOCH, FELL, amount, instant, iso
from tracker.contract.sources import Source
from tracker.errors import TrackerError
from tracker.journal.records import WINDOWS, stamp
from tracker.session import Session
from tracker.text.pane import each_text, redact
from tracker.text.render import line, near, plural, value
from tracker.windows.captures import Capture, canonical, capacity_delta, captures, is_finalized, measure
from tracker.windows.lanes import lane_option
from tracker.windows.messages import explained
from tracker.windows.reader import FinalizeRow, Windows
from tracker.windows.results import divergences, newest
from tracker.windows.window import git_id

LONG = ("notes", "feature_ids")  # named without what they say
OPTIONAL = ("methodology", "spec_id", "spec_version", "feature_ids", "commit_start", "commit_end")
CLEARABLE = ("quality", "outcome", "notes", *OPTIONAL)
DIVERGENT = "divergent:"

Row = dict[str, Any]


def finalize(
    session: Session, window: str, features: Mapping[str, float], given: Row, clear: Sequence[str] = ()
) -> None:
    """Append the window's finalize row and say what it measured.

    Fields of an earlier row that are not given again are kept; `clear` names those that are emptied instead.
    """
    session.index.catch_up(session.journal.streams())
    for key in [one for one in ("commit_start", "commit_end") if given.get(one)]:
        if not (commit := git_id(f"{given[key]}^{{commit}}") or git_id(f"{given[key]}^{{tree}}")):  # HEAD moves on
            session.warn(f"{line(given[key])} is not a commit of the repository here. It is stored as you typed it.")
        given[key] = commit or given[key]
    with nullcontext() if session.dry_run else session.journal.lock():
        found = captures(session.index, session.registry.sources, [window])
        groups = {name: group for (_, name), group in sorted(found.items())}
        unread = Windows(session).missing_plugins([window])
        if lost := [one for one in unread if one.measured]:  # the row would take them out of every figure
            what, cures = "; ".join(one.problem for one in lost), "; ".join(dict.fromkeys(one.cure for one in lost))
            what = f"{window} cannot be finalized, because part of it cannot be read: {what}. To finalize it, {cures}."
            raise TrackerError(f"{what} Nothing was stored.")
        _check_pairs(session, window, groups)
        entries = {name: _entry(session, session.registry.sources[name], group) for name, group in groups.items()}
        _check_falls(session, window, groups, entries)
        features, given, kept = _kept(session, Windows(session).finalized([window]).get(window), features, given, clear)
        differing = divergences(session, [window], newest(session, found, {}))
        tags = [f"{DIVERGENT}{one.source.title}" for one in differing if one.is_divergent]
        given["notes"] = redact("; ".join(part for part in (given.get("notes"), *tags) if part)) or None
        record = _row(session, window, features, given, entries)
        if not session.dry_run:
            session.journal.append(WINDOWS, [record])
    _report(session, record, features)
    if kept:
        session.note(f"note: kept from the earlier row of {window}: {', '.join(kept)}")
    Windows(session).note_missing(unread)


def reopen(session: Session, window: str) -> None:
    """Take the finalize rows of a window back: it is not finalized any more."""
    with nullcontext() if session.dry_run else session.journal.lock():
        if not (rows := list(session.index.entries(WINDOWS, [window]))):
            raise TrackerError(f"{window} is not finalized. Expected a window that `complete` has finalized.")
        common: Row = {"provider": None, "source": "finalize", "agent_id": session.lane, "reason": "reopened"}
        tombstones = [stamp(window=window, captured_at=session.now, tombstone=one.record_id, **common) for one in rows]
        if not session.dry_run:
            session.journal.append(WINDOWS, tombstones)
    if session.dry_run or session.json:
        session.data(tombstones)
    else:
        session.say(f"reopened {window} ({plural(len(rows), 'finalize row')} taken back)")


def _row(session: Session, window: str, features: Mapping[str, float], given: Row, entries: Mapping[str, Row]) -> Row:
    now, quality = given["at"], amount(given.get("quality"))
    return stamp(
        window=window,
        provider=None,
        captured_at=now,
        source="finalize",
        notes=given["notes"],
        agent_id=session.lane,
        finalized_at=iso(now),
        features={name: features.get(name) for name in sorted({*entries, *features})},
        quality_score=quality,
        quality=quality,
        outcome=each_text(given.get("outcome"), redact),
        providers=entries,
        **{key: each_text(given[key], redact) for key in OPTIONAL if given.get(key)},
    )


def _entry(session: Session, source: Source, group: list[Capture]) -> Row:
    pair = canonical(group)
    measured = measure(session.registry, source, pair)
    both = pair._asdict()
    return {
        **{phase: capture and capture.record.get("parsed") for phase, capture in both.items()},
        "delta": dict(measured.delta),
        "captured_at": {phase: capture and iso(capture.captured_at) for phase, capture in both.items()},
        "records": {phase: capture and capture.record_id for phase, capture in both.items()},
        "notes": "; ".join(str(one.record["notes"]) for one in pair if one and one.record.get("notes")) or None,
        "errors": list(measured.errors),
    }


def _kept(
    session: Session, earlier: FinalizeRow | None, features: Mapping[str, float], given: Row, clear: Sequence[str]
) -> tuple[dict[str, float], Row, list[str]]:
    """Features and fields, with those of the earlier row that are neither given nor cleared; and the names of these."""
    had, row, quality = (earlier.features, earlier.record, earlier.quality) if earlier else ({}, {}, None)
    cleared = {name.replace("-", "_") for name in clear}
    own = {name: f"{name.replace('-', '_')}_features" for name in (*session.registry.providers, *had)}
    known = {*CLEARABLE, *own.values()}
    if unknown := sorted(cleared - known):
        fields = ", ".join(sorted(known)).replace("_", "-")
        raise TrackerError(f"Unknown field {unknown[0]!r}. Expected one of {fields}, as in --clear quality.")
    kept = {name: n for name, n in had.items() if name not in features and own[name] not in cleared}
    names = [f"{line(name)} features {value(count)}" for name, count in kept.items()]
    fields_kept: Row = {"at": max(session.now, instant(row.get("finalized_at")) or EPOCH)}  # the later row counts
    for name in (one for one in CLEARABLE if one not in cleared and given.get(one) in (None, ())):
        old = quality if name == "quality" else row.get(name)
        if name == "notes" and isinstance(old, str):
            tags = {f"{DIVERGENT}{source.title}" for source in session.registry.sources.values()}
            old = "; ".join(part for part in old.split("; ") if part not in tags)
        if old not in (None, "", []):
            fields_kept[name] = old
            names.append(name.replace("_", " ") + ("" if name in LONG else f" {value(old)}"))
    return {**features, **kept}, {**given, **fields_kept}, names


def _check_pairs(session: Session, window: str, groups: Mapping[str, list[Capture]]) -> None:
    if not groups:
        known = session.index.windows()
        what = near(window, known) if known and window not in known else "Expected a BEFORE and an AFTER of a provider."
        begin = f"`tracker start PROVIDER --stdin --window {line(window)}`"
        raise TrackerError(f"{line(window)} holds no captures. {what} Begin with {begin}.")
    if missing := [(name, phase) for name, group in groups.items() for phase in canonical(group).missing]:
        name, phase = missing[0]
        late = [one for one in groups[name] if one.phase == phase.lower() == "before"]
        why = f" (the one captured is later than the AFTER of {name})" if late else ""
        place = f"--window {window}{lane_option(session, (late or groups[name])[-1].agent_id)}"
        delete, start = f"tracker alias delete {name} --phase", f"tracker start {name} --stdin {place} --captured-at T"
        cure = f"Capture {'a new AFTER' if late else 'it'} with `tracker end {name} --stdin {place}`."
        here = session.index.newest(session.registry.sources[name].stream, groups[name][-1].agent_id, name)
        if (last := groups[name][-1]).phase == "before" and last.captured_at > session.now:
            cure = f"Take that BEFORE back with `{delete} before {place}`, since its time lies in the future."
        elif phase == "BEFORE" and not late:
            cure = f"Take its AFTER out with `{delete} after {place}`, or store an older pane, from time T: `{start}`."
        elif here and here.window != window and not is_finalized(session.index, window):
            cure = f"{line(here.window)} was captured since: `tracker status` shows how {window} can still count."
        raise TrackerError(f"{window} cannot be finalized: missing {', '.join(map(' '.join, missing))}{why}. {cure}")


def _check_falls(session: Session, window: str, groups: Mapping[str, list[Capture]], entries: Row) -> None:
    for name in [name for name, entry in entries.items() if FELL in entry["errors"]][:1]:
        opened = Windows(session).open_anomalies([window])
        causes = [str(found.record.get("cause")) for found in opened if found.record.get("provider") == name]
        # after a reset no other AFTER measures the window, and the panes were right
        is_crossed = any(tag.startswith(CROSSED) for tag in entries[name]["errors"])
        place = f"--window {window}{lane_option(session, groups[name][-1].agent_id)}"
        again = f"Capture again with `tracker end {name} --stdin {place}`, or remove"
        raise TrackerError(
            f"{window} cannot be finalized: the capacity meter of {name} fell{f' ({causes[-1]})' if causes else ''}."
            f" {'Remove' if is_crossed else again} its captures with `tracker alias delete {name} {place}"
            f"{' --keep-readings' if is_crossed else ''}`, one by one: once none is left, {name} leaves the window."
        )


def _report(session: Session, record: Row, features: Mapping[str, float]) -> None:
    sources, window, entries = session.registry.sources, record["window"], record["providers"]
    if session.dry_run or session.json:
        session.data(record)
    else:
        parts = []
        for name, entry in entries.items():
            meter = sources[name].capacity_meter
            capacity = value(capacity_delta(sources[name], entry["delta"]), unit=f" {meter.unit}" if meter else "")
            parts.append(f"{name}: features={value(features.get(name))}, capacity={capacity}")
        session.say(f"finalized {window} ({'; '.join(parts)})")
    for name, entry in entries.items():
        if name not in features and sources[name].is_provider:
            session.note(f"note: no --{name}-features was given, so {name} is left out of the efficiency")
        for tag in entry["errors"]:
            session.note(f"note: {name}: {explained(tag, sources[name])}")
    for name, count in features.items():
        if name not in entries and count:
            cure = f"`tracker complete --window {window} --clear {name}-features` takes its features out"
            session.warn(f"{name} has {plural(count, 'feature')} in {window} but was not captured there; {cure}")
