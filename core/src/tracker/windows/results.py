"""What windows delivered: the finalize row of each that counts, and what a provider's rows say together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from sys import intern
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tracker.contract.readings import EPOCH, amount, instant
from tracker.contract.sources import Comparison, Source
from tracker.journal.index import Index
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

if TYPE_CHECKING:
    from tracker.contract.features import Estimate, Tally
    from tracker.session import Session

# windows whose records are held at once, which takes 20 MB
PART = 2000


class Result(NamedTuple):
    """What a provider delivered in a window. reason: why that does not count, if it does not."""

    features: float
    capacity: float
    pair: Pair
    reason: str | None


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

    def result(self, source: Source, group: Iterable[Capture]) -> Result | None:
        """What a provider delivered, by its captures; None if the window says nothing of it."""
        entry, features = self.providers.get(source.name), self.features.get(source.name)
        if entry is None and not features:
            return None
        capacity = capacity_delta(source, entry.get("delta")) if entry is not None else None
        pair, reason = canonical(group), None
        if pair.is_mixed:
            reason = OTHER_ACCOUNT
        elif entry is None:
            reason = "not-captured"
        elif capacity is None:
            errors = entry.get("errors")
            tags = [str(tag) for tag in errors] if isinstance(errors, list) else []
            about = [tag for tag in tags if tag.partition(":")[2] in ("", source.capacity)]
            reason = intern((about or ["capacity-missing"])[-1])
        elif features is None:
            reason = "features-missing"
        return Result(features or 0, capacity or 0, pair, reason)

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
    # the names in the rows are texts of their own, which a million of them would hold beside the given ones
    rows = {window: known[window]._replace(window=window) for window in windows if window in known}
    return Part(windows, rows, captures(session.index, session.registry.sources, windows if with_open else rows))


# --- figures

# What `window_accounts` answers for a window that was forced from one account to another: it belongs to neither.
UNNAMED, MIXED = "(not named)", "2 accounts"


class Totals:
    """A provider's windows without an interval: its `Tally`, and the estimate, if no feature has one."""

    ci, power, remarks = None, None, ()
    ci_kind: Literal["none"] = "none"

    def __init__(self, source: Source) -> None:
        self.source, self.excluded, self.stale = source, dict[str, str](), list[str]()
        self.n, self.features, self.capacity = 0, 0.0, 0.0

    def add(self, row: Finalized, group: Iterable[Capture]) -> None:
        found = row.result(self.source, group)
        if found is None:
            return
        if found.reason is not None:
            self.excluded[row.window] = found.reason
        elif found.features or found.capacity:
            self.n += 1
            self.features += found.features
            self.capacity += found.capacity
        self.stale += [row.window] if row.is_stale(self.source.name, group) else []

    def extend(self, other: Totals) -> None:
        self.n += other.n
        self.features += other.features
        self.capacity += other.capacity
        self.excluded |= other.excluded
        self.stale += other.stale

    def total(self, account: str = "") -> ProviderFigures:
        return ProviderFigures(self.source, unit_of(self.source), self, self.excluded, self.stale, account)

    @property
    def efficiency(self) -> float | None:
        return self.features / self.capacity if self.capacity else None

    def figures(self) -> dict[str, Any]:
        known = ("n", "features", "capacity", "efficiency", "ci", "ci_kind", "power")
        unknown = ("efficiency_quality", "se", "fieller", "n_eff", "windows_needed")
        return {name: getattr(self, name) for name in known} | dict.fromkeys(unknown)


class ProviderFigures(NamedTuple):
    """A provider over the finalized windows that are shown.

    excluded: windows left out, with the reason. stale: windows whose captures changed after they were finalized.
    account: the one that the windows were measured on, if others have windows, too.
    """

    source: Source
    unit: str
    efficiency: Estimate
    excluded: Mapping[str, str] = {}
    stale: Sequence[str] = ()
    account: str = ""

    @classmethod
    def of(cls, source: Source, row: Finalized, group: Iterable[Capture]) -> ProviderFigures:
        """Those of one window."""
        found = Totals(source)
        found.add(row, group)
        return found.total()

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
        self.session, self._is_alone = session, is_alone
        self._tallies: dict[tuple[str, str], Tally] = {}

    def add(self, rows: Mapping[str, Finalized], groups: Groups) -> None:
        registry, asked = self.session.registry, [] if self._is_alone else list(rows)
        known = registry.first("window_accounts", session=self.session, windows=asked) or {} if asked else {}
        for window, row in rows.items():
            for name in row.named & registry.providers.keys():
                key = name, known.get((window, name), UNNAMED)
                if key not in self._tallies:
                    source = registry.providers[name]
                    self._tallies[key] = registry.first("tally", session=self.session, source=source) or Totals(source)
                self._tallies[key].add(row, groups.get((window, name), ()))

    def figures(self) -> list[ProviderFigures]:
        """By provider, then by account."""
        found = []
        for name in sorted({name for name, _ in self._tallies}):
            own = {account: tally for (known, account), tally in self._tallies.items() if known == name}
            if len(own.keys() - {UNNAMED, MIXED}) < 2:
                first, *others = own.values()
                for one in others:
                    first.extend(one)
                own = {"": first}
            found += [tally.total(account) for account, tally in sorted(own.items())]
        return found


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
