"""Windows that the past suggests: `windows propose` and `windows accept` over a repository and real session files."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
ID = f"H{NOON:%Y%m%d}-1200"


@pytest.fixture
def worker(worker: Any, tmp_path: Path) -> Any:
    made = worker
    # that of this module's constants, also if a day begins meanwhile
    made.noon, made.week_end = NOON, NOON + timedelta(days=3)
    # the evening before, elsewhere: where the meter stood when the first session began
    made.codex((-600, 9), cwd=tmp_path / "home", name="0")
    made.codex((0, 10), (20, 12), (50, 17), (200, 18), (230, 25))
    made.commit(10, "feat: login")
    made.commit(45, "feat(api)!: tokens", "Feature: A-1")
    made.commit(48, "fix: typo", "Feature: A-1")
    made.commit(225, "docs: say more, for F-002")
    return made


def test_two_commands_show_windows_with_their_capacity(worker: Any) -> None:
    worker.ok("sync")
    done = worker("windows", "propose")
    said = done.stdout
    assert f"note: `tracker windows accept {ID}` stores one that fits, without finalizing it" in done.stderr
    assert f"{ID}: {NOON:%a %Y-%m-%d} 12:00 to {NOON:%a} 12:50 (50 min), 2 features, 3 commits, on topic" in said
    # the reading of 12:00 has the request of 12:00 already, with which the window begins
    assert "codex: weekly 8, 3 requests, 4,500 tokens" in said
    assert "+ feat: login\n" in said
    first, second = worker.proposed()
    assert (first["features"], second["features"]) == (2, 0)
    assert second["providers"]["codex"]["meters"] == {"weekly": 8}
    assert not (worker.home / "data" / "snapshots.jsonl").exists()


def test_a_person_accepts_and_nothing_is_finalized(worker: Any) -> None:
    worker.ok("sync")
    done = worker("windows", "accept", ID)
    assert done.exit_code == 0, done.stderr
    assert f"finish it with `tracker complete --window {ID} --codex-features 2`" in done.stderr
    [window] = json.loads(worker.ok("--json", "windows"))
    assert (window["window"], window["state"]) == (ID, "closed")
    second = worker.proposed()[0]["window"]
    assert "is a new window" not in worker("windows", "accept", second, "--dry-run").stderr
    assert window["providers"]["codex"]["capacity"] == 8
    assert [one["features"] for one in worker.proposed()] == [0]
    again = worker("windows", "accept", ID)
    assert again.exit_code == 1
    assert f"'{ID}' is not a proposed window. Proposed: H" in again.stderr


def test_a_repository_has_the_requests_of_its_subfolders_and_none_of_its_namesake(worker: Any, tmp_path: Path) -> None:
    worker.codex((300, 30), (320, 32), cwd=tmp_path / "work" / "acme", name="namesake")
    worker.codex((400, 40), (420, 42), cwd=worker.repository / "backend" / "api", name="part")
    worker.codex((500, 50), (520, 52), cwd=tmp_path / "acme-old", name="beside")
    worker.ok("sync")
    requests = [one["providers"]["codex"]["requests"] for one in worker.proposed()]
    assert requests == [3, 2, 2]
    last = worker.proposed()[-1]
    assert last["from"] == (NOON + timedelta(minutes=400)).isoformat().replace("+00:00", "Z")


def test_a_file_that_went_on_stays_in_its_repository(worker: Any) -> None:
    worker.codex((400, 40), cwd=worker.repository / "backend", name="part")
    worker.ok("sync")
    worker.proposed()
    worker.codex((400, 40), (420, 42), cwd=worker.repository / "backend", name="part")
    assert worker.proposed()[-1]["providers"]["codex"]["requests"] == 2


def test_a_repository_that_was_moved_has_the_requests_of_its_name(
    worker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "elsewhere" / "acme"
    moved.parent.mkdir()
    worker.ok("sync")
    worker.repository.rename(moved)
    monkeypatch.chdir(moved)
    assert len(worker.proposed()) == 2


EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def commit_of(worker: Any, name: str) -> str:
    command = ["git", "rev-parse", name]
    return subprocess.run(command, cwd=worker.repository, check=True, capture_output=True, text=True).stdout.strip()


def between(start: float, end: float) -> list[str]:
    return [f"--{name}={(NOON + timedelta(minutes=at)).isoformat()}" for name, at in (("from", start), ("to", end))]


def heads(worker: Any) -> list[tuple[str, str, str | None]]:
    rows = map(json.loads, (worker.home / "data" / "snapshots.jsonl").read_text().splitlines())
    return [(row["window"], row["phase"], row["git_head"]) for row in rows]


def test_captures_of_the_past_have_the_commits_of_then(worker: Any) -> None:
    typo, docs = commit_of(worker, "HEAD~1"), commit_of(worker, "HEAD")
    worker.ok("sync")
    first, second = (one["window"] for one in worker.proposed())
    # it was made one commit since
    worker.git("reset", "-q", "--soft", "HEAD~3", at=NOON + timedelta(minutes=300))
    worker.git("commit", "-q", "--amend", "--allow-empty", "-m", "feat: all", at=NOON + timedelta(minutes=300))
    for window, start, end in ((first, 0, 60), (second, 200, 240)):
        worker.ok("windows", "add", window, *between(start, end))
    assert heads(worker) == [
        (first, "before", EMPTY),
        (first, "after", typo),
        (second, "before", typo),
        (second, "after", docs),
    ]


def test_what_is_accepted_has_the_commits_of_its_stretch(worker: Any) -> None:
    """The last request of the second one is before its last commit."""
    typo, docs = commit_of(worker, "HEAD~1"), commit_of(worker, "HEAD")
    worker.codex((0, 10), (20, 12), (50, 17), (200, 18), (220, 25))
    worker.commit(300, "feat: later")
    worker.ok("sync")
    window = worker.proposed()[1]["window"]
    worker.ok("windows", "accept", window)
    assert heads(worker) == [(window, "before", typo), (window, "after", docs)]


@pytest.mark.parametrize("is_shallow", [False, True])
def test_a_clone_has_the_last_commits_of_then(
    worker: Any, is_shallow: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """git's log of HEAD begins with the clone."""
    typo, docs = commit_of(worker, "HEAD~1"), commit_of(worker, "HEAD")
    worker.commit(300, "feat: later")
    depth = ["--depth", "2"] if is_shallow else []
    cloned = NOON + timedelta(minutes=400)
    worker.git("clone", "-q", *depth, worker.repository.as_uri(), str(tmp_path / "clone"), at=cloned)
    monkeypatch.chdir(tmp_path / "clone")
    worker.ok("sync")
    for window, start, end in (("W1", 0, 60), ("W2", 200, 240)):
        worker.ok("windows", "add", window, *between(start, end))
    found = [head for _, _, head in heads(worker)]
    assert found == ([None, None, None, docs] if is_shallow else [EMPTY, typo, typo, docs])


