"""The checks of sources that read telemetry streams, line by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tracker_kit import canary, mutations
from tracker_kit.cases import together
from tracker_kit.conformance import SourceConformance
from tracker_kit.rules import asked, rule

if TYPE_CHECKING:
    from tracker.api import EventTotals, Source
    from tracker.kernel import Registry

TEXTS = ("rid", "lane", "model", "reason")
COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
SHOWN = 200  # lines of the file that the slower checks look at


class TelemetryConformance(SourceConformance):
    """A `telemetry` source; set `lines`, a file of real lines."""

    lines: ClassVar[Path]

    def test_there_are_lines_with_events(self, registry: Registry, info: Source) -> None:
        path = getattr(self, "lines", None)
        assert path is not None, rule("the class names no file of `lines`", "Testing")
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
        lines = self._lines()
        assert self._stream(registry, lines) == self._stream(registry, lines), rule(
            "a stream that is read twice gives other events", "Purity"
        )

    def test_keeps_nothing_personal(self, registry: Registry, info: Source) -> None:
        for line in self._lines()[:SHOWN]:
            kept = json.dumps(self._events(registry, canary.in_line(line)), ensure_ascii=False)
            found = canary.escaped(kept)
            assert not found, rule(f"an event keeps {found[0] if found else ''!r}", "Privacy")

    def test_touches_no_file_network_or_clock(self, registry: Registry, info: Source) -> None:
        from tracker_kit.purity import no_input_or_output

        lines = self._lines()[:SHOWN]
        self._stream(registry, lines)  # what is imported late is imported now
        with no_input_or_output() as touched:
            self._stream(registry, lines)
        assert not touched, rule(f"ingest_line touched {', '.join(touched)}; a hook only takes values", "Purity")

    def test_shows_its_totals_as_data(self, registry: Registry, info: Source) -> None:
        from tracker.api import PreviewContext

        if registry.has(self.source, "render_preview_block"):
            totals = _totals([event for events in self._stream(registry, self._lines()) for event in events])
            self.block(registry, PreviewContext(windows=("W0-01",), events=totals))

    def _lines(self) -> list[bytes]:
        return self.lines.read_bytes().splitlines()

    def _stream(self, registry: Registry, lines: list[bytes]) -> list[list[dict[str, Any]]]:
        """The events of lines that follow each other in one stream."""
        scratch: dict[str, Any] = {}
        return [self._events(registry, line, scratch) for line in lines]

    def _events(self, registry: Registry, line: bytes, scratch: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        from tracker.api import Rejected
        from tracker.kernel import guarded

        found: Any = []

        def ingest() -> None:
            nonlocal found
            with guarded(self.source, "ingest_line"):
                try:
                    found = registry.bind(self.source, "ingest_line")(line, {} if scratch is None else scratch)
                except Rejected:
                    found = []

        asked("ingest_line", ingest)
        assert isinstance(found, list | tuple), rule(f"the events are a {type(found).__name__}, no list", "ingest_line")
        for event in found:
            _check(event)
        return list(found)


def _check(event: Any) -> None:
    """An event has known fields of the right types, and nothing that is no JSON."""
    from tracker.api import Event

    assert isinstance(event, dict), rule(f"an event is a {type(event).__name__}, not a dict", "ingest_line")
    unknown = event.keys() - Event.__annotations__.keys()
    assert not unknown, rule(f"an event has unknown fields: {sorted(unknown)}", "ingest_line")
    wrong = [name for name in ("routed", "ok") if not isinstance(event.get(name), bool)]
    wrong += [name for name in TEXTS if not isinstance(event.get(name), str | None)]
    wrong += [name for name in COUNTS if type(event.get(name)) not in (int, type(None))]
    shown = {name: event.get(name) for name in wrong}
    assert not wrong, rule(f"an event has wrong types: {shown}; the guide's table gives the right ones", "ingest_line")
    try:
        json.dumps(event, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise AssertionError(rule(f"an event is no JSON: {error}", "ingest_line")) from error


def _totals(events: list[dict[str, Any]]) -> EventTotals:
    from tracker.api import EventTotals, Quantiles

    latencies = [event["latency_ms"] for event in events if event.get("latency_ms") is not None]
    middle = sorted(latencies)[len(latencies) // 2] if latencies else None
    return EventTotals(
        events=len(events),
        routed=sum(event["routed"] for event in events),
        errors=sum(not event["ok"] for event in events),
        input_tokens=sum(event.get("input_tokens") or 0 for event in events),
        output_tokens=sum(event.get("output_tokens") or 0 for event in events),
        latency_ms=Quantiles(n=len(latencies), p50=middle, p95=max(latencies, default=None)),
    )
