"""Reports against the meters that they estimate."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from outcomes import ok


@pytest.mark.parametrize("known", ["generated_at", "resetAt"])
@pytest.mark.parametrize(("days", "is_divergent"), [(6, False), (0, True)])
def test_a_report_of_another_week_contradicts_no_meter(
    machine: Any, event: Any, known: str, days: int, is_divergent: bool
) -> None:
    """The meter's week ends in three days; the report says when it was made, or when its own week ended."""
    for used in (10, 15):
        machine.rollout("a", event(used, age=0 if used == 15 else 300))
        ok(machine("capture", "codex"))
    at = datetime.now(UTC) - timedelta(days=days) + timedelta(days=1 if known == "resetAt" else 0)
    report = {"view": "weekly", known: at.isoformat(), "currentWeek": {"percentUsed": 90, "tokensUsed": 5}}
    ok(machine("ingest", "codex-ccusage", "--window", "W0-01", "--stdin", stdin=json.dumps(report)))
    ok(machine("complete", "--window", "W0-01", "--codex-features", "1"))
    assert (machine.rows("windows")[0]["notes"] == "divergent:ccusage") is is_divergent
    assert ("- divergent: weekly 90% here" in ok(machine("preview"))) is is_divergent
