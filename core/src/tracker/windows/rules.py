"""The rules that a capture must keep, and the anomalies that it shows, each with its cause and its cure.

An anomaly is said once, when it is stored, is closed by a row that names it, and is never deleted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from attrs import evolve

from tracker.contract.readings import Reading, compact, iso
from tracker.contract.sources import Source
from tracker.errors import PluginError, TrackerError
from tracker.journal.index import Entry
from tracker.journal.records import stamp
from tracker.session import Session
from tracker.settings.zones import zone
from tracker.text.clock import span
from tracker.windows.captures import Capture, Pair, canonical, measure

if TYPE_CHECKING:
    from tracker.windows.store import CaptureRequest

ANOMALIES = "anomalies"
LATE_AFTER, CLOCK_SKEW, NEGATIVE = "late-after", "clock-skew", "negative-delta"
IMPLAUSIBLE, STALE = "reset-implausible", "stale-data"
# clocks of machines differ; beyond that a capture claims to be from the future
FUTURE = timedelta(minutes=2)
# panes show resets by the minute, and clocks of machines differ
SLACK = timedelta(minutes=10)
LONGEST_MONTH, YEAR = timedelta(days=31), timedelta(days=365)


# --- a reading without any value


def check_values(session: Session, request: CaptureRequest) -> None:
    """Refuse a reading without any value: say why, and whose the text looks like."""
    source, text = request.source, request.text
    if request.force or _has_value(source, request.reading):
        return
    tags = request.reading.errors or ("insufficient-data",)
    known = dict.fromkeys(tag.partition(":")[0] for tag in tags)
    why = "; ".join(source.tags[tag] for tag in known if tag in source.tags)
    if text is not None and not text.strip():
        why = "nothing was piped or pasted"
    elif text is not None and (owner := _owner(session, source, text, request.captured_at)):
        why = f"this looks like {owner}'s"
    raise TrackerError(
        f"this text holds no {source.name} reading ({', '.join(tags)}){f': {why}' if why else ''}. Nothing was stored."
        " Use --force to store it with its tags."
    )


def _has_value(source: Source, reading: Reading) -> bool:
    return any(gauge.used is not None for gauge in reading.gauges) if source.meters else bool(reading.fields)


def _owner(session: Session, source: Source, text: str, at: datetime) -> str | None:
    """Another installed source that reads a value from the text, a provider first."""
    others = [one for one in session.registry.sources.values() if one.kind in ("status", "report") and one != source]
    given = {"text": text, "captured_at": at, "timezone": zone(session.config.timezone), "scope": None, "origin": None}
    for other in sorted(others, key=lambda other: other.kind != "status"):
        try:
            answer = session.registry.call(other.name, "parse_status", **given)
        except PluginError:
            # it was not asked for: what is wrong with it is no concern of this command
            continue
        if isinstance(answer, Reading) and _has_value(other, answer):
            return other.name
    return None


# --- the time that a pane is from


def dated(session: Session, request: CaptureRequest) -> Reading:
    """The reading without resets that cannot be: each lies at most one window of its meter ahead.

    A pane of which every reset is over, or cannot be, is old: it is refused, unless `force`, which tags it.
    """
    source, reading = request.source, request.reading
    now = reading.as_of or request.captured_at
    resets = {gauge.meter: gauge.reset_at for gauge in reading.gauges if gauge.reset_at is not None}
    far = {name for name, reset in resets.items() if reset > now + _length(source, name) + SLACK}
    # in the buffer vendors show the old reset
    over = {name for name, reset in resets.items() if reset + timedelta(minutes=session.config.buffer_minutes) <= now}
    is_old = bool(resets) and len(far | over) == len(resets)
    if is_old and not request.force:
        passed = max(reset if reset <= now else reset - YEAR for reset in resets.values())
        age = span(now - passed) if passed <= now else "weeks"
        # what was read by itself has a time of its own, and no option for it
        dating = " give the time of this one with --captured-at," if request.origin == "alias" else ""
        raise TrackerError(
            f"This {source.name} pane is old: every reset that it shows was over {age} ago. Expected a pane of now."
            f" Capture a new one,{dating} or store it as it is with --force. Nothing was stored."
        )
    if not far and not is_old:
        return reading
    gauges = tuple(evolve(one, reset_at=None) if one.meter in far else one for one in reading.gauges)
    tags = [*reading.errors, *(f"{IMPLAUSIBLE}:{name}" for name in sorted(far)), *([STALE] if is_old else [])]
    return evolve(reading, gauges=gauges, errors=tuple(dict.fromkeys(tags)))


def _length(source: Source, name: str) -> timedelta:
    """The longest time until a meter's next reset; a year for a meter that declares none."""
    meter = source.meter(name)
    window = meter.window if meter else None
    return LONGEST_MONTH if window == "month" else window if isinstance(window, timedelta) else YEAR


