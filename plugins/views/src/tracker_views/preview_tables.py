"""The preview on a terminal: the facts of its text as tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from shlex import quote
from textwrap import wrap
from typing import Any, TypeAlias

from rich.text import Text

from tracker.api import Block, Cell, Column, Period, Row
from tracker.kernel import Session, line
from tracker_views.cells import is_filled
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
PANEL = "preview"  # the name of panels that stand here
Table: TypeAlias = tuple[Sequence[Column], Sequence[Mapping[str, Cell]]]
Part: TypeAlias = str | Text | Table  # what is wrapped, what stands as it is, what is fitted


def show(session: Session, preview: Any) -> None:
    width = room()
    # in full before a line of it is printed: if a part fails, the text is printed instead
    write(session, [text for part in _parts(session, preview) for text in _drawn(part, width, session.zone)])


def _drawn(part: Part, width: int, zone: tzinfo) -> Iterable[Text]:
    if isinstance(part, str):
        return map(Text, wrap(part, width, subsequent_indent="  ", break_on_hyphens=False))
    if isinstance(part, Text):
        return [part]
    columns, rows = part
    # a column without any value says nothing
    return lines([one for one in columns if is_filled(one, rows)], rows, width, zone)


def _parts(session: Session, preview: Any) -> Iterator[Part]:
    document = preview.document()
    yield f"Windows: {', '.join(map(line, preview.windows)) or 'none'}"
    cure = ": `tracker doctor` lists them" if preview.anomalies else ""
    yield f"Open anomalies: {len(preview.anomalies)}{cure}"
    if preview.providers:
        panel = efficiency(document["providers"])
        columns = [one for one in panel.columns if one.key not in ("spread", "needed")]
        yield from _section("Efficiency", columns, panel.rows)
        # a narrow terminal has no room for a column that says why a window does not count
        for row, one in zip(panel.rows, preview.providers, strict=True):
            for text in (*excluded(one), *one.efficiency.remarks):
                yield line(f"{row['provider']}: {text}.")
        # a figure above is no longer true
        for name, window in ((one.source.name, found) for one in preview.providers for found in one.stale):
            cure = f"`tracker decision-card --window {line(quote(window))}` names the cure"
            yield f"{name} {line(window)} is stale: its captures changed after finalizing. {cure}."
    if document["windows"]:
        yield from _section("Windows", WINDOWS, [_window(one) for one in document["windows"]])
    if moved := [one for one in document["open"] if one["capacity"] is not None]:
        yield from _section("Not finalized", OPEN, moved)
    yield from _used(session, preview.windows)
    for shown in preview.blocks:
        yield from _block(shown.block)
        for found in preview.divergences:
            if found.is_divergent and found.source is shown.source:
                one, apart = found.compared, f"over {found.threshold:g} points apart"
                meter = f"{one.provider} {one.meter} {found.shown:g} % on its meter"
                yield f"Divergent: {one.scope} {found.reported:g} % here, {meter} ({apart})."
    for error in preview.not_shown:
        yield f"Not shown: {error.plugin}: {line(error.cause)}"


def _used(session: Session, windows: tuple[str, ...]) -> Iterator[Part]:
    """What features show besides the blocks, such as the tokens and money of each window."""
    failures: list[str] = []
    for panel in panels_of(session, Period(windows=windows, names=(PANEL,)), failures):
        if panel.name == PANEL:
            if panel.rows:
                yield from _section(panel.title, panel.columns, panel.rows)
            elif panel.missing:
                yield from _heading(panel.title)
            yield from panel.missing
    yield from (f"Not shown: {line(text)}" for text in failures)


def _heading(title: str) -> Iterator[Part]:
    yield Text()
    yield Text(line(title), style="bold underline")


def _section(title: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Cell]]) -> Iterator[Part]:
    yield from _heading(title)
    yield columns, rows


def _window(one: Mapping[str, Any]) -> Mapping[str, Cell]:
    state = "finalized" if one["finalized"] else "open"
    return {"window": one["id"], "state": state, **{key: one[key] for key in ("outcome", "quality", "notes")}}


def _block(block: Block) -> Iterator[Part]:
    """Rows with the same values are a table, others lines of text."""
    rows = list(block.rows)
    if len(rows) > 1 and len({tuple(row.values) for row in rows}) == 1 and all(map(_is_flat, rows)):
        yield from _section(block.title, *_table(rows))
        return
    yield from _heading(block.title)
    yield from map(str, rows)


def _is_flat(row: Row) -> bool:
    return all(one is None or isinstance(one, bool | int | float | str) for one in row.values.values())


def _table(rows: Sequence[Row]) -> Table:
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
