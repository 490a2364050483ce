"""A reading on its way into the journal: the rules that it must keep, and the rows that are appended."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from attrs import evolve

from tracker.contract.readings import Reading, amount, iso, to_parsed
from tracker.contract.sources import FileOrigin, Source
from tracker.errors import PluginError, TrackerError
from tracker.journal.records import ANOMALIES, PHASES, check_window, stamp
from tracker.session import Session
from tracker.text.clock import span
from tracker.text.pane import account_id, each_text, redact, with_addresses
from tracker.text.render import line, near
from tracker.windows import anomalies
from tracker.windows.captures import OTHER_ACCOUNT, TOO_FAR, Capture, Pair, canonical, captures, is_finalized, measure
from tracker.windows.lanes import TIMED, ZEROTH, lane_option, next_window, stamped_notes
from tracker.windows.messages import OVER, STALE, say

LATE_AFTER, CLOCK_SKEW = "late-after", "clock-skew"
# clocks of machines differ; beyond that a capture is from the future, and would count as the newest until then
FUTURE = timedelta(minutes=5)
SLACK = timedelta(minutes=10)  # panes show resets by the minute, and clocks of machines differ
YEAR = timedelta(days=365)

Row = dict[str, Any]


class CaptureRequest(NamedTuple):
    """What the user asked to store.

    phases: ``("before",)``, ``("after",)`` or both, when the pane also opens the next window; none for a report.
    reading: as parsed; text: as it came, None for an override. origin: the record's `source`. needs_before: refuse an
    AFTER alone. details: further fields of the record, such as where a reading was taken from. is_last: the command
    stores no more, so that what features do at its end needs no lock of its own.
    """

    source: Source
    reading: Reading
    text: str | None
    captured_at: datetime
    origin: str
    phases: tuple[str, ...] = ()
    window: str | None = None
    notes: str | None = None
    force: bool = False
    needs_before: bool = False
    details: Mapping[str, Any] = {}
    is_last: bool = True


class Addition(NamedTuple):
    """What a capture adds to its window.

    standing: the captures that were there. record, anomalies: the rows to append. pair: what counts with them.
    moved: each meter since the BEFORE, by field.
    """

    window: str
    standing: Sequence[Capture]
    record: Row
    anomalies: Sequence[Row]
    pair: Pair
    moved: Mapping[str, float]


def store(session: Session, request: CaptureRequest) -> list[Row]:
    """Check the rules, append under the lock, say what was stored; `--dry-run` appends nothing. Returns the records."""
    source, request = request.source, _checked(session, request)
    with nullcontext() if session.dry_run else session.journal.lock():
        place = session, source, session.lane, request.captured_at
        window = request.window or window_of(*place, request.phases[0])
        added = [add(session, request, window, request.phases[0] if request.phases else None)]
        # a pane that also opens the next window is a BEFORE there
        added += [add(session, request, _free(*place, next_window(window)), phase) for phase in request.phases[1:]]
        # anomalies first: a crash in between leaves rows about nothing, which readers ignore, instead of a silent one
        found = [row for one in added for row in one.anomalies]
        rows = {ANOMALIES: found, source.stream: [one.record for one in added]}
        if not session.dry_run:
            session.journal.append_all({stream: own for stream, own in rows.items() if own})
            if request.is_last:
                session.finish()
    say(session, request, added)
    return rows[source.stream]


def _checked(session: Session, request: CaptureRequest) -> CaptureRequest:
    """The request with its text and reading as stored; refused if these hold no value, or are from another time."""
    source, reading, force = request.source, request.reading, request.force
    if not force and not has_value(source, reading):
        raise _no_value(session, request)
    if request.phases and (request.text is not None or request.origin == "automation"):
        reading = dated(request, timedelta(minutes=session.config.buffer_minutes))
    text = request.text and redact(request.text, keep_account=session.config.keep_account)
    # two addresses may be redacted alike
    named = reading.fields.get("account")
    known = {"account": account_id(named, request.text)} if isinstance(named, str) and request.text else {}
    return request._replace(reading=reading, text=text, details={**known, **request.details})


def window_of(session: Session, source: Source, lane: str | None, at: datetime, phase: str = "before") -> str:
    """The window of a capture that names none: the open one, else the next."""
    if (newest := session.index.newest(source.stream, lane, source.name)) and newest.phase == "before":
        return newest.window
    if phase == "after":
        raise _nothing_open(session, source, newest and newest.window)
    index, streams = session.index, session.journal.streams()
    marks = [one for stream in streams for _, one in index.lanes(stream, [lane])]
    # it joins the window that another provider began in this lane since
    opened = [one for one in marks if one.phase == "before" and one.at > (newest.at if newest else 0)]
    # a provider begins where the lane is, and a lane where others are: ids may exist on this machine only
    begun = opened or ([] if newest else marks or [one for stream in streams for _, one in index.lanes(stream)])
    first = max(begun, key=lambda one: one.at).window if begun else next_window(newest.window if newest else ZEROTH)
    # the BEFORE of one that was never ended is not replaced in passing
    return _free(session, source, lane, at, first, *PHASES)


def _free(session: Session, source: Source, lane: str | None, at: datetime, window: str, *kept: str) -> str:
    """The window, or the first after it in which a capture counts and replaces no kept phase: a timed one is over."""
    index, own, kept = session.index, (source.stream, source.name, lane or ""), kept or ("after",)
    while TIMED.fullmatch(window) or is_finalized(index, window) or index.is_taken(window, own, kept, at.timestamp()):
        window = next_window(window)
    return check_window(window)


def add(session: Session, request: CaptureRequest, window: str, phase: str | None) -> Addition:
    """What a reading adds to a window, by the rules for its captures; without a phase it is a report's."""
    source, at = request.source, request.captured_at
    standing = captures(session.index, {source.name: source}, [window]).get((window, source.name), [])
    # `compute_delta` needs the instant; its place is after every line of the journal
    reading = evolve(request.reading, as_of=request.reading.as_of or at)
    new = Capture("", window, phase, at, session.lane, 2**63, request.details, reading)
    befores = [one for one in standing if one.phase == "before"]
    before = canonical([*befores, new]).before if phase else None
    if request.needs_before and phase == "after" and not befores:
        left = session.index.left_open(source.stream, session.lane, source.name, session.index.unfinalized())
        hint = f" {near(window, [one.window for one in left])}" if left else ""
        start = f"`tracker start {source.name} --stdin --window {window}{lane_option(session, session.lane)}`"
        raise TrackerError(f"{window} has no {source.name} BEFORE.{hint} Capture one with {start}. Nothing was stored.")
    broken = list(_broken_rules(session, request, new, standing, before))
    for rule in broken:
        if not request.force and (rule.kind != LATE_AFTER or rule.kind not in (request.notes or "")):
            raise TrackerError(f"{rule.cause[0].upper()}{rule.cause[1:]}. {rule.advice} Nothing was stored.")
    record = _record(session, request, new, before)
    new = new._replace(record_id=record["record_id"], record=record)
    pair = canonical([*standing, new]) if phase else Pair()
    measured = measure(session.registry, source, pair)
    moved = {name: delta for name, delta in measured.delta.items() if delta is not None} if new is pair.after else {}
    rows: list[Row] = []
    if broken or measured.falls or any(True for _ in session.index.entries(ANOMALIES, [window])):
        rows += [anomalies.row_about(rule.captures, record, rule.kind, rule.cause, rule.cure) for rule in broken]
        rows += anomalies.falls(source, pair, measured, record) if new in pair else []
        rows += anomalies.superseded(session, source, new, standing) if phase else []
    return Addition(window, standing, record, rows, pair, moved)


