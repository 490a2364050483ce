"""The preview on a terminal: the facts of its text as tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from shlex import quote
from textwrap import wrap
from typing import Any

from rich.text import Text

from tracker.api import Block, Cell, Column, Period, Row
from tracker.kernel import Session, line
from tracker_views.content import efficiency, excluded, panels_of
from tracker_views.terminal import lines, room, write

FIELD = re.compile(r"\{(\w+)(?::(?:\.\d)?([^}]*))?\}")
WINDOWS = (
    Column(key="window", title="Window", rank=0),
    Column(key="state", title="State", rank=0),
    Column(key="outcome", title="Outcome", rank=0),
    Column(key="quality", title="Quality", kind="number", rank=1),
    Column(key="notes", title="Notes", rank=0),
)
OPEN = (
    Column(key="window", title="Open window", rank=0),
    Column(key="provider", title="Provider", rank=0),
    Column(key="capacity", title="Capacity", kind="number", rank=0),
    Column(key="unit", title="Unit", rank=1),
)
# columns are as wide as all of their rows: more are printed as text, as they are read
MOST_WINDOWS = 400
USAGE = "usage-window"  # the panel of what each window used


def show(session: Session, preview: Any) -> None:
    # in full before a line of it is printed: if a part fails, the text is printed instead
    write(session, list(_screen(session, preview, room())))


def _screen(session: Session, preview: Any, width: int) -> Iterator[Text]:
    local = session.zone
    document = preview.document()
    yield from _wrapped(f"Windows: {', '.join(map(line, preview.windows)) or 'none'}", width)
    cure = ": `tracker doctor` names them" if preview.anomalies else ""
    yield from _wrapped(f"Open anomalies: {len(preview.anomalies)}{cure}", width)
    if preview.providers:
        panel = efficiency(document["providers"])
        columns = [one for one in panel.columns if one.key not in ("spread", "needed")]
        yield from _section("Efficiency", columns, panel.rows, width, local)
        # a narrow terminal has no room for a column that says why a window does not count
        for row, one in zip(panel.rows, preview.providers, strict=True):
            for text in (*excluded(one), *one.efficiency.remarks):
                yield from _wrapped(line(f"{row['provider']}: {text}."), width)
        # a figure above is not true any more
        for name, window in ((one.source.name, found) for one in preview.providers for found in one.stale):
            cure = f"`tracker decision-card --window {line(quote(window))}` names the cure"
            yield from _wrapped(
                f"{name} {line(window)} is stale: its captures changed after finalizing. {cure}.", width
            )
    if document["windows"]:
        yield from _section("Windows", WINDOWS, [_window(one) for one in document["windows"]], width, local)
    if moved := [one for one in document["open"] if one["capacity"] is not None]:
        yield from _section("Not finalized", OPEN, moved, width, local)
    yield from _used(session, preview.windows, width)
    for shown in preview.blocks:
        yield from _block(shown.block, width, local)
        for found in preview.divergences:
            if found.is_divergent and found.source is shown.source:
                one = found.compared
                text = (
                    f"{one.scope} {found.reported:g} % here, {one.provider} {one.meter} {found.shown:g} % on its meter"
                )
                yield from _wrapped(f"Divergent: {text} (over {found.threshold:g} points apart).", width)
    for error in preview.not_shown:
        yield from _wrapped(f"Not shown: {error.plugin}: {line(error.cause)}", width)


def _used(session: Session, windows: tuple[str, ...], width: int) -> Iterator[Text]:
    """Tokens and money of each window. A pipe goes without: its reader would wait for all session logs to be read."""
    failures: list[str] = []
    for panel in panels_of(session, Period(windows=windows, names=(USAGE,)), failures):
        if (panel.name, panel.distribution) == (USAGE, ""):
            if panel.rows:
                yield from _section(panel.title, panel.columns, panel.rows, width, session.zone)
            for text in panel.missing:
                yield from _wrapped(text, width)
    for text in failures:
        yield from _wrapped(f"Not shown: {text}", width)


def _wrapped(text: str, width: int) -> Iterator[Text]:
    yield from (Text(part) for part in wrap(text, width, subsequent_indent="  ", break_on_hyphens=False))


def _section(
    title: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Cell]], width: int, local: Any
) -> Iterator[Text]:
    yield Text()
    yield Text(line(title), style="bold underline")
    # a column without any value says nothing
    known = [one for one in columns if any(row.get(one.key) is not None for row in rows)]
    yield from lines(known, rows, width, local)


def _window(one: Mapping[str, Any]) -> Mapping[str, Cell]:
    state = "finalized" if one["finalized"] else "open"
    return {"window": one["id"], "state": state, **{key: one[key] for key in ("outcome", "quality", "notes")}}


def _block(block: Block, width: int, local: Any) -> Iterator[Text]:
    """Rows with the same values are a table, others lines of text."""
    rows = list(block.rows)
    if len(rows) > 1 and len({tuple(row.values) for row in rows}) == 1 and all(map(_is_flat, rows)):
        yield from _section(block.title, *_table(rows), width, local)
        return
    yield Text()
    yield Text(line(block.title), style="bold underline")
    for row in rows:
        yield from _wrapped(str(row), width)


def _is_flat(row: Row) -> bool:
    return all(one is None or isinstance(one, bool | int | float | str) for one in row.values.values())


def _table(rows: Sequence[Row]) -> tuple[Sequence[Column], Sequence[Mapping[str, Cell]]]:
    """A column for each value, with the unit that the rows' text gives it; the label first if no value repeats it."""
    units = {key: unit.strip() for row in rows for key, unit in FIELD.findall(row.text or "")}
    values: list[dict[str, Any]] = [dict(row.values) for row in rows]
    columns = []
    for rank, key in enumerate(rows[0].values):
        known = [one[key] for one in values if one[key] is not None]
        is_figure = bool(known) and all(isinstance(one, int | float) and not isinstance(one, bool) for one in known)
        title = key.replace("_", " ").capitalize() + (f", {units[key]}" if units.get(key) else "")
        columns.append(
            Column(key=key, title=line(title), kind="number" if is_figure else "text", rank=max(0, rank - 1))
        )
    if any(row.label and not set(row.label.split()) <= set(map(str, row.values.values())) for row in rows):
        columns.insert(0, Column(key="\0", title="", rank=0))
        values = [{**one, "\0": row.label} for one, row in zip(values, rows, strict=True)]
    return columns, values
