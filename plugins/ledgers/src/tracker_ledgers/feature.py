"""Churn, features, evidence, the decision card, checkpoint and handoff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tracker.feature import Command, Feature, hookimpl

if TYPE_CHECKING:
    from tracker.api import Block, Check, Finding, Panel, Period
    from tracker.kernel import Session


@hookimpl
def feature_info() -> Feature:
    return Feature(
        name="ledgers",
        commands={
            "feature": _command("Records", "feature", "Reserve feature ids, and log what was built."),
            "churn": _command("Records", "churn", "Measure the lines that changed in a window, per feature."),
            "evidence": _command(
                "Records", "evidence", "Record what proves a capability: a run, its result, its file."
            ),
            "checkpoint": _command("Daily", "checkpoint", "Close a session: token ledger, churn, handoff."),
            "handoff": _command("Daily", "handoff", "Write the brief for the next person."),
            "uat": _command("Results", "uat", "Run the acceptance checks of a window, then show its preview."),
            "decision-card": _command(
                "Results", "decision_card", "Say GO, SOFT GO or NO-GO for a window, with the reasons."
            ),
        },
        settings={
            "": "tracker_ledgers.settings:CommandLog",
            "ledgers": "tracker_ledgers.settings:Ledgers",
            "churn": "tracker_ledgers.settings:Churn",
            "handoff": "tracker_ledgers.settings:Handoff",
            "uat": "tracker_ledgers.settings:Uat",
        },
        streams=("churn", "commands", "ledger_rows"),
    )


@hookimpl
def command_finished(session: Session, given: Mapping[str, Any]) -> None:
    from tracker_ledgers.command_log import note

    named = given.get("window") or given.get("windows") or _captured_in(session, given)
    note(session, [named] if isinstance(named, str) else named)


def _captured_in(session: Session, given: Mapping[str, Any]) -> Sequence[str]:
    """The windows that a capture which names none went into; of one of the past it is not looked for."""
    plugin = session.registry.find(str(given.get("provider")))
    if plugin is None or plugin.info is None or given.get("captured_at") is not None or session.dry_run:
        return ()
    source = plugin.info
    places = range(1, session.journal.stored[source.stream] + 1)
    marks = [session.index.newest(source.stream, session.lane, source.name, position=at) for at in places]
    return sorted({one.window for one in marks if one})


@hookimpl
def window_facts(session: Session, windows: Sequence[str]) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """Churn, files and logged features."""
    from tracker_ledgers.window_facts import facts

    return facts(session, windows)


@hookimpl
def window_checks(session: Session, window: str) -> Sequence[Check]:
    """Churn that was measured, and evidence that passed."""
    from tracker_ledgers.window_facts import checks

    return checks(session, window)


@hookimpl
def handoff_section(session: Session) -> Block | None:
    """The token ledger's largest rows."""
    from tracker_ledgers.window_facts import section

    return section(session)


@hookimpl
def undo_rows(session: Session, records: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """Rows that reverse those of the ledgers."""
    from tracker_ledgers.reversal import undo

    return undo(session, records)


@hookimpl
def data_findings(session: Session) -> Sequence[Finding]:
    """Ledgers that cannot be read, or lack what was written into them."""
    from tracker_ledgers import ledgers, reversal

    return [*ledgers.findings(session), *reversal.findings(session)]


@hookimpl
def panels(session: Session, period: Period) -> Sequence[Panel]:
    if not period.wants("churn"):
        return []
    from tracker_ledgers.panel import panel

    found = panel(session, period)
    return [found] if found else []


def _command(group: str, module: str, about: str) -> Command:
    return Command(group, about, f"tracker_ledgers.commands.{module}:command")
