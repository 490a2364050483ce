"""Which windows of a provider count, and what they say together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from attrs import asdict, field, frozen

from tracker.contract.features import Estimate, WindowResult
from tracker.contract.readings import instant
from tracker.contract.sources import Source
from tracker.session import Session
from tracker.windows.captures import Capture, canonical, capacity_delta, measure
from tracker.windows.finalized import Finalized

Groups = Mapping[tuple[str, str], list[Capture]]


@frozen(kw_only=True)
class Totals:
    """An estimate without an interval."""

    n: int
    features: float
    capacity: float
    efficiency: float | None = None
    efficiency_quality: float | None = None
    se: float | None = None
    ci: tuple[float, float] | None = None
    ci_kind: Literal["measured", "assumed", "none"] = "none"
    fieller: tuple[float, float] | None = None
    n_eff: float | None = None
    power: float | None = None
    windows_needed: int | None = None

    @property
    def remarks(self) -> tuple[str, ...]:
        return ()

    def figures(self) -> dict[str, Any]:
        return asdict(self)


@frozen(kw_only=True)
class ProviderFigures:
    """A provider over the finalized windows that are shown.

    excluded: windows left out, each with the reason. stale: windows whose captures changed after they were finalized.
    """

    source: Source
    unit: str
    efficiency: Estimate
    excluded: tuple[Mapping[str, str], ...] = ()
    stale: tuple[str, ...] = ()

    @property
    def totals(self) -> dict[str, float | None]:
        """Features and capacity; both null where every window was left out, since 0 would be a measurement."""
        known = self.efficiency.n or not self.excluded
        found = {"features": self.efficiency.features, "capacity": self.efficiency.capacity}
        return {name: total if known else None for name, total in found.items()}


@frozen(kw_only=True)
class OpenFigures:
    """A provider in a window that is not finalized: what its meters say so far."""

    source: Source
    window: str
    unit: str
    capacity: float | None
    errors: tuple[str, ...] = field(default=())


def finalized_figures(session: Session, rows: Mapping[str, Finalized], groups: Groups) -> list[ProviderFigures]:
    """Figures of every provider that a finalized window names, by provider."""
    providers = session.registry.providers
    names = {name for row in rows.values() for name in row.named}
    return [figures_of(session, providers[name], rows, groups) for name in sorted(names & providers.keys())]


def figures_of(session: Session, source: Source, rows: Mapping[str, Finalized], groups: Groups) -> ProviderFigures:
    """One provider's usable windows, the others with the reason."""
    usable: list[WindowResult] = []
    excluded, stale = [], []
    for window, row in rows.items():
        entry = row.providers.get(source.name)
        features = row.features.get(source.name)
        if entry is None and not features:
            continue
        group = groups.get((window, source.name), [])
        found = usable_or_reason(source, entry, features)
        if isinstance(found, str):
            excluded.append({"window": window, "reason": found})
        else:
            at = _moment(group, row)
            usable.append(WindowResult(window=window, features=found[0], capacity=found[1], quality=row.quality, at=at))
        if entry is not None and is_stale(entry, group):
            stale.append(window)
    meter = source.capacity_meter
    return ProviderFigures(
        source=source,
        unit=meter.unit if meter else "",
        efficiency=estimate(session, source, usable),
        excluded=tuple(excluded),
        stale=tuple(stale),
    )


def usable_or_reason(
    source: Source, entry: Mapping[str, Any] | None, features: float | None
) -> tuple[float, float] | str:
    """Features and capacity of a provider in a finalized window, or why it does not count."""
    if entry is None:
        return "not-captured"
    delta = entry.get("delta")
    capacity = capacity_delta(source, delta) if isinstance(delta, Mapping) else None
    if capacity is None or capacity < 0:
        errors = entry.get("errors")
        tags = [str(tag) for tag in errors] if isinstance(errors, list) else []
        about = [tag for tag in tags if tag.partition(":")[2] in ("", source.capacity)]
        return (about or ["capacity-missing"])[-1]
    return "features-missing" if features is None else (features, capacity)


def _moment(group: Iterable[Capture], row: Finalized) -> datetime | None:
    """The middle between the captures that count, or when the window was finalized."""
    pair = canonical(group)
    if pair.before is not None and pair.after is not None:
        return pair.before.captured_at + (pair.after.captured_at - pair.before.captured_at) / 2
    known = [capture.captured_at for capture in (pair.after, pair.before) if capture is not None]
    stored = (instant(row.record.get(name)) for name in ("captured_at", "finalized_at"))
    return next((at for at in (*known, *stored) if at is not None), None)


def estimate(session: Session, source: Source, windows: list[WindowResult]) -> Estimate:
    """What the windows say together, by the feature that knows; the totals and their ratio where none is installed."""
    found: Estimate | None = session.registry.first("estimate", session=session, source=source, windows=windows)
    if found is not None:
        return found
    counting = [one for one in windows if one.features or one.capacity]
    features, capacity = sum(one.features for one in counting), sum(one.capacity for one in counting)
    rate = features / capacity if capacity else None
    return Totals(n=len(counting), features=features, capacity=capacity, efficiency=rate)


def is_stale(entry: Mapping[str, Any], group: Iterable[Capture]) -> bool:
    """Whether the captures that were finalized are no longer those that count; rows without ids cannot tell."""
    used = entry.get("records")
    if not isinstance(used, Mapping):
        return False
    pair = canonical(group)
    now = {"before": pair.before, "after": pair.after}
    return any(used.get(phase) != (capture.record_id if capture else None) for phase, capture in now.items())


def open_figures(session: Session, windows: Iterable[str], groups: Groups) -> list[OpenFigures]:
    """What the meters of windows that are not finalized say so far."""
    found = []
    for window in windows:
        for (here, name), group in sorted(groups.items()):
            source = session.registry.providers.get(name)
            if here != window or source is None or source.capacity_meter is None:
                continue
            pair = canonical(group)
            capacity: float | None = None
            errors: tuple[str, ...] = ()
            if pair.after is not None and (pair.before is not None or pair.after.phase is None):
                measured = measure(session.registry, source, pair)
                capacity, errors = capacity_delta(source, measured.delta), measured.errors
            unit = source.capacity_meter.unit
            found.append(OpenFigures(source=source, window=window, unit=unit, capacity=capacity, errors=errors))
    return found
