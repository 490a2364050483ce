"""What tracker starts gets no vendor's key, and a hostile repository runs nothing: over every command that asks git."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import inprocess
import warm

PANES = Path(__file__).parents[1] / "docs" / "samples" / "panes"
KEYS = {"TRACKER_GLM_KEY": "key-of-glm", "MY_KEY": "key-of-mine"}
COMMANDS = (
    f"start codex {PANES / 'codex-80-left.txt'} --window W1",
    f"end codex {PANES / 'codex-60-left.txt'} --window W1",
    "complete --window W1 --codex-features 1 --outcome pass",
    "churn --window W1",
    "windows propose",
    "uat --window W1",
    "handoff",
    "checkpoint --window W1 --provider codex --task t --plan 1 --actual 1",
    "ingest codex-ccusage --run --window W1",
    "capture codex --window W2 --phase before",
    "capture --sample --all",
    "status",
    "setup --yes",
    "setup --undo",
    "doctor",
)
PROGRAMS = ("git", "codex", "claude", "ccusage", "claude-monitor", "crontab", "npx", "pytest", "behave")
SETTINGS = """
[core]
\tfsmonitor = {0}
\thooksPath = {1}
\tpager = {0}
\tsshCommand = {0}
\taskPass = {0}
[diff]
\texternal = {0}
[diff "x"]
\ttextconv = {0}
[filter "x"]
\tclean = {0}
\tsmudge = {0}
[credential]
\thelper = !{0}
[remote "origin"]
\turl = ext::{0}
\tpromisor = true
"""


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def hostile_project(folder: Path, ran: Path) -> Path:
    """A repository with a commit, whose settings, hooks and attributes run a program."""
    project = folder / "project"
    project.mkdir()
    author = ["-c", "user.name=dev", "-c", "user.email=dev@example.com"]
    (project / "a.txt").write_text("a\n")
    (project / "tracker.toml").write_text('key_variables = ["glm=MY_KEY"]\n')
    for words in (["init", "-q"], ["add", "a.txt"], [*author, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", *words], cwd=project, check=True)
    hooks = folder / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "reference-transaction", "post-checkout"):
        script(hooks / name, f"echo hook >> {ran}")
    program = script(folder / "run-me", f'echo "$0 $*" >> {ran}')
    with (project / ".git" / "config").open("a") as config:
        config.write(SETTINGS.format(program, hooks))
    (project / ".git" / "info" / "attributes").write_text("* diff=x filter=x\n")
    return project


def test_no_key_is_handed_on_and_no_setting_of_a_repository_is_run(tmp_path: Path) -> None:
    ran, seen, real = tmp_path / "ran", tmp_path / "seen", shutil.which("git")
    project = hostile_project(tmp_path, ran)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS:
        rest = f'exec {real} "$@"' if name == "git" else "exit 1"
        script(programs / name, f'echo "{name} $*: $(env | grep -c key-of-)" >> {seen}\n{rest}')
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("TRACKER_", "AGENT_ID", "GIT_"))}
    environment = (
        kept
        | KEYS
        | {
            "HOME": str(tmp_path),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "PATH": f"{programs}:{kept['PATH']}",
        }
    )
    for words in ("config trust", *COMMANDS):
        run = warm.tracker if words.startswith("uat") else inprocess.tracker  # it needs real standard streams
        status, out, err = run(words.split(), b"", project, environment)
        assert status in (0, 1), (words, err)
        assert b"needs your consent" not in err
        assert b"Traceback" not in out + err
    started = seen.read_text().splitlines()
    assert {line.partition(" ")[0] for line in started} >= {"git", "crontab", "ccusage", "pytest"}
    assert [line for line in started if not line.endswith(": 0")] == []
    assert not ran.exists(), ran.read_text()
