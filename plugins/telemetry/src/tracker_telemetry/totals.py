"""A telemetry source's events: read back one by one, or as the totals that the index keeps."""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from attrs import define, evolve, field

from tracker.api import EventTotals, Quantiles, Rejected, Source
from tracker.kernel import Session, StreamFacts, TrackerError, guarded, line, plural
from tracker_telemetry import event_index
from tracker_telemetry.event_columns import Columns, Group, Sums, row_of, tally
from tracker_telemetry.percentiles import percentiles

T = TypeVar("T")

EXACT_UP_TO = 100_000  # events whose percentiles are exact; beyond, they come from buckets


def only_source(session: Session) -> Source:
    """The one telemetry source that is installed; a person has to say which one is meant where there are several."""
    known = [source for source in session.registry.sources.values() if source.kind == "telemetry"]
    if not known:
        raise TrackerError("no telemetry source is installed; `tracker plugins list` shows what is")
    if len(known) > 1:
        names = ", ".join(source.name for source in known)
        raise TrackerError(f"there are several telemetry sources ({names}); name one with --source")
    return known[0]


def events(session: Session, source: Source, windows: Iterable[str] | None) -> Iterator[Mapping[str, Any]]:
    """The standing events of some windows; a row of schema 1.0.0 that holds a whole stream gives its lines."""
    for entry in session.index.entries(source.stream, windows):
        raw = entry.record.get("raw_text")
        if isinstance(raw, str) and "routed" not in entry.record:
            yield from old_events(session, source, raw)
        else:
            yield entry.record


def split(text: str) -> list[bytes]:
    """The lines of a stream that was kept as one text."""
    return [line.removesuffix(b"\r") for line in text.encode("utf-8", "surrogatepass").split(b"\n")]


def old_events(session: Session, source: Source, text: str) -> list[Mapping[str, Any]]:
    """The events of a whole stream in one text; lines that cannot be read were never counted."""
    ingest_line = session.registry.bind(source.name, "ingest_line")
    scratch: dict[str, Any] = {}
    found: list[Mapping[str, Any]] = []
    with guarded(source.name, "ingest_line"):
        for line in split(text):
            with suppress(Rejected):
                found += ingest_line(line, scratch)
    return found


# --- what they add up to


@define
class Known:
    """The events of some windows: what they add up to, and the chunks that they come from.

    The index has both, apart from rows of schema 1.0.0. Where events were taken back, which no command does, everything
    is read and added up anew.
    """

    session: Session
    source: Source
    windows: Sequence[str]
    _apart: list[Columns] = field(factory=list)
    _apart_sums: list[tuple[Group, Sums]] = field(factory=list)
    _indexed: Sequence[str] = ()  # the windows whose events the index adds up

    def __attrs_post_init__(self) -> None:
        index, stream = self.session.index, self.source.stream
        if index.tombstoned(stream):
            found = list(events(self.session, self.source, self.windows))
        else:
            self._indexed = self.windows
            texts = index.whole_streams(stream, self.windows)
            found = [event for text in texts for event in old_events(self.session, self.source, text)]
        if found:
            known = tally(map(row_of, found))
            self._apart = [known.columns]
            self._apart_sums = list(zip(known.columns.groups, known.sums(), strict=True))

    def sums(self) -> list[tuple[Group, Sums]]:
        """What the events add up to, per lane, model, day and side; a group may come more than once."""
        ask = partial(event_index.totals, stream=self.source.stream, windows=self._indexed)
        return self._apart_sums + self.session.index.ask(ask, [self.source.stream])

    def fold(self, take: Callable[[Iterator[Columns]], T]) -> T:
        """What `take` makes of the events by column; it is called again where the index turns out to be spoilt."""

        def ask(database: sqlite3.Connection) -> T:
            return take(chain(self._apart, event_index.chunks(database, self.source.stream, self._indexed)))

        return self.session.index.ask(ask, [self.source.stream])

    def outside(self, start: float, end: float) -> int:
        """How many of the events have a time before a start or after an end (epoch s)."""

        def ask(database: sqlite3.Connection) -> int:
            return sum(event_index.outside(database, self.source.stream, name, start, end) for name in self._indexed)

        apart = sum(moment < start or moment > end for part in self._apart for moment in part.moments)
        return apart + self.session.index.ask(ask, [self.source.stream])


def outside(session: Session, source: Source, spans: Mapping[str, tuple[datetime, datetime | None]]) -> dict[str, int]:
    """How many events of each window came before or after the span in which it was measured; None is no end yet."""
    found = {}
    for window, (start, end) in spans.items():
        known = Known(session, source, [window])
        found[window] = known.outside(start.timestamp(), end.timestamp() if end else math.inf)
    return {window: events for window, events in found.items() if events}


def facts(
    session: Session,
    source: Source,
    windows: Sequence[str],
    spans: Mapping[str, tuple[datetime, datetime | None]],
) -> StreamFacts:
    """What the stream says in some windows."""
    return StreamFacts(totals=totals(session, source, windows), outside=outside(session, source, spans))


def outside_note(source: Source, window: str, events: int) -> str:
    """What people are told of them: they are counted all the same."""
    return (
        f"note: outside window: {plural(events, 'event')} of {line(source.title)} in {line(window)} came"
        " before its first BEFORE or after its last AFTER"
    )


def totals(session: Session, source: Source, windows: Sequence[str]) -> EventTotals:
    """All figures of the windows' events, per lane and model, too, without reading the events again."""
    known = Known(session, source, windows)
    parts: dict[tuple[str, str], Part] = {WHOLE: Part()}
    for group, sums in known.sums():
        for name in _parts(group):
            parts.setdefault(name, Part()).add(group, sums)
    if parts[WHOLE].sums.buckets.n <= EXACT_UP_TO:
        latencies = known.fold(_latencies)
        for name, part in parts.items():
            part.latencies = latencies[name]
    lanes, models = (
        {name: part.totals() for (kind, name), part in sorted(parts.items()) if kind == wanted}
        for wanted in ("lane", "model")
    )
    return evolve(parts[WHOLE].totals(), lanes=lanes, models=models)


WHOLE = ("", "")


def _parts(group: Group) -> tuple[tuple[str, str], ...]:
    """The parts that a group's events are counted in."""
    return WHOLE, ("lane", group.lane), ("model", group.model)


def _latencies(chunks: Iterator[Columns]) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for chunk in chunks:
        into = [[found[part] for part in _parts(group)] for group in chunk.groups]
        for place, latency in zip(chunk.places, chunk.latencies, strict=True):
            if latency == latency:
                for part in into[place]:
                    part.append(latency)
    return found


@define
class Part:
    """Some events on their way to `EventTotals`; their latencies where there are few enough to be exact."""

    routed: int = 0
    sums: Sums = field(factory=Sums)
    latencies: list[float] | None = None

    def add(self, group: Group, sums: Sums) -> None:
        self.routed += sums.events if group.routed else 0
        self.sums.add(sums)

    def totals(self) -> EventTotals:
        sums, is_exact = self.sums, self.latencies is not None
        p50, p95 = percentiles(self.latencies) if self.latencies is not None else sums.buckets.percentiles()
        return EventTotals(
            events=sums.events,
            routed=self.routed,
            errors=sums.errors,
            input_tokens=sums.tokens[0],
            output_tokens=sums.tokens[1],
            latency_ms=Quantiles(n=sums.buckets.n, p50=p50, p95=p95, exact=is_exact),
        )
