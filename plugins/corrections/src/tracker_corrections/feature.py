"""Take back commands and captures, and store meter values by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tracker.feature import Command, Feature, hookimpl

if TYPE_CHECKING:
    from tracker.kernel import Session


@hookimpl
def feature_info() -> Feature:
    return Feature(
        name="corrections",
        commands={
            "undo": _command("Daily", "undo", "Take back what the last command stored or took back."),
            "alias delete": _command("Records", "delete", "Take a capture back."),
            "override": _command("Records", "override", "Store meter values that you read yourself."),
        },
    )


@hookimpl
def command_finished(session: Session, given: Mapping[str, Any]) -> None:
    """Say what a command did to a window that was finalized."""
    if session.outcome:
        from tracker_corrections.notices import notes

        for text in notes(session, given):
            session.note(f"note: {text}")


def _command(group: str, module: str, about: str) -> Command:
    return Command(group, about, f"tracker_corrections.commands.{module}:command")
