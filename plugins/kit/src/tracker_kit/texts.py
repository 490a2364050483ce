"""The checks of sources that read texts: reports, and the panes of providers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import UTC
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import pytest
from attrs import evolve

from tracker.api import Delta, PreviewContext, Reading, Source
from tracker.kernel import Registry
from tracker_kit import canary, claims, mutations, purity
from tracker_kit.cases import each_screen, together
from tracker_kit.conformance import SourceConformance
from tracker_kit.rules import ask, installed, rule
from tracker_kit.screen import CAPTURED_AT, Screen, screens

FAR_AWAY = "Pacific/Kiritimati"  # 14 hours before Greenwich: another day for most of it
RISE = 5


class TextConformance(SourceConformance):
    """A source that reads texts; set `screens`, a folder of `*.txt`, each with its expected `*.json`."""

    screens: ClassVar[Path]

    def all_screens(self) -> Iterator[Screen]:
        """The screens as commands get them: recordings of a terminal are played, or left out if nothing here can."""
        for screen in screens(self.screens) if getattr(self, "screens", None) else ():
            if "\x1b[" in screen.text:
                shown = installed().first("screen_text", text=screen.text)
                if shown is None:
                    continue
                screen.text = shown
            yield screen

    def parse(self, registry: Registry, text: str, **arguments: Any) -> Reading:
        """The reading of a text; an empty one if the text is not the source's."""
        given = {"captured_at": CAPTURED_AT, "timezone": UTC, "scope": None, "origin": None} | arguments
        answer: Reading | None = ask(registry, self.source, "parse_status", text=text, **given)
        return answer or Reading()

    def test_there_are_screens(self) -> None:
        folder = getattr(self, "screens", None)
        found = screens(folder) if folder else []
        assert found, rule(f"there is no screen (*.txt) in {folder}", "Testing")

    def test_reads_each_screen_as_recorded(
        self, registry: Registry, info: Source, request: pytest.FixtureRequest
    ) -> None:
        how = "--update-screens records it"
        for screen in self.all_screens():
            answer = ask(registry, self.source, "parse_status", text=screen.text, **screen.arguments)
            parsed = None if answer is None else registry.parsed(answer, info)
            if request.config.getoption("--update-screens"):
                screen.record(parsed)
                continue
            assert screen.is_recorded, rule(f"{screen.beside.name} is not beside {screen.path.name}; {how}", "Testing")
            assert parsed == screen.expected.get("parsed"), rule(
                f"{screen.name} no longer gives what was recorded; {how} again", "Testing"
            )

    @each_screen
    def test_explains_every_tag(self, registry: Registry, info: Source, screen: Screen) -> None:
        reading = self.parse(registry, screen.text, **screen.arguments)
        unknown = {tag.partition(":")[0] for tag in reading.errors} - info.tags.keys()
        assert not unknown, rule(f"the tags {sorted(unknown)} are not explained in the declaration", "Error tags")

    @each_screen
    def test_keeps_nothing_personal(self, registry: Registry, info: Source, screen: Screen) -> None:
        for text in (screen.text, *canary.in_text(screen.text)):
            kept = claims.kept(self.parse(registry, text, **screen.arguments))
            found = canary.escaped(kept) or canary.ADDRESS.findall(kept)
            assert not found, rule(f"{screen.name}: the reading keeps {found[0] if found else ''}", "Privacy")

    @together("text", mutations.FOREIGN)
    def test_takes_no_value_from_foreign_text(self, registry: Registry, info: Source, text: str) -> None:
        found = claims.figures(self.parse(registry, text))
        assert not found, rule(
            f"{text[:40]!r} gave {claims.said(found)}; a text of another program must give nothing", "Never a guess"
        )

    @each_screen
    def test_reads_the_same_in_other_clothes(self, registry: Registry, info: Source, screen: Screen) -> None:
        whole = self.parse(registry, screen.text, **screen.arguments)
        true = claims.of(whole)
        for what, text in mutations.dressings(screen.text):
            reading = self.parse(registry, text, **screen.arguments)
            found = claims.of(reading)
            gave = f"{screen.name} {what} gave {claims.said(found)}, the truth is {claims.said(true)}"
            assert found == true, rule(gave, "Panes")
            names = sorted(reading.fields.keys() | whole.fields.keys())
            other = [name for name in names if reading.fields.get(name) != whole.fields.get(name)]
            assert not other, rule(f"{screen.name} {what} gave other fields: {', '.join(other)}", "Panes")

    @each_screen
    def test_gives_the_true_value_or_none(self, registry: Registry, info: Source, screen: Screen) -> None:
        true = self.figures(info, self.parse(registry, screen.text, **screen.arguments))
        changed = (how(screen.text) for how in (mutations.cuts, mutations.wraps, mutations.surroundings))
        for what, text in chain.from_iterable(changed):
            found = self.figures(info, self.parse(registry, text, **screen.arguments))
            wrong = {name: value for name, value in found.items() if not claims.is_true(value, true.get(name))}
            assert not wrong, rule(
                f"{screen.name} {what} gave {claims.said(wrong)}, the truth is {claims.said(true)}", "Never a guess"
            )

    def figures(self, info: Source, reading: Reading) -> dict[str, Any]:
        """The figures that must be true or missing, whatever became of the text: those that others are held against."""
        return {held.figure: reading.fields.get(held.figure) for held in info.comparisons}

    @each_screen
    def test_touches_no_file_network_or_clock(self, registry: Registry, info: Source, screen: Screen) -> None:
        first = self.parse(registry, screen.text, **screen.arguments)  # what is imported late is imported now
        package = registry.package(self.source)
        held = purity.kept(package)
        self.parse(registry, f"{screen.text}\nanother", **screen.arguments)
        changed = sorted(name for name, now in purity.kept(package).items() if held.get(name) != now)
        assert not changed, rule(f"parse_status changed {', '.join(changed)}; it must keep nothing", "Purity")
        with purity.no_input_or_output() as touched:
            second = self.parse(registry, screen.text, **screen.arguments)
        assert not touched, rule(f"parse_status touched {', '.join(touched)}; a hook only takes values", "Purity")
        assert first == second, rule("two readings of one text differ", "Purity")

    @each_screen
    def test_reads_alike_wherever_the_machine_is(self, registry: Registry, info: Source, screen: Screen) -> None:
        here = self.parse(registry, screen.text, **screen.arguments)
        with purity.time_zone(FAR_AWAY):
            there = self.parse(registry, screen.text, **screen.arguments)
        assert here == there, rule(f"{screen.name} is read by the machine's own time zone", "Purity")

    @each_screen
    def test_shows_its_records_as_data(self, registry: Registry, info: Source, screen: Screen) -> None:
        reading = ask(registry, self.source, "parse_status", text=screen.text, **screen.arguments)
        if reading is None:
            return
        record: dict[str, Any] = {
            "provider": self.source,
            "window": "W0-01",
            "captured_at": "2026-01-01T12:00:00Z",
            "phase": "before",
        }
        record |= {"parsed": registry.parsed(reading, info)}
        kept = copy.deepcopy(record)
        self.block(registry, PreviewContext(windows=("W0-01",), records=(record,)))
        assert record == kept, rule("the block changed the record that it was given", "Purity")

    def test_shows_what_records_lack_as_missing(self, registry: Registry, info: Source) -> None:
        """Records of other versions, and those that were edited by hand."""
        known = [screen.expected["parsed"] for screen in screens(self.screens) if screen.expected.get("parsed")]
        odd: list[Any] = [None, "?", {"a": []}]
        parts: list[Any] = [None, [], {}, *(dict.fromkeys(one, value) for one in known for value in odd)]
        bare = {"window": "W0-01"}  # by which the core finds them
        for record in (bare, *(bare | {"parsed": part} for part in parts)):
            context = PreviewContext(windows=("W0-01",), records=(record,))
            self.block(registry, context)


