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
