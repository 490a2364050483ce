"""`tracker statusline`: a line for a prompt, whatever happens; and the reading that it keeps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tracker.api import Gauge, Meter, Reading, StatusSource
from tracker.errors import Busy
from tracker.session import Session
from tracker_capture import statusline

NOW = int(time.time())


@pytest.fixture
def machine(machine_of_processes: Any) -> Any:
    """The line is read from a pipe."""
    return machine_of_processes


def handed(session: float | None = 42.5, week: float | None = 64, **more: Any) -> str:
    """What Claude Code hands its status-line command, as far as it matters here."""
    limits = {}
    if session is not None:
        limits["five_hour"] = {"used_percentage": session, "resets_at": NOW + 3600}
    if week is not None:
        limits["seven_day"] = {"used_percentage": week, "resets_at": NOW + 3 * 86_400}
    here = {"session_id": "5e55", "transcript_path": "/home/dev/secret.jsonl", "cwd": "/home/dev/code/acme"}
    return json.dumps(here | {"model": {"id": "x"}, "version": "2.1.330", "rate_limits": limits} | more)


def line(machine: Any, text: str | bytes, *arguments: str, **extra: str) -> str:
    """The one line; never an error, never a word on stderr."""
    done = machine("statusline", *arguments, stdin=text, **extra)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\n")
    assert done.stdout.count("\n") == 1
    return str(done.stdout[:-1])


def clock(seconds: int, form: str = "%H:%M") -> str:
    return time.strftime(form, time.gmtime(NOW + seconds))


def kept(machine: Any) -> Path:
    path: Path = machine.folder / "data" / "state" / ".statusline" / "claude.json"
    return path


def test_the_line_has_meters_resets_and_the_open_window(machine: Any) -> None:
    week = clock(3 * 86_400, "%a %H:%M")
    meters = f"session 42.5%, resets {clock(3600)} | all models 64%, resets {week}"
    assert line(machine, handed()) == meters
    machine("override", "claude", "--window", "W0-20", "--phase", "before", "--all-models-pct", "60")
    assert line(machine, handed()) == f"{meters} | W0-20 open"
    assert line(machine, handed(), AGENT_ID="sub1") == meters


def test_a_count_is_no_percentage(tmp_path: Path) -> None:
    source = StatusSource(
        contract="1.2", name="orb", title="Orb", prefix="orb", meters=(Meter(key="month", title="M", unit="credits"),)
    )
    session = Session()
    session.data_dir = tmp_path
    reading = Reading(gauges=(Gauge(meter="month", used=1234),))
    assert (
        statusline.text(session, statusline.LastReading(source=source, reading=reading, at=session.now))
        == "month 1234 credits"
    )


def test_times_are_those_of_the_configured_zone(machine: Any) -> None:
    (machine.folder / "tracker.toml").write_text('timezone = "Asia/Kolkata"\n')
    assert f"resets {clock(3600 + 19_800)}" in line(machine, handed(week=None))


def test_the_reading_is_kept_with_its_time_and_nothing_else_of_what_was_handed_over(machine: Any) -> None:
    line(machine, handed())
    state = json.loads(kept(machine).read_text())
    assert state["provider"] == "claude"
    assert state["captured_at"].startswith("20")
    assert (state["parsed"]["session_pct"], state["parsed"]["all_models_pct"]) == (42.5, 64)
    assert "secret" not in kept(machine).read_text()
    assert "acme" not in kept(machine).read_text()
    assert kept(machine).stat().st_mode & 0o077 == 0


def test_a_capture_reads_what_was_kept(machine: Any) -> None:
    line(machine, handed(session=7))
    state = json.loads(kept(machine).read_text())
    kept(machine).write_text(json.dumps(state | {"captured_at": _iso(time.time() - 120)}))
    done = machine("capture", "claude")
    assert done.returncode == 0, done.stderr
    assert "warning: claude usage: claude is not on the PATH" in done.stderr
    [row] = machine.rows()
    assert (row["origin"], row["source"], row["raw_text"]) == ("statusline", "automation", None)
    assert 120 <= row["age_s"] <= 180
    assert row["parsed"]["session_pct"] == 7


def test_what_was_used_before_a_reset_is_no_capture_and_no_reading_of_now(machine: Any) -> None:
    """An idle client hands its old values over on every redraw. Pasted they are refused."""
    limits = {name: {"used_percentage": 64, "resets_at": NOW - 900} for name in ("five_hour", "seven_day")}
    line(machine, handed(rate_limits=limits))
    done = machine("capture", "claude", "--from", "statusline")
    assert done.returncode == 1
    assert "claude statusline: its numbers are older than the reset at " in done.stderr
    assert (machine.rows(), machine.rows("readings")) == ([], [])
    limits["seven_day"]["resets_at"] = NOW + 86_400
    line(machine, handed(rate_limits=limits))
    assert [*machine.rows("readings")[0]["parsed"]][:1] == ["all_models_used"]
    assert machine("capture", "claude", "--from", "statusline").returncode == 0
    assert machine.rows()[0]["parsed"]["errors"] == ["reset-over:session"]


def _iso(instant: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instant))


def test_what_was_kept_is_shown_with_its_age_where_nothing_new_is_said(machine: Any) -> None:
    line(machine, handed())
    state = json.loads(kept(machine).read_text())
    kept(machine).write_text(json.dumps(state | {"captured_at": _iso(time.time() - 12 * 60 - 5)}))
    for text in (handed(None, None), "", "{}", "no JSON", handed(1_795_335_740, None)):
        shown = line(machine, text)
        assert shown.startswith("session 42.5%, resets ")
        assert shown.endswith("| 12 min ago")
    assert json.loads(kept(machine).read_text())["parsed"] == state["parsed"]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "{",
            "[]",
            "null",
            "{}",
            '{"rate_limits": null}',
            '{"rate_limits": {"five_hour": {"used_percentage": "x"}}}',
        ),
        *(handed(None, None), handed(-3, 1e300), "\x1b[2J\x07", "[" * 100_000, "9" * 2_000_000),
        b"\xff\xfe\x00",
    ],
    ids=range(13),
)
def test_nonsense_makes_an_empty_line(tmp_path: Path, text: str | bytes) -> None:
    session = Session()
    session.data_dir = tmp_path
    data = text.encode() if isinstance(text, str) else text
    assert statusline.text(session, statusline.take(session, data)) == ""


def test_it_waits_for_no_lock(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads the line up to its end, such as a shell, waited for as long. The next line adds the row."""
    machine.enter()
    mine, other = Session(), Session()
    mine.data_dir = other.data_dir = machine.folder / "data"
    found = statusline.take(mine, handed().encode())
    assert found is not None
    with other.journal.lock():
        monkeypatch.setattr("tracker.journal.journal.time.sleep", lambda _: pytest.fail("it waits"))
        with pytest.raises(Busy):
            statusline.sample(mine, found)
    again = statusline.take(mine, handed().encode())
    assert again is not None
    statusline.sample(mine, again)
    assert len(machine.rows("readings")) == 1


