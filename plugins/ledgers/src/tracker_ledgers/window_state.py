"""The state of windows (open in a lane, ready to finalize, or finalized), and the commands that they need next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from attrs import evolve, frozen

from tracker.api import Source
from tracker.kernel import Capture, Entry, FinalizeRow, Session, TrackerError, Windows, canonical, iso, value
from tracker_ledgers.churn import FETCH, STREAM, measured_rows, range_options
from tracker_ledgers.command_log import typed
from tracker_ledgers.features import built
from tracker_ledgers.window_facts import evidence

CLOCKS = timedelta(minutes=5)  # clocks of machines may differ by this much

# an anomaly blocks the rest; an open window cannot wait, since its meters go on; ledgers can
CURE, END, COMPLETE, CHURN_IT, PROVE, BEGIN = range(6)
# what the machine that made a window does
THERE = {END: "ended", COMPLETE: "finalized"}


def unknown(session: Session, window: str) -> TrackerError | None:
    """The error that names a window without records; None if it has some."""
    if session.index.knows(window) and window not in session.index.emptied():
        return None
    return Windows(session).no_window(window)


@frozen(kw_only=True)
class Opening:
    """A provider that a lane has open. `is_ahead`: its BEFORE lies in the future. `is_imported`: on another machine."""

    lane: str | None
    provider: str
    window: str
    since: str
    is_ahead: bool = False
    is_imported: bool = False


@frozen(kw_only=True)
class Step:
    """A command to run next, and why; lower ranks come first, whatever their window."""

    rank: int
    command: str
    why: str


@frozen(kw_only=True)
class WindowState:
    """A window, its state in words, and what it needs next."""

    window: str
    state: str
    steps: tuple[Step, ...] = ()


def came_by_import(session: Session, groups: Mapping[str, list[Capture]]) -> bool:
    """Whether all captures of a window were made on another machine, which ends and finalizes it."""
    commands = {one.record.get("command_id") for group in groups.values() for one in group}
    return bool(commands) and commands <= session.index.made_elsewhere()


def openings(session: Session) -> Iterator[Opening]:
    """What is open: the newest standing capture of a provider in a lane is a BEFORE."""
    came = session.index.made_elsewhere()
    for stream in session.registry.status_streams:
        for lane, mark in session.index.lanes(stream):
            if mark.phase == "before" and mark.provider in session.registry.sources:
                record = session.journal.record(mark.stream, mark.offset)
                yield Opening(
                    lane=lane,
                    provider=mark.provider,
                    window=mark.window,
                    since=str(record["captured_at"]),
                    is_ahead=is_ahead(session, mark.at),
                    is_imported=record.get("command_id") in came,
                )


def is_ahead(session: Session, at: float) -> bool:
    """Whether a BEFORE (epoch seconds) lies in the future, so that no AFTER can follow it yet."""
    return at > (session.now + CLOCKS).timestamp()


def beginnings(session: Session) -> Iterator[Step]:
    """What to run if no window needs anything, for the providers that were captured here, or for all."""
    streams, known = session.registry.status_streams, session.registry.providers
    captured = {mark.provider for stream in streams for _, mark in session.index.lanes(stream)} & known.keys()
    for name in sorted(captured) or known:
        why = f"Paste {name}'s pane before the work begins, and press Ctrl-D"
        yield Step(rank=BEGIN, command=f"tracker start {name} --stdin", why=why)


def state(
    session: Session,
    window: str,
    groups: Mapping[str, list[Capture]],
    row: FinalizeRow | None,
    openings: Iterable[Opening],
) -> WindowState:
    """The state of one window; `groups` are its captures by provider."""
    opened = [found for found in openings if found.window == window]
    anomalies = Windows(session).open_anomalies([window])
    steps = [end_step(session, found) for found in opened]
    if anomalies:
        why = "An anomaly is open; its cure is below"
        steps.insert(0, Step(rank=CURE, command=typed("window-audit", "--window", window), why=why))
    if row is not None:
        state, more = _finalized(session, window, groups, row)
    elif unread := [one.problem for one in Windows(session).missing_plugins([window]) if one.measured]:
        state, more = f"cannot be finalized: {'; '.join(unread)}", []
    elif not groups:
        state, more = _uncaptured(session, window), []
    elif opened:
        lanes = [f"{found.provider}{f' in lane {found.lane}' if found.lane else ''}" for found in opened]
        state, more = f"open ({', '.join(lanes)})", []
    elif names := fallen(session, anomalies):
        state, more = f"cannot be finalized: the capacity meter of {', '.join(names)} fell", []
    else:
        state, more = _closed(session, window, groups)
    # the AFTER that a finalized window lacks may be that of a lane that is open again
    steps = [*(one for one in steps if one.command not in [other.command for other in more]), *more]
    if any(one.rank in THERE for one in steps) and came_by_import(session, groups):
        steps = [evolve(one, why=_there(window, THERE[one.rank])) if one.rank in THERE else one for one in steps]
    return WindowState(window=window, state=state, steps=tuple(steps))


def _there(window: str, what: str) -> str:
    return f"{window} came by `tracker import`: it is {what} where it was made. If you moved here from there"


def fallen(session: Session, anomalies: Iterable[Entry]) -> list[str]:
    """The providers for whose anomalies `complete` refuses a window."""
    found = set()
    for anomaly in (one.record for one in anomalies if one.record.get("kind") == "negative-delta"):
        source = session.registry.providers.get(str(anomaly.get("provider")))
        if source and anomaly.get("meter") == source.capacity:
            found.add(source.name)
    return sorted(found)


def _uncaptured(session: Session, window: str) -> str:
    """What a window without captures holds: a churn row that measured nothing does not count."""
    others = [name for name in session.journal.streams() if name != STREAM and session.index.spans(name, {window})]
    if others or measured_rows(session, [window]):
        return "no captures, only telemetry, reports, churn or evidence"
    return "nothing is recorded in it: no captures, no churn"


def _place(session: Session, window: str, lane: str | None) -> list[str]:
    """The options that make a command work in a window and a lane, whatever the session's own lane is."""
    return ["--window", window, *(["--agent", lane or ""] if lane or session.lane else [])]


