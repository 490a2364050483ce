"""Requests whose time is not known: what cannot be told to be asked for is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

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
    assert "missing: 1 request left out, of which no time can be read: claude\n" in done.stderr
    assert "missing: 1 request in no period, of which no time can be read\n" in home.run("usage").stderr


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
def test_a_day_that_is_cut_is_named_if_only_its_totals_are_left(home: Any, message: Make, zone: str) -> None:
    log = home.projects / "s1.jsonl"
    log.write_text(message("a") + message("b", timestamp="2026-11-22T10:00:00Z", sessionId="s2"))
    assert home.total() == (2, 200, 100)
    log.unlink()
    shutil.rmtree(home.data / ".index")
    asked = ("daily", "--timezone", zone)
    assert left_out(home, *asked) == (2, {})
    assert left_out(home, *asked, "--since", "2026-11-20") == (2, {})
    assert left_out(home, *asked, "--since", "2026-11-21", "--until", "2026-11-21") == (0, {})
    assert left_out(home, *asked, "--since", "2026-11-20T12:00") == (1, {f"{ONLY_DAYS}: claude": 1})
    assert left_out(home, *asked, "--until", "2026-11-22T12:00") == (1, {f"{ONLY_DAYS}: claude": 1})


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
    said = home.run("usage", TRACKER_DISABLE_PLUGINS="claude-sessions").stderr
    assert "missing: 2 sessions left out: claude_sessions is recorded here, but TRACKER_DISABLE_PLUGINS names" in said
    assert home.usage("--provider", "claude")["missing"] == []
