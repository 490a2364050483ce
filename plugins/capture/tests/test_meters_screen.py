"""`tracker meters`: what it says of each reading."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from outcomes import ok


def test_how_far_a_large_count_moved_is_said_in_full(program: Any) -> None:
    for phase, calls, at in (("start", 1000, "-3h"), ("end", 2234, "-2h")):
        program(phase, "tally", "--stdin", "--captured-at", at, stdin=f"{calls} of 9000").ok()
    assert program("meters").ok().splitlines()[-1].split()[2:] == ["2234", "calls", "+1234", "alias"]


def test_a_reading_of_the_future_is_marked_and_tells_of_no_reset(machine: Any) -> None:
    row = "{}: [███] {}% left (resets {:%H:%M on %-d %b})\n"
    now = datetime.now(UTC)
    for hours, left in ((0, 50), (30, 90)):
        at = now + timedelta(hours=hours)
        text = row.format("5h limit", left, at + timedelta(hours=1))
        text += row.format("Weekly limit", left, at + timedelta(days=3))
        given = ("--captured-at", at.isoformat(), "--window", f"W{hours}")
        ok(machine("start", "codex", "--stdin", "--force", *given, stdin=text))
    title, _, *rows = ok(machine("meters", "--meter", "fiveh")).splitlines()
    assert title == "codex fiveh: 2 readings, 0 resets"
    assert [row.split()[3] for row in rows] == ["alias", "future"]
    [found] = json.loads(ok(machine("--json", "meters", "--meter", "fiveh")))
    assert [point.get("is_future") for point in found["points"]] == [None, True]


def test_a_clock_that_is_as_little_ahead_as_the_history_takes_tells_of_no_future(machine: Any, event: Any) -> None:
    """`meters` had a limit of its own, so that it marked readings that every other command took for those of now."""
    machine.rollout("a", event(64, age=-240))
    ok(machine("capture", "--sample", "codex"))
    [found] = json.loads(ok(machine("--json", "meters", "--meter", "weekly")))
    assert [point.get("is_future") for point in found["points"]] == [None]
    assert "future" not in ok(machine("meters"))


def test_what_no_plugin_in_use_measures_has_no_unit(machine: Any) -> None:
    """A count of 1,000 prompts was 1000 %, once its provider was not there any more."""
    blocks = '{"blocks": [{"window_id": "W1", "provider": "glm-4.6", "prompts_used": 1000}]}'
    ok(machine("start", "glm", "--stdin", "--window", "W1", stdin=blocks))
    assert " 1000 prompts " in ok(machine("meters"))
    for more in ({}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}):
        said = ok(machine("meters", TRACKER_DISABLE_PLUGINS="glm", **more)).splitlines()[-1]
        assert "1000" in said
        assert "%" not in said


def test_a_run_of_one_day_is_shown_without_its_weekday(program: Any) -> None:
    program.root.mkdir(parents=True, exist_ok=True)
    rows = []
    for hour, until in ((1, "2026-11-22T06:00:00Z"), (23, "2026-11-23T02:00:00Z")):
        known = {"provider": "toy", "origin": "alias", "record_id": f"r{hour}", "until": until}
        rows.append({**known, "captured_at": f"2026-11-22T{hour:02}:00:00Z", "parsed": {"fuel_used": hour}})
    (program.root / "readings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = program("meters").ok()
    assert "2026-11-22 01:00 to 06:00     " in said
    assert "2026-11-22 23:00 to Mon 02:00 " in said


def test_a_provider_as_a_word_is_told_the_option(program: Any) -> None:
    assert "Type `tracker meters --provider toy`." in program("meters", "toy").refused(2)
    assert "Unknown command 'tob'." in program("meters", "tob").refused(2)
