"""The command and the column, in the real program."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def write(folder: Path, text: str) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "hours.csv").write_text(text)


def test_hours_of_a_window_are_added_up(tracker_cli: Run, tmp_path: Path) -> None:
    write(tmp_path, "window,hours\nW0-01,1.5\nW0-01,0.5\nW0-02,3\n")
    assert tracker_cli("hours").stdout.splitlines() == [
        "window,hours,features,features_per_hour",
        "W0-01,2.0,,",
        "W0-02,3.0,,",
    ]
    assert json.loads(tracker_cli("--json", "hours").stdout)[1] == {
        "window": "W0-02",
        "hours": 3.0,
        "features": None,
        "features_per_hour": None,
    }


def test_a_row_that_cannot_be_read_is_named(tracker_cli: Run, tmp_path: Path) -> None:
    write(tmp_path, "window,hours\nW0-01,many\n")
    done = tracker_cli("hours")
    assert done.returncode == 1
    assert done.stderr.endswith("hours.csv, line 2. Expected window,hours.\n")


def test_without_a_file_it_says_what_to_add(tracker_cli: Run) -> None:
    assert "hours.csv with the columns window and hours" in tracker_cli("hours").stderr
