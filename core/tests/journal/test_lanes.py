"""Lanes: their state follows from the journal, whatever stands in the files; their pairs stay apart."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tracker.journal.index import Index
from tracker.session import Session
from tracker.windows.lanes import keep_states
from tracker.windows.reader import Windows

T0, T1, T2, T3 = (f"2026-01-10T0{hour}:00:00Z" for hour in range(6, 10))
FOREIGN = {"agent_id": "sub1", "provider": "tally", "window": "W7", "phase": "before", "open": True, "record_id": "x"}


def garble(path: Path, how: str) -> None:
    if how == "missing":
        path.unlink()
    elif how == "pipe":
        path.unlink()
        os.mkfifo(path)
    elif how == "link":
        path.unlink()
        path.symlink_to("/etc/hostname")
    elif how == "directory":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(
            {
                "empty": b"",
                "garbage": b"\xff\x00garbage",
                "foreign": json.dumps(FOREIGN).encode(),
                "no-object": b"[1]",
                "no-state": b"{}",
                "old-of-another-window": b'{"window": "W9", "baseline": 1}',
                "huge": b"[" * 3_000_000,
            }[how]
        )


def test_a_state_file_is_written_anew_with_its_baseline(program: Any) -> None:
    program("alias", "start", "tally", "--stdin", "--window", "W3", stdin="12", lane="sub1").ok()
    path = program.root / "state" / "sub1" / "tally.json"
    right = json.loads(path.read_bytes())
    assert (right["window"], right["open"], right["baseline"]) == ("W3", True, 12)
    for how in ("missing", "empty", "garbage", "huge", "foreign", "no-object", "no-state", "old-of-another-window"):
        garble(path, how)
        assert "for W3 " in program("alias", "start", "tally", "--stdin", stdin="12", lane="sub1").ok()
        found = json.loads(path.read_bytes())
        assert found == right | {"record_id": found["record_id"]}
        garble(path, how)
        ended = program("alias", "end", "tally", "--stdin", stdin="30", lane="sub1")
        assert ended.ok() == "stored tally delta for W3 (baseline=12, calls=18)\n"
        assert program.state("tally", "sub1")["open"] is False
        program("undo", "--yes", lane="sub1").ok()


@pytest.mark.parametrize("how", ["pipe", "link"])
def test_what_stands_in_the_place_of_a_state_file_stays(program: Any, how: str) -> None:
    program("alias", "start", "tally", "--stdin", "--window", "W3", stdin="12", lane="sub1").ok()
    path = program.root / "state" / "sub1" / "tally.json"
    garble(path, how)
    before = path.lstat()
    ended = program("alias", "end", "tally", "--stdin", stdin="30", lane="sub1")
    assert ended.ok().startswith("stored tally delta for W3 (baseline=12, calls=18)\n")
    assert "warning: the record is stored, but the lane's state was not written: " in ended.err
    assert path.lstat() == before


def test_a_state_that_cannot_be_written_costs_no_record(program: Any) -> None:
    program("alias", "start", "toy", "--stdin", stdin="fuel 1%").ok()
    garble(program.root / "state" / "toy.json", "directory")
    done = program("alias", "end", "toy", "--stdin", stdin="fuel 2%")
    assert "ready to finalize" in done.ok()
    assert "the record is stored, but the lane's state was not written" in done.err
    assert len(program.rows("snapshots")) == 2


def test_two_lanes_in_one_window_have_their_own_pairs(program: Any) -> None:
    for at, verb, lane, fuel in (
        (T0, "start", "main", 10),
        (T1, "start", "sub1", 20),
        (T2, "end", "main", 25),
        (T3, "end", "sub1", 32),
    ):
        words = ["alias", verb, "toy", "--stdin", "--window", "W1", "--captured-at", at]
        program(*words, stdin=f"fuel {fuel}%", lane=lane).ok()
    found = json.loads(program("--json", "window-audit", "--window", "W1").ok())["providers"]["toy"]
    times = {
        lane: tuple(pair[phase]["captured_at"] for phase in ("before", "after"))
        for lane, pair in found["lanes"].items()
    }
    assert times == {"main": (T0, T2), "sub1": (T1, T3)}
    assert "capacity=12 pp" in program("preview").ok(), "the last AFTER and the BEFORE of its lane, never the sum"
    assert "capacity=12 pp" in program("complete", "--window", "W1", "--toy-features", "1").ok()
    program("alias", "delete", "toy", "--yes", "--phase", "before", "--window", "W1", lane="sub1").ok()
    assert "capacity=22 pp" in program("complete", "--window", "W1", "--toy-features", "1").ok()


def test_each_lane_has_its_own_open_window(program: Any) -> None:
    program("alias", "start", "toy", "--stdin", "--window", "W1", stdin="fuel 1%", lane="main").ok()
    program("alias", "start", "toy", "--stdin", "--window", "W8", stdin="fuel 1%", lane="sub1").ok()
    assert "for W8 " in program("alias", "end", "toy", "--stdin", stdin="fuel 2%", lane="sub1").ok()
    assert "for W1 " in program("--agent", "main", "alias", "end", "toy", "--stdin", stdin="fuel 2%", lane="sub1").ok()
    assert "toy has no open window." in program("alias", "end", "toy", "--stdin", stdin="fuel 2%").refused()
    assert (
        "no open window in lane sub1"
        in program("alias", "end", "toy", "--stdin", stdin="fuel 2%", lane="sub1").refused()
    )


def test_a_new_lane_begins_a_window_of_its_own(program: Any) -> None:
    """Also with a provider that the lane of the open window did not capture: two lanes' work is two windows."""
    assert "for W0-01 " in program("start", "toy", "--stdin", stdin="fuel 1%", lane="main").ok()
    assert "for W0-02 " in program("start", "tally", "--stdin", stdin="1", lane="sub1").ok()
    assert "for W0-02 " in program("start", "toy", "--stdin", stdin="fuel 2%", lane="sub1").ok(), "its own is open"
    assert "for W0-01 " in program("start", "tally", "--stdin", stdin="1", lane="main").ok()
    crossed = program("cross", "toy", "--stdin", stdin="fuel 3%", lane="main").ok()
    assert "for W0-01 and seeded before snapshot for W0-03" in crossed
    named = program("start", "tally", "--stdin", "--window", "W0-01", stdin="1", lane="sub2")
    assert "for W0-01 " in named.ok(), "a window that is named is taken"


