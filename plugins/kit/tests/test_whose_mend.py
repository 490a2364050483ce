"""Who has to mend a plugin that was left out, and what helps to do it."""

from __future__ import annotations

from types import ModuleType
from typing import cast

import pytest

from tracker.api import StatusSource, hookimpl
from tracker.hosting.discovery import Plugin
from tracker.kernel import PluginError, Registry, Session, TrackerError
from tracker_kit import inventory, plugin_check


def test_a_module_that_a_distribution_lacks_is_its_authors_to_mend() -> None:
    """To install it once more would bring the same."""
    why = "ModuleNotFoundError: No module named 'tracker_zoo.{}'"
    found = inventory.cure("zoo", "tracker-zoo", PluginError("zoo", "be imported", why.format("gone")))
    assert found.startswith("report it to the author of tracker-zoo: its entry point names a module that it does not ")
    whole = PluginError("zoo", "be imported", "ModuleNotFoundError: No module named 'tracker_zoo'")
    assert f": {Registry.installation('tracker-zoo')}; " in inventory.cure("zoo", "tracker-zoo", whole)


def test_what_the_checks_need_is_named_for_the_environment_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own `pip` may be none, and another one's would install for another Python."""
    there = {"pytest"}
    monkeypatch.setattr(plugin_check, "find_spec", lambda name: name in there or None)
    for lacking in (["hypothesis"], ["hypothesis", "pytest"]):
        with pytest.raises(TrackerError) as refused:
            plugin_check.check(cast("Session", None), "toy", None)
        assert str(refused.value) == (
            f"The checks need {' and '.join(lacking)}. Run {Registry.installation(*lacking)}."
        )
        there.clear()


def test_the_arguments_of_a_hook_are_named_if_a_plugin_asks_for_another() -> None:
    def source_info() -> StatusSource:
        return StatusSource(contract="1.2", name="zoo", title="Zoo")

    def parse_status(text: str, captured: object) -> None:
        return None

    module = ModuleType("zoo")
    vars(module).update(source_info=hookimpl(source_info), parse_status=hookimpl(parse_status))
    registry = Registry(plugins=[Plugin("zoo", load=lambda: module)])
    [row] = [row for row in inventory.list_plugins(registry) if row["name"] == "zoo"]
    assert row["step"] == "match the hook specifications"
    assert row["notes"] == ["parse_status may ask for text, captured_at, timezone, scope, origin"]
