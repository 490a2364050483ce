"""`tracker demo` with some plugins left out: it goes without the steps that need them, and says so."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from tracker.kernel import Interruption, TrackerError
from tracker_kit.demo import Step, _run, program

Run = Callable[..., "subprocess.CompletedProcess[str]"]
OFF = "is disabled: unset TRACKER_DISABLE_PLUGINS."


@pytest.mark.parametrize(
    ("disabled", "left_out", "cures"),
    [
        ("tracker-capture", ["windows add"], [f"The command windows add is not available. tracker-capture {OFF}"]),
        (
            "tracker-telemetry",
            ["ingest proxy-telemetry", "cost-compare"],
            [f"The command cost-compare is not available. tracker-telemetry {OFF}"],
        ),
        ("tracker-desk,tracker-proxy", [], []),  # `windows add` is not desk's, and without a stream there are no costs
    ],
)
def test_it_goes_without_what_is_not_in_use(
    disabled: str, left_out: list[str], cures: list[str], tracker_cli: Run
) -> None:
    done = tracker_cli("demo", TRACKER_DISABLE_PLUGINS=disabled)
    assert done.returncode == 0, done.stderr
    named = ", ".join(f"`tracker {words}`" for words in left_out)
    said = " ".join([f"note: the demo left out {named}.", *cures]) + "\n" if left_out else ""
    assert done.stderr == said
    assert ("tracker windows add W0-05" in done.stdout) == ("windows add" not in left_out)
    assert ("--window W0-05" in done.stdout) == ("windows add" not in left_out)


def test_it_ends_with_commands_that_the_shell_finds(tracker_cli: Run) -> None:
    done = tracker_cli("demo", UV_RUN_RECURSION_DEPTH="1")
    *_, audit, _, _, setup, start = done.stdout.splitlines()
    assert audit.startswith("Look around: uv run --no-dev tracker --data-dir ")
    assert setup.startswith("  uv run --no-dev tracker setup ")
    assert start.startswith("  uv run --no-dev tracker start ")


def test_a_program_that_is_not_on_the_path_is_called_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "tracker"
    own.touch(mode=0o755)
    monkeypatch.delenv("UV_RUN_RECURSION_DEPTH", raising=False)
    monkeypatch.setattr("sys.argv", [str(own), "demo"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert program() == str(own)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program() == "tracker"
    monkeypatch.setattr("sys.argv", [str(tmp_path / "cli" / "__main__.py"), "demo"])
    assert program() == "tracker"
    monkeypatch.setattr("sys.argv", ["tracker"])
    monkeypatch.chdir(tmp_path.parent)
    assert program() == "tracker"


def test_without_a_provider_it_says_which_are_left_out(tracker_cli: Run) -> None:
    done = tracker_cli("demo", TRACKER_DISABLE_PLUGINS="claude,codex,glm")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: No installed provider has a demo. Install a provider's plugin. TRACKER_DISABLE_PLUGINS leaves out"
        " claude (tracker-claude), codex (tracker-codex), glm (tracker-glm)\n"
    )


def test_a_demo_that_is_interrupted_says_where_its_data_is(tmp_path: Path) -> None:
    @click.group()
    def root() -> None:
        pass

    @root.command()
    def hang() -> None:
        raise Interruption("interrupted", 2)

    with click.Context(root), pytest.raises(TrackerError) as caught:
        _run(Step(arguments=("hang",)), tmp_path)
    assert str(caught.value) == f"The demo stopped: `tracker hang` failed: interrupted. Its data is in {tmp_path}."
    assert caught.value.status == 130
