"""Intervals, comparison, scoreboard, plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tracker.feature import Command, Feature, hookimpl

if TYPE_CHECKING:
    from tracker.kernel import Estimate, Session


@hookimpl
def feature_info() -> Feature:
    """The feature's commands."""
    return Feature(
        name="verdict",
        commands={
            "compare": _command(
                "Results", "compare", "Compare providers by what they deliver for the quota, or for the money."
            ),
            "scoreboard": _command(
                "Results",
                "scoreboard",
                "Show features, capacity, efficiency, churn, tokens and money per group of windows.",
            ),
            "plan": _command(
                "Results",
                "plan",
                "Say how many windows of the usual size still fit before each reset, and when to stop.",
            ),
        },
        settings={"": "tracker_verdict.settings:VerdictSettings"},
    )


@hookimpl
def estimate(session: Session, windows: Sequence[tuple[float, float, float | None]]) -> Estimate:
    """Efficiency with interval and power."""
    from tracker_verdict.settings import VerdictSettings
    from tracker_verdict.stats.efficiency import measure

    return measure(windows, effect=session.settings(VerdictSettings).effect)


def _command(group: str, module: str, about: str) -> Command:
    return Command(group, about, f"tracker_verdict.commands.{module}:command")
