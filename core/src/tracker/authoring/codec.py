"""Values to and from plain JSON types, strictly: imported only by what reads settings or prints declarations."""

from __future__ import annotations

from functools import cache
from typing import Any

from cattrs import Converter


@cache
def converter() -> Converter:
    """A converter that refuses unknown keys and never coerces a primitive."""
    built = Converter(forbid_extra_keys=True)
    for kind in (int, float, str, bool):
        built.register_structure_hook(kind, _exactly)
    return built


def _exactly(value: Any, kind: type[Any]) -> Any:
    """cattrs coerces by default: int('5') == 5, int(3.7) == 3. A measurement must not."""
    if type(value) is kind or (kind is float and type(value) is int):
        return kind(value)
    raise ValueError(f"expected {kind.__name__}, got {value!r}")
