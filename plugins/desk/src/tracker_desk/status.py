"""The status: which window is open in each lane, its last meters, what is due next, and what is wrong."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from shlex import quote
from typing import Literal

from attrs import evolve, frozen

from tracker.api import MeterOutlook, Source
from tracker.kernel import Capture, CaptureMark, Entry, FinalizeRow, Session, TrackerError, Windows, canonical, iso
from tracker_desk.current_meters import SKEW, CurrentMeter, Groups, accounts, accounts_of_captures, current_meters
from tracker_desk.elsewhere import is_theirs

YEAR = timedelta(days=366)
# how many of the newest windows that are not finalized are looked at
OPEN = 100


@frozen(kw_only=True)
class Due:
    """What to do next in a lane: `action` (None if nothing is to be captured), and the command that does it.

    allowed_from: not before that instant. resets_at: a meter is reset then, and no AFTER is taken until
    `buffered_until`; if that is None, no AFTER is possible after it, since the capacity meter is reset. reason: why it
    is due, or why nothing is; for `complete`, why another command comes first.
    """

    action: Literal["before", "after", "complete"] | None
    window: str
    command: str | None = None
    reason: str | None = None
    allowed_from: datetime | None = None
    resets_at: datetime | None = None
    buffered_until: datetime | None = None


@frozen(kw_only=True)
class LeftOpen:
    """A window that a lane never ended, and what it needs."""

    mark: CaptureMark
    due: Due

    @property
    def command(self) -> str:
        return self.due.command or ""

    @property
    def taken(self) -> datetime:
        return datetime.fromtimestamp(self.mark.at, UTC)


@frozen(kw_only=True)
class Lane:
    """A provider in a lane, by its newest capture; `source` is None if no plugin reads it."""

    agent_id: str | None
    mark: CaptureMark
    source: Source | None
    capture: Capture | None
    due: Due
    account: str | None = None
    also_open: tuple[LeftOpen, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.mark.phase == "before"

    @property
    def taken(self) -> datetime:
        return datetime.fromtimestamp(self.mark.at, UTC)

    @property
    def as_of(self) -> datetime:
        """The instant that its values are from."""
        return (self.capture.reading.as_of if self.capture else None) or self.taken


@frozen(kw_only=True)
class AtHand:
    """A reading that can be stored at once: its time and its place."""

    provider: str
    at: datetime
    place: str


@frozen(kw_only=True)
class Status:
    """Everything that `tracker status` says, at one instant."""

    now: datetime
    lanes: tuple[Lane, ...]
    missing: tuple[str, ...]  # installed providers without any capture
    ready: tuple[Due, ...]  # windows that `complete` would take
    anomalies: tuple[Entry, ...]
    outlooks: tuple[MeterOutlook, ...]
    meters: tuple[CurrentMeter, ...] = ()
    is_cut: bool = False  # whether there are more windows that are not finalized
    at_hand: tuple[AtHand, ...] = ()  # newer than what is stored

    def shown(self, lane: Lane) -> list[CurrentMeter]:
        """The meters of a lane's provider, and of its account if that is known."""
        own = [one for one in self.meters if one.provider == lane.mark.provider and lane.source is not None]
        return [one for one in own if one.account == lane.account] or own

    @property
    def elsewhere(self) -> dict[str, list[CurrentMeter]]:
        """By provider the meters that no lane shows."""
        inside = {(one.provider, one.account) for lane in self.lanes for one in self.shown(lane)}
        outside = [one for one in self.meters if (one.provider, one.account) not in inside]
        return {name: list(own) for name, own in groupby(outside, key=lambda one: one.provider)}