@pytest.mark.parametrize(
    ("rule", "counts"),
    [("commits", [2, 0]), ("merges", [0, 1]), ("trailer:feature", [1, 0]), ("log", [0, 1])],
)
def test_the_rule_counts_features(worker: Any, rule: str, counts: list[int]) -> None:
    (worker.repository / "tracker.toml").write_text(f'[propose]\nfeatures = "{rule}"\nfeature_log = "log.csv"\n')
    (worker.repository / "log.csv").write_text("feature_id,date\nF-002,\nF-0,\nF-003,\n")
    worker.git("checkout", "-q", "-b", "topic", "HEAD~1")
    worker.commit(226, "work")
    worker.git("checkout", "-q", "main")
    worker.git("merge", "-q", "--no-ff", "topic", "-m", "Merge topic", at=NOON + timedelta(minutes=228))
    worker.ok("sync")
    assert [one["features"] for one in worker.proposed()] == counts


def test_the_rest_of_a_stretch_is_proposed(worker: Any) -> None:
    """A window in the middle of a stretch leaves what was before it and what came after it."""
    worker.codex(*[(300 + 10 * step, 30 + step) for step in range(13)], name="b")
    worker.ok("sync")
    whole = worker.proposed()[-1]
    assert (whole["from"][11:16], whole["to"][11:16]) == ("17:00", "19:00")
    at = (f"{NOON + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}" for minute in (330, 370))
    worker.ok("windows", "add", "W1", "--from", next(at), "--to", next(at), "--provider", "codex")
    rests = worker.proposed()[2:]
    assert [(one["from"][11:16], one["to"][11:16]) for one in rests] == [("17:00", "17:20"), ("18:20", "19:00")]
    assert [one["providers"]["codex"]["meters"] for one in rests] == [{"weekly": 7}, {"weekly": 5}]
    worker.ok("windows", "accept", rests[1]["window"])
    assert [one["window"] for one in worker.proposed()[2:]] == [rests[0]["window"]]


def test_a_request_that_a_window_ends_with_is_in_no_other_one(worker: Any) -> None:
    """Where it was the first of a stretch, it was proposed again."""
    worker.codex((-300, 20), (-290, 22), name="before")
    worker.codex((0, 24), (10, 26), (20, 28))
    worker.ok("sync")
    times = [f"{worker.noon + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}" for minute in (-290, 0, 10)]
    worker.ok("windows", "add", "W1", "--from", times[0], "--to", times[1])
    found = worker.proposed()[-1]
    assert (found["from"], found["providers"]["codex"]["meters"]) == (times[2], {"weekly": 4})


