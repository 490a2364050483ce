"""Extra usage, also called usage credits: money beside the quota, kept as a field group and never as a meter."""

from __future__ import annotations

import re

from tracker.api import JSON
from tracker_claude import resets
from tracker_claude.grammar import PERCENT, RESETS, consume, loose, percentage

AMOUNT = r"\$\s*(?P<{}>[0-9][0-9,]*(?:\s*\.\s*[0-9]{{2}})?)"
PATTERNS = {
    "percent": PERCENT,
    "spent": re.compile(rf"{AMOUNT.format('spent')}(?:\s*/\s*{AMOUNT.format('limit')})?\s*{loose('spent')}(?!\w)"),
    "unlimited": re.compile(loose("Unlimited")),
    "off": re.compile(rf"(?:{loose('Usage credits are off')}|{loose('Extra usage is off')})(?!\w)"),
    "resets": re.compile(rf"{RESETS}\s*{resets.WHEN}"),
    "date": re.compile(rf"{RESETS}\s*{resets.DATE}(?:(?<=\))|(?!\Z))"),  # not a cut `Dec 1` of `Dec 12`
}


def from_pane(body: str) -> dict[str, JSON]:
    """The group of a pane's section: `enabled`, `used_pct`, `spent`, `limit`, `unlimited`, `resets`, if printed."""
    found = consume(body, PATTERNS)
    spent, when = found.get("spent"), found.get("resets") or found.get("date")
    group: dict[str, JSON] = {
        "enabled": "off" not in found if found else None,
        "used_pct": percentage(found.get("percent")),
        "spent": _dollars(spent and spent["spent"]),
        "limit": _dollars(spent and spent["limit"]),
        "unlimited": True if "unlimited" in found else None,
        "resets": resets.words(when) if when else None,
    }
    return {name: value for name, value in group.items() if value is not None}


def _dollars(text: str | None) -> float | None:
    return float("".join(text.replace(",", "").split())) if text else None
