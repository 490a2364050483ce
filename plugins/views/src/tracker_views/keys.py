"""What the keys of the board do."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Static

HELP = """\
Keys

  ← →        the panel before, the next one
  ↑ ↓        scroll
  /          filter rows; Enter keeps the filter, Escape removes it
  s  S       sort by the next column; turn the order
  p          period: today, 7 days, 30 days, everything
  r          read again now
  d          dark or light
  ?          this help; any key closes it
  q          quit

The board shows what is recorded. With --every 5m it reads the meters, too.
"""


class Help(ModalScreen[None]):
    """What the keys do."""

    def compose(self) -> ComposeResult:
        yield Static(HELP, id="help")

    def on_key(self, event: Key) -> None:
        event.stop()
        # two keys may come at once
        if self.is_current:
            self.dismiss()