def look(session: Session, *, with_outlooks: bool = True) -> Status:
    """Read the newest capture of each provider in each lane, and the windows that are not finalized.

    Outlooks read the whole meter history, for which the home screen has no time.
    """
    known = session.registry.sources
    unread = [mark for name in session.journal.streams() for mark in session.index.strangers(name, known)]
    anomalies = Windows(session).open_anomalies()
    unfinished = Windows(session).unfinished(OPEN)
    streams = sorted({*session.registry.status_streams, *(mark.stream for mark in unread)})
    newest = [(agent, mark) for stream in streams for agent, mark in session.index.lanes(stream)]
    windows = {mark.window for _, mark in newest} | _before_the_future(session, newest)
    named, groups = accounts(session, windows), Windows(session).captures(windows) if windows else {}
    again, came = _to_finalize_again(session, groups), session.index.made_elsewhere()
    after_closing = _after_closing(session, anomalies, unfinished, unread, again, came)
    owners, absent = accounts_of_captures(groups, named), _absent(session, newest)
    lanes = []
    for agent, mark in newest:
        lane = _lane(session, agent, mark, groups, after_closing, came, absent.get(mark.provider))
        left = _left_open(session, lane, groups, unfinished, came)
        account = owners.get(mark.record_id) or named.get((mark.window, mark.provider))
        # a lane that has ended its newest window should end those it left open before it begins another
        due = left[0].due if left and lane.due.action == "before" and not lane.is_open else lane.due
        lanes.append(evolve(lane, also_open=left, account=account, due=due))
    lanes.sort(key=lambda lane: (lane.mark.provider, lane.agent_id or ""))
    present = {lane.mark.provider for lane in lanes}
    outlooks: list[MeterOutlook] = []
    for source in session.registry.providers.values() if with_outlooks else ():
        outlooks += session.registry.first("meter_outlooks", session=session, source=source) or ()
    return Status(
        now=session.now,
        lanes=tuple(lanes),
        missing=tuple(name for name in session.registry.providers if name not in present),
        ready=tuple(due for due in after_closing.values() if due.action == "complete"),
        anomalies=tuple(anomalies),
        outlooks=tuple(outlooks),
        meters=current_meters(session, groups, named, owners),
        is_cut=len(unfinished) >= OPEN,
    )


def _before_the_future(session: Session, newest: Iterable[tuple[str | None, CaptureMark]]) -> set[str]:
    """For each lane whose newest capture lies in the future, the window before it, which has the current meters."""
    ahead = [(agent, mark) for agent, mark in newest if mark.at > (session.now + SKEW).timestamp()]
    found = (session.index.newest(mark.stream, agent, mark.provider, position=2) for agent, mark in ahead)
    return {mark.window for mark in found if mark}


def _absent(session: Session, newest: Iterable[tuple[str | None, CaptureMark]]) -> dict[str, str]:
    """For each provider that no plugin reads, by name: why not, and what helps."""
    left = {mark.window for _, mark in newest if mark.provider not in session.registry.sources}
    found = Windows(session).missing_plugins(left) if left else []
    return {one.name: f"{one.problem.partition('but ')[2]}; {one.cure}" for one in found}


def _to_finalize_again(session: Session, groups: Groups) -> dict[str, FinalizeRow]:
    """The finalize rows of windows in which other captures count now."""
    rows = Windows(session).finalized({window for window, _ in groups}) if groups else {}
    stale = {
        window for (window, name), group in groups.items() if window in rows and rows[window].is_stale(name, group)
    }
    return {window: rows[window] for window in sorted(stale)}


def _after_closing(
    session: Session,
    anomalies: Iterable[Entry],
    unfinished: Sequence[str],
    unread: Iterable[CaptureMark],
    again: Mapping[str, FinalizeRow],
    came: Container[object],
) -> dict[str, Due]:
    """What is due in each window to finalize, if nothing is open in it. unread: captures that no plugin reads."""
    groups = defaultdict[str, dict[str, list[Capture]]](dict)
    for (window, name), group in Windows(session).captures([*unfinished, *again]).items():
        groups[window][name] = group
    fallen = {str(found.record.get("window")) for found in anomalies if _is_of_capacity(session, found)}
    found = {window: _window_due(session, window, groups[window], fallen) for window in unfinished if window in groups}
    for window, row in again.items():
        # the features that the row says stay
        due = _window_due(session, window, groups[window], fallen, row.features)
        if due.action == "complete":
            found[window] = due
    for mark in unread:
        if mark.window in found:
            reason = f"{mark.window} holds captures of {mark.provider}, which no plugin reads"
            found[mark.window] = Due(action=None, window=mark.window, reason=reason)
    for window, due in found.items():
        if due.command and all(is_theirs(one.record, came) for group in groups[window].values() for one in group):
            found[window] = _elsewhere(due, "finalized")
    return found


def _is_of_capacity(session: Session, found: Entry) -> bool:
    """Whether an anomaly keeps its window from being finalized: a capacity meter that fell."""
    source = session.registry.sources.get(str(found.record.get("provider")))
    meter = found.record.get("meter")
    return found.record.get("kind") == "negative-delta" and source is not None and meter == source.capacity


