"""Which account each reading and each provider's window is of."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from math import inf
from typing import NamedTuple, TypeAlias
from weakref import WeakKeyDictionary

from tracker.api import account_id
from tracker.kernel import Session, Windows, canonical
from tracker_capture.outline import FIRST, HOUR, LAST, RESET, VALUE, Owner, outline, text_of
from tracker_capture.readings import FUTURE, ROUNDING, mark_of_gauges, mask_of
from tracker_capture.settings import HASH, CaptureSettings

# The account of a window that was forced from one to another: it belongs to neither.
MIXED = "2 accounts"
# A command asks for each feature's readings; they change with the stream.
KEPT: WeakKeyDictionary[Session, tuple[int, Owner]] = WeakKeyDictionary()


ValueSpan: TypeAlias = tuple[float, float, float]


class Row(NamedTuple):
    """A value in the history's outline: its account if it is named, and otherwise the mark of its reading."""

    account: str | None
    reset: float
    seen: ValueSpan
    mark: str | None

    def is_of_period(self, earlier: Row) -> bool:
        return self.account == earlier.account and self.reset - earlier.reset <= HOUR


class Period(NamedTuple):
    """What was seen of a period of the capacity meter. seen: each value's first and last time; marks: its readings'."""

    account: str | None
    reset: float
    seen: Sequence[ValueSpan]
    marks: frozenset[str]

    def runs_beside(self, other: Period, length: float, now: float) -> bool:
        """Whether it belongs to another account: the earlier period went on after the later one had begun.

        A vendor may also move a reset: then the earlier period is no longer seen, which is known when it is over. Or a
        pane of another machine was read in a wrong zone: then one period goes on with what the other one shows.
        """
        one, later = sorted((self, other), key=lambda period: period.reset)
        begin = later.reset - length + HOUR
        if begin >= one.reset or self.is_of(other):
            return False
        before = max((value for _, last, value in one.seen if last <= begin), default=-ROUNDING)
        on = [last for _, last, value in one.seen if last > begin and value >= before + ROUNDING]
        if not on or (now >= one.reset and later.seen[0][0] >= max(on)):
            return False
        return one.shows_less(later) or later.shows_less(one)

    def shows_less(self, other: Period) -> bool:
        """Whether it shows less than the other one did before."""
        ends = sorted((last, value) for _, last, value in other.seen)
        most = [-ROUNDING, *accumulate((value for _, value in ends), max)]
        return any(most[bisect_right(ends, (first, inf))] > value + ROUNDING for first, _, value in self.seen)

    def is_of(self, other: Period) -> bool:
        """Whether both have one reset: panes name some by the hour."""
        return abs(self.reset - other.reset) <= HOUR


def owners(session: Session) -> Owner:
    """A function that names the account of a reading: by the settings, else by its hash.

    A reading without a hash counts for the provider's only account if all others do, and if none of its periods ran
    beside one of that account. Otherwise it is of an account without a name.
    """
    size = outline(session).size
    if (kept := KEPT.get(session)) is not None and kept[0] == size:
        return kept[1]
    names, found = _names(session), dict[str, set[str]]()
    bare = set[str]()
    for provider, _, account, *_ in outline(session).peaks:
        if account is None:
            bare.add(provider)
        else:
            found.setdefault(provider, set()).add(names.get(account, account))
    by_mark = {provider: _by_mark(session, provider, names) for provider in bare}
    only = {
        provider: next(iter(own))
        for provider, own in found.items()
        if len(own) == 1 and own.issuperset(by_mark.get(provider, {}).values())
    }

    def owner(provider: str, account: str | None, mark: str | None) -> str | None:
        return names.get(account or "", account) or by_mark.get(provider, {}).get(mark or "") or only.get(provider)

    KEPT[session] = size, owner
    return owner


