"""`tracker ingest SOURCE --run`: the program that prints a report, run and taken in; and reports against meters."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from outcomes import ok, refused


def ccusage(machine: Any, screen: str = "v20-codex-daily", name: str = "ccusage") -> None:
    text = machine.screen("codex", "x").parents[1].joinpath("ccusage", f"{screen}.txt").read_text()
    machine.program(name, f"open('argv', 'w').write(' '.join(sys.argv[1:]))\nprint({text!r})")


def run(machine: Any, source: str, *arguments: str, **extra: str) -> Any:
    return machine("ingest", source, "--run", "--window", "W0-01", *arguments, **extra)


def argv(machine: Any) -> str:
    return str((machine.folder / "argv").read_text())


def test_ccusage_is_run_and_taken_in(machine: Any) -> None:
    ccusage(machine)
    done = run(machine, "codex-ccusage")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "stored codex-ccusage daily report for W0-01\n"
    assert argv(machine) == "codex daily --json --offline"
    [row] = machine.rows("codex_ccusage")
    assert (row["source"], row["parsed"]["scope"]) == ("ingest", "daily")


def test_the_scope_is_the_command_s(machine: Any) -> None:
    ccusage(machine, "v20-codex-session")
    assert run(machine, "codex-ccusage", "--scope", "session").returncode == 0
    assert argv(machine) == "codex session --json --offline"


def test_the_report_of_another_agent_is_refused_and_its_source_takes_it(machine: Any) -> None:
    ccusage(machine, "v20-claude-weekly")
    said = refused(run(machine, "codex-ccusage"))
    assert "it looks like claude-ccusage's, so use `tracker ingest claude-ccusage`. Nothing was stored." in said
    assert machine.rows("codex_ccusage") == []
    done = run(machine, "claude-ccusage", "--scope", "weekly")
    assert done.returncode == 0, done.stderr
    assert argv(machine) == "claude weekly --json --offline"
    [row] = machine.rows("claude_ccusage")
    assert (row["parsed"]["scope"], row["parsed"]["total_tokens"]) == ("weekly", 10_925_360)


def test_claude_monitor_is_run_and_taken_in(machine: Any) -> None:
    text = (machine.screen("claude", "x").parents[1] / "monitor" / "v4-once-json.txt").read_text()
    machine.program("claude-monitor", f"open('argv', 'w').write(' '.join(sys.argv[1:]))\nprint({text!r})")
    done = run(machine, "claude-monitor")
    assert done.returncode == 0, done.stderr
    assert argv(machine) == "--once --output json"
    assert machine.rows("claude_monitor")[0]["parsed"]["tokens_used"] == 13709


@pytest.mark.parametrize(
    ("source", "cure"),
    [
        ("codex-ccusage", "ccusage is not on the PATH; install it with `npm install --global ccusage`"),
        ("claude-monitor", "claude-monitor is not on the PATH; install it with `uv tool install claude-monitor`"),
    ],
)
def test_a_program_that_is_not_there(machine: Any, source: str, cure: str) -> None:
    line = refused(run(machine, source))
    assert (
        line
        == f"error: {source}: {cure}. You can set another command in run_commands (tracker.toml). Nothing was stored."
    )


def test_the_command_is_a_setting(machine: Any) -> None:
    ccusage(machine, "v20-codex-monthly", "npx")
    (machine.folder / "tracker.toml").write_text(
        'run_commands = ["claude-monitor=x", "codex-ccusage=npx \'cc usage@20\' {scope} --json; rm -rf ."]\n'
    )
    assert "run_commands needs your consent, because it runs commands" in refused(run(machine, "codex-ccusage"))
    assert not (machine.folder / "argv").exists()
    assert machine("config", "trust").returncode == 0
    assert run(machine, "codex-ccusage", "--scope", "monthly").returncode == 0
    assert argv(machine) == "cc usage@20 monthly --json; rm -rf ."
    assert "Invalid --scope" not in run(machine, "claude-monitor").stderr


@pytest.mark.parametrize("entry", ["ccusage daily", "codex-ccusage=", "codex-ccusage='x"])
def test_a_setting_that_is_no_command(machine: Any, entry: str) -> None:
    (machine.folder / "tracker.toml").write_text(f'run_commands = ["{entry}"]\n')
    assert machine("config", "trust").returncode == 0
    assert "run_commands in tracker.toml: " in refused(run(machine, "codex-ccusage"))


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("sys.exit('No usage data found')", "ccusage ended with status 1: 'No usage data found'"),
        ("time.sleep(600)", "ccusage did not finish printing within 1 s"),
        ("os.write(1, b' ' * (9 << 20))", "ccusage printed over 8 MB"),
        ("pass", "error: codex-ccusage: `ccusage codex daily --json --offline` printed nothing. Nothing was stored."),
        ("print('no JSON')", "holds no codex-ccusage reading (invalid-json)"),
    ],
    ids=["fails", "silent", "huge", "empty", "garbage"],
)
def test_what_fails_is_one_line_and_nothing_is_stored(machine: Any, code: str, why: str) -> None:
    machine.program("ccusage", code)
    assert why in refused(run(machine, "codex-ccusage", TRACKER_ORIGIN_SECONDS="1"))
    assert machine.rows("codex_ccusage") == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["codex-ccusage", "--stdin"], "--run reads what the program prints. Leave out --stdin and the file."),
        (["codex-ccusage", "report.json"], "--run reads what the program prints. Leave out --stdin and the file."),
        (["codex-ccusage", "--file", "x"], "--run reads what the program prints"),
        (["codex", "--phase", "before"], "--run does not fit: codex is a provider. Expected a report."),
        (["proxy-telemetry"], "--run does not fit: proxy-telemetry is a stream. Expected a report."),
        (["codex-ccusage", "--scope", "yearly"], "Invalid scope 'yearly' for codex-ccusage."),
    ],
)
def test_wrong_usage(machine: Any, arguments: list[str], why: str) -> None:
    assert why in refused(run(machine, *arguments), 2)


@pytest.mark.parametrize("known", ["generated_at", "resetAt"])
@pytest.mark.parametrize(("days", "is_divergent"), [(6, False), (0, True)])
def test_a_report_of_another_week_contradicts_no_meter(
    machine: Any, event: Any, known: str, days: int, is_divergent: bool
) -> None:
    """The meter's week ends in three days; the report says when it was made, or when its own week ended."""
    for used in (10, 15):
        machine.rollout("a", event(used, age=0 if used == 15 else 300))
        ok(machine("capture", "codex"))
    at = datetime.now(UTC) - timedelta(days=days) + timedelta(days=1 if known == "resetAt" else 0)
    report = {"view": "weekly", known: at.isoformat(), "currentWeek": {"percentUsed": 90, "tokensUsed": 5}}
    ok(machine("ingest", "codex-ccusage", "--window", "W0-01", "--stdin", stdin=json.dumps(report)))
    ok(machine("complete", "--window", "W0-01", "--codex-features", "1"))
    assert (machine.rows("windows")[0]["notes"] == "divergent:ccusage") is is_divergent
    assert ("- divergent: weekly 90% here" in ok(machine("preview"))) is is_divergent
