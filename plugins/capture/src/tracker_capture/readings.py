"""The meter history: the stream `readings`, whose rows are meter values that belong to no window.

A row covers a run of equal readings, from `captured_at` to `until`. A longer run is a new row that names the old one in
`supersedes`. Series are kept apart by provider, account and origin, because origins differ in what they show and how
exactly. Storing a reading twice adds nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve, field, frozen

from tracker.api import Gauge, Reading, Source, account_id, amount, instant, redact
from tracker.kernel import Session, iso, stamp
from tracker_capture.outline import STREAM, mark_of, outline, rows, text_of

KEY = re.compile(r"[a-z][a-z0-9_]*")
# Vendors compute a reset again for every answer, and panes show it to the minute.
RESET_TOLERANCE = timedelta(seconds=90)
# Clocks of machines differ by this much: what is further ahead is not stored.
FUTURE = timedelta(minutes=5)
# A pane rounds what a log has exactly.
ROUNDING = 1.0
# Panes show resets by the minute, and clocks of machines differ.
SLACK = timedelta(minutes=10)
# Bytes at the stream's end that usually hold the newest run of each series.
TAIL = 1 << 18
# The tag of figures that the vendor calls old.
STALE = "stale-data"
# Runs before an instant that may cover it.
NEAR = 4


@frozen(kw_only=True)
class Sample:
    """A run of equal readings of one origin, from `at` to `until`.

    account: a hash; None if the reading does not name it. mask: the hash of its redacted address. client: the version
    of the vendor's program. is_scheduled: whether it was taken whether or not somebody worked. capture: the snapshot
    that it is the reading of, if any. override: the snapshot of typed values that made this row necessary.
    """

    provider: str
    origin: str
    gauges: Mapping[str, Gauge]
    at: datetime
    until: datetime
    account: str | None = None
    mask: str | None = field(default=None, eq=False)
    plan: str | None = None
    client: str | None = None
    is_scheduled: bool = field(default=False, eq=False)
    supersedes: tuple[str, ...] = field(default=(), eq=False)
    capture: str | None = field(default=None, eq=False)
    override: str | None = field(default=None, eq=False)
    record_id: str | None = field(default=None, eq=False)

    @property
    def series(self) -> tuple[str, str | None, str]:
        return self.provider, self.account, self.origin

    @property
    def mark(self) -> str | None:
        """What distinguishes it from readings of other accounts, if it names none."""
        return mark_of_gauges(self.gauges.values())

    def has_values_of(self, other: Sample) -> bool:
        """Whether both show the same values and resets; and limits, which older versions did not keep."""
        if self.gauges.keys() != other.gauges.keys():
            return False
        pairs = [(gauge, other.gauges[key]) for key, gauge in self.gauges.items()]
        return all(
            one.used == two.used
            and (one.limit == two.limit or None in (one.limit, two.limit))
            and is_same_reset(one.reset_at, two.reset_at)
            for one, two in pairs
        )

    def is_of_pane(self, other: Sample) -> bool:
        """Whether both are readings of one pane, which two captures may be of."""
        return (self.series, self.at) == (other.series, other.at) and self.has_values_of(other)

    def can_take(self, other: Sample) -> bool:
        """Whether another one may become a part of this run: it names no other plan and no other limit."""
        is_alone = self.capture is None and other.capture is None
        if not is_alone or other.plan not in (None, self.plan) or not self.has_values_of(other):
            return False
        return all(gauge.limit == self.gauges[key].limit for key, gauge in other.gauges.items())


def mark_of_gauges(gauges: Iterable[Gauge]) -> str | None:
    shown = (one for one in gauges if one.used is not None)
    return mark_of((one.meter, one.reset_at.timestamp() if one.reset_at else None) for one in shown)


def is_same_reset(one: datetime | None, other: datetime | None) -> bool:
    return one == other or (one is not None and other is not None and abs(one - other) <= RESET_TOLERANCE)


def lag(session: Session) -> timedelta:
    """How far vendors lag behind a reset."""
    return timedelta(minutes=session.config.buffer_minutes)


def sample_of(
    source: Source, reading: Reading, taken: datetime, origin: str, behind: timedelta, text: str = ""
) -> Sample | None:
    """A reading of a text as a sample of its instant. behind: the vendor's lag.

    None if no meter has a value, or if every reset is so far ahead that the reading is not of that instant.
    """
    at = min(reading.as_of or taken, taken)
    gauges = {gauge.meter: gauge for gauge in reading.gauges if gauge.used is not None}
    # an idle meter may show its last reset until it is used; within the lag it may also be the value from before
    over = [gauge for gauge in gauges.values() if gauge.reset_at is not None and gauge.reset_at + behind <= at]
    for gauge in () if STALE in reading.errors else over:
        if gauge.used:
            # what was used before the reset, as an idle program still reports it
            del gauges[gauge.meter]
        else:
            gauges[gauge.meter] = evolve(gauge, reset_at=None)
    # a reset is at most one period of its meter ahead, as for captures
    beyond = {
        key: gauge.reset_at - at - meter.longest
        for key, gauge in gauges.items()
        if gauge.reset_at is not None and (meter := source.meter(key)) and meter.longest
    }
    far = [key for key, length in beyond.items() if length > SLACK]
    if far and len(far) == len(beyond):
        return None
    gauges |= {key: evolve(gauges[key], reset_at=None) for key in far}
    named = reading.fields.get("account")
    account = account_id(named, text) if isinstance(named, str) and named else None
    return sample_with(source.name, origin, gauges, at, reading.fields, account) if gauges else None


def sample_with(
    provider: str,
    origin: str,
    gauges: Mapping[str, Gauge],
    at: datetime,
    known: Mapping[str, Any],
    account: str | None,
) -> Sample:
    mask = mask_of(known.get("account"))
    return Sample(
        provider=provider,
        origin=origin,
        gauges=gauges,
        at=at,
        until=at,
        account=account or mask,
        mask=mask,
        plan=text_of(known.get("plan")),
        client=text_of(known.get("version")),
    )


def mask_of(named: object) -> str | None:
    """The hash of an account's redacted address, which may be that of several accounts."""
    return account_id(redact(named)) if isinstance(named, str) and named else None


