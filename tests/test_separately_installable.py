"""Each plugin is its own distribution: beside the core's wheel alone it works and passes its tests."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from bare import ROOT, Bare, build_wheel, third_party

SOURCES = {
    "codex": ["codex", "codex-ccusage"],
    "claude": ["claude", "claude-monitor"],
    "glm": ["glm"],
    "proxy": ["proxy-telemetry"],
}


@pytest.fixture(scope="module")
def core_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT / "core", tmp_path_factory.mktemp("core"))


def bare(folder: Path, core_wheel: Path, *plugins: str) -> Bare:
    made = Bare(folder / "env")
    made.link(third_party(["tracker-core", *(f"tracker-{name}" for name in plugins)]))
    made.unpack(core_wheel)
    for name in plugins:
        made.unpack(build_wheel(ROOT / "plugins" / name, folder))
    return made


def listed(made: Bare) -> list[str]:
    done = made.run("-I", "-m", "tracker.cli", "--json", "plugins", "list")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert all(row["state"] == "ok" for row in rows), rows
    return [row["name"] for row in rows if row["distribution"] != "tracker-core"]


def test_core_alone_helps_and_lists_no_source(tmp_path: Path, core_wheel: Path) -> None:
    made = bare(tmp_path, core_wheel)
    assert listed(made) == []
    helped = made.run("-I", "-m", "tracker.cli", "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    preview = made.run("-I", "-m", "tracker.cli", "preview")
    assert (preview.returncode, preview.stdout.splitlines()[0]) == (0, "Windows: none")
    done = made.run("-I", "-m", "tracker.cli", "demo")
    assert (done.returncode, "no installed plugin declares a demo" in done.stderr) == (1, True)
    kit = made.run("-I", "-m", "tracker.cli", "plugins", "check", ".")
    assert kit.stderr == (
        "error: the conformance kit needs pytest, which is not installed here: pip install 'tracker-kit'\n"
    )


# The workspace runs each suite whole, and so does `.ci/matrix` against the wheels; here every fourth test shows that a
# suite needs nothing else. In full with TRACKER_SOAK=1.
SOME = "def pytest_collection_modifyitems(items):\n    items[:] = items[::4]\n"


@pytest.mark.parametrize("plugin", SOURCES)
def test_a_plugin_works_beside_the_core_alone(plugin: str, tmp_path: Path, core_wheel: Path) -> None:
    made = bare(tmp_path, core_wheel, plugin)
    assert listed(made) == SOURCES[plugin]
    demo = made.run("-I", "-m", "tracker.cli", "demo")
    assert demo.returncode == 0 or "cannot be finalized" in demo.stderr or "no provider was captured" in demo.stderr
    made.link({"pytest", "hypothesis"} | third_party(["pytest", "hypothesis"]))
    shutil.copytree(ROOT / "plugins" / plugin / "tests", tmp_path / "tests")
    if os.environ.get("TRACKER_SOAK") != "1":
        (tmp_path / "conftest.py").write_text(SOME)
    suite = ["-m", "pytest", "-q", "-x", "--import-mode=importlib", "-p", "no:cacheprovider", str(tmp_path / "tests")]
    tests = made.run(*suite, cwd=tmp_path, HYPOTHESIS_MAX_EXAMPLES="5")
    assert tests.returncode == 0, tests.stdout[-3000:] + tests.stderr[-1000:]
    assert " passed" in tests.stdout
