"""A report against the meter that it estimates: if the two differ, one of them is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from tracker.contract.readings import EPOCH, instant
from tracker.windows.captures import Groups

if TYPE_CHECKING:
    from tracker.contract.sources import Comparison, Source
    from tracker.session import Session


class Divergence(NamedTuple):
    """Both figures, in used percent; divergent if they differ by more than the configured points."""

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


def divergences(session: Session, windows: Iterable[str], groups: Groups) -> list[Divergence]:
    """The newest report against the newest meter, for every comparison that a source declares."""
    wanted, found = list(windows), []
    for source in session.registry.sources.values():
        for one in source.comparisons:
            reported, shown = _reported(session, source, one, wanted), _shown(one, groups)
            if reported is not None and shown is not None:
                names = (source.title, source.name, one.scope, one.provider, one.meter)
                found.append(Divergence(*names, reported, shown, session.config.divergence_pp))
    return found


def _reported(session: Session, source: Source, compared: Comparison, windows: list[str]) -> float | None:
    found = []
    for entry in session.index.entries(source.stream, windows):
        parsed = entry.record.get("parsed")
        if isinstance(parsed, Mapping) and parsed.get("scope") == compared.scope:
            figure = parsed.get(compared.figure)
            if isinstance(figure, int | float) and not isinstance(figure, bool):
                found.append((instant(entry.record.get("captured_at")) or EPOCH, figure))
    # of one instant the later line
    return sorted(found, key=lambda one: one[0])[-1][1] if found else None


def _shown(compared: Comparison, groups: Groups) -> float | None:
    group = [capture for (_, name), own in groups.items() if name == compared.provider for capture in own]
    gauges = [capture.reading.gauge(compared.meter) for capture in sorted(group, key=lambda one: one.order)]
    known = [gauge.used for gauge in gauges if gauge and gauge.used is not None]
    return known[-1] if known else None
