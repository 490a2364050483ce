"""Which phase is captured, which reading is too old, and what is waited for."""

from __future__ import annotations

import io
import itertools
import json
import re
import time
from datetime import UTC, datetime, timedelta
from shutil import get_terminal_size
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from outcomes import ok, refused

from tracker.cli.main import main
from tracker.session import Session
from tracker_capture.wait import wait_until

# --- phases


def test_auto_is_before_and_then_after(machine: Any, event: Any) -> None:
    machine.rollout("a", event(10, age=60))
    assert ok(machine("capture", "codex")) == "stored codex before snapshot for W0-01 (awaiting end)\n"
    machine.rollout("a", event(12))
    assert ok(machine("capture", "codex")) == "stored codex after snapshot for W0-01 (ready to finalize)\n"
    assert ok(machine("capture", "codex")) == "stored codex before snapshot for W0-02 (awaiting end)\n"


def test_auto_ends_the_window_that_is_named(machine: Any, event: Any) -> None:
    machine.rollout("a", event(10, age=60))
    for window in ("W0-03", "W0-05"):
        ok(machine("capture", "codex", "--window", window))
    machine.rollout("a", event(20))
    assert "stored codex after snapshot for W0-03" in ok(machine("capture", "codex", "--window", "W0-03"))
    assert "stored codex before snapshot for W0-04" in ok(machine("capture", "codex", "--window", "W0-04"))


@pytest.mark.parametrize("window", ["$(touch x)", "dev@example.com", "", "W0-01\nx"])
def test_a_window_has_a_name_that_every_command_takes(machine: Any, event: Any, window: str) -> None:
    machine.rollout("a", event(10))
    assert "Invalid window id" in refused(machine("capture", "codex", "--window", window), 1)
    assert machine.rows() == []


def test_a_reading_of_the_future_is_no_answer(machine: Any, event: Any) -> None:
    """A container whose clock is fast wrote it: the next origin is asked, and no option that is not there is named."""
    machine.rollout("a", event(10, age=-1200))
    done = machine("capture", "codex")
    assert "min in the future (20" in done.stderr.partition("codex rollout: its reading is ")[2]
    assert "Z): check the clock of the machine that wrote it; trying app-server next" in done.stderr
    assert "--captured-at" not in refused(done)
    assert "check the clock of the machine" in refused(
        machine("capture", "codex", "--from", "stdin", stdin=event(10, -1200))
    )
    assert machine.rows() == []
    ok(machine("capture", "codex", "--from", "rollout", "--force"))


def test_auto_looks_at_this_lane_alone(machine: Any, event: Any) -> None:
    machine.rollout("a", event(10, age=60))
    ok(machine("capture", "codex", AGENT_ID="sub1"))
    assert "stored codex before" in ok(machine("capture", "codex", AGENT_ID="main"))
    machine.rollout("a", event(11))
    assert "stored codex after" in ok(machine("capture", "codex", AGENT_ID="sub1"))
    assert [row["notes"] for row in machine.rows()] == ["AGENT_ID=sub1", "AGENT_ID=main", "AGENT_ID=sub1"]


def test_auto_with_another_window_than_the_open_one_is_before(machine: Any, event: Any) -> None:
    machine.rollout("a", event(10, age=60))
    ok(machine("capture", "codex", "--window", "W0-07"))
    assert "before snapshot for W0-09" in ok(machine("capture", "codex", "--window", "W0-09"))
    machine.rollout("a", event(11))
    assert "after snapshot for W0-09" in ok(machine("capture", "codex", "--window", "W0-09", "--notes", "tidy"))
    assert machine.rows()[-1]["notes"] == "tidy"


def test_an_after_needs_a_before(machine: Any, event: Any) -> None:
    machine.rollout("a", event(10))
    assert "codex has no open window" in refused(machine("capture", "codex", "--phase", "after"))
    assert "W0-05 has no codex BEFORE" in refused(machine("capture", "codex", "--phase", "after", "--window", "W0-05"))
    assert machine.rows() == []