def at(minute: float) -> str:
    return f"{NOON + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}"


def test_work_between_the_parts_of_a_window_is_proposed(worker: Any) -> None:
    """Two providers may be captured in one window on two days: it held what lay between."""
    worker.ok("sync")
    whole = worker.proposed()
    for phase, minute in (("before", 100), ("after", 150)):
        worker.ok(
            "override",
            "claude",
            "--window",
            "W1",
            "--phase",
            phase,
            "--all-models-pct",
            "1",
            "--captured-at",
            at(minute),
        )
    worker.ok("windows", "add", "W1", "--from", at(0), "--to", at(50), "--provider", "codex")
    assert [one["window"] for one in worker.proposed()] == [whole[1]["window"]]
    worker.codex((60, 18), (75, 18), name="between")
    assert [one["from"] for one in worker.proposed()] == [at(60), whole[1]["from"]]


def test_what_another_provider_did_in_a_window_is_proposed(worker: Any) -> None:
    """What it did before and behind it belongs to that, too; a commit of its time is the window's."""
    worker.claude(-20, 10, 40, 70)
    worker.ok("sync")
    worker.ok("windows", "add", "W1", "--from", at(0), "--to", at(50), "--provider", "codex")
    found = worker.proposed()[0]
    assert (found["from"], found["to"], found["commits"]) == (at(-20), at(70), 0)
    assert {name: own["requests"] for name, own in found["providers"].items()} == {"claude": 4}
    # it began with the stretch, and is not in it
    worker.ok("windows", "add", "H20200101-0000", "--from", at(200), "--to", at(230), "--provider", "codex")
    worker.claude(-20, 10, 40, 70, 210, 220)
    assert len(worker.proposed()) == 1


def test_a_sync_is_named_only_if_it_adds_something(worker: Any) -> None:
    worker.ok("sync")
    for one in worker.proposed():
        worker.ok("windows", "accept", one["window"])
    assert "tracker sync" not in worker("windows", "propose").stderr
    worker.codex((300, 30), cwd=worker.home, name="elsewhere")
    assert "no new window to propose since" in (said := worker("windows", "propose").stderr)
    assert "`tracker sync` may add some: it has not read all session files yet" in said


@pytest.mark.parametrize("minute", [5, 30, 50])
def test_a_time_in_the_middle_of_a_stretch_proposes_it_whole(worker: Any, minute: float) -> None:
    """Not a part with all of its features, and the other part with none."""
    worker.ok("sync")
    since = f"{NOON + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}"
    assert json.loads(worker.ok("--json", "windows", "propose", "--since", since)) == worker.proposed()
    worker.ok("windows", "accept", ID, "--since", since)
    later = f"{NOON + timedelta(minutes=51):%Y-%m-%dT%H:%M:%SZ}"
    assert [one["from"][11:16] for one in json.loads(worker.ok("--json", "windows", "propose", "--since", later))] == [
        "15:20"
    ]


def test_a_stretch_of_several_days_is_whole(worker: Any) -> None:
    worker.codex(*[(-7200 + 50 * step, step / 3) for step in range(144)], name="b")
    worker.ok("sync")
    whole = worker.proposed()
    assert whole[0]["from"] < f"{NOON - timedelta(days=4):%Y-%m-%d}"
    since = f"{NOON - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    assert json.loads(worker.ok("--json", "windows", "propose", "--since", since)) == whole


def test_what_other_projects_used_is_said(worker: Any, tmp_path: Path) -> None:
    worker.codex((30, 13), cwd=tmp_path / "other", name="b")
    worker.ok("sync")
    assert worker.proposed()[0]["providers"]["codex"]["elsewhere"] == 0.25
    assert "25% of its tokens went to other projects" in worker.ok("windows", "propose")


