"""Features that are installed for one test, and records to show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from tracker.feature import Feature, hookimpl


@pytest.fixture
def add_feature(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs a feature with some hooks in the running process, before its first command."""

    def add(name: str, **hooks: Any) -> None:
        from tracker.hosting import discovery

        module = ModuleType(name)
        for hook, function in {"feature_info": lambda: Feature(name=name), **hooks}.items():
            function.__name__ = hook
            setattr(module, hook, hookimpl(function))
        known, added = discovery.installed(), discovery.Plugin(name, distribution=f"acme-{name}")
        added.module, added.declared = module, Feature(name=name)
        monkeypatch.setattr(discovery, "installed", lambda: [*known, added])

    return add


@pytest.fixture
def fill(program: Any) -> Callable[[], Any]:
    """Three windows of the toy; the last one is not finalized."""

    def make() -> Any:
        for day, used, features in ((10, 30, 3), (11, 45, 2), (12, 20, None)):
            at = f"2026-01-{day}T08:00:00Z", f"2026-01-{day}T09:00:00Z"
            window = ("--window", f"W{day}")
            program("alias", "start", "toy", "--stdin", *window, "--captured-at", at[0], stdin="fuel 10%\nheat 1%").ok()
            program(
                "alias", "end", "toy", "--stdin", *window, "--captured-at", at[1], stdin=f"fuel {used}%\nheat 2%"
            ).ok()
            if features:
                program(
                    "complete", *window, "--toy-features", str(features), "--quality", "1", "--outcome", "pass"
                ).ok()
        return program

    return make


@pytest.fixture
def filled(fill: Callable[[], Any], program: Any, kept: Any) -> Any:
    kept(program.root.parent, fill)
    return program


def at(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


@pytest.fixture
def recent(program: Any, kept: Any) -> Any:
    """A finished window and an open one."""
    kept(program.root.parent, lambda: work(program))
    return program


def work(program: Any) -> None:
    for window, hours, features in (("W1", -3.0, 2), ("W2", -1.0, None)):
        own = ("--window", window)
        pane = f"fuel 10% reset {at(2)}\nheat 1%"
        program("alias", "start", "toy", "--stdin", *own, "--captured-at", at(hours), stdin=pane).ok()
        if features:
            pane = f"fuel 35% reset {at(2)}\nheat 2%"
            program("alias", "end", "toy", "--stdin", *own, "--captured-at", at(hours + 1), stdin=pane).ok()
            program("complete", *own, "--toy-features", str(features), "--quality", "1", "--outcome", "pass").ok()