def test_the_aliases_capture_by_themselves(machine: Any, event: Any) -> None:
    machine.rollout("a", event(10, age=100))
    ok(machine("alias", "start", "codex", "--auto", "--window", "W0-19", "--notes", "n"))
    machine.rollout("a", event(15, age=50))
    crossed = ok(machine("alias", "cross", "codex", "--auto"))
    assert crossed == "stored codex after snapshot for W0-19 and seeded before snapshot for W0-20\n"
    machine.rollout("a", event(16))
    ok(machine("alias", "end", "codex", "--auto"))
    assert [(row["phase"], row["source"], row["origin"]) for row in machine.rows()] == [
        (phase, "automation", "rollout") for phase in ("before", "after", "before", "after")
    ]


@pytest.mark.parametrize("arguments", [["--stdin"], ["--file", "x"], ["--captured-at", "2026-01-01T00:00:00Z"]])
def test_an_automatic_capture_takes_no_text(machine: Any, arguments: list[str]) -> None:
    assert "--auto reads the meters now" in refused(machine("alias", "start", "codex", "--auto", *arguments), 2)


@pytest.mark.parametrize("option", ["--wait", "--stale-ok"])
def test_what_belongs_to_automatic_captures_says_so(machine: Any, option: str) -> None:
    assert "--wait and --stale-ok need --auto" in refused(machine("alias", "start", "codex", "--stdin", option), 2)


def test_a_dry_run_prints_the_record_and_writes_nothing(machine: Any, event: Any) -> None:
    machine.rollout("a", event(10))
    record = json.loads(ok(machine("capture", "codex", "--dry-run")))
    assert (record["origin"], record["source"]) == ("rollout", "automation")
    assert machine.rows() == []


def test_a_pane_on_stdin(machine: Any) -> None:
    pane = machine.screen("claude", "v2.1.330_base_max_110col").read_text()
    ok(machine("capture", "claude", "--from", "stdin", "--force", stdin=pane))
    [row] = machine.rows()
    assert (row["source"], row["origin"], row["age_s"]) == ("automation", "stdin", 0)
    assert row["raw_text"].startswith(pane[:20])
    assert "holds no claude reading" in refused(machine("capture", "claude", "--from", "stdin", stdin="nothing"))


def test_old_counts_on_stdin_are_no_after(machine: Any) -> None:
    counts = {"generated_at": "2026-01-10T08:00:00Z", "blocks": [{"window_id": "w", "prompts_used": 5}]}
    ok(machine("capture", "glm", "--from", "stdin", stdin=json.dumps(counts)))
    counts["generated_at"] = "2026-01-10T09:00:00Z"
    line = refused(machine("capture", "glm", "--from", "stdin", "--wait", stdin=json.dumps(counts)))
    assert line.startswith("error: glm stdin: its reading is ")
    assert line.endswith("more than 15 min (--stale-ok takes it). Nothing was stored.")
    ok(machine("capture", "glm", "--from", "stdin", "--stale-ok", stdin=json.dumps(counts)))


def test_an_origin_that_is_none(machine: Any) -> None:
    assert "codex has no origin 'rolout'. Did you mean rollout?" in refused(
        machine("capture", "codex", "--from", "rolout"), 2
    )
    assert "Missing provider." in refused(machine("capture"), 2)
    assert "Unknown source 'codx'" in refused(machine("capture", "codx"), 2)


# --- old readings


@pytest.fixture
def opened(machine: Any, event: Any) -> Any:
    """A machine with codex's window W0-01 open."""
    machine.rollout("a", event(10, age=7200))
    ok(machine("capture", "codex", "--from", "rollout"))
    return machine


