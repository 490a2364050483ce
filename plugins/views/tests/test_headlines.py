"""What a report says first, and what it says that it lacks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tracker.api import Column, Panel
from tracker_views.content import USAGE, without_requests


def test_an_open_anomaly_is_left_to_the_command_that_names_its_cure(program: Any) -> None:
    """`complete`, which the page named, is refused."""
    for phase, used in (("start", 40), ("end", 30)):
        at = (datetime.now(UTC) - timedelta(hours=2 if phase == "start" else 1)).isoformat()
        own = ("--window", "W1", "--captured-at", at)
        program("alias", phase, "toy", "--stdin", *own, stdin=f"fuel {used}%\nheat 1%").ok()
    said = "1 window recorded, none finalized. `tracker status` shows what W1 is waiting for."
    assert said in program("report", "--format", "md").ok()
    assert "fuel fell from 40 to 30" in program("status").ok()


def test_a_provider_that_the_sums_leave_out_is_named() -> None:
    """Its windows are there, and the sums look like those of all."""
    columns = (Column(key="provider", title="Provider"),)
    usage = Panel(name=USAGE, title="Usage", columns=columns, rows=[{"provider": "rival"}])
    known = {"providers": [{"provider": "toy"}, {"provider": "rival"}]}
    [said] = without_requests(known, [usage])
    assert said == "Tokens and money do not include toy: no requests in the session logs."
    assert not [*without_requests(known, [])]
    assert not [*without_requests({"providers": [{"provider": "rival"}]}, [usage])]


def test_json_has_what_the_tables_show(filled: Any) -> None:
    found = json.loads(filled("report", "--json").ok())
    assert found["windows"] == ["W10", "W11", "W12"]
    assert found["headlines"][0].endswith("Finish a window of each with `tracker complete --window W`.")
    assert "Not finalized: W12." in found["missing"]
    panels = {one["name"]: one for one in found["panels"]}
    [toy] = panels["efficiency"]["rows"]
    assert (toy["provider"], toy["features"], toy["capacity"], toy["low"]) == ("toy", 5, 55, None)
    assert panels["windows"]["rows"][0]["from"] == "2026-01-12T08:00:00Z"
    assert "Leave out --out and --format." in filled("report", "--json", "--format", "md").refused(2)
