"""What a command of a test came to: what it printed, the one line with which it refused, the records that stand."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any


def ok(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(done: subprocess.CompletedProcess[str], status: int = 1) -> str:
    """The one `error:` line."""
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    return errors[0]


def records(folder: Path, stream: str) -> list[dict[str, Any]]:
    path = folder / "data" / f"{stream}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