# --- the buffer after a reset


def reset_before(session: Session, source: Source, reading: Reading, at: datetime) -> datetime | None:
    """The latest reset in whose buffer an instant lies, by the reading and by what stands."""
    start = at - timedelta(minutes=session.config.buffer_minutes)
    stored = session.index.resets(source.stream, source.name, start.timestamp(), at.timestamp())
    here = [one.reset_at for one in reading.gauges if one.reset_at is not None and start < one.reset_at <= at]
    return max([*here, *(datetime.fromtimestamp(found, at.tzinfo) for found in stored)], default=None)


def check_after(session: Session, request: CaptureRequest, before: Capture | None, window: str) -> str | None:
    """Refuse an AFTER whose reading is not younger than its BEFORE's, or that follows a reset too closely.

    Unless the user insists: then the answer says how closely that was.
    """
    source, reading, at = request.source, request.reading, request.captured_at
    old = before.reading.as_of if before is not None else None
    if not request.force and reading.as_of is not None and old is not None and reading.as_of <= old:
        raise TrackerError(
            f"This {source.name} reading is of {iso(reading.as_of)}, and the BEFORE of {window} is of {iso(old)}:"
            f" nothing was measured in between. Send {source.title} a message, so that it writes a new reading, then"
            " capture again. Nothing was stored."
        )
    reset = reset_before(session, source, reading, at)
    if reset is None:
        return None
    if not request.force and LATE_AFTER not in (request.notes or ""):
        over = reset + timedelta(minutes=session.config.buffer_minutes)
        wait = math.ceil((over - at).total_seconds())
        raise TrackerError(
            f"no {source.name} AFTER before {iso(over)}: a meter was reset at {iso(reset)}, and the vendor's pane lags."
            f" Wait {wait // 60} min {wait % 60} s and capture again, or"
            f" store it as an anomaly with --force (or '{LATE_AFTER}' in --notes). Nothing was stored."
        )
    return f"captured at {iso(at)}, within {session.config.buffer_minutes:g} min after the reset at {iso(reset)}"


# --- anomalies


def anomalies_of(
    session: Session, source: Source, new: Capture, group: Sequence[Capture], late: str | None
) -> list[dict[str, Any]]:
    """What a new capture shows beside those that stand in its window; `late` as `check_after` said."""
    record, found = new.record, []
    delete = f"tracker alias delete {source.name} --phase {new.phase} --window {new.window}"
    if late is not None:
        again = f"capture again after the buffer: tracker end {source.name} --stdin --window {new.window}"
        found.append(anomaly(LATE_AFTER, late, again, [new.record_id], record))
    if new.captured_at > session.now + FUTURE:
        cause = f"captured at {record['captured_at']}, which lies in the future"
        found.append(anomaly(CLOCK_SKEW, cause, delete, [new.record_id], record))
    turned = _turned(new, group)
    if turned.before and turned.after:
        times = iso(turned.after.captured_at), iso(turned.before.captured_at)
        cause = "AFTER of {} is earlier than its BEFORE of {}".format(*times)
        ids = [turned.before.record_id, turned.after.record_id]
        found.append(anomaly(CLOCK_SKEW, cause, delete, ids, record))
    pair = canonical([*group, new])
    if new in (pair.before, pair.after):
        found += falls(session, source, pair, record)
    return found


def _turned(new: Capture, group: Sequence[Capture]) -> Pair:
    """A BEFORE and the AFTER that is earlier than it, one of them new; by the new one's lane if that has both."""
    known = [*group, new]
    own = [capture for capture in known if capture.agent_id == new.agent_id]
    candidates = own if {"before", "after"} <= {capture.phase for capture in own} else known
    befores = [capture for capture in candidates if capture.phase == "before"]
    after = new if new.phase == "after" else canonical(candidates).after
    if after is None or after.phase is None or not befores:
        return Pair()
    if any(capture.captured_at <= after.captured_at for capture in befores):
        return Pair()
    return Pair(before=new if new.phase == "before" else max(befores, key=lambda one: one.order), after=after)


