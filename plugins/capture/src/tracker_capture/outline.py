"""An outline of the meter history: how late each page of the stream reaches, and each hour's highest and last reading.

It is derived, in `.index/`, and may be deleted. Before it answers it reads what the stream gained, so that a question
costs as little with a year of readings as with a day of them. What it holds does not depend on the order of the rows: a
late `sync` of old session files needs no second reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from attrs import define, field

from tracker.api import MeterReading, amount, instant, redact
from tracker.kernel import Journal, Session, replace_file

STREAM = "readings"
FILE = "readings-outline.json"
VERSION = 12
PAGE = 1 << 18
HOUR = 3600
# Bytes that each command reads again instead of writing them into the outline.
SMALL = 1 << 16
USED = "_used"
# A command asks several times.
KEPT: WeakKeyDictionary[Session, Outline] = WeakKeyDictionary()
# Provider, meter, account, origin, the mark of readings without an account.
Key = tuple[str, str, str | None, str, str | None]
# The name of a provider's account, by what a reading names and by its mark.
Owner = Callable[[str, str | None, str | None], str | None]
# Its hour, counted from its reset as forecasts count, the hour of that, seconds of the first and of the last reading of
# the value, the value, seconds of the reset, the limit of a count. Behind them what the hour's last reading has of
# these, and its plan: a meter may have fallen since. Hours of the clock, too, would make twice as many of them.
Peak = list[Any]
FIRST, LAST, VALUE, RESET, LIMIT, END = range(2, 8)


@define(eq=False, repr=False, slots=False)
class Outline:
    """mark: the size of what was read, and how the stream looked there. pages: where each begins, and its latest time.

    peaks: the highest and the last reading of each hour and reset. removals: the tombstones of each record that was
    taken back. corrections: the rows that replace a reading, because a person typed what it should be.
    """

    mark: list[Any] = field(factory=list)
    pages: list[tuple[int, str]] = field(factory=list)
    peaks: dict[Key, list[Peak]] = field(factory=dict)
    removals: dict[str, list[str]] = field(factory=dict)
    corrections: dict[str, list[str]] = field(factory=dict)
    # for each redacted address, the accounts that it may be
    masks: dict[str, list[str]] = field(factory=dict)
    # where the peaks of a meter are, built when one is added
    places: dict[Key, dict[tuple[int, ...], Peak]] = field(factory=dict)

    @property
    def size(self) -> int:
        return int(self.mark[0]) if self.mark else 0

    def add(self, offset: int, row: Mapping[str, Any]) -> None:
        until = row.get("until") or row.get("captured_at")
        latest = until if isinstance(until, str) and until[-1:] == "Z" else "9"
        if not self.pages or offset - self.pages[-1][0] >= PAGE:
            self.pages.append((offset, latest))
        elif latest > self.pages[-1][1]:
            self.pages[-1] = (self.pages[-1][0], latest)
        own = str(row.get("record_id"))
        if isinstance(row.get("tombstone"), str):
            _note(self.removals, row["tombstone"], own)
            return
        if row.get("override") and isinstance(old := row.get("supersedes"), list):
            for target in old:
                _note(self.corrections, str(target), own)
        if self._stands(own) and not any(map(self._stands, self.corrections.get(own, ()))):
            self._add_peaks(row)
            mask, account = row.get("account_mask"), row.get("account")
            if isinstance(mask, str) and isinstance(account, str):
                _note(self.masks, mask, account)

    def _stands(self, record_id: str) -> bool:
        """A removal that was taken back removes nothing."""
        return all(one in self.removals for one in self.removals.get(record_id, ()))

    @property
    def late(self) -> int:
        """How many rows are about others, which were read before them."""
        return sum(map(len, (*self.removals.values(), *self.corrections.values())))

    def _add_peaks(self, row: Mapping[str, Any]) -> None:
        parsed, at, provider, origin = row.get("parsed"), row.get("captured_at"), row.get("provider"), row.get("origin")
        first, last, account = _seconds(at), _seconds(row.get("until") or at), row.get("account")
        if not isinstance(parsed, dict) or first is None or last is None or not isinstance(provider, str):
            return
        values = {name.removesuffix(USED): used for name, used in parsed.items() if name.endswith(USED)}
        mark = mark_of((meter, _seconds(parsed.get(f"{meter}_reset_at"))) for meter in values)
        for meter, used in values.items():
            if amount(used) is not None:
                reset = _seconds(parsed.get(f"{meter}_reset_at"))
                begin = reset or 0
                place = int((first - begin) // HOUR), round(begin / HOUR)
                named = account if isinstance(account, str) else None
                key = (provider, meter, named, str(origin), None if named else mark)
                limit, plan = amount(parsed.get(f"{meter}_limit")), text_of(row.get("plan"))
                self._add_peak(key, [*place, first, last, used, reset, limit, [last, first, used, reset, limit, plan]])

    def _add_peak(self, key: Key, new: Peak) -> None:
        peaks = self.peaks.setdefault(key, [])
        places = self.places.get(key)
        if places is None:
            places = self.places[key] = {tuple(peak[:FIRST]): peak for peak in peaks}
        known = places.setdefault(tuple(new[:FIRST]), new)
        if known is new:
            peaks.append(new)
            return
        known[END] = max(known[END], new[END], key=lambda end: end[:3])
        last = max(known[LAST], new[LAST]) if new[VALUE] == known[VALUE] else None
        if (new[VALUE], -new[FIRST]) > (known[VALUE], -known[FIRST]):
            known[:END] = new[:END]
        known[LAST] = last or known[LAST]

    def spans(self, begin: str) -> list[tuple[int, int | None]]:
        """Where rows of a time and of later ones stand; pages without one are left out."""
        stop: int | None = None
        found: list[tuple[int, int | None]] = []
        for start, latest in reversed(self.pages):
            if latest >= begin:
                found.append((start, stop))
            stop = start
        return found[::-1]

    def readings(self, owner: Owner, provider: str | None, since: datetime | None) -> list[MeterReading]:
        """Each hour's highest reading, and its last one if that is another, by time."""
        least = since.timestamp() if since else 0.0
        found = [
            MeterReading(key[0], key[1], account, key[3], _at(first), _at(last), used,
                         None if reset is None else _at(reset), plan=plan, limit=limit)
            for key, own in self.peaks.items()
            if provider in (None, key[0])
            for account in [owner(key[0], key[2], key[4])]
            for peak in own
            for first, last, used, reset, limit, plan in _runs(peak)
            if last >= least
        ]  # fmt: skip
        return sorted(found, key=lambda one: one.at)


