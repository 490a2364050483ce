"""The preview: the core's head, and a block from every source that has something to show."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import field, frozen

from tracker.contract.blocks import Block, PreviewContext
from tracker.contract.events import EventTotals
from tracker.contract.features import StreamFacts
from tracker.contract.readings import EPOCH, instant
from tracker.contract.sources import Source
from tracker.errors import PluginError
from tracker.hosting.registry import STRICT
from tracker.hosting.snapshots import SNAPSHOTS
from tracker.journal.index import Entry
from tracker.journal.records import SCHEMA
from tracker.session import Session
from tracker.text.render import MISSING, line, number, plural, rate, row, value
from tracker.windows.anomalies import ANOMALIES, open_anomalies
from tracker.windows.captures import captures, spans
from tracker.windows.divergence import Divergence, divergences
from tracker.windows.efficiency import Groups, OpenFigures, ProviderFigures, finalized_figures, open_figures
from tracker.windows.finalized import Finalized, finalized
from tracker.windows.missing_plugins import Absent, absent, named


@frozen(kw_only=True)
class Shown:
    """A block and where it comes from; of telemetry also how many events lie outside of each window's span."""

    source: Source
    block: Block
    outside: Mapping[str, int] = field(factory=dict)


@frozen(kw_only=True)
class Preview:
    """Everything that is shown, as data."""

    windows: tuple[str, ...]
    rows: Mapping[str, Finalized]
    anomalies: tuple[Entry, ...]
    providers: tuple[ProviderFigures, ...]
    open: tuple[OpenFigures, ...]
    blocks: tuple[Shown, ...]
    not_shown: tuple[PluginError, ...]
    absent: tuple[Absent, ...]
    divergences: tuple[Divergence, ...]

    def lines(self) -> Iterator[str]:
        """The preview as people read it."""
        return lines(self)

    def document(self) -> dict[str, Any]:
        """The preview as one JSON object."""
        return document(self)


def assemble(session: Session, windows: Iterable[str]) -> Preview:
    """Read the windows once and ask every source for its block."""
    shown = tuple(windows)
    groups = captures(session.index, session.registry, shown)
    rows = {window: found for window, found in finalized(session.index, shown).items() if window in shown}
    rows = {window: rows[window] for window in shown if window in rows}
    blocks: list[Shown] = []
    not_shown: list[PluginError] = []
    for source in sorted(session.registry.sources.values(), key=lambda source: (source.place, source.title)):
        if not session.registry.has(source.name, "render_preview_block"):
            continue
        try:
            block = session.registry.call(
                source.name, "render_preview_block", context=_context(session, source, shown, groups)
            )
        except PluginError as error:
            if os.environ.get(STRICT) == "1":
                raise
            not_shown.append(error)
        else:
            if block is not None:
                blocks.append(Shown(source=source, block=block, outside=_outside(session, source, shown, groups)))
    not_finalized = [window for window in shown if window not in rows]
    return Preview(
        windows=shown,
        rows=rows,
        anomalies=tuple(open_anomalies(session, shown)),
        providers=tuple(finalized_figures(session, rows, groups)),
        open=tuple(open_figures(session, not_finalized, groups)),
        blocks=tuple(blocks),
        not_shown=tuple(not_shown),
        absent=tuple(absent(session, shown)),
        divergences=tuple(divergences(session, shown)),
    )


def _context(session: Session, source: Source, windows: tuple[str, ...], groups: Groups) -> PreviewContext:
    if source.kind == "telemetry":
        facts = _stream_facts(session, source, windows, groups)
        return PreviewContext(windows=windows, events=facts.totals if facts else EventTotals())
    if source.name == SNAPSHOTS:
        records = [dict(capture.record) for group in groups.values() for capture in group]
    else:
        records = [entry.record for entry in session.index.entries(source.stream, windows)]
        if source.kind != "view":
            records = [record for record in records if record.get("provider", source.name) == source.name]
    records.sort(key=lambda record: instant(record.get("captured_at")) or EPOCH)  # of one instant the later line last
    return PreviewContext(windows=windows, records=tuple(records))


def _outside(session: Session, source: Source, windows: tuple[str, ...], groups: Groups) -> Mapping[str, int]:
    if source.kind != "telemetry":
        return {}
    facts = _stream_facts(session, source, windows, groups)
    return facts.outside if facts else {}


def _stream_facts(session: Session, source: Source, windows: tuple[str, ...], groups: Groups) -> StreamFacts | None:
    found: StreamFacts | None = session.registry.first(
        "stream_facts", session=session, source=source, windows=windows, spans=spans(session, windows, groups)
    )
    return found


# --- as text


def lines(preview: Preview) -> Iterator[str]:
    """The preview as people read it."""
    yield f"Windows: {', '.join(map(line, preview.windows)) or 'none'}"
    yield f"Anomalies: {len(preview.anomalies)} (see {ANOMALIES}.jsonl)"
    yield "Providers:" if preview.providers or preview.open else f"Providers: {MISSING}"
    for figures in preview.providers:
        yield _provider_line(figures)
    for entry in preview.open:
        label = entry.source.name if len(preview.windows) == 1 else f"{entry.source.name} {entry.window}"
        capacity = value(entry.capacity, unit=f" {entry.unit}")
        yield f"  - {label}: features=n/a, capacity={capacity}, efficiency=n/a, ci=n/a, n=0, power=n/a (open)"
    yield from _outcomes(preview)
    yield from _notes(preview)
    for shown in preview.blocks:
        yield f"{line(shown.block.title)}:"
        for one in shown.block.rows:
            yield f"  - {row(one.label, one.text, one.values)}"
        yield from _divergence_lines(preview, shown.source)
    for error in preview.not_shown:
        yield f"not shown: {error.plugin}: {line(error.cause)}"


