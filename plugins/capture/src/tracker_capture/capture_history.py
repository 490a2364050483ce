"""How captures and typed values change the meter history, and what leaves it with a capture that is taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
from itertools import chain
from shlex import quote
from typing import Any

from attrs import evolve

from tracker.api import Check, Source, instant
from tracker.kernel import Capture, Clock, Session, Windows, canonical, iso, number, stamp, value
from tracker_capture.elsewhere import are_theirs
from tracker_capture.outline import STREAM, rows, text_of
from tracker_capture.readings import (
    ROUNDING,
    TAIL,
    Sample,
    add,
    from_record,
    history,
    is_same_reset,
    newest,
    record,
    sample_with,
)

# after a pause of this length, another session has begun
NIGHT = timedelta(hours=6)


def add_newest_capture(session: Session, provider: str, *, is_named: bool = False) -> None:
    """Add the snapshot that was stored last, unless it came from the history. is_named: whether its window was.

    Typed values are added only if they correct a reading: the history is what vendors reported.
    """
    source = session.registry.source(provider)
    if source is None or source.kind != "status":
        return
    row = _last_capture(session, source)
    if row.get("phase") == "before" and not is_named and (text := _joined(session, provider, row)):
        session.note(f"note: {text}")
    if row.get("phase") == "after" and is_named:
        _note_overlaps(session, source, row)
    sample = _sample(session, source, row)
    if sample is None or row.get("source") == "history":
        return
    if row.get("source") == "override":
        _correct(session, source, sample, str(row.get("window")))
    else:
        if row.get("phase") == "before" and (fall := _fall(session, source, sample, newest(session, provider))):
            session.note(f"note: {fall[1]}. If this pane is an old one, `tracker undo` takes it back")
        add(session, [sample], by="capture")


def _joined(session: Session, name: str, row: Mapping[str, Any]) -> str | None:
    """A note if a BEFORE joined a window of another machine, or one in which others had ended long before."""
    window, taken = str(row.get("window")), instant(row.get("captured_at"))
    # the plugins of others are loaded only if there are any
    streams = [one for one in session.journal.streams() if session.index.lanes(one)]
    entries = chain.from_iterable(session.index.entries(one, [window]) for one in streams)
    if all(entry.record.get("provider") == name for entry in entries):
        return None
    others = {key: group for key, group in Windows(session).captures([window]).items() if key[1] != name}
    lane = "" if session.agent is None else f" --agent {quote(session.agent)}"
    if others and are_theirs(chain.from_iterable(others.values()), session.index.made_elsewhere()):
        start = f"`tracker start {name} --stdin --window W{lane}`"
        what = f"this BEFORE joins {window}, which came by `tracker import`. Unless you moved to this machine, type"
        return f"{what} `tracker undo{lane}`, then {start} with the id of your own window"
    _, end = Windows(session).spans((), others).get(window, (None, None))
    if taken is None or end is None or taken - end < NIGHT or any(canonical(one).missing for one in others.values()):
        return None
    following = Windows(session).following(window)
    while session.index.knows(following):
        following = Windows(session).following(following)
    start = f"`tracker start {name} --stdin --window {quote(following)}{lane}`"
    what = f"this BEFORE joins {window}, which was measured until {Clock(session.now, session.zone).at(end)}"
    return f"{what}. To begin a new window, type `tracker undo{lane}`, then {start}"


def _note_overlaps(session: Session, source: Source, row: Mapping[str, Any]) -> None:
    """Warn of an AFTER whose lane began another window since its BEFORE: each window holds the work of both."""
    name, window, taken = source.name, str(row.get("window")), instant(row.get("captured_at"))
    newest = session.index.newest(source.stream, session.lane, name, ("before",))
    # without such a window, or for an AFTER from before it, no other feature is loaded and asked
    if newest is None or newest.window == window or taken is None or taken.timestamp() <= newest.at:
        return
    lane = "" if session.agent is None else f" --agent {quote(session.agent)}"
    delete = f"`tracker alias delete {name} --phase before --window {quote(window)} --keep-readings{lane}`"
    for check in chain.from_iterable(session.registry.ask("window_checks", session=session, window=window)):
        if check.name == "overlaps" and check.state == "failed":
            session.note(
                f"note: {check.text}. If {window} had already ended, type `tracker undo{lane}`, then {delete}, and"
                f" `tracker windows add {quote(window)} --from TIME --to TIME --provider {name}{lane}`"
            )


def checks(session: Session, window: str) -> Iterator[Check]:
    """A check for each BEFORE below what its meter had shown, also by readings that came in since."""
    for (_, name), group in Windows(session).captures([window]).items():
        source, before = session.registry.providers.get(name), canonical(group).before
        meter = source.capacity_meter if source is not None else None
        if source is None or meter is None or before is None or before.record.get("source") in ("history", "override"):
            continue
        sample = _sample(session, source, before.record)
        if sample is None or (gauge := sample.gauges.get(meter.key)) is None:
            continue
        known = history(session, name, sample.at - meter.longest if meter.longest else None)
        if (fall := _fall(session, source, evolve(sample, gauges={meter.key: gauge}), known)) is None:
            continue
        shown, text = fall
        lane = "" if before.agent_id == session.lane else f" --agent {quote(before.agent_id or '')}"
        place = f"--phase before --window {quote(window)} --captured-at {iso(before.captured_at)}{lane}"
        cure = f"tracker override {name} {place} --{meter.field_name.replace('_', '-')} {number(shown)}"
        why = f"{name}'s BEFORE may be an old pane: {text}. If so, points count twice until it is {value(shown)}%."
        yield Check(name="before", state="missing", text=why, cure=cure)


def _fall(session: Session, source: Source, sample: Sample, known: Sequence[Sample]) -> tuple[float, str] | None:
    """What a meter showed last before the same reset, if it is lower now: no quota gives back what was used.

    An older, higher reading does not matter: the meter fell with another plan, or the vendor gave points back.
    """
    runs = [run for run in reversed(known) if run.until < sample.at and _may_be_of_one(run, sample)]
    for key, gauge in sample.gauges.items():
        meter = source.meter(key)
        if gauge.used is None or gauge.reset_at is None or meter is None or meter.unit != "pp":
            continue
        shown = ((run.until, old) for run in runs if (old := run.gauges.get(key)))
        own = ((at, old.used) for at, old in shown if is_same_reset(old.reset_at, gauge.reset_at))
        at, used = next(own, (None, None))
        # origins round otherwise
        if at is not None and used is not None and used - gauge.used > ROUNDING:
            when = Clock(session.now, session.zone).at(at)
            return used, f"{key} is at {value(gauge.used)}%, but was at {value(used)}% ({when}) before the same reset"
    return None


def _may_be_of_one(one: Sample, other: Sample) -> bool:
    """Whether both may be of one account and one plan: JSON says `pro` where a pane says `Pro 200`."""
    is_account = one.account == other.account or None in (one.account, other.account)
    if one.plan is None or other.plan is None or one.plan.islower() != other.plan.islower():
        return is_account
    return is_account and one.plan.casefold() == other.plan.casefold()


def _sample(session: Session, source: Source, row: Mapping[str, Any]) -> Sample | None:
    """What a capture shows; None if that is nothing."""
    parsed, taken = row.get("parsed"), instant(row.get("captured_at"))
    if taken is None or not isinstance(parsed, dict):
        return None
    reading = Windows(session).reading(parsed, source, taken)
    gauges = {gauge.meter: gauge for gauge in reading.gauges if gauge.used is not None}
    if not gauges:
        return None
    at, origin = min(reading.as_of or taken, taken), str(row.get("origin") or row.get("source"))
    sample = sample_with(source.name, origin, gauges, at, parsed, text_of(row.get("account")))
    return evolve(sample, capture=str(row.get("record_id")))


def _last_capture(session: Session, source: Source) -> Mapping[str, Any]:
    """The last record of a source's stream, if it is a capture of its own; else nothing."""
    start = max(0, session.journal.size(source.stream) - TAIL)
    last: Mapping[str, Any] = {}
    for _, row in rows(session, source.stream, start):
        last = row
    is_own = last.get("provider") == source.name and last.get("agent_id") == session.lane
    return last if is_own and "tombstone" not in last else {}


