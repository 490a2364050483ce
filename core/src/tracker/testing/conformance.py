"""The checks that every source must pass; a failing one says which rule is broken and where the guide explains it."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tracker.testing import mutations
from tracker.testing.screens import Screen, screens

if TYPE_CHECKING:
    from tracker.models import Block, Reading, Source
    from tracker.registry import Registry

CAPTURED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
HEAVY = {"cattrs", "click", "pyte", "requests", "httpx", "asyncio", "sqlite3", "numpy", "scipy", "pandas", "subprocess"}
ADDRESS = re.compile(r"[\w.+-]{2,}@[\w-]+\.[a-z]{2,}")


def rule(text: str, section: str) -> str:
    """The message of a failing check."""
    return f"{text} (docs/plugins.md, section {section!r})"


class SourceConformance:
    """What holds for a source of every kind; subclass the class of its kind, and set `source`."""

    source: ClassVar[str]

    @pytest.fixture(scope="class")
    @classmethod
    def registry(cls) -> Registry:
        from tracker.registry import discover

        return discover()

    @pytest.fixture(scope="class")
    @classmethod
    def info(cls, registry: Registry) -> Source:
        failure = next((failure for failure in registry.failures if failure.plugin == cls.source), None)
        assert failure is None, rule(str(failure), "When something is wrong")
        assert cls.source in registry.sources, rule(
            f"{cls.source!r} is no installed entry point of group 'tracker'", "Packaging"
        )
        return registry.sources[cls.source]

    def test_is_discovered_and_sound(self, info: Source) -> None:
        assert info.name == self.source

    def test_implements_known_hooks_with_known_arguments(self, registry: Registry, info: Source) -> None:
        [found] = [found for found in registry.found if found.name == self.source]
        assert "source_info" in found.hooks

    def test_imports_lightly(self, registry: Registry, info: Source) -> None:
        package = registry.package(self.source).split(".")[0]
        code = f"import sys, tracker.api; before = set(sys.modules); import {registry.module_name(self.source)}"
        code += "; print(*(set(sys.modules) - before))"
        loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
        heavy = HEAVY & {name.split(".")[0] for name in loaded}
        assert not heavy, rule(f"importing {package} imports {', '.join(sorted(heavy))}", "Import late")

    def test_names_no_clock(self, registry: Registry, info: Source) -> None:
        from tracker.testing.purity import clock_calls

        package = registry.package(self.source) or registry.module_name(self.source)
        ours = [module for name, module in sys.modules.items() if f"{name}.".startswith(f"{package}.")]
        calls = [call for module in ours for call in clock_calls(module)]
        assert not calls, rule(f"{calls[0] if calls else ''}; the time of the capture is an argument", "Purity")

    def test_shows_nothing_of_nothing(self, registry: Registry, info: Source) -> None:
        from tracker.models import EventTotals, PreviewContext

        if not registry.has(self.source, "render_preview_block"):
            return  # it shows no block: nothing to hold against it
        events = EventTotals() if info.kind == "telemetry" else None
        context = PreviewContext(windows=("W0-01",), events=events)
        block = registry.call(self.source, "render_preview_block", context=context)
        assert block is None, rule("a block is shown although there is nothing to show", "render_preview_block")


class TextConformance(SourceConformance):
    """A source that reads texts; set `screens`, a folder of `*.txt`, each with its expected `*.json`."""

    screens: ClassVar[Path]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "screen" in metafunc.fixturenames:
            found = screens(metafunc.cls.screens)
            metafunc.parametrize("screen", found, ids=[screen.name for screen in found])

    def parse(self, registry: Registry, text: str, **arguments: Any) -> Reading | None:
        """The reading of a text."""
        given = {"captured_at": CAPTURED_AT, "timezone": UTC, "scope": None, "origin": None} | arguments
        answer: Reading | None = registry.call(self.source, "parse_status", text=text, **given)
        return answer

    def test_there_are_screens(self) -> None:
        assert screens(self.screens), rule(f"there is no screen in {self.screens}", "Testing")

    def test_reads_each_screen_as_recorded(
        self, registry: Registry, info: Source, screen: Screen, request: pytest.FixtureRequest
    ) -> None:
        from tracker.parsed import to_parsed

        reading = self.parse(registry, screen.text, **screen.arguments)
        parsed = None if reading is None else to_parsed(reading, info)
        if request.config.getoption("--update-screens"):
            screen.record(parsed or {})
        assert parsed == screen.expected.get("parsed"), rule(
            f"{screen.name} does not say what was recorded; --update-screens records it anew", "Testing"
        )

    def test_explains_every_tag(self, registry: Registry, info: Source, screen: Screen) -> None:
        reading = self.parse(registry, screen.text, **screen.arguments)
        tags = {tag.partition(":")[0] for tag in reading.errors} if reading else set()
        unknown = tags - info.tags.keys()
        assert not unknown, rule(f"the tags {sorted(unknown)} are not explained in the declaration", "Error tags")

    def test_keeps_no_address(self, registry: Registry, info: Source, screen: Screen) -> None:
        reading = self.parse(registry, screen.text, **screen.arguments)
        kept = json.dumps(dict(reading.fields), default=str) if reading else ""
        assert not ADDRESS.search(kept.replace("***", "")), rule("a personal address stands in the fields", "Privacy")

    @pytest.mark.parametrize("text", mutations.FOREIGN, ids=range(len(mutations.FOREIGN)))
    def test_takes_no_value_from_foreign_text(self, registry: Registry, info: Source, text: str) -> None:
        reading = self.parse(registry, text)
        values = {} if reading is None else _values(reading)
        assert not values, rule(f"{text[:40]!r} gave {values}", "Never a guess")

    def test_touches_no_file_network_or_clock(self, registry: Registry, info: Source, screen: Screen) -> None:
        from tracker.testing.purity import no_input_or_output

        first = self.parse(registry, screen.text, **screen.arguments)  # what is imported late is imported now
        module = registry.module(self.source)
        arguments = {"text": screen.text, **screen.arguments}
        with no_input_or_output() as touched:
            second = _call(module.parse_status, arguments)  # type: ignore[attr-defined]
        assert not touched, rule(f"parse_status touched {touched[0]}", "Purity")
        assert first == second, rule("two readings of one text differ", "Purity")

    def test_shows_its_records_as_data(self, registry: Registry, info: Source, screen: Screen) -> None:
        from tracker.models import PreviewContext

        if not registry.has(self.source, "render_preview_block"):
            return  # it shows no block: nothing to hold against it
        record = {"provider": self.source, "window": "W0-01", "captured_at": "2026-01-01T12:00:00Z"}
        record |= {"parsed": screen.expected["parsed"]}
        kept = copy.deepcopy(record)
        context = PreviewContext(windows=("W0-01",), records=(record,))
        block: Block | None = registry.call(self.source, "render_preview_block", context=context)
        assert record == kept, rule("the block changed the record that it was given", "Purity")
        shown = [str(value) for row in block.rows for value in row.values.values()] if block else []
        assert not any("\x1b" in text for text in shown), rule("a value holds terminal codes", "render_preview_block")


class ReportConformance(TextConformance):
    """A `report`."""


class StatusConformance(TextConformance):
    """A `status` source: panes that are cut, wrapped, coloured and doubled, and deltas between them."""

    @pytest.mark.parametrize("how", ["cuts", "wraps", "dressings", "surroundings"])
    def test_gives_the_true_value_or_none(self, registry: Registry, info: Source, screen: Screen, how: str) -> None:
        whole = self.parse(registry, screen.text, **screen.arguments)
        true = {} if whole is None else _values(whole)
        for what, text in getattr(mutations, how)(screen.text):
            reading = self.parse(registry, text, **screen.arguments)
            found = {} if reading is None else _values(reading)
            wrong = {meter: value for meter, value in found.items() if true.get(meter) != value}
            assert not wrong, rule(f"{screen.name} {what} gave {wrong}, the truth is {true}", "Never a guess")
            if how == "dressings":
                assert found == true, rule(f"{screen.name} {what} lost {true.keys() - found.keys()}", "Panes")

    def test_reports_no_change_between_equal_readings(self, registry: Registry, info: Source, screen: Screen) -> None:
        reading = self._timed(registry, screen)
        delta = registry.call(self.source, "compute_delta", before=reading, after=reading)
        moved = [change for change in delta.changes if change.delta not in (0, None)]
        assert not moved, rule(f"equal readings differ by {moved}", "compute_delta")
        silent = [change for change in delta.changes if change.delta is None and not change.reason]
        assert not silent, rule(f"an unknown delta has no reason: {silent}", "compute_delta")

    def test_no_meter_goes_down(self, registry: Registry, info: Source, screen: Screen) -> None:
        import attrs

        before = self._timed(registry, screen)
        assert before.as_of is not None
        lower = tuple(attrs.evolve(g, used=None if g.used is None else g.used / 2) for g in before.gauges)
        after = attrs.evolve(before, gauges=lower, as_of=before.as_of + timedelta(hours=1))
        delta = registry.call(self.source, "compute_delta", before=before, after=after)
        wrong = [change for change in delta.changes if change.delta is not None and change.delta < 0]
        assert not wrong, rule(f"a delta below 0 is impossible: {wrong}", "compute_delta")

    def _timed(self, registry: Registry, screen: Screen) -> Reading:
        import attrs

        from tracker.models import Reading

        reading = self.parse(registry, screen.text, **screen.arguments) or Reading()
        return attrs.evolve(reading, as_of=reading.as_of or screen.captured_at)


class TelemetryConformance(SourceConformance):
    """A `telemetry` source; set `lines`, a file of real lines."""

    lines: ClassVar[Path]

    @pytest.mark.parametrize("line", mutations.JUNK_LINES, ids=range(len(mutations.JUNK_LINES)))
    def test_rejects_junk_telemetry(self, registry: Registry, info: Source, line: bytes) -> None:
        self._events(registry, line)

    def test_reads_every_line_the_same_way_twice(self, registry: Registry, info: Source) -> None:
        for line in self.lines.read_bytes().splitlines():
            assert self._events(registry, line) == self._events(registry, line), rule(
                "a line gave two answers", "Purity"
            )

    def _events(self, registry: Registry, line: bytes) -> list[Any]:
        from tracker.models import Event, Rejected

        try:
            events = list(registry.bind(self.source, "ingest_line")(line, {}))
        except Rejected:
            return []
        for event in events:
            assert isinstance(event, dict), rule(f"an event is a {type(event).__name__}, not a dict", "ingest_line")
            unknown = event.keys() - Event.__annotations__.keys()
            assert not unknown, rule(f"an event has unknown fields: {sorted(unknown)}", "ingest_line")
            assert isinstance(event.get("routed"), bool), rule("`routed` is no bool", "ingest_line")
            assert isinstance(event.get("ok"), bool), rule("`ok` is no bool", "ingest_line")
            json.dumps(event, allow_nan=False)
        return events


def _values(reading: Reading) -> dict[str, Any]:
    """Every value that a reading claims, and the reset beside it where it names one."""
    return {gauge.meter: gauge.used for gauge in reading.gauges if gauge.used is not None}


def _call(function: Any, arguments: dict[str, Any]) -> Any:
    """Call a hook's own function with the arguments that it asks for."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return function(**{name: arguments[name] for name in names})
