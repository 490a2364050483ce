"""The bars of a pane, a second witness of its numbers: each becomes a mark in the text, which its section reads."""

from __future__ import annotations

import re
from bisect import bisect_left

FRAMES = re.compile("[─-▟⎿]+")  # rules, boxes, bars, and the elbow before a command's result
# what is left of a bar if the terminal, or the file, had no such characters
OTHER = re.compile(r"^[^\S\n]*[#=*~_?■\ufffd]+(?=[^\S\n]+<?[0-9]{1,3}(?:\.[0-9]+)?%|[^\S\n]*$)", re.MULTILINE)
EIGHTHS = "▏▎▍▌▋▊▉█"  # a cell is full in eight steps
RULE = re.compile("[▔─]+")
WIDE = 20  # a shorter rule is not a pane's
PERCENT_BEHIND = re.compile(r"(?P<gap>[ \u00a0]*)(?=<?[0-9]{1,3}(?:\.[0-9]+)?%)")
MARGINS = (4, 2)  # columns beside a bar that stands on a line of its own: since 2.1.330, and before
NARROW = 64  # columns; only a pane of fewer has its bars on lines of their own
MARK = re.compile(r"⟦(?P<filled>[0-9]+)/(?P<least>[0-9]+)/(?P<most>[0-9]+)⟧")
TOUCHED = 10**6  # cells: of a bar that digits touch, which no pane prints, so that it contradicts any number
MOST_CELLS = 2  # by which a bar may differ from its number; panes print the floor and round their bars
ABOVE = 300  # characters of white space that may stand between two parts of a bar
LEAST_WIDTH = 8  # narrower than any pane's bar: nothing can be told from it


def marked(text: str) -> str:
    """The text without frames; in a bar's place `⟦eighths/least width/greatest width⟧`, in cells.

    A bar that a terminal wrapped, and one in a pane whose rule was wrapped, leaves no mark: its width is not known.
    """
    rules = _rules(text)
    widest = max((_width(text, bar) for bar in FRAMES.finditer(text) if set(bar[0]) <= set(EIGHTHS)), default=0)

    def mark(found: re.Match[str]) -> str:
        bar = found[0]
        if not set(bar) <= set(EIGHTHS) or not _stands_alone(text, found):
            return " "
        filled = sum(EIGHTHS.index(cell) + 1 for cell in bar)
        if width := _width(text, found, widest):
            return f"⟦{filled}/{width}/{width}⟧"
        at = bisect_left(rules, (found.start(), 0))
        start, columns = rules[at - 1] if at else (0, WIDE)
        if not columns:
            return " "
        least, most = (columns - margin for margin in MARGINS)
        # at the beginning of the text the rule may have been cut, or left out
        if not start:
            most = max(most, NARROW - 1 - MARGINS[-1])
        return f"⟦{filled}/{least}/{most}⟧"

    return OTHER.sub(" ", FRAMES.sub(mark, text))


def _width(text: str, bar: re.Match[str], widest: int = 0) -> int:
    """The cells of a bar with a number after it, 0 without one: those of the widest, since blanks may be lost."""
    behind = PERCENT_BEHIND.match(text, bar.end())
    if behind is None:
        return 0
    return max(behind.end() - bar.start() - 1, widest) if behind["gap"] or not widest else TOUCHED


def _rules(text: str) -> list[tuple[int, int]]:
    """Where the rules stand that are as wide as their pane, and how wide; 0 for one that goes on below."""
    found: list[tuple[int, int]] = []
    end = -1
    for rule in RULE.finditer(text):
        is_joined = bool(found) and not text[end : rule.start()].strip()
        if is_joined:
            found[-1] = found[-1][0], 0
        elif len(rule[0]) >= WIDE:
            found.append((rule.start(), len(rule[0])))
        end = rule.end()
    return found


def _stands_alone(text: str, bar: re.Match[str]) -> bool:
    """Whether the bar begins its line, with no other bar right above or below it."""
    line = text.rfind("\n", max(0, bar.start() - ABOVE), bar.start()) + 1
    if not line and bar.start() > ABOVE:
        return False
    above, below = text[max(0, line - ABOVE) : line].rstrip(), text[bar.end() : bar.end() + ABOVE].lstrip()
    return not text[line : bar.start()].strip() and not (
        above.endswith(tuple(EIGHTHS)) or below.startswith(tuple(EIGHTHS))
    )


def contradicts(mark: re.Match[str] | None, percent: float | None) -> bool:
    """Whether a bar shows another value than the percentage of its section."""
    if mark is None or percent is None or int(mark["least"]) < LEAST_WIDTH:
        return False
    shown = [100 * int(mark["filled"]) / 8 / int(mark[name]) for name in ("least", "most")]
    allowed = 100 * MOST_CELLS / int(mark["least"])
    if percent > 100:  # then the bar is full
        return max(shown) < 100
    return not min(shown) - allowed <= percent <= max(shown) + allowed
