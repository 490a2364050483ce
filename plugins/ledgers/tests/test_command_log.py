"""What was typed: which commands a handoff lists, and a placeholder of a cure."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from outcomes import ok

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_capture_that_names_no_window_is_in_the_handoff_of_its_own_alone(toys: Run, tmp_path: Path) -> None:
    for window in ("W0-01", "W0-02"):
        ok(toys("start", "toy", "--stdin", stdin="fuel 10%"))
        ok(toys("end", "toy", "--stdin", stdin="fuel 20%"))
        ok(toys("complete", "--window", window, "--toy-features", "1"))
    for window in ("W0-01", "W0-02"):
        ok(toys("handoff", "--window", window))
        text = (tmp_path / "docs" / "SESSION_HANDOFF.md").read_text()
        commands = text.partition("\n## Commands that were run\n")[2].partition("\n## ")[0]
        assert [commands.count(f"tracker {verb}") for verb in ("start", "end", "complete")] == [1, 1, 1]
        assert f"complete --window {window}" in commands


def test_the_placeholder_of_a_cure_is_no_evidence(finalized: Run) -> None:
    done = finalized("evidence", "add", "--window", "W0-20", "--capability", "CAPABILITY", "--result", "pass")
    assert done.returncode == 2
    assert "CAPABILITY is a placeholder. Name what the run proves, such as `--capability quota-meters`." in done.stderr
