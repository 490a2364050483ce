"""Blocks of a document, run as a reader types them; `tracker` runs in this process, which is ten times faster."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# one call of tracker, perhaps in a lane, perhaps reading a file, perhaps allowed to fail; `uat` starts programs itself
CALL = re.compile(r"((?:[A-Z_]+=\S+ )*)tracker (?!uat )([^|;&<>$`()]*?)(?: < (\S+))?( \|\| true)?")
ANY_LINES = r"(?:.*\n)*?"
# each round is written out
LOOP = re.compile(r"^for (\w+) in (.*); do\n(.*?)^done$", re.M | re.S)
# what leaves nothing to the next line but files
ALONE = re.compile(r"(?:cp|echo|git|tail) [^<]*")


def blocks(text: str) -> list[tuple[str, str]]:
    """The `sh` blocks with what stands below each, if anything does."""
    return re.findall(r"```sh\n(.*?)```\n(?:\n```text\n(.*?)```)?", text, re.S)


def run(commands: str, environment: Mapping[str, str]) -> str:
    """What a block prints; a command that fails ends it."""
    flat = LOOP.sub(lambda loop: "".join(loop[3].replace(f"${loop[1]}", word) for word in loop[2].split()), commands)
    lines = flat.replace("\\\n", " ").strip().splitlines()
    calls = [CALL.fullmatch(line.strip()) for line in lines]
    if not all(call or ALONE.fullmatch(line) for line, call in zip(lines, calls, strict=True)):
        return _shell(commands, environment)
    return "".join(
        _call(line, call, environment) if call else _shell(line, environment)
        for line, call in zip(lines, calls, strict=True)
    )


def _call(line: str, found: re.Match[str], environment: Mapping[str, str]) -> str:
    from click.testing import CliRunner

    from tracker.cli.main import main

    own = dict(word.split("=", 1) for word in shlex.split(found[1]))
    given = dict.fromkeys(("AGENT_ID", "TRACKER_DATA_DIR")) | dict(environment) | own
    stdin = Path(found[3]).read_bytes() if found[3] else b""
    done = CliRunner().invoke(main, shlex.split(found[2]), input=stdin, env=given)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 0 or found[4], f"{line}\n{done.output}"
    return done.output


def _shell(commands: str, environment: Mapping[str, str]) -> str:
    program = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", commands],
        env={**environment, "PATH": f"{program}{os.pathsep}{environment['PATH']}"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}"
    assert "Traceback" not in done.stdout
    return done.stdout


def is_as_shown(shown: str, printed: str) -> bool:
    """Whether a page shows what is printed; `...` stands for some text of a line, alone for some lines."""
    lines = (ANY_LINES if line == "..." else _line(line) for line in shown.splitlines())
    return re.fullmatch("".join(lines), printed) is not None


def _line(shown: str) -> str:
    return ".*".join(map(re.escape, shown.split("..."))) + "\n"