def _by_mark(session: Session, provider: str, names: Mapping[str, str]) -> dict[str, str]:
    """The accounts of readings that name none, as far as their resets distinguish them."""
    source = session.registry.providers.get(provider)
    meter = source.capacity_meter if source is not None else None
    if meter is None or not isinstance(meter.window, timedelta):
        return {}
    length, now = meter.window.total_seconds(), session.now.timestamp()
    named, bare = dict[str, list[Period]](), list[list[Period]]()
    for one in _periods(session, provider, meter.key, names):
        if one.account is not None:
            named.setdefault(one.account, []).append(one)
            continue
        same = [own for own in named.values() if any(map(one.is_of, own))]
        others = [*bare, *(named.values() if len(named) == 1 else ())]
        free = [own for own in others if not any(one.runs_beside(known, length, now) for known in own)]
        if len(same) == 1:
            same[0].append(one)
        elif free:
            max(free, key=lambda own: _nearness(own, one, length)).append(one)
        else:
            bare.append([one])
    # a reading without a name beside several named accounts may belong to any of them
    told = bare if len(bare) > (len(named) != 1) else ()
    found = [*named.items(), *zip(_labels(told), told, strict=True)]
    marks = dict[str, set[str]]()
    for name, own in found:
        for mark in frozenset[str]().union(*(one.marks for one in own)):
            marks.setdefault(mark, set()).add(name)
    return {mark: known.pop() for mark, known in marks.items() if len(known) == 1}


def _labels(found: Sequence[Sequence[Period]]) -> list[str]:
    """By the first reset: a number would be another account's once one of them has a name, as a script may type it."""
    firsts = [datetime.fromtimestamp(own[0].reset, UTC) for own in found]
    days = Counter(one.date() for one in firsts)
    return [f"unnamed-{one:%Y-%m-%dT%H}" if days[one.date()] > 1 else f"unnamed-{one:%Y-%m-%d}" for one in firsts]


def _nearness(own: Sequence[Period], one: Period, length: float) -> tuple[bool, float]:
    """Which account's period goes on in one: the last of those that are over, else of those that a vendor may end."""
    last = max((known.reset for known in own if known.reset < one.reset), default=0.0)
    return last <= one.reset - length + HOUR, last


def _periods(session: Session, provider: str, meter: str, names: Mapping[str, str]) -> Iterator[Period]:
    """Those of named accounts first, each by its reset. An unused meter may begin its period anew at each reading."""
    limit = (session.now + FUTURE).timestamp()
    rows = [
        Row(owner, peak[RESET], (peak[FIRST], peak[LAST], peak[VALUE]), mark)
        for (*key, account, _, mark), peaks in outline(session).peaks.items()
        if key == [provider, meter]
        for owner in [names.get(account or "", account)]
        for peak in peaks
        if peak[VALUE] and peak[RESET] is not None and peak[LAST] <= limit
    ]
    rows.sort(key=lambda row: (row.account is None, row.account or "", row.reset))
    starts = [at for at, (one, other) in enumerate(pairwise(rows), 1) if not other.is_of_period(one)]
    for start, end in pairwise([0, *starts, len(rows)]) if rows else ():
        own = rows[start:end]
        marks = frozenset(row.mark for row in own if row.mark)
        yield Period(own[0].account, own[0].reset, sorted(row.seen for row in own), marks)


def _names(session: Session) -> dict[str, str]:
    """A redacted address belongs to the one account that it fits; if it fits several, it has a name of its own."""
    masks = {mask: set(accounts) for mask, accounts in outline(session).masks.items()}
    names = {}
    for name, one in session.settings(CaptureSettings).accounts.items():
        if HASH.fullmatch(one):
            names[one] = name
        else:
            names[account_id(one)] = name
            masks.setdefault(str(mask_of(one)), set()).add(account_id(one))
    for mask, accounts in masks.items():
        names.setdefault(mask, " or ".join(sorted(names.get(one, one) for one in accounts)))
    return names


def accounts(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], str]:
    """The account's name or hash by window and provider, by the captures that count.

    A finalized window keeps the account that it was measured on: its features were counted there.
    """
    owner, rows = owners(session), Windows(session).finalized(windows)
    found = {}
    for (window, provider), group in Windows(session).captures(windows).items():
        pair = rows[window].pair(provider, group) if window in rows else canonical(group)
        shown = [capture for capture in pair if capture is not None]
        records = [capture.record for capture in shown]
        # older records only have the redacted address
        parsed = [one for record in records if isinstance(one := record.get("parsed"), dict)]
        named = {text_of(record.get("account")) for record in records} - {None}
        named = named or {mask_of(one.get("account")) for one in parsed} - {None}
        marks = {mark_of_gauges(capture.reading.gauges) for capture in shown}
        keys = ((one, mark) for one in named or {None} for mark in marks)
        own = [name for name in {owner(provider, *key) for key in keys} if name is not None]
        if own:
            found[window, provider] = own[0] if len(own) == 1 else MIXED
    return found
