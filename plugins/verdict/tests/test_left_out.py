"""Windows that count for no figure are named wherever the figure stands."""

from __future__ import annotations

import json
from typing import Any

CROSSED = {"providers": {"codex": {"delta": None, "errors": ["reset-crossed:weekly"]}}}


def test_windows_without_a_capacity_or_features_are_named(verdicts: Any) -> None:
    """`compare` and `scoreboard` said n=3 of five windows, and not why."""
    days = [f"2026-01-0{at}T12:00:00Z" for at in range(1, 6)]
    codex: list[Any] = [(3, 15, day) for day in days[:3]]
    codex += [(0, 15, days[3], {"features": {}}), (3, 15, days[4], CROSSED)]
    verdicts.rows(codex=codex, claude=[(1, 15, day) for day in days])
    note = (
        "note: codex codex-04 (features-missing), codex-05 (reset-crossed:weekly): not counted."
        " Type `tracker complete --window codex-04 --codex-features N`.\n"
    )
    for words in (("compare", "codex", "claude"), ("scoreboard",)):
        done = verdicts(*words)
        assert done.ok()
        assert done.err == note
    [found] = json.loads(verdicts("--json", "compare", "codex", "claude").ok())
    assert [side["n"] for side in found["providers"]] == [3, 5]
    assert [side["excluded"] for side in found["providers"]] == [
        [
            {"window": "codex-04", "reason": "features-missing"},
            {"window": "codex-05", "reason": "reset-crossed:weekly"},
        ],
        [],
    ]


def test_providers_of_one_window_are_noted_in_their_order(verdicts: Any) -> None:
    """They came in another order in each run."""
    crossed = {name: {"delta": None, "errors": ["reset-crossed"]} for name in ("glm", "codex", "claude")}
    verdicts.rows(codex=[(3, 15, "2026-01-01T12:00:00Z", {"providers": crossed})])
    noted = [f"note: {name} codex-01 (reset-crossed): not counted." for name in ("claude", "codex", "glm")]
    assert verdicts("scoreboard").err.splitlines() == noted


def test_windows_without_a_quality_are_counted_beside_the_adjusted_efficiency(verdicts: Any) -> None:
    """0.5 features for 9 points, of one window of three, stood beside `n: 3` as if quality cost most of them."""
    day, rated = "2026-01-01T12:00:00Z", {"quality": 0.5}
    verdicts.rows(codex=[(3, 0, day, {}), (2, 4, day, {}), (1, 9, day, rated), (0, 0, day, rated)])
    [found] = json.loads(verdicts("--json", "preview").ok())["providers"]
    assert (found["n"], found["n_quality"]) == (3, 1)
    assert found["efficiency_quality"] == 0.5 / 9
    verdicts.rows(codex=[(3, 1, day, {})])
    [found] = json.loads(verdicts("--json", "preview").ok())["providers"]
    assert (found["n_quality"], found["efficiency_quality"]) == (0, None)


def test_of_how_many_windows_no_tokens_are_known(verdicts: Any) -> None:
    """`5 windows, 8 features, 3975 tokens` was the sum over one window."""
    verdicts.rows(codex=[(3, 18), (2, 10)], claude=[(1, 5)])
    assert "unknown_windows" not in verdicts("scoreboard").ok(), "nothing tells tokens here"
    verdicts.facts["codex-01", "codex"] = {"tokens": 1200}
    found = json.loads(verdicts("--json", "scoreboard").ok())
    assert [(row["provider"], row["tokens"], row["unknown_windows"]) for row in found] == [
        ("claude", None, 1),
        ("codex", 1200, 1),
    ]
    assert verdicts("scoreboard").err == "note: codex: tokens are known for 1 of 2 windows.\n"
    verdicts.facts["codex-02", "codex"] = {"tokens": 800}
    assert "unknown_windows" not in verdicts("scoreboard").ok()
