"""A module whose names are imported when they are first asked for: whoever imports it pays for what they use.

Its source has each name once, as `from module import name as name` for type checkers; the same lines say where to look.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any


def facade(namespace: dict[str, Any]) -> list[str]:
    """The names of a module, which gets a `__getattr__` that no type checker sees: it would take any name then."""
    source = namespace["__loader__"].get_source(namespace["__name__"])
    places = {name: module for module, name in re.findall(r"^    from (\S+) import (\w+)", source, re.M)}

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        found = namespace[name] = getattr(import_module(places[name]), name)
        return found

    namespace["__getattr__"] = find
    return sorted(places)
