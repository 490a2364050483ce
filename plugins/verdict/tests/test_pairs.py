"""The certificate of planned pairs is exact only if they were measured as they were drawn."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tracker_verdict.stats import signflip

FIELDS = {"codex": "weekly_pct", "claude": "all_models_pct"}
PAIRS = 8
EXACT = "for codex, whatever the days were like (sign flips)."
STRAYED = "for codex, if the days were alike: 8 not measured in the drawn order, or begun before the draw."


def measured(verdicts: Any, how: str) -> str:
    """What `compare` says of pairs that were drawn, and measured in some way."""
    drawn = json.loads(verdicts("--json", "plan", "codex", "claude", "--pairs", str(PAIRS)).ok())
    at = datetime.now(UTC) - timedelta(days=3 if how == "past" else 0)
    snapshots, rows = [], []
    for one in drawn:
        steps = list(one["windows"].items())
        if how == "swapped":
            steps = [(steps[1][0], steps[0][1]), (steps[0][0], steps[1][1])]
        for provider, window in steps[::-1] if how == "reversed" else steps:
            at += timedelta(seconds=1)
            known = {"window": window, "captured_at": at.isoformat(), "schema_version": "1.1.0"}
            before = {"record_id": window.ljust(32, "0"), "phase": "before", "provider": provider, "source": "alias"}
            snapshots.append({**known, **before, "agent_id": None, "parsed": {FIELDS[provider]: 5, "errors": []}})
            is_idle = how == "idle" and one is drawn[-1]
            delta = {"delta": {FIELDS[provider]: 0 if is_idle and provider == "claude" else 10}, "errors": []}
            features = {provider: 4 if provider == "codex" else 0 if is_idle else 1}
            rows.append({**known, "provider": None, "features": features, "providers": {provider: delta}})
    for name, found in (("snapshots", snapshots), ("windows", rows)):
        path = verdicts.folder / "data" / f"{name}.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in found))
    return str(verdicts("compare", "codex", "claude").ok())


@pytest.mark.parametrize(
    ("how", "said"), [("as drawn", EXACT), ("reversed", STRAYED), ("past", STRAYED)], ids=lambda one: str(one)[:9]
)
def test_a_pair_that_was_not_measured_as_drawn_makes_no_exact_certificate(verdicts: Any, how: str, said: str) -> None:
    assert said in measured(verdicts, how)
    [found] = json.loads(verdicts("--json", "compare", "codex", "claude").ok())
    assert found["pairs"].get("strayed", 0) == (0 if said == EXACT else PAIRS)


def test_windows_of_the_wrong_providers_are_said_to_be_in_no_certificate(verdicts: Any) -> None:
    said = measured(verdicts, "swapped")
    none = "No planned pair has two windows that count, each measured on the provider drawn for it."
    assert f"  {none} 8 finished pairs left out here.\n" in said
    [found] = json.loads(verdicts("--json", "compare", "codex", "claude").ok())
    assert (found["pairs"]["evidence"], found["pairs"]["favours"]) == (None, None)


def test_a_pair_with_an_idle_window_is_not_left_out(verdicts: Any) -> None:
    """A window without features and capacity says nothing of a rate, but all of its pair."""
    said = measured(verdicts, "idle")
    assert f"  {PAIRS} planned pairs: " in said
    assert "left out here" not in said
    [found] = json.loads(verdicts("--json", "compare", "codex", "claude").ok())
    expected = signflip([((4, 10), (1, 10))] * (PAIRS - 1) + [((4, 10), (0, 0))])
    assert found["pairs"]["evidence"] == pytest.approx(max(expected) / 2)
