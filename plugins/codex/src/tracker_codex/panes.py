"""The last `/status` pane of a paste: its lines without box and bullets, joined where a narrow pane broke them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple
from unicodedata import east_asian_width

from tracker_codex.meters import LABELS

EDGES = " \t\xa0│┃|"
FRAME = "─━═╭╮╰╯┌┐└┘├┤+-"
BOTTOM = ("╰", "└")
PROMPTS = ("›", "▌", "⏎")  # the composer below the pane and its footer
COMMAND = re.compile(r"(?:[>›❯▌$%]\s*)?/status")
CARD = ">_ OpenAI"
LIMIT = re.compile(rf"(?:{'|'.join(LABELS)}|Limits)\s*:")
# before a row, such as an icon, or the mark of a list
SIGNS = re.compile(rf"\A[^\w\s>(\[{''.join((*BOTTOM, *PROMPTS))}]+\s*(?={LIMIT.pattern})")
# The welcome card, which is no pane, has its labels in small letters.
FIELD = re.compile(r"(?:Model|Directory|Account|Session|Permissions|Approval|Agents\.md|Path|Login|Plan|Total)\s*:")
UNTIL_0_40 = ("Path:", "Login:", "Plan:")  # whose panes have no card
BOXED = re.compile(r"[│┃].*[│┃]")
LONGEST, WIDEST = 200_000, 1000  # characters of a pane and of a line: a card in a terminal of 20 columns has 3000
ABOVE = 400  # lines of the pane above its limits, which may have no head to begin with


# A terminal that is split was copied as one: text on both sides of the line between its halves.
BESIDE = re.compile(r"[^\s│┃].*[│┃].*[^\s│┃]")


class Line(NamedTuple):
    """A line of a pane without its box; `edge` is the column where its text ends.

    box: the columns of the box that closes it on both sides, 0 without one.
    """

    text: str
    edge: int
    is_command: bool
    box: int = 0

    @property
    def begins_pane(self) -> bool:
        return self.is_command or self.text.startswith(CARD)

    @property
    def is_limit(self) -> bool:
        return LIMIT.match(self.text) is not None

    @property
    def is_own(self) -> bool:
        """Whether no other program prints it."""
        return self.is_limit or self.text.startswith((CARD, *UNTIL_0_40))

    @property
    def is_pane(self) -> bool:
        return self.is_limit or FIELD.match(self.text) is not None


class Sheet:
    """A pane's lines in one string without white space, in which a label or a number stands whole wherever it broke."""

    def __init__(self, lines: list[Line], ended: bool) -> None:
        self.ended = ended  # by the box or the composer below it; else the rest may have been cut off
        self._head = next((number for number, line in enumerate(lines) if line.begins_pane or line.is_pane), 0)
        self.is_headless = bool(lines) and lines[self._head].is_limit  # what stood above its limits was not copied
        edges = [line.edge for line in lines[self._head :]]
        widest = max(edges, default=0)
        self._alone = edges.count(widest) == 1  # then that line need not have been broken by the pane's edge
        self.is_mixed = len({line.box for line in lines if line.box}) > 1  # lines of two panes by turns
        self.lines: list[str] = []
        self.starts: list[int] = []  # of each line in `compact`
        self._full: list[bool] = []  # whether the line reaches the pane's edge
        self._places: list[int] = []  # of each character of `compact` in the text with white space
        parts: list[str] = []
        length = 0
        for line in lines:
            if length > LONGEST:
                break
            self.lines.append(line.text)
            self.starts.append(len(self._places))
            self._full.append(line.edge == widest)
            self._places += [length + place for place, char in enumerate(line.text) if not char.isspace()]
            parts.append(line.text if self._full[-1] else f"{line.text} ")
            length += len(parts[-1])
        self._text = "".join(parts)
        self.compact = "".join(self._text.split())
        self._line_starts = frozenset(self.starts)

    @property
    def is_beside(self) -> bool:
        """Whether another pane is beside this one, from its head to its last limit."""
        last = max((at for at, line in enumerate(self.lines) if "limit:" in line), default=-1)
        return any(BESIDE.search(line) for line in self.lines[self._head : last + 1])

    def words(self, begin: int, end: int) -> str:
        """A span of `compact` with the white space it was printed with, a line break counting as a space."""
        if begin >= end:
            return ""
        return " ".join(self._text[self._places[begin] : self._places[end - 1] + 1].split())

    def width(self, begin: int, end: int) -> int:
        """How many columns a span of `compact` takes, white space included."""
        return self._places[end - 1] - self._places[begin] + 1

    def is_apart(self, place: int) -> bool:
        """Whether white space or a line break stands before `place`."""
        return self.starts_line(place) or self._places[place] - self._places[place - 1] > 1

    def line_after(self, place: int) -> int:
        """The number of the first line that starts at `place` or after it."""
        return bisect_right(self.starts, place - 1)

    def breaks(self, begin: int, end: int) -> Iterator[tuple[int, bool]]:
        """Where lines start inside a span, and whether the pane's edge may have broken the line before."""
        for number in range(self.line_after(begin + 1), self.line_after(end)):
            yield self.starts[number], self._full[number - 1] and not self._alone

    def is_cut(self, place: int) -> bool:
        """Whether the line before the one that starts at `place` reaches the pane's edge."""
        return self._full[self.line_after(place) - 1]

    def starts_line(self, place: int) -> bool:
        """Whether a line starts at `place`."""
        return place in self._line_starts

    def line_end(self, place: int) -> int:
        """The end of the line that `place` is on, or that ends there."""
        following = self.line_after(place)
        return self.starts[following] if following < len(self.starts) else len(self.compact)

    def ends_line(self, place: int) -> bool:
        """Whether the line from `place` on has nothing outside of parentheses."""
        return place >= len(self.compact) or self.starts_line(place) or self.compact[place] == "("