# --- rules


class Broken(NamedTuple):
    """A rule that a capture breaks: it is refused with `advice`, or stored with an anomaly if the user insists."""

    kind: str
    cause: str
    advice: str
    cure: str
    captures: tuple[Capture, ...]


def _broken_rules(
    session: Session, request: CaptureRequest, new: Capture, standing: Sequence[Capture], before: Capture | None
) -> Iterator[Broken]:
    """What is wrong with the time of a capture, or with its account.

    standing: those of its window. before: the one that counts for it.
    """
    source, at, seen, now = request.source, new.captured_at, request.reading.as_of, datetime.now(UTC)
    place = f"--window {new.window}{f' --agent {new.agent_id}' if new.agent_id else ''}"
    delete = f"tracker alias delete {source.name} --phase {new.phase} {place}"
    if (latest := max(at, seen or at)) > now + FUTURE:
        whose = "capture" if latest == at else "reading"
        cause = f"the {whose} time {iso(latest)} lies in the future, {span(latest - now)} ahead"
        advice = "Expected a time that has passed. Check --captured-at and your clock, or store it with --force."
        yield Broken(CLOCK_SKEW, cause, advice, delete, (new,))
    # a finalized window keeps its account: another one's pair would take over the features that were counted
    others = [one for one in (before, canonical(standing).after) if one and Pair(one, new).mixed == OTHER_ACCOUNT]
    if old := next((one for one in others if one is before or is_finalized(session.index, new.window)), None):
        cause = f"this {source.name} reading is from another account than the {str(old.phase).upper()} of {new.window}"
        other = "Capture the pane of that account" if new.phase == "after" else "Name another window with --window"
        advice = f"Expected both from one account. {other}, or store it with --force."
        yield Broken(OTHER_ACCOUNT, cause, advice, delete, (old, new))
    if new.phase != "after":
        return
    old = before or next((one for one in reversed(standing) if one.phase == "before"), None)
    is_younger = before is not None and (seen is None or before.reading.as_of is None or seen > before.reading.as_of)
    shown, known = ([(one.meter, one.used) for one in read.reading.gauges] for read in (new, before or new))
    is_same = before is not None and at == before.captured_at and shown == known  # of one instant, so no other reading
    if old is not None and (is_same or not is_younger):
        cause = f"this {source.name} reading is from {iso(seen or at)}, which is not later than the BEFORE of"
        cause += f" {new.window}, from {iso(old.reading.as_of or old.captured_at)}"
        advice = f"Send {source.title} a message for a new reading, then capture again, or store it with --force."
        if (is_ahead := max(old.captured_at, old.reading.as_of or old.captured_at) > now) or is_same:  # no AFTER helps
            theirs = lane_option(session, old.agent_id)
            delete = f"tracker alias delete {source.name} --phase before --window {new.window}{theirs}"
            why = "its time lies in the future" if is_ahead else "it is this very reading"
            advice = f"Take that BEFORE back with `{delete}`, since {why}, or store this with --force."
        yield Broken(CLOCK_SKEW, cause, advice, delete, (old, new))
    resets = [reset_before(session, source, request.reading, one) for one in (at, seen or at)]
    if (reset := resets[0] or resets[1]) is not None:
        until = reset + timedelta(minutes=session.config.buffer_minutes)
        wait = max(math.ceil((until - at).total_seconds()), 0)
        cause = f"the AFTER of {source.name} comes too early: a meter was reset at {iso(reset)}, and panes lag behind"
        advice = f"Expected one at {iso(until)} or later. Wait {wait // 60} min {wait % 60} s and capture again, or"
        advice += f" store it as an anomaly with --force (or '{LATE_AFTER}' in --notes)."
        cure = f"capture again after the buffer: tracker end {source.name} --stdin {place}"
        yield Broken(LATE_AFTER, cause, advice, cure, (new,))


