"""A report against the meter that it estimates: if the two differ, one of them is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from tracker.contract.readings import EPOCH, instant
from tracker.windows.captures import Groups

if TYPE_CHECKING:
    from tracker.contract.sources import Comparison, Source
    from tracker.session import Session


# by provider and meter: which capture it is from, and the value
Newest = dict[tuple[str, str], tuple[tuple[datetime, int], float]]


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


def divergences(session: Session, windows: Iterable[str], meters: Newest) -> list[Divergence]:
    """The newest report against the newest meter, for every comparison that a source declares."""
    wanted, found = list(windows), []
    for source in session.registry.sources.values():
        for one in source.comparisons:
            _, shown = meters.get((one.provider, one.meter), (None, None))
            reported = None if shown is None else _reported(session, source, one, wanted)
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


def newest(session: Session, groups: Groups, known: Newest) -> Newest:
    """The newest values of the meters that sources are compared with, of some captures and what was known."""
    for one in (one for source in session.registry.sources.values() for one in source.comparisons):
        for capture in (capture for (_, name), own in groups.items() if name == one.provider for capture in own):
            gauge, before = capture.reading.gauge(one.meter), known.get((one.provider, one.meter))
            if gauge is not None and gauge.used is not None and (before is None or capture.order >= before[0]):
                known[one.provider, one.meter] = capture.order, gauge.used
    return known
