"""The guide is true: its blocks run in order in an empty repository, and print what stands below them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "guide.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```\n(?:\n```text\n(.*?)```)?", GUIDE, re.S)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty repository of somebody whom git knows."""
    for command in (
        ["init", "-q", "-b", "main"],
        ["config", "user.email", "dev@example.com"],
        ["config", "user.name", "dev"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def test_every_block_of_the_guide_prints_what_stands_below_it(repository: Path) -> None:
    ours = ("TRACKER_", "AGENT_ID", "GIT_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{environment['PATH']}", "TZ": "UTC", "CHECKOUT": str(ROOT)}
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
