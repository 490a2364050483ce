"""The preview: the core's head, and a block from every source that has something to show."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from tracker.contract.blocks import Block, PreviewContext, Row
from tracker.contract.events import EventTotals, StreamFacts
from tracker.contract.readings import EPOCH, instant
from tracker.contract.sources import VIEW, Source
from tracker.errors import PluginError
from tracker.hosting.discovery import owner
from tracker.journal.index import Entry
from tracker.journal.records import ANOMALIES, SCHEMA, text
from tracker.session import Session
from tracker.text.render import MISSING, line, number, plural, rate, value
from tracker.windows import results
from tracker.windows.captures import Groups, Span, spans
from tracker.windows.reader import Absent, Windows
from tracker.windows.results import Divergence, OpenFigures, ProviderFigures

# the kernel's own block: what was captured of each provider
SNAPSHOTS = Source(contract="1.0", name="snapshots", title="Snapshots", kind="view", stream="snapshots", place=90)
NO_EVENTS = StreamFacts(totals=EventTotals())
MARKS = 100  # windows that a line names as excluded: a long history has a million


class Outcome(NamedTuple):
    outcome: str | None = None
    quality: float | None = None
    notes: str | None = None


class Snapshots:
    """The block of the captures, as windows are added in their order; its lines are made when they are read."""

    title = SNAPSHOTS.title

    def __init__(self, *, is_alone: bool) -> None:
        self._is_alone = is_alone
        # by provider: a window and what was captured, which is the same in most
        self.found: dict[str, list[tuple[str, tuple[Any, ...]]]] = {}
        self._known: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def add(self, windows: Sequence[str], groups: Groups) -> None:
        place = {window: at for at, window in enumerate(windows)}
        for window, provider in sorted(groups, key=lambda key: place[key[0]]):
            records = [capture.record for capture in groups[window, provider]]
            phases = ", ".join(sorted({str(record.get("phase") or "count") for record in records}))
            # rows of schema 1.0.0 may hold an empty text
            found = phases, *(text(records[-1].get(name)) or None for name in ("source", "notes"))
            self.found.setdefault(provider, []).append((window, self._known.setdefault(found, found)))

    @property
    def rows(self) -> Iterator[Row]:
        """The phases that were captured per provider and window, and the newest one's origin."""
        for provider, found in sorted(self.found.items()):
            for window, (phases, source, notes) in found:
                values = {"provider": provider, "window": window, "phases": phases, "source": source, "notes": notes}
                label = provider if self._is_alone else f"{provider} {window}"
                yield Row(label=label, values=values, text="{phases} (source={source}, notes={notes})")


class Section(NamedTuple):
    """A block and where it comes from; of a stream also what its events say."""

    source: Source
    block: Block | Snapshots
    facts: StreamFacts = NO_EVENTS


