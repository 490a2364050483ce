"""What the feature adds. Every start of the program imports this module, so the rest is imported inside the hooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tracker.feature import Command, Feature, hookimpl

if TYPE_CHECKING:
    from tracker.kernel import Session


@hookimpl
def feature_info() -> Feature:
    about = "Show the hours worked per window, and the features per hour."
    return Feature(name="hours", commands={"hours": Command("Results", about, "tracker_hours.command:command")})


@hookimpl
def window_facts(session: Session, windows: Sequence[str]) -> Mapping[tuple[str, str], Mapping[str, float]]:
    """A column `hours`. It belongs to the window and to no provider, hence the empty name."""
    from tracker_hours.table import read

    return {(window, ""): {"hours": hours} for window, hours in read(session).items() if window in windows}