def test_a_stretch_that_may_go_on_is_not_accepted(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    minutes = (now - NOON) / timedelta(minutes=1)
    worker.codex((minutes - 10, 30), (minutes - 1, 31), name="c")
    worker.ok("sync")
    last = worker.proposed()[-1]
    assert last["goes_on"]
    done = worker("windows", "accept", last["window"])
    assert done.exit_code == 1
    assert f"store it now with `tracker windows add {last['window']} --from" in done.stderr
    assert not (worker.home / "data" / "snapshots.jsonl").exists()
    typed = done.stderr.partition("`tracker ")[2].partition("`")[0]
    worker.ok(*typed.split())


def test_what_goes_on_with_one_reading_gets_no_command_that_cannot_work(worker: Any) -> None:
    now = datetime.now(UTC)
    minutes = (now - NOON) / timedelta(minutes=1)
    worker.codex((minutes - 20, 30))
    next(worker.home.rglob("rollout-0.jsonl")).unlink()
    worker.git("commit", "--allow-empty", "-q", "-m", "feat: one", at=now - timedelta(minutes=12))
    worker.ok("sync")
    done = worker("windows", "propose")
    assert "note: none of them can be stored yet" in done.stderr
    last = worker.proposed()[-1]
    assert last["goes_on"]
    refused = worker("windows", "accept", last["window"]).stderr
    assert "Its capacity is not known: codex has no reading before its first request at " in refused
    assert "one after the last (`tracker capture PROVIDER --sample`). Nothing was stored." in refused
    assert "windows add" not in refused


def test_a_moment_beside_a_window_is_not_proposed(worker: Any) -> None:
    """The commits that somebody made right before or after it."""
    (worker.repository / "tracker.toml").write_text("[propose]\ngap_minutes = 1\n")
    worker.ok("sync")
    for second in (10, 11):
        worker.git("commit", "--allow-empty", "-q", "-m", "feat: late", at=NOON + timedelta(minutes=20, seconds=second))
    assert len(worker.proposed()) == 1
    at = (f"{NOON + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}" for minute in (0, 20))
    worker.ok("windows", "add", "W1", "--from", next(at), "--to", next(at), "--provider", "codex")
    assert worker.proposed() == []


def test_without_readings_the_reason_is_said(worker: Any) -> None:
    said = worker.ok("windows", "propose")
    assert (
        "codex: capacity not known: The history of that time has no reading of codex. `tracker sync` adds any from"
        in said
    )
    assert ".," not in said
    note = "note: a capacity needs a reading before the first request and one after the last"
    assert note in worker("windows", "propose").stderr
    done = worker("windows", "accept", ID)
    assert (done.exit_code, "The capacity of" in done.stderr) == (1, True)


def test_no_cure_is_named_that_cannot_help(worker: Any) -> None:
    """No origin shows GLM's prompts: `sync` and the scheduled job went around in a circle."""
    worker.claude(0, 5)
    path = next((worker.home / ".claude").rglob("*.jsonl"))
    path.write_text(path.read_text().replace("claude-opus-4-5", "glm-4.6"))
    done = worker("windows", "propose")
    assert "glm: capacity not known: The history of that time has no reading of glm. `tracker start glm --stdin`" in (
        done.stdout
    )
    assert "schedule print" not in done.stderr


@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        (lambda worker: (worker.repository / "tracker.toml").write_text('[propose]\nfeatures = "x"\n'), "Invalid rule"),
        (lambda worker: os.chdir(worker.home), "is not in a git repository"),
    ],
)
def test_what_cannot_be_proposed(worker: Any, arrange: Callable[[Any], Any], words: str) -> None:
    arrange(worker)
    done = worker("windows", "propose")
    assert (done.exit_code, words in done.stderr) == (1, True)


def test_nothing_of_a_hostile_repository_is_run(worker: Any, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho ran >> '{tmp_path}/ran'\n")
    program.chmod(0o755)
    config = worker.repository / ".git" / "config"
    keys = "".join(f'[{name}]\n{key} = "{program}"\n' for name, key in (("core", "fsmonitor"), ("core", "pager")))
    more = f'[core]\nhooksPath = "{tmp_path}"\nsshCommand = "{program}"\n[log]\nshowSignature = true\n'
    config.write_text(config.read_text() + keys + more + f'[gpg]\nprogram = "{program}"\n')
    worker.ok("sync")
    assert [one["features"] for one in worker.proposed()] == [2, 0]
    assert not (tmp_path / "ran").exists()


def test_a_repository_where_nobody_worked_has_no_windows(
    worker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.ok("sync")
    worker.repository = tmp_path / "idle"
    worker.repository.mkdir()
    worker.git("init", "--quiet")
    monkeypatch.chdir(worker.repository)
    assert worker.proposed() == []
    assert re.search(r"no new window to propose since \w+ \d\d.* \d\d:\d\d", worker("windows", "propose").stderr)


def test_money_that_leaves_requests_out_is_the_least(worker: Any) -> None:
    path = next(worker.home.rglob("rollout-a.jsonl"))
    lines = path.read_text().splitlines(keepends=True)
    turn = worker.line(40, "turn_context", {"model": "house-model", "cwd": str(worker.repository)})
    path.write_text("".join([*lines[:-3], turn, *lines[-3:]]))
    worker.ok("sync")
    said = worker.ok("windows", "propose")
    assert re.search(r"tokens, at least \$[\d.]+ at list price; 1 request without a known price", said)
    assert sum(one["providers"]["codex"]["unpriced_requests"] for one in worker.proposed()) == 3
