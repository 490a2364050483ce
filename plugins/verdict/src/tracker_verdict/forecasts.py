"""The forecasts that `plan`, `status` and `gate` made, and how they turned out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import Context
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from attrs import frozen

from tracker.api import MeterReading, Source, instant
from tracker.kernel import Session, TrackerError, iso, number, plural, stamp
from tracker_verdict.prospect import NEEDED, Prospect
from tracker_verdict.standings import history, of_accounts
from tracker_verdict.weeks import FULL, LATE, WEEK, steady

STREAM = "forecasts"
# A week's last reading counts as its end if it is not older at the reset.
END = timedelta(hours=24)
FOREVER = timedelta(weeks=520)
# Bytes at the stream's end that hold the rows of the last hour.
TAIL = 1 << 16


def store(session: Session, source: Source, found: Iterable[tuple[str, Prospect | None]], by: str) -> None:
    """Keep what was forecast of meters, so that it can be scored. Bins are hours: of an hour one forecast is enough.

    `status` and `gate` ask often and must not wait: a busy journal or a directory that is only read costs a row.
    """
    known = [(meter, one) for meter, one in found if one is not None and one.probability is not None]
    if not known or session.dry_run:
        return
    with contextlib.suppress(TrackerError), session.journal.lock(f"tracker {by}", wait=0):
        kept = _kept(session)
        # without the id of the running command: a view's own notes are no step of undo
        rows = [
            Context().run(_row, session, source, meter, one, by)
            for meter, one in known
            if _key(session, source, meter, one) not in kept
        ]
        if rows:
            session.journal.append(STREAM, rows)


def _row(session: Session, source: Source, meter: str, found: Prospect, by: str) -> dict[str, Any]:
    standing = found.standing
    assert standing.reset_at is not None, "a forecast is until the reset"
    return stamp(
        window=None,
        provider=source.name,
        captured_at=session.now,
        source=by,
        agent_id=session.lane,
        meter=meter,
        account=standing.account,
        reset_at=iso(standing.reset_at),
        used=standing.used,
        forecast=found.document(),
    )


def _key(session: Session, source: Source, meter: str, found: Prospect) -> tuple[Any, ...]:
    return source.name, meter, found.standing.account, iso(session.now)[: len("2026-11-22T06")]


def _kept(session: Session) -> set[tuple[Any, ...]]:
    """Provider, meter, account and hour of the newest rows."""
    found = set()
    for _, raw in session.journal.lines(STREAM, max(0, session.journal.size(STREAM) - TAIL)):
        with contextlib.suppress(orjson.JSONDecodeError, TypeError, AttributeError):
            row = orjson.loads(raw or b"")
            found.add((row.get("provider"), row.get("meter"), row.get("account"), str(row.get("captured_at"))[:13]))
    return found


@frozen(kw_only=True)
class Outcome:
    """A forecast, and what came: whether the meter was full, also by its linear pace, and the band held the rest."""

    reset_at: datetime
    probability: float
    is_linear_full: bool
    was_full: bool
    is_in_band: bool


class Outcomes(NamedTuple):
    """The forecasts of ended weeks, and how many are not scored.

    waiting: their week goes on. unread: nobody read how it ended, or their account has another name now. words: a short
    history made them a word alone.
    """

    scored: list[Outcome]
    waiting: int = 0
    unread: int = 0
    words: int = 0


def outcomes(session: Session, source: Source, now: datetime) -> Outcomes:
    readings = history(session, source, now, FOREVER)
    found = Outcomes([])
    rows = (entry.record for entry in session.index.entries(STREAM))
    for row in (row for row in rows if row.get("provider") == source.name):
        reset_at, forecast = instant(row.get("reset_at")), row.get("forecast")
        if reset_at is None or not isinstance(forecast, dict):
            continue
        try:
            probability, linear = float(forecast["probability_full"]), float(forecast["linear_pace"])
            low, high = map(float, forecast["rest_80"])
            used = float(row["used"])
        except (KeyError, TypeError, ValueError):
            continue
        if isinstance(weeks := forecast.get("weeks"), int) and weeks < NEEDED:
            found = found._replace(words=found.words + 1)
            continue
        week = _week(readings, row, reset_at)
        last = max((one.until for one in week), default=None)
        most = max((one.used for one in week), default=0.0)
        is_seen = most >= FULL or (last is not None and reset_at - last <= END)
        if reset_at > now:
            found = found._replace(waiting=found.waiting + 1)
            continue
        if not is_seen:
            found = found._replace(unread=found.unread + 1)
            continue
        was_full, rest = most >= FULL, max(min(most, FULL) - used, 0.0)
        found.scored.append(
            Outcome(
                reset_at=reset_at,
                probability=probability,
                is_linear_full=linear >= FULL,
                was_full=was_full,
                # a full meter hides how much more was wanted: then the band holds it if it reaches so far
                is_in_band=rest <= high and (was_full or low <= rest),
            )
        )
    return found


def _week(readings: Sequence[MeterReading], row: Mapping[str, Any], reset_at: datetime) -> list[MeterReading]:
    """The readings of a forecast's account until its reset, also if the vendor moved that by some hours."""
    groups = of_accounts(readings, str(row.get("meter")))
    own = groups.get(row.get("account"), next(iter(groups.values())) if len(groups) == 1 else [])
    return steady([one for one in own if one.reset_at is not None and abs(one.reset_at - reset_at) < LATE])


def score(found: Sequence[Outcome]) -> dict[str, Any]:
    """Hits, Brier scores and coverage of the band. The interval counts weeks, since forecasts of one week are alike."""
    from scipy.special import betaincinv

    count = len(found)
    weeks: dict[int, list[bool]] = {}
    for one in found:
        weeks.setdefault(round(one.reset_at.timestamp() / WEEK.total_seconds()), []).append(one.is_in_band)
    inside = sum(sum(own) / len(own) for own in weeks.values())
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
    left_out = (
        (found.waiting, "cannot be scored yet"),
        (found.unread, "cannot be scored, since nobody read the end of the week, or its account has another name now"),
        (found.words, f"{'was' if found.words == 1 else 'were'} a word alone, of under {NEEDED} weeks of history"),
    )
    later = "".join(f"; {plural(count, 'forecast')} {why}" for count, why in left_out if count)
    if not found.scored:
        yield f"{source.name}: no forecast is scored{later or '; `tracker plan`, `status` and `gate` store them'}"
        return
    known = score(found.scored)
    low, high = known["coverage_95"]
    yield (
        f"{source.name}: {plural(known['forecasts'], 'forecast')} of {plural(known['weeks'], 'week')} scored:"
        f" {known['hits']} right about full or not{later}"
    )
    yield f"  Brier score {known['brier']:.3f}, of the linear pace {known['brier_linear']:.3f} (0 is perfect)"
    yield (
        f"  the range of four in five held {number(100 * known['coverage'], 0)}%"
        f" ({number(100 * low, 0)} to {number(100 * high, 0)}%)"
    )
