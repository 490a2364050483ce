"""The keys of the board: which ones the last line shows, and what they do."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.events import Key, Resize
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

# no line is longer than the narrowest board has room for
HELP = """\
Keys

← →   previous panel, next panel
↑ ↓   scroll
/     filter rows: Enter keeps the
      filter, Escape clears it
s S   sort by the next column; reverse
p     today, 7 days, 30 days, everything
r     read again now
d     dark or light
?     this help; any key closes it
q     quit

The board shows what is recorded.
With --every 5m it also reads meters.
"""
# what the last line leaves out first if not all fit
OPTIONAL = ("colours", "read", "sort", "period", "filter", "panel(-1)")


class Keys(Footer):
    """The keys that fit, none of them cut: the help, which always stays, shows the others."""

    def compose(self) -> ComposeResult:
        room = self.size.width or self.app.size.width
        keys: list[Any] = list(super().compose())
        for action in OPTIONAL:
            if sum(cell_len(f" {one.key_display} {one.description} ") for one in keys) > room:
                keys = [one for one in keys if one.action != action]
        yield from keys

    def on_resize(self, _event: Resize) -> None:
        self.refresh(recompose=True)


class Help(ModalScreen[None]):
    """What the keys do."""

    def compose(self) -> ComposeResult:
        yield Static(HELP, id="help")

    def on_key(self, event: Key) -> None:
        event.stop()
        # two keys may come together
        if self.is_current:
            self.dismiss()