def has_value(source: Source, reading: Reading) -> bool:
    return any(gauge.used is not None for gauge in reading.gauges) if source.meters else bool(reading.fields)


def dated(request: CaptureRequest, buffer: timedelta) -> Reading:
    """The reading without resets that are implausible or out of date. A pane with only those is refused, or tagged."""
    source, reading, seen = request.source, request.reading, request.reading.as_of or request.captured_at
    resets = {gauge.meter: gauge.reset_at for gauge in reading.gauges if gauge.reset_at is not None}
    # each lies at most one window of its meter ahead
    longest = {name: meter.longest for name in resets if (meter := source.meter(name)) and meter.longest}
    far = {name for name, reset in resets.items() if reset - seen > longest.get(name, YEAR) + SLACK}
    # in the buffer vendors show the old reset, and for an idle meter until it is used
    over = {name for name, reset in resets.items() if reset <= seen - buffer}
    is_old = bool(resets) and (far | over).issuperset(longest or resets)  # any time is a reset of an unknown meter
    if is_old and not request.force:
        # a day without a year is read as the next such day, which may be the one of a year later
        age = max(seen - one + (YEAR if one - seen > YEAR / 2 else timedelta(0)) for one in resets.values())
        fits = f", by {span(age)} or more" if (is_past := age >= timedelta(0)) else ": its resets do not fit that time"
        # an automatic reading has a time of its own, and no option for it
        dating = "" if request.origin == "automation" else " give the right time of this one with --captured-at,"
        what = f"This {source.name} pane is {'older than' if is_past else 'not from'} {seen:%Y-%m-%d %H:%M} UTC{fits}."
        raise TrackerError(f"{what} Capture a new one,{dating} or store it as it is with --force. Nothing was stored.")
    tags = [*reading.errors, *(f"{TOO_FAR}:{name}" for name in sorted(far))]
    tags += [STALE] if is_old else [f"{OVER}:{name}" for name in sorted(over)]
    idle = {one.meter for one in reading.gauges if one.meter in over and one.used == 0 and STALE not in tags}
    gauges = tuple(evolve(one, reset_at=None) if one.meter in far | idle else one for one in reading.gauges)
    return evolve(reading, gauges=gauges, errors=tuple(dict.fromkeys(tags)))


