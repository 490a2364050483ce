"""The installed features: what they declare, their modules, and why one was left out."""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from typing import Any, NamedTuple

from tracker.errors import PluginError
from tracker.feature import Command, Feature
from tracker.hosting.entry_points import DISABLE, Point, scan


class Installed(NamedTuple):
    """An installed feature: its module and declaration, or the error for which it was left out."""

    point: Point
    module: Any = None
    feature: Feature | None = None
    error: PluginError | None = None


def installed() -> list[Installed]:
    """The installed features that the user did not disable, by name."""
    return _installed(os.environ.get(DISABLE, ""))


def loaded() -> dict[str, Any]:
    """The modules of the sound features by name."""
    return {one.point.name: one.module for one in installed() if one.feature}


def declared() -> list[Feature]:
    """What the sound features declare, by name."""
    return [one.feature for one in installed() if one.feature]


@cache
def _installed(_disabled: str) -> list[Installed]:
    return [_load(point) for _, point in sorted(scan().points.items()) if point.is_feature]


def _load(point: Point) -> Installed:
    from tracker.hosting.guard import guarded

    try:
        with guarded(point.name, "be imported"):
            module: Any = point.load()
        with guarded(point.name, "declare its feature"):
            feature = module.feature_info()
            if not isinstance(feature, Feature) or feature.name != point.name:
                raise TypeError(f"feature_info must return a Feature named {point.name!r}, got {feature!r:.80}")
            _check(feature)
    except PluginError as error:
        print(f"warning: {error}; the rest works", file=sys.stderr)
        return Installed(point, error=error)
    return Installed(point, module, feature)


def _check(feature: Feature) -> None:
    """Refuse a declaration that would break the command line when it is used."""
    for name, command in feature.commands.items():
        if not isinstance(command, Command) or not all(isinstance(one, str) and one.isprintable() for one in command):
            raise TypeError(f"the command {name!r} must be a Command of three texts of one line, got {command!r:.80}")
    for place in (*feature.settings.values(), *(command.place for command in feature.commands.values())):
        if not re.fullmatch(r"[\w.]+:\w+", place):
            raise ValueError(f"{place!r} must name a module and an attribute, such as package.module:Name")
    for stream in feature.streams:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", stream) or stream in ("snapshots", "windows", "anomalies"):
            raise ValueError(f"the stream {stream!r} must be lower-case letters, digits and '_', and not the kernel's")


def elsewhere(what: str) -> dict[str, list[str]]:
    """The `commands`, `settings` or `hooks` of the project's features that are not in use here, by distribution."""
    import json
    from pathlib import Path

    known = json.loads(Path(__file__).with_name("distributions.json").read_text(encoding="utf-8"))
    here = loaded()
    return {name: found[what] for name, found in known.items() if name.removeprefix("tracker-") not in here}


def owner(what: str, name: str) -> str | None:
    """What to do for one of them: which distribution to install, or to enable again; None if nobody has it."""
    found = next((one for one, names in elsewhere(what).items() if name in names), None)
    if found is None:
        return None
    is_disabled = any(point.distribution == found for point in scan().disabled)
    if is_disabled:
        return f"{found} is disabled: unset {DISABLE}."
    return f"Install {found}: {_installation(found.removeprefix('tracker-'))}."


def _installation(name: str) -> str:
    """The command that adds a feature here. No index has it: it is in the checkout that the core comes from."""
    import json
    import shlex
    import sys
    from importlib.metadata import distribution
    from importlib.util import find_spec
    from pathlib import Path
    from urllib.parse import unquote, urlsplit

    url = urlsplit(json.loads(distribution("tracker-core").read_text("direct_url.json") or "{}").get("url", ""))
    folder, prefix = Path(unquote(url.path)).parent / "plugins" / name, Path(sys.prefix)
    if url.scheme != "file" or not folder.is_dir():
        return f"`pip install ./plugins/{name}` in a checkout of tracker"
    if (prefix / "pipx_metadata.json").is_file():
        words = ["pipx", "inject", prefix.name]
    elif find_spec("pip"):
        words = [sys.executable, "-m", "pip", "install"]
    else:
        words = ["uv", "pip", "install", "--python", str(prefix)]
    return f"`{shlex.join([*words, str(folder)])}`"
