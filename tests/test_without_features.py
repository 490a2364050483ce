"""Without features the rest works and says nothing untrue: all off, each off, and not installed at all."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from bare import ROOT, Bare, third_party

Run = Callable[..., "subprocess.CompletedProcess[str]"]
PROVIDERS = {"codex", "claude", "glm", "proxy"}
FEATURES = sorted({path.parent.name for path in (ROOT / "plugins").glob("*/pyproject.toml")} - PROVIDERS)
PANE = "fuel {fuel}%\nheat 5%"
START = ("alias", "start", "toy", "--stdin", "--captured-at", "2026-01-10T08:00:00Z")
END = ("alias", "end", "toy", "--stdin", "--captured-at", "2026-01-10T09:00:00Z")
COMPLETE = ("complete", "--window", "W0-01", "--toy-features", "3", "--quality", "1.0", "--outcome", "pass")


def shown(run: Run) -> str:
    """A capture, a `complete` and a `preview`; nothing but the results is said."""
    for arguments, pane, said in (
        (START, PANE.format(fuel=10), "stored toy before snapshot for W0-01 (awaiting end)"),
        (END, PANE.format(fuel=28), "stored toy after snapshot for W0-01 (ready to finalize)"),
        (COMPLETE, "", ""),
    ):
        done = run(*arguments, stdin=pane)
        assert (done.returncode, "warning" in done.stderr, "Traceback" in done.stderr) == (0, False, False), done.stderr
        assert done.stdout.startswith(said)
    preview = run("preview", "--window", "W0-01")
    assert preview.returncode == 0, preview.stderr
    assert "warning" not in preview.stderr
    assert "  - toy: features=3, capacity=18 pp, efficiency=0.17, ci=n/a, n=1, power=n/a\n" in preview.stdout
    assert "Outcome: quality=1.0, outcome=pass\n" in preview.stdout
    assert "Snapshots:\n  - toy: after, before (source=alias, notes=n/a)\n" in preview.stdout
    return preview.stdout


def without(toys_apart: Run, *names: str) -> Run:
    off = ",".join((*(f"tracker-{name}" for name in PROVIDERS), *names))

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return toys_apart(*arguments, stdin=stdin, TRACKER_DISABLE_PLUGINS=off)

    return run


def test_with_every_feature_off(toys_apart: Run) -> None:
    run = without(toys_apart, *FEATURES)
    shown(run)
    helped = run("--help").stdout
    commands = {line.split()[0] for line in helped.splitlines() if line.startswith("  ") and line[2:3].islower()}
    assert {"alias", "complete", "preview", "ingest"} <= commands
    assert not {"scoreboard", "churn", "capture", "status", "demo", "cost-compare"} & commands
    stream = run("ingest", "toy-stream", "--window", "W0-01", "--stdin", stdin="{}\n")
    unset = "is disabled: unset TRACKER_DISABLE_PLUGINS."
    assert stream.returncode == 1
    assert stream.stderr == f"error: The stream toy-stream cannot be read. tracker-telemetry {unset}\n"
    missing = {"scoreboard": "verdict", "undo": "corrections", "alias delete": "corrections"}
    for command, feature in missing.items():
        done = run(*command.split())
        assert done.returncode == 2
        message = f"error: The command {command} is not available. tracker-{feature} {unset}"
        assert done.stderr.splitlines()[-1] == message


def test_a_cure_whose_command_is_not_in_use_says_what_brings_it(toys_apart: Run, tmp_path: Path) -> None:
    """The kernel's notes and errors; a cure that can be typed stands alone."""
    off = "is disabled: unset TRACKER_DISABLE_PLUGINS."
    undo = "note: {} is a new window. If that is a mistake, `tracker undo` takes this back"
    shown(without(toys_apart))
    for window, left_out, more in (
        ("Q7-01", ("corrections",), f". The command undo is not available. tracker-corrections {off}"),
        ("Z9-77", (), ""),
    ):
        run = without(toys_apart, *left_out)
        said = run("start", "toy", "--stdin", "--window", window, stdin=PANE.format(fuel=10)).stderr.splitlines()
        assert undo.format(window) + more in said
    # an anomaly's cure, which stands without backticks: when it is raised, and in the results that show it
    delete = f"The command alias delete is not available. tracker-corrections {off}"
    run = without(toys_apart, "corrections")
    assert delete in run("end", "toy", "--stdin", "--window", "Z9-77", stdin=PANE.format(fuel=5)).stderr
    for command in (("status",), ("window-audit", "--window", "Z9-77")):
        cures = [text for text in run(*command).stdout.splitlines() if "tracker alias delete" in text]
        assert cures, "it shows none"
        assert all(text.endswith(f". {delete}") for text in cures), cures
        assert "not available" not in without(toys_apart)(*command).stdout
    (tmp_path / "tracker.toml").write_text("buffer_minutes = -1\n")
    wrong = without(toys_apart, "desk")("preview").stderr
    assert wrong.endswith(
        f" `tracker config list` shows the settings. The command config is not available. tracker-desk {off}\n"
    )


