"""A terminal that plays a recording: pyte's screen, with what scrolls off kept and hostile input bounded."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Any

import pyte
from pyte.screens import Margins, wcwidth

LONGEST = 1_000_000  # characters without colours that are played, the last ones: a second or two of work
BUSIEST = 30_000  # control sequences and line ends that are played, the last ones
HIGHEST, WIDEST = 200, 500  # no terminal is larger; programs send the cursor to 999;999 only to ask for its size
LOWEST = 10  # a program that addresses only the rows above this one does not show how many there are
SCROLLED = 20_000  # lines that are kept

# Sequences of ECMA-48: CSI; strings (OSC, DCS, SOS, PM, APC; a line end stops one whose terminator was lost);
# escapes of two and more bytes; and the remains of any of them after a cut.
ESCAPE = re.compile(
    r"\x1b\[(?P<private>[<-?]?)(?P<numbers>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    r"|\x1b[]PX^_][^\x07\x1b\r\n]*(?:\x07|\x1b\\)?"
    r"|\x1b(?P<set>[()][0-~])"
    r"|\x1b[ -/]+[0-~]"
    r"|\x1b(?P<escape>[0-Z\\-~])"
    r"|\x1b(?:\[[0-?]*[ -/]*)?"
)
TOKEN = re.compile(rf"{ESCAPE.pattern}|(?P<control>[\x00-\x1f\x7f-\x9f])|(?P<drawn>[^\x00-\x1f\x7f-\x9f]+)")
COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
CONTROL = re.compile(r"[\x08-\x0d\x1b]")
PLACED = re.compile(r"\x1b\[[0-9;]*[A-HJKSTXdfr`]|[\x08\n-\r]")  # between two of these, text runs on in one row
# util-linux's script notes the size in its first line, and can append to a file
BEGIN = re.compile(r"^(?=Script started on )", re.MULTILINE)
SIZE = re.compile(r'Script started on [^\n]* COLUMNS="(\d{1,4})" LINES="(\d{1,4})"')
RECORDINGS = 4  # of one file that are played, the last ones
ROW = re.compile(r"\x1b\[(?:\d{0,4};)?(\d{1,4})r|\x1b\[(\d{1,4})(?:;\d*)?[Hfd]")
COLUMN = re.compile(r"\x1b\[(?:\d{0,4};(\d{1,4})[Hf]|(\d{1,4})[G`])")

CONTROLS = {
    "\b": "backspace", "\t": "tab", "\n": "linefeed", "\x0b": "linefeed", "\x0c": "linefeed", "\r": "carriage_return",
    "\x0e": "shift_out", "\x0f": "shift_in",
}  # fmt: skip
ESCAPES = {
    "7": "save_cursor", "8": "restore_cursor", "D": "index", "E": "next_line", "M": "reverse_index", "c": "reset",
}  # fmt: skip
MOVES = {  # each with one number, 1 unless given
    "@": "insert_characters", "A": "cursor_up", "B": "cursor_down", "C": "cursor_forward", "D": "cursor_back",
    "E": "cursor_down1", "F": "cursor_up1", "G": "cursor_to_column", "L": "insert_lines", "M": "delete_lines",
    "P": "delete_characters", "S": "scroll_up", "T": "scroll_down", "X": "erase_characters",
    "`": "cursor_to_column", "a": "cursor_forward", "d": "cursor_to_line", "e": "cursor_down",
}  # fmt: skip
LINES, PLAIN = "0", "B"  # sets of characters
ALTERNATE = {47, 1047, 1049}  # modes that switch to a second screen and back


def render(text: str) -> str:
    """The lines that a terminal shows after it played `text`, below all that scrolled off."""
    recordings = [recording for recording in BEGIN.split(text) if recording][-RECORDINGS:]
    return "\n".join(_play(recording, len(recordings)) for recording in recordings)


def _play(text: str, share: int) -> str:
    noted = SIZE.match(text)
    if BEGIN.match(text):
        text = text.partition("\n")[2]  # script wrote that line to the file, not to the terminal
    text = _tail(COLOUR.sub("", text), LONGEST // share, BUSIEST // share)
    if "\r\n" not in text:  # its line ends were converted
        text = text.replace("\n", "\r\n")
    columns, rows = (int(noted[1]), int(noted[2])) if noted else (0, 0)
    if not (0 < columns <= WIDEST and 0 < rows <= HIGHEST):
        columns, rows = _inferred(text)
    screen = Playback(columns, rows)
    for token in TOKEN.finditer(text):
        screen.play(token)
    return screen.text()


def _tail(text: str, longest: int, busiest: int) -> str:
    begin = max(0, len(text) - longest)
    places = [match.start() for match in CONTROL.finditer(text, begin)][-busiest:]
    if len(places) == busiest or (begin and places):
        begin = places[0]
    return text[begin:]


def _inferred(text: str) -> tuple[int, int]:
    """Columns and rows of a terminal that is large enough for what `text` addresses."""
    rows = _largest(ROW, text, HIGHEST)
    longest = max(_width(ESCAPE.sub("", run).expandtabs()) for run in PLACED.split(text))
    return min(_largest(COLUMN, text, WIDEST) + longest, WIDEST), rows if rows >= LOWEST else HIGHEST


def _width(text: str) -> int:
    return len(text) if text.isascii() else sum(wcwidth(char) for char in text)


def _largest(pattern: re.Pattern[str], text: str, limit: int) -> int:
    numbers = (int(match[match.lastindex or 0]) for match in pattern.finditer(text))
    return max((number for number in numbers if number <= limit), default=1)


class Playback(pyte.Screen):
    """pyte's screen without its faults that lose text, raise, or grow without bound (seen in 0.8.2)."""

    def __init__(self, columns: int, lines: int) -> None:
        self.scrolled: deque[str] = deque(maxlen=SCROLLED)
        super().__init__(columns, lines)

    def text(self) -> str:
        return "\n".join([*self.scrolled, *self._shown()])

    def play(self, token: re.Match[str]) -> None:
        kind = token.lastgroup
        if kind == "drawn":
            self.draw(token["drawn"])
        elif kind == "control" and token["control"] in CONTROLS:
            getattr(self, CONTROLS[token["control"]])()
        elif kind == "escape" and token["escape"] in ESCAPES:
            getattr(self, ESCAPES[token["escape"]])()
        elif kind == "set":
            self.define_charset(token["set"][1], token["set"][0])
        elif kind == "final" and not token["between"]:
            numbers = [_number(text) for text in token["numbers"].split(";", 2)[:2]]
            self._control(token["final"], token["private"], numbers[0], numbers[-1] if len(numbers) > 1 else 0)

    def _control(self, final: str, private: str, first: int, second: int) -> None:
        if private:
            if private == "?" and final in "hl" and first in ALTERNATE:
                self.switch()
        elif final in MOVES:
            getattr(self, MOVES[final])(first or 1)
        elif final in "Hf":
            self.cursor_position(first, second)
        elif final == "r":
            self.set_margins(first or 1, second or self.lines)
        elif final == "J":
            self.erase_in_display(first)
        elif final == "K" and first <= 2:
            self.erase_in_line(first)
        elif final in "su":
            (self.save_cursor if final == "s" else self.restore_cursor)()

    def switch(self) -> None:
        """To or from the second screen: both stay readable, in the order of time."""
        self._leave()
        self.cursor_position()

    def reset(self) -> None:
        self._leave()
        super().reset()
        self.g1_charset = self.g0_charset

    def define_charset(self, code: str, mode: str) -> None:
        """Of other sets than that of lines, as tmux draws them without UTF-8, the letters are taken as they come."""
        super().define_charset(code if code == LINES else PLAIN, mode)

    def draw(self, data: str) -> None:
        """Characters without width are left out: pyte drops all that follows one, such as the selector of an emoji."""
        if not data.isascii():
            data = "".join(char for char in data if wcwidth(char) > 0)
        super().draw(data)

    def index(self) -> None:
        (self.scroll_up if self.cursor.y == self._region.bottom else self.cursor_down)(1)

    def reverse_index(self) -> None:
        (self.scroll_down if self.cursor.y == self._region.top else self.cursor_up)(1)

    def next_line(self) -> None:
        self.carriage_return()
        self.index()

    def scroll_up(self, count: int) -> None:
        top, bottom = self._region
        if top == 0:
            self.scrolled.extend(self._line(row) for row in range(min(count, bottom + 1)))
        self._at_top(self.delete_lines, count)

    def scroll_down(self, count: int) -> None:
        self._at_top(self.insert_lines, count)

    def _at_top(self, shift: Callable[[int], None], count: int) -> None:
        place = self.cursor.x, self.cursor.y
        self.cursor.y = self._region.top
        shift(count)
        self.cursor.x, self.cursor.y = place

    def delete_lines(self, count: int | None = None) -> None:
        """A blank row moves up as well; pyte leaves in its place what stood there."""
        count = count or 1
        top, bottom = self._region
        if top <= self.cursor.y <= bottom:
            for row in range(self.cursor.y, bottom + 1):
                below = self.buffer.pop(row + count, None) if row + count <= bottom else None
                self.buffer.pop(row, None)
                if below is not None:
                    self.buffer[row] = below
            self.carriage_return()

    def cursor_up(self, count: int | None = None) -> None:
        """Stops at the region's top only from within; pyte moves a cursor above it down."""
        top = self._region.top if self.cursor.y >= self._region.top else 0
        self.cursor.y = max(self.cursor.y - (count or 1), top)

    def cursor_down(self, count: int | None = None) -> None:
        bottom = self._region.bottom if self.cursor.y <= self._region.bottom else self.lines - 1
        self.cursor.y = min(self.cursor.y + (count or 1), bottom)

    def save_cursor(self) -> None:
        """A terminal remembers one place; pyte keeps a stack without end."""
        self.savepoints.clear()
        super().save_cursor()

    def restore_cursor(self) -> None:
        saved = bool(self.savepoints)
        super().restore_cursor()
        if saved:
            self.save_cursor()

    def erase_in_display(self, how: int = 0, *_others: Any, **_private: Any) -> None:
        """Forgets erased rows, where pyte overwrites each of their cells; a whole screen stays readable."""
        if how == 2 or (how == 0 and self.cursor.x == self.cursor.y == 0):
            self._leave()
        elif how in (0, 1):
            for row in range(self.cursor.y + 1, self.lines) if how == 0 else range(self.cursor.y):
                self.buffer.pop(row, None)
            self.erase_in_line(how)
        elif how == 3:
            self.scrolled.clear()

    def _leave(self) -> None:
        """The screen goes to what scrolled off: else a pane would be lost that is newer than those which are kept."""
        self.scrolled.extend(self._shown())
        self.buffer.clear()

    @property
    def _region(self) -> Margins:
        return self.margins or Margins(0, self.lines - 1)

    def _line(self, row: int) -> str:
        cells = self.buffer.get(row)
        return "".join(cells[column].data for column in range(max(cells) + 1)).rstrip() if cells else ""

    def _shown(self) -> list[str]:
        return [self._line(row) for row in range(max(self.buffer, default=-1) + 1)]


def _number(text: str) -> int:
    if not text.isdecimal():
        return 0
    return int(text) if len(text) < 5 else 9999
