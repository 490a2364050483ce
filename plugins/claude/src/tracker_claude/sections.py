"""The sections of one `/usage` pane, or the lines of its print mode: a title, and what is under it."""

from __future__ import annotations

import re
from collections import deque
from typing import NamedTuple

from tracker.api import JSON
from tracker_claude import bars, extra, resets, windows
from tracker_claude.grammar import PERCENT, RESETS, consume, loose, percentage

ENDS = r"(?=[^\S\n]*(?:\n|\Z|[·•:]|<?[0-9]{1,3}\s*%|⟦))"
TITLE = re.compile(
    rf"^[^\S\n]*(?:(?P<session>{loose('Current session')}){ENDS}"
    rf"|(?P<extra>{loose('Extra usage')}|{loose('Usage credits')}){ENDS}"
    rf"|{loose('Current week')}"
    rf"(?:\s*\((?P<scope>[^()]{{1,60}})\){ENDS}|(?P<cut>\s*\((?![^()]{{1,60}}\)))|{ENDS}))",
    re.MULTILINE,
)
# Words that name no time; only where the line below is blank, since else they may go on there.
WORDS = r"\S[^\n]*(?=\Z|\n[^\S\n]*(?:\n|\Z))"
BODY = {
    "bar": bars.MARK,
    "percent": PERCENT,
    "when": re.compile(rf"{RESETS}\s*{resets.WHEN}"),
    "words": re.compile(rf"{RESETS}[^\S\n]+(?P<words>{WORDS})"),
}
# In a narrow pane they are in the title's line and those that it was wrapped to, above the bar or the percentage.
ABOVE = (
    r"\S[^\n%⟦]*(?:\n[^\S\n]*[^\s%⟦·•][^\n%⟦·•]*){0,2}?"
    r"(?=\n\s*(?:⟦|<?[0-9]{1,3}(?:\.[0-9]+)?\s*%\s*used[^\S\n]*(?:\n|\Z)))"
)
SPACE = r"[^\S\n]*(?:\n[^\S\n]*)?"
TITLED = re.compile(rf"\s*[·•]{SPACE}(?:(?!{RESETS}){ABOVE})?")
NARROW = BODY | {"words": re.compile(rf"{RESETS}(?=\s){SPACE}(?P<words>{WORDS}|{ABOVE})")}
BLANK_LINE = re.compile(r"[^\S\n]*\n[^\S\n]*\n")
# Behind words that are not known, such as `60% left`: on the same line, or below it and before a blank one.
LATER = re.compile(
    r"(?:[^\n(]|(?<!week )\([^()\n]*\))*?"
    rf"(?:\n(?:[^\S\n]*[^\s%⟦·•$()][^\n%⟦·•$()]*\n){{0,2}}[^\S\n]*)?(?={RESETS})"
)
ANYWHERE = re.compile(rf"(?<!\w){RESETS}")
MOST = 100  # sections that are read, the last ones: a bound for hostile input


class Section(NamedTuple):
    """One window, or extra usage.

    key: the meter; None for extra usage, or if the name cannot be read. used: None if it was cut off. open:
    it is the last one, and neither a blank line nor the percentage ends its reset, which may have been cut.
    contradicted: its bar shows another value than its number. unread: it names a reset in some other form.
    """

    key: str | None
    used: float | None = None
    when: resets.When | None = None
    open: bool = False
    extra: dict[str, JSON] | None = None
    contradicted: bool = False
    unread: bool = False


def sections(pane: str) -> list[Section]:
    """The sections in their order."""
    titles = deque(TITLE.finditer(pane), MOST)
    ends = [*(title.start() for title in titles), len(pane)][1:]
    return [
        Section(key=None, extra=extra.from_pane(bars.MARK.sub(" ", pane[title.end() : end])))
        if title["extra"]
        else _window(title, pane[title.end() : end], last=end == len(pane))
        for title, end in zip(titles, ends, strict=True)
    ]


def _window(title: re.Match[str], body: str, last: bool) -> Section:
    titled = TITLED.match(body)
    found = consume(body, NARROW, titled.end()) if titled else consume(body, BODY)
    percent = found.get("percent")
    if percent and not found.keys() & {"when", "words"} and (later := LATER.match(body, percent.end())):
        found |= consume(body, {name: BODY[name] for name in ("when", "words")}, later.end())
    reset = found.get("when") or found.get("words")
    blank = percent and BLANK_LINE.search(body, percent.end())
    after = reset.end() if reset else 0
    ended = reset is None or (percent is not None and (percent.start() >= after or BLANK_LINE.match(body, after)))
    used = percentage(percent)
    contradicted = bars.contradicts(found.get("bar"), used)
    return Section(
        key=_key(title),
        used=None if contradicted else used,
        when=reset and (resets.read(reset) if "when" in found else resets.When(" ".join(reset["words"].split()))),
        open=last and not ended,
        contradicted=contradicted,
        unread=percent is not None
        and reset is None
        and ANYWHERE.search(body, percent.end(), blank.start() if blank else len(body)) is not None,
    )


def _key(title: re.Match[str]) -> str | None:
    if title["session"]:
        return windows.SESSION
    if title["cut"]:
        return None
    return windows.weekly_key(title["scope"]) if title["scope"] else windows.ALL_MODELS
