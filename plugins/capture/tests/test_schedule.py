"""`tracker schedule print`: what cron, systemd and launchd are told."""

from __future__ import annotations

import json
import plistlib
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

WEEK = timedelta(days=7)


def printed(machine: Any, *arguments: str, **extra: str) -> str:
    done = machine("schedule", "print", *arguments, **extra)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def error(machine: Any, *arguments: str, status: int = 1, **extra: str) -> str:
    done = machine("schedule", "print", *arguments, **extra)
    assert (done.returncode, done.stdout) == (status, "")
    return str(done.stderr.splitlines()[-1])


def jobs(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.fixture
def resets(machine: Any) -> tuple[datetime, datetime]:
    """When the 5 h and the weekly meter of a stored codex snapshot will be reset."""
    now = datetime.now(UTC).replace(microsecond=0, second=43)
    short, week = now + timedelta(hours=2), now + timedelta(days=3)
    arguments = ["--window", "W0-01", "--phase", "before", "--fiveh-pct", "5", "--fiveh-resets", short.isoformat()]
    arguments += ["--weekly-pct", "6", "--weekly-resets", week.isoformat()]
    done = machine("override", "codex", *arguments)
    assert done.returncode == 0, done.stderr
    return short, week


def due(reset: datetime) -> datetime:
    """Five minutes after a reset at 43 s, the first whole minute."""
    return reset.replace(second=0) + timedelta(minutes=6)


def test_an_interval_is_a_crontab_line_per_provider(machine: Any) -> None:
    lines = jobs(printed(machine, "--every", "15m"))
    assert [line.partition(" --phase")[0].rpartition(" ")[2] for line in lines] == ["claude", "codex", "glm"]
    assert all(line.startswith("*/15 * * * * cd ") for line in lines)
    assert all(line.endswith(" --phase auto --wait") for line in lines)


def test_the_line_runs_in_a_bare_shell(machine: Any, event: Any) -> None:
    """As cron runs it: `sh -c` with nothing in the environment, `\\%` for `%`."""
    odd = machine.folder / "it's 100% odd"
    odd.mkdir()
    machine.rollout("a", event(33))
    (machine.home / ".codex").rename(odd / "codex home")
    extra = {"CODEX_HOME": str(odd / "codex home"), "TRACKER_DATA_DIR": str(odd / "data"), "AGENT_ID": "night"}
    [line] = jobs(printed(machine, "codex", "--every", "1h", "--phase", "before", **extra))
    assert line.startswith("0 */1 * * * ")
    command = line.removeprefix("0 */1 * * * ").replace("\\%", "%")
    assert line.count("%") == line.count("\\%") == 2
    done = subprocess.run(["/bin/sh", "-c", command], env={"HOME": "/"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    [row] = [json.loads(found) for found in (odd / "data" / "snapshots.jsonl").read_text().splitlines()]
    assert (row["agent_id"], row["phase"], row["parsed"]["weekly_pct"]) == ("night", "before", 33)


@pytest.mark.parametrize(
    ("every", "when"), [("5m", "*/5 * * * *"), ("60m", "0 */1 * * *"), ("2h", "0 */2 * * *"), ("1d", "0 0 * * *")]
)
def test_intervals_that_cron_knows(machine: Any, every: str, when: str) -> None:
    [line] = jobs(printed(machine, "codex", "--every", every))
    assert line.startswith(f"{when} cd ")


@pytest.mark.parametrize("every", ["7m", "90m", "5h", "2d"])
def test_intervals_that_cron_does_not_know(machine: Any, every: str) -> None:
    assert "or --format systemd" in error(machine, "codex", "--every", every)
    assert "OnUnitActiveSec=" in printed(machine, "codex", "--every", every, "--format", "systemd")


@pytest.mark.parametrize("every", ["0m", "15", "-5m", "8d", "m", "1.5h", "99999m"])
def test_what_is_no_interval(machine: Any, every: str) -> None:
    assert "is no interval such as 15m, 2h or 1d" in error(machine, f"--every={every}", status=2)


def test_a_capture_comes_five_minutes_after_each_reset(machine: Any, resets: tuple[datetime, datetime]) -> None:
    first, second = jobs(printed(machine, "--at-reset", "codex"))
    short, week = map(due, resets)
    assert first.startswith(f"{short.minute} {short.hour} {short.day} {short.month} * cd ")
    assert second.startswith(f"{week.minute} {week.hour} * * {week.isoweekday() % 7} cd ")
    assert "capture codex --phase auto --wait" in first


def test_cron_s_times_are_the_machine_s(machine: Any, resets: tuple[datetime, datetime]) -> None:
    local = due(resets[0]) + timedelta(hours=5, minutes=30)
    first, _ = jobs(printed(machine, "--at-reset", "codex", TZ="Asia/Kolkata"))
    assert first.startswith(f"{local.minute} {local.hour} {local.day} {local.month} * ")


def test_the_buffer_is_a_setting(machine: Any, resets: tuple[datetime, datetime]) -> None:
    (machine.folder / "tracker.toml").write_text("buffer_minutes = 20\n")
    short = due(resets[0]) + timedelta(minutes=15)
    assert jobs(printed(machine, "--at-reset", "codex"))[0].startswith(f"{short.minute} {short.hour} ")


def test_without_a_known_reset_it_says_so(machine: Any) -> None:
    assert error(machine, "--at-reset", "codex") == (
        "error: no coming reset of codex is known; capture it first: tracker capture codex"
    )


def test_a_systemd_pair(machine: Any, resets: tuple[datetime, datetime]) -> None:
    text = printed(machine, "--at-reset", "codex", "--format", "systemd", CODEX_HOME='/home/dev/a "b" 5%')
    service, timer = text.split("# ~/.config/systemd/user/tracker-codex.timer")
    assert service.startswith("# ~/.config/systemd/user/tracker-codex.service\n")
    assert 'Environment="CODEX_HOME=/home/dev/a \\"b\\" 5%%"\n' in service
    words = shlex.split(service.partition("ExecStart=")[2].splitlines()[0])
    assert words[:3] == [sys.executable, "-m", "tracker.cli"]
    assert words[-5:] == ["capture", "codex", "--phase", "auto", "--wait"]
    short, week = map(due, resets)
    assert f"OnCalendar={short:%Y-%m-%d %H:%M}:00 UTC\n" in timer
    assert f"OnCalendar={week:%a} *-*-* {week:%H:%M}:00 UTC\n" in timer
    assert "WantedBy=timers.target\n" in timer


def test_a_launchd_property_list(machine: Any, resets: tuple[datetime, datetime]) -> None:
    job = plistlib.loads(printed(machine, "--at-reset", "codex", "--format", "launchd").encode())
    short, week = map(due, resets)
    assert job["StartCalendarInterval"] == [
        {"Month": short.month, "Day": short.day, "Hour": short.hour, "Minute": short.minute},
        {"Weekday": week.isoweekday() % 7, "Hour": week.hour, "Minute": week.minute},
    ]
    assert job["ProgramArguments"][-2:] == ["auto", "--wait"]
    every = plistlib.loads(printed(machine, "codex", "--every", "15m", "--format", "launchd").encode())
    assert every["StartInterval"] == 900
    assert "name one provider" in error(machine, "--every", "15m", "--format", "launchd")


def test_no_key_is_printed(machine: Any) -> None:
    for form in ("cron", "systemd", "launchd"):
        done = machine("schedule", "print", "glm", "--every", "15m", "--format", form, TRACKER_GLM_KEY="k3y-secret")
        assert done.returncode == 0, done.stderr
        assert "k3y-secret" not in done.stdout + done.stderr
        assert "needs the key in the job's environment" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "give --every INTERVAL or --at-reset PROVIDER"),
        (["--every", "15m", "--at-reset", "codex"], "give --every INTERVAL or --at-reset PROVIDER"),
        (["claude", "--at-reset", "codex"], "--at-reset names codex"),
        (["codx", "--every", "15m"], "no provider 'codx'; did you mean codex?"),
    ],
)
def test_wrong_usage(machine: Any, arguments: list[str], why: str) -> None:
    assert why in error(machine, *arguments, status=2)


def test_nothing_is_installed_or_written(machine: Any) -> None:
    before = sorted(machine.folder.rglob("*"))
    printed(machine, "--every", "15m")
    assert sorted(machine.folder.rglob("*")) == before


def test_a_folder_that_no_schedule_can_name(machine: Any) -> None:
    assert "holds control characters" in error(machine, "--every", "15m", TRACKER_DATA_DIR="a\nb")
