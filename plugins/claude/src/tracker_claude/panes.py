"""Claude Code's `/usage` panes and the output of its print mode: the last one of a paste, and its reading."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from itertools import pairwise

from tracker.api import Gauge, Reading
from tracker_claude import bars, resets, windows
from tracker_claude.grammar import PERCENT, loose
from tracker_claude.sections import TITLE, Section, sections

CUT_NUMBER = re.compile(r"(?<=[0-9])\n(?=[0-9])")  # only a terminal breaks a line there, and it does not indent
PRINTED = loose("You are currently using your")  # ... subscription, or overages, to power your Claude Code usage
# A command and the card under it, or the first line of a card or of the print mode without its command
CARD = r"Set\w*:?\s+Sta\w*\s+Co"  # narrow cards cut these words: `Setting Status  Config`
START = re.compile(
    # other programs also have a `/status`
    rf"^[^\S\n]*(?:(?:[>❯][^\S\n]*)?/(?:usage[^\S\n]*$|status(?=[\s─-▟]*{CARD}))"
    rf"|{CARD}"
    rf"|{PRINTED})",
    re.MULTILINE,
)
NOTICES = {
    "not-subscribed": re.compile(loose("/usage is only available for subscription plans")),
    "usage-not-loaded": re.compile(
        rf"(?:{loose('Failed to')}|{loose('Couldn')}\s*['’]?\s*t)\s*{loose('load usage data')}"
        rf"|{loose('Usage endpoint is rate limited')}|{loose('usage page is rate limited')}"
        rf"|{loose('Status dialog dismissed')}|{loose('Loading usage data')}"
    ),
}
NOTHING_PRINTED = re.compile(PRINTED)  # the print mode's only line where its request failed
# A terminal that is split was copied as one: text behind the line between its halves, which is no box's left edge.
BESIDE = re.compile(r"^[^\n]{4,}?[│┃][^\n]*[^\s│┃]", re.MULTILINE)
STALE = re.compile(loose("Showing last-known usage"))


def read(text: str, captured_at: datetime, timezone: tzinfo) -> Reading:
    """The reading of the last pane in a plain text."""
    if _is_beside(text):
        return Reading(errors=("side-by-side", "insufficient-data"))
    *earlier, pane = _panes(CUT_NUMBER.sub("", bars.marked(text.expandtabs())))
    found = sections(pane)
    shown = found[_last_pane(found) :]
    first: dict[str, Section] = {}
    for section in shown:
        if section.key is not None:
            first.setdefault(section.key, section)
    zones = _prints_zones(pane, shown)
    cut = {key for key, section in first.items() if section.open and _cut(section.when, zones)}
    whens = {key: None if key in cut else section.when for key, section in first.items()}
    gauges = tuple(
        Gauge(
            meter=key,
            used=first[key].used,
            resets=when and when.words,
            reset_at=when and resets.instant(when, captured_at, timezone, windows.length(key)),
        )
        for key, when in whens.items()
    )
    unread = [key for key, section in first.items() if section.unread or key in cut]
    group = next((section.extra for section in shown if section.extra), None)
    return Reading(
        gauges=gauges,
        fields={"extra": group} if group else {},
        errors=tuple(_errors(pane, shown, gauges, unread, bool(earlier) or len(shown) < len(found))),
    )


def _is_beside(text: str) -> bool:
    """Whether another pane is beside the last one, from its first percentage to the last."""
    begin = max((found.start() for found in START.finditer(text)), default=0)
    places = [found.start() for found in PERCENT.finditer(text, begin)]
    lines = text[text.rfind("\n", 0, places[0]) + 1 : text.find("\n", places[-1])] if places else ""
    return BESIDE.search(lines) is not None


def _panes(text: str) -> list[str]:
    """The text of each pane; what comes before the first beginning is one if it says something."""
    starts: list[int] = []
    end = 0
    for found in START.finditer(text):
        if not starts or text[end : found.start()].strip():  # else it is the card right under its command
            starts.append(found.start())
        end = found.end()
    if not starts:
        return [text]
    above = text[: starts[0]]
    panes = [text[start:stop] for start, stop in pairwise([*starts, len(text)])]
    return [above, *panes] if TITLE.search(above) or _notices(above) else panes


def _last_pane(found: Sequence[Section]) -> int:
    """Where the last pane begins among sections: none shows a meter twice, but a cut title can look like another's."""
    begin, seen = 0, set[str | None]()
    for place, section in enumerate(found):
        if section.used is not None and section.key in seen:
            begin, seen = place, set()
        seen.add(section.key)
    return begin


def _prints_zones(pane: str, shown: Sequence[Section]) -> bool:
    """Whether the times of a pane have zones, as in every version; one above that has none says that they do not."""
    clocks = [section.when.zone for section in shown if section.when and section.when.clock and not section.open]
    return any(clocks) if clocks else START.match(pane) is not None


def _cut(when: resets.When | None, zones: bool) -> bool:
    """Whether words with nothing after them were cut off: `Nov 2`, or the zone in a pane that prints zones.

    Number panes of every version print zones. Only in lines that someone picked out of a pane, and in none of which a
    zone stands, is a time at the end taken for the whole of it.
    """
    if when is None or when.words.endswith(")"):
        return False
    return zones if when.clock else when.words[0].isupper() or when.words[0].isdigit()


def _errors(
    pane: str, shown: Sequence[Section], gauges: Sequence[Gauge], unread: Sequence[str], trimmed: bool
) -> Iterator[str]:
    garbled = [section.key for section in shown if section.contradicted and section.key]
    tags = [f"bar-contradicts:{key}" for key in garbled]
    if all(gauge.used is None for gauge in gauges):
        notices = _notices(pane)
        if not notices and not shown and NOTHING_PRINTED.search(pane):
            notices = ["usage-not-loaded"]
        # a bar that contradicts says why there is no value, and what helps
        yield from notices or [*tags, "insufficient-data"]
        tags = tags if notices else []
    missing = [gauge.meter for gauge in gauges if gauge.used is None and gauge.meter not in garbled]
    if any(section.key is None and section.extra is None for section in shown):
        missing.append("unknown")
    yield from (f"section-missing:{meter}" for meter in missing)
    yield from tags
    unread = [*unread, *(gauge.meter for gauge in gauges if gauge.resets and gauge.reset_at is None)]
    yield from (f"reset-unread:{key}" for key in dict.fromkeys(unread))
    if STALE.search(pane):
        yield "stale-data"
    if trimmed:
        yield "multi-pane-trimmed"


def _notices(pane: str) -> list[str]:
    return [tag for tag, pattern in NOTICES.items() if pattern.search(pane)]
