"""The long session of the specification, verbatim, in bash, in a copy of this project that is its own repository."""

from __future__ import annotations

import csv
import json
import os
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from inprocess import tracker

ROOT = Path(__file__).parents[1]
SCRIPT = r"""
PYTHONPATH=tracker/src pytest
PYTHONPATH=tracker/src behave features
codex /status | PYTHONPATH=tracker/src python -m tracker.cli --data-dir data/week0/live alias end codex \
  --stdin --window W0-20 --state-dir data/week0/live/state --notes after-clean
PYTHONPATH=tracker/src python -m tracker.cli --data-dir data/week0/live alias delete codex \
  --phase after --window W0-20 --state-dir data/week0/live/state
AGENT_ID=main;  source scripts/tracker-aliases.sh
AGENT_ID=sub1;  source scripts/tracker-aliases.sh
tail -n +1 logs/usage.jsonl | PYTHONPATH=tracker/src python -m tracker.cli --data-dir data/week0/live \
  ingest proxy-telemetry --window W0-CHN --stdin
python scripts/tools/proxy_cost_compare.py --data-dir data/week0/live
PYTHONPATH=tracker/src python -m tracker.cli --data-dir data/week0/live complete --window W0-19 \
  --codex-features 2 --claude-features 0 --glm-features 0 --quality 1.0 --outcome pass --notes "session002 main lane"
PYTHONPATH=tracker/src python -m tracker.cli churn --window W0-19 --provider codex --methodology session002
PYTHONPATH=tracker/src python -m tracker.cli --data-dir data/week0/live preview --window W0-20
scripts/automation/ledger_checkpoint.sh --window W0-20 --provider codex \
  --task end_of_session --plan 200000 --actual 168000 --notes "session002 close"
"""
PANE = ">_ OpenAI Codex (v0.169.0)\n\n  5h limit:      {}% left\n  Weekly limit:  {}% left (resets {})\n"
EVENTS = [
    {"rid": "F-1", "lane": "zai", "model": "glm-4.6", "status": 200, "input_tokens": 900, "output_tokens": 100},
    {
        "rid": "F-1",
        "lane": "base",
        "model": "claude-sonnet-4-5",
        "status": 200,
        "input_tokens": 500,
        "output_tokens": 50,
    },
    {"rid": "F-2", "lane": "base", "model": "claude-sonnet-4-5", "status": 500, "input_tokens": 10, "output_tokens": 0},
    {"rid": "F-3", "lane": "zai", "model": "glm-4.6", "status": 200, "input_tokens": 20, "output_tokens": 5},
]


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.email=dev@example.com", "-c", "user.name=dev"]
    return subprocess.check_output(["git", *identity, *arguments], cwd=folder, text=True).strip()


def clone(target: Path) -> None:
    """A copy of the project as it stands, committed and not, as a repository of its own."""
    names = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    git(target, "init", "-q", "-b", "main")
    git(target, "add", "--all")
    git(target, "commit", "-q", "-m", "as it stands")


def prepare(folder: Path, environment: dict[str, str]) -> None:
    """What the specification says is there before: captures, telemetry, a `codex` that prints a pane."""
    now = datetime.now(UTC)
    reset = (now + timedelta(days=3)).strftime("%H:%M on %-d %b")
    captures = [("start", "W0-19", 80, 6), ("end", "W0-19", 70, 4), ("start", "W0-20", 70, 2)]
    for verb, window, left, hours in captures:
        at = (now - timedelta(hours=hours)).isoformat()
        words = f"--data-dir data/week0/live alias {verb} codex --stdin --window {window} --captured-at {at}"
        status, _, err = tracker(words.split(), PANE.format(90, left, reset).encode(), folder, environment)
        assert status == 0, err
        if verb == "start":
            (folder / f"work-{window}.txt").write_text("one\ntwo\n")
            git(folder, "add", "--all")
            git(folder, "commit", "-q", "-m", f"work in {window}")
    (folder / "logs").mkdir()
    lines = [json.dumps({"ts": now.isoformat(), "latency_ms": 100} | event) for event in EVENTS]
    (folder / "logs" / "usage.jsonl").write_text("\n".join(lines) + "\n")
    program = folder / "bin" / "codex"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat <<'PANE'\n{PANE.format(80, 60, reset)}PANE\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def rows(folder: Path, stream: str) -> list[dict[str, Any]]:
    path = folder / "data" / "week0" / "live" / f"{stream}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def ledger(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "docs" / "Ledgers" / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.skipif(
    bool(os.environ.get("TRACKER_NESTED")), reason="pytest is running this already: no test starts it again"
)
def test_the_long_session_runs_as_written(tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    folder.mkdir()
    clone(folder)
    ours = ("TRACKER_", "AGENT_ID", "PYTHONPATH", "PYTEST_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    prepare(folder, environment)
    environment["PATH"] = f"{folder / 'bin'}:{Path(sys.executable).parent}:{environment['PATH']}"
    environment["TRACKER_NESTED"] = "1"
    if not os.environ.get(
        "TRACKER_SOAK"
    ):  # the suite as a whole is what runs this test: here a part of it stands for it
        environment["PYTEST_ADDOPTS"] = "core/tests/test_registry.py -n 0 -p no:cacheprovider"
        environment["TRACKER_PART"] = "lanes.feature"
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", SCRIPT],
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
        timeout=1200,
        check=False,
    )
    said = done.stdout
    assert done.returncode == 0, said[-3000:] + done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    for text in (
        " passed",
        "0 scenarios failed" if "0 scenarios failed" in said else "scenarios passed, 0 failed",
        "stored codex after snapshot for W0-20 (ready to finalize)",
        "removed codex after snapshot for W0-20 (captured_at=",
        "stored proxy telemetry for W0-CHN (events=4, new=4, duplicates=0, rejected=0, routed=50%)",
        "rid,baseline_tokens,glm_tokens,delta_glm_minus_base\nF-1,550,1000,450\n",
        "# totals baseline=560 glm=1025 glm_share=64.7%",
        "finalized W0-19 (codex: features=2, capacity=10 pp)",
        "Windows: W0-20\nAnomalies: 0 (see anomalies.jsonl)\n",
        "  - codex: features=n/a, capacity=n/a, efficiency=n/a, ci=n/a, n=0, power=n/a (open)\n",
    ):
        assert text in said, f"{text!r} is not in:\n{said}"
    snapshots = rows(folder, "snapshots")
    assert [row.get("phase") for row in snapshots] == ["before", "after", "before", "after", None]
    assert snapshots[3]["notes"] == "after-clean"
    assert snapshots[4]["tombstone"] == snapshots[3]["record_id"]
    [final] = rows(folder, "windows")
    assert final["features"] == {"claude": 0, "codex": 2, "glm": 0}
    assert final["notes"] == "session002 main lane"
    assert len(rows(folder, "proxy_telemetry")) == 4
    [churn] = [row for row in ledger(folder, "Churn_Ledger.csv") if row["window"] == "W0-19"]
    assert (churn["provider"], churn["methodology"]) == ("codex", "session002")
    [token] = ledger(folder, "Token_Churn_Ledger.csv")
    assert (token["task"], token["tokens_planned"], token["tokens_actual"]) == ("end_of_session", "200000", "168000")
    assert token["notes"] == "session002 close"
    assert "W0-20" in (folder / "docs" / "SESSION_HANDOFF.md").read_text()
