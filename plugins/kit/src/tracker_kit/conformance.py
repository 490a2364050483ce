"""The checks that every source must pass; a failing one says which rule is broken and where the guide explains it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.resources import files
from typing import Any, ClassVar

import pytest
from attrs import asdict

from tracker.api import Block, EventTotals, LogOrigin, PreviewContext, Source
from tracker.kernel import Registry, escape
from tracker_kit import inventory
from tracker_kit.purity import clock_calls, modules_of
from tracker_kit.rules import ask, installed, refused, rule

SLOW = 0.5  # seconds
FIELD = re.compile(r"\{(\w+)(?::[^}]*)?\}")
PYTHONS = re.compile(r"\{\w+:(?:[<>^=+,_\d][^}]*|\.\d+[def])\}")  # how Python formats a value; here it is a unit
PERCENTS = ("%", "percent", "per cent", "pct")
HEAVY = {"cattrs", "click", "pyte", "requests", "httpx", "asyncio", "socket", "ssl", "sqlite3", "numpy", "scipy"}
HEAVY |= {"pandas", "subprocess", "multiprocessing"}
# the CPU time that its import takes, what it imports, and what it touches meanwhile: a line each
IMPORT = """
import sys, time, tracker.api
before, touched = set(sys.modules), []
watched = ("socket.", "subprocess.", "urllib.", "os.system", "os.exec", "os.posix_spawn", "os.fork")
sys.addaudithook(lambda event, _: touched.append(event) if event.startswith(watched) else None)
start = time.process_time()
import {module}
print(time.process_time() - start)
print(*(set(sys.modules) - before))
print(*touched)
"""


class Conformance:
    """The base of all checks, by which `tracker plugins check` finds them."""


class SourceConformance(Conformance):
    """What holds for a source of every kind; subclass the class of its kind, and set `source`."""

    source: ClassVar[str]

    @pytest.fixture(scope="class")
    @classmethod
    def registry(cls) -> Registry:
        return installed()

    @pytest.fixture(scope="class")
    @classmethod
    def info(cls, registry: Registry) -> Source:
        is_there = cls.source in registry.sources  # apart, since pytest would print the registry; it loads all sources
        # of several that claim the name the one that has it
        failure = getattr(registry.find(cls.source), "error", None)
        assert failure is None, refused(failure)
        text = f"{cls.source!r} is not an installed entry point of group 'tracker'; after adding one, install again"
        assert is_there, rule(text, "Packaging")
        return registry.sources[cls.source]

    def test_is_discovered_and_sound(self, info: Source) -> None:
        assert info.name == self.source

    def test_marks_its_hooks(self, registry: Registry, info: Source) -> None:
        """A function that is named like a hook and not marked as one is never called."""
        found = registry.find(self.source)
        module = found.module if found else None
        hooks = sorted(name for name in registry.of_sources if not registry.has(self.source, name))
        unmarked = [name for name in hooks if callable(getattr(module, name, None))]
        assert not unmarked, rule(f"{', '.join(unmarked)} is not marked with @hookimpl", "When something is wrong")

    def test_declares_the_same_each_time(self, registry: Registry, info: Source) -> None:
        again = ask(registry, self.source, "source_info")
        said = rule("source_info gives another declaration when it is called again", "The declaration")
        assert asdict(again.as_source()) == asdict(info), said

    def test_hides_no_program(self, registry: Registry, info: Source) -> None:
        lost = "; ".join(inventory.functions_left_out(registry, info.name))
        assert not lost, rule(f"{lost}. Choose another prefix than {info.prefix!r}", "The declaration")

    def test_a_view_has_an_input(self, registry: Registry, info: Source) -> None:
        written = {one.stream for one in registry.sources.values() if one.kind != "view"}
        written |= {"windows", "anomalies", "snapshots"}
        written |= {stream for one in registry.features if one.info for stream in one.info.streams}
        text = f"it shows the stream {info.stream!r}, which no installed source or feature writes"
        assert info.kind != "view" or info.stream in written, rule(text, "A view")

    def test_declares_what_fits_together(self, registry: Registry, info: Source) -> None:
        assert info.title.strip(), rule("its title is blank", "The declaration")
        counted = [meter.key for meter in info.meters if meter.unit.casefold() in PERCENTS]
        text = f"{', '.join(counted)}: a percentage of the quota has the unit 'pp'"
        assert not counted, rule(text, "The declaration")
        is_log = any(isinstance(origin, LogOrigin) for origin in info.origins)
        text = "a LogOrigin is read line by line. Declare it in a TelemetrySource of its own"
        assert info.is_stream or not is_log, rule(text, "Origins")
        for held in info.comparisons:
            text = f"a comparison has the scope {held.scope!r}, which is not one of its scopes"
            assert held.scope in info.scopes, rule(text, "The declaration")
            provider = registry.sources.get(held.provider)
            known = provider is None or provider.meter(held.meter) is not None
            assert known, rule(f"{held.provider} has no meter {held.meter!r} to compare with", "The declaration")

    def test_packs_what_its_demo_needs(self, registry: Registry, info: Source) -> None:
        for step in info.demo.steps if info.demo else ():
            try:
                found = step.capture is None or files(registry.package(self.source)).joinpath(step.capture).is_file()
            except TypeError:  # a single module has no folder
                found = False
            assert found, rule(f"the demo's capture {step.capture} is not in the package", "Packaging")

    def test_imports_lightly(self, registry: Registry, info: Source) -> None:
        found = registry.find(self.source)
        name = getattr(found and found.module, "__name__", "")
        code = [sys.executable, "-c", IMPORT.format(module=name)]
        seconds, loaded, touched = subprocess.check_output(code, text=True).split("\n")[-4:-1]
        heavy = HEAVY & {module.split(".")[0] for module in loaded.split()}
        assert not heavy, rule(f"importing {name} imports {', '.join(sorted(heavy))}; do it later", "Import late")
        assert float(seconds) < SLOW, rule(f"importing {name} takes {float(seconds):.1f} s of CPU time", "Import late")
        assert not touched, rule(f"importing {name} touches {touched}; it must do nothing", "Import late")

    def test_names_no_clock(self, registry: Registry, info: Source) -> None:
        calls = list(clock_calls(modules_of(registry.package(self.source))))
        assert not calls, rule(f"{', '.join(calls)}; the time of the capture is an argument", "Purity")

    def test_shows_nothing_of_nothing(self, registry: Registry, info: Source) -> None:
        events = EventTotals() if info.kind == "telemetry" else None
        block = self.block(registry, PreviewContext(windows=("W0-01",), events=events))
        assert block is None, rule("a block is shown although there is nothing to show", "render_preview_block")

    def test_a_view_shows_records_as_data(self, registry: Registry, info: Source) -> None:
        """The records of the kit's own windows, also with fields missing: a record may be edited by hand."""
        known = json.loads(files("tracker_kit").joinpath("recorded.json").read_bytes()).get(info.stream, [])
        bare: dict[str, Any] = {"window": "W0-01"}  # by which the core finds them
        for record in (bare, *known, *({**dict.fromkeys(one), **bare} for one in known)) if info.kind == "view" else ():
            self.block(registry, PreviewContext(windows=("W0-01",), records=(record,)))

    def block(self, registry: Registry, context: PreviewContext) -> Block | None:
        """The source's preview block, which holds data and nothing that steers a terminal."""
        found: Block | None = ask(registry, self.source, "render_preview_block", context=context)
        for row in found.rows if found else ():
            unknown = set(FIELD.findall(row.text or "")) - row.values.keys()
            assert not unknown, rule(
                f"a row's text names {sorted(unknown)}, which its values lack", "render_preview_block"
            )
            python = PYTHONS.search(row.text or "")
            text = f"{python and python[0]} in a row's text prints what follows the colon as a unit"
            assert python is None, rule(text, "render_preview_block")
            words = [found.title if found else "", row.label or "", row.text or "", *_texts(list(row.values.values()))]
            steering = [word for word in words if escape(word) != word]
            assert not steering, rule(f"a row holds control characters: {steering}", "render_preview_block")
        return found


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return _texts(list(value.values()))
    return [text for one in value for text in _texts(one)] if isinstance(value, list) else []
