"""Each provider is its own distribution: its suite passes beside the wheels of the core and the kit alone."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from bare import ROOT, Bare, third_party

SOURCES = {
    "codex": ["codex", "codex-ccusage", "codex-sessions"],
    "claude": ["claude", "claude-ccusage", "claude-monitor", "claude-sessions"],
    "glm": ["glm"],
    "proxy": ["proxy-telemetry"],
}


def bare(folder: Path, wheels: dict[str, Path], *plugins: str) -> Bare:
    made = Bare(folder / "env")
    made.link(third_party(["tracker-core", *(f"tracker-{name}" for name in plugins)]))
    for project in ("core", *(f"plugins/{name}" for name in plugins)):
        made.unpack(wheels[project])
    return made


def listed(made: Bare) -> list[str]:
    done = made.run("-I", "-m", "tracker.cli", "--json", "plugins", "list")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert all(row["state"] == "ok" for row in rows), rows
    return [row["name"] for row in rows if row["distribution"] != "tracker-core"]


def test_core_alone_helps_and_lists_no_source(tmp_path: Path, wheels: dict[str, Path]) -> None:
    made = bare(tmp_path, wheels)
    missing = made.run("-I", "-m", "tracker.cli", "plugins", "list")
    assert missing.stderr.splitlines()[-1] == (
        "error: The command plugins is not available."
        " Install tracker-kit: `pip install ./plugins/kit` in a checkout of tracker."
    )
    helped = made.run("-I", "-m", "tracker.cli", "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    commands = re.findall(r"^  ([a-z]\w+)  ", helped.stdout, re.M)
    own = ["start", "end", "cross", "complete", "preview", "alias", "ingest"]
    assert sorted(commands) == sorted(own)
    preview = made.run("-I", "-m", "tracker.cli", "preview")
    assert (preview.returncode, preview.stdout.splitlines()[0]) == (0, "Windows: none")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ((), "uv pip install --python {prefix} {feature}"),
        (("pipx_metadata.json",), "pipx inject env {feature}"),
        (("pip.py",), "{python} -m pip install {feature}"),
    ],
)
def test_a_feature_that_lacks_is_named_with_what_installs_it_here(
    tmp_path: Path, wheels: dict[str, Path], files: tuple[str, ...], expected: str
) -> None:
    """As uv, pipx and pip install from a checkout, they note where the core came from."""
    made = bare(tmp_path, wheels)
    [about] = made.site.glob("tracker_core-*.dist-info")
    (about / "direct_url.json").write_text(json.dumps({"url": (ROOT / "core").as_uri(), "dir_info": {}}))
    for name in files:
        ((made.site if name.endswith(".py") else made.folder) / name).write_text("")
    said = made.run("-I", "-m", "tracker.cli", "plugins", "list").stderr.splitlines()[-1]
    feature = ROOT / "plugins" / "kit"
    command = expected.format(prefix=made.folder, python=made.python, feature=feature)
    assert said == f"error: The command plugins is not available. Install tracker-kit: `{command}`."


def test_a_small_set_measures_a_window_in_under_40_mb(tmp_path: Path, wheels: dict[str, Path]) -> None:
    """The core and two providers, as the README's line installs them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "uv tool install ./core --with ./plugins/codex --with ./plugins/claude" in readme
    made = bare(tmp_path, wheels, "codex", "claude")
    # third-party distributions are links, which are followed here
    sizes = [
        (Path(folder) / name).stat().st_size
        for folder, _, names in os.walk(made.site, followlinks=True)
        for name in names
    ]
    assert 1_000_000 < sum(sizes) < 40_000_000
    panes = ROOT / "docs" / "samples" / "panes"
    for words in (
        f"start codex {panes / 'codex-80-left.txt'} --window W0-01",
        f"start claude {panes / 'claude-40-used.txt'} --window W0-01",
        f"end codex {panes / 'codex-62-left.txt'}",
        f"end claude {panes / 'claude-52-used.txt'}",
        "complete --window W0-01 --codex-features 3 --claude-features 2 --outcome pass",
    ):
        done = made.run("-I", "-m", "tracker.cli", "--data-dir", "data", *words.split(), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    shown = made.run("-I", "-m", "tracker.cli", "--data-dir", "data", "preview", cwd=tmp_path).stdout
    assert "  - codex: features=3, capacity=18 pp, efficiency=0.17, " in shown


# The workspace runs each suite whole; here every tenth test, with few examples, shows that a suite needs nothing else.
# In full with TRACKER_SOAK=1.
SOME = """
from hypothesis import settings
settings.register_profile("few", max_examples=5)
settings.load_profile("few")
def pytest_collection_modifyitems(items):
    items[:] = items[::10]
"""


@pytest.mark.parametrize("plugin", SOURCES)
def test_a_plugins_suite_needs_the_core_and_the_kit(plugin: str, tmp_path: Path, wheels: dict[str, Path]) -> None:
    made = bare(tmp_path, wheels, plugin, "kit")
    assert listed(made) == [*SOURCES[plugin], "kit"]
    made.link({"pytest", "hypothesis"} | third_party(["pytest", "hypothesis"]))
    shutil.copytree(ROOT / "plugins" / plugin / "tests", tmp_path / "tests")
    if os.environ.get("TRACKER_SOAK") != "1":
        (tmp_path / "conftest.py").write_text(SOME)
    suite = ["-m", "pytest", "-q", "-x", "--import-mode=importlib", "-p", "no:cacheprovider", str(tmp_path / "tests")]
    tests = made.run(*suite, cwd=tmp_path)
    assert tests.returncode == 0, tests.stdout[-3000:] + tests.stderr[-1000:]
    assert " passed" in tests.stdout