def test_an_old_reading_is_no_after(opened: Any, event: Any) -> None:
    opened.rollout("a", event(20, age=16 * 60))
    line = refused(opened("capture", "codex", "--from", "rollout"))
    assert "its reading is 16 min old, more than 15 min (--stale-ok takes it). Nothing is left to try" in line
    assert len(opened.rows()) == 1
    ok(opened("capture", "codex", "--from", "rollout", "--stale-ok"))
    row = opened.rows()[-1]
    assert row["parsed"]["errors"] == ["stale-data"]
    assert 960 <= row["age_s"] <= 1020


def test_a_reading_of_fourteen_minutes_is_one(opened: Any, event: Any) -> None:
    opened.rollout("a", event(20, age=14 * 60))
    ok(opened("capture", "codex"))
    assert opened.rows()[-1]["parsed"]["errors"] == []


def test_how_old_is_a_setting(opened: Any, event: Any) -> None:
    (opened.folder / "tracker.toml").write_text("stale_minutes = 1\n")
    opened.rollout("a", event(20, age=90))
    assert "1 min old, more than 1 min" in refused(opened("capture", "codex", "--from", "rollout"))
    (opened.folder / "tracker.toml").write_text("stale_minutes = 2\n")
    ok(opened("capture", "codex"))


def test_an_old_reading_makes_the_next_origin_be_asked(opened: Any, event: Any) -> None:
    opened.rollout("a", event(20, age=3600))
    limits = {"rateLimits": {"limitId": "codex", "secondary": {"usedPercent": 25, "windowDurationMins": 10080}}}
    opened.program(
        "codex",
        "for line in sys.stdin:\n"
        "    message = json.loads(line)\n"
        f"    if 'id' in message: print(json.dumps({{'id': message['id'], 'result': {limits!r}}}), flush=True)\n",
    )
    done = opened("capture", "codex")
    ok(done)
    assert "codex rollout: its reading is 1 h 0 min old, more than 15 min (--stale-ok takes it); trying app-server" in (
        done.stderr
    )
    assert (opened.rows()[-1]["origin"], opened.rows()[-1]["parsed"]["weekly_pct"]) == ("app-server", 25)


@pytest.mark.parametrize(
    ("first", "other", "used", "origin"),
    [
        ("Current week (all models): 4", "40% used", 40, "print"),
        ("Current week (all models): 4", "4", None, "usage"),
    ],
)
def test_an_answer_that_lost_its_capacity_makes_the_next_origin_be_asked(
    machine: Any, first: str, other: str, used: float | None, origin: str
) -> None:
    """Where none has it, the first half counts. Without a word of the meter an answer is whole: plans lack it."""
    begin = "Current session: 12% used\n"
    texts = f"{begin}{first}", f"{begin}Current week (all models): {other}"
    machine.program("claude", f"print({texts[0]!r} if 'stream-json' in ' '.join(sys.argv) else {texts[1]!r})")
    done = machine("capture", "claude")
    ok(done)
    assert "warning: claude usage: it has no value for all_models; trying print next" in done.stderr
    [row] = machine.rows()
    assert (row["origin"], row["parsed"].get("all_models_pct"), row["parsed"]["session_pct"]) == (origin, used, 12)
    machine.program("claude", f"print({begin!r})")
    assert "trying print next" not in machine("capture", "claude", "--window", "W0-02").stderr


def test_a_reading_without_a_reset_is_over_by_none(machine: Any) -> None:
    """Also without a buffer: each was "older than the reset" of its own instant."""
    (machine.folder / "tracker.toml").write_text("buffer_minutes = 0\n")
    machine.program("claude", "print('Current session: 12% used\\nCurrent week (all models): 40% used')")
    ok(machine("capture", "claude"))
    assert machine.rows()[0]["parsed"]["all_models_pct"] == 40


