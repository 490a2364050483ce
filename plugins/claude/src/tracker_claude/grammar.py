"""What a section of a pane is made of, in any layout: patterns that bear line breaks, and how they are consumed."""

from __future__ import annotations

import re
from collections.abc import Mapping


def loose(words: str) -> str:
    """A pattern of words that a terminal of any width may have broken anywhere."""
    return r"\s*".join(re.escape(letter) for letter in words if letter != " ")


GAP = re.compile(r"[\s·•:,]*")
PERCENT = re.compile(rf"(?:(?P<below><\s*1)|(?P<percent>[0-9]{{1,3}}(?:\.[0-9]+)?))\s*%\s*{loose('used')}(?![\w%])")
RESETS = rf"[Rr]\s*{loose('esets')}(?![a-z])"


def consume(body: str, patterns: Mapping[str, re.Pattern[str]], place: int = 0) -> dict[str, re.Match[str]]:
    """What stands at the beginning of a section's body, or from a place on, in any order and each at most once.

    It ends at the first thing that no pattern matches, so that a section which lost its percentage never takes that of
    an unknown section below it.
    """
    found: dict[str, re.Match[str]] = {}
    place = _after_gap(body, place)
    while True:
        for name, pattern in patterns.items():
            if name not in found and (match := pattern.match(body, place)):
                found[name] = match
                place = _after_gap(body, match.end())
                break
        else:
            return found


def _after_gap(body: str, place: int) -> int:
    match = GAP.match(body, place)
    return match.end() if match else place


def percentage(found: re.Match[str] | None) -> float | None:
    """The used percentage of a match of `PERCENT`; `<1%` is 0."""
    if found is None:
        return None
    text = "0" if found["below"] else found["percent"]
    return int(text) if text.isdecimal() else float(text)
