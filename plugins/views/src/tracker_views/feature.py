"""What the views declare. The commands are imported when they run."""

from __future__ import annotations

from tracker.feature import Command, Feature, hookimpl


@hookimpl
def feature_info() -> Feature:
    """The feature's commands."""
    return Feature(
        name="views",
        commands={
            "board": _command("Daily", "board", "Show meters, usage, windows and the log live in the terminal."),
            "report": _command("Results", "report", "Write a report of everything as one HTML file, or as Markdown."),
        },
    )


def _command(group: str, module: str, about: str) -> Command:
    return Command(group, about, f"tracker_views.commands.{module}:command")