def test_an_old_reading_is_a_before_with_a_warning(machine: Any, event: Any) -> None:
    machine.rollout("a", event(20, age=2 * 86_400 + 3600))
    done = machine("capture", "codex", "--from", "rollout")
    ok(done)
    assert "warning: the reading from rollout is 2 d 1 h old" in done.stderr
    assert machine.rows()[0]["parsed"]["errors"] == []


def test_numbers_whose_meters_were_all_reset_since_are_no_before(machine: Any, event: Any) -> None:
    """The window began with what was used before the reset, and had no capacity. One meter that runs on is enough."""
    now = time.time()
    for over, phase in itertools.product((2 * 86_400, 100), ("auto", "before")):  # also within the buffer
        machine.rollout("a", event(20, now=now - 3 * 86_400 - over))
        said = refused(machine("capture", "codex", "--from", "rollout", "--phase", phase))
        assert "codex rollout: its numbers are older than the reset at " in said
        assert "; codex has new ones once it is used" in said
    assert machine.rows() == []
    ok(machine("capture", "codex", "--from", "rollout", "--force"))
    machine.rollout("a", event(20, age=6 * 3600, now=now))
    ok(machine("capture", "codex", "--from", "rollout", "--phase", "before", "--window", "W0-02"))
    assert [row["parsed"]["weekly_pct"] for row in machine.rows()] == [20, 20]


def test_numbers_of_before_a_reset_are_an_after_of_work_that_ended_then(machine: Any, event: Any) -> None:
    (machine.folder / "tracker.toml").write_text("stale_minutes = 90\n")
    # both meters were reset 15 minutes ago
    days, since = 3 * 86_400, 3 * 86_400 + 900
    for used, age, more in ((20, 4200, ["--force"]), (24, 3600, [])):
        machine.rollout("a", event(used, age=age - since, now=time.time() - since, resets_in=days))
        ok(machine("capture", "codex", "--from", "rollout", *more))
    assert [(row["phase"], row["parsed"]["weekly_pct"]) for row in machine.rows()] == [("before", 20), ("after", 24)]


def test_a_clock_that_is_ahead_makes_no_negative_age(machine: Any, event: Any) -> None:
    machine.rollout("a", event(20, age=-240))
    ok(machine("capture", "codex"))
    assert machine.rows()[0]["age_s"] == 0


# --- the buffer after a reset


def test_no_after_within_the_buffer(machine: Any, event: Any) -> None:
    now = time.time()
    machine.rollout("a", event(10, age=60, now=now, resets_in=-5))
    ok(machine("capture", "codex"))
    machine.rollout("a", event(12, now=now, resets_in=3600))
    assert "The AFTER of codex comes too early" in refused(machine("capture", "codex"))
    assert len(machine.rows()) == 1


