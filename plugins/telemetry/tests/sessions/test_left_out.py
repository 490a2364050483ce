"""Requests whose time is not known: what cannot be told to be asked for is named."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from tracker.api import Period
from tracker.session import Session
from tracker_telemetry.sessions.today import panel

Make = Callable[..., str]
PANE = "  Current session: {0}% used\n  Current week (all models): {0}% used\n"
NO_TIME, ONLY_DAYS = "no time can be read", "only the day is known"


def left_out(home: Any, *arguments: str) -> tuple[int, dict[str, int]]:
    """How many requests count, and of which something is said."""
    found = home.usage(*arguments)
    kinds = ("left_out", "undated")
    return found["totals"]["requests"], {
        one["detail"]: one["count"] for one in found["missing"] if one["kind"] in kinds
    }


def test_a_request_without_a_time_is_in_no_period(home: Any, message: Make) -> None:
    (home.projects / "s1.jsonl").write_text(message("a", timestamp="noon") + message("b") + message("c", minute=1))
    for by in ("daily", "weekly", "monthly"):
        assert left_out(home, by) == (3, {NO_TIME: 1})
        assert left_out(home, by, "--last", "1") == (2, {f"{NO_TIME}: claude": 1})
        assert left_out(home, by, "--last", "2") == (3, {NO_TIME: 1})
    assert left_out(home, "model") == (3, {})
    for limit in (("--since", "2000-01-01"), ("--until", "2099-01-01"), ("--since", "2026-11-20T10:00:30Z")):
        for by in ("daily", "model", "window"):
            assert left_out(home, by, *limit) == (1 if "T" in limit[1] else 2, {f"{NO_TIME}: claude": 1})
    done = home.run("usage", "--since", "2000-01-01")
    assert "missing: 1 request left out, since no time can be read: claude\n" in done.stderr
    assert "missing: 1 request in no period, since no time can be read\n" in home.run("usage").stderr


CUT = {f"{ONLY_DAYS}: claude": 1}


# what an older version left are days in UTC, of which the last requests were at 10 o'clock: from 16 to 2 o'clock in
# Los Angeles
@pytest.mark.parametrize(
    ("zone", "limits", "expected", "count"),
    [
        ("UTC", "--since 2026-11-20", (2, {}), 2),
        ("UTC", "--since 2026-11-21 --until 2026-11-21", (0, {}), 0),
        ("UTC", "--since 2026-11-20T00:01", (1, CUT), 2),
        ("UTC", "--until 2026-11-22T12:00", (2, {}), 2),
        ("UTC", "--until 2026-11-22T09:00", (1, CUT), 1),
        ("Pacific/Auckland", "--since 2026-11-20 --until 2026-11-22", (2, {}), 2),
        ("Pacific/Auckland", "--since 2026-11-20T14:00", (1, CUT), 2),
        ("America/Los_Angeles", "--since 2026-11-19", (2, {}), 2),
        ("America/Los_Angeles", "--since 2026-11-20", (1, CUT), 2),
        ("America/Los_Angeles", "--since 2026-11-21 --until 2026-11-21", (0, CUT), 0),
        ("America/Los_Angeles", "--since 2026-11-20T02:01 --until 2026-11-21T15:59", (0, {}), 0),
    ],
)
def test_a_day_that_is_cut_is_named_if_only_its_totals_are_left(
    home: Any, message: Make, zone: str, limits: str, expected: Any, count: int
) -> None:
    """Whose first request was made behind the cut is whole."""
    only_totals(home, message("a") + message("b", timestamp="2026-11-22T10:00:00Z", sessionId="s2"))
    asked = ("daily", "--timezone", zone)
    assert left_out(home, *asked) == (2, {})
    assert left_out(home, *asked, *limits.split()) == (count, {})
    as_an_older_version(home)
    assert left_out(home, *asked) == (2, {})
    assert left_out(home, *asked, *limits.split()) == expected


def test_days_in_utc_are_said_to_be_so_where_they_may_be_others(home: Any, message: Make) -> None:
    """In New York it was the evening before until 19 o'clock, and nothing tells when on its day the first was made."""
    evening, noon = "2026-11-21T01:10:00Z", "2026-11-22T12:00:00Z"
    only_totals(home, message("a", timestamp=evening) + message("b", timestamp=noon, sessionId="s2"))
    [missing] = home.usage("--timezone", "America/New_York")["missing"]
    assert not missing["detail"].endswith("another one")
    as_an_older_version(home)
    for zone, days, is_said in (
        ("UTC", {"2026-11-21", "2026-11-22"}, False),
        ("America/New_York", {"2026-11-20", "2026-11-22"}, True),
        ("Asia/Tokyo", {"2026-11-21", "2026-11-22"}, False),
    ):
        found = home.usage("--timezone", zone)
        assert {row["period"] for row in found["rows"]} == days
        [missing] = found["missing"]
        assert missing["count"] == 2
        assert missing["detail"].endswith(", each on its UTC day, which may differ from yours") == is_said
        for by in ("monthly", "project"):
            assert not home.usage(by, "--timezone", zone)["missing"][0]["detail"].endswith("another one")


