"""Checked values of GLM's JSON: a value of another type is not converted."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tracker.api import count

EPOCH_MS = range(946_684_800_000, 4_102_444_800_000)  # 2000 to 2100; seconds taken for milliseconds would be 1970

WORD = re.compile(r"[A-Za-z][A-Za-z0-9 _.-]{0,39}")


def word(value: object) -> str | None:
    """A plan's name such as `pro`."""
    return value if isinstance(value, str) and WORD.fullmatch(value) else None


def epoch_ms(value: object) -> datetime | None:
    """The instant of milliseconds since 1970."""
    known = count(value)
    return datetime.fromtimestamp(known / 1000, UTC) if known is not None and known in EPOCH_MS else None