class ReportConformance(TextConformance):
    """A `report`."""


class StatusConformance(TextConformance):
    """A `status` source: panes that are cut, wrapped, coloured and doubled, and deltas between them."""

    def figures(self, info: Source, reading: Reading) -> dict[str, Any]:
        return claims.of(reading)

    def test_shows_its_capacity_meter(self, registry: Registry, info: Source) -> None:
        readings = [self.parse(registry, screen.text, **screen.arguments) for screen in screens(self.screens)]
        shown = {key for reading in readings for key in claims.values(reading)}
        assert info.capacity is None or info.capacity in shown, rule(
            f"no screen gives the capacity meter {info.capacity!r} a value", "The declaration"
        )

    @each_screen
    def test_reports_no_change_between_equal_readings(self, registry: Registry, info: Source, screen: Screen) -> None:
        reading = self._timed(registry, screen)
        delta = self._delta(registry, reading, reading)
        moved = [change for change in delta.changes if change.delta not in (0, None)]
        assert not moved, rule(f"equal readings differ by {claims.moves(moved)}", "compute_delta")
        silent = [change for change in delta.changes if change.delta is None and not change.reason]
        assert not silent, rule(f"an unknown delta has no reason: {claims.moves(silent)}", "compute_delta")

    @each_screen
    def test_no_meter_goes_down(self, registry: Registry, info: Source, screen: Screen) -> None:
        before = self._timed(registry, screen)
        delta = self._delta(registry, before, claims.later(before, lambda used: used / 2))
        wrong = [change for change in delta.changes if change.delta is not None and change.delta < 0]
        assert not wrong, rule(f"a delta below 0 is impossible: {claims.moves(wrong)}", "compute_delta")

    @each_screen
    def test_a_rise_is_the_difference_or_unknown(self, registry: Registry, info: Source, screen: Screen) -> None:
        before = self._timed(registry, screen)
        delta = self._delta(registry, before, claims.later(before, lambda used: used + RISE))
        wrong = [change for change in delta.changes if change.delta not in (RISE, None)]
        assert not wrong, rule(f"meters that rose by {RISE} have the delta {claims.moves(wrong)}", "compute_delta")

    def _delta(self, registry: Registry, before: Reading, after: Reading) -> Delta:
        delta: Delta = ask(registry, self.source, "compute_delta", before=before, after=after)
        return delta

    def _timed(self, registry: Registry, screen: Screen) -> Reading:
        reading = self.parse(registry, screen.text, **screen.arguments)
        return evolve(reading, as_of=reading.as_of or screen.captured_at)
