"""Take back commands and captures, and store meter values by hand."""

from __future__ import annotations

from tracker.feature import Command, Feature, hookimpl


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


def _command(group: str, module: str, about: str) -> Command:
    return Command(group, about, f"tracker_corrections.commands.{module}:command")
