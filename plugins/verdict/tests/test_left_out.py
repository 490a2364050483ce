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