@pytest.mark.parametrize(
    ("zone", "counts"),
    # the first one was made on the evening of the 20th in New York, and the second one there on the 21st or the 22nd
    [("UTC", [0, 1, 1]), ("America/New_York", [1, 0, 1]), ("Asia/Tokyo", [0, 1, 1])],
)
def test_today_has_the_totals_of_the_days_that_usage_shows(
    home: Any, message: Make, monkeypatch: pytest.MonkeyPatch, zone: str, counts: list[int]
) -> None:
    evening, noon = "2026-11-21T01:10:00Z", "2026-11-22T12:00:00Z"
    only_totals(home, message("a", timestamp=evening) + message("b", timestamp=noon, sessionId="s2"))
    monkeypatch.setenv("HOME", str(home.folder))
    session = Session()
    session.data_dir = home.data
    midnights = (datetime(2026, 11, day, tzinfo=ZoneInfo(zone)) for day in range(20, 24))
    periods = (Period(since=since, until=until, names=("today",)) for since, until in pairwise(midnights))
    assert [sum(cast("int", row["requests"]) for row in panel(session, one).rows) for one in periods] == counts


def test_what_no_day_names_is_of_none(home: Any, message: Make) -> None:
    """As an edited line may have it."""
    words = ("--window", "W1", "--force", "--captured-at", "2026-11-20T10:00:00Z")
    assert home.run("alias", "start", "claude", "--stdin", *words, stdin=PANE.format(1)).exit_code == 0
    only_totals(home, message("a"))
    path = home.data / "claude_sessions.jsonl"
    text = path.read_text()
    for day in ("yesterday", "0001-01-01", "9999-12-31"):
        path.write_text(text.replace('"day":"2026-11-20"', f'"day":"{day}"'))
        for limits in ((), ("--since", "2026-11-01"), ("--timezone", "America/New_York")):
            found = home.usage(*limits)
            left = {one["kind"]: one["count"] for one in found["missing"]}
            assert (found["totals"]["requests"], left) == (
                (0, {"left_out": 1}) if "--since" in limits else (1, {"deleted": 1, "undated": 1})
            )
        assert home.run("windows").exit_code == 0


def only_totals(home: Any, rows: str) -> None:
    """Only the daily totals of these are left."""
    log = home.projects / "s1.jsonl"
    log.write_text(rows)
    assert home.total()[0] == rows.count("\n")
    log.unlink()
    shutil.rmtree(home.data / ".index")


def as_an_older_version(home: Any) -> None:
    """Its totals do not say when the first request was made."""
    path = home.data / "claude_sessions.jsonl"
    text, count = re.subn(r'"since":[0-9.]+,', "", path.read_text())
    assert count == text.count('"usage"')
    path.write_text(text)
    shutil.rmtree(home.data / ".index")


def test_what_may_be_of_a_window_that_is_asked_for_is_named(home: Any, message: Make) -> None:
    for window, day in (("W1", 20), ("W2", 22)):
        for minute, phase in ((0, "start"), (30, "end")):
            words = ("--window", window, "--force", "--captured-at", f"2026-11-{day}T10:{minute:02}:00Z")
            done = home.run("--agent", window, "alias", phase, "claude", "--stdin", *words, stdin=PANE.format(minute))
            assert done.exit_code == 0, done.output
    log = home.projects / "s1.jsonl"
    log.write_text(message("a", minute=5) + message("b", timestamp=None))
    assert left_out(home, "window", "--lane", "W1") == (1, {f"{NO_TIME}: claude": 1})
    log.unlink()
    shutil.rmtree(home.data / ".index")
    assert left_out(home, "window", "--lane", "W1") == (0, {f"{NO_TIME}: claude": 1, f"{ONLY_DAYS}: claude": 1})
    assert left_out(home, "window", "--lane", "W2") == (0, {f"{NO_TIME}: claude": 1})
    (home.projects / "s2.jsonl").write_text(message("c", minute=5, sessionId="s2"))
    assert left_out(home, "window", "--last", "1") == (1, {"the window is not known: claude": 2})


def test_what_is_recorded_of_a_client_whose_plugin_is_not_in_use_is_named(home: Any, message: Make) -> None:
    (home.projects / "s1.jsonl").write_text(message("a") + message("b", sessionId="s2"))
    assert home.missing() == {}
    text = (home.data / "claude_sessions.jsonl").read_text()
    odd = text.splitlines(keepends=True)[0].replace('"session":"s1"', '"session":["s1"]')
    assert odd not in text
    (home.data / "ghost_sessions.jsonl").write_text((text + odd).replace("claude", "ghost"))
    [one] = home.usage()["missing"]
    why = "ghost_sessions is recorded here, but no plugin for it is installed (usually tracker-ghost)"
    assert (one["kind"], one["count"], one["detail"]) == ("without_plugin", 2, why)
    (home.data / "ghost_sessions.jsonl").rename(home.data / "claude_ghost.jsonl")
    [one] = home.usage()["missing"]
    assert one["detail"].endswith("(usually tracker-claude-ghost)")  # tracker-claude is installed
    (home.data / "claude_ghost.jsonl").unlink()
    said = home.run("usage", TRACKER_DISABLE_PLUGINS="claude-sessions").stderr
    assert (
        "missing: 2 sessions left out: claude_sessions is recorded here, but TRACKER_DISABLE_PLUGINS disables" in said
    )
    assert home.usage("--provider", "claude")["missing"] == []
