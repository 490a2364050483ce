"""A capture's output: the records as JSON, or one line with the values below; anomalies, tags and captures nearby."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tracker.contract.readings import CROSSED, NOT_AFTER, NOT_BEFORE, iso
from tracker.text.clock import Clock, span
from tracker.text.render import line, number, value
from tracker.windows.captures import NO_METER, OTHER_ACCOUNT, OTHER_PLAN, SPLIT, TOO_FAR, canonical, is_finalized
from tracker.windows.lanes import lane_option

if TYPE_CHECKING:
    from tracker.contract.sources import Source
    from tracker.session import Session
    from tracker.windows.window import Addition, CaptureRequest

OLD = timedelta(minutes=15)  # a reading that is older gets a note
# of a reset that has passed, of a pane whose resets have all passed or are implausible
OVER, STALE = "reset-over", "stale-data"
# for the tags that no source declares
MEANINGS = {
    TOO_FAR: "this reset is not within one period of its meter, so it is left out; the pane may be old",
    OVER: "this reset had passed when the pane was captured; if the meter was used since, the pane is old",
    STALE: "every reset in the pane has passed or is implausible",
    OTHER_ACCOUNT: "BEFORE and AFTER are from different accounts, so nothing was measured",
    OTHER_PLAN: "BEFORE and AFTER are from different plans, so nothing was measured; the next window counts again",
    CROSSED: "the meter was reset in between, or its reset was moved, so its change is not known",
    SPLIT: "readings on both sides of the reset measured it",
    NOT_BEFORE: "the BEFORE does not show this meter",
    NOT_AFTER: "the AFTER does not show this meter",
    "manual-override": "a person typed it",
}


def say(session: Session, request: CaptureRequest, added: Sequence[Addition]) -> None:
    """Say what was stored: the records themselves with `--json` or `--dry-run`, else one line."""
    source, records = request.source, [one.record for one in added]
    if session.dry_run or session.json:
        session.data(records[0] if len(records) == 1 else records)
    elif not request.phases:
        scope = records[0]["parsed"].get("scope")
        session.say(f"stored {source.name} {f'{value(scope)} ' if scope else ''}report for {records[0]['window']}")
    else:
        session.say(_sentence(source, records, added[0]))
        session.note(_values(session, request, added[0].moved))
    for found in (row for one in added for row in one.anomalies if "closes" not in row):
        session.warn(f"anomaly {found['kind']} in {found['window']}: {found['cause']}; cure: {found['cure']}")
    for one in added if request.phases else ():
        for note in _notes(session, request, one):
            session.note(f"note: {note}")
        _warn_of_lacks(session, source, one)
    for tag in dict.fromkeys(tag for record in records for tag in record["parsed"]["errors"] if NO_METER not in tag):
        session.note(f"note: {explained(tag, source)}")


def explained(tag: str, source: Source) -> str:
    meaning = {**MEANINGS, **source.tags}.get(tag.partition(":")[0])
    return f"{tag:.200} ({meaning})" if meaning else f"{tag:.200}"  # a plugin may write a megabyte


def _sentence(source: Source, records: Sequence[Mapping[str, Any]], added: Addition) -> str:
    first, meter, pair = records[0], source.capacity_meter, added.pair
    name, window, phase = source.name, first["window"], first["phase"]
    seeded = f" and seeded before snapshot for {records[1]['window']}" if len(records) == 2 else ""
    if meter is not None and meter.unit != "pp" and phase == "after":
        figures = f"baseline={value(first['baseline'])}, {meter.unit}={value(first[meter.field_name])}"
        return f"stored {name} delta for {window} ({figures}){seeded}"
    needed = [*pair.missing, *(str(one.phase).upper() for one in pair.lacking(meter))]
    is_begun = phase == "before" and not (pair.after and pair.before and pair.before.record is first)
    is_odd = meter is not None and meter.key in [row.get("meter") for row in added.anomalies]
    is_lost = meter and pair.after and pair.after.record is first and meter.field_name not in added.moved
    ready = "an anomaly is open" if is_odd else f"ready to finalize{', without its capacity' if is_lost else ''}"
    state = "awaiting end" if is_begun else f"awaiting {needed[0]}" if needed else ready
    return f"stored {name} {phase} snapshot for {window}" + (seeded or f" ({state})")


def _values(session: Session, request: CaptureRequest, moved: Mapping[str, float]) -> str:
    """`  fiveh 11% used, resets in 2 h; weekly 64%, resets Wed 06:32`: what was read, and how far it moved."""
    parts = []
    for gauge in request.reading.gauges:
        meter = request.source.meter(gauge.meter)
        if meter is None or gauge.used is None:
            parts.append(f"{gauge.meter} not read")
            continue
        unit = "%" if meter.unit == "pp" else "" if meter.unit == gauge.meter else f" {meter.unit}"
        text = f"{gauge.meter} {number(gauge.used)}{unit}{' used' if meter.unit == 'pp' and not parts else ''}"
        text += "" if (delta := moved.get(meter.field_name)) is None else f" (+{number(delta)})"
        if gauge.reset_at is not None and (left := gauge.reset_at - request.captured_at) > timedelta():
            day = f"{gauge.reset_at.astimezone(session.zone):{'%a' if left.days < 7 else '%d %b %Y'} %H:%M}"
            text += f", resets {f'in {span(left)}' if left.days < 1 else day}"
        parts.append(text)
    return f"  {'; '.join(parts) or 'no value was read'}"


def _notes(session: Session, request: CaptureRequest, added: Addition) -> Iterator[str]:
    """What a capture changes for earlier ones. Each may be intended."""
    source, taken, agent, phase = request.source, request.captured_at, session.lane, added.record["phase"]
    name, word, is_after = source.name, phase.upper(), phase == "after"
    lane, clock, index = lane_option(session, agent), Clock(session.now, session.zone), session.index
    place = f"--window {added.window}{lane}"
    delete = f"`tracker alias delete {name} --phase {phase} {place}` takes"
    pair = canonical(one for one in added.standing if one.agent_id == agent)
    if (seen := request.reading.as_of) and (age := taken - seen) > OLD:
        yield f"its numbers are from {clock.at(seen)}, {span(age)} older than this {word}"
    if not is_after and pair.after and taken > pair.after.captured_at and added.pair.before in (None, *added.standing):
        state = ", which is finalized" if is_finalized(index, added.window) else ""
        yield (
            f"this BEFORE is later than the AFTER of {clock.at(pair.after.captured_at)} in {added.window}{state}, so it"
            f" does not count until an AFTER follows: `tracker end {name} --stdin {place}`, or {delete} it back"
        )
    elif (counted := pair[is_after]) and counted.captured_at <= taken:
        yield f"this replaces the {word} of {clock.at(counted.captured_at)}; {delete} this one back"
    elif counted:
        yield f"the {word} of {clock.at(counted.captured_at)} counts, not this one; {delete} that one back"
    before = added.pair.before if is_after and request.text and not any(added.moved.values()) else None
    if before and session.journal.record(source.stream, before.offset).get("raw_text") == request.text:
        yield f"this text is the same as in the BEFORE of {clock.at(before.captured_at)}, so nothing moved"
    if added.pair.mixed == OTHER_PLAN:
        yield explained(OTHER_PLAN, source)
    if len(request.phases) == 1:
        # the newest of another window; of captures of the past what is newer is not left open
        marks = (index.newest(source.stream, agent, name, position=at) for at in (1, 2, 3))
        last = next((one for one in marks if one and one.window != added.window), None)
        if last and last.phase == "before" and last.at <= taken.timestamp() and not is_finalized(index, last.window):
            end = f"end {name} --stdin --window {line(last.window)}{lane}` ends it"
            end = "status` shows how to end it" if is_after else end  # an AFTER may measure the work of both by now
            yield f"{line(last.window)} stays open for {name} in this lane; `tracker {end}"
    lanes = [one.agent_id for one in added.standing]
    if lanes and agent not in lanes and (request.origin == "override" or request.phases[:1] == ("after",)):
        theirs, own = (f"lane {one}" if one else "the lane without a name" for one in (lanes[-1], agent))
        yield (
            f"the {name} captures of {added.window} belong to {theirs}, this one to {own}: only one pair counts. If it"
            f" belongs to {theirs}, type `tracker undo`, then store it with{lane_option(session, lanes[-1])}"
        )


def _warn_of_lacks(session: Session, source: Source, added: Addition) -> None:
    """Warn of captures in a pair without the capacity meter, with the cure; once if the plan had none for a week."""
    name, meter = source.name, source.capacity_meter
    for one in reversed(added.pair.lacking(meter)):
        assert meter is not None
        phase, place = str(one.phase), f"--window {added.window}{lane_option(session, one.agent_id)}"
        what, verb = f"this {phase.upper()}", "end" if phase == "after" else "start"
        cure = f"capture the whole pane with `tracker {verb} {name} --stdin {place}`"
        if one.record is not added.record:
            what = f"the {phase.upper()} of {Clock(session.now, session.zone).at(one.captured_at)}"
            typed = f"--captured-at {iso(one.captured_at)} --{meter.field_name.replace('_', '-')} N"
            cure = f"type what it showed with `tracker override {name} --phase {phase} {place} {typed}`"
        is_of_plan = f"{NO_METER}:{meter.key}" in one.reading.errors
        if is_of_plan:
            since = one.captured_at - timedelta(days=7)
            known = session.registry.first("meter_readings", session=session, provider=name, since=since, hourly=True)
            own = meter.key, one.record.get("account"), one.record["parsed"].get("plan")
            is_of_plan = own not in [(found.meter, found.account, found.plan) for found in known or ()]
        cure = source.tags.get(NO_METER if is_of_plan else "capacity-missing", cure)
        session.warn(f"{what} does not show {meter.key}, so it cannot measure the window: {cure}")
        if is_of_plan:
            break