def _window_due(
    session: Session, window: str, groups: Mapping[str, list[Capture]], fallen: Iterable[str], said: Container[str] = ()
) -> Due:
    """What is due in a window. said: the providers whose features are known."""
    missing = [f"{name} {phase}" for name, group in sorted(groups.items()) for phase in _missing(group)]
    for name, group in groups.items():
        if all(one.phase == "after" for one in group):
            place = f"--window {quote(window)}{lane_option(session, group[-1].agent_id)}"
            command = f"tracker alias delete {name} --phase after {place}"
            # a BEFORE from now on would follow it
            reason = f"{window} has an AFTER of {name} without a BEFORE, so it measures nothing"
            return Due(action=None, window=window, command=command, reason=reason)
    if missing:
        return Due(action=None, window=window, reason=f"{window} waits for {', '.join(missing)}")
    if window in fallen:
        return Due(action=None, window=window, reason=f"{window} has an open anomaly; its cure is below")
    for name, group in sorted(groups.items()):
        if (again := _again_due(session, name, group)) is not None:
            return again
    features = "".join(f" --{name}-features N" for name in sorted(groups) if name not in said)
    return Due(action="complete", window=window, command=f"tracker complete --window {quote(window)}{features}")


def _missing(group: Sequence[Capture]) -> tuple[str, ...]:
    """The phases a provider lacks in a window; also AFTER if a lane began again after the pair that counts."""
    newest = {one.agent_id: one.phase for one in group}
    return canonical(group).missing or (("AFTER",) if "before" in newest.values() else ())


def _again_due(session: Session, name: str, group: Sequence[Capture]) -> Due | None:
    """How to complete a pair if one pane lacks the capacity meter: capture again, or type the value."""
    source = session.registry.sources[name]
    pair, meter = canonical(group), source.capacity_meter
    lacking = pair.lacking(meter)
    if meter is None or len(lacking) != 1 or pair.mixed:
        return None
    [one] = lacking
    place = f"--window {quote(one.window)}{lane_option(session, one.agent_id)}"
    newest = session.index.newest(source.stream, one.agent_id, name)
    command = f"tracker end {name} --stdin {place}"
    gauge = pair.before.reading.gauge(meter.key) if pair.before else None
    is_over = gauge is not None and gauge.reset_at is not None and gauge.reset_at <= session.now
    # what was captured since, or belongs to the next period, measures something else
    if one is pair.before or is_over or newest is None or newest.record_id != one.record_id:
        typed = f"--captured-at {iso(one.captured_at)} --{meter.field_name.replace('_', '-')} N"
        command = f"tracker override {name} --phase {one.phase} {place} {typed}"
    reason = f"{one.window} does not measure {name}, since its {str(one.phase).upper()} lacks {meter.key}"
    return Due(action="complete", window=one.window, command=command, reason=reason)


def _lane(
    session: Session,
    agent: str | None,
    mark: CaptureMark,
    groups: Groups,
    after_closing: Mapping[str, Due],
    came: Container[object],
    why: str | None,
) -> Lane:
    """What is due in a lane. why: what keeps its provider from being read, if anything does."""
    source = session.registry.sources.get(mark.provider)
    if source is None or source.kind != "status":
        due = Due(action=None, window=mark.window, reason=why or f"the plugin of {mark.provider} reads no meters")
        return Lane(agent_id=agent, mark=mark, source=None, capture=None, due=due)
    capture = next((one for one in groups.get((mark.window, source.name), ()) if one.record_id == mark.record_id), None)
    if capture is None:
        session.index.discard()  # somebody changed it; a large one is not checked when it is opened
        raise TrackerError("The index did not match the records and will be rebuilt. Run the command again.")
    if mark.phase == "before":
        due = _open_due(session, source, capture)
    else:
        due = after_closing.get(mark.window) or _next_window_due(session, source, capture)
    command = due.command and due.command + (lane_option(session, agent) if due.action in ("before", "after") else "")
    due = evolve(due, command=command)
    # an AFTER on both machines makes two windows of one
    due = _elsewhere(due, "ended") if mark.phase == "before" and is_theirs(capture.record, came) else due
    return Lane(agent_id=agent, mark=mark, source=source, capture=capture, due=due)


def _elsewhere(due: Due, what: str) -> Due:
    """What came by `tracker import` is ended and finalized where it was made."""
    reason = f"it came by `tracker import`: it is {what} where it was made. If you moved here from there: {due.command}"
    return Due(action=None, window=due.window, reason=reason)


def lane_option(session: Session, agent: str | None) -> str:
    """The option that makes a command work in a lane; empty if neither it nor the session's own has a name."""
    return f" --agent {quote(agent)}" if agent else " --agent ''" if session.lane else ""


