"""What another feature's `Estimate` may say of a provider: every figure is one that a view can show."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from tracker.contract.sources import StatusSource
from tracker.errors import PluginError
from tracker.windows.results import ProviderFigures, _check

SOURCE = StatusSource(contract="1.2", name="toy", title="Toy").as_source()
SOUND = {"n": 3, "features": 9, "capacity": 30.0, "efficiency": 0.3, "ci": (0.1, 0.5), "ci_kind": "measured"}
SOUND |= {"power": 0.4, "remarks": ("a remark",), "figures": dict}


def figures(**changed: Any) -> ProviderFigures:
    return ProviderFigures(SOURCE, "pp", SimpleNamespace(**SOUND | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("n", [-1, 2.5, True, None]),
        ("features", [-1, math.nan, "9", None]),
        ("capacity", [-5, math.nan, math.inf, None]),
        ("efficiency", [-1, math.nan, "much"]),
        ("ci", [(0.9, 0.1), (math.nan, 1), (0.1, math.inf), ("0.1", 0.4)]),
        ("ci_kind", ["sure", None]),
        ("power", [1.5, -0.1, math.nan, "high"]),
        ("remarks", ["text", None, (5,)]),
    ],
)
def test_a_figure_that_no_view_can_show_is_named(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=f"An Estimate's {name} is "):
            _check(figures(**{name: value}))


def test_sound_figures_pass() -> None:
    for changed in (
        {},
        {"ci": None, "power": None},
        {"ci_kind": "assumed", "ci": None},
        {"efficiency": None, "features": 0, "capacity": 0, "n": 0, "ci_kind": "none", "remarks": []},
        {"ci": [0.1, 0.2], "power": 1},
    ):
        _check(figures(**changed))


def test_the_document_has_the_figures_of_every_estimate_and_its_own() -> None:
    found = figures(figures=lambda: {"mine": 7}).document()
    assert (found["n"], found["ci"], found["power"], found["mine"]) == (3, (0.1, 0.5), 0.4, 7)


@pytest.mark.parametrize("answer", [None, {"x": object()}, {"x": math.nan}, {5: 1}])
def test_own_figures_that_json_cannot_hold_name_their_plugin(answer: Any) -> None:
    with pytest.raises(PluginError, match="plugin 'types' failed to give its figures: TypeError: figures returned"):
        figures(figures=lambda: answer).document()
