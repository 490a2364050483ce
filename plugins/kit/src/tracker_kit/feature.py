"""The conformance kit, the scaffold for new plugins, the demo."""

from __future__ import annotations

from tracker.feature import Command, Feature, hookimpl

_PLUGINS = "tracker_kit.commands.plugins"


@hookimpl
def feature_info() -> Feature:
    demo = "Run the main job on bundled captures, in a temporary folder."
    listed = "List the installed plugins, and what is wrong with any."
    return Feature(
        name="kit",
        commands={
            "demo": Command("Plugins", demo, "tracker_kit.commands.demo:command"),
            "plugins": Command("Plugins", listed, f"{_PLUGINS}:command"),
            "plugins new": Command("Plugins", "Write a complete plugin that passes its checks.", f"{_PLUGINS}:new"),
            "plugins check": Command("Plugins", "Check a plugin against every rule.", f"{_PLUGINS}:check"),
            "plugins info": Command("Plugins", "Show what a source declares.", f"{_PLUGINS}:info"),
        },
    )
