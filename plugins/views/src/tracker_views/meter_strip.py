"""The top of the board: a bar for each meter, in colour and in words."""

from __future__ import annotations

from datetime import tzinfo

from rich.text import Text
from textual.widgets import Static

from tracker.api import Panel
from tracker_views.terminal import lines

LINES = 8  # at least; a third of a high screen
NONE = "No meter has been read yet. Type `tracker` in another terminal to see how to begin."


class MeterStrip(Static):
    """`meters` is what was read last."""

    def __init__(self, zone: tzinfo) -> None:
        super().__init__("Reading what is recorded…", id="meters")
        self.zone = zone
        self.meters: Panel | None = None

    def draw(self, width: int, height: int) -> None:
        """On a screen of a size."""
        found = [Text(NONE)]
        if self.meters is not None:
            room = max(width - 2, 20)
            found = self._fitting(list(lines(self.meters.columns, self.meters.rows, room, self.zone)), height)
        self.update(Text("\n").join(found))

    def _fitting(self, found: list[Text], height: int) -> list[Text]:
        """As many lines as there is room for, and how many meters are left out."""
        most = max(LINES, height // 3)
        self.styles.max_height = most + 1
        if (over := len(found) - most) <= 0:
            return found
        rest = f"and {over + 1} more: `tracker status` shows every meter"
        last = 1 + len(self.meters.rows if self.meters else ())
        return [*found[: last - over - 1], Text(rest, style="dim"), *found[last:]]
