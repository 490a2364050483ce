"""What windows delivered: the finalize row of each that counts, and what a provider's rows say together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tracker.contract.features import Estimate, WindowResult
from tracker.contract.readings import EPOCH, amount, instant
from tracker.contract.sources import Comparison, Source
from tracker.journal.index import Index
from tracker.journal.index_file import place
from tracker.journal.records import WINDOWS
from tracker.windows.captures import (
    BY_TIME,
    OTHER_ACCOUNT,
    Capture,
    Groups,
    Pair,
    canonical,
    capacity_delta,
    captures,
    measure,
)
from tracker.windows.columns import Results, Spent

if TYPE_CHECKING:
    from tracker.session import Session

# windows whose records are held at once, which takes 20 MB
PART = 2000


class Finalized(NamedTuple):
    """The finalize row of a window that counts, its fields checked, since a file may be edited."""

    window: str
    record_id: str
    record: Mapping[str, Any]

    @property
    def features(self) -> dict[str, float]:
        """Features per provider; providers whose features were not given are left out."""
        counts = {name: amount(count) for name, count in self._table("features").items()}
        return {name: count for name, count in counts.items() if count is not None}

    @property
    def providers(self) -> dict[str, Mapping[str, Any]]:
        return {name: entry for name, entry in self._table("providers").items() if isinstance(entry, dict)}

    @property
    def named(self) -> set[str]:
        """The providers that were measured, or that finished features."""
        return {*self.providers, *(name for name, count in self.features.items() if count)}

    @property
    def quality(self) -> float | None:
        known = (amount(self.record.get(key)) for key in ("quality_score", "quality"))
        return next((float(one) for one in known if one is not None), None)

    def is_stale(self, provider: str, group: Iterable[Capture]) -> bool:
        """Whether the captures that were finalized are no longer those that count; rows without ids cannot tell."""
        used = self.providers.get(provider, {}).get("records")
        now = canonical(group)._asdict().items()
        return isinstance(used, Mapping) and any(used.get(phase) != (one and one.record_id) for phase, one in now)

    def text(self, name: str) -> str | None:
        found = self.record.get(name)
        return found if isinstance(found, str) else None

    def _table(self, name: str) -> dict[str, Any]:
        found = self.record.get(name)
        return found if isinstance(found, dict) else {}


def finalized(index: Index, windows: Iterable[str] | None = None) -> dict[str, Finalized]:
    """The latest finalize row of each window; of two of one instant the later line."""
    found: dict[str, tuple[datetime, Finalized]] = {}
    for entry in index.entries(WINDOWS, windows):
        window = entry.record.get("window")
        at = instant(entry.record.get("finalized_at") or entry.record.get("captured_at")) or EPOCH
        if isinstance(window, str) and (window not in found or at >= found[window][0]):
            found[window] = (at, Finalized(window=window, record_id=entry.record_id, record=entry.record))
    return {window: row for window, (_, row) in found.items()}


def finalized_rows(index: Index, windows: Iterable[str] | None = None) -> Iterator[Finalized]:
    """The finalize rows that count, without holding all of them."""
    named = iter(index.finalized() if windows is None else windows)
    while some := list(islice(named, PART)):
        yield from finalized(index, some).values()


class Part(NamedTuple):
    """Some windows, the finalize rows that count in their order, and their captures."""

    windows: Sequence[str]
    rows: dict[str, Finalized]
    groups: Groups


def parts(session: Session, windows: Iterable[str] | None = None, *, with_open: bool = True) -> Iterator[Part]:
    """The finalize rows and captures of some windows, by default of all, with progress if they are many.

    with_open: also the captures of windows that are not finalized.
    """
    if windows is None:
        for stream in {WINDOWS, *session.registry.status_streams}:
            session.index.renew_edited(stream)
        windows = session.index.windows()
    named = windows if isinstance(windows, Sequence) else list(windows)
    given = {"session": session, "size": len(named), "noun": "windows"}
    shown = session.registry.first("show_progress", **given) if len(named) > PART else None
    try:
        for start in range(0, len(named), PART):
            yield _part(session, named[start : start + PART], with_open)
            if shown is not None:
                shown.advance(min(PART, len(named) - start), min(start + PART, len(named)))
    finally:
        if shown is not None:
            shown.end()


def _part(session: Session, windows: Sequence[str], with_open: bool) -> Part:
    known = finalized(session.index, windows)
    rows = {window: known[window] for window in windows if window in known}
    return Part(windows, rows, captures(session.index, session.registry.sources, windows if with_open else rows))


# --- figures

# What `window_accounts` answers for a window that was forced from one account to another: it belongs to neither.
UNNAMED, MIXED = "(not named)", "2 accounts"


class Excluded(NamedTuple):
    """A window that is left out, with the reason."""

    window: str
    reason: str


class Tally:
    """A provider's windows, added one by one, of each its numbers."""

    def __init__(self, source: Source) -> None:
        self.source, self.results, self.spent = source, Results(), Spent()
        self.excluded: list[Excluded] = []
        self.stale: list[str] = []

    def add(self, row: Finalized, group: Iterable[Capture]) -> None:
        """A finalized window with the provider's captures, if it says something of the provider."""
        entry, features = row.providers.get(self.source.name), row.features.get(self.source.name)
        if entry is None and not features:
            return
        capacity = capacity_delta(self.source, entry.get("delta")) if entry is not None else None
        pair = canonical(group)
        self.spent.add(row.window, pair, self.source.capacity or "")
        if pair.is_mixed:
            self.excluded.append(Excluded(row.window, OTHER_ACCOUNT))
        elif capacity is None or features is None:
            self.excluded.append(Excluded(row.window, _reason(self.source, entry, capacity)))
        else:
            self.results.add(row.window, features, capacity, row.quality, _moment(pair, row))
        if row.is_stale(self.source.name, group):
            self.stale.append(row.window)

    def extend(self, other: Tally) -> None:
        self.results.extend(other.results)
        self.spent.extend(other.spent)
        self.excluded += other.excluded
        self.stale += other.stale

    def figures(
        self, session: Session, account: str = "", *, overlaps: Mapping[str, str] | None = None
    ) -> ProviderFigures:
        """What the windows say together. overlaps: of these and others, by default of these."""
        shared = self.spent.overlaps() if overlaps is None else overlaps
        results: Sequence[WindowResult] = self.results
        excluded: Sequence[Excluded] = self.excluded
        if shared:
            results = [one for one in self.results if one.window not in shared]
            kept = [one for one in excluded if one.window not in shared or one.reason == OTHER_ACCOUNT]
            own = [one.window for each in (self.results, {*excluded}.difference(kept)) for one in each]
            kept += [Excluded(window, shared[window]) for window in own if window in shared]
            excluded = sorted(kept, key=lambda left: place(left.window))
        found = estimate(session, self.source, results)
        return ProviderFigures(self.source, unit_of(self.source), found, tuple(excluded), tuple(self.stale), account)