def mark_of(values: Iterable[tuple[str, float | None]]) -> str | None:
    """What distinguishes a reading without an account: the farthest of its meters' resets, by the hour."""
    resets = [(meter, round(reset / HOUR)) for meter, reset in values if reset is not None]
    # a record has them in another order than its pane
    return "{} {}".format(*max(resets, key=lambda one: one[::-1])) if resets else None


def _runs(peak: Peak) -> Iterator[tuple[Any, ...]]:
    """The highest run, and the last one if it has another value: first and last second, value, reset, limit, plan."""
    last, first, *end = peak[END]
    is_same = end[0] == peak[VALUE]
    yield peak[FIRST], max(peak[LAST], last) if is_same else peak[LAST], *peak[VALUE:END], end[-1] if is_same else None
    if not is_same:
        yield first, last, *end


def outline(session: Session) -> Outline:
    path = session.root / ".index" / FILE
    found = KEPT.get(session) or _load(session, path)
    known, size = found.size, session.journal.size(STREAM)
    if size > known:
        late = found.late
        _read(session, found, size)
        if found.late > late:
            # what was taken back or corrected is in hours that were read before it
            found = Outline(removals=found.removals, corrections=found.corrections)
            _read(session, found, size)
        if size - known > SMALL and not session.dry_run and not path.parent.is_symlink():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            replace_file(path, _dump(found), fsync=False)
    KEPT[session] = found
    return found


def _note(known: dict[str, list[str]], target: str, own: str) -> None:
    if own not in known.setdefault(target, []):
        known[target].append(own)


def rows(session: Session, stream: str, start: int, stop: int | None = None) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """A stream's rows with their offsets, from an offset on that may lie within a line."""
    for offset, line in session.journal.lines(stream, start, stop):
        if line is not None and (row := Journal.decode(line)) is not None:
            yield offset, row


def _read(session: Session, found: Outline, size: int) -> None:
    for offset, row in rows(session, STREAM, found.size, size):
        found.add(offset, row)
    found.mark = _mark(session, size)


def _mark(session: Session, size: int) -> list[Any]:
    """Another stream under this name, or one that was restored, looks different."""
    now = session.journal.glance(STREAM, size)
    return [size, now.inode, now.head.hex(), now.tail.hex()]


def _dump(found: Outline) -> bytes:
    series = [[*key, own] for key, own in found.peaks.items()]
    return orjson.dumps([VERSION, found.mark, found.pages, series, found.removals, found.corrections, found.masks])


def _load(session: Session, path: Path) -> Outline:
    """The kept outline; an empty one if the file is of another stream or was edited."""
    try:
        content = path.read_bytes() if path.is_file() else b""
        version, mark, pages, series, removals, corrections, masks = orjson.loads(content)
        if version != VERSION or mark != _mark(session, mark[0]) or session.journal.size(STREAM) < mark[0]:
            return Outline()
        peaks = {tuple(key): own for *key, own in series}
        pages = [(start, latest) for start, latest in pages]
        return Outline(
            mark=mark,
            pages=pages,
            peaks=peaks,
            removals=dict(removals),
            corrections=dict(corrections),
            masks=dict(masks),
        )
    except (OSError, ValueError, TypeError, LookupError):
        return Outline()


def _seconds(value: object) -> float | None:
    # a row that was edited by hand may hold a list, which has no hash
    return _seconds_of(value) if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def _seconds_of(text: str) -> float | None:
    found = instant(text)
    return None if found is None else found.timestamp()


def text_of(value: object) -> str | None:
    """A text of a row without addresses, None for anything else."""
    return _redacted(value) if isinstance(value, str) and value else None


# plans and versions are few, and are in every row
_redacted = lru_cache(maxsize=4096)(redact)


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
