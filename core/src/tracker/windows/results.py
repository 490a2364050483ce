"""What windows delivered: the finalize row of each that counts, and what a provider's rows say together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tracker.contract.features import Estimate, WindowResult
from tracker.contract.figures import amount
from tracker.contract.readings import EPOCH, instant
from tracker.contract.sources import Comparison, Source
from tracker.journal.index import Index
from tracker.windows.captures import BY_TIME, OTHER_ACCOUNT, Capture, Groups, Pair, canonical, capacity_delta, measure

if TYPE_CHECKING:
    from tracker.session import Session

WINDOWS = "windows"


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


# --- figures

# What `window_accounts` answers for a window that was forced from one account to another: it belongs to neither.
UNNAMED, MIXED = "(not named)", "2 accounts"


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
    excluded: tuple[Mapping[str, str], ...] = ()
    stale: tuple[str, ...] = ()
    account: str = ""

    @classmethod
    def of(cls, session: Session, source: Source, rows: Mapping[str, Finalized], groups: Groups) -> ProviderFigures:
        """One provider's usable windows, the others with the reason."""
        usable: list[WindowResult] = []
        excluded, stale, shared = [], [], cls.overlaps(source, rows, groups)
        for window, row in rows.items():
            entry, features = row.providers.get(source.name), row.features.get(source.name)
            if entry is None and not features:
                continue
            group = groups.get((window, source.name), [])
            pair = canonical(group)
            capacity = capacity_delta(source, entry.get("delta")) if entry is not None else None
            if reason := OTHER_ACCOUNT if pair.is_mixed else shared.get(window):
                excluded.append({"window": window, "reason": reason})
            elif capacity is None or features is None:
                excluded.append({"window": window, "reason": _reason(source, entry, capacity)})
            else:
                at, quality = _moment(pair, row), row.quality
                usable.append(WindowResult(window=window, features=features, capacity=capacity, quality=quality, at=at))
            if row.is_stale(source.name, group):
                stale.append(window)
        return cls(source, unit_of(source), estimate(session, source, usable), tuple(excluded), tuple(stale))

    @staticmethod
    def overlaps(source: Source, windows: Iterable[str], groups: Groups) -> dict[str, str]:
        """The windows of one account that moved a meter at the same time: the delta of each holds the work of both."""
        pairs = [(window, canonical(groups.get((window, source.name), ()))) for window in windows]
        known = [(b.captured_at, window, b, a) for window, (b, a) in pairs if b and a and a.phase]
        found: dict[str, str] = {}
        running: list[tuple[datetime, str, Capture, Capture]] = []
        for start, window, before, after in sorted(known, key=lambda one: one[:2]):
            running = [one for one in running if one[3].captured_at > start]
            for _, other, _, end in running:
                last = min(after, end, key=lambda one: one.captured_at)
                old, new = (one.reading.gauge(source.capacity or "") for one in (before, last))
                if start < last.captured_at and (old is None or new is None or old.used != new.used):
                    found |= {other: f"overlaps {window}", window: f"overlaps {other}"}
            running.append((start, window, before, after))
        return found

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
    """What the provider's capacity is counted in."""
    return source.capacity_meter.unit if source.capacity_meter else ""


def finalized_figures(session: Session, rows: Mapping[str, Finalized], groups: Groups) -> list[ProviderFigures]:
    """Figures of every provider that a finalized window names, by provider; of several accounts apart."""
    providers = session.registry.providers
    names = {name for row in rows.values() for name in row.named}
    known = session.registry.first("window_accounts", session=session, windows=list(rows)) if len(rows) > 1 else None
    found = []
    for name in sorted(names & providers.keys()):
        parts: dict[str, dict[str, Finalized]] = {}
        for window, row in rows.items():
            if name in row.named:
                parts.setdefault((known or {}).get((window, name), UNNAMED), {})[window] = row
        several = len(parts.keys() - {UNNAMED, MIXED}) > 1
        for account, own in sorted(parts.items()) if several else [("", dict(rows))]:
            found.append(ProviderFigures.of(session, providers[name], own, groups)._replace(account=account))
    return found


def open_figures(session: Session, windows: Iterable[str], groups: Groups) -> list[OpenFigures]:
    """What the meters of windows that are not finalized say so far."""
    found, providers = [], session.registry.providers
    for window in windows:
        for (here, name), group in sorted(groups.items()):
            if here == window and name in providers and providers[name].capacity_meter is not None:
                source, measured = providers[name], measure(session.registry, providers[name], canonical(group))
                capacity = capacity_delta(source, measured.delta)
                found.append(OpenFigures(source, window, unit_of(source), capacity, measured.errors))
    return found


def _reason(source: Source, entry: Mapping[str, Any] | None, capacity: float | None) -> str:
    """Why a provider does not count in a finalized window."""
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


def estimate(session: Session, source: Source, windows: list[WindowResult]) -> Estimate:
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


def divergences(session: Session, windows: Iterable[str], groups: Groups) -> list[Divergence]:
    """The newest report against the newest meter, for every comparison that a source declares."""
    windows, found = list(windows), []
    for source in session.registry.sources.values():
        for one in source.comparisons:
            reported = []
            for entry in session.index.entries(source.stream, windows):
                parsed = entry.record.get("parsed")
                if isinstance(parsed, Mapping) and parsed.get("scope") == one.scope:
                    taken = instant(entry.record.get("captured_at")) or EPOCH
                    reported.append((taken, entry.offset, amount(parsed.get(one.figure))))
            captured = [capture for (_, name), own in groups.items() if name == one.provider for capture in own]
            gauges = [capture.reading.gauge(one.meter) for capture in sorted(captured, key=BY_TIME)]
            figures = [figure for *_, figure in sorted(reported) if figure is not None]
            shown = [gauge.used for gauge in gauges if gauge and gauge.used is not None]
            if figures and shown:
                found.append(Divergence(source, one, figures[-1], shown[-1], session.config.divergence_pp))
    return found
