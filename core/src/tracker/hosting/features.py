"""The installed features: what they declare, without plugins' own imports, and how their hooks are asked."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any

from tracker.feature import Feature
from tracker.hosting.entry_points import Point, points

DISABLE = "TRACKER_DISABLE_PLUGINS"  # names of plugins or distributions to leave out, separated by commas


def disabled() -> set[str]:
    """The names of plugins and distributions that the user leaves out."""
    return {name.strip() for name in os.environ.get(DISABLE, "").split(",") if name.strip()}


def wanted(point: Point) -> bool:
    """Whether the user has not left the plugin out."""
    return disabled().isdisjoint({point.name, point.distribution})


@cache
def loaded() -> dict[str, Any]:
    """The modules of the installed features by name; one that cannot be imported is named on stderr."""
    found: dict[str, Any] = {}
    for point in points():
        if point.is_feature and wanted(point) and point.name not in found:
            try:
                module: Any = point.load()
                module.feature_info()
            except Exception as error:  # noqa: BLE001 - a broken feature must not take the program down
                print(f"warning: feature {point.name!r} is left out: {error}", file=sys.stderr)
            else:
                found[point.name] = module
    return found


@cache
def declared() -> list[Feature]:
    """What the installed features declare, by name."""
    return [module.feature_info() for module in loaded().values()]