def test_features_of_a_disabled_provider_are_refused_with_the_reason(toys_apart: Run) -> None:
    refused = without(toys_apart)(*COMPLETE[:3], "--codex-features", "2")
    assert refused.returncode == 2
    said = refused.stderr.splitlines()[-1]
    assert said.startswith("error: No such option '--codex-features'.")
    assert " TRACKER_DISABLE_PLUGINS leaves out tracker-" in said
    assert said.endswith(": unset it to have all commands and options.")


def test_the_preview_says_what_brings_intervals(toys_apart: Run) -> None:
    run = without(toys_apart, "verdict")
    run(*START, stdin=PANE.format(fuel=10))
    assert "intervals" not in run("preview").stderr, "no number of windows would bring them"
    run("undo")
    assert "count twice" not in shown(run)
    note = "note: bare sums: overlapping windows count twice, and intervals and power are left out. tracker-verdict"
    assert run("preview").stderr == f"{note} is disabled: unset TRACKER_DISABLE_PLUGINS.\n"
    assert "bare sums" not in without(toys_apart)("preview").stderr


def test_a_name_to_leave_out_that_is_not_installed_is_said(toys_apart: Run) -> None:
    done = toys_apart("windows", TRACKER_DISABLE_PLUGINS="toi, tracker-codex, nosuch")
    assert done.returncode == 0
    near, other = sorted(text for text in done.stderr.splitlines() if text.startswith("warning: "))[::-1]
    assert near.startswith("warning: TRACKER_DISABLE_PLUGINS names 'toi', which is not installed. Did you mean toy?")
    assert "names 'nosuch', which is not installed. Expected one of capture, " in other
    assert other.endswith(" more.")


