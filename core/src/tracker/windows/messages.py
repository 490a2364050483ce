"""What a capture says: the records as JSON, or one line with the values below; anomalies, tags and captures nearby."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tracker.contract.readings import EPOCH, Reading, from_parsed, instant
from tracker.errors import PluginError, TrackerError
from tracker.text.clock import Clock, span
from tracker.text.render import line, near, number, value
from tracker.windows.captures import Pair, canonical, is_finalized
from tracker.windows.window import has_value

if TYPE_CHECKING:
    from tracker.contract.sources import Source
    from tracker.session import Session
    from tracker.windows.window import Addition, CaptureRequest


def say(session: Session, request: CaptureRequest, added: Sequence[Addition]) -> None:
    """Say what was stored: the records themselves with `--json` or `--dry-run`, else one line."""
    source, records = request.source, [one.record for one in added]
    if session.dry_run or session.json:
        session.data(records[0] if len(records) == 1 else records)
    elif not request.phases:
        scope = records[0]["parsed"].get("scope")
        session.say(f"stored {source.name} {f'{value(scope)} ' if scope else ''}report for {records[0]['window']}")
    else:
        session.say(_sentence(source, records, added[0].pair))
        session.note(_values(session, source, records[0], added[0].moved))
    for found in (row for one in added for row in one.anomalies if "closes" not in row):
        session.warn(f"anomaly {found['kind']} in {found['window']}: {found['cause']}; cure: {found['cure']}")
    for note in _notes(session, request, added[-1]) if "before" in request.phases else ():
        session.note(f"note: {note}")
    for one in added if request.phases else ():
        # a capture that counts in a finalized window changes no figure until that is finalized again
        if any(end and end.record is one.record for end in one.pair) and is_finalized(session.index, one.window):
            needed = "".join(f"its {source.name} {phase} stands and " for phase in one.pair.missing)
            stale = f"its figures are stale until {needed}`tracker complete --window {one.window} ...` runs again"
            session.note(f"note: {one.window} is finalized without this capture; {stale}")
    for tag in dict.fromkeys(tag for record in records for tag in record["parsed"]["errors"]):
        meaning = source.tags.get(tag.partition(":")[0])
        session.note(f"note: {tag}" + (f" ({meaning})" if meaning else ""))


def _sentence(source: Source, records: Sequence[Mapping[str, Any]], pair: Pair) -> str:
    first, meter = records[0], source.capacity_meter
    name, window, phase = source.name, first["window"], first["phase"]
    seeded = f" and seeded before snapshot for {records[1]['window']}" if len(records) == 2 else ""
    if meter is not None and meter.unit != "pp" and phase == "after":
        figures = f"baseline={value(first['baseline'])}, {meter.unit}={value(first[meter.field_name])}"
        return f"stored {name} delta for {window} ({figures}){seeded}"
    state = "awaiting end" if phase == "before" else "ready to finalize" if pair.before else "awaiting BEFORE"
    return f"stored {name} {phase} snapshot for {window}" + (seeded or f" ({state})")


def _values(session: Session, source: Source, record: Mapping[str, Any], moved: Mapping[str, float]) -> str:
    """`  fiveh 11% used, resets in 2 h; weekly 64%, resets Wed 06:32`: what was read, and how far it moved."""
    taken, parts = instant(record["captured_at"]) or EPOCH, []
    for gauge in from_parsed(record["parsed"], source, taken).gauges:
        meter = source.meter(gauge.meter)
        if meter is None or gauge.used is None:
            parts.append(f"{gauge.meter} not read")
            continue
        unit = "%" if meter.unit == "pp" else "" if meter.unit == gauge.meter else f" {meter.unit}"
        text = f"{gauge.meter} {number(gauge.used)}{unit}"
        text += " used" if meter.unit == "pp" and not parts else ""
        if (delta := moved.get(meter.field_name)) is not None:
            text += f" (+{number(delta)})"
        if gauge.reset_at is not None and gauge.reset_at > taken:
            left = gauge.reset_at - taken
            day = f"{gauge.reset_at.astimezone(session.zone):%a %H:%M}"
            text += f", resets {f'in {span(left)}' if left < timedelta(days=1) else day}"
        parts.append(text)
    return f"  {'; '.join(parts) or 'no value was read'}"


def _notes(session: Session, request: CaptureRequest, added: Addition) -> Iterator[str]:
    """What a new BEFORE does to captures that stand already: nothing of it is wrong, but it may be a slip."""
    name, taken, agent = request.source.name, request.captured_at, session.lane
    place = f"--window {added.window}{f' --agent {agent}' if agent else ''}"
    clock = Clock(session.now, session.zone)
    delete = f"`tracker alias delete {name} --phase before {place}` takes it back"
    own = [capture for capture in added.standing if capture.agent_id == agent]
    if added.standing and not own and request.window is None:
        yield f"Other lanes captured {name} in {added.window}, and one pair counts. Use --window for another account"
    before, after = canonical(own)
    if after and taken > after.captured_at:
        yield (
            f"this BEFORE is later than the AFTER of {clock.at(after.captured_at)} in {added.window}, so it does not"
            f" count until an AFTER follows: `tracker end {name} --stdin {place}`, or {delete}"
        )
    elif before and before.captured_at <= taken:
        yield f"this replaces the BEFORE of {clock.at(before.captured_at)}; {delete}"
    if request.phases == ("before",):
        last = session.index.newest(request.source.stream, agent, name, position=1 if session.dry_run else 2)
        # of a BEFORE of the past what is newer is not left behind
        is_left = last is not None and last.phase == "before" and last.at <= taken.timestamp()
        if last and is_left and last.window != added.window and not is_finalized(session.index, last.window):
            end = f"tracker end {name} --stdin {place.replace(added.window, line(last.window), 1)}"
            yield f"{line(last.window)} stays open for {name} in this lane; `{end}` ends it"


# --- refusals that need to look around


def no_value(session: Session, request: CaptureRequest) -> TrackerError:
    """A text without any value: why, and whose it looks like."""
    source, tags = request.source, request.reading.errors or ("insufficient-data",)
    known = dict.fromkeys(tag.partition(":")[0] for tag in tags)
    why = "; ".join(source.tags[tag] for tag in known if tag in source.tags)
    if request.text is not None and not request.text.strip():
        why = "nothing was piped or pasted"
    elif request.text is not None and (owner := _owner(session, request, request.text)):
        why = f"this looks like {owner}'s"
    return TrackerError(
        f"This text holds no {source.name} reading ({', '.join(tags)}){f': {why}' if why else ''}. Nothing was stored."
        " Use --force to store it with its tags."
    )


def _owner(session: Session, request: CaptureRequest, text: str) -> str | None:
    """Another installed source that reads a value from the text, a provider first."""
    others = [one for one in session.registry.sources.values() if one.kind in ("status", "report")]
    others.remove(request.source)
    given = {"text": text, "captured_at": request.captured_at, "scope": None, "origin": None}
    for other in sorted(others, key=lambda other: other.kind != "status"):
        try:
            answer = session.registry.call(other.name, "parse_status", timezone=session.zone, **given)
        except PluginError:
            # it was not asked for: what is wrong with it is no concern of this command
            continue
        if isinstance(answer, Reading) and has_value(other, answer):
            return other.name
    return None


def nothing_open(session: Session, source: Source) -> TrackerError:
    """An AFTER without a window that is open."""
    place = f" in lane {session.lane}" if session.lane else ""
    unfinished = session.index.unfinalized()
    left = [mark.window for mark in session.index.left_open(source.stream, session.lane, source.name, unfinished)]
    others = f" (but {', '.join(map(line, left))} never ended)" if left else ""
    return TrackerError(
        f"{source.name} has no open window{place}{others}."
        f" Begin one with `tracker start {source.name} --stdin`, or name the window with --window."
    )


def no_before(session: Session, source: Source, window: str) -> TrackerError:
    """An AFTER in a window without a BEFORE."""
    known = session.index.windows()
    hint = "" if window in known or not known else f" {near(window, known)}"
    return TrackerError(
        f"{window} has no {source.name} BEFORE.{hint} Capture it first with"
        f" `tracker start {source.name} --stdin --window {window}`. Nothing was stored."
    )
