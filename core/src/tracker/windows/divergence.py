"""A report against the meter that it estimates: where the two differ, one of them is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from tracker.contract.readings import instant
from tracker.contract.sources import Comparison, Source
from tracker.session import Session
from tracker.windows.captures import captures


@frozen(kw_only=True)
class Divergence:
    """Both figures, in used percent; divergent where they differ by more than the configured points."""

    title: str
    source: str
    scope: str
    provider: str
    meter: str
    reported: float
    shown: float
    threshold: float

    @property
    def is_divergent(self) -> bool:
        return abs(self.reported - self.shown) > self.threshold


def divergences(session: Session, windows: Iterable[str]) -> list[Divergence]:
    """The newest report against the newest meter, for every comparison that a source declares."""
    wanted = list(windows)
    found = []
    for source in session.registry.sources.values():
        for comparison in source.comparisons:
            reported = _reported(session, source, comparison, wanted)
            shown = _shown(session, comparison, wanted) if reported is not None else None
            if reported is not None and shown is not None:
                found.append(
                    Divergence(
                        title=source.title,
                        source=source.name,
                        scope=comparison.scope,
                        provider=comparison.provider,
                        meter=comparison.meter,
                        reported=reported,
                        shown=shown,
                        threshold=session.config.divergence_pp,
                    )
                )
    return found


def _reported(session: Session, source: Source, comparison: Comparison, windows: list[str]) -> float | None:
    newest: tuple[Any, float] | None = None
    for entry in session.index.entries(source.stream, windows):
        parsed = entry.record.get("parsed")
        taken = instant(entry.record.get("captured_at"))
        if not isinstance(parsed, Mapping) or taken is None or parsed.get("scope") != comparison.scope:
            continue
        figure = _number(parsed.get(comparison.figure))
        if figure is None:
            continue
        if newest is None or taken >= newest[0]:
            newest = taken, figure
    return newest[1] if newest else None


def _shown(session: Session, comparison: Comparison, windows: list[str]) -> float | None:
    groups = captures(session.index, session.registry, windows)
    shown = [
        (capture.order, gauge.used)
        for (_, provider), group in groups.items()
        if provider == comparison.provider
        for capture in group
        if (gauge := capture.reading.gauge(comparison.meter)) and gauge.used is not None
    ]
    return max(shown)[1] if shown else None


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
