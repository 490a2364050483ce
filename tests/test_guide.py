"""The guide is true: its blocks run in order in an empty repository, and print what stands below them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "guide.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```\n(?:\n```text\n(.*?)```)?", GUIDE, re.S)
CODEX = ">_ OpenAI Codex (v0.169.0)\n\n  5h limit:      90% left{}\n  Weekly limit:  {}% left\n"
CLAUDE = "Settings  Status   Config   Usage   Stats\n\n  Current session\n  3% used\n\n  Current week\n  {}% used\n"
WEEKLY = {
    "view": "weekly",
    "resetAt": "2025-10-25T21:11:00Z",
    "currentWeek": {"startDate": "2025-10-18", "percentUsed": 9.2, "tokensUsed": 987654321},
}
EVENTS = [
    ("F-1", "zai", "glm-4.6", 200, 900, 100),
    ("F-1", "base", "claude-sonnet-4-5", 200, 500, 50),
    ("F-2", "base", "claude-sonnet-4-5", 500, 10, 0),
    ("F-3", "zai", "glm-4.6", 200, 20, 5),
]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    panes = tmp_path / "panes"
    panes.mkdir()
    for left in (80, 70, 62, 60):
        (panes / f"codex-{left}-left.txt").write_text(CODEX.format("", left))
    (panes / "codex-resets-noon.txt").write_text(CODEX.format(" (resets 12:00)", 60))
    for used in (40, 52):
        (panes / f"claude-{used}-used.txt").write_text(CLAUDE.format(used))
    for count in (12, 30):
        (panes / f"glm-{count}.json").write_text(json.dumps({"blocks": [{"window_id": "w", "prompts_used": count}]}))
    (panes / "ccusage-weekly.json").write_text(json.dumps(WEEKLY))
    names = ("rid", "lane", "model", "status", "input_tokens", "output_tokens")
    (tmp_path / "logs").mkdir()
    lines = [json.dumps(dict(zip(names, event, strict=True)) | {"ts": "2026-01-10T08:00:00Z"}) for event in EVENTS]
    (tmp_path / "logs" / "usage.jsonl").write_text("\n".join(lines) + "\n")
    for command in (
        ["init", "-q", "-b", "main"],
        ["config", "user.email", "dev@example.com"],
        ["config", "user.name", "dev"],
        ["commit", "-q", "--allow-empty", "-m", "begin"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def test_every_block_of_the_guide_prints_what_stands_below_it(repository: Path) -> None:
    ours = ("TRACKER_", "AGENT_ID", "GIT_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{environment['PATH']}", "TZ": "UTC"}
    assert len(BLOCKS) >= 14
    for commands, expected in BLOCKS:
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", commands],
            cwd=repository,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}"
        assert "Traceback" not in done.stdout
        at = 0
        for line in expected.splitlines():
            found = done.stdout.find(line, at)
            assert found >= 0, f"{line!r} is not printed, in this order, by\n{commands}\nbut:\n{done.stdout}"
            at = found + len(line)
