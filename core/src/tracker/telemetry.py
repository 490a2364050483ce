"""A telemetry source's events: read back one by one, or as the totals that the index keeps."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from attrs import define, evolve, field

from tracker.event_index import Collector
from tracker.isolation import guarded
from tracker.models import EventTotals, Quantiles, Rejected, Source
from tracker.session import Session
from tracker.stats.percentiles import Buckets, percentiles

EXACT_UP_TO = 100_000  # events whose percentiles are exact; beyond, they come from buckets


def events(session: Session, source: Source, windows: Iterable[str] | None) -> Iterator[Mapping[str, Any]]:
    """The standing events of some windows; a row of schema 1.0.0 that holds a whole stream gives its lines."""
    for entry in session.index.entries(source.stream, windows):
        raw = entry.record.get("raw_text")
        if isinstance(raw, str) and "routed" not in entry.record:
            yield from old_events(session, source, raw)
        else:
            yield entry.record


def old_events(session: Session, source: Source, text: str) -> list[Mapping[str, Any]]:
    """The events of a whole stream in one text; lines that cannot be read were never counted."""
    ingest_line = session.registry.bind(source.name, "ingest_line")
    scratch: dict[str, Any] = {}
    found: list[Mapping[str, Any]] = []
    with guarded(source.name, "ingest_line"):
        for line in text.splitlines():
            with suppress(Rejected):
                found += ingest_line(line.encode("utf-8", "surrogatepass"), scratch)
    return found


@define
class Part:
    """Sums of some events on their way to `EventTotals`."""

    events: int = 0
    routed: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    buckets: Buckets = field(factory=Buckets)

    def totals(self) -> EventTotals:
        p50, p95 = self.buckets.percentiles()
        return EventTotals(
            events=self.events,
            routed=self.routed,
            errors=self.errors,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            latency_ms=Quantiles(n=self.buckets.n, p50=p50, p95=p95, exact=False),
        )


def totals(session: Session, source: Source, windows: Sequence[str]) -> EventTotals:
    """All figures of the windows' events, per lane and model, too, without reading the events again."""
    rows = session.index.event_totals(source.stream, windows)
    _, latencies = session.index.event_chunks(source.stream, windows)
    whole = Part()
    lanes: dict[str, Part] = {}
    models: dict[str, Part] = {}
    for lane, model, routed, sums, buckets in [*rows, *_old_rows(session, source, windows, latencies)]:
        for part in (whole, lanes.setdefault(lane, Part()), models.setdefault(model, Part())):
            part.events += sums[0]
            part.routed += sums[0] if routed else 0
            part.errors += sums[1]
            part.input_tokens += sums[2]
            part.output_tokens += sums[3]
            part.buckets.merge(buckets)
    found = whole.totals()
    if len(latencies) <= EXACT_UP_TO:
        p50, p95 = percentiles(latencies)
        found = evolve(found, latency_ms=Quantiles(n=len(latencies), p50=p50, p95=p95))
    return evolve(
        found,
        lanes={name: part.totals() for name, part in sorted(lanes.items())},
        models={name: part.totals() for name, part in sorted(models.items())},
    )


def _old_rows(
    session: Session, source: Source, windows: Sequence[str], latencies: array[float]
) -> Iterator[tuple[str, str, bool, Sequence[int], Buckets]]:
    """The same rows for streams that schema 1.0.0 kept whole; their latencies join the others."""
    collector = Collector(source.stream)
    for text in session.index.whole_streams(source.stream, windows):
        for event in old_events(session, source, text):
            collector.event("", event)
    for (_, lane, model, _, routed), sums in collector.sums.items():
        buckets = Buckets()
        for latency in sums.latencies:
            buckets.add(latency)
        latencies.extend(sums.latencies)
        yield str(lane or ""), str(model or ""), routed, (sums.events, sums.errors, sums.input, sums.output), buckets


def outside(session: Session, source: Source, window: str, start: float, end: float) -> int:
    """How many of a window's events have a time before its start or after its end (epoch s)."""
    times, _ = session.index.event_chunks(source.stream, [window])
    return sum(1 for at in times if not math.isnan(at) and not start <= at <= end)