def end_step(session: Session, found: Opening) -> Step:
    """The AFTER of an open window; a BEFORE in the future is taken back instead."""
    place = _place(session, found.window, found.lane)
    if found.is_ahead:
        command = typed("alias", "delete", found.provider, "--phase", "before", *place)
        return Step(rank=END, command=command, why=f"{found.provider}'s BEFORE is dated in the future: take it back")
    command = typed("end", found.provider, "--stdin", *place)
    why = f"When the work is done, paste {found.provider}'s pane and press Ctrl-D"
    if found.is_imported:
        # an AFTER on both machines makes two windows of one
        why = _there(found.window, THERE[END])
    return Step(rank=END, command=command, why=why)


def pair_step(session: Session, provider: str, group: Sequence[Capture]) -> Step:
    """What an incomplete pair needs. A stray AFTER goes: a BEFORE from now on would follow it."""
    if not (befores := [one for one in group if one.phase == "before"]):
        place = _place(session, group[-1].window, group[-1].agent_id)
        command = typed("alias", "delete", provider, "--phase", "after", *place)
        return Step(rank=END, command=command, why=f"{provider}'s AFTER has no BEFORE, so it measures nothing")
    last = befores[-1]
    newest = session.index.newest(session.registry.sources[provider].stream, last.agent_id, provider)
    is_late = newest and newest.phase == "after" and newest.window != last.window
    if is_late and not Windows(session).finalized([last.window]):
        why = (
            f"An AFTER of {provider} would now measure the work of later windows as well: this shows what to do instead"
        )
        return Step(rank=END, command="tracker status", why=why)
    since, ahead = str(last.record["captured_at"]), is_ahead(session, last.captured_at.timestamp())
    found = Opening(lane=last.agent_id, provider=provider, window=last.window, since=since, is_ahead=ahead)
    return end_step(session, found)


def _closed(session: Session, window: str, groups: Mapping[str, list[Capture]]) -> tuple[str, list[Step]]:
    missing = [(name, phase) for name, group in sorted(groups.items()) for phase in canonical(group).missing]
    if missing:
        steps = [pair_step(session, name, groups[name]) for name in dict(missing)]
        return ", ".join(f"{name} has no {phase}" for name, phase in missing), steps
    against: list[str] = []
    again: list[Step] = []
    for name in sorted(groups.keys() & session.registry.providers.keys()):
        source, group = session.registry.providers[name], groups[name]
        if found := [str(one.phase).upper() for one in canonical(group).lacking(source.capacity_meter)]:
            lack = f"{' and '.join(found)} of {name} lack{'' if found[1:] else 's'}"
            against.append(f"the {lack} {source.capacity}, so its capacity is not known")
            again += _again(session, source, group)
    answers = session.registry.ask("window_checks", session=session, window=window)
    against += [check.text for answer in answers for check in answer if check.state == "failed"]
    state = "; ".join([f"ready to finalize ({', '.join(sorted(groups))})", *against])
    return state, [*again, _complete(session, window, sorted(groups))]