class Preview(NamedTuple):
    """Everything that is shown, as data. facts: what features know of the windows, as `windows --json` shows it."""

    windows: tuple[str, ...]
    outcomes: Mapping[str, Outcome]
    anomalies: tuple[Entry, ...]
    providers: tuple[ProviderFigures, ...]
    open: tuple[OpenFigures, ...]
    blocks: tuple[Section, ...]
    not_shown: tuple[PluginError, ...]
    absent: tuple[Absent, ...]
    divergences: tuple[Divergence, ...]
    facts: Sequence[Mapping[str, Any]] = ()

    def lines(self) -> Iterator[str]:
        yield f"Windows: {', '.join(map(line, self.windows)) or 'none'}"
        yield f"Anomalies: {len(self.anomalies)} (see {ANOMALIES}.jsonl)"
        yield "Providers:" if self.providers or self.open else f"Providers: {MISSING}"
        for figures in self.providers:
            yield _provider_line(figures)
        for entry in self.open:
            label = entry.provider if len(self.windows) == 1 else f"{entry.provider} {line(entry.window)}"
            capacity = value(entry.capacity, unit=f" {entry.unit}")
            yield f"  - {label}: features=n/a, capacity={capacity}, efficiency=n/a, ci=n/a, n=0, power=n/a (open)"
        yield from _outcomes(self)
        for shown in self.blocks:
            yield f"{line(shown.block.title)}:"
            for one in shown.block.rows:
                yield f"  - {one}"
            for found in self.divergences:
                if found.is_divergent and found.source is shown.source:
                    meant, reported, seen = found.compared, number(found.reported), number(found.shown)
                    yield (
                        f"  - divergent: {meant.scope} {reported}% here, {meant.provider} {meant.meter} {seen}% on its"
                        f" meter (over {number(found.threshold)} points apart)"
                    )
        for error in self.not_shown:
            yield f"not shown: {error.plugin}: {line(error.cause)}"

    def document(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA,
            "windows": [
                {"id": window, "finalized": window in self.outcomes, **self.outcomes.get(window, Outcome())._asdict()}
                for window in self.windows
            ],
            "anomalies": [entry.record | {"record_id": entry.record_id} for entry in self.anomalies],
            "providers": [figures.document() for figures in self.providers],
            "open": [one._asdict() for one in self.open],
            "blocks": [
                {
                    "title": shown.block.title,
                    "source": shown.source.name,
                    "rows": [{**({"label": one.label} if one.label else {}), **one.values} for one in shown.block.rows],
                    **({"outside_window": dict(shown.facts.outside)} if shown.facts.outside else {}),
                }
                for shown in self.blocks
            ],
            "facts": list(self.facts),
            "divergences": [one.document() for one in self.divergences],
            "not_shown": [
                *({"plugin": error.plugin, "error": error.cause} for error in self.not_shown),
                *({"plugin": one.name, "error": one.problem.partition(": ")[2]} for one in self.absent),
            ],
        }

    def notes(self, *, is_all: bool = False) -> Iterator[str]:
        """What the features of streams note, and what to do for more than point figures."""
        for shown in self.blocks:
            yield from shown.facts.notes
        most = max((figures.efficiency.n for figures in self.providers), default=0)
        kinds = {figures.efficiency.ci_kind for figures in self.providers}
        how = owner("hooks", "tally") if kinds <= {"none"} else ""
        if most and how:
            yield f"note: bare sums: overlapping windows count twice, and intervals and power are left out. {how}"
        elif self.windows and most < 3 and not how:
            cure = "" if is_all else ": `tracker preview` without options shows all windows"
            more = ". Until then --json gives an assumed interval" if "assumed" in kinds else ""
            yield f"note: at most {plural(most, 'usable window')} per provider; intervals and power need 3{cure}{more}"


def assemble(session: Session, windows: Sequence[str] | None) -> Preview:
    """Read the windows once, all of them if none are named, and ask every source for its block."""
    try:
        return _assembled(session, windows)
    except PluginError as error:
        if error.step != results.Tallies.STEP or session.registry.is_strict():
            raise
        session.warn(f"{str(error).rstrip('.')}; the windows are shown as bare sums")
        return _assembled(session, windows, is_plain=True)


def _assembled(session: Session, windows: Sequence[str] | None, *, is_plain: bool = False) -> Preview:
    shown = tuple(session.index.windows() if windows is None else windows)
    tallies, meters = results.Tallies(session, len(shown) == 1, is_plain), results.Newest()
    opened, outcomes = list[results.OpenFigures](), dict[str, Outcome]()
    captured, times, known = Snapshots(is_alone=len(shown) == 1), dict[str, Span](), dict[Outcome, Outcome]()
    recorded = session.journal.streams()
    sources = [one for one in session.registry.sources.values() if one.stream in recorded]
    has_events = any(one.is_stream for one in sources)
    for part in Windows(session).parts(None if windows is None else shown, with_open=True):
        tallies.add(part.rows, part.groups)
        for window, finalized in part.rows.items():
            one = Outcome(finalized.text("outcome"), finalized.quality, finalized.text("notes"))
            outcomes[window] = known.setdefault(one, one)  # most windows end alike
        opened += results.open_figures(session, [one for one in part.windows if one not in part.rows], part.groups)
        results.newest(session, part.groups, meters)
        captured.add(part.windows, part.groups)
        times |= spans(part.groups) if has_events else {}
    blocks, not_shown = _blocks(session, sources, shown, times)
    if captured.found:
        blocks.insert(sum(one.source.place <= SNAPSHOTS.place for one in blocks), Section(SNAPSHOTS, captured))
    asked = session.registry.ask("window_facts", session=session, windows=shown) if session.json else ()
    return Preview(
        facts=[{"window": key[0], "provider": key[1] or None, **one} for each in asked for key, one in each.items()],
        windows=shown,
        outcomes=outcomes,
        anomalies=tuple(Windows(session).open_anomalies(shown)),
        providers=tuple(tallies.figures()),
        open=tuple(opened),
        blocks=tuple(blocks),
        not_shown=tuple(not_shown),
        absent=tuple(Windows(session).missing_plugins(shown)),
        divergences=tuple(results.divergences(session, shown, meters)),
    )


