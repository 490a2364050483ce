"""Close a session: the token ledger, churn, the handoff, the scheduler's notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from attrs import frozen

from tracker.api import redact
from tracker.kernel import Session, TrackerError, Windows, iso, line, value
from tracker_ledgers import card, churn, csv_append, documents, handoff, ledgers, reversal, standing_jobs
from tracker_ledgers.command_log import note, quoted


@frozen(kw_only=True)
class Request:
    """What was planned and what it took, in tokens. None: as measured."""

    window: str
    provider: str
    task: str
    plan: int
    actual: int
    session_id: str | None = None
    commits: int | None = None
    lines_added: int | None = None
    lines_deleted: int | None = None
    features_added: int | None = None
    tests_added: int | None = None
    notes: str | None = None


def close(session: Session, request: Request, *, with_card: bool) -> None:
    """Everything that ends a session. What could refuse is looked at before anything is written."""
    measured = _measure(session, request)
    row = _row(session, request, measured)
    file = handoff.path_of(session)
    documents.refuse_outside(session, file, handoff.FILE)
    handoff.parts(file, documents.read(file))
    standing_jobs.is_there(session)
    if session.dry_run:
        for ledger in (ledgers.TOKENS, ledgers.CHURN):
            ledgers.check(session, ledger)
        session.data({"tokens": row, "churn": measured.record if measured else None})
        return
    with session.journal.lock(), ExitStack() as stack:
        tokens = stack.enter_context(csv_append.opened(session, ledgers.TOKENS))
        lines = stack.enter_context(csv_append.opened(session, ledgers.CHURN))
        if equal := tokens.equal_row(row):
            session.note(f"note: an equal row is there already ({equal}); a sum over the file counts both")
        reversal.append(session, tokens, row)
        with _after_tokens():
            if measured is not None:
                churn.append(session, lines, measured)
    # before the handoff, which shows it
    note(session, {"window": request.window})
    with _after_tokens():
        written = handoff.update(session, also=[request.window])
        found = card.card(session, request.window) if with_card else None
    if session.json:
        shown = {"tokens": row, "churn": measured and measured.record, "handoff": str(written.path)}
        session.data(shown | ({"card": card.document(found)} if found else {}))
    else:
        _say(session, request.window, row, measured)
        session.say(handoff.sentence(written))
        for text in card.lines(found) if found else ():
            session.say(text)
    _note_run(session, request, row["task"])


def _say(session: Session, window: str, row: Mapping[str, Any], measured: churn.Churn | None) -> None:
    unit = "token" if row["tokens_actual"] == 1 else "tokens"
    session.say(f"booked {value(row['tokens_actual'])} {unit} for {window} (delta={row['delta']})")
    session.say(churn.sentence(measured.record) if measured else "no churn was recorded")


def _note_run(session: Session, request: Request, task: str) -> None:
    at = iso(session.now.replace(microsecond=0))
    if standing_jobs.note(session, f"{at} checkpoint {request.window} {request.provider} {line(task)}"):
        session.note(f"note: updated the last run in {standing_jobs.path_of(session)}")


@contextmanager
def _after_tokens() -> Iterator[None]:
    """Whatever fails behind the token row: it stays, and nobody may record it twice."""
    try:
        yield
    except TrackerError as error:
        raise TrackerError(f"The tokens are recorded: do not record them again. The rest failed: {error}") from error


def _measure(session: Session, request: Request) -> churn.Churn | None:
    """The window's churn; a range that git cannot measure keeps nobody from closing the session."""
    provider: str | None = request.provider
    # a row of the provider says that somebody has decided whose lines they are, a later one of no one the contrary
    rows = (entry.record for entry in session.index.entries(churn.STREAM, [request.window]))
    whose_lines = [row.get("provider") for row in rows if row.get("files_changed") is not None]
    is_decided = [one for one in whose_lines if one in (None, provider)][-1:] == [provider]
    if not is_decided and (missing := churn.absent(session, request.window, request.provider)):
        provider = None
        cure = "If you meant another provider, run `tracker undo`, then this again with the other"
        session.warn(f"{missing}: churn is recorded as the window's. {cure}")
    elif not is_decided and (whose := churn.shared(session, request.window, request.provider)):
        provider = None
        cure = quoted(["tracker", "churn", "--window", request.window, "--provider", request.provider])
        session.note(f"note: {whose}: churn is recorded as the window's. `{cure}` counts it as {request.provider}'s")
    try:
        measured = churn.measure(session, churn.repeated(session, request.window, provider, request.notes))
    except TrackerError as error:
        session.warn(f"churn is left out: {error}")
        return None
    churn.remark(session, measured)
    return measured


def _row(session: Session, request: Request, measured: churn.Churn | None) -> dict[str, Any]:
    """The token ledger's row: what was given, else what was measured."""
    found = measured.record if measured else {}

    def known(given: int | None, name: str) -> Any:
        return found.get(name) if given is None else given

    return {
        "date": session.now.date().isoformat(),
        "session_id": request.session_id or request.window,
        "task": redact(request.task),
        "tokens_planned": request.plan,
        "tokens_actual": request.actual,
        "delta": request.actual - request.plan,
        "commits": known(request.commits, "commits"),
        "lines_added": known(request.lines_added, "insertions"),
        "lines_deleted": known(request.lines_deleted, "deletions"),
        "features_added": known(request.features_added, "features"),
        "tests_added": request.tests_added,
        "notes": Windows(session).notes(request.notes),
    }
