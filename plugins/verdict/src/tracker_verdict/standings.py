"""What a meter shows now, of each account: the newest reading of the history and of the captures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from attrs import frozen

from tracker.api import Meter, MeterReading, Source
from tracker.kernel import Capture, Session, TrackerError, near

# What a meter shows now is read from every reading of so long; of what was before, each hour's highest one is enough.
RECENT = timedelta(hours=2)
# What older weeks weigh in a forecast is nothing.
MEMORY = timedelta(weeks=16)
# Clocks of two machines may differ by so much. A reading of the future is none of now.
SKEW = timedelta(minutes=5)


@frozen(kw_only=True)
class Standing:
    """at: the instant that the value is of. taken_at: when it was read."""

    account: str | None
    at: datetime
    taken_at: datetime
    used: float
    reset_at: datetime | None


def history(session: Session, source: Source, now: datetime, reach: timedelta = MEMORY) -> list[MeterReading]:
    """The provider's readings up to now, by time; empty without a feature that keeps them."""
    recent = now - RECENT
    older = [one for one in _asked(session, source, now - reach, hourly=True) if one.until < recent]
    return [one for one in (*older, *_asked(session, source, recent, hourly=False)) if one.at <= now + SKEW]


def _asked(session: Session, source: Source, since: datetime, *, hourly: bool) -> Sequence[MeterReading]:
    asked = {"session": session, "provider": source.name, "since": since, "hourly": hourly}
    return session.registry.first("meter_readings", **asked) or ()


def of_accounts(known: Sequence[MeterReading], meter: str) -> dict[str | None, list[MeterReading]]:
    """A meter's readings by account. Those that name none belong to the account, if there is only one."""
    own = [one for one in known if one.meter == meter]
    names = sorted({one.account for one in own if one.account is not None})
    if len(names) == 1:
        return {names[0]: own}
    found: dict[str | None, list[MeterReading]] = {}
    for one in own:
        found.setdefault(one.account, []).append(one)
    return found


def standings(
    known: Sequence[MeterReading], captured: Sequence[Capture], meter: Meter, now: datetime
) -> list[Standing]:
    """The newest of each account; a capture that no reading repeats belongs to the only account, or to none."""
    captured = [one for one in captured if one.captured_at <= now + SKEW]
    groups = of_accounts(known, meter.key)
    found: dict[str | None, list[Standing]] = {}
    for account, own in groups.items():
        found[account] = [
            Standing(account=account, at=one.until, taken_at=one.until, used=one.used, reset_at=one.reset_at)
            for one in own
        ]
    alone = next(iter(groups)) if len(groups) == 1 else None
    found.setdefault(alone, []).extend(_captured(captured, meter.key, alone))
    newest = [max(own, key=lambda one: (one.taken_at, one.at)) for own in found.values() if own]
    return sorted(newest, key=lambda one: one.account or "")


def _captured(captures: Sequence[Capture], meter: str, account: str | None) -> Iterator[Standing]:
    for capture in sorted(captures, key=lambda one: one.order):
        gauge = capture.reading.gauge(meter)
        if gauge is not None and gauge.used is not None:
            at = capture.reading.as_of or capture.captured_at
            yield Standing(
                account=account, at=at, taken_at=capture.captured_at, used=gauge.used, reset_at=gauge.reset_at
            )


def chosen(found: Sequence[Standing], account: str | None) -> Standing | None:
    """The one of the named account, or the only one; an error names the accounts."""
    names = [one.account or "(not named)" for one in found]
    if account is not None:
        if account not in names:
            raise TrackerError(f"No reading of an account {account!r}; {near(account, names)}")
        return found[names.index(account)]
    if len(found) > 1:
        raise TrackerError(f"There are {len(found)} accounts ({', '.join(names)}). Choose one with --account.")
    return found[0] if found else None
