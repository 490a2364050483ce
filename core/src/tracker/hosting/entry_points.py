"""Entry points of the group `tracker`, read from the path's folders.

`importlib.metadata` takes 27 ms to import and is asked only for what is no folder, such as a zip file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

GROUP = "tracker"
FEATURE = "feature"  # the last part of the module that a feature's entry point names


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
        """Import the module, and take the attribute that is named behind a colon."""
        found: object = import_module(self.module)
        for part in filter(None, self.value.partition(":")[2].strip().split(".")):
            found = getattr(found, part)
        return found


def points() -> list[Point]:
    """Every entry point of the group, by name; of two distributions of one name the first on the path counts."""
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
            text = Path(path, name, "entry_points.txt").read_text(encoding="utf-8")
        except OSError:
            text = ""
        yield _normal(project), version, text


def _other(path: str) -> Iterator[tuple[str, str, str]]:
    """The same of a zip file on the path."""
    if not os.path.isfile(path):
        return
    from importlib.metadata import distributions

    for one in distributions(path=[path]):
        yield _normal(one.name or ""), one.version or "", one.read_text("entry_points.txt") or ""


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _group(text: str) -> Iterator[tuple[str, str]]:
    """The entries of our section of an `entry_points.txt`."""
    is_ours = False
    for line in text.splitlines():
        entry = line.strip()
        if entry.startswith("["):
            is_ours = entry == f"[{GROUP}]"
        elif is_ours and "=" in entry and not entry.startswith(("#", ";")):
            name, _, value = entry.partition("=")
            yield name.strip(), value.partition("[")[0].strip()
