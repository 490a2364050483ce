"""JSON values as a record can hold them: no deeper than can be written, no number or text that JSON has not."""

from __future__ import annotations

import json
import math
import re
from typing import Any

DEEPEST = 100  # levels of a record; orjson reads 1024 and writes 254, documents nest records a few levels deeper
SURROGATE = re.compile(r"[\ud800-\udfff]")  # half a character
ESCAPED = re.compile(r"[\udc80-\udcff]+")  # bytes of an argument that the locale could not decode
BITS_64 = range(-(1 << 63), 1 << 64)


def decoded(text: str) -> str:
    """The text of an argument with its escaped bytes as UTF-8, if they are valid UTF-8.

    Under the C locale any letter beyond ASCII comes so. Paths are left as they come: the system reads them back.
    """
    return ESCAPED.sub(_letters, text)


def _letters(escaped: re.Match[str]) -> str:
    try:
        return escaped[0].encode("ascii", "surrogateescape").decode()
    except UnicodeDecodeError:
        return escaped[0]


def plain(value: Any) -> Any:
    """The value with what JSON cannot say replaced: half characters, numbers that are not finite or too long."""
    if isinstance(value, str):
        return SURROGATE.sub("\ufffd", decoded(value))
    if isinstance(value, int) and not isinstance(value, bool) and value not in BITS_64:
        return plain(float(value)) if abs(value) < 1 << 1023 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    return value


def is_too_deep(value: Any, deepest: int = DEEPEST) -> bool:
    """Whether objects and lists are nested deeper than a record may be."""
    level = [value]
    for _ in range(deepest + 1):
        nested = [one for one in level if isinstance(one, dict | list)]
        if not nested:
            return False
        level = [child for one in nested for child in (one.values() if isinstance(one, dict) else one)]
    return True


def loads_leniently(line: bytes) -> Any:
    """What a line says that strict JSON refuses: `NaN`, half characters, long numbers, a byte order mark.

    Programs before this one wrote such lines; None if it is not JSON at all.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return None if is_too_deep(value) else plain(value)
