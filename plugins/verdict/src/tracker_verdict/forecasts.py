"""The forecasts that `plan`, `status` and `gate` made, and how they turned out."""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextvars import Context
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from attrs import frozen

from tracker.api import MeterReading, Source, instant
from tracker.kernel import Session, TrackerError, iso, number, plural, stamp
from tracker_verdict.current_meters import history
from tracker_verdict.prospect import NEEDED, Prospect
from tracker_verdict.weeks import FULL, LATE, WEEK, steady

STREAM = "forecasts"
# A week's last reading counts as its end if it is not older at the reset.
END = timedelta(hours=24)
FOREVER = timedelta(weeks=520)
# The part of an instant up to its hour.
HOUR_LETTERS = len("2026-11-22T06")
# Bytes at the stream's end that hold the rows of the last hour.
TAIL = 1 << 16


def store(session: Session, source: Source, found: Iterable[tuple[str, Prospect | None]], by: str) -> None:
    """Keep the forecasts of meters, so that they can be scored. One forecast an hour is enough.

    `status` and `gate` ask often and must not wait: a busy journal or a directory that is only read costs a row.
    """
    known = [(meter, one) for meter, one in found if one is not None and one.probability is not None]
    if not known or session.dry_run:
        return
    with contextlib.suppress(TrackerError), session.journal.lock(f"tracker {by}", wait=0):
        kept, hour = _kept(session), iso(session.now)[:HOUR_LETTERS]
        # without the id of the running command: a view's own notes are no step of undo
        rows = [
            Context().run(_row, session, source, meter, one, by)
            for meter, one in known
            if (source.name, meter, one.current.account, hour) not in kept
        ]
        if rows:
            session.journal.append(STREAM, rows)


def _row(session: Session, source: Source, meter: str, found: Prospect, by: str) -> dict[str, Any]:
    current = found.current
    assert current.reset_at is not None, "a forecast is until the reset"
    return stamp(
        window=None,
        provider=source.name,
        captured_at=session.now,
        source=by,
        agent_id=session.lane,
        meter=meter,
        account=current.account,
        reset_at=iso(current.reset_at),
        used=current.used,
        forecast=found.document(),
    )


def _kept(session: Session) -> set[tuple[Any, ...]]:
    """Provider, meter, account and hour of the newest rows."""
    found = set()
    for _, raw in session.journal.lines(STREAM, max(0, session.journal.size(STREAM) - TAIL)):
        with contextlib.suppress(orjson.JSONDecodeError, TypeError, AttributeError):
            row = orjson.loads(raw or b"")
            hour = str(row.get("captured_at"))[:HOUR_LETTERS]
            found.add((row.get("provider"), row.get("meter"), row.get("account"), hour))
    return found


@frozen(kw_only=True)
class Outcome:
    """A forecast, and what came: whether the meter was full, also by linear pace, and if the band held the rest."""

    reset_at: datetime
    probability: float
    is_linear_full: bool
    was_full: bool
    is_in_band: bool


class Outcomes(NamedTuple):
    """The forecasts of ended weeks, and how many are not scored.

    waiting: their week goes on. unread: the end of the week was not read, or one of several accounts was renamed.
    words: with a short history they were only a word.
    """

    scored: list[Outcome]
    left_out: dict[str, int]


class _Forecast(NamedTuple):
    """A stored forecast: what it was made from, and its weeks, probability, linear pace and range."""

    meter: str
    account: str | None
    at: datetime
    reset_at: datetime
    used: float
    weeks: object
    probability: float
    linear: float
    low: float
    high: float


def _stored(session: Session, source: Source) -> Iterator[_Forecast]:
    """Those of a provider, without rows that were broken by hand."""
    for row in (entry.record for entry in session.index.entries(STREAM)):
        at, reset_at, said = instant(row.get("captured_at")), instant(row.get("reset_at")), row.get("forecast")
        if row.get("provider") != source.name or at is None or reset_at is None or not isinstance(said, dict):
            continue
        meter, account = str(row.get("meter")), row.get("account")
        with contextlib.suppress(KeyError, TypeError, ValueError):
            low, high = map(float, said["rest_80"])
            chances = float(said["probability_full"]), float(said["linear_pace"])
            named = account if isinstance(account, str) else None
            yield _Forecast(meter, named, at, reset_at, float(row["used"]), said.get("weeks"), *chances, low, high)


