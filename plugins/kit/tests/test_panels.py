"""What the kit finds wrong with a panel: what a view would leave out, or show without what is in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tracker.api import Chart, Column, Panel
from tracker_kit import panels

ROWS = ({"at": datetime(2026, 1, 1, tzinfo=UTC), "n": 1, "name": "a"}, {"at": None, "n": None})
COLUMNS = (Column(key="at", title="At", kind="instant"), Column(key="n", title="N", kind="number"))


def faults(**given: Any) -> list[str]:
    return [*panels.faults(Panel(**{"name": "mine", "title": "Mine", "columns": COLUMNS, "rows": ROWS} | given))]


def chart(**given: Any) -> dict[str, Any]:
    return {"charts": (Chart(**{"kind": "steps", "title": "T", "x": "at", "y": "n"} | given),)}


@pytest.mark.parametrize(
    "given", [{}, chart(), chart(low="low", high="high"), chart(kind="bars", x="name"), {"rows": ()}]
)
def test_a_sound_panel_has_no_fault(given: dict[str, Any]) -> None:
    assert faults(**given) == []


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"columns": (Column(key="n", title="N", kind="dollars"),)}, "gives 'dollars' as a kind in the panel 'mine'."),  # type: ignore[arg-type]
        (
            chart(kind="pie"),
            "gives 'pie' as a kind in the panel 'mine'. Expected one of bars, columns, steps, intervals.",
        ),
        ({"rows": ({"other": 1},)}, "gives rows without a value for any column of the panel 'mine'"),
        (chart(x="other"), "draws 'other', but the panel 'mine' has no such column"),
        (chart(y="name"), "draws 'name', but the panel 'mine' has no such column"),
        (chart(x="n", y="n"), "draws 1 of 'n' in the panel 'mine'. Expected an instant."),
        (chart() | {"rows": ({"at": None, "n": True},)}, "draws True of 'n' in the panel 'mine'. Expected a number."),
        (chart(kind="bars", low="at"), "draws datetime.datetime(2026, 1, 1, 0, 0, tzin of 'at' in the panel 'mine'."),
        (
            {"rows": ({"n": datetime(2026, 1, 1)},)},
            "gives datetime.datetime(2026, 1, 1, 0, 0) in the panel 'mine'. Exp",
        ),
        ({"rows": ({"n": float("nan")},)}, "gives nan in the panel 'mine'. Expected a text, instant with its zone, n"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_a_fault_is_named(given: dict[str, Any], fault: str) -> None:
    assert faults(**given)[0].startswith(fault)