def _correct(session: Session, source: Source, typed: Sample, window: str) -> None:
    """Replace the values of the captures that the override corrects by the typed ones; other meters stay."""
    replaced = _replaced(session, source, typed, window)
    every = _runs(session, lambda row: text_of(row.get("capture")) in replaced) if replaced else []
    ids = {run.record_id for run in history(session, typed.provider)}
    standing = [run for run in every if run.record_id in ids]
    if session.dry_run or not standing:
        return
    # also what an earlier override took out: it would count again if that is taken back
    old = tuple(str(run.record_id) for run in every)
    last, new = standing[-1], []
    for run in standing:
        if rest := {key: gauge for key, gauge in run.gauges.items() if key not in typed.gauges}:
            new.append(evolve(run, gauges=rest, supersedes=()))
    new.append(evolve(typed, origin=last.origin, account=last.account, mask=last.mask, supersedes=old))
    with session.journal.lock():
        session.journal.append(STREAM, [record(evolve(run, override=typed.capture), "capture") for run in new])


def _replaced(session: Session, source: Source, typed: Sample, window: str) -> set[str]:
    """The captures of the same phase and lane that an override replaces, and those that share their panes.

    One pane may end a window and begin the next. The history has its reading once, so either capture corrects it.
    """
    group = Windows(session).captures([window]).get((window, source.name), [])
    own = next((one for one in group if one.record_id == typed.capture), None)
    if own is None:
        return set()
    beside = _near(session, source, [one.captured_at for one in group], [window])
    replaced = [one for one in group if _place(one) == _place(own) and one.order < own.order]
    others = [one for one in (*group, *beside) if _place(one) != _place(own)]
    shared = [other for other in others if any(_is_of_one_pane(one, other) for one in replaced)]
    # also what a person typed for the other of the two
    by_hand = [one for one in others if one.record.get("source") == "override"]
    corrected = [one for one in by_hand if any(_place(one) == _place(to) and one.order > to.order for to in shared)]
    return {one.record_id for one in (*replaced, *shared, *corrected)}


