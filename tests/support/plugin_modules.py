"""Plugins as modules that a test makes, and a registry of them."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from tracker.api import Gauge, Meter, Reading, Source, hookimpl
from tracker.hosting.discovery import Plugin
from tracker.hosting.registry import Registry


def source(name: str, **fields: Any) -> Source:
    return Source(
        **{"contract": "1.0", "name": name, "title": name, "meters": (Meter(key="m", title="m"),), "capacity": "m"}
        | fields
    )


def plugin(name: str, info: Any = None, **hooks: Callable[..., Any]) -> types.ModuleType:
    """A module with the hooks given; by default a sound status source."""
    module = types.ModuleType(name)

    def source_info() -> Any:
        return source(name) if info is None else info

    def parse_status(text: str) -> Reading:
        return Reading(gauges=(Gauge(meter="m", used=1),))

    for hook, function in {"source_info": source_info, "parse_status": parse_status, **hooks}.items():
        function.__name__ = hook
        setattr(module, hook, hookimpl(function))
    return module


def registry(*modules: types.ModuleType) -> Registry:
    names = [(module.__name__, module) for module in modules]
    return Registry(
        plugins=[Plugin(name, "", f"dist-{name}", "1", lambda module=module: module) for name, module in names]
    )


def add_feature(registry: Registry, name: str, module: object) -> None:
    """Adds a feature to a registry; the installed ones are not asked for."""
    added = Plugin(name)
    added.module = module
    vars(registry).setdefault("features", []).append(added)
    registry.add(added)