def test_the_state_directory_can_be_elsewhere(program: Any, tmp_path: Path) -> None:
    elsewhere = tmp_path / "states"
    words = ["--state-dir", str(elsewhere)]
    program("alias", "start", "toy", "--stdin", *words, stdin="fuel 1%", lane="sub1").ok()
    assert json.loads((elsewhere / "sub1" / "toy.json").read_bytes())["open"] is True
    assert not (program.root / "state").exists()
    assert {path.stat().st_mode & 0o777 for path in (elsewhere, elsewhere / "sub1")} == {0o700}


BAD = ["a/b", "..", "a..b", "x" * 300, "a\x1b[2J", ".hidden", "-rf", "toy.json", "a b", "a\nb", "é", "\udcff", "a\\b"]


@pytest.mark.parametrize("name", BAD)
def test_a_lane_that_is_no_name_is_refused_by_every_command_that_writes(program: Any, name: str) -> None:
    for words in (
        ["alias", "start", "toy", "--stdin"],
        ["alias", "delete", "toy", "--yes"],
        ["complete", "--window", "W1"],
        ["ingest", "toy-report", "--window", "W1", "--stdin"],
        ["override", "toy", "--window", "W1", "--phase", "after", "--fuel-pct", "1"],
        ["import", "."],
    ):
        error = program("--agent", name, *words, stdin="fuel 1%").refused()
        assert "Invalid AGENT_ID" in error
        assert "\x1b" not in error
        assert len(error) < 400
    assert not program.root.exists()


@pytest.mark.parametrize("folder", ["state", "state/sub1"])
def test_a_link_in_place_of_a_state_folder_is_not_followed(program: Any, tmp_path: Path, folder: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = program.root / folder
    place.parent.mkdir(parents=True)
    place.symlink_to(elsewhere)
    done = program("alias", "start", "toy", "--stdin", stdin="fuel 1%", lane="sub1")
    assert done.ok()
    assert "warning: the record is stored, but the lane's state was not written: " in done.err
    assert f"{place} is a symbolic link" in done.err
    assert len(program.rows("snapshots")) == 1
    assert list(elsewhere.iterdir()) == []


def test_a_tombstone_that_names_itself_holds_nothing_up(tmp_path: Path) -> None:
    """As an edited or imported file may have one: its chain was followed for ever, under the lock."""
    tombstone = {"record_id": "x", "tombstone": "x", "window": "W0-01", "provider": "codex"}
    (tmp_path / "snapshots.jsonl").write_text(json.dumps(tombstone) + "\n")
    session = Session()
    session.data_dir = tmp_path
    keep_states(session, "snapshots", [tombstone])


def test_a_first_window_goes_on_with_the_ids_of_this_machine(program: Any) -> None:
    """W0-01 is another machine's, which would refuse an import of two."""

    def begun(*lane: str) -> str:
        return str(json.loads(program("start", "tally", "--stdin", "--dry-run", *lane, stdin="5").ok())["window"])

    assert begun() == "W0-01"
    program("start", "toy", "--stdin", "--window", "ADA-01", stdin="fuel 30%").ok()
    program("end", "toy", "--stdin", stdin="fuel 40%").ok()
    assert (begun(), begun("--agent", "sub1")) == ("ADA-01", "ADA-02")
    program("complete", "--window", "ADA-01", "--toy-features", "1").ok()
    assert begun() == "ADA-02"


def test_a_first_window_is_none_that_was_made_of_the_history(program: Any) -> None:
    """It is over, and named after its time: it held one provider's Monday, and would have another's Tuesday."""
    for verb, hour in (("start", 8), ("end", 9)):
        at = f"2026-01-10T{hour:02}:00:00Z"
        words = (verb, "toy", "--stdin", "--window", "H20260110-0800", "--captured-at", at)
        program(*words, stdin=f"fuel {hour}%").ok()
    for provider, pane in (("tally", "5"), ("toy", "fuel 9%")):
        begun = program("start", provider, "--stdin", "--dry-run", stdin=pane).ok()
        assert json.loads(begun)["window"] == "H20260110-0800-02"


def test_the_next_window_of_a_lane_looks_at_no_other_lane(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`status` asks for that of each lane: 400 lanes took ten times as long."""
    for lane in ("sub1", "sub2", "sub3"):
        program("start", "toy", "--stdin", "--window", f"{lane}-01", stdin="fuel 30%", lane=lane).ok()
        program("end", "toy", "--stdin", stdin="fuel 40%", lane=lane).ok()
    session, asked, newest = Session(), list[Any](), Index.newest
    session.data_dir = program.root

    def noted(self: Index, stream: str, agent: str | None, *more: Any, **named: Any) -> Any:
        asked.append(agent)
        return newest(self, stream, agent, *more, **named)

    monkeypatch.setattr(Index, "newest", noted)
    assert Windows.of(session, session.source("toy"), "sub2", session.now) == "sub2-02"
    assert set(asked) == {"sub2"}