def test_numbers_from_within_the_buffer_are_no_after_once_it_is_over(machine: Any, event: Any) -> None:
    """Captured after the buffer, but read within it: the vendor lagged when the numbers were made."""
    now = time.time()
    machine.rollout("a", event(10, age=600, now=now, resets_in=-400))
    ok(machine("capture", "codex"))
    machine.rollout("a", event(12, age=300, now=now, resets_in=3600))
    line = refused(machine("capture", "codex", "--from", "rollout"))
    assert "its numbers are from " in line
    assert "within 5 min after the reset at " in line
    machine.rollout("a", event(12, age=50, now=now, resets_in=3600))
    ok(machine("capture", "codex"))


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = datetime.now(UTC)
        monkeypatch.setattr(Session, "now", property(lambda _session: self.now))
        # the module's own name: threads of other tests may still sleep
        monkeypatch.setattr("tracker_capture.wait.time", SimpleNamespace(sleep=self.sleep))

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def test_wait_waits_for_the_end_of_the_buffer_and_asks_then(
    machine: Any, event: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    machine.rollout("a", event(10, age=60, now=now, resets_in=-2))
    ok(machine("capture", "codex"))
    machine.rollout("a", event(12, age=-299, now=now, resets_in=3600))
    machine.enter()
    clock = Clock(monkeypatch)
    done = CliRunner().invoke(main, ["--data-dir", "data", "capture", "codex", "--wait", "--phase", "after"])
    assert done.exit_code == 0, done.output
    before, after = machine.rows()
    over = datetime.fromisoformat(before["parsed"]["fiveh_reset_at"]) + timedelta(minutes=5)
    assert datetime.fromisoformat(after["captured_at"]) == over == clock.now
    assert re.search(r"waiting 4:5\d until .*: a codex meter was reset at", done.stderr)
    assert machine.rows("anomalies") == []


def test_a_terminal_sees_a_countdown(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", screen)
    clock = Clock(monkeypatch)
    wait_until(Session(), clock.now + timedelta(seconds=61.5), "the vendor lags")
    drawn = screen.getvalue().split("\r\x1b[K")
    assert [drawn[1], drawn[2], drawn[-2]] == [f"waiting {at}: the vendor lags" for at in ("1:02", "1:01", "0:01")]
    assert drawn[0] == drawn[-1] == ""
    wait_until(Session(), clock.now + timedelta(seconds=2), "the vendor lags" * 20)
    assert len(screen.getvalue().split("\r\x1b[K")[-2]) == get_terminal_size().columns - 1


def test_wait_asks_an_origin_again_that_is_not_ready(machine: Any) -> None:
    text = machine.printed()
    empty = machine.screen("claude", "print_v2.1.330_slow_max_110col").read_text()
    machine.program(
        "claude",
        "asked = os.path.exists('asked') and open('asked').read()\n"
        "open('asked', 'a').write('x')\n"
        f"print({text!r} if asked == 'xx' else {empty!r})",
    )
    done = machine("capture", "claude", "--from", "print", "--wait", TRACKER_RETRY_SECONDS="0.01")
    ok(done)
    assert (machine.folder / "asked").read_text() == "xxx"
    assert done.stderr.count("claude print: usage-not-loaded") == 1
    assert "Asking again every 0.01 s." in done.stderr


def test_what_cannot_become_ready_is_not_waited_for(machine: Any) -> None:
    assert "Also tried: usage, print, statusline." in refused(
        machine("capture", "claude", "--wait", TRACKER_RETRY_SECONDS="1000")
    )


def test_waiting_ends(machine: Any) -> None:
    machine.program("claude", "open('asked', 'a').write('x'); print('Unknown skill: usage')")
    done = machine("capture", "claude", "--from", "print", "--wait", TRACKER_RETRY_SECONDS="0")
    assert "it said 'Unknown skill: usage'" in refused(done)
    assert len((machine.folder / "asked").read_text()) == 40


# --- what there is


def test_the_list_says_what_each_origin_would_answer(machine: Any, event: Any) -> None:
    machine.rollout("a", event(64, age=130))
    lines = ok(machine("capture", "--list")).splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["claude", "usage"],
        ["claude", "print"],
        ["claude", "statusline"],
        ["claude", "transcript"],
        ["codex", "rollout"],
        ["codex", "app-server"],
        ["glm", "quota"],
    ]
    assert lines[4] == "codex rollout (Codex's session files): fiveh=11% weekly=64%, 2 min old"
    assert lines[5].startswith("codex app-server (codex app-server): no reading: codex is not on the PATH; ")
    assert not (machine.folder / "data").exists()


def test_the_list_is_there_for_programs(machine: Any, event: Any) -> None:
    machine.rollout("a", event(64, age=130))
    rollout, server = json.loads(ok(machine("capture", "codex", "--list", "--json")))
    assert (rollout["source"], rollout["origin"], rollout["parsed"]["weekly_pct"]) == ("codex", "rollout", 64)
    assert 130 <= rollout["age_s"] <= 190
    assert (server["parsed"], server["age_s"]) == (None, None)
    assert server["why_not"].startswith("codex is not on the PATH")
