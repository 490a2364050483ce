"""`examples/tracker-gemini` is no part of the workspace: built, installed beside core, kit and desk, and used."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from bare import ROOT, Bare, third_party

EXAMPLE = ROOT / "examples" / "tracker-gemini"
HOURS = ROOT / "examples" / "tracker-hours"
SESSIONS = ROOT / "examples" / "tracker-gemini-sessions"
PANE = (EXAMPLE / "tests" / "screens" / "auto.txt").read_text()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path]) -> Bare:
    made = Bare(tmp_path_factory.mktemp("example") / "env")
    features = ["tracker-corrections", "tracker-desk", "tracker-kit", "tracker-telemetry"]
    made.link({"pytest", "hypothesis"} | third_party([*features, "pytest", "hypothesis"]))
    plugins = [f"plugins/{name.removeprefix('tracker-')}" for name in features]
    for project in ("core", *plugins, f"examples/{EXAMPLE.name}", f"examples/{SESSIONS.name}"):
        made.unpack(wheels[project])
    return made


def tracker(bare: Bare, folder: Path, *arguments: str, stdin: str = "", **extra: str) -> str:
    words = ("-I", "-m", "tracker.cli", *arguments)
    done: subprocess.CompletedProcess[str] = bare.run(*words, cwd=folder, stdin=stdin, TZ="UTC", **extra)
    assert done.returncode == 0, done.stderr
    return done.stdout


def completions(bare: Bare, folder: Path, *words: str) -> list[str]:
    asked = {"COMP_WORDS": " ".join(["tracker", *words]), "COMP_CWORD": str(len(words))}
    return tracker(bare, folder, "completion", "bash", "--ask", **asked).split()


@pytest.mark.parametrize("example", [EXAMPLE, SESSIONS], ids=lambda path: path.name)
def test_its_suite_passes(bare: Bare, example: Path) -> None:
    done = bare.run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(example / "tests"), cwd=example)
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
    options = ("--window", "W0-02", "--phase", "before", "--captured-at", "2026-01-01T14:00:00Z")
    options += ("--daily-pct", "51", "--daily-resets", "2026-01-01T15:12:00Z")
    assert "stored gemini before snapshot for W0-02" in tracker(bare, tmp_path, "override", "gemini", *options)


def test_usage_counts_the_logs_of_one_more_client(bare: Bare, tmp_path: Path) -> None:
    chats = tmp_path / ".gemini" / "tmp" / "shop" / "chats"
    chats.mkdir(parents=True)
    tokens = {"input": 1000, "output": 50, "cached": 400, "thoughts": 20, "tool": 0}
    about = {"id": "m-1", "timestamp": "2026-11-20T10:00:05Z", "type": "gemini", "model": "gemini-3-pro-preview"}
    lines = [{"sessionId": "s-1", "directories": ["/home/dev/shop"]}, about | {"tokens": tokens, "content": "canary"}]
    (chats / "session-1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (*lines, lines[1])))
    (chats / "copy.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = json.loads(tracker(bare, tmp_path, "--json", "usage", "project", HOME=str(tmp_path), GEMINI_CLI_HOME=""))
    [row] = found["rows"]
    assert (row["provider"], row["project"], row["requests"]) == ("gemini", "shop", 1)
    assert (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"]) == (600, 400, 70)
    assert b"canary" not in b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())


def test_it_has_its_functions_and_completions(bare: Bare, tmp_path: Path) -> None:
    functions = tracker(bare, tmp_path, "shell-init", "bash")
    for name in ("ges", "gee", "gex", "ged", "ged1", "ged2"):
        assert f"function {name} " in functions
    assert completions(bare, tmp_path, "alias", "start", "ge") == ["plain,gemini"]
    assert completions(bare, tmp_path, "complete", "--gem") == ["plain,--gemini-features"]
    assert completions(bare, tmp_path, "override", "gemini", "--dai") == ["plain,--daily-pct", "plain,--daily-resets"]


def test_a_feature_adds_a_command_and_a_column(tmp_path: Path, wheels: dict[str, Path]) -> None:
    """`examples/tracker-hours`, beside the core, the kit and the scoreboard that shows the column."""
    made = Bare(tmp_path / "env")
    made.link({"pytest", "hypothesis"} | third_party(["tracker-kit", "tracker-verdict", "pytest", "hypothesis"]))
    for project in ("core", "plugins/kit", "plugins/verdict", "examples/tracker-gemini", "examples/tracker-hours"):
        made.unpack(wheels[project])
    suite = made.run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(HOURS / "tests"), cwd=HOURS)
    assert suite.returncode == 0, suite.stdout[-3000:]
    for verb, pane in (("start", PANE), ("end", PANE.replace("42%", "48%"))):
        at = f"2026-01-01T1{2 + (verb == 'end')}:00:00Z"
        tracker(made, tmp_path, "alias", verb, "gemini", "--stdin", "--captured-at", at, "--force", stdin=pane)
    tracker(made, tmp_path, "complete", "--window", "W0-01", "--gemini-features", "3", "--outcome", "pass")
    data = tmp_path / "data" / "week0" / "live"
    (data / "hours.csv").write_text("window,hours\nW0-01,1.5\n")
    assert tracker(made, tmp_path, "hours").splitlines()[1] == "W0-01,1.5,3,2.0"
    assert "  hours " in tracker(made, tmp_path, "--help")
    [row] = json.loads(tracker(made, tmp_path, "--json", "scoreboard"))
    assert row["hours"] == 1.5
    checked = tracker(made, tmp_path, "plugins", "check", str(HOURS))
    assert checked.startswith("hours: sound ("), checked


@pytest.mark.parametrize("example", [EXAMPLE, HOURS, SESSIONS], ids=lambda path: path.name)
def test_nothing_here_was_changed_for_it(example: Path) -> None:
    """The core and the plugins do not name it, and the workspace leaves it out: `git diff core plugins` stays empty."""
    word = example.name.replace("-", "[-_]")
    for folder in ("core", "plugins"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not re.search(word, path.read_text(encoding="utf-8")), path
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    members = {path for pattern in workspace["uv"]["workspace"]["members"] for path in ROOT.glob(pattern)}
    tests = {ROOT / folder for folder in workspace["pytest"]["ini_options"]["testpaths"]}
    assert not any(example.is_relative_to(folder) for folder in members | tests)


@pytest.mark.parametrize("example", [EXAMPLE, HOURS, SESSIONS], ids=lambda path: path.name)
def test_it_is_short(example: Path) -> None:
    assert sum(len(path.read_text().splitlines()) for path in (example / "src").rglob("*.py")) < 120
