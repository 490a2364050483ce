"""Columns of windows that several features give."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from plugin_modules import add_feature

from tracker.feature import hookimpl
from tracker.hosting import discovery
from tracker.hosting.registry import Registry


def added(registry: Registry, name: str, columns: Callable[..., Any]) -> discovery.Plugin:
    """A feature that gives columns."""
    module = types.ModuleType(name)

    @hookimpl
    def window_facts(windows: Any) -> Any:
        return {(windows[0], ""): columns()}

    module.window_facts = window_facts  # type: ignore[attr-defined]
    add_feature(registry, name, module)
    return next(one for one in registry.features if one.name == name)


def test_a_column_belongs_to_the_projects_own_feature(registry: Registry, said: list[str]) -> None:
    added(registry, "another", lambda: {"hours": 9}).distribution = "acme"
    own = added(registry, "ledgers", lambda: {"hours": 3})
    own.distribution, own.place = "tracker-ledgers", "x.feature"
    answers = registry.ask("window_facts", session=None, windows=["W0-01"])
    assert answers == [{("W0-01", ""): {"hours": 3}}, {("W0-01", ""): {}}]
    assert said == [
        "plugin 'another' of acme: its column hours is left out, because ledgers (tracker-ledgers) also gives it"
    ]


def test_a_column_that_two_give_is_neithers_and_their_others_stay(registry: Registry, said: list[str]) -> None:
    added(registry, "acme", lambda: {"mood": 99, "acme_n": 1}).distribution = "dist-acme"
    added(registry, "mood", lambda: {"mood": 3, "mood_n": 1}).distribution = "dist-mood"
    for _ in range(2):
        answers = registry.ask("window_facts", session=None, windows=["W0-01"])
        assert answers == [{("W0-01", ""): {"acme_n": 1}}, {("W0-01", ""): {"mood_n": 1}}]
    assert said == [
        f"plugin {one!r} of dist-{one}: its column mood is left out, because {other} (dist-{other}) also gives it"
        for one, other in (("acme", "mood"), ("mood", "acme"))
    ]
