"""Features that are installed for one test."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tracker.feature import Feature, hookimpl


@pytest.fixture
def add_feature(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs a feature with some hooks in the running process, before its first command."""

    def add(name: str, **hooks: Any) -> None:
        from tracker.hosting import features

        module = ModuleType(name)
        for hook, function in {"feature_info": lambda: Feature(name=name), **hooks}.items():
            function.__name__ = hook
            setattr(module, hook, hookimpl(function))
        known = features.loaded()
        monkeypatch.setattr(features, "loaded", lambda: {**known, name: module})

    return add
