"""The limits of a pane: label, bar, percent, `used` or `left`, reset, in this order; and whose bucket each is."""

from __future__ import annotations

import re
from typing import NamedTuple

from tracker_codex import resets
from tracker_codex.meters import KEYS, LABELS, MONTHLY_CREDIT, foreign, key_of, slug
from tracker_codex.panes import Sheet

LEFT_SINCE = (0, 58)  # versions before print what is used
COMPACT_LABELS = {label.replace(" ", ""): meter for label, meter in LABELS.items()}
KNOWN = re.compile(rf"({'|'.join(sorted(COMPACT_LABELS, key=len, reverse=True))}):")
ANY = re.compile(r"[^:%,]{1,80}?limit:")
REST = re.compile(r"(?:limit|imit|mit|it|t)?:")  # of a heading whose name stood above what was copied
AT_END = re.compile(rf"({'|'.join(COMPACT_LABELS)})$")
FIELD = re.compile(r"[A-Z][\w./'-]{0,40}:")
CREDITS = re.compile(r"Credits:(?:(?P<count>[0-9][0-9,]*(?:\.[0-9]+)?)credits?|(?P<unlimited>Unlimited))")

BAR = re.compile(r"\[(?:_|[^\]\w(%<])*\]")
PERCENT = re.compile(r"(?:<1|[0-9]{1,3}(?:\.[0-9]{1,2})?)%")
WORD = re.compile(r"used|left|use|us|u|lef|le|l")
BOTH_WORDS = re.compile(r"left\W{0,2}used|used\W{0,2}left")
FULL, CELLS = "█", frozenset("█░")  # of any other bar it is not known what is full
# How many cells a bar may differ from its number. Every captured bar has 20 cells and is within half a cell.
USUAL_CELLS, LEAST_CELLS, MOST_CELLS, MOST_USUAL_CELLS = 20, 10, 2, 1
RESET = re.compile(rf"\([Rr]esets(?:{resets.WHEN.pattern}\)|(?P<vague>[a-z]{{1,20}})\))")
CUT_RESET = re.compile(rf"\([Rr]esets{resets.WHEN.pattern}")  # the box cut the parenthesis off
# Words of another form: on the rest of a line, in parentheses or to its end, or in those that a narrow pane wraps.
UNREAD = re.compile(
    r"[^%]{0,60}?\([Rr]eset(?P<words>s?[^()]{1,60})\)|[^%(]{0,60}?[Rr]esets(?P<bare>[^()\[\]]{1,60})\]?\Z"
)
WRAPPED = re.compile(r"\([Rr]eset(?P<words>s?[^()%]{1,60})\)")
SPENT = re.compile(r"[0-9.,]+of[0-9.,]+creditsused")  # below the monthly credit
TOKEN = re.compile(r"[0-9:.,%)<]{2}")


class Limit(NamedTuple):
    """One row: `used` is None if it cannot be read, `when` if there is no reset time.

    is_whole: whether it ends for certain at `end`. contradicted: its bar shows another value than its number.
    """

    used: float | None
    words: str | None
    when: re.Match[str] | None
    end: int
    is_whole: bool
    contradicted: bool


def _percent(text: str) -> float:
    return 0.0 if text == "<1%" else float(text[:-1])


def _amount(text: str) -> float:
    amount = float(text.replace(",", ""))
    return int(amount) if amount.is_integer() else amount


