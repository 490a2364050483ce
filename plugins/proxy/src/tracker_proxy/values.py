"""Single values of a telemetry line: each reader gives the value as an event holds it, or None for an unreadable one.

Text is kept only if it is a name: a length, printable characters, and nothing that looks like an e-mail address or a
key. Whatever was longer is a message, and messages may quote prompts (FORMATS.md, section 7).
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Final, TypeGuard

UNREADABLE: Final = object()  # replaces a value that no reader can take

YEAR_10000 = 253_402_300_800  # epoch seconds after the last instant that ISO 8601 can write; more are milliseconds
LIMIT = 10**15  # tokens, milliseconds: no measured value is as large
NAME_LENGTH = 128
WORD_LENGTH = 64
RID_LENGTH = 200

HEALTHY = frozenset({"ok", "success", "200", "routed", "cached"})
ROUTED_LANES = frozenset({"zai", "z.ai"})

NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,3})?", re.ASCII)
# One word, such as `ok`, `rate_limited`, `RateLimitError`, `upstream:timeout`; a sentence is a message.
WORD = re.compile(r"\w[\w.:/+-]*")
# `plain.as_is` relies on this: 36 letters, digits and dashes without `sk-` match nothing here.
PRIVATE = re.compile(
    r"""
      [^\s@]@[\w-]+(\.[\w-]+)*\.[^\W\d_]{2,}        # an e-mail address; `claude-sonnet-4-5@20250929` is none
    | \bsk-(?=[\w-]*\d)[\w-]{12,}                   # Anthropic, OpenAI, OpenRouter, LiteLLM; no `task-...`
    | AIza[\w-]{30,}                                # Google
    | (gh[opsu]|github_pat|glpat|xox[abps])[_-]\w{8,}
    | eyJ[\w-]{8,}\.                                # a JSON web token
    | [0-9a-f]{32}\.\w{8,}                          # Z.ai
    | \b(?i:basic|bearer)\s+\S
    | (?i:key|token|secret|password|authorization|cookie)\s*(=|:\s)
    """,
    re.VERBOSE,
)


def time(value: object) -> str | float | None:
    """ISO 8601 text or epoch seconds, as it stands; a time of another form, such as `20261122T063000Z`, as usual."""
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            return None
        return value if is_usual(value) else found.isoformat()
    return value if is_number(value) and 0 <= value < YEAR_10000 else None


def is_usual(time: str) -> bool:
    """Whether a time is written like `2026-11-22T06:30:00`: the index of events reads few other forms of ISO 8601."""
    return time[7:8] == "-" and time[10:11] in ("T", " ") and time[16:17] == ":" and "," not in time


def count(value: object) -> int | None:
    """Tokens: a whole number; 12.0 is one, 12.5, True and "12" are not."""
    return int(value) if is_number(value) and 0 <= value < LIMIT and value == int(value) else None


def milliseconds(value: object) -> float | None:
    """A duration, never negative."""
    return value if is_number(value) and 0 <= value < LIMIT else None


def name(value: object, length: int = NAME_LENGTH) -> str | None:
    """The name of a lane or a model."""
    return value if isinstance(value, str) and len(value) <= length and _is_name(value) else None


def identifier(value: object) -> str | None:
    """What a request or a feature is called: a name or a whole number."""
    return name(str(value) if type(value) is int else value, RID_LENGTH)


def status(value: object) -> str | int | None:
    """A word or a whole number."""
    return count(value) if is_number(value) else word(value)


def word(value: object) -> str | None:
    """One short word that says how a request ended; a number as text."""
    if type(value) is int:
        return str(value)
    return value if isinstance(value, str) and len(value) <= WORD_LENGTH and _is_word(value) else None


def number(value: object) -> object:
    """The number that a text writes; anything else as it is."""
    if not isinstance(value, str):
        return value
    if not NUMBER.fullmatch(value):
        return UNREADABLE
    return int(value) if value.lstrip("-").isdecimal() else float(value)


def elapsed(start: object, end: object, factor: float) -> object:
    """Milliseconds from start to end, which are in units of `factor` milliseconds; None if one of them is missing.

    Rounded to a microsecond: the difference of two epoch seconds as floats is no more exact.
    """
    if start is None or end is None:
        return None
    if not (is_number(start) and is_number(end) and start <= end):
        return UNREADABLE
    return round((end - start) * factor, 3)


def epoch_seconds(value: object, units: int) -> object:
    """Epoch seconds from a number of milliseconds (1000 units) or nanoseconds (10**9)."""
    if value is None:
        return None
    return value / units if is_number(value) else UNREADABLE


def is_routed(lane: str | None, model: str | None) -> bool:
    """Whether the lane or the model names GLM."""
    lane, model = (lane or "").lower(), (model or "").lower()
    return "glm" in lane or lane in ROUTED_LANES or "glm" in model or model.startswith("z.ai/")


def is_healthy(value: str | int | None) -> bool:
    """Whether a status or a reason says that all went well."""
    return str(value).lower() in HEALTHY


def is_number(value: object) -> TypeGuard[int | float]:
    return type(value) is int or type(value) is float


# Names recur line after line, and checking them for private data costs more than all the rest of an event. Only short
# texts are checked, so the cache stays small.
@lru_cache(maxsize=4096)
def _is_name(text: str) -> bool:
    return bool(text.strip()) and text.isprintable() and not PRIVATE.search(text)


@lru_cache(maxsize=1024)
def _is_word(text: str) -> bool:
    return bool(WORD.fullmatch(text)) and not PRIVATE.search(text)
