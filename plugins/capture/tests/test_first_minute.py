"""A new user with Codex's own files of the last week sees proposed windows with their capacity from two commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

LOGS = Path(__file__).parents[3] / "plugins" / "codex" / "tests" / "session_logs"
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
# Seconds between two requests become minutes: the recorded sessions were driven by a script.
PACE = 200


def shifted(case: str, home: Path, repository: Path, start: datetime, used: int, reset: datetime) -> int:
    """A recorded case as if it had run from `start` on in this repository, its weekly meter a point up each time."""
    files = sorted((LOGS / case / ".codex" / "sessions").rglob("*.jsonl"))
    text = {path: path.read_text() for path in files}
    first = min(datetime.fromisoformat(found) for one in text.values() for found in STAMP.findall(one))

    def moved(found: re.Match[str]) -> str:
        at = start + (datetime.fromisoformat(found[0]) - first) * PACE
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    rows = []
    for path, one in text.items():
        one = STAMP.sub(moved, one).replace("/home/dev/code/acme", str(repository)).replace("resp_", f"resp_{case}_")
        rows += [(path.name, json.loads(line)) for line in one.splitlines()]
    rows.sort(key=lambda row: row[1]["timestamp"])
    for _, row in rows:
        limits = row["payload"].get("rate_limits")
        if limits:
            used += 1
            limits["secondary"] |= {"used_percent": float(used), "resets_at": int(reset.timestamp())}
            limits["primary"]["resets_at"] = int((start + timedelta(hours=5)).timestamp())
    folder = home / ".codex" / "sessions" / f"{start:%Y/%m/%d}"
    folder.mkdir(parents=True)
    for name, row in rows:
        with (folder / f"rollout-{start:%Y-%m-%dT%H-%M-%S}{name[27:]}").open("a") as file:
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
    return used


def test_two_commands_and_a_minute(tmp_path: Path) -> None:
    home, repository = tmp_path / "home", tmp_path / "acme"
    repository.mkdir()
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(repository)], check=True)
    reset, used = NOON + timedelta(days=1), 10
    for case, days in (("codex-t2", 5), ("codex-t1", 3), ("codex-t4", 2)):
        used = shifted(case, home, repository, NOON - timedelta(days=days), used, reset)
    foreign = ("XDG_", "CODEX_", "CLAUDE_", "TRACKER_", "AGENT_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    environment = {**kept, "HOME": str(home), "TZ": "UTC"}

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tracker.cli", *words],
            cwd=repository,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    began = time.monotonic()
    assert re.search(r"synced \d+ readings in 8 of 8 files", run("sync"))
    said = run("windows", "propose")
    assert time.monotonic() - began < 60
    found: Any = json.loads(run("--json", "windows", "propose"))
    assert [one["from"][:10] for one in found] == [f"{NOON - timedelta(days=days):%Y-%m-%d}" for days in (5, 3, 2)]
    first, *later = (one["providers"]["codex"] for one in found)
    # where its meter stood before the first request of all no reading tells
    assert first["meters"] == {}
    assert "codex has no reading before its first request" in first["why"]
    assert "; weekly moved by at least " in first["why"]
    for one in later:
        capacity = one["meters"]["weekly"]
        assert capacity >= 1
        assert f"  codex: weekly {capacity:g}" in said
        assert one["tokens"] > 0