def _provider_line(figures: ProviderFigures) -> str:
    estimate, unit = figures.efficiency, f" {figures.unit}"
    totals = figures.totals
    parts = [
        f"features={value(totals['features'])}",
        f"capacity={value(totals['capacity'], unit=unit)}",
        f"efficiency={rate(estimate.efficiency)}",
    ]
    ci, power = MISSING, MISSING
    if estimate.ci_kind == "measured":
        if estimate.ci is not None:
            ci = "-".join(rate(limit, estimate.efficiency) for limit in estimate.ci)
        power = value(estimate.power, digits=2)
    parts += [f"ci={ci}", f"n={estimate.n}", f"power={power}"]
    marks = [f"excluded {line(one['window'])}: {line(one['reason'])}" for one in figures.excluded]
    marks += ["stale: re-run complete"] if figures.stale else []
    marks += map(line, estimate.remarks)
    return f"  - {figures.source.name}: {', '.join(parts)}" + "".join(f" ({mark})" for mark in marks)


def _outcomes(preview: Preview) -> Iterator[str]:
    def one(window: str) -> str:
        found = preview.rows.get(window)
        quality = found.quality if found else None
        return f"quality={value(quality, digits=1)}, outcome={value(found.text('outcome') if found else None)}"

    if len(preview.windows) == 1:
        yield f"Outcome: {one(preview.windows[0])}"
    elif preview.windows:
        yield "Outcome:"
        for window in preview.windows:
            mark = "" if window in preview.rows else " (open)"
            yield f"  - {line(window)}: {one(window)}{mark}"


def _notes(preview: Preview) -> Iterator[str]:
    notes = {window: found.text("notes") for window, found in preview.rows.items() if found.text("notes")}
    if len(preview.windows) == 1 or not notes:
        yield f"Notes: {value(next(iter(notes.values()), None))}"
    else:
        yield "Notes:"
        for window, text in notes.items():
            yield f"  - {line(window)}: {value(text)}"


def _divergence_lines(preview: Preview, source: Source) -> Iterator[str]:
    for found in preview.divergences:
        if found.source == source.name and found.is_divergent:
            yield (
                f"  - divergent: {found.scope} {number(found.reported)}% here, {found.provider} {found.meter}"
                f" {number(found.shown)}% on its meter (over {number(found.threshold)} points apart)"
            )


# --- as JSON


def document(preview: Preview) -> dict[str, Any]:
    """The preview as one JSON object."""
    return {
        "schema_version": SCHEMA,
        "windows": [_window(preview, window) for window in preview.windows],
        "anomalies": [entry.record | {"record_id": entry.record_id} for entry in preview.anomalies],
        "providers": [_provider(figures) for figures in preview.providers],
        "open": [
            {
                "provider": entry.source.name,
                "window": entry.window,
                "capacity": entry.capacity,
                "unit": entry.unit,
                "errors": list(entry.errors),
            }
            for entry in preview.open
        ],
        "blocks": [
            {
                "title": shown.block.title,
                "source": shown.source.name,
                "rows": [({"label": one.label} if one.label else {}) | dict(one.values) for one in shown.block.rows],
                **({"outside_window": dict(shown.outside)} if shown.outside else {}),
            }
            for shown in preview.blocks
        ],
        "divergences": [
            {
                "source": found.source,
                "scope": found.scope,
                "reported": found.reported,
                "provider": found.provider,
                "meter": found.meter,
                "shown": found.shown,
                "divergent": found.is_divergent,
            }
            for found in preview.divergences
        ],
        "not_shown": [
            *({"plugin": error.plugin, "error": error.cause} for error in preview.not_shown),
            *({"plugin": one.name, "error": named([one]).partition(": ")[2]} for one in preview.absent),
        ],
    }


def _window(preview: Preview, window: str) -> dict[str, Any]:
    found = preview.rows.get(window)
    return {
        "id": window,
        "finalized": found is not None,
        "outcome": found.text("outcome") if found else None,
        "quality": found.quality if found else None,
        "notes": found.text("notes") if found else None,
    }


def _provider(figures: ProviderFigures) -> dict[str, Any]:
    return {
        "provider": figures.source.name,
        "unit": figures.unit,
        **figures.efficiency.figures(),
        **figures.totals,
        "excluded": [dict(one) for one in figures.excluded],
        "stale": list(figures.stale),
    }


def outside_notes(preview: Preview) -> Iterator[str]:
    """Where events lie outside of the time between a window's captures."""
    for shown in preview.blocks:
        if shown.outside:
            for window, events in shown.outside.items():
                yield (
                    f"note: outside window: {plural(events, 'event')} of {line(shown.source.title)} in {line(window)}"
                    " came before its first BEFORE or after its last AFTER"
                )


def hint(preview: Preview) -> str | None:
    """What to do for more than point figures."""
    usable = max((figures.efficiency.n for figures in preview.providers), default=0)
    if not preview.windows or usable >= 3:
        return None
    return (
        f"note: {plural(usable, 'usable window')}; intervals and power need 3: `tracker preview` without --window shows"
        " all windows"
    )
