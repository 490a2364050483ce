"""`tracker schedule print`: what cron, systemd and launchd are told."""

from __future__ import annotations

import json
import plistlib
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest


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


def test_one_job_samples_every_provider(machine: Any) -> None:
    [line] = jobs(printed(machine))
    assert line.startswith("*/15 * * * * cd ")
    assert line.endswith(" --quiet capture --sample --all")
    [line] = jobs(printed(machine, "codex", "--every", "2h"))
    assert line.startswith("0 */2 * * * cd ")
    assert line.endswith(" capture --sample codex")


def test_the_line_runs_in_a_bare_shell_and_opens_no_window(machine: Any, event: Any) -> None:
    """As cron runs it: `sh -c` with nothing in the environment, `\\%` for `%`."""
    odd = machine.folder / "it's 100% odd"
    odd.mkdir()
    machine.rollout("a", event(33))
    (machine.home / ".codex").rename(odd / "codex home")
    extra = {"CODEX_HOME": str(odd / "codex home"), "TRACKER_DATA_DIR": str(odd / "data")}
    [line] = jobs(printed(machine, "codex", "--every", "1h", **extra))
    command = line.removeprefix("0 */1 * * * ").replace("\\%", "%")
    assert line.count("%") == line.count("\\%") == 2
    done = subprocess.run(["/bin/sh", "-c", command], env={"HOME": "/"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    [row] = [json.loads(found) for found in (odd / "data" / "readings.jsonl").read_text().splitlines()]
    assert (row["provider"], row["window"], row["parsed"]["weekly_used"]) == ("codex", None, 33)
    assert not (odd / "data" / "snapshots.jsonl").exists()


def test_a_command_that_cron_does_not_take_has_the_folders_of_its_programs_alone(machine: Any) -> None:
    """A PATH with another system's folders: "command too long", after other things had been set up."""
    machine.program("codex", "")
    path = ":".join([*(f"/mnt/c/Program Files/Vendor {at}/bin" for at in range(40)), str(machine.bin)])
    [line] = jobs(printed(machine, PATH=path))
    assert f" PATH={machine.bin}:/usr/local/bin:/usr/bin:/bin " in line
    assert len(line.partition("cd ")[2]) < 995
    assert path in printed(machine, "--format", "launchd", PATH=path)
    said = error(machine, CODEX_HOME=f"/{'long' * 250}")
    assert re.fullmatch(r"error: cron takes at most 998 bytes; this command has 1\d{3}. Use --format systemd.", said)


def test_intervals(machine: Any) -> None:
    for every, when in (("5m", "*/5 * * * *"), ("60m", "0 */1 * * *"), ("2h", "0 */2 * * *"), ("1d", "0 0 * * *")):
        assert jobs(printed(machine, "codex", "--every", every))[0].startswith(f"{when} cd ")
    for every in ("7m", "5h"):
        assert "or --format systemd" in error(machine, "codex", "--every", every)
        assert "OnUnitActiveSec=" in printed(machine, "codex", "--every", every, "--format", "systemd")
    for every in ("0m", "15", "8d", "1.5h"):
        assert "Expected 15m, 2h or 1d" in error(machine, f"--every={every}", status=2)


def test_a_systemd_pair(machine: Any) -> None:
    text = printed(machine, "--format", "systemd", CODEX_HOME='/home/dev/a "b" 5%')
    label = text.partition(".service")[0].rpartition("/")[2]
    service, timer = text.split(f"# ~/.config/systemd/user/{label}.timer")
    assert 'Environment="CODEX_HOME=/home/dev/a \\"b\\" 5%%"\n' in service
    words = shlex.split(service.partition("ExecStart=")[2].splitlines()[0])
    assert words[:3] == [sys.executable, "-m", "tracker.cli"]
    assert words[-3:] == ["capture", "--sample", "--all"]
    assert "OnUnitActiveSec=15min\n" in timer
    assert "WantedBy=timers.target\n" in timer


def test_a_launchd_property_list(machine: Any) -> None:
    job = plistlib.loads(printed(machine, "--format", "launchd").encode())
    assert (job["StartInterval"], job["ProgramArguments"][-1]) == (900, "--all")
    assert re.fullmatch(r"tracker\.sample\.[0-9a-f]{8}", job["Label"])


def test_each_job_has_a_name_of_its_own(machine: Any) -> None:
    """One that was installed later replaced another provider's, or another project's, without a word."""
    names = set()
    for words in (("codex",), ("claude",), ()):
        for root in ("one", "two"):
            text = printed(machine, *words, "--format", "systemd", TRACKER_DATA_DIR=root)
            names.update(re.findall(r"user/(tracker-sample\S+)\.service", text))
    assert len(names) == 6
    assert sum(name.startswith("tracker-sample-codex-") for name in names) == 2


def test_a_quiet_sample_says_nothing_of_what_is_not_set_up(machine: Any, event: Any) -> None:
    """A job mailed the same at every run."""
    machine.rollout("a", event(33))
    done = machine("--quiet", "capture", "--sample", "--all")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "glm quota: it is off until the environment" in machine("capture", "--sample", "--all").stderr
    # what is set up and fails is said, as is that nothing answers
    wrong = {"TRACKER_GLM_KEY": "k3y", "TRACKER_GLM_URL": "http://example.com"}
    assert "a key is not sent unencrypted" in machine("--quiet", "capture", "--sample", "--all", **wrong).stderr
    nobody = machine("--quiet", "capture", "--sample", "--all", HOME="/nonexistent")
    assert nobody.returncode == 1
    assert "glm quota: it is off until" in nobody.stderr


def test_no_key_is_printed_and_nothing_is_written(machine: Any) -> None:
    before = sorted(machine.folder.rglob("*"))
    for form in ("cron", "systemd", "launchd"):
        done = machine("schedule", "print", "--format", form, TRACKER_GLM_KEY="k3y-secret")
        assert done.returncode == 0, done.stderr
        assert "k3y-secret" not in done.stdout + done.stderr
        assert "note: glm quota needs the key in the job's environment" in done.stderr
    assert sorted(machine.folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "extra", "status", "why"),
    [
        (["codx"], {}, 2, "Unknown provider 'codx'. Did you mean codex?"),
        ([], {"TRACKER_DATA_DIR": "a\nb"}, 1, "contains control characters"),
    ],
)
def test_what_is_refused(machine: Any, arguments: list[str], extra: dict[str, str], status: int, why: str) -> None:
    assert why in error(machine, *arguments, status=status, **extra)
