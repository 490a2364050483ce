"""Which origins exist here, and what each would answer now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

from tracker.api import Origin, Reading, Source
from tracker.kernel import Session, Windows, value
from tracker_capture.origins import ask, side_by_side
from tracker_capture.origins.answer import Answer, OriginError
from tracker_capture.snapshot import STDIN
from tracker_capture.units import unit_of

Row = tuple[Source, Origin, "Answer | OriginError"]


def show(session: Session, sources: Iterable[Source], name: str | None, timezone: str | None) -> None:
    """Ask every origin, all at once, and print the answers in the declared order."""
    wanted = [(source, origin) for source in sources for origin in source.origins if name in (None, origin.name)]
    answers = dict(side_by_side([partial(ask, session, *pair, timezone) for pair in wanted], OriginError))
    rows = [(*pair, answers[place]) for place, pair in enumerate(wanted)]
    if session.json:
        session.data([_document(session, row) for row in rows])
        return
    for row in rows:
        session.say(_line(row, session.now))
    session.note(f"note: you can also pipe any provider's pane to `tracker capture PROVIDER --from {STDIN}`")


def _document(session: Session, row: Row) -> dict[str, Any]:
    source, origin, answer = row
    known = None if isinstance(answer, OriginError) else answer
    return {
        "source": source.name,
        "origin": origin.name,
        "title": origin.title,
        "age_s": known and known.age,
        "parsed": known and Windows(session).parsed(known.reading, source),
        "why_not": None if known else str(answer),
    }


def _line(row: Row, now: datetime) -> str:
    source, origin, answer = row
    head = f"{source.name} {origin.name} ({origin.title}): "
    if isinstance(answer, OriginError):
        return f"{head}no reading: {answer}"
    return f"{head}{values(source, answer.reading, now)}, {answer.age_in_words} old"


def values(source: Source, reading: Reading, now: datetime) -> str:
    """`weekly=64% (fiveh reset since)`: what was used before a reset that is over says nothing of now."""
    known = [gauge for gauge in reading.gauges if source.meter(gauge.meter) is not None]
    over = [one for one in known if one.used and one.reset_at is not None and one.reset_at <= now]
    text = " ".join(
        f"{one.meter}={value(one.used, unit=unit_of(source, one.meter))}" for one in known if one not in over
    )
    since = f"{', '.join(one.meter for one in over)} reset since"
    return text if not over else f"{text} ({since})" if text else since
