"""Readings whose time no right clock told: nothing takes them, and `sync` says so."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from outcomes import ok, refused


def test_sync_leaves_out_what_no_right_clock_told(machine: Any, event: Any) -> None:
    """As one of the run's time it would look fresh; from the year 1970 on its run would last until today."""
    now = time.time()
    path = machine.rollout("a", event(9, age=-8970, now=now))
    done = machine("sync")
    assert ok(done) == "synced 0 readings in 1 of 1 file; 0 rows added to the history\n"
    fast = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now + 8970))
    assert f"warning: 1 reading in {path} is left out: it is dated {fast}" in done.stderr
    assert ", 2 h 29 min in the future. Check the clock of the machine that wrote it." in done.stderr
    path.unlink()
    machine.rollout("b", event(9, age=now, now=now), event(9, age=-110, now=now))
    machine.rollout("c", event(9, age=-9 * 3600, now=now))
    done = machine("sync")
    assert "synced 1 reading in 2 of 2 files; 1 row added" in ok(done)
    assert "warning: 2 readings in 2 files, such as " in done.stderr
    [row] = machine.rows("readings")
    assert row["captured_at"] == row["until"]
    assert "left out" not in machine("sync").stderr


def test_sync_says_that_readings_were_of_a_period_before(machine: Any, event: Any) -> None:
    """It said 0 readings of files that are full of them. Beside others they are what an idle program hands over."""
    now = time.time()
    written = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now - 60))
    old = json.loads(event(9, now=now - 9 * 86_400)) | {"timestamp": f"{written}.250Z"}
    machine.rollout("a", json.dumps(old))
    done = machine("sync")
    assert "synced 0 readings in 1 of 1 file" in ok(done)
    assert "note: left out 1 reading showing only what was used before a reset\n" in done.stderr
    machine.rollout("b", json.dumps(old), event(20, now=now))
    assert "left out" not in machine("sync").stderr


def test_a_file_of_the_future_hides_no_other_one(machine: Any, event: Any) -> None:
    """A container's clock is ahead. The sessions of this machine were never read until its time had come."""
    now = time.time()
    machine.rollout("a", event(9, age=-3600, now=now))
    assert "codex: can be read" not in ok(machine())
    assert " in the future (" in refused(machine("capture", "--sample", "codex", "--from", "rollout"))
    machine.rollout("b", event(20, age=60, now=now), changed=now - 50)
    assert "weekly=20%" in ok(machine("capture", "--sample", "codex"))
    ok(machine("capture", "codex"))
    assert machine.rows()[0]["parsed"]["weekly_pct"] == 20


def test_resets_that_cannot_be_are_in_no_sample(machine: Any, event: Any) -> None:
    """`gate` said go by a pool of five hours that ends in thirteen, which no capture takes."""
    machine.rollout("a", event(85, resets_in=13 * 3600))
    ok(machine("capture", "--sample", "codex"))
    [row] = machine.rows("readings")
    assert (row["parsed"]["fiveh_used"], row["parsed"]["fiveh_reset_at"]) == (11, None)
    assert row["parsed"]["weekly_reset_at"] is not None
    week = json.loads(event(85, resets_in=13 * 3600))
    week["payload"]["rate_limits"]["secondary"]["resets_at"] += 9 * 86_400
    machine.rollout("a", json.dumps(week))
    said = refused(machine("capture", "--sample", "codex", "--from", "rollout"))
    assert "codex rollout: its resets do not fit " in said
    assert " UTC: check the clock of this machine. Nothing is left to try" in said
    done = machine("sync")
    assert "0 rows added" in ok(done)
    assert re.search(
        r"warning: 1 reading in \S+ is left out: it is dated \S+Z(, under 1 min in the future)?\. Check the clock",
        done.stderr,
    )
    assert "used before a reset" not in done.stderr
    assert len(machine.rows("readings")) == 1
