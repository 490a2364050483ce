"""What a proposed window used: the tokens that `windows` lists once it is accepted, or the same reason for none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

TURNS = (0, 10), (20, 12), (50, 17)


def both(worker: Any) -> tuple[Any, Any]:
    """What is proposed of Codex, and what is listed then."""
    [found] = worker.proposed()
    worker.ok("windows", "accept", found["window"])
    [listed] = json.loads(worker.ok("--json", "windows"))
    return found["providers"]["codex"], listed["providers"]["codex"]


@pytest.mark.parametrize(("minutes", "is_known"), [((15, 30), False), ((-30, 60), False), ((51, 190), True)])
def test_a_session_of_which_only_a_total_is_left(
    worker: Any, tmp_path: Path, minutes: tuple[float, float], *, is_known: bool
) -> None:
    """As of a deleted file, or of another machine; it touches the window, or began behind it."""
    worker.codex((-600, 9), cwd=tmp_path / "home", name="0")
    worker.codex(*TURNS)
    worker.codex(*((minute, None) for minute in minutes), cwd=tmp_path / "other", name="other")
    worker.ok("sync")
    [log] = worker.home.rglob("rollout-other.jsonl")
    log.unlink()
    shutil.rmtree(worker.home / "data" / ".index")
    said = "3 requests, tokens not known, since only daily totals of 1 session are left\n"
    assert (said in worker.ok("windows", "propose")) is not is_known
    for one in both(worker):
        assert (one.get("tokens"), one.get("lost_sessions")) == ((4500, None) if is_known else (None, 1))


def test_requests_of_several_accounts(worker: Any) -> None:
    for minute, account in ((0, "one"), (20, "two")):
        worker.claude(minute)
        log = worker.home / ".claude" / "projects" / "-acme" / "s.jsonl"
        owner = {"type": "session-owner", "accountUuid": account, "sessionId": account}
        text = log.read_text().replace('"sessionId": "s"', f'"sessionId": "{account}"')
        log.with_name(f"{account}.jsonl").write_text(json.dumps(owner) + "\n" + text)
        log.unlink()
    worker.ok("sync")
    [found] = worker.proposed()
    assert (found["providers"]["claude"]["tokens"], found["providers"]["claude"]["accounts"]) == (None, 2)
    said = "2 requests, tokens not known, since the requests belong to 2 accounts\n"
    assert said in worker.ok("windows", "propose")


def test_what_was_done_here_in_a_window_that_came_in_is_proposed(worker: Any, tmp_path: Path) -> None:
    """Nobody's forgotten windows were found in a team: a teammate's held the requests of whoever imported it."""
    worker.codex((-600, 9), cwd=tmp_path / "home", name="0")
    worker.codex(*TURNS)
    worker.ok("sync")
    [found], other = worker.proposed(), str(tmp_path / "other")
    assert found["beside"] == []
    times = ("--from", found["from"], "--to", found["to"])
    worker.ok("--data-dir", other, "import", str(worker.home / "data"))
    worker.ok("--data-dir", other, "windows", "add", "ADA-01", *times, "--provider", "codex")
    worker.ok("import", other)
    assert worker.proposed() == [found | {"beside": ["ADA-01"]}]
    said = "  overlaps ADA-01, which came by `tracker import`: accept it if it is other work\n"
    assert said in worker.ok("windows", "propose")
