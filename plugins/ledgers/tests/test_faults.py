"""Errors and Ctrl-C at the system calls on a ledger: it never shrinks, and the next command works."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outcomes import ok

Run = Callable[..., Any]
STRACE = shutil.which("strace")
CALLS = ("pread64", "write", "fsync", "newfstatat")


@pytest.mark.skipif(STRACE is None or sys.platform != "linux", reason="strace injects the faults")
@pytest.mark.parametrize("fault", ["error=EIO", "signal=SIGINT"])
def test_a_ledger_never_shrinks(finalized: Run, tmp_path: Path, fault: str) -> None:
    ok(finalized("feature", "reserve"))
    ledger = tmp_path / "docs" / "Ledgers" / "Feature_Log.csv"
    program = [sys.executable, "-m", "tracker.cli", "--data-dir", "data", "feature", "reserve"]
    injected = 0
    for call in CALLS:
        for nth in (1, 2):
            before = ledger.read_bytes()
            inject = f"inject={call}:{fault}:when={nth}"
            log = tmp_path / "strace.txt"
            words = [str(STRACE), "-f", "-qq", "-o", str(log), "-P", str(ledger), "-e", inject]
            done = subprocess.run([*words, *program], cwd=tmp_path, capture_output=True, text=True, check=False)
            if "ptrace" in done.stderr:
                pytest.skip("this machine does not let strace trace")
            injected += "INJECTED" in log.read_text() or "--- SIGINT" in log.read_text()
            assert ledger.read_bytes().startswith(before), inject
            assert "Traceback" not in done.stderr
    assert injected >= 3
    assert ok(finalized("feature", "reserve")).startswith("F-")
