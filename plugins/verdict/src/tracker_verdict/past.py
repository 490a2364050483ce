"""The past weeks of a meter, read once a week: a year of readings must not slow down each question.

They are kept in the derived index, which may be deleted. `tracker plan` reads them anew each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from tracker.api import MeterReading, Source, instant
from tracker.kernel import Session, iso, replace_file, zone
from tracker_verdict.standings import of_accounts, readings
from tracker_verdict.weeks import HOURS, SAME, WEEK, Week, weeks

FILE = "weeks.json"
# What older weeks weigh is nothing.
MEMORY = timedelta(weeks=16)


def past(session: Session, source: Source, meter: str, account: str | None, reset_at: datetime) -> list[Week]:
    """The weeks before the one that ends at `reset_at`."""
    known = _load(_path(session)).get(_key(session, source, meter, account))
    if isinstance(known, Mapping) and (at := instant(known.get("reset_at"))) and abs(at - reset_at) < SAME:
        found = [_week(one) for one in known.get("weeks") or ()]
        if None not in found:
            return [one for one in found if one is not None]
    return renewed(session, source, meter, account, reset_at, readings(session, source, session.now - MEMORY))


def renewed(
    session: Session,
    source: Source,
    meter: str,
    account: str | None,
    reset_at: datetime,
    history: Sequence[MeterReading],
) -> list[Week]:
    """The same from the history, and kept."""
    own = of_accounts(history, meter).get(account, [])
    found = [one for one in weeks(own, zone(session.config.timezone)) if one.reset_at <= reset_at - WEEK + SAME]
    if not session.dry_run and session.root.is_dir():
        path = _path(session)
        known = _load(path)
        known[_key(session, source, meter, account)] = {
            "reset_at": iso(reset_at),
            "weeks": [[iso(one.reset_at), one.phase, list(one.rises)] for one in found],
        }
        path.parent.mkdir(mode=0o700, exist_ok=True)
        replace_file(path, orjson.dumps(known))
    return found


def _path(session: Session) -> Path:
    return session.root / ".index" / FILE


def _key(session: Session, source: Source, meter: str, account: str | None) -> str:
    return f"{source.name} {meter} {account or ''} {zone(session.config.timezone)}"


def _load(path: Path) -> dict[str, Any]:
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _week(row: Any) -> Week | None:
    """A kept week; None if the file was edited."""
    if not isinstance(row, list) or len(row) != 3 or not isinstance(row[1], int) or not isinstance(row[2], list):
        return None
    at = instant(row[0])
    is_sound = len(row[2]) == HOURS and all(one is None or isinstance(one, int | float) for one in row[2])
    return Week(reset_at=at, phase=row[1], rises=row[2]) if at is not None and is_sound else None
