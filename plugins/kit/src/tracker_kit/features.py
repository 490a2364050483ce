"""The checks of features."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import click
import pytest

from tracker.api import Period
from tracker.feature import Feature
from tracker.kernel import PluginError, Session
from tracker_kit.conformance import Conformance
from tracker_kit.rules import installed, refused, rule

HEAVY = {"attrs", "attr", "cattrs", "click", "pluggy", "orjson", "numpy", "scipy", "duckdb", "importlib.metadata"}
IMPORT = "import sys, tracker.feature; before = set(sys.modules); import {module}; print(*(set(sys.modules) - before))"
# hooks that answer in an empty data directory
ASKED: dict[str, dict[str, Any]] = {
    "window_facts": {"windows": ("W0-01",)},
    "window_checks": {"window": "W0-01"},
    "handoff_section": {"windows": ("W0-01",)},
    "panels": {"period": Period()},
    "data_findings": {},
    "export_formats": {},
}


class FeatureConformance(Conformance):
    """What holds for every feature; subclass it and set `feature`, the name of its entry point."""

    feature: ClassVar[str]

    @pytest.fixture
    @classmethod
    def declared(cls) -> Feature:
        found = next((one for one in installed().installed_features if one.name == cls.feature), None)
        text = f"{cls.feature!r} is not an installed feature; after adding an entry point, install again"
        assert found is not None, rule(text, "Packaging")
        assert installed().features is not None  # registered, so that their hooks are known
        assert found.error is None, refused(found.error)
        declared: Feature = found.info
        return declared

    def test_is_discovered_and_its_hooks_are_known(self, declared: Feature) -> None:
        assert declared.name in installed().features

    def test_its_commands_exist(self, declared: Feature) -> None:
        for name, command in declared.commands.items():
            found = _loaded(command.place)
            assert isinstance(found, click.Command), rule(f"{command.place} is not a click command", "Features")
            assert found.help, rule(f"the command {name!r} has no help", "Features")
            rivals = [one.name for one in installed().declared if name in one.commands and one.name != declared.name]
            text = f"the command {name!r} is also declared by {', '.join(rivals)}, so no feature has it"
            assert not rivals, rule(text, "Features")

    def test_its_settings_are_classes(self, declared: Feature) -> None:
        for table, place in declared.settings.items():
            found = _loaded(place)
            is_class = hasattr(found, "__attrs_attrs__")
            assert is_class, rule(f"the settings of [{table}] are not an attrs class: {place}", "Features")
            wrong = [one.name for one in found.__attrs_attrs__ if "setting" not in one.metadata]
            assert not wrong, rule(f"{place}: {', '.join(wrong)} is not made by `setting`", "Features")

    def test_its_hooks_answer(self, declared: Feature, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where nothing is recorded, too, and with what the specifications of the hooks say."""
        monkeypatch.chdir(tmp_path)
        session = Session()
        session.data_dir, session.registry = tmp_path, installed()
        for hook, given in ASKED.items():
            known = getattr(installed().manager.hook, hook).spec.argnames
            arguments = given | ({"session": session} if "session" in known else {})
            for name, answer in installed().each(hook, **arguments):
                is_wrong = name == declared.name and isinstance(answer, PluginError)
                assert not is_wrong, rule(str(answer), "Features")

    def test_imports_lightly(self, declared: Feature) -> None:
        module = getattr(installed().features[declared.name].module, "__name__", "")
        code = [sys.executable, "-c", IMPORT.format(module=module)]
        heavy = HEAVY & set(subprocess.check_output(code, text=True).split())
        text = f"importing {module} imports {', '.join(sorted(heavy))}; import it inside the hooks"
        assert not heavy, rule(text, "Features")


def _loaded(place: str) -> Any:
    """What `module:attribute` names, None without the attribute."""
    module, _, attribute = place.partition(":")
    try:
        return getattr(import_module(module), attribute, None)
    except Exception as error:  # noqa: BLE001  whatever it is, the plugin is wrong and not the check
        raise AssertionError(rule(f"{place} cannot be imported: {type(error).__name__}: {error}", "Features")) from None
