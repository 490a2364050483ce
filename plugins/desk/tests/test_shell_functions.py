"""The operator's short functions in the real shells: what they run, and what they leave alone."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ALIASES = Path(__file__).parents[3] / "scripts" / "tracker-aliases.sh"
DOCUMENT = Path(__file__).parents[3] / "docs" / "how-to" / "short-commands.md"
PANES = Path(__file__).parents[3] / "plugins" / "codex" / "src" / "tracker_codex" / "demo"
PROGRAM = Path(sys.executable).with_name("tracker")
SHELLS = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}
SPEC = {
    "os": "alias start codex --stdin",
    "oe": "alias end codex --stdin",
    "ox": "alias cross codex --stdin",
    "od": "alias delete codex",
    "od1": "alias delete codex --phase after --index 1",
    "od2": "alias delete codex --phase after --index 2",
    "as": "alias start claude --stdin",
    "ae": "alias end claude --stdin",
    "ax": "alias cross claude --stdin",
    "ad": "alias delete claude",
    "zs": "alias start glm --stdin",
    "ze": "alias end glm --stdin",
    "zx": "alias cross glm --stdin",
    "zd": "alias delete glm",
    "occ": "ingest codex-ccusage --stdin",
    "acc": "ingest claude-ccusage --stdin",
    "acm": "ingest claude-monitor --stdin",
}
RECORDER = """\
#!/bin/sh
for word in "$@"; do printf '<%s>' "$word"; done
printf '\\n'
if [ -n "$READS" ]; then cat; fi
exit ${STATUS:-0}
"""
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """An active environment, and nothing of the caller's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID", "XDG_"))}
    path = os.pathsep.join([str(PROGRAM.parent), kept.get("PATH", "")])
    return kept | {"PATH": path, "HOME": str(folder), "TZ": "UTC", "TRACKER_DATA_DIR": str(folder / "data")} | more


