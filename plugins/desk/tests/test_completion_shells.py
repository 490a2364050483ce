"""The completion in the real shells: what a person gets who presses the tab key."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("tracker")
PANE = Path(__file__).parents[3] / "plugins" / "codex" / "src" / "tracker_codex" / "demo" / "status_before.txt"
PATIENCE = 60  # seconds until a shell that says nothing is given up


def needed(shell: str) -> str:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    return program


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An active environment whose data directory holds W0-20."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID", "XDG_"))}
    path = os.pathsep.join([str(PROGRAM.parent), kept.get("PATH", "")])
    active = kept | {"PATH": path, "HOME": str(tmp_path), "TRACKER_DATA_DIR": str(tmp_path / "data"), "TERM": "dumb"}
    command = [PROGRAM, "alias", "start", "codex", "--window", "W0-20", "--force", "--file", PANE]
    subprocess.run(command, env=active, cwd=tmp_path, capture_output=True, timeout=120, check=True)
    return active


BASH = """
eval "$(tracker completion bash)"
complete -p tracker
ask() {
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=(old)
  _tracker_completion tracker "${@: -1}"
  echo "${COMPREPLY[*]}"
}
set -u
ask tracker alias ''
ask tracker start ''
ask tracker ingest codex
ask tracker preview --window = W0
ask tracker preview --window 'W0-2*'
ask tracker complete --codex
ask tracker nonsense ''
set | grep -e ^kind= -e ^value= -e ^completion= -e ^response=
"""


def test_bash(environment: dict[str, str], tmp_path: Path) -> None:
    command = [needed("bash"), "--norc", "--noprofile", "-c", BASH]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "complete -o nosort -F _tracker_completion tracker",
        "cross end start delete",
        "claude codex glm",
        "codex codex-ccusage codex-sessions",
        "W0-20",
        "",
        "--codex-features",
        "",
    ]


def test_scripts_of_earlier_versions_still_complete(environment: dict[str, str], tmp_path: Path) -> None:
    asked = environment | {"_TRACKER_COMPLETE": "bash_complete", "COMP_WORDS": "tracker win", "COMP_CWORD": "1"}
    done = subprocess.run([PROGRAM], env=asked, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    assert (done.stdout.split(), done.stderr) == (["plain,windows", "plain,window-audit"], "")


def fish_offers(line: str, environment: dict[str, str], folder: Path) -> list[str]:
    script = f"tracker completion fish | source; complete -C {line!r}"
    command = [needed("fish"), "--no-config", "-c", script]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_fish(environment: dict[str, str], tmp_path: Path) -> None:
    about = "Show every record of a window, including what was taken back."
    assert f"window-audit\t{about}" in fish_offers("tracker window", environment, tmp_path)
    assert fish_offers("tracker start ", environment, tmp_path) == ["claude\tClaude", "codex\tCodex", "glm\tGLM"]
    assert fish_offers("tracker preview --window ", environment, tmp_path) == ["W0-20"]
    assert fish_offers("tracker preview --window=W", environment, tmp_path) == ["--window=W0-20"]
    (tmp_path / "pane.txt").touch()
    assert fish_offers("tracker ingest codex --file pa", environment, tmp_path) == ["pane.txt"]


class Terminal:
    """An interactive zsh on a pseudo-terminal."""

    def __init__(self, program: str, environment: dict[str, str], folder: Path) -> None:
        import pty

        self.mine, theirs = pty.openpty()
        self.shell = subprocess.Popen(
            [program, "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=folder
        )
        os.close(theirs)

    def type(self, keys: str, until: str) -> str:
        """What is shown from these keys on, up to the text that is waited for."""
        os.write(self.mine, keys.encode())
        seen, end = "", time.monotonic() + PATIENCE
        while until not in seen and time.monotonic() < end:
            if select.select([self.mine], [], [], 1)[0]:
                seen += os.read(self.mine, 65536).decode(errors="replace")
        assert until in seen, seen
        return seen

    def close(self) -> None:
        self.shell.kill()
        self.shell.wait()
        os.close(self.mine)


@pytest.fixture
def zsh(environment: dict[str, str], tmp_path: Path) -> Iterator[Terminal]:
    if sys.platform == "win32":
        pytest.skip("there is no pseudo-terminal")
    with contextlib.closing(Terminal(needed("zsh"), environment | {"COLUMNS": "200"}, tmp_path)) as terminal:
        terminal.type("PS1='%%' RPS1= ; stty -echo; unsetopt prompt_cr zle_bracketed_paste\n", "%")
        terminal.type(
            "autoload -U compinit; compinit -D -u; eval \"$(tracker completion zsh)\"; echo rea''dy\n", "ready"
        )
        yield terminal


def test_zsh(zsh: Terminal, tmp_path: Path) -> None:
    (tmp_path / "pane.txt").touch()
    zsh.type("tracker start codex ./pa\t", "./pane.txt ")
    zsh.type("\x15", "")
    zsh.type("tracker previ\t", "preview ")
    zsh.type("--win\t", "--window ")
    zsh.type("\t", "W0-20 ")
    zsh.type("\x15tracker preview --window=W\t", "--window=W0-20 ")
    zsh.type("\x15tracker start c\t\t", "codex")
    zsh.type("\x15tracker nonsense \tx; echo li''ne\n", "line")


def test_zsh_without_its_completion_system_is_left_alone(environment: dict[str, str], tmp_path: Path) -> None:
    script = 'eval "$(tracker completion zsh)"; echo "status $?"'
    command = [needed("zsh"), "-f", "-c", script]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.stderr) == ("status 0\n", "")