def compact(value: float) -> float | int:
    """Whole numbers as integers: a record says 11, not 11.0."""
    return int(value) if float(value).is_integer() else value


# --- storing


def add(session: Session, samples: Iterable[Sample], *, by: str, least: timedelta = timedelta(0)) -> list[Sample]:
    """Append what the history does not hold yet. A run is not extended by less than `least`."""
    wanted = list(samples)
    if not wanted:
        return []
    if session.dry_run:
        return folded(_known(session, wanted), wanted, least)
    with session.journal.lock():
        new = folded(_known(session, wanted), wanted, least)
        if new:
            session.journal.append(STREAM, [record(sample, by) for sample in new])
    return new


def record(sample: Sample, by: str) -> dict[str, Any]:
    """A sample as a row. `by` is the record's `source`."""
    parsed: dict[str, Any] = {}
    for key, gauge in sample.gauges.items():
        assert gauge.used is not None
        parsed[f"{key}_used"] = compact(gauge.used)
        parsed[f"{key}_reset_at"] = gauge.reset_at and iso(gauge.reset_at)
        if gauge.limit is not None:
            parsed[f"{key}_limit"] = compact(gauge.limit)
    more: dict[str, Any] = {"supersedes": list(sample.supersedes)} if sample.supersedes else {}
    more |= {name: one for name in ("capture", "override") if (one := getattr(sample, name))}
    if sample.mask not in (None, sample.account):
        more["account_mask"] = sample.mask
    return stamp(
        window=None,
        provider=sample.provider,
        captured_at=sample.at,
        source=by,
        until=iso(sample.until),
        origin=sample.origin,
        account=sample.account,
        plan=sample.plan,
        client=sample.client,
        parsed=parsed,
        **more,
    )


def folded(known: Sequence[Sample], new: Sequence[Sample], least: timedelta = timedelta(0)) -> list[Sample]:
    """The runs to append so that the known ones and the new samples are all covered."""
    series: dict[tuple[str, str | None, str], list[Sample]] = {}
    for sample in sorted(known, key=lambda sample: sample.at):
        series.setdefault(sample.series, []).append(sample)
    for sample in sorted(new, key=lambda sample: sample.at):
        _fold(series.setdefault(sample.series, []), sample, least)
    return [run for runs in series.values() for run in runs if run.record_id is None]


def _fold(runs: list[Sample], sample: Sample, least: timedelta) -> None:
    """Put a sample in its place among the runs of its series.

    A capture's sample stays a run of its own, so that only it goes if the capture is taken back.
    """
    place = bisect_right(runs, sample.at, key=lambda run: run.at)
    if any(run.until >= sample.until and run.has_values_of(sample) for run in runs[max(0, place - NEAR) : place]):
        return
    before = runs[place - 1] if place else None
    after = runs[place] if place < len(runs) else None
    if before is not None and before.can_take(sample):
        if sample.until - before.until >= least:
            runs[place - 1] = _extended(before, before.at, sample.until)
    elif after is not None and after.can_take(sample) and (before is None or before.until < sample.at):
        runs[place] = _extended(after, sample.at, after.until)
    else:
        runs.insert(place, sample)


