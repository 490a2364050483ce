"""Reports: figures that another program counted, kept beside the meters."""

from __future__ import annotations

from datetime import datetime

from tracker.contract.readings import Reading, to_parsed
from tracker.contract.sources import Source
from tracker.journal.records import stamp
from tracker.session import Session
from tracker.text.redact import redact, redact_value
from tracker.text.render import value
from tracker.windows.lanes import check_window
from tracker.windows.sanity import check_values
from tracker.windows.store import stamped_notes


def store_report(
    session: Session,
    source: Source,
    window: str,
    reading: Reading,
    text: str,
    captured_at: datetime,
    notes: str | None,
    *,
    force: bool,
) -> None:
    """Append the report's reading to the source's stream and say so."""
    check_values(session, source, reading, text, captured_at, force=force)
    keep = session.config.keep_account
    record = stamp(
        window=check_window(window),
        provider=source.name,
        captured_at=captured_at,
        source="ingest",
        notes=stamped_notes(notes, session.lane),
        agent_id=session.lane,
        parsed=redact_value(to_parsed(reading, source), keep_account=keep),
        raw_text=redact(text, keep_account=keep),
    )
    if not session.dry_run:
        with session.journal.lock():
            session.journal.append(source.stream, [record])
    if session.dry_run or session.json:
        session.data(record)
        return
    scope = reading.fields.get("scope")
    session.say(f"stored {source.name} {f'{value(scope)} ' if scope else ''}report for {window}")
    for tag in reading.errors:
        meaning = source.tags.get(tag.partition(":")[0])
        session.note(f"note: {tag}" + (f" ({meaning})" if meaning else ""))