def test_more_than_anybody_hands_over_is_not_read(machine: Any) -> None:
    assert line(machine, handed() + " " * 2_000_000) == ""


def test_what_is_kept_may_be_spoiled(machine: Any) -> None:
    line(machine, handed())
    for text in ("", "[1]", '{"captured_at": 5}', '{"captured_at": "2026-01-01T00:00:00Z", "parsed": []}', "\0"):
        kept(machine).write_text(text)
        assert line(machine, "") == ""
    state = machine.folder / "data" / "state" / "claude.json"
    state.write_text('{"open": true, "window": 7}')
    assert "open" not in line(machine, handed())


def test_what_is_wrong_makes_a_short_line(machine: Any) -> None:
    (machine.folder / "tracker.toml").write_text("timezone = nowhere")
    assert line(machine, handed()).startswith("tracker: ")
    assert len(line(machine, handed())) <= 100
    (machine.folder / "tracker.toml").unlink()
    assert line(machine, handed(), AGENT_ID="../..").startswith("tracker: Invalid AGENT_ID '../..'")


def test_a_place_that_cannot_be_written_does_no_harm(machine: Any) -> None:
    (machine.folder / "data").write_text("a file")
    assert line(machine, handed()).startswith("session 42.5%")


def test_options_that_are_none_and_broken_plugins_do_no_harm(machine: Any) -> None:
    assert line(machine, handed(), "--padding", "3", "x").startswith("session 42.5%")
    assert line(machine, handed(), TRACKER_DISABLE_PLUGINS="claude") == ""


def test_no_data_directory_is_made_where_nobody_named_one(machine: Any) -> None:
    shown = line(machine, handed(), TRACKER_DATA_DIR="")
    assert shown.startswith("session 42.5%")
    assert not (machine.folder / "data").exists()
    (machine.folder / "data" / "week0" / "live").mkdir(parents=True)
    line(machine, handed(), TRACKER_DATA_DIR="")
    assert (machine.folder / "data" / "week0" / "live" / "state" / ".statusline" / "claude.json").exists()


def test_a_pipe_that_stays_open_is_not_waited_for(machine: Any) -> None:
    with machine.process("statusline", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(handed().encode())
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"session 42.5%")
        assert process.wait(60) == 0


def test_nobody_need_read_the_line(machine: Any) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with machine.process("statusline", stdin=subprocess.PIPE, stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        _, errors = process.communicate(handed().encode())
    assert (process.returncode, errors) == (0, b"")


def test_it_needs_none_of_what_other_commands_need(machine: Any) -> None:
    """What would cost its time: measured by benchmarks/capture.py, kept out here."""
    code = (
        "import sys; from tracker.cli.main import main; main(['statusline'], standalone_mode=False);"
        " print(*sys.modules, file=sys.stderr)"
    )
    line(machine, handed())  # the first one goes into the history, under the lock
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=handed(),
        capture_output=True,
        text=True,
        cwd=machine.folder,
        env=os.environ | machine.environment | {"TRACKER_DATA_DIR": str(machine.folder / "data")},
        check=True,
    )
    heavy = {"sqlite3", "cattrs", "scipy", "numpy", "pyte", "urllib.request", "subprocess", "asyncio"}
    assert not heavy & set(done.stderr.split())


def test_nothing_is_replaced_through_a_link(machine: Any) -> None:
    elsewhere = machine.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "claude.json").write_text("mine")
    kept(machine).parent.parent.mkdir(parents=True)
    kept(machine).parent.symlink_to(elsewhere)
    assert line(machine, handed()).startswith("session 42.5%")
    assert (elsewhere / "claude.json").read_text() == "mine"
