"""The bundled price table: well formed, without two prices for one model, and matched as its head says."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from importlib.resources import files
from typing import Any

from tracker_kit.cases import together

TABLE: dict[str, Any] = tomllib.loads(files("tracker_proxy").joinpath("prices.toml").read_text("utf-8"))
PRICES = ("input", "output", "cache_read", "cache_write")


def fitting(model: str) -> list[dict[str, Any]]:
    """The entries that fit, by the rule in the head of the file."""
    bare = model.lower().rpartition("/")[2]
    snapshot = re.compile(TABLE["snapshot"])
    return [
        entry
        for entry in TABLE["model"]
        if bare in (entry.get("name"), entry.get("prefix"))
        or ("prefix" in entry and bare.startswith(entry["prefix"]) and snapshot.fullmatch(bare[len(entry["prefix"]) :]))
    ]


def test_the_head_says_when_and_from_where() -> None:
    assert isinstance(TABLE["as_of"], date)
    assert TABLE["source"]
    assert (TABLE["currency"], TABLE["tokens"]) == ("USD", 1_000_000)


@together("entry", TABLE["model"], ids=lambda entry: entry.get("name") or entry["prefix"])
def test_an_entry_has_one_name_and_four_prices(entry: dict[str, Any]) -> None:
    [kind] = entry.keys() - set(PRICES)
    assert kind in ("name", "prefix")
    assert entry[kind] == entry[kind].lower()
    assert fitting(entry[kind]) == [entry]
    prices = [entry[price] for price in PRICES]
    assert all(type(price) is float and price > 0 for price in prices)
    assert entry["cache_read"] < entry["input"] <= entry["cache_write"]
    assert entry["input"] < entry["output"]


@together(
    ("model", "price"),
    [
        ("claude-sonnet-4-5-20250929", 3.0),
        ("anthropic/claude-sonnet-4-5", 3.0),
        ("claude-sonnet-4-5@20250929", 3.0),
        ("claude-haiku-4-5-20251001", 1.0),
        ("claude-opus-4-1-20250805", 15.0),
        ("claude-opus-4-5-20251101", 5.0),
        ("claude-opus-4-20250514", 15.0),
        ("glm-4.6", 0.6),
        ("z.ai/GLM-4.5-Air", 0.2),
        ("gpt-5", 1.25),
        ("gpt-5-2025-08-07", 1.25),
        ("gpt-5-mini", 0.25),
        ("gpt-5-codex", 1.25),
    ],
)
def test_models_that_have_a_price(model: str, price: float) -> None:
    assert [entry["input"] for entry in fitting(model)] == [price]


@together("model", ["claude-opus-4-9", "gpt-5-ultra", "glm-4.6-new", "gpt-5-2025", "claude", ""])
def test_an_unknown_model_has_none(model: str) -> None:
    assert fitting(model) == []