def run_in(shell: str, script: str, folder: Path, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    file = folder / f"script.{shell}"
    file.write_text(script)
    return subprocess.run(
        [program, *SHELLS[shell], str(file)],
        input=stdin,
        cwd=folder,
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def definitions(shell: str, *arguments: str, **more: str) -> str:
    """What `tracker shell-init` prints."""
    known = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID"))}
    done = subprocess.run(
        [PROGRAM, *arguments, "shell-init", shell],
        env=known | more,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module", params=list(SHELLS))
def made(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A shell and the functions for it, in lane sub1."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param, definitions(request.param, "--agent=sub1")


@pytest.fixture
def recorded(made: tuple[str, str], tmp_path: Path) -> Run:
    """Runs a script after the functions, which run a recorder of their arguments instead of the program."""
    shell, functions = made
    recorder = tmp_path / "recorder"
    recorder.write_text(RECORDER)
    recorder.chmod(0o755)
    assert f"'{PROGRAM}'" in functions
    functions = functions.replace(f"'{PROGRAM}'", f"'{recorder}'")
    return lambda script, **more: run_in(shell, f"{functions}\n{script}\n", tmp_path, **more)


def words(text: str) -> str:
    return "".join(f"<{word}>" for word in ["--agent=sub1", *shlex.split(text)])


def test_every_function_runs_its_command(recorded: Run) -> None:
    done = recorded("\n".join(SPEC))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [words(command) for command in SPEC.values()]


def test_arguments_arrive_as_they_were_given(recorded: Run) -> None:
    done = recorded("""oe --notes "a  b 'c' * \\$HOME" '' 'x"y'""")
    assert done.stdout == words("alias end codex --stdin --notes") + """<a  b 'c' * $HOME><><x"y>\n"""
    done = recorded("od1 --reason 'two\nlines'")
    assert done.stdout == words("alias delete codex --phase after --index 1 --reason") + "<two\nlines>\n"


@pytest.mark.parametrize("option", ["--file=p.txt", "--file p.txt", "--auto"])
def test_standard_input_is_not_read_beside_a_file(recorded: Run, option: str) -> None:
    assert (
        recorded(f"occ --window W0-20 {option}").stdout == words(f"ingest codex-ccusage --window W0-20 {option}") + "\n"
    )


def test_what_is_piped_passes_through(recorded: Run) -> None:
    done = recorded("printf 'one\\ntwo\\n' | oe --notes x | cat", READS="1")
    assert done.stdout == words("alias end codex --stdin --notes x") + "\none\ntwo\n"
    done = recorded("echo 'from a file' > given; occ --window W0-20 --scope weekly < given", READS="1")
    assert done.stdout == words("ingest codex-ccusage --stdin --window W0-20 --scope weekly") + "\nfrom a file\n"


@pytest.mark.parametrize("given", ["p.txt", "no-such.txt", "p.txt --notes x", "--notes x p.txt", "--force 'p q.txt'"])
def test_a_file_that_is_an_argument_is_the_text(recorded: Run, tmp_path: Path, given: str) -> None:
    for name in ("p.txt", "p q.txt"):
        (tmp_path / name).touch()
    done = recorded(f"as {given}")
    assert (done.stdout, done.stderr) == (words(f"alias start claude {given}") + "\n", "")


@pytest.mark.parametrize("name", ["oe", "oe x", "oe --file x", "od", "od1"])
def test_the_exit_status_is_the_programs(recorded: Run, name: str) -> None:
    assert recorded(name, STATUS="75").returncode == 75
    assert recorded(f"{name} || echo failed", STATUS="75").stdout.endswith("failed\n")


def test_a_lane_and_a_directory_are_quoted(tmp_path: Path) -> None:
    folder = tmp_path / "it's; $(touch pwned) \\"
    for shell in SHELLS:
        text = definitions(shell, f"--data-dir={folder}", AGENT_ID="sub1").replace(f"'{PROGRAM}'", "echo")
        done = run_in(shell, f"{text}\nod", tmp_path)
        assert done.stdout == f"--agent=sub1 --data-dir={folder} alias delete codex\n"
        assert not (tmp_path / "pwned").exists()


# --- the sourced script, with the program itself


def source(script: str) -> str:
    return script.replace("SOURCE", f"source {shlex.quote(str(ALIASES))}")


def snapshots(folder: Path) -> list[dict[str, Any]]:
    path = folder / "data" / "snapshots.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_sourcing_carries_the_lane_that_is_not_exported(shell: str, tmp_path: Path) -> None:
    script = source(
        f"""
        PANE={shlex.quote(str(PANES / "status_before.txt"))}
        AT="--captured-at=2026-11-22T06:28:16Z --timezone=UTC"
        [ -z "$ZSH_VERSION" ] || setopt shwordsplit
        AGENT_ID=main;  SOURCE
        cat "$PANE" | os --notes "a 'b'" $AT
        AGENT_ID=sub1
        SOURCE
        AGENT_ID=other
        os --file "$PANE" $AT
        unset AGENT_ID
        SOURCE
        os $AT < "$PANE"
        oe --file /nowhere
        echo "status $?"
        """
    )
    done = run_in(shell, script, tmp_path)
    assert [(one["agent_id"], one["notes"]) for one in snapshots(tmp_path)] == [
        ("main", "a 'b'; AGENT_ID=main"),
        ("sub1", "AGENT_ID=sub1"),
        (None, None),
    ]
    assert done.stdout.endswith("\nstatus 1\n")
    notes, error = done.stderr.splitlines()[:-1], done.stderr.splitlines()[-1]
    assert error == "error: Cannot read /nowhere: No such file or directory. Nothing was stored."
    notes = [note for note in notes if not note.startswith("  ")]
    assert all(note.startswith("note: Other lanes captured codex in W0-01") for note in notes)


def test_fish_carries_the_lane_too(tmp_path: Path) -> None:
    pane, at = shlex.quote(str(PANES / "status_before.txt")), "--captured-at=2026-11-22T06:28:16Z --timezone=UTC"
    script = (
        f"tracker --agent=sub1 shell-init fish | source\ncat {pane} | os --notes \"a 'b'\" {at}\nos --file {pane} {at}"
    )
    done = run_in("fish", script, tmp_path)
    assert done.returncode == 0, done.stderr
    notes = [line for line in done.stderr.splitlines() if not line.startswith("  ")]
    assert [note.partition(" of ")[0] for note in notes] == ["note: this replaces the BEFORE"]
    assert [one["agent_id"] for one in snapshots(tmp_path)] == ["sub1", "sub1"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_pane_in_a_file_is_stored(shell: str, tmp_path: Path) -> None:
    pane, at = shlex.quote(str(PANES / "status_before.txt")), "--captured-at=2026-11-22T06:28:16Z --timezone=UTC"
    load = "tracker shell-init fish | source" if shell == "fish" else f'eval "$(tracker shell-init {shell})"'
    done = run_in(shell, f"{load}\nos {pane} {at}\nos {at} --force {pane}\nos no-such.txt {at}", tmp_path)
    assert len(snapshots(tmp_path)) == 2
    missing = "error: Cannot read no-such.txt: No such file or directory. Nothing was stored."
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, missing)


BASH_STATE = 'set +o; shopt -p; trap; printf "%q\\n" "$IFS"; compgen -v | grep -v -e ^BASH -e ^PIPESTATUS -e ^_$'
ZSH_STATE = "setopt; trap; printf '%q\\n' \"$IFS\"; typeset +m '*' | grep -v -e ' _$'"


@pytest.mark.parametrize(("shell", "state"), [("bash", BASH_STATE), ("zsh", ZSH_STATE)], ids=["bash", "zsh"])
def test_sourcing_changes_nothing_of_the_shell(shell: str, state: str, tmp_path: Path) -> None:
    options = {"zsh": "setopt ksh_arrays sh_word_split extended_glob", "bash": "set -o pipefail; shopt -s nullglob"}
    script = source(
        f"""
        {options[shell]}
        trap 'echo left' EXIT
        trap 'echo wrong' ERR
        IFS=,; word=mine; AGENT_ID=sub1
        state() {{ {state}; }}
        set -eu
        before=before; after=after
        before=$(state)
        SOURCE
        after=$(state)
        [ "$before" = "$after" ] || {{ printf '%s\\n' "$before" > before; printf '%s\\n' "$after" > after; }}
        od --reason x --no-such-option 2>/dev/null || echo "status $?, $word"
        """
    )
    done = run_in(shell, script, tmp_path)
    if (tmp_path / "before").exists():
        assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()
    assert (done.stdout, done.stderr) == ("status 2, mine\nleft\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_failing_function_ends_a_script_that_asked_for_it(shell: str, tmp_path: Path) -> None:
    done = run_in(shell, source("set -e\nSOURCE\noe --file /nowhere\necho not reached"), tmp_path)
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_an_alias_of_the_users_stays(shell: str, tmp_path: Path) -> None:
    script = source("SETUP\nalias od='echo mine'\nalias local='echo broken'\nSOURCE\neval 'od x'\n\\oe --file /nowhere")
    script = script.replace("SETUP", "shopt -s expand_aliases" if shell == "bash" else "")
    done = run_in(shell, script, tmp_path)
    assert done.stdout == "mine x\n"
    assert done.stderr.startswith("error: Cannot read /nowhere")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_what_cannot_be_sourced_is_said_in_one_line(shell: str, tmp_path: Path) -> None:
    done = run_in(shell, source("AGENT_ID='a b'; SOURCE || echo \"status $?\"; echo on"), tmp_path)
    assert done.stdout == "status 1\non\n"
    assert done.stderr.startswith("error: Invalid AGENT_ID 'a b'")
    system = os.pathsep.join(part for part in ("/usr/bin", "/bin") if not Path(part, "tracker").exists())
    done = run_in(shell, source('SOURCE || echo "status $?"'), tmp_path, PATH=system)
    assert done.stdout == "status 1\n"
    assert done.stderr == ("error: there is no tracker on the PATH; activate its environment, then source this again\n")


def test_the_document_names_functions_that_there_are() -> None:
    """docs/how-to/short-commands.md: each name of its table runs what stands beside it."""
    rows = [line.split("|")[1:3] for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    named = [(name, runs) for names, runs in rows for name in re.findall(r"`(\w+)`", names)]
    assert {name for name, _ in named} == SPEC.keys()
    for name, runs in named:
        [verb] = re.findall(r"tracker (start|end|cross|alias delete|ingest)", runs)
        # `alias start` and `start` are one command
        assert SPEC[name].removeprefix("alias ").startswith(verb.removeprefix("alias "))
