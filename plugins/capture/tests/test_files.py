"""Codex's session files: the newest event with the main bucket's limits, read from the end."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

FOREIGN = "codex_bengalfox"


def read(machine: Any) -> Any:
    """What the session files answer."""
    return machine.ask("codex", "rollout").reading


def weekly(machine: Any) -> float:
    return float(read(machine).gauge("weekly").used)


def test_a_record_says_where_its_numbers_are_from_and_how_old_they_are(machine: Any, event: Any) -> None:
    machine.rollout("a", '{"type": "session_meta"}', event(64, age=120))
    done = machine("capture", "codex", "--phase", "before")
    assert done.returncode == 0, done.stderr
    [row] = machine.rows()
    assert (row["source"], row["origin"], row["phase"]) == ("automation", "rollout", "before")
    assert 120 <= row["age_s"] <= 180
    assert (row["parsed"]["weekly_pct"], row["parsed"]["fiveh_pct"]) == (64, 11)
    assert row["parsed"]["as_of"].endswith(".250000Z")


def test_the_folder_is_the_variable_s_or_the_home_s(machine: Any, event: Any) -> None:
    machine.rollout("a", event(1))
    (machine.home / ".codex").rename(machine.folder / "elsewhere")
    assert "no folder" in machine.why_not("codex", "rollout")
    assert machine.ask("codex", "rollout", CODEX_HOME=str(machine.folder / "elsewhere")).has_value
    # as `usage` and `sync` read it
    several = f"{machine.folder / 'gone'}, {machine.folder / 'elsewhere'}"
    assert machine.ask("codex", "rollout", CODEX_HOME=several).has_value
    gone = machine.why_not("codex", "rollout", CODEX_HOME=str(machine.folder / "gone"))
    assert gone.startswith(f"no folder {machine.folder}/gone ($CODEX_HOME); ")
    # a name that cannot be looked up, as one in the home of another user
    assert machine.why_not("codex", "rollout", CODEX_HOME="x" * 300).startswith("no folder xxx")


@pytest.mark.parametrize(
    ("files", "newest"),
    [
        # whatever they are called
        ([("z", 10, 900, 900), ("b", 30, 60, 60), ("a", 20, 300, 300)], 30),
        # copied trees have one time of change; a session that goes on without an answer has a late one
        ([("a", 20, 600, 0), ("b", 40, 200, 0), ("c", 30, 400, 0), ("d", 35, 300, 0)], 40),
        # a thousand old sessions cost no more than their names: this one says what no file of its age can
        ([("new", 30, 60, 50), ("old", 99, 0, 3600)], 30),
        # of a copied tree, changed now in no order, the last by name are read, too: they are named by their time
        ([(f"{number:02}", number, 7000 - 100 * number, number) for number in range(60)], 59),
    ],
    ids=["names", "copies", "old ones", "many copies"],
)
def test_the_newest_event_counts(machine: Any, event: Any, files: list[tuple[str, int, int, int]], newest: int) -> None:
    """Of files with a name, a meter, the age of their event, and that of their last change."""
    now = time.time()
    for name, used, age, changed in files:
        machine.rollout(name, event(used, age=age), "{}", changed=now - changed)
    assert weekly(machine) == newest


def test_an_event_without_a_time_is_as_old_as_its_file(machine: Any, event: Any) -> None:
    found = json.loads(event(12))
    del found["timestamp"]
    machine.rollout("a", json.dumps(found), changed=time.time() - 500)
    assert 500 <= machine.ask("codex", "rollout").age <= 560


def test_other_buckets_and_null_limits_are_passed_over(machine: Any, event: Any) -> None:
    now = time.time()
    empty = json.dumps({"type": "event_msg", "payload": {"type": "token_count", "info": None, "rate_limits": None}})
    foreign = [event(90, age=5, bucket=FOREIGN) for _ in range(30)]
    machine.rollout("new", empty, event(80, age=9, bucket=FOREIGN), changed=now)
    machine.rollout("old", event(50, age=100), event(51, age=60), *foreign, empty, changed=now - 5)
    assert weekly(machine) == 51


def test_what_follows_the_event_may_be_long_and_the_last_line_torn(machine: Any, event: Any) -> None:
    output = json.dumps({"type": "response_item", "payload": "x" * 3_000_000})
    path = machine.rollout("a", event(41, age=50), output, output)
    with path.open("a") as file:
        file.write(event(99)[:150])
    assert weekly(machine) == 41


@pytest.mark.parametrize("length", [16_383, 16_384, 16_385, 49_151, 49_152, 49_153])
def test_a_line_may_stand_across_the_blocks_that_are_read(machine: Any, event: Any, length: int) -> None:
    line = event(42, age=50)
    machine.rollout("a", "{}", line, " " * (length - len(line) // 2))
    assert weekly(machine) == 42


def test_nothing_but_the_event_is_kept_of_a_session(machine: Any, event: Any) -> None:
    talk = json.dumps({"type": "response_item", "payload": {"text": 'what is "used_percent" in my secret plan?'}})
    line = event(12, age=5)
    machine.rollout("a", talk, line, talk, talk)
    assert machine.ask("codex", "rollout").text == line


def test_pipes_folders_and_links_that_lead_nowhere_are_passed_over(machine: Any, event: Any) -> None:
    path = machine.rollout("a", event(33, age=20), changed=time.time() - 100)
    os.mkfifo(path.with_name("rollout-pipe.jsonl"))
    path.with_name("rollout-folder.jsonl").mkdir()
    path.with_name("rollout-link.jsonl").symlink_to("gone")
    assert weekly(machine) == 33


@pytest.mark.parametrize(
    "name", ["0.40.0_hdr", "0.44.0_base", "0.47.0_base", "0.55.0_base", "0.94.0_hdr", "0.169.0_statusline_footer"]
)
def test_files_of_every_version_are_read(machine: Any, name: str) -> None:
    machine.rollout("a", *machine.screen("codex", f"rollout_v{name}").read_text().splitlines())
    assert [read(machine).gauge(key).used for key in ("fiveh", "weekly")] == [11, 64]


def test_files_without_limits_say_so(machine: Any) -> None:
    machine.rollout("a", *machine.screen("codex", "rollout_v0.34.0_base").read_text().splitlines())
    machine.rollout("b", *machine.screen("codex", "rollout_v0.40.0_base").read_text().splitlines())
    assert "no reading in 2 files below" in machine.why_not("codex", "rollout")


def test_a_folder_without_files_says_which_were_looked_for(machine: Any) -> None:
    (machine.home / ".codex").mkdir()
    assert "no file sessions/*/*/*/rollout-*.jsonl in" in machine.why_not("codex", "rollout")


def test_the_search_ends_when_its_time_is_over(machine: Any, event: Any) -> None:
    for number in range(5):
        machine.rollout(str(number), event(5))
    why = machine.why_not("codex", "rollout", TRACKER_ORIGIN_SECONDS="0")
    assert "no reading in 5 files below" in why
    assert why.endswith("within 0 s")


def test_a_file_is_left_as_it_is(machine: Any, event: Any) -> None:
    path: Path = machine.rollout("a", event(5))
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    assert weekly(machine) == 5
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert sorted(found.name for found in path.parent.iterdir()) == [path.name]


@pytest.mark.parametrize(
    "more",
    [{}, {"source": {"subagent": {"other": "guardian"}}, "history_mode": "paginated"}, {"forked_from_id": None}],
)
def test_readings_that_a_fork_copied_are_none_of_its_own_time(machine: Any, event: Any, more: dict[str, Any]) -> None:
    """A legacy fork of Codex writes its parent's history with its own time: a meter would fall, and rise again.

    So do subagents.
    """
    now = time.time()

    def meta(age: float, thread: str, parent: str | None = None) -> str:
        stamp = json.loads(event(0, age, now=now))["timestamp"]
        payload = {"id": thread, **({"forked_from_id": parent, **more} if parent else {})}
        return json.dumps({"timestamp": stamp, "type": "session_meta", "payload": payload})

    machine.rollout("a", meta(7200, "a"), event(5, 7100, now=now), event(6, 7000, now=now), changed=now - 7000)
    machine.rollout("b", meta(3600, "b"), event(15, 3500, now=now), event(20, 1800, now=now), changed=now - 1800)
    fork = [meta(300, "c", "a"), meta(300, "a"), event(5, 300, now=now), event(6, 300, now=now)]
    path = machine.rollout("c", *fork, changed=now - 300)
    assert machine("sync").returncode == 0
    assert [row["parsed"]["weekly_used"] for row in machine.rows("readings")] == [5, 6, 15, 20]
    assert weekly(machine) == 20
    for used, age in ((21, 200), (22, 100)):
        with path.open("a") as file:
            file.write(event(used, age, now=now) + "\n")
        assert machine("sync").returncode == 0
        assert machine.rows("readings")[-1]["parsed"]["weekly_used"] == used
    assert [row["parsed"]["weekly_used"] for row in machine.rows("readings")] == [5, 6, 15, 20, 21, 22]
    assert weekly(machine) == 22
    # the first gap of more than a second ends what is copied, however long that takes, and whatever was read of it
    path = machine.rollout("d", meta(90, "d", "a"), meta(90, "a"), event(5, 89.1, now=now), changed=now - 89)
    for used, age in ((6, 88.2), (7, 87.3), (23, 80)):
        assert machine("sync").returncode == 0
        assert machine.rows("readings")[-1]["parsed"]["weekly_used"] == 22
        with path.open("a") as file:
            file.write(event(used, age, now=now) + "\n")
    assert machine("sync").returncode == 0
    assert machine.rows("readings")[-1]["parsed"]["weekly_used"] == 23


def test_a_plan_that_is_counted_by_use_has_a_monthly_limit_alone(machine: Any, event: Any) -> None:
    now = time.time()
    found = json.loads(event(0, 60, now=now))
    credit = {"limit": "100", "used": "20", "remaining_percent": 80, "resets_at": int(now) + 86_400}
    found["payload"]["rate_limits"] = {"limit_id": "codex", "primary": None, "individual_limit": credit}
    machine.rollout("a", event(7, 90, now=now), json.dumps(found))
    assert [(one.meter, one.used) for one in machine.ask("codex", "rollout").reading.gauges] == [("monthly_credit", 20)]
    assert machine("sync").returncode == 0
    assert [row["parsed"].get("monthly_credit_used") for row in machine.rows("readings")] == [None, 20]
