"""The installed features: what they declare, and their modules."""

from __future__ import annotations

import json
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

from tracker.errors import PluginError
from tracker.feature import Feature
from tracker.hosting.entry_points import DISABLE, scan


def loaded() -> dict[str, Any]:
    """The modules of the installed features by name. One that cannot be imported is named on stderr."""
    return {name: module for name, (module, _) in _loaded(os.environ.get(DISABLE, "")).items()}


def declared() -> list[Feature]:
    """What the installed features declare, by name."""
    return [feature for _, feature in _loaded(os.environ.get(DISABLE, "")).values()]


@cache
def _loaded(_disabled: str) -> dict[str, tuple[Any, Feature]]:
    from tracker.hosting.guard import guarded

    found: dict[str, tuple[Any, Feature]] = {}
    for name, point in sorted(scan().points.items()):
        if not point.is_feature:
            continue
        try:
            with guarded(name, "be imported"):
                module: Any = point.load()
            with guarded(name, "declare its feature"):
                feature = module.feature_info()
                if not isinstance(feature, Feature) or feature.name != name:
                    raise TypeError(f"feature_info must return a Feature named {name!r}, got {feature!r:.80}")
        except PluginError as error:
            print(f"warning: {error}; the rest works", file=sys.stderr)
        else:
            found[name] = module, feature
    return found


def elsewhere(what: str) -> dict[str, list[str]]:
    """The `commands` or `settings` of the project's features that are not installed, by distribution."""
    known = json.loads(Path(__file__).with_name("distributions.json").read_text(encoding="utf-8"))
    here = loaded()
    return {name: found[what] for name, found in known.items() if name.removeprefix("tracker-") not in here}
