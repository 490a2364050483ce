"""The checks of features."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import ClassVar

import click
import pytest

from tracker.feature import Feature
from tracker_kit.conformance import Conformance
from tracker_kit.rules import installed, rule

HEAVY = {"attrs", "attr", "cattrs", "click", "pluggy", "orjson", "numpy", "scipy", "duckdb", "importlib.metadata"}
IMPORT = "import sys, tracker.feature; before = set(sys.modules); import {module}; print(*(set(sys.modules) - before))"


class FeatureConformance(Conformance):
    """What holds for every feature; subclass it and set `feature`, the name of its entry point."""

    feature: ClassVar[str]

    @pytest.fixture
    @classmethod
    def declared(cls) -> Feature:
        found = next((one for one in installed().declared if one.name == cls.feature), None)
        text = f"{cls.feature!r} is not an installed feature; after adding an entry point, install again"
        assert found is not None, rule(text, "Packaging")
        return found

    def test_is_discovered_and_its_hooks_are_known(self, declared: Feature) -> None:
        known = declared.name in installed().features
        assert known, rule("its hooks do not fit the specifications; `tracker plugins list` says why", "Features")

    def test_its_commands_exist(self, declared: Feature) -> None:
        for name, command in declared.commands.items():
            module, _, attribute = command.place.partition(":")
            found = getattr(import_module(module), attribute, None)
            assert isinstance(found, click.Command), rule(f"{command.place} is not a click command", "Features")
            assert found.help, rule(f"the command {name!r} has no help", "Features")

    def test_its_settings_are_classes(self, declared: Feature) -> None:
        for table, place in declared.settings.items():
            module, _, attribute = place.partition(":")
            found = getattr(import_module(module), attribute, None)
            is_class = hasattr(found, "__attrs_attrs__")
            assert is_class, rule(f"the settings of [{table}] are not an attrs class: {place}", "Features")

    def test_imports_lightly(self, declared: Feature) -> None:
        module = getattr(installed().features[declared.name], "__name__", "")
        code = [sys.executable, "-c", IMPORT.format(module=module)]
        heavy = HEAVY & set(subprocess.check_output(code, text=True).split())
        text = f"importing {module} imports {', '.join(sorted(heavy))}; import it inside the hooks"
        assert not heavy, rule(text, "Features")
