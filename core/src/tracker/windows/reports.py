"""Reports: figures that another program counted, kept beside the meters."""

from __future__ import annotations

from tracker.contract.readings import to_parsed
from tracker.journal.records import stamp
from tracker.session import Session
from tracker.text.redact import redact, redact_value
from tracker.windows.lanes import check_window
from tracker.windows.sanity import check_values
from tracker.windows.store import CaptureRequest, Stored


def store_report(session: Session, request: CaptureRequest) -> Stored:
    """Append the report's reading to the source's stream."""
    source, text, keep = request.source, request.text or "", session.config.keep_account
    assert request.window is not None
    check_values(session, source, request.reading, text, request.captured_at, force=request.force)
    record = stamp(
        window=check_window(request.window),
        provider=source.name,
        captured_at=request.captured_at,
        source=request.origin,
        notes=session.notes(request.notes),
        agent_id=session.lane,
        parsed=redact_value(to_parsed(request.reading, source), keep_account=keep),
        raw_text=redact(text, keep_account=keep),
    )
    if not session.dry_run:
        with session.journal.lock():
            session.journal.append(source.stream, [record])
    return Stored(records=(record,))
