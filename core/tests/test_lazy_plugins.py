"""A capture loads the provider that it names, and no other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tracker.hosting import discovery

DEMO = Path(__file__).parents[2] / "plugins" / "codex" / "src" / "tracker_codex" / "demo"
SCRIPT = """
import sys
from tracker.cli.main import main
try:
    main(sys.argv[1:], standalone_mode=False)
finally:
    providers = ("tracker_codex", "tracker_claude", "tracker_glm", "tracker_proxy")
    print(*(name for name in providers if name in sys.modules))
"""


@pytest.mark.parametrize("window", [[], ["--window", "W0-01"]])
def test_a_window_of_one_provider_imports_no_other(tmp_path: Path, window: list[str]) -> None:
    environment = os.environ | {"TRACKER_DATA_DIR": str(tmp_path / "data")}

    def run(*words: str) -> list[str]:
        command = [sys.executable, "-c", SCRIPT, "alias", *words]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
        )
        return done.stdout.splitlines()

    utc = ["--timezone", "UTC"]
    said = run(
        "start", "codex", "--file", str(DEMO / "status_before.txt"), "--captured-at", "2026-11-22T06:28:16Z", *utc
    )
    assert said[-1] == "tracker_codex"
    if window:
        # a newer one, behind an AFTER that is noted down late
        later = ("--window", "W0-02", "--captured-at", "2026-11-22T08:00:00Z")
        run("start", "codex", "--file", str(DEMO / "status_before.txt"), *later, *utc)
    said = run(
        "end", "codex", "--file", str(DEMO / "status_after.txt"), "--captured-at", "2026-11-22T07:45:00Z", *utc, *window
    )
    assert said[0] == "stored codex after snapshot for W0-01 (ready to finalize)"
    assert said[-1] == "tracker_codex"


def test_a_foreign_package_whose_entry_points_are_not_utf_8_or_have_no_name_breaks_nothing(tmp_path: Path) -> None:
    points = {"foo-1.0": b"[tools]\nna\xefve = foo\n", "bar-2.0": b"[tracker]\r\nbar = bar.feature\r\n = bar\r\n"}
    for name, text in points.items():
        (tmp_path / f"{name}.dist-info").mkdir()
        (tmp_path / f"{name}.dist-info" / "entry_points.txt").write_bytes(text)
    assert discovery._points((str(tmp_path),)) == [("bar", "bar.feature", "bar", "2.0")]