def reset_before(session: Session, source: Source, reading: Reading, at: datetime) -> datetime | None:
    """The latest reset in whose buffer an instant lies, by the reading and the stored captures."""
    start = at - timedelta(minutes=session.config.buffer_minutes)
    stored = session.index.resets(source.stream, source.name, start.timestamp(), at.timestamp())
    here = [one.reset_at for one in reading.gauges if one.reset_at is not None and start < one.reset_at <= at]
    return max([*here, *(datetime.fromtimestamp(found, at.tzinfo) for found in stored)], default=None)


def _no_value(session: Session, request: CaptureRequest) -> TrackerError:
    """The error for a text without any value: why, and whose it looks like."""
    source, tags = request.source, request.reading.errors or ("insufficient-data",)
    kinds = dict.fromkeys(kind for tag in tags if (kind := tag.partition(":")[0]) in source.tags)
    # a cause before it says more than that there is no value
    why = "; ".join(source.tags[kind] for kind in kinds if kind != "insufficient-data" or kind == tags[0])
    if is_empty := request.text is not None and not request.text.strip():
        why = "nothing was piped or pasted"
    elif request.text is not None and (owner := _owner(session, request, request.text)):
        verb = "ingest" if owner.kind == "report" else "end" if request.phases == ("after",) else "start"
        why = f"it looks like {owner.name}'s, so use `tracker {verb} {owner.name}`"
    what = f"This text holds no {source.name} reading ({', '.join(tags)}){f': {why}' if why else ''}."
    return TrackerError(f"{what} Nothing was stored.{'' if is_empty else ' Use --force to store it with its tags.'}")


def _owner(session: Session, request: CaptureRequest, text: str) -> Source | None:
    """Another installed source that reads a value from the text, a provider first."""
    own = request.source
    others = [one for one in session.registry.sources.values() if one.kind in ("status", "report") and one is not own]
    given = {"text": text, "captured_at": request.captured_at, "scope": None, "origin": None}
    for other in sorted(others, key=lambda other: other.kind != "status"):
        with suppress(PluginError):  # it was not asked for: what is wrong with it is no concern of this command
            answer = session.registry.call(other.name, "parse_status", timezone=session.zone, **given)
            if isinstance(answer, Reading) and has_value(other, answer):
                return other
    return None