def last_pane(text: str) -> tuple[Sheet | None, bool]:
    """The last pane, None without one, and whether there were others."""
    lines = [line for raw in text.expandtabs().split("\n") if (line := _line(raw))]
    begins = [number for number, line in enumerate(lines) if line.begins_pane]
    panes = [lines[begin:end] for begin, end in pairwise([*begins, len(lines)])]
    # not the command alone, whose card has begun a pane of its own, nor the welcome card
    panes = [pane for pane in panes if any(line.is_pane for line in pane)]
    # nor another program's `/status`, unless there is nothing else
    panes = [pane for pane in panes if any(line.is_own for line in pane)] or panes
    above = lines[: begins[0]] if begins else lines
    if any(line.is_limit for line in above):  # a pane whose head was not copied
        panes.insert(0, above)
    return (_sheet(panes[-1]), len(panes) > 1) if panes else (None, False)


def _line(raw: str) -> Line | None:
    text = SIGNS.sub("", raw.strip(EDGES).removeprefix("•").lstrip())
    if not text or (not text.strip(FRAME) and not text.startswith(BOTTOM)):
        return None
    # a card that says `run /status again` may break before and behind the command, but not at the terminal's edge
    is_command = raw[0] not in EDGES and bool(COMMAND.fullmatch(text))
    box = sum(1 + (east_asian_width(sign) in "WF") for sign in raw.strip()) if BOXED.fullmatch(raw.strip()) else 0
    return Line(text[:WIDEST], len(raw.rstrip(EDGES)), is_command, box)


def _sheet(lines: list[Line]) -> Sheet:
    """A pane up to the box's end or the composer below it."""
    limit = next((number for number, line in enumerate(lines) if line.is_limit), 1)
    above = max(0, limit - ABOVE)
    for number, line in enumerate(lines[limit:], limit):
        if line.text.startswith((*BOTTOM, *PROMPTS)):
            return Sheet(lines[above:number], ended=True)
    return Sheet(lines[above:], ended=False)
