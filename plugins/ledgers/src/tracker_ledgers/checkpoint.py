"""Close a session: the token ledger, churn, the handoff, the scheduler's notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import click

from tracker.api import redact
from tracker.kernel import Session, TrackerError, Windows, iso, line, value
from tracker_ledgers import card, churn, csv_append, documents, handoff, ledgers, reversal, standing_jobs
from tracker_ledgers.command_log import note, typed


def close(session: Session, given: Mapping[str, Any], *, with_card: bool) -> None:
    """Everything that ends a session. Whatever could be refused is checked before anything is written."""
    window = given["window"]
    if given["actual"] is None:
        given = {**given, "actual": _used(session, window, given["provider"])}
    measured = _measure(session, window, given["provider"], given["notes"])
    row = _row(session, given, measured)
    file = handoff.path_of(session)
    documents.refuse_outside(session, file, handoff.FILE)
    handoff.parts(file, documents.read(file))
    standing_jobs.is_there(session)
    if session.dry_run:
        _foretell(session, row, measured)
        return
    with session.journal.lock(), ExitStack() as stack:
        tokens = stack.enter_context(csv_append.opened(session, ledgers.TOKENS))
        lines = stack.enter_context(csv_append.opened(session, ledgers.CHURN))
        if equal := tokens.equal_rows(row):
            session.note(f"note: line {equal[-1].number} of {ledgers.TOKENS.file} equals this row; a sum counts both")
        reversal.append(session, tokens, row)
        with _after_tokens():
            if measured is not None:
                churn.append(session, lines, measured)
                churn.remark(session, measured)
    # before the handoff, which shows it
    note(session, [window])
    with _after_tokens():
        brief, is_changed = handoff.update(session, also=[window])
        found = card.card(session, window) if with_card else None
    if session.json:
        shown = {"tokens": row, "churn": measured and measured.record, "handoff": str(file)}
        session.data(shown | ({"card": card.document(found)} if found else {}))
    else:
        _say(session, window, row, measured)
        session.say(handoff.sentence(brief, file, is_changed=is_changed))
        for text in card.lines(found) if found else ():
            session.say(text)
    at = iso(session.now.replace(microsecond=0))
    if standing_jobs.note(session, f"{at} checkpoint {window} {given['provider']} {line(row['task'])}"):
        session.note(f"note: updated the last run in {standing_jobs.path_of(session)}")


def _foretell(session: Session, row: Mapping[str, Any], measured: churn.Churn | None) -> None:
    """Show what would be written, and touch nothing."""
    for ledger in (ledgers.TOKENS, ledgers.CHURN):
        ledgers.check(session, ledger)
    if measured is not None:
        churn.remark(session, measured)
    session.data({"tokens": row, "churn": measured.record if measured else None})


def _say(session: Session, window: str, row: Mapping[str, Any], measured: churn.Churn | None) -> None:
    unit = "token" if row["tokens_actual"] == 1 else "tokens"
    session.say(f"booked {value(row['tokens_actual'])} {unit} for {window} (delta={row['delta']})")
    session.say(churn.sentence(measured.record) if measured else "no churn was recorded")


@contextmanager
def _after_tokens() -> Iterator[None]:
    """Errors after the token row: the row stays, and must not be recorded twice."""
    try:
        yield
    except TrackerError as error:
        raise TrackerError(f"The tokens are recorded: do not record them again. The rest failed: {error}") from error


def _used(session: Session, window: str, provider: str) -> int:
    """The tokens of the window in the session logs."""
    for answer in session.registry.ask("window_facts", session=session, windows=[window]):
        found = answer.get((window, provider), {})
        # only session logs have the requests, and so all tokens; shared ones may belong to another window
        if "requests" in found and "shared_requests" not in found and found.get("tokens") is not None:
            return int(found["tokens"])
    problem = f"Session logs do not tell how many tokens {provider} used in {line(window)}."
    raise click.UsageError(f"{problem} Type --actual N.")


def _measure(session: Session, window: str, asked: str, notes: str | None) -> churn.Churn | None:
    """The window's churn; a range that git cannot measure does not keep you from closing the session."""
    provider: str | None = asked
    # a row of the provider means that somebody decided whose lines they are; a later row of no one revokes that
    whose_lines = [row.get("provider") for row in churn.measured_rows(session, [window])]
    is_decided = [one for one in whose_lines if one in (None, asked)][-1:] == [asked]
    if not is_decided and (missing := churn.absent(session, window, asked)):
        provider = None
        cure = "If you meant another provider, run `tracker undo`, then this command with the right one"
        session.warn(f"{missing}: churn is recorded as the window's. {cure}")
    elif not is_decided and (whose := churn.shared(session, window, asked)):
        provider = None
        cure = typed("churn", "--window", window, "--provider", asked)
        session.note(f"note: {whose}: churn is recorded as the window's. `{cure}` counts it as {asked}'s")
    try:
        measured = churn.measure(session, churn.repeated(session, window, provider, notes))
    except TrackerError as error:
        session.warn(f"churn is left out: {error}")
        return None
    return measured


def _row(session: Session, given: Mapping[str, Any], measured: churn.Churn | None) -> dict[str, Any]:
    """The token ledger's row: what was given, else what was measured."""
    found, provider = measured.record if measured else {}, given["provider"]
    if found.get("provider") != provider:
        # the tokens are the provider's own, so the features beside them are too
        row = Windows(session).finalized([given["window"]]).get(given["window"])
        found = {**found, "features": row.features.get(provider) if row else None}

    def known(option: str, name: str) -> Any:
        return found.get(name) if given[option] is None else given[option]

    return {
        "date": session.now.date().isoformat(),
        "session_id": given["session_id"] or given["window"],
        "task": redact(given["task"]),
        "tokens_planned": given["plan"],
        "tokens_actual": given["actual"],
        "delta": given["actual"] - given["plan"],
        "commits": known("commits", "commits"),
        "lines_added": known("lines_added", "insertions"),
        "lines_deleted": known("lines_deleted", "deletions"),
        "features_added": known("features_added", "features"),
        "tests_added": given["tests_added"],
        "notes": Windows(session).notes(given["notes"]),
    }