def _left_open(
    session: Session, lane: Lane, known: Groups, unfinished: Sequence[str], came: Container[object]
) -> tuple[LeftOpen, ...]:
    """The windows that a lane left open here for a provider before its newest capture, if a plugin can end them."""
    newest, name = lane.mark, lane.mark.provider
    if name not in session.registry.sources:
        return ()
    left = session.index.left_open(newest.stream, lane.agent_id, name, unfinished)
    marks = [mark for mark in left if mark.window != newest.window]
    groups = Windows(session).captures([mark.window for mark in marks]) if marks else {}
    ran, found = canonical(() if lane.is_open else known.get((newest.window, name), ())), []
    option = lane_option(session, lane.agent_id)
    for mark in marks:
        before = next((one for one in groups.get((mark.window, name), ()) if one.record_id == mark.record_id), None)
        if before is None or is_theirs(before.record, came):
            continue
        due, account = _open_due(session, session.registry.sources[name], before), before.record.get("account")
        place = f"--window {quote(mark.window)}"
        # an AFTER after a reset measures nothing; one after another window of the account measures the work of both
        is_late = ran.before and mark.at < ran.before.captured_at.timestamp()
        if due.action != "before" and is_late and len({None, ran.account, account}) < 3:
            add = f"tracker windows add {quote(mark.window)} --from TIME --to TIME --provider {name}{option}"
            reason = f"an AFTER now would also measure {newest.window}, so neither would count; take its BEFORE out,"
            command = f"tracker alias delete {name} --phase before {place} --keep-readings"
            due = Due(action=None, window=mark.window, command=command, reason=f"{reason} then type `{add}`")
        elif due.action != "before":
            due = evolve(due, command=f"tracker end {name} --stdin {place}", reason="it was never ended")
        found.append(LeftOpen(mark=mark, due=evolve(due, command=f"{due.command}{option}")))
    return tuple(found)


def _open_due(session: Session, source: Source, before: Capture) -> Due:
    """An open window waits for its AFTER; none is taken in the buffer after a reset."""
    now = session.now
    capacity = before.reading.gauge(source.capacity) if source.capacity else None
    window = before.window
    if before.captured_at > now + SKEW:
        command = f"tracker alias delete {source.name} --phase before --window {quote(window)}"
        return Due(action="before", window=window, command=command, reason="the stored one is dated in the future")
    if capacity and capacity.reset_at and before.captured_at < capacity.reset_at <= now:
        command = f"tracker start {source.name} --stdin --window {quote(window)}"
        reason = f"{capacity.meter} was reset since, so what was used cannot be measured"
        return Due(action="before", window=window, command=command, reason=reason)
    buffer = timedelta(minutes=session.config.buffer_minutes)
    past = _resets(session, source, now - buffer, now)
    coming = min(_resets(session, source, now, now + YEAR), default=None)
    # after a reset of the capacity meter an AFTER measures nothing
    is_last = capacity is not None and capacity.reset_at is not None and capacity.reset_at == coming
    return Due(
        action="after",
        window=window,
        command=f"tracker end {source.name} --stdin",
        allowed_from=max(past) + buffer if past else None,
        resets_at=coming,
        buffered_until=coming + buffer if coming and not is_last else None,
    )


def _resets(session: Session, source: Source, after: datetime, until: datetime) -> list[datetime]:
    found = session.index.resets(source.stream, source.name, after.timestamp(), until.timestamp())
    return [datetime.fromtimestamp(instant, UTC) for instant in found]


def begun_next(session: Session, source: Source, lane: str | None) -> str | None:
    """The window that the next `tracker start` of a lane begins; None if its id would be too long."""
    with contextlib.suppress(TrackerError):
        return Windows.of(session, source, lane, session.now)
    return None


def _next_window_due(session: Session, source: Source, last: Capture) -> Due:
    following = usual = begun_next(session, source, last.agent_id)
    if following is None:
        command = f"tracker start {source.name} --stdin --window W"
        reason = f"{last.window} is finalized, and no id follows it: `{command}` names one"
        return Due(action=None, window=last.window, reason=reason)
    # only one pair counts: a pair of this lane would displace another lane's
    while _is_taken(session, source, following, last) or any(session.index.entries("windows", [following])):
        following = Windows(session).following(following)
    named = "" if following == usual else f" --window {quote(following)}"
    command = f"tracker start {source.name} --stdin{named}"
    return Due(action="before", window=following, command=command, reason=f"{last.window} is finalized")


def _is_taken(session: Session, source: Source, window: str, last: Capture) -> bool:
    """Whether a provider was measured in a window, or is open there on another account than a lane's last capture."""
    pair = canonical(Windows(session).captures([window]).get((window, source.name), ()))
    named = {pair.account, last.record.get("account")} - {None}
    return not pair.missing or len(named) > 1