def outcomes(session: Session, source: Source, now: datetime) -> Outcomes:
    # one per hour counts, as one is stored: an import may bring another machine's of the same hour
    stored = sorted(_stored(session, source), key=lambda one: one.at)
    made = {(one.meter, one.account, iso(one.at)[:HOUR_LETTERS]): one for one in stored}.values()
    known = history(session, source, now, FOREVER)
    groups = {meter: _of_accounts(known, meter) for meter in {one.meter for one in made}}
    found = Outcomes([], dict.fromkeys(("waiting", "unread", "words"), 0))
    for one in made:
        own = groups[one.meter]
        # a single account may have got its name since
        name = next(iter(own)) if len(own) == 1 else one.account
        if isinstance(one.weeks, int) and one.weeks < NEEDED:
            found.left_out["words"] += 1
        elif one.reset_at > now:
            found.left_out["waiting"] += 1
        elif (came := _outcome(one, own.get(name, ()))) is not None:
            found.scored.append(came)
        else:
            found.left_out["unread"] += 1
    return found


def _of_accounts(known: Sequence[MeterReading], meter: str) -> dict[str | None, list[MeterReading]]:
    found: dict[str | None, list[MeterReading]] = {}
    for one in known:
        if one.meter == meter:
            found.setdefault(one.account, []).append(one)
    return found


def _outcome(made: _Forecast, readings: Sequence[MeterReading]) -> Outcome | None:
    """What came, by the readings of its account until the reset, also if the vendor moved that by some hours."""
    start = bisect_left(readings, made.reset_at - WEEK - LATE, key=lambda one: one.at)
    end = bisect_left(readings, made.reset_at + LATE, key=lambda one: one.at)
    week = steady([one for one in readings[start:end] if one.reset_at and abs(one.reset_at - made.reset_at) < LATE])
    # also for a full one: weeks that are picked by how they ended would not score a forecast fairly
    if not any(made.reset_at - one.until <= END for one in week):
        return None
    most = max(one.used for one in week)
    was_full, rest = most >= FULL, max(min(most, FULL) - made.used, 0.0)
    return Outcome(
        reset_at=made.reset_at,
        probability=made.probability,
        is_linear_full=made.linear >= FULL,
        was_full=was_full,
        # a full meter hides how much more was wanted: the band then holds it if it reaches that far
        is_in_band=rest <= made.high and (was_full or made.low <= rest),
    )


def score(found: Sequence[Outcome]) -> dict[str, Any]:
    """Hits, Brier scores and coverage of the band. The interval counts weeks, since forecasts of one week are alike."""
    from scipy.special import betaincinv

    count = len(found)
    weeks: list[list[Outcome]] = []
    for one in sorted(found, key=lambda one: one.reset_at):
        # vendors compute a reset anew for each answer: no instant of the calendar parts two weeks
        if not weeks or one.reset_at - weeks[-1][0].reset_at > WEEK / 2:
            weeks.append([])
        weeks[-1].append(one)
    inside = sum(sum(one.is_in_band for one in own) / len(own) for own in weeks)
    k = len(weeks)
    low = float(betaincinv(inside, k - inside + 1, 0.025)) if inside > 0 else 0.0
    high = float(betaincinv(inside + 1, k - inside, 0.975)) if inside < k else 1.0
    return {
        "forecasts": count,
        "weeks": k,
        "full": sum(one.was_full for one in found),
        "hits": sum((one.probability >= 0.5) == one.was_full for one in found),
        "brier": sum((one.probability - one.was_full) ** 2 for one in found) / count,
        "brier_linear": sum(one.is_linear_full != one.was_full for one in found) / count,
        "coverage": inside / k,
        "coverage_95": [low, high],
    }


def lines(source: Source, found: Outcomes) -> Iterator[str]:
    was = "was" if found.left_out["words"] == 1 else "were"
    why = {
        "waiting": "cannot be scored yet",
        "unread": "cannot be scored, since the end of the week was not read or the account was renamed",
        "words": f"{was} only a word, from under {NEEDED} weeks of history",
    }
    later = "".join(f"; {plural(count, 'forecast')} {why[name]}" for name, count in found.left_out.items() if count)
    if not found.scored:
        yield f"{source.name}: no forecast is scored{later or '; `tracker plan`, `status` and `gate` store them'}"
        return
    known = score(found.scored)
    low, high = known["coverage_95"]
    yield (
        f"{source.name}: {plural(known['forecasts'], 'forecast')} of {plural(known['weeks'], 'week')} scored:"
        f" {known['hits']} right about whether the meter was full{later}"
    )
    yield f"  Brier score {known['brier']:.3f}, linear pace {known['brier_linear']:.3f} (0 is perfect)"
    yield (
        f"  the 80% range held {number(100 * known['coverage'], 0)}% of the time"
        f" ({number(100 * low, 0)} to {number(100 * high, 0)}%)"
    )
