"""Lines that could not be read, as they may be kept: their shape, without their contents."""

from __future__ import annotations

import re
from typing import Any

from tracker.api import redact
from tracker_telemetry.lines import KEPT, Line, TooLong

REASON_LIMIT = 200
WORDS = re.compile(r"(?=.{1,40}$)[\w.-]+(?: [\w.-]+){0,3}")  # of a line that is not JSON: too short to quote anybody
# Of JSON, from left to right: a short value that names something, a field's name, any other text (the last one may be
# cut off), and what is outside of texts.
TOKEN = re.compile(
    r"""
      (?P<named>"(?:ts|rid|lane|model|status)"\s*:\s*"[\w.:/+-]{0,64}")
    | (?P<name>"[A-Za-z_][\w.-]{0,63}"\s*:)
    | (?P<text>"(?:[^"\\]|\\.)*(?:"|\\?$))
    | (?P<plain>true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|[\s{}\[\]:,]+)
    | (?P<other>[^\s{}\[\]:,"]+)
    """,
    re.VERBOSE | re.DOTALL,
)
QUOTES = frozenset("\"'\\{}")
HEADER = re.compile(r"^\s*[<>]?\s*([A-Za-z][\w-]*)\s*[:=].*", re.DOTALL)


def describe(line: Line) -> dict[str, Any]:
    """The fields of a rejected line's record."""
    line = line if isinstance(line, TooLong) else TooLong.of(line)
    return {"line": redact_line(line.head), "length": line.length, "sha256": line.sha256, "is_cut": line.length > KEPT}


def redact_line(line: bytes) -> str:
    """JSON without its texts; of a header only its name; of anything else up to four plain words."""
    text = redact(line.decode("utf-8", "replace"))
    if text.lstrip()[:1] in ("{", "["):
        return TOKEN.sub(_masked, text)
    found = HEADER.match(text) if QUOTES.isdisjoint(text) else None  # in a piece of JSON, a text may begin anywhere
    return f"{found[1]}: ***" if found else text if WORDS.fullmatch(text) else "***"


def _masked(found: re.Match[str]) -> str:
    return '"***"' if found["text"] is not None else "*" if found["other"] is not None else found[0]