def _blocks(
    session: Session, sources: Iterable[Source], windows: tuple[str, ...], times: Mapping[str, Span]
) -> tuple[list[Section], list[PluginError]]:
    """What sources have to show, in their order, and why some cannot."""
    blocks, not_shown = list[Section](), list[PluginError]()
    for source in sorted(sources, key=lambda source: (source.place, source.title)):
        try:
            if session.registry.has(source.name, "render_preview_block"):
                blocks += _shown(session, source, windows, times)
        except PluginError as error:
            if session.registry.is_strict():
                raise
            not_shown.append(error)
    return blocks, not_shown


def _shown(session: Session, source: Source, windows: tuple[str, ...], times: Mapping[str, Span]) -> Iterator[Section]:
    facts, records, features = NO_EVENTS, list[dict[str, Any]](), dict[str, dict[str, float]]()
    if source.is_stream:
        given = {"session": session, "source": source, "windows": windows, "spans": times}
        facts = session.registry.first("stream_facts", **given) or NO_EVENTS
    else:
        found = (entry.record for entry in session.index.entries(source.stream, windows))
        records = [one for one in found if source.kind == VIEW or one.get("provider", source.name) == source.name]
    records.sort(key=lambda record: instant(record.get("captured_at")) or EPOCH)  # of one instant the later line last
    if source.kind == VIEW and records:
        rows = Windows(session).finalized({text(record.get("window")) for record in records})
        features = {window: finalized.features for window, finalized in rows.items()}
    context = PreviewContext(windows=windows, records=tuple(records), events=facts.totals, features=features)
    if (block := session.registry.call(source.name, "render_preview_block", context=context)) is not None:
        yield Section(source, block, facts)


def _provider_line(figures: ProviderFigures) -> str:
    estimate, totals = figures.efficiency, figures.totals
    measured = estimate if estimate.ci_kind == "measured" else None
    ci = "-".join(rate(limit, estimate.efficiency) for limit in (measured and measured.ci) or ()) or MISSING
    parts = [
        f"features={value(totals['features'])}",
        f"capacity={value(totals['capacity'], unit=f' {figures.unit}')}",
        f"efficiency={rate(estimate.efficiency)}",
        f"ci={ci}",
        f"n={estimate.n}",
        f"power={value(measured and measured.power, digits=2)}",
    ]
    marks = [f"excluded {line(one)}: {line(why):.200}" for one, why in islice(figures.excluded.items(), MARKS)]
    more = len(figures.excluded) - MARKS
    marks += [f"excluded {plural(more, 'more window')}: see --json"] if more > 0 else []
    marks += ["stale: re-run complete, or complete --reopen"] if figures.stale else []
    marks += map(line, estimate.remarks)
    account = f" account {line(figures.account)}" if figures.account else ""
    return f"  - {figures.source.name}{account}: {', '.join(parts)}" + "".join(f" ({mark})" for mark in marks)


def _outcomes(preview: Preview) -> Iterator[str]:
    """Outcome and notes: one line each of one window, a list of several."""
    is_one = len(preview.windows) == 1
    yield from () if is_one or not preview.windows else ("Outcome:",)
    for window in preview.windows:
        found = preview.outcomes.get(window, Outcome())
        text = f"quality={value(found.quality, digits=1)}, outcome={value(found.outcome)}"
        is_open = window not in preview.outcomes
        yield f"Outcome: {text}" if is_one else f"  - {line(window)}: {text}{' (open)' if is_open else ''}"
    notes = [(window, found.notes) for window, found in preview.outcomes.items() if found.notes]
    if is_one or not notes:
        yield f"Notes: {value(notes[0][1] if notes else None)}"
    else:
        yield "Notes:"
        yield from (f"  - {line(window)}: {value(text)}" for window, text in notes)
