"""Who has to mend a plugin that was left out."""

from __future__ import annotations

from tracker.kernel import PluginError
from tracker_kit import inventory


def test_a_module_that_a_distribution_lacks_is_its_authors_to_mend() -> None:
    """To install it once more would bring the same."""
    why = "ModuleNotFoundError: No module named 'tracker_zoo.{}'"
    found = inventory.cure("zoo", "tracker-zoo", PluginError("zoo", "be imported", why.format("gone")))
    assert found.startswith("report it to the author of tracker-zoo: its entry point names a module that it does not ")
    whole = PluginError("zoo", "be imported", "ModuleNotFoundError: No module named 'tracker_zoo'")
    assert "pip install --force-reinstall tracker-zoo" in inventory.cure("zoo", "tracker-zoo", whole)
