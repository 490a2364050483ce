"""Intervals, comparison, scoreboard, plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tracker.feature import Command, Feature, hookimpl

if TYPE_CHECKING:
    from tracker.api import Check, MeterOutlook, Panel, Period, Source, Tally
    from tracker.kernel import Session


@hookimpl
def feature_info() -> Feature:
    return Feature(
        name="verdict",
        commands={
            "compare": _command(
                "Results", "compare:command", "Compare what providers deliver for the quota or the money."
            ),
            "meters calibrate": _command(
                "Results",
                "meters:calibrate",
                "Say how many points of a meter a dollar of tokens costs, and what each window or project used.",
            ),
            "meters reconcile": _command(
                "Results",
                "meters:reconcile",
                "List rises of a meter that no logged request explains, and requests that moved nothing.",
            ),
            "meters drift": _command(
                "Results", "meters:drift", "Say whether a point of a meter buys less than before."
            ),
            "gate": _command("Daily", "gate:command", "Tell a script whether to start: exit 0 go, 3 stop, 4 unknown."),
            "scoreboard": _command(
                "Results", "scoreboard:command", "Show features, capacity, efficiency and costs by group."
            ),
            "plan": _command("Results", "plan:command", "Say how likely planned windows are to fit before each reset."),
        },
        settings={"": "tracker_verdict.settings:VerdictSettings"},
        streams=("pairs", "forecasts"),
    )


@hookimpl
def tally(session: Session, source: Source) -> Tally:
    """Windows added up to an efficiency with interval and power."""
    from tracker_verdict.tally import Tally

    return Tally(session, source)


@hookimpl
def meter_outlooks(session: Session, source: Source) -> Sequence[MeterOutlook]:
    """Whether each meter lasts until its reset, and how many windows fit."""
    from tracker_verdict import forecasts
    from tracker_verdict.outlook import outlooks
    from tracker_verdict.plan_text import brief

    found = outlooks(session, source, 1, is_brief=True)
    forecasts.store(session, source, [(one.meter, one.prospect) for one in found], "status")
    return list(brief(session, source, found))


@hookimpl
def window_facts(session: Session, windows: Sequence[str]) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """The money of each provider in each window, and per feature, if its price is known; windows that overlap."""
    from tracker_verdict.window_facts import facts

    return facts(session, windows)


@hookimpl
def window_checks(session: Session, window: str) -> Sequence[Check]:
    """Whether another window moved the same meter at the same time, so that neither counts."""
    from tracker_verdict.window_facts import checks

    return list(checks(session, window))


@hookimpl
def command_finished(session: Session, given: Mapping[str, Any]) -> None:
    """Name the window that overlaps one that was just finalized, so that neither counts."""
    if given.get("reopen") is False and session.outcome and not session.dry_run:
        for check in window_checks(session, given["window"]):
            if check.state == "failed":
                session.note(f"note: {check.text}: `{check.cure}`")


@hookimpl
def panels(session: Session, period: Period) -> Sequence[Panel]:
    """Which subscription delivers more, and how full each meter will be."""
    if not period.wants("comparison", "forecast"):
        return []
    from tracker_verdict.panels import panels as found

    return list(found(session, period))


def _command(group: str, place: str, about: str) -> Command:
    return Command(group, about, f"tracker_verdict.commands.{place}")
