"""Windows after the fact: BEFORE and AFTER from the readings around two instants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve, frozen

from tracker.api import FileOrigin, Gauge, Reading, Source, UsageEvent, instant
from tracker.kernel import CaptureRequest, Session, TrackerError, Windows, plural, span, value
from tracker_capture.accounts import owners
from tracker_capture.ends import End, at_edge, ends_at, exact, said, unknown, used_of
from tracker_capture.meters import COARSE, UNNAMED, length_of, stands_for
from tracker_capture.parts import parts_of
from tracker_capture.readings import ROUNDING, Sample, by_provider, history, is_same_reset
from tracker_capture.settings import CaptureSettings
from tracker_capture.units import unit_of


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
        raise TrackerError(f"--to {said(end)} is not later than --from {said(start)}. Nothing was stored.")
    if end > session.now:
        raise TrackerError(f"--to {said(end)} lies in the future. Expected a time that has passed. Nothing was stored.")
    known = by_provider(history(session))
    wanted = list(providers) or sorted(known)
    if not wanted:
        raise TrackerError("The history is empty. Fill it with `tracker sync` or `tracker capture --sample --all`.")
    requests = _logged(session, [run for name in wanted for run in known.get(name, ())], start, end)
    return [
        draft_of(session, window, one, known.get(one, []), (start, end), requests.get(one, ()), stale_ok=stale_ok)
        for one in wanted
    ]


def _logged(session: Session, samples: Sequence[Sample], start: datetime, end: datetime) -> dict[str, list[datetime]]:
    """The requests of each provider that has some between two instants, from the readings before them on."""
    # for each account, the last one before
    last = {(run.provider, run.account): run.at for run in sorted(samples, key=lambda run: run.at) if run.at <= start}
    since = min(last.values(), default=start)
    events = session.registry.first("usage_events", session=session, since=since, folder=None) or ()
    return {name: own for name, own in requests_of(events).items() if any(start <= at <= end for at in own)}


def requests_of(events: Iterable[UsageEvent]) -> dict[str, list[datetime]]:
    """When each provider's requests were made, the earliest first, as far as that is known."""
    found: dict[str, list[datetime]] = {}
    for event in (one for one in events if one.since is None):
        found.setdefault(event.provider, []).append(datetime.fromtimestamp(event.at, UTC))
    return found


def moved(draft: Draft) -> dict[str, float]:
    """How far each meter moved, the one of capacity first."""
    found = {}
    keys = sorted(draft.after.sample.gauges, key=lambda key: (key != draft.source.capacity, key))
    for key in keys:
        first, last = draft.before.sample.gauges.get(key), draft.after.sample.gauges[key]
        if key in draft.parts:
            found[key] = float(draft.parts[key]["delta"])
        elif first is None or (first.reset_at is not None and first.reset_at <= draft.after.at):
            # its period is over, and no sum of parts is known
            continue
        elif first.used is not None and last.used is not None and last.used >= first.used:
            meter, length = draft.source.meter(key), length_of(draft.source, key)
            ends = [
                stands_for(meter, gauge.used or 0, gauge.reset_at, at, length)
                for gauge, at in ((first, draft.before.at), (last, draft.after.at))
            ]
            found[key] = max(0.0, round(ends[1] - ends[0], 6))
    return found


def is_read(source: Source, samples: Iterable[Sample]) -> bool:
    """Whether an origin shows the meter that measures windows, or its files may; else people alone type or pipe it."""
    known = (source.capacity in one.gauges for one in samples if one.capture is None)
    return source.capacity is None or any(isinstance(one, FileOrigin) for one in source.origins) or any(known)


def draft_of(
    session: Session,
    window: str,
    name: str,
    samples: Sequence[Sample],
    times: tuple[datetime, datetime],
    requests: Sequence[datetime] = (),
    *,
    stale_ok: bool = False,
    is_exact: bool = False,
) -> Draft:
    """A window of one provider between two instants; an error says why there is none.

    requests: the provider's by the logs, also those around both instants; none if no log tells. is_exact: the readings
    must show what the meter showed then, and may be as old as that allows.
    """
    limit = timedelta(days=36500) if stale_ok else timedelta(minutes=session.settings(CaptureSettings).stale_minutes)
    source = session.source(name, kinds=["status"])
    if Windows(session).captures([window]).get((window, name)):
        raise TrackerError(f"{window} already has captures of {name}. Name another window. Nothing was stored.")
    known = [one for one in samples if source.capacity is None or source.capacity in one.gauges]
    if not known:
        of = f"{name}'s {source.capacity}, which measures its windows" if samples else name
        when, cure = " of that time" if is_exact else "", "`tracker sync` adds any from its session files"
        if not is_read(source, samples):
            cure = f"`tracker start {name} --stdin` and `tracker end {name} --stdin` measure what is done between them"
        raise TrackerError(f"The history{when} has no reading of {of}. {cure}. Nothing was stored.")

    def pair(some: Sequence[Sample]) -> tuple[End, End]:
        return _pair(source, some, times, requests, limit, is_exact=is_exact)

    before, after, samples = _of_one_account(session, source, known, pair)
    _refuse_empty(name, window, before, after, [at for at in requests if times[0] <= at <= times[1]])
    before = _without_older_periods(source, before, after)
    parts = parts_of(source, samples, before, after, requests, limit)
    draft = Draft(source=source, before=before, after=after, parts=parts)
    _refuse_other_period(draft)
    _refuse_lagging(session, draft)
    return draft


