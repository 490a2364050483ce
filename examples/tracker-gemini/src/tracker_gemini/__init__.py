"""The source `gemini`: what Gemini CLI 0.61 prints for `/stats model`.

The quota stands above the table where an automatic model is chosen: `42% used (Limit resets in 3h 12m)`, or `Limit
reached, resets in 5h`. Requests and tokens are the session's and begin at 0 with it, so they are fields and no meters.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from tracker.api import JSON, Block, Gauge, Meter, PreviewContext, Reading, Row, StatusSource, hookimpl, plain_text

HEAD = "Stats For Nerds"
LINE = re.compile(r"│ +(.*?) *│ *")  # a line that was cut or wrapped has no right edge: it is not read
QUOTA = re.compile(r"(?:(?P<used>\d{1,3})% used|Limit reached)(?:(?: \(Limit |, )resets (?P<when>in[\dhm ]*)\)?)?")
WHEN = re.compile(r"in(?: (\d{1,3})h)?(?: (\d{1,2})m)?")
COUNT = re.compile(r"([\d,]{1,20})(?: \(\d+\.\d%\))?")
COUNTS = {
    "Requests": "requests",
    "↳ Input": "input_tokens",
    "↳ Cache Reads": "cache_read_tokens",
    "↳ Output": "output_tokens",
}

SOURCE = StatusSource(
    contract="1.2",
    name="gemini",
    title="Gemini",
    prefix="ge",
    meters=(Meter(key="daily", title="Daily limit", window=timedelta(days=1)),),
    capacity="daily",
    tags={
        "insufficient-data": "the text shows no quota; choose an automatic model, then capture all of /stats model",
        "multi-pane-trimmed": "the text holds several panes and only the last one counts; nothing to do",
    },
)


@hookimpl
def source_info() -> StatusSource:
    return SOURCE


@hookimpl
def parse_status(text: str, captured_at: datetime) -> Reading:
    above, head, pane = plain_text(text).rpartition(HEAD)
    lines = [found[1] for line in pane.split("\n") if head and (found := LINE.fullmatch(line))]
    quota = next((found for line in lines if (found := QUOTA.fullmatch(line))), None)
    errors = [] if quota else ["insufficient-data"]
    if HEAD in above:
        errors.append("multi-pane-trimmed")
    gauges = (_gauge(quota, captured_at),) if quota else ()
    return Reading(gauges=gauges, fields={"models": _models(lines)}, errors=tuple(errors))


def _gauge(quota: re.Match[str], captured_at: datetime) -> Gauge:
    used = 100 if quota["used"] is None else int(quota["used"])
    when = WHEN.fullmatch(quota["when"] or "")
    if when is None or not any(when.groups()):  # a reset that is over prints no time
        return Gauge(meter="daily", used=used)
    left = timedelta(hours=int(when[1] or 0), minutes=int(when[2] or 0))
    return Gauge(meter="daily", used=used, resets=quota["when"], reset_at=captured_at + left)


def _models(lines: list[str]) -> dict[str, JSON]:
    """The counts of each model: a column of the table, whose cells have two spaces between them."""
    rows: dict[str, list[str]] = {}
    for line in lines:
        label, *cells = re.split(r" {2,}", line)
        rows.setdefault(label, cells)  # the roles below the table repeat its labels
    models: dict[str, JSON] = {}
    for place, name in enumerate(rows.get("Metric", [])):
        models[name] = {count: _count(rows.get(label, []), place) for label, count in COUNTS.items()}
    return models


def _count(cells: list[str], place: int) -> int | None:
    found = COUNT.fullmatch(cells[place]) if place < len(cells) else None
    return int(found[1].replace(",", "")) if found and found[1].strip(",") else None


@hookimpl
def render_preview_block(context: PreviewContext) -> Block | None:
    """What each model of the newest session did."""
    newest = context.records[-1] if context.records else {}
    models = (newest.get("parsed") or {}).get("models")
    if not models or not isinstance(models, dict):
        return None
    rows = (Row(label=name, values=dict(counts)) for name, counts in models.items() if isinstance(counts, dict))
    return Block(title=SOURCE.title, rows=tuple(rows))
