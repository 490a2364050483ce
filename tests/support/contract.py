"""The contract as text: every hook with its signature, every exported value with its fields."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import attrs

from tracker import api
from tracker.contract.hooks import CONTRACT
from tracker.hosting.registry import Registry

_SPECS = {name: hook.spec for name, hook in sorted(vars(Registry().manager.hook).items())}
# the specifications stand in one module: those of sources, then `feature_info` and those of features
_PLACES = {name: spec.function.__code__.co_firstlineno for name, spec in _SPECS.items()}
SOURCES = {name: spec for name, spec in _SPECS.items() if _PLACES[name] < _PLACES["feature_info"]}
FEATURES = {name: spec for name, spec in _SPECS.items() if name not in SOURCES}


def contract() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f"contract {'.'.join(map(str, CONTRACT))}"
    yield ""
    for name, spec in SOURCES.items():
        first = "  first result" if spec.opts["firstresult"] else ""
        yield f"{name}{inspect.signature(spec.function)}{first}"
    yield ""
    yield "features"
    yield ""
    for name, spec in FEATURES.items():
        yield f"{name}{inspect.signature(spec.function)}"
    for name in sorted(api.__all__):
        value = getattr(api, name)
        yield ""
        if inspect.isclass(value) and attrs.has(value):
            yield f"{name}:"
            for field in attrs.fields(value):
                yield f"    {field.name}: {_kind(field.type)}{_default(field.default)}"
        elif inspect.isfunction(value):
            yield f"{name}{inspect.signature(value)}"
        elif inspect.isclass(value):
            yield f"{name}({', '.join(base.__name__ for base in value.__bases__)})"
            for field, kind in getattr(value, "__annotations__", {}).items():
                yield f"    {field}: {_kind(getattr(kind, '__forward_arg__', kind))}"
        else:
            yield name


def _kind(kind: object) -> str:
    """An annotation as it is written, whether its module evaluates annotations or not."""
    return kind.__name__ if isinstance(kind, type) else re.sub(r"\b(?:[a-z_]+\.)+(?=\w)", "", str(kind))


def _default(default: object) -> str:
    if default is attrs.NOTHING:
        return ""
    return " = {}" if isinstance(default, attrs.Factory) else f" = {default!r}"  # type: ignore[arg-type]


if __name__ == "__main__":
    print(contract(), end="")