class Limits:
    """The limits of a pane: walks down its lines and tracks whose rows follow.

    The version decides where the word behind a percent was cut off.
    """

    def __init__(self, sheet: Sheet, version: tuple[int, int] | None) -> None:
        self.sheet, self.text, self.version = sheet, sheet.compact, version
        self.bucket: str | None = None  # the main one
        self.lost = False  # no heading says whose rows follow
        self.open = True  # a line without a label belongs to what is above it; else it begins a name
        self.skipped = False  # a line below the first row, or a row
        self.rows: dict[str, Limit] = {}  # the first of each key
        self.credits: float | str | None = None
        self.repeated: list[str] = []  # the meters whose rows come again below no heading that is known
        self.nobodys: list[str] = []  # the labels of other rows below such a heading
        line = 0
        while line < len(sheet.starts):
            start = sheet.starts[line]
            end = self._entry(start)
            self.skipped = self.skipped or (end == start and bool(self.rows))
            line = max(line + 1, sheet.line_after(end))

    @property
    def is_whole(self) -> bool:
        """Whether there are rows, each has its value, and every line from the first of them on was read."""
        return bool(self.rows) and not self.skipped and all(row.used is not None for row in self.rows.values())

    def _entry(self, place: int) -> int:
        """Read what begins on a line; returns its end."""
        if known := KNOWN.match(self.text, place):
            return self._row(None, COMPACT_LABELS[known[1]], known.end())
        if credits := CREDITS.match(self.text, place):
            self.credits = "Unlimited" if credits["unlimited"] else _amount(credits["count"])
            self.open, self.lost = False, bool(self.rows)
            return credits.end()
        if label := ANY.match(self.text, place):
            return self._named(place, label.end())
        end = self.sheet.line_end(place + 1)
        is_heading = self.text[end - 1] == ":" and self.text[place] != "(" and KNOWN.match(self.text, end)
        # of a form that is not known, so whose?
        if is_heading and (self.rows or REST.fullmatch(self.text, place, end)):
            self.lost, self.open = True, False
            return end
        self.open = self.open or bool(FIELD.match(self.text, place))
        return place

    def _named(self, place: int, end: int) -> int:
        """A label with a name before it: a bucket's heading, its only row, or an unknown limit."""
        starts = [start for start, _whole in self.sheet.breaks(place, end)]
        for start in starts:
            if known := KNOWN.match(self.text, start):  # the name is on lines of its own
                if self.open:
                    return place
                if self.sheet.is_cut(start):  # a heading that the box cut off, so whose?
                    self.lost = True
                    return start
                self.lost = True
                return self._row(self.sheet.words(place, start), COMPACT_LABELS[known[1]], known.end())
        if self.open and any(ANY.match(self.text, start) for start in starts):
            return place
        known = AT_END.search(self.text, place + 1, end - 1)
        if known and self.sheet.is_apart(known.start()):  # zeta_model Daily limit:
            return self._row(self.sheet.words(place, known.start()), COMPACT_LABELS[known[1]], end)
        name = self.sheet.words(place, end - len("limit:"))
        if self.sheet.starts_line(end) and KNOWN.match(self.text, end):
            self.bucket, self.lost, self.open = name, False, False
            return end
        if self._limit(end).used is None or not (self.rows or BAR.match(self.text, end)):
            self.open = True  # a sentence about some limit
            return end
        return self._add(foreign(slug(name)), end)

    def _row(self, name: str | None, meter: str, at: int) -> int:
        """A row of the bucket `name`, else of the one that the last heading named."""
        if name is not None or meter == MONTHLY_CREDIT:
            # a bucket in one line, which may stand above the main one, is no heading
            is_first = self.bucket is None and KEYS.isdisjoint(self.rows)
            self.lost = self.lost or not is_first
            return self._add(meter if name is None else key_of(name, meter), at)
        key = key_of(self.bucket, meter)
        known = self.rows.get(key)
        self.lost = self.lost or known is not None
        self.skipped = self.skipped or self.lost
        if not self.lost:
            return self._add(key, at)
        limit = self._limit(at)
        if known is None:
            self.nobodys.append(meter)
        elif (limit.used, limit.words) != (known.used, known.words):
            self.repeated.append(key)
        return limit.end

    def _add(self, key: str, at: int) -> int:
        limit = self._limit(at)
        self.open = not limit.is_whole
        self.rows.setdefault(key, limit)
        return limit.end

    def _limit(self, at: int) -> Limit:
        bar = BAR.match(self.text, at)
        used, end = self._used(at, bar.end() if bar else at)
        contradicted = bar is not None and used is not None and self._contradicts(*bar.span())
        if contradicted:
            used = None
        words, when, end = self._reset(end)
        if not words and (unread := self._unread(end)):
            span = unread.span(unread.lastgroup or 0)
            words, end = self.sheet.words(*span).removeprefix("s").strip(), unread.end()
        if spent := SPENT.match(self.text, end):
            end = spent.end()
        known = used is not None or words is not None
        ended = end == len(self.text) or (self.sheet.ends_line(end) and self.text[end] != "(")
        return Limit(used, words, when, end, known and ended, contradicted)

    def _contradicts(self, begin: int, end: int) -> bool:
        """Whether the bar in that span shows another value than the number behind it; both follow the same word."""
        cells = self.sheet.width(begin, end) - 2  # without its brackets
        percent = PERCENT.match(self.text, end)
        is_known = CELLS.issuperset(self.text[begin + 1 : end - 1])
        if not is_known or cells < LEAST_CELLS or percent is None or any(self.sheet.breaks(begin, end)):
            return False
        shown = 100 * self.text.count(FULL, begin, end) / cells
        most = MOST_USUAL_CELLS if cells == USUAL_CELLS else MOST_CELLS
        return abs(shown - min(_percent(percent[0]), 100)) > 100 * most / cells

    def _used(self, label_end: int, at: int) -> tuple[float | None, int]:
        """The used percent at `at` and where it ends."""
        percent = PERCENT.match(self.text, at)
        if percent is None or not self._intact(*percent.span()):
            return None, at
        word = WORD.match(self.text, percent.end())
        end = word.end() if word else percent.end()
        below = any(self.sheet.breaks(label_end - 1, end))
        if self.sheet.ends_line(end) and (not below or self._goes_on(end)):
            kind = ("used" if word[0].startswith("u") else "left") if word else self._word_of_version(end)
        elif word and word[0] in ("used", "left") and not below:
            kind = word[0]
        else:  # other text that happens to follow a row that was cut off
            return None, at
        if BOTH_WORDS.match(self.text, percent.end()):
            return None, at
        number = _percent(percent[0])
        used = {"used": number, "left": 100 - number}.get(kind)
        return (used if used is None or used >= 0 else None), end

    def _goes_on(self, place: int) -> bool:
        """Whether what follows is a reset, another label, or the pane's end and no cut."""
        if place == len(self.text):
            return self.sheet.ended
        return self.text[place] == "(" or any(label.match(self.text, place) for label in (KNOWN, CREDITS, ANY, FIELD))

    def _word_of_version(self, end: int) -> str:
        """What the version's panes print behind a percent; nothing if more follows: then no edge cut the word off."""
        if self.version is None or self.sheet.line_end(end) != end:
            return ""
        return "left" if self.version >= LEFT_SINCE else "used"

    def _reset(self, at: int) -> tuple[str | None, re.Match[str] | None, int]:
        """The reset's words, its time if they name one, and where it ends."""
        reset = RESET.match(self.text, at) or CUT_RESET.match(self.text, at)
        if reset is None or not self._intact(*reset.span()):
            return None, None, at
        if any(self.sheet.breaks(*reset.span())) and not self.sheet.ends_line(reset.end()):
            return None, None, at  # other text that happens to follow a row that was cut off
        vague = reset.groupdict().get("vague")
        if vague:
            return self.sheet.words(*reset.span("vague")), None, reset.end()
        if reset[0][-1] != ")" and (not reset["day"] or reset["year"] or not self.sheet.ends_line(reset.end())):
            return None, None, at  # more of it may have been cut off
        return resets.words(reset), reset, reset.end()

    def _unread(self, at: int) -> re.Match[str] | None:
        """A reset of an unknown form; not one of the known form that was cut off."""
        found = UNREAD.match(self.text, at, self.sheet.line_end(at))
        if found or RESET.match(self.text, at) or not (found := WRAPPED.match(self.text, at)):
            return found
        return found if self._intact(*found.span()) and self.sheet.ends_line(found.end()) else None

    def _intact(self, begin: int, end: int) -> bool:
        """Whether no line break inside a number can be the end of one text and the beginning of another."""
        breaks = self.sheet.breaks(begin, end)
        return all(whole or not TOKEN.fullmatch(self.text, start - 1, start + 1) for start, whole in breaks)
