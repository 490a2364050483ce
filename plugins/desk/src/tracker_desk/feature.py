"""The operator's desk: status, audit, doctor, export, settings, shell functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.feature import Command, Feature, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.api import Panel, Period
    from tracker.kernel import Session


@hookimpl
def feature_info() -> Feature:
    return Feature(
        name="desk",
        commands={
            "home": _command("Daily", "status:home", "Show every provider's meters, what is open and what comes next."),
            "status": _command("Daily", "status", "Show what is open in each lane, its meters and what is due next."),
            "windows": _command("Daily", "windows", "List windows with their times, state and figures."),
            "window-audit": _command(
                "Records", "window_audit", "Show every record of a window, including what was taken back."
            ),
            "export": _command("Records", "records:export", "Write the records as JSON lines, CSV or Parquet."),
            "import": _command(
                "Records",
                "records:import_",
                "Import the records of another tracker directory.",
            ),
            "setup": _command("Setup", "setup", "Show what tracker can use here, and offer to set it up."),
            "init": _command("Setup", "config:init", "Write a commented tracker.toml into this folder."),
            "config": _command("Setup", "config", "Show the settings and where they come from, or change one."),
            "shell-init": _command("Setup", "shell:init", "Print the short shell functions of every source."),
            "completion": _command("Setup", "shell:completion", "Print the shell completion."),
            "doctor": _command("Setup", "doctor", "Check every stream, the lanes' state, the ledgers and the files."),
            "help": _command("Setup", "help", "Explain a word such as `capacity`, or show a command's help."),
        },
    )


@hookimpl
def panels(session: Session, period: Period) -> Sequence[Panel]:
    """The meters now, the lanes, the windows."""
    if not period.wants("meters", "lanes", "windows"):
        return []
    from tracker_desk.panels import panels as found

    return list(found(session, period))


def _command(group: str, place: str, about: str) -> Command:
    module, _, name = place.partition(":")
    return Command(group, about, f"tracker_desk.commands.{module}:{name or 'command'}")
