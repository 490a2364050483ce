"""Prices that are set from the command line."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("price", ["200/mo:0bars", "0/mo:4bars", "1.2.3/mo:4bars"])
def test_a_price_that_buys_nothing_is_not_set(verdicts: Any, price: str) -> None:
    """It was set, and then ended the scoreboard."""
    said = verdicts("config", "set", "prices.codex", price).refused()
    assert f"Invalid prices {{'codex': '{price}'}}. Expected a table with a text such as '200/mo:4.3bars'" in said
    verdicts("config", "set", "prices.codex", "200/mo:4.3bars").ok()
    verdicts("scoreboard").ok()


def test_what_a_feature_costs_below_half_a_cent_is_not_nothing(verdicts: Any) -> None:
    """`preview` and `compare` said $0.00 where `windows` and `scoreboard` had 0.0026."""
    verdicts.settings('[prices]\nglm = "3/mo:17280prompts"\ncodex = "2/mo:4bars"\n')
    verdicts.rows(glm=[(1, 15)] * 3, codex=[(1, 15)] * 3)
    assert " ($0.0026 per feature)\n" in verdicts("preview").ok()
    said = verdicts("compare", "codex", "glm").ok()
    assert " ($0.0026 per feature)\n" in said
    assert " ($0.08 per feature)\n" in said
