"""Plugins of this process's commands: loaded for the first of them, and known to those that come after it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from copy import copy
from functools import lru_cache
from typing import Any

import pytest

Discover = Callable[..., Any]


@pytest.fixture(scope="session", autouse=True)
def _loaded_once() -> Iterator[None]:
    from tracker.hosting import registry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "discover", once(registry.discover))
        yield


def once(discover: Discover) -> Discover:
    """The same, but what it finds is loaded once for what is installed; every command has a registry of its own."""

    def found(*report: Callable[[str], None]) -> Any:
        from tracker.hosting import discovery

        path = tuple(entry or os.getcwd() for entry in sys.path)
        known = _loaded(discover, path, os.environ.get(discovery.DISABLE), tuple(discovery.installed()))
        if not _is_sound(known):
            return discover(*report)
        own = copy(known)
        own.plugins, own.disabled, own.features = list(own.plugins), list(own.disabled), list(own.features)
        own._columns, own._broken = dict(own._columns), set(own._broken)
        if report:
            [own.report] = report
        return own

    return found


@lru_cache(maxsize=4)
def _loaded(discover: Discover, *_installed: Any) -> Any:
    made = discover()
    assert made.found is made.plugins
    assert made.features is not None
    return made


def _is_sound(made: Any) -> bool:
    """Whether loading it said nothing, and no test has put another function in a hook's place since."""
    named = {one.name: one for one in made.plugins} | {f"feature {one.name}": one for one in made.features}
    return all(
        not one.error
        and not one.notes
        and all(getattr(one.module, hook) is getattr(made.manager.get_plugin(name), hook) for hook in one.hooks)
        for name, one in named.items()
    )