class Totals(NamedTuple):
    """An estimate without an interval, if no feature makes one."""

    n: int
    features: float
    capacity: float
    efficiency: float | None
    ci: None = None
    ci_kind: Literal["none"] = "none"
    power: None = None
    remarks: tuple[str, ...] = ()

    def figures(self) -> dict[str, Any]:
        unknown = ("efficiency_quality", "se", "fieller", "n_eff", "windows_needed")
        known = {name: value for name, value in self._asdict().items() if name != "remarks"}
        return known | dict.fromkeys(unknown)


class ProviderFigures(NamedTuple):
    """A provider over the finalized windows that are shown.

    excluded: windows left out, each with the reason. stale: windows whose captures changed after they were finalized.
    account: the one that the windows were measured on, if others have windows, too.
    """

    source: Source
    unit: str
    efficiency: Estimate
    excluded: tuple[Excluded, ...] = ()
    stale: tuple[str, ...] = ()
    account: str = ""

    @classmethod
    def of(cls, session: Session, source: Source, rows: Mapping[str, Finalized], groups: Groups) -> ProviderFigures:
        """One provider's usable windows, the others with the reason."""
        tally = Tally(source)
        for window, row in rows.items():
            tally.add(row, groups.get((window, source.name), ()))
        return tally.figures(session)

    @property
    def totals(self) -> dict[str, float | None]:
        """Features and capacity; both null if every window was left out, since 0 would be a measurement."""
        found = self.efficiency
        if not found.n and self.excluded:
            return {"features": None, "capacity": None}
        return {"features": found.features, "capacity": found.capacity}


class OpenFigures(NamedTuple):
    """A provider in a window that is not finalized: what its meters say so far."""

    source: Source
    window: str
    unit: str
    capacity: float | None
    errors: tuple[str, ...]


def unit_of(source: Source) -> str:
    return source.capacity_meter.unit if source.capacity_meter else ""


class Totaled:
    """Figures of every provider that finalized windows name, of several accounts apart. is_alone: of one window."""

    def __init__(self, session: Session, *, is_alone: bool) -> None:
        self.session, self._is_alone, self._tallies = session, is_alone, dict[tuple[str, str], Tally]()

    def add(self, rows: Mapping[str, Finalized], groups: Groups) -> None:
        registry, asked = self.session.registry, [] if self._is_alone else list(rows)
        known = registry.first("window_accounts", session=self.session, windows=asked) or {} if asked else {}
        for window, row in rows.items():
            for name in row.named & registry.providers.keys():
                key = name, known.get((window, name), UNNAMED)
                if key not in self._tallies:
                    self._tallies[key] = Tally(registry.providers[name])
                self._tallies[key].add(row, groups.get((window, name), ()))

    def figures(self) -> list[ProviderFigures]:
        """By provider, then by account."""
        found = []
        for name in sorted({name for name, _ in self._tallies}):
            own = {account: tally for (known, account), tally in self._tallies.items() if known == name}
            if len(own.keys() - {UNNAMED, MIXED}) < 2:
                own = {"": merged(own.values())}
            found += [tally.figures(self.session, account) for account, tally in sorted(own.items())]
        return found


