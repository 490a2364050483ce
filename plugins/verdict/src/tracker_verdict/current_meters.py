"""What a meter shows now, of each account: the newest reading of the history and of the captures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from attrs import evolve, frozen

from tracker.api import Meter, MeterReading, Source
from tracker.kernel import Capture, Session, TrackerError, Windows, near, span
from tracker_verdict.accounts import MIXED, NO_ACCOUNT, accounts
from tracker_verdict.weeks import FULL

PERCENT = "pp"
# The tags of a whole pane without a meter, of one whose value cannot be read, and of values that a person typed.
NO_METER, UNREADABLE, MANUAL = "no-meter", "section-missing", "manual-override"
# The tag of a reset that had passed, and what its 0 % rests on: the pane may be from just before the next use.
OVER, UNUSED = "reset-over", "if it has not been used since its last reset"
# What a meter shows now comes from every reading of this time; before that, each hour's highest and last readings
# are enough.
RECENT = timedelta(hours=2)
# Older weeks weigh nothing in a forecast.
MEMORY = timedelta(weeks=16)
# Clocks of two machines may differ by this much. A reading from later than that is not current.
SKEW = timedelta(minutes=5)
# The newest windows show what one usually costs, unless others are asked for; the same for every command.
USUAL = 100
# A script that starts work, and a plan, need a reading that is not older than this.
FRESH = timedelta(minutes=15)


@frozen(kw_only=True)
class CurrentMeter:
    """at: the instant of the value. taken_at: when it was read. limit: the value of a full meter, in its unit.

    doubt: what the value rests on, if anything.
    """

    account: str | None
    at: datetime
    taken_at: datetime
    used: float
    reset_at: datetime | None
    limit: float | None = None
    doubt: str | None = None

    @property
    def percent(self) -> float | None:
        """The share that is used; None for a count whose limit the vendor does not show."""
        if self.limit is None:
            return None
        return self.used if self.limit == FULL else FULL * self.used / self.limit if self.limit else FULL


def holds(found: CurrentMeter, now: datetime, most: timedelta) -> bool:
    """Whether a full meter is still full: until its reset, however old the reading; without a reset, for `most`."""
    return found.reset_at > now if found.reset_at is not None else now - found.at <= most


class OwnedCapture(NamedTuple):
    """A capture, and the account that its window was measured on, if that is known."""

    capture: Capture
    account: str | None


MeterRows: TypeAlias = tuple[Sequence[MeterReading], Sequence[OwnedCapture]]


def too_old(age: timedelta, most: timedelta) -> str:
    """`40 min old; the limit is 15 min`: in words that differ, also if only seconds do."""
    words, limit = (f"{one.seconds} s" if one < timedelta(minutes=1) else span(one) for one in (age, most))
    return f"{'over ' if words == limit else ''}{words} old; the limit is {limit}"


def unread(captured: Sequence[OwnedCapture], meter: Meter) -> str | None:
    """Why a meter with captures has no reading: they lie in the future."""
    return "its only reading lies in the future" if _captured(captured, meter.key) else None


def others(source: Source, known: MeterRows, meter: Meter) -> list[str]:
    """The meters that the readings show, if none shows this one: then the plan has no such meter.

    Half a pane may lack the capacity meter, so only the source's own tag counts for that, unless it is a count: what
    shows the per cent of other meters may never show the count, or not its limit.
    """
    past, captures = known[0], [one.capture for one in known[1] if MANUAL not in one.capture.reading.errors]
    tags = {tag for one in captures for tag in one.reading.errors}
    is_count = meter.unit != PERCENT
    is_told = meter.key != source.capacity or is_count or f"{NO_METER}:{meter.key}" in tags
    shown = [gauge.meter for one in captures for gauge in one.reading.gauges if gauge.used is not None]
    shown += [one.meter for one in past]
    is_absent = meter.key not in shown and f"{UNREADABLE}:{meter.key}" not in tags
    return [key for key in dict.fromkeys(shown) if key != meter.key] if is_told and (is_absent or is_count) else []


def is_of_all(source: Source, meter: Meter) -> bool:
    """Whether a full meter stops all work. One of a model alone does not: it stops work with that model.

    Such a meter is not declared, or has the window of the one that capacity is measured by.
    """
    capacity = source.capacity_meter
    if capacity is None or meter.key == capacity.key:
        return True
    return meter in source.meters and (meter.window is None or meter.window != capacity.window)


def history(session: Session, source: Source, now: datetime, reach: timedelta = MEMORY) -> list[MeterReading]:
    """The provider's readings up to now, by time; empty without a feature that keeps them."""
    recent = now - RECENT
    older = [one for one in readings_since(session, source, now - reach, hourly=True) if one.until < recent]
    return [one for one in (*older, *readings_since(session, source, recent, hourly=False)) if one.at <= now + SKEW]


