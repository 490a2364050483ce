"""`examples/tracker-gemini` is no part of the workspace: built, installed beside core, kit and desk, and used."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
from bare import ROOT, Bare, build_wheel, third_party

EXAMPLE = ROOT / "examples" / "tracker-gemini"
PANE = (EXAMPLE / "tests" / "screens" / "auto.txt").read_text()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Bare:
    folder = tmp_path_factory.mktemp("example")
    made = Bare(folder / "env")
    made.link({"pytest", "hypothesis"} | third_party(["tracker-desk", "tracker-kit", "pytest", "hypothesis"]))
    for project in (ROOT / "core", ROOT / "plugins" / "desk", ROOT / "plugins" / "kit", EXAMPLE):
        made.unpack(build_wheel(project, folder))
    return made


def tracker(bare: Bare, folder: Path, *arguments: str, stdin: str = "", **extra: str) -> str:
    words = ("-I", "-m", "tracker.cli", *arguments)
    done: subprocess.CompletedProcess[str] = bare.run(*words, cwd=folder, stdin=stdin, TZ="UTC", **extra)
    assert done.returncode == 0, done.stderr
    return done.stdout


def completions(bare: Bare, folder: Path, *words: str) -> list[str]:
    asked = {"COMP_WORDS": " ".join(["tracker", *words]), "COMP_CWORD": str(len(words))}
    return tracker(bare, folder, _TRACKER_COMPLETE="bash_complete", **asked).split()


def test_its_suite_passes(bare: Bare) -> None:
    done = bare.run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE / "tests"), cwd=EXAMPLE)
    assert done.returncode == 0, done.stdout[-3000:]


def test_an_operator_measures_a_window_with_it(bare: Bare, tmp_path: Path) -> None:
    def capture(verb: str, pane: str, at: str) -> str:
        return tracker(bare, tmp_path, "alias", verb, "gemini", "--stdin", "--captured-at", at, stdin=pane)

    assert capture("start", PANE, "2026-01-01T12:00:00Z") == "stored gemini before snapshot for W0-01 (awaiting end)\n"
    later = PANE.replace("42% used (Limit resets in 3h 12m)", "48% used (Limit resets in 2h 12m)")
    assert capture("end", later, "2026-01-01T13:00:00Z").endswith("(ready to finalize)\n")
    tracker(bare, tmp_path, "complete", "--window", "W0-01", "--gemini-features", "2", "--outcome", "pass")
    shown = tracker(bare, tmp_path, "preview", "--window", "W0-01")
    assert "  - gemini: features=2, capacity=6 pp, efficiency=0.33," in shown
    assert (
        "Gemini:\n"
        "  - gemini-3-pro-preview: requests=12 input_tokens=98111 cache_read_tokens=52123 output_tokens=11000\n"
        "  - gemini-2.5-flash: requests=5 input_tokens=20011 cache_read_tokens=0 output_tokens=7489\n"
    ) in shown
    options = ("--window", "W0-02", "--phase", "before", "--daily-pct", "51", "--daily-resets", "2026-01-01T15:12:00Z")
    assert "stored gemini before snapshot for W0-02" in tracker(bare, tmp_path, "override", "gemini", *options)


def test_it_has_its_functions_and_completions(bare: Bare, tmp_path: Path) -> None:
    functions = tracker(bare, tmp_path, "shell-init", "bash")
    for name in ("ges", "gee", "gex", "ged", "ged1", "ged2"):
        assert f"function {name} " in functions
    assert completions(bare, tmp_path, "alias", "start", "ge") == ["plain,gemini"]
    assert completions(bare, tmp_path, "complete", "--gem") == ["plain,--gemini-features"]
    assert completions(bare, tmp_path, "override", "gemini", "--dai") == ["plain,--daily-pct", "plain,--daily-resets"]


def test_the_core_knows_nothing_of_it_and_the_workspace_leaves_it_out() -> None:
    for path in (ROOT / "core" / "src").rglob("*.py"):
        assert "gemini" not in path.read_text(encoding="utf-8").lower(), path
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    members = {path for pattern in workspace["uv"]["workspace"]["members"] for path in ROOT.glob(pattern)}
    tests = {ROOT / folder for folder in workspace["pytest"]["ini_options"]["testpaths"]}
    assert not any(EXAMPLE.is_relative_to(folder) for folder in members | tests)


def test_it_is_short() -> None:
    assert sum(len(path.read_text().splitlines()) for path in (EXAMPLE / "src").rglob("*.py")) < 120
