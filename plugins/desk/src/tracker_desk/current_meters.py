"""What each meter shows now, per account: the newest reading from captures and the meter history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import evolve, frozen

from tracker.api import Gauge, Meter, MeterReading, Source
from tracker.kernel import Capture, Session, canonical, value

# Every reading of this long is looked at; of earlier ones the highest of each hour is enough.
RECENT = timedelta(hours=2)
# A meter that nobody read for this long is not shown.
MEMORY = timedelta(weeks=16)
# Clocks of two machines may differ by this much. A reading further ahead is not a current one.
SKEW = timedelta(minutes=5)
# What `window_accounts` answers for a window that --force let span two accounts: it belongs to neither.
MIXED = "2 accounts"
UNNAMED = "(not named)"
Groups = Mapping[tuple[str, str], Sequence[Capture]]
OwnedCapture = tuple[Capture, str | None]


@frozen(kw_only=True)
class CurrentMeter:
    """The last known value of a meter. at: the time of the value. taken_at: when it was read.

    account: None if no reading names it. several: whether the provider has readings of more than one account.
    """

    provider: str
    meter: Meter
    gauge: Gauge
    at: datetime
    taken_at: datetime
    account: str | None = None
    several: bool = False

    @property
    def label(self) -> str:
        """The meter, and the account if there are several."""
        account = self.account or UNNAMED
        return f"{self.meter.key} account {account}" if self.several else self.meter.key

    @property
    def used(self) -> str:
        """`11%`, `18 prompts`."""
        return value(self.gauge.used, unit="%" if self.meter.unit == "pp" else f" {self.meter.unit}")


def accounts(session: Session, windows: Collection[str]) -> Mapping[tuple[str, str], str]:
    """The account of each window and provider that names one."""
    if not windows:
        return {}
    return session.registry.first("window_accounts", session=session, windows=sorted(windows)) or {}


def accounts_of_captures(groups: Groups, named: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """The account of each capture, by its record: lanes that share a window may be on several, and one pair counts.

    An account has the name that belongs to the window in which its pair counts. named: by window and provider.
    """
    counts = {key: {_id(one) for one in canonical(group) if one} for key, group in groups.items() if key in named}
    names = {account: named[key] for key, ids in counts.items() if len(ids) == 1 for account in ids if account}
    found = {}
    for key, group in groups.items():
        for one in group if named.get(key) != MIXED else ():
            account = _id(one)
            name = names.get(account, account) if account else named.get(key)
            if name:
                found[one.record_id] = name
    return found


def _id(capture: Capture) -> str | None:
    found = capture.record.get("account")
    return found if isinstance(found, str) else None


def current_meters(
    session: Session, groups: Groups, named: Mapping[tuple[str, str], str], owners: Mapping[str, str]
) -> tuple[CurrentMeter, ...]:
    """Every provider's meters. groups, named, owners: the captures of the lanes' newest windows and their accounts."""
    past = defaultdict[str, list[MeterReading]](list)
    for one in _history(session):
        past[one.provider].append(one)
    found: list[CurrentMeter] = []
    for name in sorted({*session.registry.providers, *(provider for _, provider in groups)}):
        # a window that spans two accounts does not tell what either has left; the history does
        captured = [
            (one, owners.get(one.record_id))
            for key, captures in groups.items()
            if key[1] == name and named.get(key) != MIXED
            for one in captures
        ]
        captured = _told(captured, past[name])
        captured.sort(key=lambda one: one[0].order)
        found += _of_provider(session.now, session.registry.sources[name], captured, past[name])
    return tuple(found)


def _told(captured: Sequence[OwnedCapture], past: Sequence[MeterReading]) -> list[OwnedCapture]:
    """The captures with their accounts by the history: a window's account need not be that of each of its panes.

    So accounts that no window's pair belongs to are named as well.
    """
    known = {(one.meter, one.used, at): one.account for one in past for at in (one.at, one.until)}
    names, found = dict[str, str](), list[OwnedCapture]()
    for capture, owner in captured:
        at = capture.reading.as_of or capture.captured_at
        values = ((gauge.meter, gauge.used, at) for gauge in capture.reading.gauges if gauge.used is not None)
        told = [known[key] for key in values if key in known]
        name = next(filter(None, told), None)
        if owner and owner == _id(capture) and name:
            names[owner] = name
        found.append((capture, name if told and _id(capture) is None else owner))
    return [(capture, names.get(owner, owner) if owner else None) for capture, owner in found]


def _history(session: Session) -> Iterator[MeterReading]:
    """The readings of all providers up to now; empty without a feature that keeps them."""
    now, first = session.now, session.registry.first
    recent = now - RECENT
    older = first("meter_readings", session=session, provider=None, since=now - MEMORY, hourly=True) or ()
    newer = first("meter_readings", session=session, provider=None, since=recent, hourly=False) or ()
    yield from (one for one in older if one.until < recent)
    yield from (one for one in newer if one.at <= now + SKEW)


def _of_provider(
    now: datetime, source: Source, captured: Sequence[OwnedCapture], past: Sequence[MeterReading]
) -> list[CurrentMeter]:
    """The newest of each meter and account."""
    newest: dict[tuple[str, str | None], CurrentMeter] = {}
    for one in (*_captured(source, captured, now), *_readings(source, past)):
        known = newest.get((one.meter.key, one.account))
        if known is None or (_has_value(one) and _order(one) > _order(known)):
            newest[one.meter.key, one.account] = one
    # A value that an account repeats belongs to that account; what was read without a name before it is older still.
    own = [one for one in newest.values() if one.account is not None or not _is_repeated(one, past)]
    # a label without a value adds nothing if an account's value of the meter is known
    valued = {one.meter.key for one in own if _has_value(one)}
    kept = [one for one in own if _has_value(one) or one.meter.key not in valued]
    several = len({one.account for one in kept}) > 1
    places = {key: place for place, key in enumerate(dict.fromkeys(one.meter.key for one in kept))}
    kept.sort(key=lambda one: (one.account or "", places[one.meter.key]))
    return [evolve(one, several=several) for one in kept]


def _has_value(one: CurrentMeter) -> bool:
    return one.gauge.used is not None


def _order(one: CurrentMeter) -> tuple[bool, datetime, datetime]:
    """The sort key: later ones win, and any value wins over none."""
    return _has_value(one), one.taken_at, one.at


def _captured(source: Source, captured: Sequence[OwnedCapture], now: datetime) -> Iterator[CurrentMeter]:
    """The captures' values, the newest first: its meters are shown in the order of the newest pane."""
    for capture, account in reversed(captured):
        for gauge in capture.reading.gauges:
            meter = source.meter(gauge.meter)
            if meter is not None and capture.captured_at <= now + SKEW:
                yield CurrentMeter(
                    provider=source.name,
                    meter=meter,
                    gauge=gauge,
                    at=capture.reading.as_of or capture.captured_at,
                    taken_at=capture.captured_at,
                    account=account,
                )


def _readings(source: Source, past: Sequence[MeterReading]) -> Iterator[CurrentMeter]:
    """The newest of each meter and account in the history."""
    newest: dict[tuple[str, str | None], MeterReading] = {}
    for one in past:
        key = one.meter, one.account
        if key not in newest or one.until > newest[key].until:
            newest[key] = one
    for (name, account), one in newest.items():
        meter = source.meter(name)
        if meter is not None:
            yield CurrentMeter(
                provider=source.name,
                meter=meter,
                gauge=Gauge(meter=name, used=one.used, reset_at=one.reset_at),
                at=one.until,
                taken_at=one.until,
                account=account,
            )


def _is_repeated(one: CurrentMeter, past: Sequence[MeterReading]) -> bool:
    """Whether a reading of the history repeats a value and names its account."""
    return any(
        other.account is not None
        and other.meter == one.meter.key
        and other.used == one.gauge.used
        and abs(other.until - one.at) <= SKEW
        for other in past
    )