def merged(tallies: Iterable[Tally]) -> Tally:
    """Several of one provider as one."""
    first, *others = tallies
    for one in others:
        first.extend(one)
    return first


def open_figures(session: Session, windows: Iterable[str], groups: Groups) -> list[OpenFigures]:
    """What the meters of windows that are not finalized say so far."""
    found, providers = [], session.registry.providers
    own: dict[str, list[tuple[str, list[Capture]]]] = {}
    for (window, name), group in sorted(groups.items()):
        own.setdefault(window, []).append((name, group))
    for window in windows:
        for name, group in own.get(window, ()):
            if name in providers and providers[name].capacity_meter is not None:
                source, measured = providers[name], measure(session.registry, providers[name], canonical(group))
                capacity = capacity_delta(source, measured.delta)
                found.append(OpenFigures(source, window, unit_of(source), capacity, measured.errors))
    return found


def _reason(source: Source, entry: Mapping[str, Any] | None, capacity: float | None) -> str:
    if entry is None or capacity is not None:
        return "not-captured" if entry is None else "features-missing"
    errors = entry.get("errors")
    tags = [str(tag) for tag in errors] if isinstance(errors, list) else []
    about = [tag for tag in tags if tag.partition(":")[2] in ("", source.capacity)]
    return (about or ["capacity-missing"])[-1]


def _moment(pair: Pair, row: Finalized) -> datetime | None:
    """The middle between the captures that count, or when the window was finalized."""
    known = [capture.captured_at for capture in pair if capture is not None]
    if known:
        return known[0] + (known[-1] - known[0]) / 2
    stored = (instant(row.record.get(name)) for name in ("captured_at", "finalized_at"))
    return next((at for at in stored if at is not None), None)


def estimate(session: Session, source: Source, windows: Sequence[WindowResult]) -> Estimate:
    """What the windows say together, by the feature that knows; the totals and their ratio if none is installed."""
    found: Estimate | None = session.registry.first("estimate", session=session, source=source, windows=windows)
    if found is not None:
        return found
    counting = [one for one in windows if one.features or one.capacity]
    features, capacity = sum(one.features for one in counting), sum(one.capacity for one in counting)
    return Totals(len(counting), features, capacity, features / capacity if capacity else None)


class Divergence(NamedTuple):
    """A report against the meter that it estimates, in used percent: if the two differ, one of them is wrong."""

    source: Source
    compared: Comparison
    reported: float
    shown: float
    threshold: float

    @property
    def is_divergent(self) -> bool:
        return abs(self.reported - self.shown) > self.threshold


# by provider and meter: which capture it is from, and the value
Newest = dict[tuple[str, str], tuple[tuple[datetime, int], float]]


def newest(session: Session, groups: Groups, known: Newest) -> Newest:
    """The newest values of the meters that sources are compared with, of some captures and of what was known."""
    for one in (one for source in session.registry.sources.values() for one in source.comparisons):
        for capture in (capture for (_, name), own in groups.items() if name == one.provider for capture in own):
            gauge, before = capture.reading.gauge(one.meter), known.get((one.provider, one.meter))
            if gauge is not None and gauge.used is not None and (before is None or BY_TIME(capture) >= before[0]):
                known[one.provider, one.meter] = BY_TIME(capture), gauge.used
    return known


def divergences(session: Session, windows: Iterable[str], meters: Newest) -> list[Divergence]:
    """The newest report against the newest meter, for every comparison that a source declares."""
    windows, found = list(windows), []
    for source in session.registry.sources.values():
        for one in (one for one in source.comparisons if (one.provider, one.meter) in meters):
            reported = []
            for entry in session.index.entries(source.stream, windows):
                parsed = entry.record.get("parsed")
                if isinstance(parsed, Mapping) and parsed.get("scope") == one.scope:
                    taken = instant(entry.record.get("captured_at")) or EPOCH
                    reported.append((taken, entry.offset, amount(parsed.get(one.figure))))
            figures = [figure for *_, figure in sorted(reported) if figure is not None]
            if figures:
                shown = meters[one.provider, one.meter][1]
                found.append(Divergence(source, one, figures[-1], shown, session.config.divergence_pp))
    return found
