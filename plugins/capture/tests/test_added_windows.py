"""`tracker windows add` near and across resets: what is refused, and what the parts of a floored meter add up to."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from outcomes import ok, refused

from tracker.api import Gauge
from tracker.session import Session
from tracker_capture import windows
from tracker_capture.ends import End
from tracker_capture.readings import Sample
from tracker_capture.windows import Draft

NOW = datetime.now(UTC).replace(microsecond=0)
WEEK = timedelta(days=7)


@pytest.fixture(autouse=True)
def now() -> None:
    """The suite may take longer than a reading stays fresh."""
    globals()["NOW"] = datetime.now(UTC).replace(microsecond=0)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def limits(age: float, fiveh: float, weekly: float, fiveh_age: float, weekly_age: float = -3000) -> str:
    """A line of a session file: both meters, and how many minutes ago each is reset."""
    ends = (("primary", fiveh, 300, fiveh_age), ("secondary", weekly, 10080, weekly_age))
    windows = {
        name: {"used_percent": used, "window_minutes": length, "resets_at": int(ago(end).timestamp())}
        for name, used, length, end in ends
    }
    payload = {"type": "token_count", "info": None, "rate_limits": {"limit_id": "codex", **windows}}
    return json.dumps({"timestamp": ago(age).isoformat(), "type": "event_msg", "payload": payload})


def end_at(provider: str, meter: str, used: float, at: datetime, reset_at: datetime) -> End:
    """The end of a window at the very instant of a reading."""
    gauges = {meter: Gauge(meter=meter, used=used, reset_at=reset_at)}
    sample = Sample(provider=provider, origin="history", gauges=gauges, at=at, until=at)
    return End(sample=sample, at=at, wanted=at, edge=at)


def add(machine: Any, window: str, start: float, end: float, *words: str) -> Any:
    times = ("--from", ago(start).isoformat(), "--to", ago(end).isoformat())
    return machine("windows", "add", window, *times, *words)


def test_a_forgotten_before_names_the_commands_that_make_its_window(machine: Any) -> None:
    machine.rollout("a", limits(70, 50, 10, -100), limits(9, 60, 12, -100))
    why = refused(machine("capture", "codex", "--phase", "after"))
    sync, made = re.findall("`tracker ([^`]*)`", why)[:2]
    assert (sync, made) == ("sync", "windows add W0-01 --from TIME --to TIME --provider codex")
    ok(machine(sync))
    for minutes in (70, 9):
        made = made.replace("TIME", ago(minutes).isoformat(), 1)
    ok(machine(*made.split()))
    assert "capacity=2 pp" in ok(machine("complete", "--window", "W0-01", "--codex-features", "1"))


def test_an_after_in_the_buffer_of_the_before_s_reset_is_refused_before_anything_is_stored(machine: Any) -> None:
    readings = [limits(70, 50, 10, 10), limits(9, 50, 12, -290), limits(1, 2, 13, -290)]
    machine.rollout("a", *readings)
    ok(machine("sync"))
    assert "too closely: the vendor lags. Choose a later --to." in refused(add(machine, "W1", 70, 9))
    assert machine.rows() == []
    ok(add(machine, "W1", 70, 1))
    assert [row["phase"] for row in machine.rows()] == ["before", "after"]


def test_a_reset_without_a_reading_close_before_it_needs_consent(machine: Any) -> None:
    """Stored as it was, the window could never be finalized, and its cure was to take it back."""
    before = [limits(minutes, 1, used, -200, 1800) for minutes, used in ((3000, 74), (2400, 80), (1860, 88))]
    after = [limits(minutes, 1, used, -200, 1800 - 10080) for minutes, used in ((1740, 2), (1500, 6), (1200, 11))]
    machine.rollout("a", *before, *after)
    ok(machine("sync"))
    why = refused(add(machine, "W1", 3000, 1200))
    assert "codex has no reading within 15 min before the reset of weekly at " in why
    assert "and shows 88%. Use --stale-ok to take it. Nothing was stored." in why
    assert machine.rows() == []
    done = add(machine, "W1", 3000, 1200, "--stale-ok")
    assert "25% is the sum of the parts; up to 12% more may be missing" in done.stderr
    assert "capacity=25 pp" in ok(machine("complete", "--window", "W1", "--codex-features", "1"))


@pytest.mark.parametrize(("last", "capacity"), [(5, "17.5"), (0, "12.5")])
def test_floored_readings_of_both_sides_of_a_reset_stand_for_half_a_point_more(
    machine: Any, last: int, capacity: str
) -> None:
    """As in every window: 40 to 52 is 12, and from a reset to 5 it is 5.5."""
    reset = NOW.replace(minute=0, second=0) - timedelta(hours=3)
    readings = ((-180, 40, reset), (-10, 52, reset), (60, last, reset + WEEK))
    for minutes, used, end in readings:
        shown = f"{end:%b} {end.day}, {end.hour % 12 or 12}{'pm' if end.hour >= 12 else 'am'} (UTC)"
        pane = f"  Current week (all models)\n  {used}% used\n  Resets {shown}\n"
        at = (reset + timedelta(minutes=minutes)).isoformat()
        ok(machine("start", "claude", "--stdin", "--window", f"A{minutes + 180}", "--captured-at", at, stdin=pane))
    times = ("--from", (reset - timedelta(hours=3)).isoformat(), "--to", (reset + timedelta(hours=1)).isoformat())
    ok(machine("windows", "add", "W1", "--provider", "claude", *times))
    assert f"capacity={capacity} pp" in ok(machine("complete", "--window", "W1", "--claude-features", "2"))


@pytest.mark.parametrize(("minutes", "first", "moved"), [(2, 0, 5.5), (60, 0, 5), (2, 1, 4)])
def test_a_proposal_has_the_half_point_of_a_window_that_begins_at_a_reset(
    minutes: float, first: int, moved: float
) -> None:
    source, reset = Session().source("claude"), NOW - timedelta(days=1)
    ends = [
        end_at("claude", "all_models", used, at, reset + WEEK)
        for used, at in ((first, reset + timedelta(minutes=minutes)), (5, reset + timedelta(hours=5)))
    ]
    assert windows.moved(Draft(source=source, before=ends[0], after=ends[1], parts={})) == {"all_models": moved}


@pytest.mark.parametrize("window", ["../x y", "a@b.com", "$(touch pwned)"])
def test_a_name_that_no_other_command_takes_is_refused(machine: Any, window: str) -> None:
    machine.rollout("a", limits(70, 50, 10, -200), limits(9, 50, 12, -200))
    ok(machine("sync"))
    assert f"Invalid window id {window!r}." in refused(add(machine, window, 70, 9))
    assert machine.rows() == []


def test_a_capture_goes_past_the_window_that_was_added(machine: Any) -> None:
    """Its BEFORE of now went into yesterday's window, and the AFTER replaced what was measured there."""
    machine.rollout("a", limits(70, 50, 10, -200), limits(9, 50, 12, -200))
    ok(machine("sync"))
    shown = f">_ OpenAI Codex (v0.169.0)\n  Weekly limit: 80% left (resets {NOW + WEEK / 2:%H:%M on %-d %b})\n"
    for verb in ("start", "end"):
        assert " for W0-01 " in ok(machine(verb, "codex", "--stdin", stdin=shown))
    ok(add(machine, "W0-02", 70, 9))
    assert " for W0-03 " in ok(machine("start", "codex", "--stdin", stdin=shown))


def test_a_proposal_says_nothing_of_a_meter_whose_reset_no_reading_was_close_to() -> None:
    """0 before a reset and 4 behind it was shown as 4, though up to 100 may have been used in between."""
    source, reset = Session().source("codex"), NOW - timedelta(days=1)
    ends = [
        end_at("codex", "fiveh", used, at, end)
        for used, at, end in (
            (0, reset - timedelta(hours=2), reset),
            (4, reset + timedelta(hours=1), reset + timedelta(hours=5)),
        )
    ]
    assert windows.moved(Draft(source=source, before=ends[0], after=ends[1], parts={})) == {}