def test_the_churn_view_leaves_out_the_columns_too(toys_apart: Run, tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=dev", "-c", "user.email=dev@example.com"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "a"], ["commit", "-q", "-a", "-m", "b"]):
        (tmp_path / "counted.txt").write_text(" ".join(words))
        subprocess.run([*git, *words, *(["--allow-empty"] if "b" in words else [])], cwd=tmp_path, check=True)
    done = toys_apart(
        "churn", "--window", "W1", "--provider", "toy", "--commit-start", "HEAD~1", "--commit-end", "HEAD"
    )
    assert done.returncode == 0, done.stderr
    assert " files" in toys_apart("windows").stdout
    found = toys_apart("windows", TRACKER_DISABLE_PLUGINS="churn")
    assert ("files" in found.stdout, "churn" in found.stdout, found.stderr) == (False, False, "")


@pytest.mark.parametrize("name", ["Acceptance_Evidence.csv", "Churn_Ledger.csv"])
def test_undo_leaves_a_row_that_nothing_can_reverse(toys_apart: Run, tmp_path: Path, name: str) -> None:
    """Its record was taken back, and the row that it could be reversed by stood for ever."""
    words = ("evidence", "add", "--window", "W1", "--capability", "c", "--result", "pass")
    if name == "Churn_Ledger.csv":
        words = ("churn", "--window", "W1", "--provider", "toy")
    assert toys_apart(*words).returncode == 0
    ledger = tmp_path / "docs" / "Ledgers" / name
    before = ledger.read_bytes()
    for sure in ("--yes", "--dry-run"):
        done = without(toys_apart, "ledgers")("undo", sure)
        of = name if words[0] == "evidence" else "the churn ledger"
        assert (done.returncode, done.stderr) == (
            1,
            f"error: No feature in use can reverse this command's row in {of}; the feature of `tracker churn` does."
            " Nothing was taken back. The command churn is not available."
            " tracker-ledgers is disabled: unset TRACKER_DISABLE_PLUGINS.\n",
        )
    assert ledger.read_bytes() == before
    assert f" in {name}\n" in toys_apart("undo", "--yes").stdout
    assert b"reversed by tracker undo" in ledger.read_bytes()


@pytest.mark.parametrize("feature", FEATURES)
def test_with_one_feature_off(toys_apart: Run, feature: str) -> None:
    shown(without(toys_apart, feature))


def test_with_the_core_and_one_provider_from_wheels(tmp_path: Path, wheels: dict[str, Path]) -> None:
    made = Bare(tmp_path / "env")
    made.link(third_party(["tracker-core", "tracker-codex"]))
    for project in ("core", "plugins/codex"):
        made.unpack(wheels[project])
    screens = ROOT / "plugins" / "codex" / "tests" / "screens"
    pane, about = screens / "v0.94.0_n60.txt", json.loads((screens / "v0.94.0_n60.json").read_text())

    def tracker(*arguments: str, stdin: str = "") -> str:
        done = made.run("-I", "-m", "tracker.cli", *arguments, stdin=stdin, cwd=tmp_path, TZ="UTC")
        assert (done.returncode, "warning" in done.stderr) == (0, False), done.stderr
        return done.stdout

    at = ("--captured-at", about["captured_at"])
    assert tracker("alias", "start", "codex", "--stdin", *at, stdin=pane.read_text()).startswith(
        "stored codex before snapshot for W0-01 (awaiting end)"
    )
    later = pane.read_text().replace("36% left", "33% left")
    tracker("alias", "end", "codex", "--stdin", "--captured-at", "2026-11-22T07:35:00Z", stdin=later)
    tracker("complete", "--window", "W0-01", "--codex-features", "2", "--outcome", "pass")
    unknown = made.run("-I", "-m", "tracker.cli", "preview", "--until", "2001-01-01", cwd=tmp_path)
    assert unknown.stderr == (
        "note: No window matches. Run `tracker windows` to see all of them. The command windows is not available."
        " Install tracker-desk: `pip install ./plugins/desk` in a checkout of tracker.\n"
    )
    preview = tracker("preview", "--window", "W0-01")
    assert "  - codex: features=2, capacity=3 pp, efficiency=0.67, ci=n/a, n=1, power=n/a\n" in preview
    missing = made.run("-I", "-m", "tracker.cli", "scoreboard", cwd=tmp_path)
    assert missing.stderr.splitlines()[-1] == (
        "error: The command scoreboard is not available."
        " Install tracker-verdict: `pip install ./plugins/verdict` in a checkout of tracker."
    )
    [row] = json.loads(tracker("--json", "preview", "--window", "W0-01"))["providers"]
    assert (row["ci"], row["ci_kind"], row["power"]) == (None, "none", None)


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ("telemetry", "This needs session logs, which `tracker usage` reads. The command usage"),
        ("capture", "This needs a meter history, which `tracker sync` keeps. The command sync"),
    ],
)
def test_calibrate_says_of_a_disabled_feature_that_it_is(tracker_cli: Run, left_out: str, said: str) -> None:
    """It was "not installed", and what was to be typed changed nothing."""
    pane = ">_ OpenAI Codex\n Weekly limit: 80% left\n"
    assert tracker_cli("start", "codex", "--stdin", stdin=pane).returncode == 0
    words = ("meters", "calibrate", "--provider", "codex")
    refused = tracker_cli(*words, TRACKER_DISABLE_PLUGINS=left_out)
    how = f"is not available. tracker-{left_out} is disabled: unset TRACKER_DISABLE_PLUGINS."
    assert (refused.returncode, refused.stderr) == (1, f"error: {said} {how}\n")
    assert tracker_cli(*words).returncode == 0
