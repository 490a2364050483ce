"""What `plan` tells to type for a new reading is what can be done on this machine."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

PANE = "Settings  Status   Config   Usage   Stats\n\n  Current week (all models)\n  {}% used\n"


def test_files_that_never_gave_a_reading_are_not_asked_for_one(
    verdicts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand transcripts without a meter made it `tracker capture --sample claude`, which failed."""
    now, folder = datetime.now(UTC), tmp_path / "claude" / "projects" / "w"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text(json.dumps({"type": "user", "timestamp": now.isoformat()}) + "\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    verdicts.rows(claude=[(3, 18)])
    before = (now - timedelta(hours=3)).isoformat()
    verdicts("alias", "start", "claude", "--stdin", "--captured-at", before, stdin=PANE.format(5)).ok()
    said = verdicts("plan", "--provider", "claude").ok()
    assert "the limit is 15 min: `tracker end claude`, which ends W0-01\n" in said
    limit = {"kind": "weekly_all", "percent": 9, "resets_at": (now + timedelta(days=2)).isoformat()}
    row = {"type": "system", "subtype": "local_command", "timestamp": (now - timedelta(hours=1)).isoformat()}
    report = {**row, "version": "2.1.332", "usageReport": {"rate_limits": {"limits": [limit]}}}
    (folder / "b.jsonl").write_text(json.dumps(report) + "\n")
    verdicts("sync").ok()
    paste = "the limit is 15 min: `tracker end claude`, which ends W0-01\n"
    assert paste in verdicts("plan", "--provider", "claude").ok(), "what is stored is no new reading"
    limit["percent"], report["timestamp"] = 10, (now - timedelta(minutes=2)).isoformat()
    (folder / "c.jsonl").write_text(json.dumps(report) + "\n")
    said = verdicts("plan", "--provider", "claude").ok()
    assert "the limit is 15 min: `tracker capture --sample claude`\n" in said
    verdicts("capture", "--sample", "claude").ok()
    assert "the limit is 15 min" not in verdicts("plan", "--provider", "claude").ok()


def test_a_window_across_a_reset_is_begun_anew(verdicts: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No AFTER behind the reset of its meter measures it: `end` stored an anomaly."""
    monkeypatch.setenv("PATH", str(tmp_path))
    begun = datetime.now(UTC) - timedelta(hours=3)
    for reset, said in (
        (begun + timedelta(hours=1), "`tracker start claude --window W0-01`, which restarts W0-01"),
        (begun + timedelta(days=1), "`tracker end claude`, which ends W0-01"),
    ):
        pane = f"{PANE.format(5)}  Resets {reset:%b %-d, %-I:%M%p} (UTC)\n"
        words = ("--window", "W0-01", "--captured-at", begun.isoformat())
        verdicts("alias", "start", "claude", "--stdin", *words, stdin=pane).ok()
        assert said in " ".join(verdicts("gate", "claude").err.split())