def _again(session: Session, source: Source, group: Sequence[Capture]) -> Iterator[Step]:
    """How to complete a pair if one pane lacks the capacity meter: capture again, or type the value."""
    name, pair, meter = source.name, canonical(group), source.capacity_meter
    lacking = pair.lacking(meter)
    if meter is None or len(lacking) != 1 or pair.mixed:
        return
    [one] = lacking
    phase, place = str(one.phase), _place(session, one.window, one.agent_id)
    command = typed("end", name, "--stdin", *place)
    newest = session.index.newest(source.stream, one.agent_id, name)
    gauge = pair.before.reading.gauge(meter.key) if pair.before else None
    is_over = gauge is not None and gauge.reset_at is not None and gauge.reset_at <= session.now
    # what was captured since, or belongs to the next period, measures something else
    if one is pair.before or is_over or newest is None or newest.record_id != one.record_id:
        value_of = f"--{meter.field_name.replace('_', '-')}"
        command = typed(
            "override", name, "--phase", phase, *place, "--captured-at", iso(one.captured_at), value_of, "N"
        )
    why = f"{name}'s {phase.upper()} lacks {meter.key}, so the window does not measure {name}"
    yield Step(rank=END, command=command, why=why)


def _complete(session: Session, window: str, providers: Iterable[str]) -> Step:
    words, features = ["complete", "--window", window], built(session, [window])
    for name in providers:
        if name in session.registry.providers:
            words += [f"--{name}-features", str(len(features.get((window, name), ())) or "N")]
    why = "Every pair is complete; N features, quality Q and outcome WORD are yours to judge"
    return Step(rank=COMPLETE, command=typed(*words, "--quality", "Q", "--outcome", "WORD"), why=why)


def unpaired(row: FinalizeRow, groups: Mapping[str, Sequence[Capture]]) -> list[str]:
    """The providers that a window was finalized without, and whose pair in it is not complete."""
    return [name for name in sorted(groups) if name not in row.providers and canonical(groups[name]).missing]


@frozen(kw_only=True)
class Loss:
    """Captures that a finalized window has lost, so that `complete` refuses it; and the commands that help."""

    what: str
    cure: str
    otherwise: str


def stale(session: Session, row: FinalizeRow, groups: Mapping[str, list[Capture]]) -> list[str]:
    """The providers whose captures changed after the window was finalized; those that no plugin reads cannot tell."""
    names = {*row.providers, *groups} & session.registry.sources.keys()
    return [name for name in sorted(names) if row.is_stale(name, groups.get(name, []))]


def loss(session: Session, row: FinalizeRow, groups: Mapping[str, list[Capture]]) -> Loss | None:
    """The first provider whose pair is broken; one without any capture has left the window."""
    window = row.window
    for name in sorted(row.providers.keys() & session.registry.sources.keys()):
        missing = canonical(groups.get(name, [])).missing
        if not missing or (groups and name not in groups):
            continue
        reopen = typed("complete", "--reopen", "--window", window)
        lane = groups[name][-1].agent_id if name in groups else None
        end = typed("end", name, "--stdin", *_place(session, window, lane))
        # a BEFORE that is captured now would follow its AFTER
        can_end = missing == ("AFTER",)
        otherwise = f"`{reopen}` reopens the window instead" if can_end else "the window cannot be finalized without it"
        return Loss(what=f"{name} {' and '.join(missing)}", cure=end if can_end else reopen, otherwise=otherwise)
    return None


def _finalized(
    session: Session, window: str, groups: Mapping[str, list[Capture]], row: FinalizeRow
) -> tuple[str, list[Step]]:
    features = ", ".join(f"{name}={value(count)}" for name, count in row.features.items()) or "none given"
    state = (
        f"finalized {value(row.text('finalized_at'))}: outcome={value(row.text('outcome'))},"
        f" quality={value(row.quality, digits=1)}, features {features}"
    )
    if (lost := loss(session, row, groups)) is not None:
        step = Step(rank=COMPLETE, command=lost.cure, why=f"It no longer has its {lost.what}; {lost.otherwise}")
        return f"{state} (stale: no {lost.what})", [step]
    if stale(session, row, groups):
        return f"{state} (stale: re-run complete)", [_complete(session, window, sorted(groups))]
    steps = []
    if row.text("outcome") is None:
        command = typed("complete", "--window", window, "--outcome", "WORD")
        why = "No outcome is given; WORD is yours to judge: pass, partial or fail"
        steps.append(Step(rank=COMPLETE, command=command, why=why))
    if not measured_rows(session, [window]):
        worked = [name for name, count in row.features.items() if count]
        whose = ["--provider", *worked] if len(worked) == 1 else []
        options = range_options(session, window)
        what = "COMMIT is the last one before the work" if "--commit-start" in options else FETCH
        why = f"No churn is measured yet{f'; {what}' if options else ''}"
        steps.append(Step(rank=CHURN_IT, command=typed("churn", "--window", window, *whose, *options), why=why))
    proof = evidence(session, window)
    if proof.cure:
        steps.append(Step(rank=PROVE, command=proof.cure, why=proof.text.removesuffix(".")))
    return state, steps
