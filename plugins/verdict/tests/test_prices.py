"""Prices that are set from the command line, and what a feature costs."""

from __future__ import annotations

import json
from typing import Any

import pytest


@pytest.mark.parametrize("price", ["200/mo:0bars", "0/mo:4bars", "1.2.3/mo:4bars"])
def test_a_price_that_buys_nothing_is_not_set(verdicts: Any, price: str) -> None:
    """It was set, and then ended the scoreboard."""
    said = verdicts("config", "set", "prices.codex", price).refused()
    assert f"Invalid prices {{'codex': '{price}'}}. Expected a table with a text such as '200/mo:4.3bars'" in said
    verdicts("config", "set", "prices.codex", "200/mo:4.3bars").ok()
    verdicts("scoreboard").ok()


def test_a_price_beyond_all_numbers_is_refused(verdicts: Any) -> None:
    """It was 0 units for the money, by which the scoreboard divided."""
    said = verdicts("scoreboard", "--price", f"codex={'9' * 400}/mo:4.3bars").refused()
    assert said.endswith(" of codex. Expected numbers above 0.")


def test_what_a_feature_costs_below_half_a_cent_is_not_nothing(verdicts: Any) -> None:
    """`preview` and `compare` said $0.00 where `windows` and `scoreboard` had 0.0026."""
    verdicts.settings('[prices]\nglm = "3/mo:17280prompts"\ncodex = "2/mo:4bars"\n')
    verdicts.rows(glm=[(1, 15)] * 3, codex=[(1, 15)] * 3)
    assert " ($0.0026 per feature)\n" in verdicts("preview").ok()
    said = verdicts("compare", "codex", "glm").ok()
    assert " ($0.0026 per feature)\n" in said
    assert " ($0.08 per feature)\n" in said


def test_a_price_that_is_not_used_is_named(verdicts: Any) -> None:
    """`compare` fell back to points without a word."""
    verdicts.settings('[prices]\ncodex = "200/mo:4.3bars"\nclaud = "100/mo:4.3bars"\n')
    verdicts.rows(codex=[(3, 15)] * 3, claude=[(1, 15)] * 3)
    done = verdicts("compare", "codex", "claude")
    assert done.ok().startswith("codex against claude, features per pp:\n")
    assert done.err == (
        "warning: the price of 'claud' under [prices] is not used: no provider has that name. Did you mean claude?\n"
        "note: claude has no price, so the two are compared per pp."
        " Type `tracker config set prices.claude 200/mo:4.3bars`, with your price.\n"
    )
    verdicts.settings("")
    assert not verdicts("compare", "codex", "claude").err


def test_pairs_of_two_units_are_planned_with_a_command_that_compares_them(verdicts: Any) -> None:
    """It was one that is refused, days of work later."""
    (verdicts.folder / "data").mkdir()
    said = verdicts("plan", "--pairs", "1", "codex", "glm").ok()
    command = "tracker compare codex glm --price codex=200/mo:4.3bars --price glm=30/mo:2400prompts"
    assert f" Then type `{command}`, with your prices, to see what they show.\n" in said
    verdicts.settings('[prices]\ncodex = "200/mo:4.3bars"\nglm = "30/mo:2400prompts"\n')
    assert " Then type `tracker compare codex glm` to see what" in verdicts("plan", "--pairs", "1", "codex", "glm").ok()
    assert (
        " Then type `tracker compare claude codex` to see " in verdicts("plan", "--pairs", "1", "codex", "claude").ok()
    )
    refused = verdicts("plan", "--pairs", "1", "codex", "claude", "--last", "3").refused(2)
    assert "Expected --pairs N A B" in refused


@pytest.mark.parametrize(
    ("name", "price", "expected"),
    [
        ("glm", '"200/mo:4.3bars"', "Expected prompts, such as '30/mo:2400prompts'"),
        ("codex", '"200/mo:2400prompts"', "Expected bars, such as '200/mo:4.3bars'"),
        ("codex", "{month = 200, prompts = 2400}", "Expected one such as '200/mo:4.3bars'"),
    ],
)
def test_a_price_in_another_unit_costs_the_money_alone(verdicts: Any, name: str, price: str, expected: str) -> None:
    """It ended `windows`, `scoreboard`, `compare` and `preview --json`, also of other providers."""
    verdicts.settings(f'[prices]\n{name} = {price}\nclaude = "100/mo:4.3bars"\n')
    verdicts.rows(codex=[(3, 15)] * 3, claude=[(1, 15)] * 3)
    cure = f"tracker config set prices.{name} {expected.split()[-1].strip(chr(39))}"
    for words in (("windows",), ("scoreboard",), ("compare", "codex", "claude"), ("preview", "--json"), ("preview",)):
        done = verdicts(*words)
        done.ok()
        # of providers without windows the text of the preview asks no price
        if (words, name) != (("preview",), "glm"):
            assert done.err.count(f"warning: prices.{name} in tracker.toml is not used: Invalid price ") == 1, words
            assert f" of {name}. {expected}. Type `{cure}`, with your price.\n" in done.err
    assert " money_per_feature" in verdicts("windows").out
    doctor = verdicts("doctor").out
    assert "tracker.toml (line 1): Invalid price " in doctor
    assert f"; with your price: `{cure}`\n" in doctor
    verdicts(*cure.split()[1:]).ok()
    assert "not used" not in verdicts("windows").err


def test_the_least_of_a_feature_is_that_of_all_whose_requests_are_known(verdicts: Any) -> None:
    """Of three features nobody knows more than that they cost something."""
    verdicts.rows(codex=[(3, 18), (2, 10)])
    verdicts.facts["codex-01", "codex"] = {"tokens": 1, "requests": 2, "unpriced_requests": 2}
    verdicts.facts["codex-02", "codex"] = {"tokens": 1, "requests": 1, "cost_usd": 10.0}
    [row] = json.loads(verdicts("scoreboard", "--format", "json").ok())
    assert (row["cost_usd"], row["cost_usd_per_feature"]) == (10, 2)


def test_a_window_all_of_whose_requests_are_shared_cost_nothing_by_itself(verdicts: Any) -> None:
    """Its money was not known, so that its features stood beside no part of what it shares."""
    verdicts.rows(codex=[(3, 18), (2, 10)])
    none = {"tokens": 0, "requests": 0, "cost_usd": None, "shared_requests": 3}
    verdicts.facts["codex-01", "codex"] = none
    verdicts.facts["codex-02", "codex"] = {"tokens": 100, "requests": 1, "cost_usd": 1.0, "shared_requests": 3}
    verdicts.facts["codex-01+codex-02", "codex"] = {"tokens": 300, "requests": 3, "cost_usd": 3.0}
    done = verdicts("--json", "scoreboard")
    [row] = json.loads(done.ok())
    assert (row["tokens"], row["cost_usd"]) == (400, 4)
    assert (row["tokens_per_feature"], row["cost_usd_per_feature"]) == (80, pytest.approx(0.8))
    assert done.err == ""
    # where nothing else is known there is no amount
    del verdicts.facts["codex-02", "codex"], verdicts.facts["codex-01+codex-02", "codex"]
    [row] = json.loads(verdicts("--json", "scoreboard").ok())
    assert (row["tokens"], row["cost_usd"], row["cost_usd_per_feature"]) == (0, None, None)
