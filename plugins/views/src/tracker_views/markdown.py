"""The report as Markdown, for a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import tzinfo

from tracker.kernel import escape, plural
from tracker_views.cells import is_number
from tracker_views.content import METHOD, Content
from tracker_views.html import Part, part, title, zone_words

SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def page(content: Content, zone: tzinfo) -> str:
    return escape("\n".join(_lines(content, zone))) + "\n"


def _plain(text: str) -> str:
    """Text as text: nothing in it is Markdown or HTML."""
    return SPECIAL.sub(r"\\\1", text.replace("&", "&amp;")).replace("\n", " ")


def _marked(text: str) -> str:
    """The same, but commands, which have backticks around them, stay code."""
    parts = re.split("(`[^`\n]+`)", text)
    return "".join(part if place % 2 else _plain(part) for place, part in enumerate(parts))


def _lines(content: Content, zone: tzinfo) -> Iterator[str]:
    yield f"# {_plain(title(content))}"
    yield ""
    made = f"{content.now.astimezone(zone):%a %d %b %Y %H:%M %Z}"
    yield f"Made {made}. {plural(len(content.period.windows), 'window')}. {zone_words(zone)}"
    for line in content.headlines:
        yield from ("", _marked(line))
    for panel in content.panels:
        yield from _panel(part(panel, zone))
    for section in content.sections:
        yield from ("", f"## {_plain(section.title)}", "")
        yield from (f"- {_marked(line)}" for line in section.lines)
    yield from ("", "## Method")
    for line in METHOD:
        yield from ("", _plain(line))
    if content.missing:
        yield from ("", "## What is missing", "")
        yield from (f"- {_marked(line)}" for line in content.missing)


def _panel(found: Part) -> Iterator[str]:
    yield from ("", f"## {_plain(found.panel.title)}", "")
    if found.panel.about:
        yield _plain(found.panel.about)
    if not found.rows:
        return
    yield ""
    yield f"| {' | '.join(_plain(column.title) for column in found.columns)} |"
    yield f"|{'|'.join(' ---: ' if is_number(column) else ' --- ' for column in found.columns)}|"
    for row in found.rows:
        yield f"| {' | '.join(_plain(text) for text, _, _ in row)} |"
    if found.left_out:
        yield from ("", f"{plural(found.left_out, 'more row')} left out here.")