def _near(session: Session, source: Source, times: Iterable[datetime], without: Sequence[str] = ()) -> list[Capture]:
    """The captures that may share a pane of these times. Only their windows are read: a long history has a million."""
    seconds = [one.timestamp() for one in times]
    windows = session.index.meanwhile(source.stream, source.name, min(seconds) - 1, max(seconds) + 1, without)
    groups = Windows(session).captures(windows)
    return [one for (_, name), group in groups.items() if name == source.name for one in group]


def _place(capture: Capture) -> tuple[str, str | None, str | None]:
    return capture.window, capture.phase, capture.agent_id


def _is_of_one_pane(one: Capture, other: Capture) -> bool:
    is_of_one_time = (one.captured_at, one.agent_id) == (other.captured_at, other.agent_id)
    return is_of_one_time and one.reading.gauges == other.reading.gauges


def _runs(session: Session, is_wanted: Callable[[Mapping[str, Any]], bool]) -> list[Sample]:
    """The history's runs by their rows, including those that were removed or replaced by a later one."""
    found = (from_record(row) for _, row in rows(session, STREAM, 0) if is_wanted(row))
    return [run for run in found if run is not None]


def take_back(session: Session, records: Iterable[Mapping[str, Any]]) -> int:
    """Remove the readings of captures that were taken back, and their corrections, from the history; how many.

    If a pane ended a window and began the next, its reading goes with the last of its captures. Readings of the same
    command are among its records, which are taken back with it.
    """
    known = {own: record for record in records if (own := text_of(record.get("record_id"))) is not None}
    alone = [sample for record in known.values() for sample in _unshared(session, record, known.keys())]
    instants = {(sample.provider, iso(sample.at)) for sample in alone}

    def is_near(row: Mapping[str, Any]) -> bool:
        is_of = any(text_of(row.get(name)) in known for name in ("capture", "override"))
        return is_of or (row.get("provider"), row.get("captured_at")) in instants

    # a run that was replaced would count again if the later one is also taken back
    found = _runs(session, is_near) if known else []
    # also the captures of these panes that went before
    lost = {one.capture for one in (*alone, *found) if any(one.is_of_pane(sample) for sample in alone)} - {None}
    gone = [run for run in found if run.capture in lost or run.override in known]
    samples = [run for run in gone if run.record_id not in known]
    if samples and not session.dry_run:
        with session.journal.lock():
            session.journal.append(STREAM, [_tombstone(session, one) for one in samples])
    return len(samples)


def _unshared(session: Session, record: Mapping[str, Any], gone: Set[str]) -> Iterator[Sample]:
    """What a capture shows, unless a remaining capture is of the same pane: the history has its reading once."""
    source, taken = session.registry.source(str(record.get("provider"))), instant(record.get("captured_at"))
    sample = _sample(session, source, record) if source is not None and record.get("phase") else None
    if source is None or taken is None or sample is None:
        return
    beside = _near(session, source, [taken])
    twins = (_sample(session, source, one.record) for one in beside if one.record_id not in gone)
    if not any(twin.is_of_pane(sample) for twin in twins if twin is not None):
        yield sample


def _tombstone(session: Session, sample: Sample) -> dict[str, Any]:
    return stamp(
        window=None,
        provider=sample.provider,
        captured_at=session.now,
        source="capture",
        tombstone=sample.record_id,
        reason="its capture was removed",
    )
