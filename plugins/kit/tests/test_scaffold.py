"""`tracker plugins new`: what it writes builds, installs beside the core alone and passes its own tests at once."""

from __future__ import annotations

import ensurepip
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from bare import Bare, build_wheels, third_party

Run = Callable[..., "subprocess.CompletedProcess[str]"]
KINDS = ("status", "report", "telemetry", "view", "feature")
RULES = "E,F,W,I,UP,B,SIM,RUF,RET,PT,C4,PIE,BLE"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path]) -> Bare:
    """An environment with the core, the kit, what they need and nothing else."""
    made = Bare(tmp_path_factory.mktemp("bare") / "env")
    made.link({"pytest", "hypothesis"} | third_party(["tracker-kit", "pytest", "hypothesis"]))
    for project in ("core", "plugins/kit"):
        made.unpack(wheels[project])
    return made


def test_the_commands_of_its_readme_work_as_printed(tracker_cli: Run, tmp_path: Path) -> None:
    """Without any index: what tracker is installed from is named, and the other requirements are at hand."""
    assert tracker_cli("plugins", "new", "acme").returncode == 0
    root = tmp_path / "tracker-acme"
    [commands] = re.findall(r"```sh\n(.*?)```", (root / "README.md").read_text(), re.S)
    others = Bare(tmp_path / "others")
    others.link(
        {"pytest", "hypothesis", "hatchling"} | third_party(["tracker-kit", "pytest", "hypothesis", "hatchling"])
    )
    ours = ("PYTHON", "TRACKER_", "PYTEST_", "PIP_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    # pip turns this one's meaning around: false leaves the isolation out
    environment |= {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "false", "PYTHONPATH": str(others.site)}
    environment |= {"PIP_NO_COMPILE": "1"}  # Python compiles what is imported, which is a part
    bundled = [*Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl")]
    if bundled and os.environ.get("TRACKER_SOAK") != "1":
        # pip is used from where venv would install it from, which takes seconds
        environment["PYTHONPATH"] += f"{os.pathsep}{bundled[0]}"
        assert "-m venv .venv" in commands
        commands = commands.replace("-m venv .venv", "-m venv --without-pip .venv")
    words = ["bash", "-e", "-o", "pipefail", "-c", commands]
    done = subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert re.search(r"^=+ \d+ passed in ", done.stdout, re.M)
    assert "\nacme: sound (" in done.stdout


def test_new_plugins_pass_their_tests_at_once(bare: Bare, tmp_path: Path) -> None:
    tracker = ("-I", "-m", "tracker.cli")
    kinds = KINDS[1:]
    roots = [tmp_path / f"tracker-my-{kind}" for kind in kinds]
    for kind, root in zip(kinds, roots, strict=True):
        written = bare.run(*tracker, "plugins", "new", f"my-{kind}", "--kind", kind, "--into", str(tmp_path))
        assert written.returncode == 0, written.stderr
        assert written.stdout.splitlines() == [str(path) for path in sorted(root.rglob("*")) if path.is_file()]
    for wheel in build_wheels(roots, tmp_path):
        bare.unpack(wheel)
    suites = bare.run("-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, roots), cwd=tmp_path)
    assert suites.returncode == 0, suites.stdout[-3000:]
    listed = json.loads(bare.run(*tracker, "--json", "plugins", "list").stdout)
    rows = [row for row in listed if row["distribution"].startswith("tracker-my-")]
    assert sorted((row["name"], row["kind"], row["state"]) for row in rows) == sorted(
        (f"my-{kind}", kind, "ok") for kind in kinds
    )
    [view] = [root for root in roots if root.name.endswith("view")]  # the checks of other kinds have their own tests
    checked = bare.run(*tracker, "plugins", "check", str(view))
    assert checked.stdout.startswith("my-view: sound ("), checked.stdout + checked.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_has_all_that_a_distribution_needs(kind: str, tracker_cli: Run, tmp_path: Path) -> None:
    assert tracker_cli("plugins", "new", "two-words", "--kind", kind).returncode == 0
    root = tmp_path / "tracker-two-words"
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    wanted = {"pyproject.toml", "README.md", "LICENSE", ".gitignore", ".github/workflows/tests.yml"}
    wanted |= {"src/tracker_two_words/__init__.py", "src/tracker_two_words/py.typed", "tests/test_two_words.py"}
    assert tomllib.loads((root / "pyproject.toml").read_text())["project"]["name"] == "tracker-two-words"
    assert wanted <= found
    texts = {path: (root / path).read_text() for path in found}
    assert [path for path, text in texts.items() if "{{" in text.replace("${{", "")] == []
    # with the project's own settings, by ruff's own rules and by ours
    for words in (["check"], ["check", f"--select={RULES}"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *words, "--no-cache", "."]
        done = subprocess.run(ruff, check=False, capture_output=True, text=True, cwd=root)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("while True: pass", "did not finish within 1 s, at tracker_acme, line 6"),
        ("x = = 1", "SyntaxError: invalid syntax (__init__.py, line 6)"),
    ],
)
def test_an_import_that_does_not_end_is_told_though_the_tests_import_the_plugin(
    line: str, message: str, tracker_cli: Run, tmp_path: Path
) -> None:
    """Pytest imports the plugin's tests outside of every guard, and was waited for without a word."""
    assert tracker_cli("plugins", "new", "acme").returncode == 0
    root = tmp_path / "tracker-acme"
    assert "\nimport tracker_acme" in (root / "tests" / "test_acme.py").read_text()
    code = root / "src" / "tracker_acme" / "__init__.py"
    code.write_text(code.read_text().replace("\nimport re\n", f"\nimport re\n{line}\n"))
    done = tracker_cli("plugins", "check", str(root), TRACKER_PLUGIN_SECONDS="1", PYTEST_ADDOPTS="")
    assert f"  - plugin 'acme' failed to be imported: {message} (docs" in done.stdout, done.stderr


def test_checks_that_wait_are_told_and_stopped(
    tracker_inside: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What sleeps takes no processor time, so that no guard ends it."""
    monkeypatch.setattr("tracker_kit.plugin_check.PATIENCE", 0.1)
    monkeypatch.setattr("tracker_kit.plugin_check.SECONDS", 2)
    assert tracker_inside("plugins", "new", "acme").returncode == 0
    code = tmp_path / "tracker-acme" / "src" / "tracker_acme" / "__init__.py"
    code.write_text(code.read_text().replace("\nimport re\n", "\nimport re\nimport time\ntime.sleep(99)\n"))
    said = tracker_inside("plugins", "check", "tracker-acme").stderr
    assert "note: acme: still checking after 0.1 s. Checks that do not end are stopped after 2 s\n" in said
    assert said.endswith("error: acme: the checks did not finish within 2 s.\n")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("My Tool", "Invalid name 'My Tool'. Expected lower-case letters and digits"),
        ("a--b", "Invalid name 'a--b'."),
        ("1up", "Invalid name '1up'."),
        ("../up", "Invalid name '../up'."),
        ("tracker-acme", "Invalid name 'tracker-acme'. tracker adds the prefix itself: type acme."),
        ("core", "The name 'core' is reserved for the core. Choose another, such as core-usage."),
        ("windows", "The name 'windows' is reserved for the core"),
        ("churn", "The name 'churn' is reserved for the core"),
        *((name, f"The name {name!r} is reserved for the core") for name in ("preview", "window-finalize")),
        ("codex", "The name 'codex' is taken by tracker-codex."),
        ("proxy", "The name 'proxy' is taken by tracker-proxy."),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, message: str, tracker_cli: Run, tmp_path: Path) -> None:
    done = tracker_cli("plugins", "new", name)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_kernels_commands_are_reserved() -> None:
    """A feature is called like its command, which would be refused."""
    from tracker.hosting.discovery import ALSO, OWN_COMMANDS
    from tracker_kit import scaffold

    assert {*OWN_COMMANDS, *ALSO} == scaffold.KERNELS


def test_nothing_is_overwritten_and_a_dry_run_writes_nothing(tracker_cli: Run, tmp_path: Path) -> None:
    dry = tracker_cli("plugins", "new", "acme", "--dry-run")
    assert "tracker-acme/pyproject.toml" in dry.stdout
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "tracker-acme").mkdir()
    done = tracker_cli("plugins", "new", "acme")
    assert "tracker-acme exists. Remove it, or choose another folder with --into. Nothing was written." in done.stderr
    assert list((tmp_path / "tracker-acme").iterdir()) == []


def test_its_readme_installs_tracker_from_where_it_came_from(tracker_cli: Run, tmp_path: Path) -> None:
    """No index may have it: the folders that it was installed from are named."""
    assert "run the commands in its README.md" in tracker_cli("plugins", "new", "acme").stderr
    readme = (tmp_path / "tracker-acme" / "README.md").read_text()
    core, kit = re.search(r'pip install "(.+)" "(.+)\[testing\]" -e \.\n', readme).groups()  # type: ignore[union-attr]
    assert (Path(core) / "pyproject.toml").read_text().count('name = "tracker-core"') == 1
    assert (Path(kit) / "pyproject.toml").read_text().count('name = "tracker-kit"') == 1
