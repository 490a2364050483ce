"""A data directory in which nothing is wrong."""

from __future__ import annotations

from typing import Any

import pytest

T0, T1 = "2026-01-10T08:00:00Z", "2026-01-10T09:00:00Z"


@pytest.fixture
def sound(program: Any, kept: Any) -> Any:
    def fill() -> None:
        for arguments, pane in (
            (f"alias start toy --stdin --window W1 --captured-at {T0}", "fuel 10%"),
            (f"alias end toy --stdin --captured-at {T1}", "fuel 20%"),
            ("alias start tally --stdin --window W1", "3"),
        ):
            program(*arguments.split(), stdin=pane).ok()

    kept(program.root.parent, fill)
    return program
