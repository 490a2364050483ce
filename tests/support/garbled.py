"""Real panes as redraws, cut columns and mixed terminals garble them: no number comes out wrong without a tag.

Left out is what only a second witness could tell: a number that is wrong by less than the bar can show, a whole row
in the place of another, and panes without bars.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
EACH = 12  # mutations of a kind and pane
BAR_POINTS = 5


@frozen
class Panes:
    """Screens with bars by name, how they are read, and the words that follow a number."""

    texts: Mapping[str, str]
    read: Callable[[str], Any]
    words: str = "left|used"
    values: dict[str, dict[str, float]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        shown = re.compile(rf"\d% (?:{self.words})")
        for name, text in self.texts.items():
            if "\x1b" not in text and re.search("[█▌▏▉]", text) and shown.search(text):
                found = {gauge.meter: gauge.used for gauge in self.read(text).gauges if gauge.used is not None}
                if found:
                    self.values[name] = found

    def numbers(self, text: str) -> list[re.Match[str]]:
        return list(re.finditer(rf"\d{{1,3}}(?=% ?(?:{self.words}))", text))

    def wrong(self, mutation: Mutation) -> list[tuple[str, str, float]]:
        """What is read from garbled panes, has no tag and is not what the pane says."""
        dice = random.Random(mutation.__name__)
        # a row of another pane, or of another meter, that stands whole in the place of a row is what it says
        printed = {float(one[0]) for name in self.values for one in self.numbers(self.texts[name])}
        whole = printed | {100 - number for number in printed} if mutation in ROW_MUTATIONS else set()
        found = []
        for name, values in self.values.items():
            for _ in range(EACH):
                reading = self.read(mutation(self, self.texts[name], dice))
                for gauge in () if reading.errors else reading.gauges:
                    truth = values.get(gauge.meter)
                    is_close = gauge.used is None or (truth is not None and abs(gauge.used - truth) <= BAR_POINTS)
                    if not is_close and gauge.used not in whole:
                        found.append((name, gauge.meter, gauge.used))
        return found


def lost_digit(panes: Panes, text: str, dice: random.Random) -> str:
    found = dice.choice(panes.numbers(text))
    at = dice.randrange(*found.span())
    return text[:at] + text[at + 1 :]


def doubled_digit(panes: Panes, text: str, dice: random.Random) -> str:
    found = dice.choice(panes.numbers(text))
    at = dice.randrange(*found.span())
    return text[:at] + text[at] + text[at:]


def full_width(panes: Panes, text: str, dice: random.Random) -> str:
    found = dice.choice(panes.numbers(text))
    return text[: found.start()] + found[0].translate(FULL_WIDTH) + text[found.end() :]


def decimal_comma(panes: Panes, text: str, dice: random.Random) -> str:
    found = dice.choice(panes.numbers(text))
    return f"{text[: found.end()]},5{text[found.end() :]}"


def both_words(panes: Panes, text: str, dice: random.Random) -> str:
    found = dice.choice(list(re.finditer(rf"(?<=% )(?:{panes.words})", text)))
    other = {"left": "used", "used": "left"}[found[0]]
    return f"{text[: found.end()]} {other}{text[found.end() :]}"


def cut_column(panes: Panes, text: str, dice: random.Random) -> str:
    """A column that a redraw lost, in every line."""
    column = dice.randrange(4, max(map(len, text.split("\n"))))
    return "\n".join(line[:column] + line[column + 1 :] for line in text.split("\n"))


def mixed(panes: Panes, text: str, dice: random.Random) -> str:
    """Lines of another pane in between, as two terminals that share a log leave them."""
    other = panes.texts[dice.choice(list(panes.values))].split("\n")
    lines = text.split("\n")
    for _ in range(dice.randrange(1, 4)):
        lines[dice.randrange(len(lines))] = dice.choice(other)
    return "\n".join(lines)


def overwritten(panes: Panes, text: str, dice: random.Random) -> str:
    """A row of which another one, drawn over it, replaced the beginning."""
    lines = text.split("\n")
    rows = [at for at, line in enumerate(lines) if panes.numbers(line)]
    at, other = dice.choice(rows), lines[dice.choice(rows)]
    length = dice.randrange(len(other) + 1)
    lines[at] = other[:length] + lines[at][length:]
    return "\n".join(lines)


Mutation = Callable[[Panes, str, random.Random], str]
ROW_MUTATIONS: tuple[Mutation, ...] = (mixed, overwritten, cut_column)
MUTATIONS: tuple[Mutation, ...] = (
    lost_digit,
    doubled_digit,
    full_width,
    decimal_comma,
    both_words,
    cut_column,
    mixed,
    overwritten,
)
