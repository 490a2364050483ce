"""Plugins that were built for an older contract keep working: frozen copies of ours, with recorded inputs.

The frozen copies come before the installed ones on the path, and hide them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from contract import contract

# fields that may hold more than in 1.0, each with its type of today
WIDENED = {
    "window: timedelta | None = None": "window: timedelta | Literal['month'] | None = None",
}
HERE = Path(__file__).parent
VERSIONS = ("1.0", "1.1")
KINDS = {
    "codex": "Status",
    "codex-ccusage": "Report",
    "claude": "Status",
    "claude-monitor": "Report",
    "glm": "Status",
    "proxy-telemetry": "Telemetry",
}


# commands and their standard input, run in one process: the plugins that it loads are the frozen ones
COMMANDS = """
import json, sys
from click.testing import CliRunner
from tracker.cli.main import main
done = [CliRunner().invoke(main, words.split(), input=stdin) for words, stdin in json.load(sys.stdin)]
print(json.dumps([(one.exit_code, one.stdout if one.exit_code == 0 else one.output) for one in done]))
"""


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def frozen(version: str) -> Path:
    return HERE / f"contract_{version.replace('.', '_')}"


@pytest.fixture(scope="module")
def environment(frozen: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID", "PYTEST_"))}
    # the pytest that is started loads no plugins that happen to be installed
    own = {"PYTHONPATH": str(frozen / "plugins.zip"), "TZ": "UTC", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return kept | own


@pytest.fixture(scope="module")
def checks(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], frozen: Path
) -> dict[str, dict[str, str]]:
    """What each conformance check says of each frozen source: nothing where it holds."""
    folder = tmp_path_factory.mktemp("contract")
    code = ["from pathlib import Path", "from tracker import testing", f"FROZEN = Path({str(frozen)!r})"]
    for name, kind in KINDS.items():
        code += [f"class Test{name.title().replace('-', '')}(testing.{kind}Conformance):", f"    source = {name!r}"]
        code += [f"    screens = FROZEN / 'screens' / {name!r}", f"    lines = FROZEN / 'lines' / '{name}.jsonl'"]
        code += ["    test_packs_what_its_demo_needs = None"]  # demos are not frozen
    (folder / "test_frozen.py").write_text("\n".join(code) + "\n")
    words = [
        "-q",
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
        "-p",
        "no:cacheprovider",
        "-p",
        "tracker_kit.pytest_plugin",
        "-p",
        "tracker_kit.verdict",
    ]
    words += ["--verdict", str(folder / "verdict.json"), str(folder / "test_frozen.py")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (folder / "verdict.json").exists(), done.stdout + done.stderr
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in json.loads((folder / "verdict.json").read_text()):
        found[row["source"]][row["check"]] = row["message"]
    return found


@pytest.mark.parametrize("source", KINDS)
def test_a_frozen_plugin_still_conforms(checks: dict[str, dict[str, str]], source: str) -> None:
    assert {check: message for check, message in checks[source].items() if message} == {}
    assert len(checks[source]) > 10


def test_it_is_the_frozen_code_that_runs(environment: dict[str, str], frozen: Path, tmp_path: Path) -> None:
    code = (
        "from tracker.hosting.registry import discover; found = discover()",
        "for name, source in found.sources.items():",
        "    if source.kind != 'view': print(name, source.contract, found.find(name).module.__file__)",
    )
    words = [sys.executable, "-W", "error", "-c", "\n".join(code)]
    lines = subprocess.check_output(words, env=environment, text=True, cwd=tmp_path).splitlines()
    for line in lines:
        name, contract, place = line.split(" ", 2)
        assert (contract in VERSIONS, Path(place).is_relative_to(frozen)) == (True, True), name
    assert {line.split()[0] for line in lines} == set(KINDS)


def test_a_frozen_plugin_works_in_the_real_program(environment: dict[str, str], frozen: Path, tmp_path: Path) -> None:
    commands = []
    for name in ("codex", "claude", "glm"):
        pane = sorted((frozen / "screens" / name).glob("*.txt"))[-1].read_text()
        commands += [(f"alias {verb} {name} --stdin --force", pane) for verb in ("start", "end")]
    lines = frozen / "lines" / "proxy-telemetry.jsonl"
    commands.append((f"ingest proxy-telemetry --window W0-01 --file {lines}", ""))
    report = (frozen / "screens" / "codex-ccusage" / "handmade-weekly.txt").read_text()
    commands += [("ingest codex-ccusage --window W0-01 --stdin", report), ("preview", "")]
    words = [sys.executable, "-W", "error", "-c", COMMANDS]
    printed = subprocess.check_output(words, input=json.dumps(commands), env=environment, text=True, cwd=tmp_path)
    results = [result for status, result in json.loads(printed) if status == 0]
    assert len(results) == len(commands), printed
    for at, name in enumerate(("codex", "claude", "glm")):
        assert f"stored {name} before snapshot for W0-01" in results[2 * at]
        assert f"stored {name} " in results[2 * at + 1]
    assert "stored proxy telemetry for W0-01 (events=" in results[6]
    shown = results[-1]
    assert "not shown" not in shown
    assert "\nccusage:\n  - weekly: percent_used=" in shown


def test_nothing_of_an_older_contract_is_gone(frozen: Path) -> None:
    """Hooks keep their arguments, values their fields and defaults; both only grow."""
    now = _parts(contract())
    for name, parts in _parts((frozen / "contract.txt").read_text()).items():
        assert {WIDENED.get(part, part) for part in parts} - now.get(name, set()) == set(), name


def _parts(text: str) -> dict[str, set[str]]:
    """The arguments and the result of each hook and function, the fields of each value."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in text.splitlines()[1:]:
        if line.startswith("    "):
            found[name].add(line.strip())
        elif signature := re.fullmatch(r"(\w+)\((.*)\)(?: -> (.*))?", line):
            name = signature[1]
            found[name] = {*re.split(r", (?=\w+:|\*)", signature[2]), f"-> {signature[3]}"}
        elif line:
            name = line.removesuffix(":")
            found[name] = set()
    return found