def _refuse_empty(name: str, window: str, before: End, after: End, requests: Sequence[datetime]) -> None:
    """One reading measures nothing, nor do two without any of the requests between them."""
    if after.at <= before.at:
        raise TrackerError(
            f"{name} has only one reading, of {said(after.at)}, for both ends of {window}. Nothing was stored."
        )
    if requests and not any(before.at < at <= after.at for at in requests):
        raise TrackerError(
            f"No request of {name} came between the readings of {said(before.at)} and {said(after.at)}, the nearest to"
            f" --from and --to: they measure nothing of {window}. Nothing was stored."
        )


def _pair(
    source: Source,
    samples: Sequence[Sample],
    times: tuple[datetime, datetime],
    requests: Sequence[datetime],
    limit: timedelta,
    *,
    is_exact: bool,
) -> tuple[End, End]:
    """The readings at both ends: those that show what the meter showed then, or the nearest ones."""
    sides = [ends_at(samples, at, requests, is_first=place == 0) for place, at in enumerate(times)]
    known = [exact(ends, source.capacity) for ends in sides]
    if is_exact and None in known:
        raise TrackerError(f"{unknown(source.name, source.capacity or '', *sides)}. Nothing was stored.")
    first, last = (end or _nearest(source, ends, limit) for end, ends in zip(known, sides, strict=True))
    settled = at_edge(last, sides[1], source.capacity) if last.distance > limit else last
    return first, settled if source.capacity in settled.sample.gauges else last


def _of_one_account(
    session: Session, source: Source, samples: Sequence[Sample], pair: Callable[[Sequence[Sample]], tuple[End, End]]
) -> tuple[End, End, Sequence[Sample]]:
    """The readings at both ends, and all of the same account: that of the AFTER."""
    name, owner = source.name, owners(session)
    named = [owner(name, one.account, one.mark) for one in samples]
    before, after = pair(samples)
    first, last = (owner(name, end.sample.account, end.sample.mark) for end in (before, after))
    own = [one for one, account in zip(samples, named, strict=True) if account == last]
    try:
        before, after = pair(own)
    except TrackerError:
        if first == last:
            raise
        raise TrackerError(
            f"The {name} readings at the two ends belong to different accounts"
            f" ({first or UNNAMED}, {last or UNNAMED}). Nothing was stored."
        ) from None
    others = [one for one, account in zip(samples, named, strict=True) if account != last and one.account is None]
    if any(before.at < one.at < after.at for one in others):
        raise TrackerError(
            f"{name} {source.capacity} has alternating readings of two periods that ran at once: they may belong to two"
            " accounts, and only one would be measured. Nothing was stored."
        )
    return before, after, own


def _without_older_periods(source: Source, before: End, after: End) -> End:
    """A BEFORE, perhaps a day old, without the meters that were reset since at a time that no reading shows."""

    def is_older(key: str, gauge: Gauge) -> bool:
        new, length = after.sample.gauges.get(key), length_of(source, key)
        if key == source.capacity or gauge.reset_at is not None or new is None:
            return False
        fell = gauge.used is not None and new.used is not None and new.used < gauge.used
        return fell or (length is not None and after.at - before.at > length)

    gauges = {key: gauge for key, gauge in before.sample.gauges.items() if not is_older(key, gauge)}
    return evolve(before, sample=evolve(before.sample, gauges=gauges))


