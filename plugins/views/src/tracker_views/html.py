"""The report as one HTML file: no script, no request, every text escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, tzinfo
from functools import partial
from importlib.resources import files
from itertools import chain

from attrs import frozen
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from tracker.api import Column, Panel
from tracker.kernel import escape, plural
from tracker_views.cells import is_filled, is_number, text
from tracker_views.charts import SERIES, Picture, picture
from tracker_views.content import METHOD, UNKNOWN, Content

# Rows of one table. The rest is said to be missing: a year of windows has to stay a file that can be mailed.
MOST_ROWS = 120
# Longer tables are folded.
OPEN_ROWS = 12
# More columns than that have upright heads: heads beside each other would be wider than a screen.
FLAT_COLUMNS = 13


@frozen(kw_only=True)
class Part:
    """A panel as the template takes it."""

    panel: Panel
    columns: Sequence[Column]
    rows: Sequence[Sequence[tuple[str, bool, bool]]]  # text, whether it is a number, whether it is known
    left_out: int
    number: int = 0

    @property
    def anchor(self) -> str:
        """The id of its heading: a third party's name may hold anything, and twice the same."""
        return re.sub(r"[^\w.-]+", "-", self.panel.name) + (f"-{self.number}" if self.panel.distribution else "")

    @property
    def is_folded(self) -> bool:
        return len(self.rows) > OPEN_ROWS

    @property
    def is_wide(self) -> bool:
        return len(self.columns) > FLAT_COLUMNS


def page(content: Content, zone: tzinfo) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["marked"] = marked
    style = _file("report.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = environment.from_string(_file("report.html"))
    rendered: str = template.render(
        content=content,
        title=title(content),
        made=f"{content.now.astimezone(zone):%a %d %b %Y %H:%M %Z}",
        zone=zone_words(zone),
        time_span=_time_span(content, zone),
        made_utc=f"{content.now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        parts=[part(panel, zone, number) for number, panel in enumerate(content.panels)],
        style=Markup(style),
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        method=METHOD,
        series=range(SERIES),
        unknown=UNKNOWN,
        plural=plural,
        is_number=is_number,
        pictures=partial(pictures, content=content, zone=zone),
    )
    return escape(rendered) + "\n"


def marked(text: str) -> Markup:
    """Text with its commands, which are in backticks, marked as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(Markup.escape(text))))


def title(content: Content) -> str:
    windows = content.period.windows
    whose = f" of {content.period.provider}" if content.period.provider else ""
    names = f", {windows[0]} to {windows[-1]}" if len(windows) > 1 else "".join(f" {one}" for one in windows)
    return f"Usage report{whose}{names}"


def zone_words(zone: tzinfo) -> str:
    """Whose times these are, for whoever reads the page elsewhere; the name may be a path of this machine."""
    name = str(zone)
    return f"All times are in {name}." if not name.startswith("/") else "All times are local."


def _time_span(content: Content, zone: tzinfo) -> str:
    """From the first window's beginning to the last one's end."""
    spans = list(chain.from_iterable(content.spans.values()))
    begins = [begin for begin, _ in spans]
    ends = [end or content.now for _, end in spans]
    if not begins:
        return ""
    return f", {min(begins).astimezone(zone):%d %b %Y} to {max(ends).astimezone(zone):%d %b %Y}"


def part(panel: Panel, zone: tzinfo, number: int = 0) -> Part:
    """A panel with its cells as text."""
    known = [column for column in panel.columns if column.rank == 0 or is_filled(column, panel.rows)]
    rows = [
        [
            (text(row.get(column.key), column, zone), is_number(column), row.get(column.key) is not None)
            for column in known
        ]
        for row in panel.rows[:MOST_ROWS]
    ]
    return Part(panel=panel, columns=known, rows=rows, left_out=max(0, len(panel.rows) - MOST_ROWS), number=number)


def pictures(panel: Panel, content: Content, zone: tzinfo) -> list[Picture]:
    """The charts of a panel that have something to show, with the windows of those that its rows name."""
    providers, accounts = ({row.get(key) for row in panel.rows} - {None} for key in ("provider", "account"))
    spans = chain.from_iterable(
        own
        for (provider, account), own in content.spans.items()
        if (not providers or provider in providers) and (not accounts or account in {None, *accounts})
    )
    bands = [(begin, end or content.now) for begin, end in dict.fromkeys(spans)]
    drawn = [picture(panel, chart, zone, bands) for chart in panel.charts]
    return [one for one in drawn if one is not None]


def _file(name: str) -> str:
    return files("tracker_views").joinpath("templates", name).read_text(encoding="utf-8")
