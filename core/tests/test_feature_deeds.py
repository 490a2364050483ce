"""What a third-party feature does beside its work, installed: it moves no record, and ends no command but by a word."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from acme import DEMO, FEATURE, acme, begin

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tracker_cli: Run, tmp_path: Path) -> Run:
    return acme(tracker_cli, tmp_path)


@pytest.mark.parametrize("place", ["feature_info", "settings", "command"])
@pytest.mark.parametrize(
    "deed", ["os.chdir('elsewhere')", "os.environ['TRACKER_DATA_DIR'] = 'elsewhere'", "os._exit(0)"]
)
def test_a_late_import_moves_no_record_and_ends_no_command(run: Run, tmp_path: Path, place: str, deed: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    late = f"import os\n{deed}\n" if place != "feature_info" else ""
    (tmp_path / "site" / "acme_hours" / "late.py").write_text(f"{late}from acme_hours.parts import Hours, command\n")
    first = f"import os\ndef moved():\n    {deed}\n    return ()"
    declared = {
        "feature_info": "streams=moved()",
        "settings": "settings={'hours': 'acme_hours.late:Hours'}",
        "command": "commands={'hours': Command('Results', 'Mine.', 'acme_hours.late:command')}",
    }[place]
    here = {"declared": declared, "first": first, "TRACKER_DATA_DIR": "here"}
    begin(run, **here)
    if place == "command":
        done = run("hours", **here)
        assert (done.returncode, done.stdout) == ((1, "") if "_exit" in deed else (0, "mine\n")), done.stderr
    assert (tmp_path / "here" / "snapshots.jsonl").exists()
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    "error", ["OSError(28, 'No space')", "BrokenPipeError(32, 'Broken')", "FileNotFoundError(2, 'No file')", "Exit(0)"]
)
def test_what_a_feature_raises_behind_a_stored_record_is_named_and_the_command_is_done(run: Run, error: str) -> None:
    hooks = f"@hookimpl\ndef command_finished():\n    from click.exceptions import Exit\n    raise {error}\n"
    done = begin(run, hooks=hooks)
    assert done.stdout == "stored codex before snapshot for W0-01 (awaiting end)\n"
    assert f"plugin 'hours' failed to command_finished: {error.partition('(')[0]}: " in done.stderr


def test_a_hook_of_others_does_not_end_a_command_with_its_own_status(run: Run) -> None:
    """It ended `windows` with nothing printed and status 0."""
    hooks = "@hookimpl\ndef window_facts(windows):\n    from click.exceptions import Exit\n    raise Exit(0)\n"
    begin(run)
    for words in (("windows",), ("--json", "preview")):
        done = run(*words, hooks=hooks)
        assert "W0-01" in done.stdout
        assert "warning: plugin 'hours' failed to window_facts: Exit: 0; the rest works" in done.stderr


def test_settings_that_two_features_claim_cost_only_themselves(run: Run, tmp_path: Path) -> None:
    for part in ("dist-info", ""):
        name = f"other_hours-1.0.{part}" if part else "other_hours"
        (tmp_path / "site" / name).mkdir()
    (tmp_path / "site" / "other_hours-1.0.dist-info" / "entry_points.txt").write_text(
        "[tracker]\nother = other_hours.feature\n"
    )
    declared = "settings={'hours': 'acme_hours.parts:Hours'}"
    other = FEATURE.format(first="", declared=declared, hooks="").replace('name="hours"', 'name="other"')
    (tmp_path / "site" / "other_hours" / "feature.py").write_text(other)
    (tmp_path / "tracker.toml").write_text("[hours]\nmost = 3\n")
    done = run("preview", declared=declared)
    assert done.returncode == 0
    assert done.stderr.count("its settings [hours] are left out, because") == 2


def test_the_table_of_a_feature_that_is_gone_can_be_taken_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tracker.toml").write_text("[hours]\nmost = 3\n")
    assert "If its plugin is gone, delete the table." in run("preview").stderr


def test_what_a_person_wrote_brings_no_cure_for_a_command(run: Run) -> None:
    begin(run)
    noted = ("--window", "W0-01", "--codex-features", "1", "--notes", "ran tracker usage")
    pane = ("--file", str(DEMO / "status_after.txt"), "--captured-at", "2026-11-22T07:45:00Z", "--timezone", "UTC")
    assert run("end", "codex", *pane, "--window", "W0-01", "--force").returncode == 0
    assert run("complete", *noted).returncode == 0
    shown = run("preview", TRACKER_DISABLE_PLUGINS="telemetry").stdout
    assert "ran tracker usage" in shown
    assert "is not available" not in shown


def test_a_hook_of_sources_is_none_of_a_feature(run: Run) -> None:
    hooks = "@hookimpl\ndef render_preview_block(context):\n    return None\n"
    assert "Unknown hook 'render_preview_block'." in begin(run, hooks=hooks).stderr


def test_an_error_of_the_system_in_a_hook_is_the_features_own(run: Run) -> None:
    begin(run)
    hooks = "@hookimpl\ndef window_facts():\n    raise BrokenPipeError(32, 'Broken pipe')\n"
    done = run("windows", hooks=hooks)
    assert (done.returncode, "W0-01" in done.stdout) == (0, True)
    assert (
        "plugin 'hours' failed to window_facts: BrokenPipeError: [Errno 32] Broken pipe; the rest works" in done.stderr
    )


def test_what_a_finished_command_prints_is_no_part_of_its_result(run: Run) -> None:
    hooks = "@hookimpl\ndef command_finished():\n    print('\\x1b[31mhours')\n"
    done = begin(run, hooks=hooks)
    assert done.stdout == "stored codex before snapshot for W0-01 (awaiting end)\n"
    assert "\\x1b[31mhours\n" in done.stderr


def test_a_command_in_a_deleted_folder_blames_no_plugin(run: Run, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    run("preview", first="")
    script = 'rmdir "$PWD" && exec "$0" -m tracker.cli --help'
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    command = ["sh", "-c", script, sys.executable]
    done = subprocess.run(command, cwd=gone, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "preview" in done.stdout


@pytest.mark.parametrize(
    ("formats", "why"),
    [
        ("{'xml': 3}", "the format 'xml' of plugin 'hours' is left out. Expected a name and a function\n"),
        ("{3: print}", "the format 3 of plugin 'hours' is left out. Expected a name and a function\n"),
        ("{'xml': lambda *_: None}", "TypeError: returned None. Expected the number of rows."),
        ("{'xml': lambda *_: -5}", "TypeError: returned -5. Expected the number of rows."),
        ("{'xml': lambda *_: 10**5000}", "ValueError: Exceeds the limit (4300 digits)"),
        ("{'xml': lambda *_: sys.exit(0)}", "plugin 'hours' failed to export commands: raised SystemExit(0)\n"),
    ],
)
def test_a_format_that_is_none_is_named(run: Run, formats: str, why: str) -> None:
    begin(run)
    hooks = f"import sys\n@hookimpl\ndef export_formats():\n    return {formats}\n"
    done = run("export", "--format", "xml", "--out", "out", hooks=hooks)
    assert done.returncode == 1
    assert why in done.stderr