def _extended(run: Sample, at: datetime, until: datetime) -> Sample:
    old = (run.record_id,) if run.record_id else run.supersedes
    return evolve(run, at=at, until=until, record_id=None, supersedes=old)


# --- reading


def history(session: Session, provider: str | None = None, since: datetime | None = None) -> list[Sample]:
    """The stored runs, the earliest first."""
    if since is None:
        return _load(session, lambda sample: provider in (None, sample.provider))
    begin = iso(since)[:13]

    def may_be(row: Mapping[str, Any]) -> bool:
        until = row.get("until")
        # most rows of a long history can be judged by their text, without parsing the time
        is_old = isinstance(until, str) and until[-1:] == "Z" and until[:13] < begin
        return not is_old and provider in (None, row.get("provider"))

    return _load(session, lambda sample: sample.until >= since, outline(session).spans(begin), may_be)


def by_provider(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.provider, []).append(sample)
    return found


def newest(session: Session, provider: str) -> list[Sample]:
    """The provider's runs at the stream's end, the earliest first."""
    start = max(0, session.journal.size(STREAM) - TAIL)
    return _load(session, lambda sample: sample.provider == provider, [(start, None)])


def _known(session: Session, wanted: Sequence[Sample]) -> list[Sample]:
    """The runs that the wanted samples may touch: mostly those at the stream's end."""
    series = {sample.series for sample in wanted}
    start = max(0, session.journal.size(STREAM) - TAIL)
    tail = _load(session, lambda sample: sample.series in series, [(start, None)])
    if start:
        begins = {key: min(sample.at for sample in wanted if sample.series == key) for key in series}
        for run in tail:
            if run.series in begins and run.at <= begins[run.series]:
                del begins[run.series]
        if begins:
            return _load(session, lambda sample: sample.series in series)
    return tail


def _load(
    session: Session,
    is_wanted: Callable[[Sample], bool],
    spans: Iterable[tuple[int, int | None]] = ((0, None),),
    may_be: Callable[[Mapping[str, Any]], bool] = lambda _row: True,
) -> list[Sample]:
    """The runs that count. `may_be`: whether a row's run can be wanted."""
    removals: dict[str, list[object]] = {}
    replaced: list[tuple[str, tuple[str, ...]]] = []
    found = []
    for row in (row for span in spans for _, row in rows(session, STREAM, *span)):
        if isinstance(row.get("tombstone"), str):
            removals.setdefault(row["tombstone"], []).append(row.get("record_id"))
            continue
        record_id = row.get("record_id")
        if isinstance(record_id, str) and (old := _ids(row.get("supersedes"))):
            replaced.append((record_id, old))
        if may_be(row) and (sample := from_record(row)) is not None and is_wanted(sample):
            found.append(sample)
    # a removal that was taken back removes nothing
    taken_back = {target for target, by in removals.items() if any(one not in removals for one in by)}
    # a run that was taken back replaces nothing: what it had extended counts again
    gone = taken_back.union(*(old for record_id, old in replaced if record_id not in taken_back))
    return sorted((run for run in found if run.record_id not in gone), key=lambda run: run.at)


def from_record(row: Mapping[str, Any]) -> Sample | None:
    parsed, at = row.get("parsed"), instant(row.get("captured_at"))
    provider, origin, record_id = row.get("provider"), row.get("origin"), row.get("record_id")
    if at is None or not isinstance(parsed, dict) or not isinstance(record_id, str):
        return None
    if not isinstance(provider, str) or not isinstance(origin, str):
        return None
    gauges = {}
    for name, used in parsed.items():
        key = name.removesuffix("_used")
        # a row that was edited by hand must not hide the others
        if KEY.fullmatch(key) and key != name and amount(used) is not None:
            reset, limit = instant(parsed.get(f"{key}_reset_at")), amount(parsed.get(f"{key}_limit"))
            gauges[key] = Gauge(meter=key, used=used, reset_at=reset, limit=limit)
    return Sample(
        provider=provider,
        origin=origin,
        gauges=gauges,
        at=at,
        until=max(instant(row.get("until")) or at, at),
        account=text_of(row.get("account")),
        mask=text_of(row.get("account_mask")),
        plan=text_of(row.get("plan")),
        client=text_of(row.get("client")),
        is_scheduled=row.get("source") == "sample",
        supersedes=_ids(row.get("supersedes")),
        capture=text_of(row.get("capture")),
        override=text_of(row.get("override")),
        record_id=record_id,
    )


def _ids(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
