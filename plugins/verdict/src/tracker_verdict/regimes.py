"""Sure changes of what a point buys, kept on disk so that quick commands need not read session logs."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from attrs import evolve

from tracker.api import Source
from tracker.kernel import Session, TrackerError, iso, replace_file
from tracker_verdict.accounts import NO_ACCOUNT
from tracker_verdict.current_meters import PERCENT, readings_since
from tracker_verdict.tally import CHANGES
from tracker_verdict.weeks import HOUR, Week

if TYPE_CHECKING:
    from tracker_verdict.drift import Drift

# Which readings of each account were looked at last.
LOOKS = "state/.verdict/looks.json"
# Another machine's records may bring requests of days that were looked at before.
IMPORTS = "imports"
# As far back as `tracker meters drift` looks, unless a change is known by older readings.
REACH = timedelta(weeks=8)


class Regime(NamedTuple):
    """A change of what a point buys, from `start` on, when a local day begins. ratio: as in `Change`."""

    day: date
    start: datetime
    ratio: tuple[float, float, float]

    def factor(self, at: datetime | None) -> float:
        """How many of today's points one of that instant counts as; without a time, 1."""
        return self.ratio[0] if self.is_before(at) else 1.0

    def is_before(self, at: datetime | None) -> bool:
        return at is not None and at < self.start

    def used_before(self, week: Week) -> float:
        """The points that a week used before the change."""
        return sum(one or 0.0 for hour, one in enumerate(week.rises) if self.is_before(week.start + hour * HOUR))

    def in_points_of_now(self, week: Week) -> Week:
        hours = [self.factor(week.start + hour * HOUR) for hour in range(len(week.rises))]
        rises = [None if one is None else one * factor for one, factor in zip(week.rises, hours, strict=True)]
        return evolve(week, rises=rises)

    @property
    def rule(self) -> str:
        return f"points used before {self.day} count as {self.ratio[0]:.2f} each"

    @property
    def sentence(self) -> str:
        buys = f"a point has bought {'less' if self.ratio[0] > 1 else 'more'} since then"
        return f"{self.rule}: {buys}, if nothing else used the account"

    def document(self) -> dict[str, Any]:
        return {"day": str(self.day), "ratio": list(self.ratio)}


def regime(session: Session, source: Source, meter: str | None, account: str | None, *, several: bool) -> Regime | None:
    """The kept change of a meter, unless records were imported since, which may refute it.

    several: whether what is asked for includes more accounts than this one.
    """
    for row in _read(session.root / CHANGES):
        if row.get("imported", 0) != session.journal.size(IMPORTS):
            continue
        is_own = row.get("account") == (account or NO_ACCOUNT) or (row.get("is_only") and not several)
        if (row.get("provider"), row.get("meter")) == (source.name, meter) and is_own:
            with contextlib.suppress(KeyError, TypeError, ValueError):
                day, (middle, low, high) = date.fromisoformat(row["day"]), map(float, row["ratio"])
                return Regime(day, datetime.combine(day, time(), session.zone), (middle, low, high))
    return None


def refresh(session: Session, sources: Iterable[Source]) -> None:
    """Look for a change in each account with a new day of readings. It reads session logs, for commands that may wait.

    What cannot be looked at, or kept, stays as it was.
    """
    for source in () if session.dry_run or not session.root.is_dir() else sources:
        meter = source.capacity_meter
        if meter is None or meter.unit != PERCENT:
            continue
        with contextlib.suppress(TrackerError):
            days = _days(session, source, meter.key)
            for account, own in days.items():
                _look(session, source, meter.key, account, own, is_only=len(days) == 1)


def _days(session: Session, source: Source, meter: str) -> dict[str, set[str]]:
    """The days with a reading of each account."""
    found = defaultdict[str, set[str]](set)
    for one in readings_since(session, source, session.now - REACH, hourly=True):
        if one.meter == meter:
            days = {at.astimezone(session.zone).date().isoformat() for at in (one.at, one.until)}
            found[one.account or NO_ACCOUNT] |= days
    return found


def _look(session: Session, source: Source, meter: str, account: str, days: set[str], *, is_only: bool) -> None:
    """Unless these days are too few, or were looked at before."""
    from tracker_verdict.drift import drift
    from tracker_verdict.pieces import ledger
    from tracker_verdict.rates import SCANNED

    if len(days) < SCANNED:
        return
    first, last = min(days), max(days)
    path, own, imported = session.root / LOOKS, [source.name, meter, account], session.journal.size(IMPORTS)
    looks, look = _read(path), {"of": own, "first": first, "last": last, "imported": imported}
    if look in looks:
        return
    row = next((row for row in _read(session.root / CHANGES) if _of(row) == own), {})
    since = session.now - REACH
    with contextlib.suppress(KeyError, TypeError, ValueError):
        since = min(since, datetime.fromisoformat(row["since"]))
    keep(session, drift(ledger(session, source, meter, since, () if is_only else (account,))), since)
    _write(path, [*(one for one in looks if one.get("of") != own), look])


def keep(session: Session, found: Drift, since: datetime) -> None:
    """Keep what a look found. A look at less history than the kept change's does not refute it, nor an empty one.

    Unless that is because more days have only totals left: then the change was found in days that say nothing.
    """
    ledger, change = found.ledger, found.change if found.why is None else None
    name = ledger.account or next(iter(ledger.accounts), NO_ACCOUNT)
    own, rows = [ledger.source.name, ledger.meter, name], _read(session.root / CHANGES)
    kept = next((row for row in rows if _of(row) == own), None)
    # the readings of another origin may begin later
    is_less = kept is None or iso(max(since, ledger.readings[0].at)) > str(kept.get("since"))
    left_out = kept.get("days_left_out", 0) if kept is not None else None
    is_void = isinstance(left_out, int) and ledger.unseen > left_out
    if session.dry_run or (change is None and not is_void and (is_less or not found.has_looked)):
        return
    row = {
        **dict(zip(("provider", "meter", "account"), own, strict=True)),
        "is_only": ledger.account is None,
        "day": change and str(change.day),
        "ratio": change and list(change.ratio),
        "p": change and change.p,
        "days_left_out": ledger.unseen,
        "imported": session.journal.size(IMPORTS),
        "origin": ledger.origin,
        "since": iso(ledger.readings[0].at),
        "until": iso(ledger.readings[-1].until),
    }
    _write(session.root / CHANGES, [one for one in rows if _of(one) != own] + ([row] if change else []))


def _of(row: Mapping[str, Any]) -> list[Any]:
    return [row.get("provider"), row.get("meter"), row.get("account")]


def _read(path: Path) -> list[dict[str, Any]]:
    """No rows without such a file, or if it is spoilt: the next look writes it again."""
    with contextlib.suppress(OSError, orjson.JSONDecodeError):
        found = orjson.loads(path.read_bytes() if path.is_file() else b"")
        return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    return []


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Without rows there is no file, so that a preview without a change looks at nothing more."""
    with contextlib.suppress(TrackerError, OSError):
        if rows:
            replace_file(path, orjson.dumps(rows), fsync=False)
        else:
            path.unlink(missing_ok=True)
