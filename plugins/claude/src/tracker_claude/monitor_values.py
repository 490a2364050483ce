"""Checked values of claude-monitor's output: a value of another type is not converted."""

from __future__ import annotations

import re

from tracker.api import instant

WHOLE = re.compile(r"[0-9]{1,15}|[1-9][0-9]{0,2}(,[0-9]{3}){1,4}")  # 0,123 is a fraction of another language
DECIMAL = re.compile(rf"(?:{WHOLE.pattern})(\.[0-9]{{1,20}})?([eE][+-]?[0-9]{{1,2}})?")
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


def word(value: object) -> str | None:
    """A name such as `max20` or `local_estimate`."""
    return value if isinstance(value, str) and WORD.fullmatch(value) else None


def instant_text(value: object) -> str | None:
    """The text of an instant, as given."""
    return value if isinstance(value, str) and instant(value) else None


def number(text: str, whole: bool) -> float | str:
    """The number that a text prints the English way; the text itself where it prints none.

    `1.234` is not a whole number, since a tool in another language may mean a thousand.
    """
    if not (WHOLE if whole else DECIMAL).fullmatch(text):
        return text
    digits = text.replace(",", "")
    return int(digits) if whole else float(digits)
