"""What the views declare. The commands are imported when they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tracker.feature import Command, Feature, hookimpl

if TYPE_CHECKING:
    from tracker.api import Cell, Column
    from tracker.kernel import Session


@hookimpl
def feature_info() -> Feature:
    return Feature(
        name="views",
        commands={
            "board": _command("Daily", "board", "Show meters, usage, windows and the log live."),
            "report": _command("Results", "report", "Write a report of everything, as HTML or Markdown."),
        },
    )


@hookimpl
def show_table(session: Session, columns: Sequence[Column], rows: Sequence[Mapping[str, Cell]], total: bool) -> bool:
    """A table that fits the terminal."""
    from tracker_views.terminal import show

    show(session, columns, rows, total=total)
    return True


@hookimpl
def show_preview(session: Session, preview: Any) -> bool:
    """The preview as tables, unless it has more rows than anybody would read."""
    from tracker_views.preview_tables import MOST_WINDOWS, show

    if len(preview.windows) > MOST_WINDOWS:
        return False
    show(session, preview)
    return True


def _command(group: str, module: str, about: str) -> Command:
    return Command(group, about, f"tracker_views.commands.{module}:command")
