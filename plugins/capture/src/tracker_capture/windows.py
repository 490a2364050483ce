"""Windows after the fact: BEFORE and AFTER from the readings around two instants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from attrs import frozen

from tracker.api import Gauge, Meter, Reading, Source, instant
from tracker.kernel import CaptureRequest, Session, TrackerError, Windows, iso, span
from tracker_capture.meters import Point, length_of, points_of, reset_between, with_resets
from tracker_capture.readings import Sample, by_provider, compact, history
from tracker_capture.settings import CaptureSettings

# How long after a reset a floored 0 is taken as nothing used.
AT_RESET = timedelta(minutes=5)


@frozen(kw_only=True)
class End:
    """A reading at one end of a window, and how far its instant is from the wanted one."""

    sample: Sample
    at: datetime
    distance: timedelta

    @property
    def age(self) -> int:
        return round(self.distance.total_seconds())


@frozen(kw_only=True)
class Draft:
    """A window of one provider that can be stored."""

    source: Source
    before: End
    after: End
    parts: Mapping[str, Mapping[str, Any]]


def drafts(
    session: Session, window: str, providers: Sequence[str], start: datetime, end: datetime, *, stale_ok: bool
) -> list[Draft]:
    """What can be stored of every named provider, or of all in the history. Nothing is stored if one is refused."""
    if end <= start:
        raise TrackerError(f"--to {_said(end)} is not later than --from {_said(start)}. Nothing was stored.")
    if end > session.now:
        raise TrackerError(
            f"--to {_said(end)} lies in the future. Expected a time that has passed. Nothing was stored."
        )
    known = by_provider(history(session))
    wanted = list(providers) or sorted(known)
    if not wanted:
        raise TrackerError("The history is empty. Fill it with `tracker sync` or `tracker capture --sample --all`.")
    return [draft_of(session, window, one, known.get(one, []), (start, end), stale_ok=stale_ok) for one in wanted]


def moved(draft: Draft) -> dict[str, float]:
    """How far each meter moved, the one of capacity first."""
    found = {}
    keys = sorted(draft.after.sample.gauges, key=lambda key: (key != draft.source.capacity, key))
    for key in keys:
        first, last = draft.before.sample.gauges.get(key), draft.after.sample.gauges[key]
        if key in draft.parts:
            found[key] = float(draft.parts[key]["delta"])
        elif first is not None and first.used is not None and last.used is not None and last.used >= first.used:
            meter, length = draft.source.meter(key), length_of(draft.source, key)
            ends = [
                _stands_for(meter, gauge.used or 0, gauge.reset_at, at, length)
                for gauge, at in ((first, draft.before.at), (last, draft.after.at))
            ]
            found[key] = max(0.0, round(ends[1] - ends[0], 6))
    return found


def draft_of(
    session: Session,
    window: str,
    name: str,
    samples: Sequence[Sample],
    times: tuple[datetime, datetime],
    *,
    stale_ok: bool = False,
) -> Draft:
    """A window of one provider between two instants; an error says why there is none."""
    limit = timedelta(days=36500) if stale_ok else timedelta(minutes=session.settings(CaptureSettings).stale_minutes)
    source = session.source(name, kinds=["status"])
    if Windows(session).captures([window]).get((window, name)):
        raise TrackerError(f"{window} already has captures of {name}. Name another window. Nothing was stored.")
    samples = [one for one in samples if source.capacity is None or source.capacity in one.gauges]
    before, after = (_nearest(name, samples, at, limit) for at in times)
    if None not in (before.sample.account, after.sample.account) and before.sample.account != after.sample.account:
        raise TrackerError(
            f"The {name} readings around --from and --to are of different accounts"
            f" ({before.sample.account}, {after.sample.account}). Nothing was stored."
        )
    if after.at <= before.at:
        raise TrackerError(
            f"{name} has one reading for both ends of {window}, of {_said(after.at)}. Nothing was stored."
        )
    account = after.sample.account or before.sample.account
    own = [one for one in samples if account is None or one.account in (None, account)]
    draft = Draft(source=source, before=before, after=after, parts=_parts(source, own, before, after, limit))
    _refuse_lagging(session, draft)
    return draft


def _said(at: datetime) -> str:
    return iso(at.replace(microsecond=0))


def _refuse_lagging(session: Session, draft: Draft) -> None:
    """An AFTER within the buffer after a reset would show what the vendor had not updated yet."""
    name, at = draft.source.name, draft.after.at
    buffer = timedelta(minutes=session.config.buffer_minutes)
    resets = [instant(one["reset_at"]) for part in draft.parts.values() for one in part["resets"]]
    # those of the BEFORE are not stored yet
    resets += [gauge.reset_at for gauge in draft.before.sample.gauges.values()]
    reset = Windows(session).reset_before(draft.source, _reading(draft.after), at)
    for found in (reset, *resets):
        if found is not None and found <= at < found + buffer:
            raise TrackerError(
                f"The {name} reading of {_said(at)} follows the reset at {_said(found)} too closely: the vendor lags."
                " Choose a later --to. Nothing was stored."
            )


def _nearest(name: str, samples: Sequence[Sample], at: datetime, limit: timedelta) -> End:
    """The reading that is closest to an instant, before or after it."""
    ends = [
        End(sample=one, at=min(max(at, one.at), one.until), distance=max(one.at - at, at - one.until, timedelta(0)))
        for one in samples
    ]
    found = min(ends, key=lambda end: (end.distance, end.at > at), default=None)
    if found is None:
        raise TrackerError(f"The history has no reading of {name}. Fill it with `tracker sync`. Nothing was stored.")
    if found.distance > limit:
        raise TrackerError(
            f"{name} has no reading within {span(limit)} of {_said(at)}; the nearest is of {_said(found.at)},"
            f" {span(found.distance)} away. Use --stale-ok to take it. Nothing was stored."
        )
    return found


def _parts(
    source: Source, samples: Sequence[Sample], before: End, after: End, limit: timedelta
) -> dict[str, dict[str, Any]]:
    """The delta of each meter that was reset in between, as the sum of its parts, and the most that is not covered.

    After a reset a meter begins at 0. What was used between the last reading before a reset and the reset itself is
    not known; it is at most the rest of the bar.
    """
    found: dict[str, list[Point]] = {}
    for one in samples:
        if one.until >= before.at and one.at <= after.at:
            for key, point in points_of(one):
                found.setdefault(key, []).append(point)
    parts = {}
    for key, points in found.items():
        meter, ends = source.meter(key), (before.sample.gauges.get(key), after.sample.gauges.get(key))
        if meter is None or meter.unit != "pp" or None in ends:
            continue
        try:
            part = _sum(source, meter, points, limit)
        except TrackerError:
            if key == source.capacity:
                raise
            continue
        if part is not None:
            parts[key] = part
    return parts


def _sum(source: Source, meter: Meter, readings: Sequence[Point], limit: timedelta) -> dict[str, Any] | None:
    """None without a reset. It is an error if no reading is close enough before one."""
    length = length_of(source, meter.key)
    points = with_resets(readings, length)
    values = [_stands_for(meter, one.used, one.reset_at, one.at, length) for one in points]
    total, base, most = 0.0, values[0], 0.0
    resets = []
    for (old, new), value in zip(pairwise(points), values, strict=False):
        if (reset := reset_between(old, new, length)) is not None:
            if reset - old.until > limit:
                raise TrackerError(
                    f"{source.name} has no reading within {span(limit)} before the reset of {meter.key} at"
                    f" {_said(reset)}; the last one is of {_said(old.until)} and shows {compact(old.used)} %."
                    " Use --stale-ok to take it. Nothing was stored."
                )
            total += max(0.0, value - base)
            most += max(0.0, 100 - old.used)
            base = 0.0
            resets.append({"reset_at": iso(reset), "last_reading": iso(old.until), "used": compact(old.used)})
    if not resets:
        return None
    total += max(0.0, values[-1] - base)
    return {"delta": compact(round(total, 6)), "not_covered_at_most": compact(round(most, 6)), "resets": resets}


def _stands_for(
    meter: Meter | None, used: float, reset_at: datetime | None, at: datetime, length: timedelta | None
) -> float:
    """What a value stands for: a floored one for half a point more, but 0 at a reset for 0, as in any window."""
    is_new = reset_at and length and timedelta(0) <= at - reset_at + length <= AT_RESET
    is_exact = meter is None or meter.rounding != "floor" or not float(used).is_integer() or (is_new and not used)
    return used if is_exact else used + 0.5


def save(session: Session, window: str, draft: Draft, notes: str | None) -> None:
    before = _store(session, window, "before", draft.source, draft.before, notes, {})
    split = {"before": before, "meters": dict(draft.parts)} if draft.parts else None
    try:
        _store(session, window, "after", draft.source, draft.after, notes, {"reset_split": split} if split else {})
    except TrackerError as error:
        text = str(error).replace("Nothing was stored.", "").strip()
        raise TrackerError(f"{text} The BEFORE is stored. `tracker undo` takes it back.") from error


def _store(
    session: Session, window: str, phase: str, source: Source, end: End, notes: str | None, more: Mapping[str, Any]
) -> str:
    """The record's id."""
    details = {"origin": end.sample.origin, "age_s": end.age, "account": end.sample.account, **more}
    request = CaptureRequest(
        source=source,
        phases=(phase,),
        reading=_reading(end),
        text=None,
        captured_at=end.at,
        origin="history",
        window=window,
        notes=notes,
        details=details,
        is_last=False,
    )
    [record] = Windows(session).store(request)
    session.note(f"note: read from {end.sample.origin}, {span(timedelta(seconds=end.age))} from the given time")
    return str(record["record_id"])


def _reading(end: End) -> Reading:
    gauges = tuple(
        Gauge(meter=key, used=gauge.used, reset_at=gauge.reset_at) for key, gauge in end.sample.gauges.items()
    )
    return Reading(gauges=gauges, as_of=end.at, fields={"plan": end.sample.plan} if end.sample.plan else {})
