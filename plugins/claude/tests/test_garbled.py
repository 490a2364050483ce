"""Real panes as redraws, cut columns and mixed terminals garble them: no number comes out wrong without a tag.

Left out is what only a second witness could tell: a number that is wrong by less than the bar can show, a whole row
in the place of another, and panes without bars.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tracker.api import Reading
from tracker_claude import usage
from tracker_kit.cases import together

SCREENS = Path(__file__).parent / "screens"
NUMBER = re.compile(r"\d{1,3}(?=% ?(?:used))")
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
EACH = 12  # mutations of a kind and pane


def lost_digit(text: str, dice: random.Random) -> str:
    found = dice.choice(list(NUMBER.finditer(text)))
    at = dice.randrange(*found.span())
    return text[:at] + text[at + 1 :]


def doubled_digit(text: str, dice: random.Random) -> str:
    found = dice.choice(list(NUMBER.finditer(text)))
    at = dice.randrange(*found.span())
    return text[:at] + text[at] + text[at:]


def full_width(text: str, dice: random.Random) -> str:
    found = dice.choice(list(NUMBER.finditer(text)))
    return text[: found.start()] + found[0].translate(FULL_WIDTH) + text[found.end() :]


def decimal_comma(text: str, dice: random.Random) -> str:
    found = dice.choice(list(NUMBER.finditer(text)))
    return f"{text[: found.end()]},5{text[found.end() :]}"


def both_words(text: str, dice: random.Random) -> str:
    found = dice.choice(list(re.finditer(r"(?<=% )(?:used)", text)))
    other = {"left": "used", "used": "left"}[found[0]]
    return f"{text[: found.end()]} {other}{text[found.end() :]}"


def cut_column(text: str, dice: random.Random) -> str:
    """A column that a redraw lost, in every line."""
    column = dice.randrange(4, max(map(len, text.split("\n"))))
    return "\n".join(line[:column] + line[column + 1 :] for line in text.split("\n"))


def mixed(text: str, dice: random.Random) -> str:
    """Lines of another pane in between, as two terminals that share a log leave them."""
    other = dice.choice(list(panes().values()))[0].split("\n")
    lines = text.split("\n")
    for _ in range(dice.randrange(1, 4)):
        lines[dice.randrange(len(lines))] = dice.choice(other)
    return "\n".join(lines)


def overwritten(text: str, dice: random.Random) -> str:
    """A row of which another one, drawn over it, replaced the beginning."""
    lines = text.split("\n")
    rows = [at for at, line in enumerate(lines) if NUMBER.search(line)]
    at, other = dice.choice(rows), lines[dice.choice(rows)]
    length = dice.randrange(len(other) + 1)
    lines[at] = other[:length] + lines[at][length:]
    return "\n".join(lines)


MUTATIONS: tuple[Callable[[str, random.Random], str], ...] = (
    lost_digit,
    doubled_digit,
    full_width,
    decimal_comma,
    both_words,
    cut_column,
    mixed,
    overwritten,
)


def panes() -> dict[str, tuple[str, dict[str, float]]]:
    """The screens with bars, each with what it says."""
    return PANES


def _panes() -> Iterator[tuple[str, tuple[str, dict[str, float]]]]:
    for path in sorted(SCREENS.glob("*.txt")):
        text = f"❯ /usage\n{path.read_text()}"  # as a paste holds it: a rule at the very beginning may have been cut
        if "\x1b" not in text and re.search("[█▌▏▉]", text) and re.search(r"\d% (?:used)", text):
            values = {gauge.meter: gauge.used for gauge in read(text).gauges if gauge.used is not None}
            if values:
                yield path.stem, (text, values)


def read(text: str) -> Reading:
    captured_at = datetime(2026, 11, 22, 6, 33, 40, tzinfo=UTC)
    return usage.parse_status(text=text, captured_at=captured_at, timezone=ZoneInfo("UTC"))


PANES = dict(_panes())
# A row of another pane, or of another meter, that stands whole in the place of a row is what it says.
PRINTED = {float(found[0]) for text, _ in PANES.values() for found in NUMBER.finditer(text)}
WHOLE_ROWS = PRINTED | {100 - number for number in PRINTED}
ROW_MUTATIONS = (mixed, overwritten, cut_column)
BAR_POINTS = 5


@together("mutation", MUTATIONS)
def test_no_number_comes_out_wrong_without_a_tag(mutation: Callable[[str, random.Random], str]) -> None:
    dice = random.Random(mutation.__name__)
    wrong = []
    for name, (text, values) in PANES.items():
        for _ in range(EACH):
            reading = read(mutation(text, dice))
            for gauge in () if reading.errors else reading.gauges:
                truth = values.get(gauge.meter)
                is_close = gauge.used is None or (truth is not None and abs(gauge.used - truth) <= BAR_POINTS)
                if not is_close and not (mutation in ROW_MUTATIONS and gauge.used in WHOLE_ROWS):
                    wrong.append((name, gauge.meter, gauge.used))
    assert wrong == []


def test_over_a_thousand_panes_are_garbled() -> None:
    assert len(PANES) * len(MUTATIONS) * EACH > 1000
