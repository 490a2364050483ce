"""The scenarios of an operator's day, run by behave against the installed program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(
    bool(os.environ.get("TRACKER_NESTED")), reason="behave is running this already: no test starts it again"
)
def test_every_scenario_passes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "behave", "features", "--format", "progress", "--no-color"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        env=os.environ | {"TRACKER_NESTED": "1", "TMPDIR": str(tmp_path)},
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    [(passed, failed)] = re.findall(r"(\d+) scenarios passed, (\d+) failed", done.stdout)
    assert (int(passed) >= 40, failed) == (True, "0")
