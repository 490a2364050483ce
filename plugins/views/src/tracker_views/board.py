"""The live board: the newest meters at the top, and one panel of any feature below.

What is read is read by another process, whenever a stream grew and every few minutes for the ages. The screen changes
only if a value did.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import Resize
from textual.widgets import Input, Static, Tab, Tabs
from textual.worker import get_current_worker

from tracker.api import Panel
from tracker.kernel import Session, TrackerError
from tracker_views.cells import sparkline
from tracker_views.commands.board import PERIODS
from tracker_views.content import Content
from tracker_views.keys import Help, Keys
from tracker_views.meter_strip import MeterStrip
from tracker_views.panel_table import PanelTable
from tracker_views.refresh import Answer, ProcessReader, own_session
from tracker_views.refresh import read as read_here

CHECK, AGE = 2.0, 300.0  # seconds between looks at the files, and at most between readings of them
# times as long as the last reading took: streams that always grow cost a twentieth of a core, ages a hundredth
PAUSE, REST = 20, 100
TURN = 5.0  # seconds between questions which meters are due
LOW = 24  # lines below which rows need those of a panel's words
METERS = "meters"
FONT = re.compile(r"@font-face \{.*?\}\s*", re.S)  # from a server: a picture loads nothing


class Board(App[None]):
    """The board; `shown` is the panel in the table."""

    CSS = """
    #head { height: 1; padding: 0 1; background: $panel; color: $text; text-style: bold; }
    #meters { height: auto; padding: 1 1 0 1; }
    #about { height: auto; max-height: 40%; padding: 0 1; color: $text-muted; }
    .low #about { max-height: 1; }
    #filter { display: none; height: 3; }
    #filter.asked { display: block; }
    #table { height: 1fr; margin: 0 1; background: $background; scrollbar-size: 0 1; }
    #table { scrollbar-background: $background; scrollbar-color: $panel-lighten-2; }
    #table > .datatable--header { background: $panel; }
    #body { height: 1fr; }
    Help { align: center middle; }
    #help { width: auto; height: auto; padding: 0 1; background: $panel; border: round $primary; }
    """
    TITLE = "tracker"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        # the table scrolls with them otherwise
        Binding("left", "panel(-1)", "panel", key_display="← →", priority=True),
        Binding("right", "panel(1)", "next panel", show=False, priority=True),
        # before the table gets it: what is typed after it belongs to the filter
        Binding("slash", "filter", "filter", key_display="/", priority=True),
        # before the field gets it: a key typed right after it does not belong to the filter
        Binding("enter", "leave_filter", show=False, priority=True),
        Binding("escape", "clear_filter", "clear", show=False),
        Binding("s", "sort", "sort"),
        Binding("S", "turn", "turn", show=False),
        Binding("p", "period", "period"),
        Binding("r", "read", "read"),
        Binding("d", "colours", "dark/light"),
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False, priority=True),
    ]

    def __init__(
        self,
        session: Session,
        period: str,
        every: timedelta | None = None,
        reader: Callable[[Path, str | None, datetime | None], Answer] = read_here,
    ) -> None:
        super().__init__()
        self.every, self.reader = every, reader
        self.origin, self.zone = session, session.zone
        # the one that is asked for, and the one of the content
        self.period = self.shown_period = period
        self.content: Content | None = None
        self.panels: list[Panel] = []
        self.shown = ""
        self.strip, self.table = MeterStrip(self.zone), PanelTable(self.zone)
        self._signature: object = None
        self._begun, self._ended = 0.0, 0.0
        self._error: str | None = None
        self._sampler: Callable[[Session], Sequence[str]] | None = None
        self._width, self._height = 80, 24
        self._unread: Sequence[str] = ()

    def compose(self) -> ComposeResult:
        yield Static("tracker", id="head")
        with Container(id="body"):
            yield self.strip
            yield Tabs(id="tabs")
            yield Static("", id="about")
            yield Input(placeholder="filter rows", id="filter", select_on_focus=False)
            yield self.table
        yield Keys()

    def on_mount(self) -> None:
        self.theme = "textual-dark"
        # one thread reads records, one meters; each more keeps 4 MB of freed memory
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(2))
        if not self.is_headless:
            # the terminal is given back, as with `q`
            loop.add_signal_handler(signal.SIGTERM, partial(self.exit, return_code=128 + signal.SIGTERM))
            # a shell that ignores it hands that on: without its terminal the board took half a core for ever
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        self.query_one("#tabs", Tabs).can_focus = False
        self.table.focus()
        self.action_read()
        self.set_interval(CHECK, self.look)
        if self.every is not None:
            self._sampler = self.origin.registry.first("meter_sampler", session=self.origin, every=self.every)
        if self._sampler is not None:
            self.set_interval(TURN, self.sample)

    def picture(self, size: tuple[int, int]) -> str:
        """The board as SVG, once everything is read."""
        # by the main thread, where a plugin that does not end is interrupted
        known = self._read(self._since(self.origin.now))
        self.reader = lambda *_: known

        async def shot() -> str:
            async with self.run_test(size=size) as pilot:
                await self.workers.wait_for_complete()
                await pilot.pause()
                await self.workers.wait_for_complete()
                await pilot.wait_for_scheduled_animations()
                return self.export_screenshot(title="tracker board")

        return FONT.sub("", asyncio.run(shot()))

    def on_unmount(self) -> None:
        if isinstance(self.reader, ProcessReader):
            self.reader.stop()

    # --- reading

    def look(self) -> None:
        """Read again if a stream grew, or if the ages are old, unless that goes on already."""
        if self._is_busy("read"):
            return
        age, took = asyncio.get_running_loop().time() - self._ended, self._ended - self._begun
        if age >= max(AGE, REST * took) or (age >= PAUSE * took and self._sizes() != self._signature):
            self.action_read()

    def _sizes(self) -> object:
        try:
            with os.scandir(self.origin.root) as entries:
                return sorted((one.name, one.stat().st_size) for one in entries if one.name.endswith(".jsonl"))
        except OSError:
            return None

    def action_read(self) -> None:
        self._signature, self._begun = self._sizes(), asyncio.get_running_loop().time()
        self.read(self._since(self.origin.now), self.period)

    def _read(self, since: datetime | None) -> Answer:
        return self.reader(self.origin.root, self.origin.agent, since)

    def sample(self) -> None:
        """Read the meters that are due, unless the last reading still goes on."""
        if not self._is_busy(METERS):
            self.read_meters()

    def _is_busy(self, group: str) -> bool:
        return any(one.group == group and not one.is_finished for one in self.workers)

    @work(thread=True, group=METERS)
    def read_meters(self) -> None:
        assert self._sampler is not None
        try:
            with own_session(self.origin.root, self.origin.agent) as here:
                failures = self._sampler(here)
        except (TrackerError, OSError) as error:
            failures = [str(error)]
        if failures != self._unread:
            self._unread = failures
            self.call_from_thread(self._draw)

    @work(thread=True, exclusive=True, group="read")
    def read(self, since: datetime | None, period: str) -> None:
        found = self._read(since)
        # another period may have been asked for meanwhile
        if not get_current_worker().is_cancelled:
            self.call_from_thread(self.take, found, period)  # type: ignore[arg-type]

    def _since(self, now: datetime) -> datetime | None:
        length = PERIODS[self.period]
        if length is None:
            return None
        today = now.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return now - length if length else today

    async def take(self, answer: Answer, period: str) -> None:
        """Show what was read of a period; if it could not be read, keep what was shown."""
        self._ended, self._error = asyncio.get_running_loop().time(), answer.error
        if answer.content is None:
            if self.content is None:
                self.strip.update(Text(answer.error or ""))
            self._draw()
            return
        self.content, self.shown_period = answer.content, period
        known = [one.name for one in self.panels]
        panels = [one for one in answer.panels if one.name != METERS and (one.rows or one.name == "anomalies")]
        # first what is shown first, so that its tab is in sight
        self.panels = sorted(panels, key=lambda one: one.name != "windows")
        now = [one.name for one in self.panels]
        self.strip.meters = next((one for one in answer.panels if one.name == METERS), None)
        self._draw_strip()
        if now != known:
            await self._rebuild_tabs(now)
        self._draw()
        # the program looks for cycles so rarely that those of an hour's drawings would stay
        gc.collect()

    async def _rebuild_tabs(self, names: Sequence[str]) -> None:
        tabs = self.query_one("#tabs", Tabs)
        if self.shown not in names:
            self.shown = next(iter(names), "")
        active = self.shown
        await tabs.clear()
        for place, one in enumerate(self.panels):
            await tabs.add_tab(Tab(one.title, id=f"tab-{place}"))
        if active in names:
            tabs.active = f"tab-{names.index(active)}"

    def on_tabs_tab_activated(self, event: Tabs.TabActivated) -> None:
        place = int((event.tab.id or "tab-0").removeprefix("tab-"))
        if place < len(self.panels) and self.panels[place].name != self.shown:
            self.shown = self.panels[place].name
            self.table.unsort()
            self._draw()

    # --- drawing

    def on_resize(self, event: Resize) -> None:
        # the app's own size may still be the old one
        self._width, self._height = event.size
        self.query_one("#body", Container).set_class(self._height < LOW, "low")
        # also after a stop, which cleared the terminal
        self.table.drawn = None
        self._draw_strip()
        self._draw()

    def _panel(self) -> Panel | None:
        return next((one for one in self.panels if one.name == self.shown), None)

    def _draw(self) -> None:
        panel = self._panel()
        if self.content is None:
            return
        at = self.content.now.astimezone(self.zone)
        is_waiting = self.period != self.shown_period and not self._error
        period = self.shown_period + (f", reading {self.period}…" if is_waiting else "")
        self.query_one("#head", Static).update(f"tracker · {period} · read {at:%a %d %b %H:%M %Z}")
        if panel is None:
            self.table.clear(columns=True)
            return
        # margins, the padding of the outer cells, the scroll bar
        hidden, left_out = self.table.draw(panel, max(self._width - 5, 20))
        note = "  ".join(filter(None, (hidden, sparkline(panel), panel.about, self._failures(), left_out)))
        self.query_one("#about", Static).update(Text(note))

    def _draw_strip(self) -> None:
        if self.content is not None:
            self.strip.draw(self._width, self._height)

    def _failures(self) -> str:
        missing = self.content.missing if self.content else ()
        failures = [one for one in missing if "could not show" in one]
        return "; ".join((*filter(None, (self._error,)), *failures, *self._unread))

    # --- keys

    def action_panel(self, step: int) -> None:
        if isinstance(self.focused, Input):
            self.focused.action_cursor_right() if step > 0 else self.focused.action_cursor_left()
            return
        tabs = self.query_one("#tabs", Tabs)
        tabs.action_next_tab() if step > 0 else tabs.action_previous_tab()

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        if self.focused is field:
            field.insert_text_at_cursor("/")
        field.add_class("asked")
        self.screen.set_focus(field)

    def on_input_changed(self, event: Input.Changed) -> None:
        self.table.needle = event.value
        self._draw()

    def action_leave_filter(self) -> None:
        self.screen.set_focus(self.table)

    def action_clear_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.value = ""
        field.remove_class("asked")
        self.screen.set_focus(self.table)

    def action_sort(self) -> None:
        if (panel := self._panel()) is not None:
            self.table.sort_by_next(panel)
            self._draw()

    def action_turn(self) -> None:
        self.table.is_turned = not self.table.is_turned
        self._draw()

    def action_period(self) -> None:
        names = list(PERIODS)
        self.period, self._error = names[(names.index(self.period) + 1) % len(names)], None
        self.action_read()
        self._draw()

    def action_colours(self) -> None:
        self.theme = "textual-light" if self.theme == "textual-dark" else "textual-dark"

    def action_help(self) -> None:
        self.push_screen(Help())
