"""A module whose names are imported when they are first asked for: whoever imports it pays for what they use.

Its source has each name once, as `from module import name as name` for type checkers; the same lines say where to look.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any


def facade(namespace: dict[str, Any]) -> tuple[list[str], Callable[[str], Any]]:
    """The names of a module, and its `__getattr__`."""
    source = namespace["__loader__"].get_source(namespace["__name__"])
    places = {name: module for module, name in re.findall(r"^    from (\S+) import (\w+)", source, re.M)}

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        found = namespace[name] = getattr(import_module(places[name]), name)
        return found

    return sorted(places), find