def readings_since(session: Session, source: Source, since: datetime, *, hourly: bool) -> Sequence[MeterReading]:
    asked = {"session": session, "provider": source.name, "since": since, "hourly": hourly}
    return session.registry.first("meter_readings", **asked) or ()


def newest_windows(session: Session, source: Source) -> list[str]:
    """The window that each lane captured last."""
    return [mark.window for _, mark in session.index.lanes(source.stream) if mark.provider == source.name]


def captures(session: Session, source: Source, windows: Collection[str] | None) -> list[OwnedCapture]:
    """The provider's captures in some windows, each with the account that its window was measured on."""
    groups = Windows(session).captures(windows)
    own = {key: group for key, group in groups.items() if key[1] == source.name}
    named = accounts(session, [window for window, _ in own])
    # the readings have what a mixed window's captures show, each with its own account
    return [
        OwnedCapture(capture, named.get(key))
        for key, group in own.items()
        if named.get(key) != MIXED
        for capture in group
    ]


def read(session: Session, source: Source, now: datetime, windows: Collection[str] | None = None) -> MeterRows:
    """What is known of a provider's meters up to now: the history, and the captures of some windows and the newest."""
    known = history(session, source, now)
    if windows is None:
        # without a history the captures alone tell which accounts there are
        windows = () if known else session.index.newest_windows(USUAL)
    return known, captures(session, source, {*newest_windows(session, source), *windows})


def current_meters(
    known: Sequence[MeterReading], captured: Sequence[OwnedCapture], meter: Meter, now: datetime
) -> list[CurrentMeter]:
    """The newest of each account."""
    captured = [one for one in captured if one.capture.captured_at <= now + SKEW]
    read = [
        CurrentMeter(
            account=one.account,
            at=one.until,
            taken_at=one.until,
            used=one.used,
            reset_at=one.reset_at,
            limit=one.limit,
        )
        for one in known
        if one.meter == meter.key
    ]
    shown, every = _captured(captured, meter.key), read.copy()
    for one in shown:
        # a reading repeats it with its account, or the window's account may not be that of the capture
        same = (other for other in every if other.used == one.used and abs(other.at - one.at) <= SKEW)
        if any(None in (one.account, other.account) for other in same):
            continue
        every.append(one)
    newest: dict[str | None, CurrentMeter] = {}
    for one in sorted(every, key=lambda one: (one.taken_at, one.at), reverse=True):
        newest.setdefault(one.account, one)
    # the newest reading of a count may show no limit
    limits = {
        one.account: one.limit for one in sorted([*read, *shown], key=lambda one: one.taken_at) if one.limit is not None
    }
    return [
        evolve(
            one,
            limit=FULL if meter.unit == PERCENT else limits.get(one.account, limits.get(None)),
            doubt=_doubt(captured, meter.key, one),
        )
        for one in sorted(newest.values(), key=lambda one: one.account or "")
    ]


def _doubt(captured: Sequence[OwnedCapture], meter: str, found: CurrentMeter) -> str | None:
    """An idle meter shows its last reset, and so does a pane from right after the reset."""
    if found.used or found.reset_at is not None:
        return None
    panes = [one.capture for one in captured if f"{OVER}:{meter}" in one.capture.reading.errors]
    return UNUSED if any(found.at == (one.reading.as_of or one.captured_at) for one in panes) else None


def _captured(captured: Sequence[OwnedCapture], meter: str) -> list[CurrentMeter]:
    """What captures show; of two at one instant, the later line."""
    found = {}
    for capture, account in sorted(captured, key=lambda one: one.capture.order):
        gauge = capture.reading.gauge(meter)
        if gauge is not None and gauge.used is not None:
            found[account, capture.captured_at] = CurrentMeter(
                account=account,
                at=capture.reading.as_of or capture.captured_at,
                taken_at=capture.captured_at,
                used=gauge.used,
                reset_at=gauge.reset_at,
                limit=gauge.limit,
            )
    return list(found.values())


def chosen(found: Sequence[CurrentMeter], account: str | None) -> CurrentMeter | None:
    """The meter of the named account, which must exist; without a name, the first."""
    names = [one.account or NO_ACCOUNT for one in found]
    if account is not None and account not in names:
        raise TrackerError(f"No reading of account {account!r}. {near(account, names)}")
    return next((one for one in found if account in (None, one.account or NO_ACCOUNT)), None)