def _refuse_other_period(draft: Draft) -> None:
    """Readings that name no account may be of two: the meter of capacity fell, or its reset moved, without a reset."""
    meter, ends = draft.source.capacity or "", (draft.before, draft.after)
    old, new = (end.sample.gauges.get(meter) for end in ends)
    if meter in draft.parts or old is None or new is None or old.used is None or new.used is None:
        return
    is_mixed = float(old.used).is_integer() != float(new.used).is_integer()
    fell = new.used < old.used and not (is_mixed and old.used - new.used < ROUNDING)
    # a meter at 0 begins its period with its first use
    is_moved = old.used and old.reset_at and new.reset_at and abs(old.reset_at - new.reset_at) > COARSE
    if fell or is_moved:
        unit, is_same = unit_of(draft.source, meter), old.reset_at and is_same_reset(old.reset_at, new.reset_at)
        shown = " and ".join(_shown(gauge, unit, end) for gauge, end in zip((old, new), ends, strict=True))
        why = "the vendor may have lowered it" if is_same else "the readings may belong to two accounts"
        raise TrackerError(
            f"{draft.source.name} {meter} was at {shown}, but no reset in between is known: {why}. Nothing was stored."
        )


def _shown(gauge: Gauge, unit: str, end: End) -> str:
    until = f" (reset due {said(gauge.reset_at)})" if gauge.reset_at else ""
    return f"{value(gauge.used, unit=unit)}{until} in the reading of {said(end.at)}"


def _refuse_lagging(session: Session, draft: Draft) -> None:
    """An AFTER within the buffer after a reset would show what the vendor had not updated yet."""
    name, at = draft.source.name, draft.after.read or draft.after.at
    buffer = timedelta(minutes=session.config.buffer_minutes)
    resets = [instant(one["reset_at"]) for part in draft.parts.values() for one in part["resets"]]
    # those of the BEFORE are not stored yet
    resets += [gauge.reset_at for gauge in draft.before.sample.gauges.values()]
    reset = Windows.reset_before(session, draft.source, _reading(draft.after), at)
    for found in (reset, *resets):
        if found is not None and found <= at < found + buffer:
            raise TrackerError(
                f"The {name} reading of {said(at)} follows the reset at {said(found)} too closely: the vendor lags."
                " Choose a later --to. Nothing was stored."
            )


def _nearest(source: Source, ends: Sequence[End], limit: timedelta) -> End:
    """The reading that is closest to an instant, before or after it, and of several the highest."""
    found = min(ends, key=lambda end: (end.distance, end.at > end.wanted, -used_of(end, source.capacity)))
    if found.distance > limit:
        # times are said to the minute
        away = span(found.distance) if span(found.distance) != span(limit) else f"just over {span(limit)}"
        raise TrackerError(
            f"{source.name} has no reading within {span(limit)} of {said(found.wanted)}; the nearest is from"
            f" {said(found.at)}, {away} away. Use --stale-ok to take it. Nothing was stored."
        )
    return found


def save(session: Session, window: str, draft: Draft, notes: str | None, heads: tuple[str | None, str | None]) -> None:
    """heads: the commits before and after the work."""
    first, last = ({"git_head": head} for head in heads)
    before = _store(session, window, "before", draft.source, draft.before, notes, first)
    split = {"reset_split": {"before": before, "meters": dict(draft.parts)}} if draft.parts else {}
    try:
        _store(session, window, "after", draft.source, draft.after, notes, last | split)
    except TrackerError as error:
        text = str(error).replace("Nothing was stored.", "").strip()
        raise TrackerError(f"{text} The BEFORE is stored. `tracker undo` takes it back.") from error
    for meter, part in draft.parts.items():
        more = f"; up to {part['not_covered_at_most']}% more may be missing" if part["not_covered_at_most"] else ""
        session.note(
            f"note: {draft.source.name} {meter} was reset in between: {part['delta']}% is the sum of the parts{more}"
        )


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
        captured_at=end.begin if phase == "before" else end.at,
        origin="history",
        window=window,
        notes=notes,
        details=details,
        is_last=False,
    )
    [record] = Windows.store(session, request)
    session.note(f"note: {_read_from(source, window, end, is_before=phase == 'before')}")
    return str(record["record_id"])


def _read_from(source: Source, window: str, end: End, *, is_before: bool) -> str:
    """Where a reading is from, how old it is, and what it means for the window."""
    text = f"read from {end.sample.origin}, {span(timedelta(seconds=end.age))} from the given time"
    if end.is_exact and end.age:
        return f"{text}; no request of {source.name} came in between"
    if end.between:
        is_left_out = (end.at > end.edge) == is_before
        text += f"; {plural(end.between, 'request')} of {source.name} came in between, and"
        text += f" {'is' if end.between == 1 else 'are'} {'not ' if is_left_out else ''}in {window}"
    return text


def _reading(end: End) -> Reading:
    gauges = tuple(
        Gauge(meter=key, used=gauge.used, reset_at=gauge.reset_at) for key, gauge in end.sample.gauges.items()
    )
    return Reading(gauges=gauges, as_of=end.at, fields={"plan": end.sample.plan} if end.sample.plan else {})
