"""Entry points of the group `tracker`, read from the folders on the path.

`importlib.metadata` takes 27 ms to import. It is used only for what is not a folder, such as a zip file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import NamedTuple

GROUP = "tracker"
FEATURE = "feature"  # the last part of the module that a feature's entry point names
DISABLE = "TRACKER_DISABLE_PLUGINS"  # names of plugins or distributions to leave out, separated by commas


class Point(NamedTuple):
    """An entry point and the distribution that it belongs to."""

    name: str
    value: str
    distribution: str
    version: str

    @property
    def module(self) -> str:
        return self.value.partition(":")[0].strip()

    @property
    def is_feature(self) -> bool:
        return self.module.rpartition(".")[2] == FEATURE

    def load(self) -> object:
        """Import the module and take the attribute named after the colon."""
        found: object = import_module(self.module)
        for part in filter(None, self.value.partition(":")[2].strip().split(".")):
            found = getattr(found, part)
        return found


class Scan(NamedTuple):
    """What is installed: one entry point per name, those the user disabled, and those whose name another one has."""

    points: dict[str, Point]
    disabled: list[Point]
    refused: list[tuple[Point, str]]


def scan() -> Scan:
    """Sort the installed entry points. If two distributions claim a name, only `tracker-NAME` may have it."""
    return _sorted(tuple(points()), os.environ.get(DISABLE, ""))


@cache
def _sorted(found: tuple[Point, ...], unwanted: str) -> Scan:
    names = {name.strip() for name in unwanted.split(",")}
    disabled = [point for point in found if not names.isdisjoint({point.name, point.distribution})]
    claims: dict[str, list[Point]] = {}
    for point in found:
        if point not in disabled:
            claims.setdefault(point.name, []).append(point)
    chosen: dict[str, Point] = {}
    refused: list[tuple[Point, str]] = []
    for name, points_ in claims.items():
        owner = [point for point in points_ if point.distribution == f"{GROUP}-{name}"]
        accepted = owner[0] if owner else points_[0] if len(points_) == 1 else None
        if accepted:
            chosen[name] = accepted
        for point in points_:
            if point is not accepted:
                others = ", ".join(other.distribution for other in points_ if other is not point)
                refused.append((point, f"{others} also has an entry point of that name"))
    return Scan(chosen, disabled, refused)


def points() -> list[Point]:
    """Every entry point of the group, by name. Of two installations of a distribution the first on the path counts."""
    found: list[Point] = []
    seen: set[str] = set()
    for entry in sys.path:
        folder = entry or os.getcwd()
        for name, version, text in _folder(folder) if os.path.isdir(folder) else _other(folder):
            if name not in seen:
                seen.add(name)
                found += (Point(point, value, name, version) for point, value in _group(text))
    return sorted(found)


def _folder(path: str) -> Iterator[tuple[str, str, str]]:
    """Name, version and entry points of the distributions in a folder."""
    try:
        names = sorted(name for name in os.listdir(path) if name.endswith((".dist-info", ".egg-info")))
    except OSError:
        return
    for name in names:
        project, _, version = name.rpartition(".")[0].partition("-")
        try:
            with open(os.path.join(path, name, "entry_points.txt"), encoding="utf-8") as file:
                text = file.read()
        except OSError:
            text = ""
        yield _normal(project), version, text


def _other(path: str) -> Iterator[tuple[str, str, str]]:
    """The same for a zip file on the path."""
    if not os.path.isfile(path):
        return
    from importlib.metadata import distributions

    for one in distributions(path=[path]):
        yield _normal(one.name or ""), one.version or "", one.read_text("entry_points.txt") or ""


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _group(text: str) -> Iterator[tuple[str, str]]:
    """The entries of the section `[tracker]` of an `entry_points.txt`."""
    is_ours = False
    for line in text.splitlines():
        entry = line.strip()
        if entry.startswith("["):
            is_ours = entry == f"[{GROUP}]"
        elif is_ours and "=" in entry and not entry.startswith(("#", ";")):
            name, _, value = entry.partition("=")
            yield name.strip(), value.partition("[")[0].strip()
