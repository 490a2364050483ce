"""Readings whose time no right clock told: nothing takes them, and `sync` says so."""

from __future__ import annotations

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
    assert f"warning: 1 reading in {path} is left out: of {fast}" in done.stderr
    assert ", 2 h 29 min ahead. Check the clock of the machine that wrote it." in done.stderr
    path.unlink()
    machine.rollout("b", event(9, age=now, now=now), event(9, age=-110, now=now))
    machine.rollout("c", event(9, age=-9 * 3600, now=now))
    done = machine("sync")
    assert "synced 1 reading in 2 of 2 files; 1 row added" in ok(done)
    assert "warning: 2 readings in 2 files, such as " in done.stderr
    [row] = machine.rows("readings")
    assert row["captured_at"] == row["until"]
    assert "left out" not in machine("sync").stderr


def test_a_file_of_the_future_hides_no_other_one(machine: Any, event: Any) -> None:
    """A container's clock is ahead. The sessions of this machine were never read until its time had come."""
    now = time.time()
    machine.rollout("a", event(9, age=-3600, now=now))
    assert "codex: can be read" not in ok(machine())
    assert "ahead: check the clock" in refused(machine("capture", "--sample", "codex", "--from", "rollout"))
    machine.rollout("b", event(20, age=60, now=now), changed=now - 50)
    assert "weekly=20%" in ok(machine("capture", "--sample", "codex"))
    ok(machine("capture", "codex"))
    assert machine.rows()[0]["parsed"]["weekly_pct"] == 20
