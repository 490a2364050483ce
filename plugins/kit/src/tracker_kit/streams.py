"""The checks of sources that read telemetry streams, line by line."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from tracker.api import Event, EventTotals, LogOrigin, PreviewContext, Quantiles, Rejected, Source, check_event
from tracker.kernel import Registry
from tracker_kit import canary, mutations
from tracker_kit.cases import together
from tracker_kit.conformance import SourceConformance
from tracker_kit.purity import no_input_or_output
from tracker_kit.rules import blamed, rule

SHOWN = 200  # lines of the file that the slower checks look at
LONGEST = 1 << 20  # characters of an event
NOTES = ("unknown", "extras")  # what the scratch of a session file may hold for people


class TelemetryConformance(SourceConformance):
    """A `telemetry` source; set `lines`, a file of real lines."""

    lines: ClassVar[Path]

    def test_there_are_lines_with_events(self, registry: Registry, info: Source) -> None:
        path = getattr(self, "lines", None)
        assert path is not None, rule("the class does not name its file of `lines`", "Testing")
        assert path.is_file(), rule(f"there is no file {path}", "Testing")
        assert any(self._stream(registry, self._lines())), rule(f"no line of {path.name} gives an event", "Testing")

    @together("line", mutations.JUNK_LINES)
    def test_rejects_junk_telemetry(self, registry: Registry, info: Source, line: bytes) -> None:
        self._events(registry, line)

    def test_survives_lines_that_were_cut(self, registry: Registry, info: Source) -> None:
        for line in self._lines()[:SHOWN]:
            for end in range(0, len(line), max(1, len(line) // 20)):
                self._events(registry, line[:end])

    def test_reads_every_line_the_same_way_twice(self, registry: Registry, info: Source) -> None:
        """A replay reads the stream from its start, with a fresh scratch."""
        lines = self._lines()
        text = "a stream that is read twice, each time with a fresh scratch, gives other events"
        first, second = self._stream(registry, lines), self._stream(registry, lines)
        # both are empty if the module remembers what earlier checks read
        assert any(first), rule(text, "Purity")
        assert first == second, rule(text, "Purity")

    def test_goes_on_with_a_stored_scratch(self, registry: Registry, info: Source) -> None:
        """That of a session file is stored as JSON between two runs."""
        if not any(isinstance(origin, LogOrigin) for origin in info.origins):
            return
        kept: dict[str, Any] = {}
        stored: dict[str, Any] = {}
        for line in self._lines()[:SHOWN]:
            found, again = self._events(registry, line, kept), self._events(registry, line, stored)
            assert found == again, rule(
                "with a scratch that was stored as JSON, a line gives other events", "ingest_line"
            )
            stored = _stored(stored)

    def test_keeps_nothing_personal(self, registry: Registry, info: Source) -> None:
        for line in self._lines()[:SHOWN]:
            kept = json.dumps(self._events(registry, canary.in_line(line)), ensure_ascii=False)
            found = canary.escaped(kept)
            assert not found, rule(f"an event keeps {found[0] if found else ''!r}", "Privacy")

    def test_touches_no_file_network_or_clock(self, registry: Registry, info: Source) -> None:
        lines = self._lines()[:SHOWN]
        self._stream(registry, lines)  # what is imported late is imported now
        with no_input_or_output() as touched:
            self._stream(registry, lines)
        assert not touched, rule(f"ingest_line touched {', '.join(touched)}; a hook only takes values", "Purity")

    def test_shows_its_totals_as_data(self, registry: Registry, info: Source) -> None:
        totals = _totals([event for events in self._stream(registry, self._lines()) for event in events])
        self.block(registry, PreviewContext(windows=("W0-01",), events=totals))

    def _lines(self) -> list[bytes]:
        return self.lines.read_bytes().splitlines()

    def _stream(self, registry: Registry, lines: list[bytes]) -> list[list[Event]]:
        """The events of lines that follow each other in one stream, and of its end."""
        scratch: dict[str, Any] = {}
        return [self._events(registry, line, scratch) for line in (*lines, None)]

    def _events(self, registry: Registry, line: bytes | None, scratch: dict[str, Any] | None = None) -> list[Event]:
        given = {} if scratch is None else scratch
        hook, arguments = ("end_stream", (given,)) if line is None else ("ingest_line", (line, given))
        if not registry.has(self.source, hook):
            return []
        with blamed("ingest_line"):
            found = self._answer(registry, hook, arguments)
        for event in found:
            try:
                size = len(json.dumps(event, allow_nan=False))
            except (TypeError, ValueError) as error:
                raise AssertionError(rule(f"an event is not JSON: {error}", "ingest_line")) from error
            assert size <= LONGEST, rule(f"an event has {size} characters. Expected at most {LONGEST}", "ingest_line")
        return found

    def _answer(self, registry: Registry, hook: str, arguments: tuple[Any, ...]) -> list[Event]:
        """The events of one line of a stream, or of its end; none of a line that is rejected."""
        with registry.guarded(self.source, hook), suppress(Rejected):
            found = registry.bind(self.source, hook)(*arguments)
            if not isinstance(found, list | tuple):
                raise TypeError(f"returned {type(found).__name__}. Expected a list of events.")
            is_log = any(isinstance(one, LogOrigin) for one in registry.sources[self.source].origins)
            for event in found:
                check_event(event)
                if not all(isinstance(tag, str) for tag in event.get("tags", ())):
                    raise TypeError("an event's tags are not all texts.")
                if is_log and not event.get("key"):
                    raise TypeError("an event of a session file has no key.")
            return list(found)
        return []


def _stored(scratch: dict[str, Any]) -> dict[str, Any]:
    """A scratch as it is after it was stored."""
    try:
        found: dict[str, Any] = json.loads(json.dumps(scratch))
    except (TypeError, ValueError, RecursionError) as error:
        raise AssertionError(rule(f"the scratch cannot be stored: {error}", "ingest_line")) from error
    for name in NOTES:
        notes = found.get(name, {})
        text = rule(f"scratch[{name!r}] is not a dict of names and counts", "ingest_line")
        assert isinstance(notes, dict), text
        for note in notes.values():
            counts = note.values() if isinstance(note, dict) else [note]
            assert all(type(count) is int and count >= 0 for count in counts), text
    return found


def _totals(events: list[Event]) -> EventTotals:
    latencies = [known for event in events if (known := event.get("latency_ms")) is not None]
    middle = sorted(latencies)[len(latencies) // 2] if latencies else None
    return EventTotals(
        events=len(events),
        routed=sum(event.get("routed", False) for event in events),
        errors=sum(not event.get("ok", True) for event in events),
        input_tokens=sum(event.get("input_tokens") or 0 for event in events),
        output_tokens=sum(event.get("output_tokens") or 0 for event in events),
        latency_ms=Quantiles(n=len(latencies), p50=middle, p95=max(latencies, default=None)),
    )
