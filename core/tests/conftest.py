"""A registry to which a test adds features of its own, and what it says."""

from __future__ import annotations

import pytest

from tracker.hosting.registry import Registry


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def registry(said: list[str], monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.delenv("TRACKER_STRICT", raising=False)
    return Registry(report=said.append)