def falls(session: Session, source: Source, pair: Pair, like: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for every meter that fell between the captures that count."""
    if pair.before is None or pair.after is None:
        return []
    rows = []
    for fall in measure(session.registry, source, pair).falls:
        before, after = compact(fall.before), compact(fall.after)
        cause, cure = f"{fall.meter} fell from {before} to {after}", "capture again"
        if fall.reset_at is not None:
            cause += f"; it was reset at {iso(fall.reset_at)}, inside the window"
            cure = (
                "readings from both sides of the reset measure across it: end the window before a reset and begin the"
                " next one behind it"
            )
        cure += (
            f", or tracker alias delete {source.name} --phase {pair.after.phase} --window {pair.after.window} (and the"
            f" other phase: then {source.name} leaves the window)"
        )
        figures = {"meter": fall.meter, "before": before, "after": after, "delta": compact(round(after - before, 6))}
        rows.append(anomaly(NEGATIVE, cause, cure, [pair.before.record_id, pair.after.record_id], like, **figures))
    return rows


def superseded(session: Session, source: Source, new: Capture, group: Sequence[Capture]) -> list[dict[str, Any]]:
    """Rows that close the anomalies of captures which, after a new one, no longer count."""
    opened = [entry for entry, closed in history(session, [new.window], [source.stream]) if closed is None]
    if not opened:
        return []
    known = [*group, new]
    own_lane = [capture for capture in known if capture.agent_id == new.agent_id]
    pairs = (canonical(own_lane), canonical(known))
    counting = {capture.record_id for pair in pairs for capture in (pair.before, pair.after) if capture}
    cause = f"superseded by the {new.phase} capture of {iso(new.captured_at)}"
    return [
        closing(found, cause, new.record)
        for found in opened
        if found.record.get("provider") == source.name
        # one of schema 1.0.0 names no records: it is about the pair that counted until now
        and (not counting.issuperset(ids) if (ids := about(found)) else new.record_id in counting)
    ]


# --- anomalies as rows


def anomaly(
    kind: str, cause: str, cure: str, records: Iterable[str], like: Mapping[str, Any], **figures: Any
) -> dict[str, Any]:
    """A row about records; `like` is the record that caused it, whose window, provider, lane and time it takes."""
    more = {"kind": kind, "cause": cause, "cure": cure, "records": list(records)}
    return _row(like, **more, **{key: figures.get(key) for key in ("meter", "before", "after", "delta")})


def closing(found: Entry, cause: str, like: Mapping[str, Any]) -> dict[str, Any]:
    """The row that closes an anomaly because of the record `like`."""
    more = {"kind": found.record.get("kind"), "cause": cause, "by": like["record_id"]}
    return _row(like, closes=found.record_id, **more)


def _row(like: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return stamp(
        window=like["window"],
        provider=like["provider"],
        captured_at=datetime.fromisoformat(like["captured_at"]),
        source=like["source"],
        agent_id=like["agent_id"],
        **fields,
    )


def history(
    session: Session,
    windows: Iterable[str] | None = None,
    streams: list[str] | None = None,
    *,
    without: str | None = None,
    removed: bool = False,
) -> list[tuple[Entry, Entry | None]]:
    """The anomalies whose records all stand, or with `removed` once did, each with the row that closed it.

    A row closes an anomaly while the record stands that it names as `by`. A crash may leave either row without its
    record: then it says nothing. streams: where the records are, if not in all that hold captures. without: a record
    that is about to be taken back.
    """
    entries = list(session.index.entries(ANOMALIES, windows))
    if not entries:
        return []
    streams = streams or session.registry.status_streams
    ids = {one for entry in entries for one in (*about(entry), entry.record.get("by")) if isinstance(one, str)}
    standing = session.index.standing(streams, ids) - {without}
    known = session.index.standing(streams, ids, removed=True) if removed else standing
    closed: dict[str, Entry] = {}
    for entry in entries:
        closes, by = entry.record.get("closes"), entry.record.get("by")
        if isinstance(closes, str) and (by in standing or not isinstance(by, str)):
            closed[closes] = entry
    raised = [entry for entry in entries if "closes" not in entry.record and known.issuperset(about(entry))]
    return [(entry, closed.get(entry.record_id)) for entry in raised]


def open_anomalies(
    session: Session, windows: Iterable[str] | None = None, *, without: str | None = None
) -> list[Entry]:
    """The anomalies that nothing closed and whose records all stand; `without`: a record about to be taken back."""
    return [entry for entry, closed in history(session, windows, without=without) if closed is None]


def about(entry: Entry) -> list[str]:
    """The ids of the records that an anomaly is about."""
    found = entry.record.get("records")
    return [record for record in found if isinstance(record, str)] if isinstance(found, list) else []
