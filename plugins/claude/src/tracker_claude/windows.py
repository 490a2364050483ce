"""Claude's quota windows: the declared meters, and the keys of those that the vendor may add."""

from __future__ import annotations

import re
from datetime import timedelta
from zlib import adler32

from tracker.api import Meter

SESSION, ALL_MODELS = "session", "all_models"
FIVE_HOURS, WEEK = timedelta(hours=5), timedelta(days=7)
# The panes print the floor; the JSON of a headless turn has decimals, which count as they are.
METERS = (
    Meter(key=SESSION, title="Current session", window=FIVE_HOURS, rounding="floor"),
    Meter(key=ALL_MODELS, title="Current week (all models)", window=WEEK, rounding="floor"),
    Meter(key="opus", title="Current week (Opus)", window=WEEK, rounding="floor"),
    Meter(key="sonnet", title="Current week (Sonnet only)", window=WEEK, rounding="floor"),
)
SPELLINGS = {"allmodels": ALL_MODELS, "opus": "opus", "sonnet": "sonnet", "sonnetonly": "sonnet"}
# 110% is real; Claude Code has put an epoch where a percentage belongs
NONSENSE = 1000
LONGEST, SHORT = 64, 55  # characters of a meter's key, and of one that is cut


def weekly_key(scope: str) -> str | None:
    """The meter of the weekly window of a model: its slug, with `week_` before what is not a key, or the session's.

    None for a name whose words cannot be told apart: a terminal that wraps anywhere breaks a line inside a word or
    between two, a program that wraps its own pane indents the next line. Known names need no such care.
    """
    known = SPELLINGS.get("".join(scope.split()).casefold())
    if known or re.search(r"\S\n\S", scope):
        return known
    slug = re.sub(r"[^a-z0-9]+", "_", scope.casefold()).strip("_")
    if slug[:1].isdigit() or slug == SESSION:
        slug = f"week_{slug}"
    if len(slug) > LONGEST:  # two long names may begin alike
        slug = f"{slug[:SHORT].rstrip('_')}_{adler32(slug.encode()):08x}"
    return slug or None


def length(key: str) -> timedelta:
    """The length of that meter's window, after which the vendor resets it."""
    return FIVE_HOURS if key == SESSION else WEEK
