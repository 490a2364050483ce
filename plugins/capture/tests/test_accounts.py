"""Readings and windows that name no account: their resets tell of how many accounts they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from plugins.capture.tests.conftest import Worker
from tracker.api import Gauge
from tracker_capture.readings import mark_of_gauges

HOUR = timedelta(hours=1)


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Worker]:
    """Who worked in the last hour, with a home of their own. hours: until their meter is reset."""

    def make(name: str, hours: float) -> Worker:
        (tmp_path / name).mkdir()
        made = Worker(tmp_path / name, datetime.now(UTC).replace(microsecond=0) - HOUR)
        made.week_end = made.noon + HOUR * (1 + hours)
        monkeypatch.chdir(made.repository)
        return made

    return make


def pane(worker: Worker, name: str, used: int, account: str = "") -> str:
    """A pane in a file."""
    file = worker.home / f"{name}.txt"
    owner = f"  Account:       {account} (Pro)\n" if account else ""
    limit = f"  Weekly limit:  [███] {100 - used}% left (resets {worker.week_end:%H:%M on %-d %b})\n"
    file.write_text(f">_ OpenAI Codex (v0.169.0)\n{owner}{limit}")
    return str(file)


def named(worker: Worker, *words: str) -> Mapping[str, Any]:
    """The weekly meter's values, or the series of its readings, by account."""
    found = json.loads(worker.ok("--json", *words))
    rows = found["meters"] if isinstance(found, dict) else found
    return {one["account"]: one for one in rows if one["meter"] == "weekly"}


def test_what_two_people_have_left_is_told_apart_behind_an_import(person: Any) -> None:
    """The gate said GO by the other one's newer reading, and `status` hid the own 99 %."""
    bob = person("bob", 101)
    bob.codex((2, 2), (22, 5), (52, 8), name="b")
    bob.ok("sync")
    ann = person("ann", 44)
    ann.codex((0, 93), (20, 96), (50, 99))
    ann.ok("sync")
    assert ann("gate", "codex").exit_code == 3
    ann.ok("import", str(bob.home / "data"))
    done = ann("gate", "codex")
    own, other = (f"unnamed-{worker.week_end:%Y-%m-%d}" for worker in (ann, bob))
    assert (done.exit_code, done.stdout.partition("; ")[2]) == (4, f"add --account {own} or --account {other}\n")
    assert ann("gate", "codex", "--account", own).exit_code == 3
    assert {name: one["used"] for name, one in named(ann, "status").items()} == {own: 99, other: 8}
    assert {name: len(one["points"]) for name, one in named(ann, "meters").items()} == {own: 3, other: 3}
    assert f"weekly has readings of 2 accounts ({own}, {other})" in ann("meters", "reconcile").stderr
    # a pane of each names what has its reset
    ann.ok("start", "codex", pane(ann, "ann", 99, "ann@example.com"), "--window", "A-1", "--force")
    [known] = named(ann, "meters").keys() - {other}
    assert len(named(ann, "meters")[known]["points"]) == 3
    assert ann("gate", "codex", "--account", own).exit_code == 1
    ann.ok("--agent", "b", "start", "codex", pane(bob, "bob", 8, "bob@example.com"), "--window", "B-1", "--force")
    found = named(ann, "meters")
    assert (len(found), other in found, known in found) == (2, False, True)
    assert {one["points"][0]["used"] for one in found.values()} == {2, 93}


def test_windows_of_two_people_do_not_exclude_each_other(person: Any) -> None:
    """None of two counted: each was said to overlap the other one."""
    ann, bob = person("ann", 44), person("bob", 101)
    for worker, window, used in ((ann, "A-1", 88), (bob, "B-1", 4)):
        for phase, ago, more in (("start", 40, 0), ("end", 5, 3)):
            at = (worker.noon + HOUR - timedelta(minutes=ago)).isoformat()
            file = pane(worker, phase, used + more)
            worker.ok(phase, "codex", file, "--window", window, "--captured-at", at)
        worker.ok("complete", "--window", window, "--codex-features", "2", "--outcome", "pass")
    ann.ok("import", str(bob.home / "data"))
    found = json.loads(ann.ok("--json", "preview"))["providers"]
    rows = {one["account"]: (one["features"], one["capacity"], one["n"], one["excluded"]) for one in found}
    assert rows == {f"unnamed-{worker.week_end:%Y-%m-%d}": (2, 3, 1, []) for worker in (ann, bob)}


@pytest.mark.parametrize("is_beside", [False, True])
def test_a_reset_that_a_vendor_moved_is_of_one_account(worker: Any, is_beside: bool) -> None:
    """It is told from that of another account when the earlier period is over, and was seen no more."""
    worker.week_end -= timedelta(days=2)
    worker.codex((-900, 10), (-300, 20), *([(-100, 23)] if is_beside else []))
    worker.week_end += timedelta(hours=30)
    worker.codex((-200, 11), (0, 15), name="b")
    worker.ok("sync")
    found = [worker.week_end - timedelta(hours=30), worker.week_end] if is_beside else []
    assert set(named(worker, "meters")) == ({f"unnamed-{at:%Y-%m-%d}" for at in found} or {None})


@pytest.mark.parametrize("hours", [-30, -5, 2, 30])
def test_a_reset_that_is_named_otherwise_is_of_one_account(person: Any, hours: int) -> None:
    """As of a pane that was read in a wrong zone, or of a vendor that moved it: what was used goes on."""
    worker = person("ann", 44)
    worker.codex((0, 60), (20, 62), (50, 66))
    worker.ok("sync")
    worker.week_end += HOUR * hours
    worker.ok("start", "codex", pane(worker, "ann", 64), "--captured-at", f"{worker.noon + HOUR / 2:%Y-%m-%dT%H:%MZ}")
    assert set(named(worker, "status")) == {None}
    assert worker("gate", "codex").exit_code in (0, 3)


def test_a_pane_of_the_last_period_is_of_one_account(person: Any) -> None:
    """It was stored by force, and showed more of that than was known."""
    worker = person("ann", -20)
    worker.codex((-2400, 70), (-1500, 80))
    old = pane(worker, "old", 85)
    worker.week_end += timedelta(days=7)
    worker.codex((-600, 1), (-100, 5), name="b")
    worker.ok("sync")
    worker.ok("start", "codex", old, "--captured-at", f"{worker.noon - 5 * HOUR:%Y-%m-%dT%H:%MZ}", "--force")
    assert '"weekly_used":85,' in (worker.home / "data" / "readings.jsonl").read_text()
    assert set(named(worker, "status")) == {None}


def test_a_meter_that_was_reset_early_is_of_one_account(person: Any) -> None:
    worker = person("ann", 44)
    worker.codex((0, 60), (20, 70))
    worker.week_end = worker.noon + timedelta(days=7, minutes=30)
    worker.codex((35, 1), (50, 5), name="b")
    worker.ok("sync")
    [found] = named(worker, "meters").values()
    assert [one["has_reset"] for one in found["points"]] == [False, False, True, False]
    assert worker("gate", "codex").exit_code == 0


def test_a_capture_is_told_by_what_its_reading_is_told_by() -> None:
    """A record has the meters in another order than its pane, and the history none without a value."""
    reset = datetime.now(UTC) + timedelta(days=2)
    shown = [Gauge(meter=key, used=5, reset_at=reset) for key in ("all_models", "sonnet")]
    unread = Gauge(meter="opus", used=None, reset_at=reset + timedelta(days=1))
    assert mark_of_gauges(shown) == mark_of_gauges([*shown[::-1], unread])
