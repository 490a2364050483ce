"""The conformance kit, the scaffold for new plugins, the demo."""

from __future__ import annotations

from tracker.feature import Command, Feature, hookimpl


@hookimpl
def feature_info() -> Feature:
    """The feature's commands."""
    return Feature(
        name="kit",
        commands={
            "demo": _command("Plugins", "demo", "Run the main job on bundled captures, in a temporary folder."),
        },
    )


def _command(group: str, module: str, about: str) -> Command:
    return Command(group, about, f"tracker_kit.commands.{module}:command")
