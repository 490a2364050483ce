"""A data directory in which nothing is wrong, and one with every kind of record."""

from __future__ import annotations

import json
from typing import Any

import pytest

T0, T1, T2 = "2026-01-10T08:00:00Z", "2026-01-10T09:00:00Z", "2026-01-10T10:00:00Z"


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


@pytest.fixture
def filled(program: Any, kept: Any) -> Any:
    kept(program.root.parent, lambda: fill(program))
    return program


def fill(program: Any) -> None:
    events = program.root.parent / "events"
    lines = [
        {
            "ts": f"2026-01-{10 + day}T08:00:00Z",
            "rid": f"r{number}",
            "lane": "far" if number % 2 else "near",
            "ms": number,
        }
        for day in range(2)
        for number in range(5)
    ]
    events.write_text("".join(json.dumps(one) + "\n" for one in lines) + '{"rid": "no time", "lane": "far"}\nno json\n')
    for arguments, pane, lane in (
        (f"alias start toy --stdin --window W1 --captured-at {T0}", "fuel 10%", ""),
        (f"alias end toy --stdin --captured-at {T1}", "fuel 5%", ""),
        (f"alias end toy --stdin --window W1 --captured-at {T2}", "fuel 20.5%", ""),
        (f"alias start toy --stdin --window W2 --captured-at {T0}", "fuel 1%", "sub1"),
        ("alias start tally --stdin --window W1", "3", ""),
        ("alias delete tally --window W1 --reason =HYPERLINK(1)", "", ""),
        ("ingest toy-report --window W1 --stdin --notes +1+cmd", "60", ""),
        ("ingest toy-stream --window W1 --file events", "", ""),
        ("complete --window W1 --toy-features 2 --outcome pass", "", ""),
    ):
        program(*arguments.split(), stdin=pane, lane=lane).ok()