def _nothing_open(session: Session, source: Source, last: str | None) -> TrackerError:
    """The error for an AFTER without an open window: which one, of this lane or another, it may belong to."""
    name, lane, index = source.name, session.lane, session.index
    begun = canonical(captures(index, {name: source}, [last]).get((last, name), ())).before if last else None
    ends = [(lane, last, "has its AFTER", "corrects it")] if begun and not is_finalized(index, begun.window) else []
    left = [line(one.window) for one in index.left_open(source.stream, lane, name, index.unfinalized())]
    others = [] if left else [(agent, one) for agent, one in index.lanes(source.stream) if one.phase == "before"]
    ends += [(agent, one.window, "never ended", "ends it") for agent, one in others if one.provider == name][:3]
    text = f"{name} has no open window{f' in lane {lane}' if lane else ''}."
    if not index.newest_windows(1):
        text += f" {session.root.resolve()} holds no windows. If you began one in another folder, end it there."
    for agent, window, state, does in ends:
        end = f"`tracker end {name} --stdin --window {line(window)}{lane_option(session, agent)}`"
        text += f" {line(window)} {state}: {end} {does}."
    text += f" {', '.join(left[:3])} never ended: `tracker status` says what to do." if left else ""
    free = _free(session, source, lane, session.now, next_window(last or ZEROTH))
    add = f"`tracker windows add {free} --from TIME --to TIME --provider {name}`"
    is_kept = any(isinstance(one, FileOrigin) for one in source.origins)
    text += f" For work that is over, run `tracker sync`, then {add}." if is_kept else ""
    begin = f"`tracker start {name} --stdin{lane_option(session, lane)}`"
    return TrackerError(f"{text} Begin a window with {begin}, or name one with --window.")


def _record(session: Session, request: CaptureRequest, new: Capture, before: Capture | None) -> Row:
    source, keep, phase = request.source, session.config.keep_account, new.phase
    parsed = each_text(to_parsed(request.reading, source), partial(redact, keep_account=keep))
    fields: Row = {"phase": phase, "git_head": git_id("HEAD"), **request.details} if phase else {}
    meter = source.meter(source.capacity)
    if phase and meter is not None and meter.unit != "pp":
        # a count's baseline, and with an AFTER the window's own part of it
        first = new if phase == "before" else before
        gauge = first.reading.gauge(meter.key) if first else None
        fields["baseline"] = gauge and amount(gauge.used)
        if phase == "after":
            fields[meter.field_name] = Pair(before, new).capacity(session, source)
    if phase and keep and request.text is not None:
        parsed = with_addresses(parsed, request.text)
    notes = stamped_notes(request.notes, session.lane) if request.notes or session.lane else None
    common = {"source": redact(request.origin), "notes": notes, "agent_id": session.lane}
    fields = {**common, **fields, "parsed": parsed, "raw_text": request.text}
    return stamp(window=new.window, provider=source.name, captured_at=request.captured_at, **fields)


def git_id(name: str) -> str | None:
    """The id of a name in the repository here; of git's empty tree before a first commit. git gets no key, no net."""
    import os
    import subprocess

    names = ("PATH", "HOME", "XDG_", "GIT_DIR", "GIT_WORK_TREE", "GIT_C", "SYS")
    kept = {name: text for name, text in os.environ.items() if name.startswith(names)} | {"GIT_ALLOW_PROTOCOL": "none"}
    run = partial(subprocess.run, capture_output=True, text=True, timeout=5, check=False, env=kept)
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        found = run(["git", "rev-parse", name]).stdout.strip()
        if found == "HEAD":  # git repeats what it does not know
            found = run(["git", "hash-object", "-t", "tree", os.devnull]).stdout.strip()
        return found if found.isalnum() else None
    return None
