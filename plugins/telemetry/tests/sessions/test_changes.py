"""Files that change under the index, and an index that goes: no request is lost, none counts twice."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., str]


def rewrite(path: Path, text: str) -> None:
    """Another file under the same name."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def test_another_file_under_the_name_with_the_same_end_is_read_whole(home: Any, message: Make) -> None:
    path = home.projects / "s1.jsonl"
    end = message("end") * 3
    path.write_text(message("a") + end)
    assert home.total()[0] == 2
    rewrite(path, message("b") + end + message("c"))
    assert home.total()[0] == 4
    assert home.total() == home.total("session")


def test_a_file_that_was_rewritten_in_place_is_read_whole(home: Any, message: Make) -> None:
    path = home.projects / "s1.jsonl"
    end = message("end") * 3
    path.write_text(message("a") + end)
    assert home.total()[0] == 2
    path.write_text(message("b") + end)
    os.utime(path, ns=(1, 1))
    assert home.total()[0] == 3


def test_a_file_that_grew_while_it_was_moved_is_read_on(home: Any, message: Make) -> None:
    path = home.projects / "s1.jsonl"
    path.write_text('{torn "usage"\n' + message("a"))
    assert home.missing() == {"unreadable": 1}
    new = path.rename(home.projects / "s2.jsonl")
    with new.open("a") as file:
        file.write(message("b") + message("c")[:40])
    assert home.total()[0] == 2
    with new.open("a") as file:
        file.write(message("c")[40:])
    assert home.total()[0] == 3
    assert home.missing() == {"unreadable": 1}


def test_a_session_of_which_one_file_is_deleted_keeps_all_without_the_index(home: Any, message: Make) -> None:
    """Vendors delete by age: a session's own file goes before those of its subagents."""
    (home.projects / "s1.jsonl").write_text(message("a") + message("b"))
    (home.projects / "s1" / "subagents").mkdir(parents=True)
    other = home.projects / "s1" / "subagents" / "agent-x.jsonl"
    other.write_text(message("c", isSidechain=True) + message("d", timestamp="2026-11-21T10:00:00Z"))
    before = {way: home.usage(way)["rows"] for way in ("session", "daily", "project")}
    (home.projects / "s1.jsonl").unlink()
    shutil.rmtree(home.data / ".index")
    for _ in range(2):
        assert {way: home.usage(way)["rows"] for way in before} == before
        shutil.rmtree(home.data / ".index")
    assert home.missing() == {"deleted": 1}
    with other.open("a") as file:
        file.write(message("e", timestamp="2026-11-22T10:00:00Z"))
    assert home.total()[0] == 5


def test_the_names_of_folders_are_not_stored(home: Any, message: Make) -> None:
    """A client writes the working directory into them, which a hashed project does not tell."""
    folder = home.projects.parent / "-home-dev-canary-acme"
    folder.mkdir()
    (folder / "s1.jsonl").write_text(message("a"))
    assert home.total()[0] == 1
    stored = [path.read_bytes() for path in home.data.rglob("*") if path.is_file()]
    assert stored
    assert not any(b"canary" in data for data in stored)
    folder.rename(folder.with_name("-moved"))
    with (folder.with_name("-moved") / "s1.jsonl").open("a") as file:
        file.write(message("b"))
    assert home.total()[0] == 2


def test_why_a_file_is_not_read_is_stored_without_its_name(
    home: Any, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tracker_telemetry.sessions import scan

    def refuse(path: str, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    folder = home.projects.parent / "-home-dev-canary-acme"
    folder.mkdir()
    (folder / "s1.jsonl").write_text(message("a"))
    monkeypatch.setattr(scan, "open", refuse, raising=False)
    [missing] = home.usage()["missing"]
    assert (missing["kind"], missing["detail"]) == (
        "unread_files",
        "Claude Code sessions: [Errno 13] Permission denied: s1.jsonl",
    )
    assert not any(b"canary" in path.read_bytes() for path in home.data.rglob("*") if path.is_file())
    monkeypatch.undo()
    monkeypatch.chdir(home.folder.parent)
    assert home.total()[0] == 1


def test_a_folder_that_cannot_be_listed_is_counted(home: Any, message: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    (home.projects / "s1.jsonl").write_text(message("a"))
    closed = home.projects.parent / "-closed"
    closed.mkdir()
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if path == str(closed):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    [missing] = home.usage()["missing"]
    assert missing == {
        "kind": "unread_folders",
        "count": 1,
        "detail": "Claude Code sessions: [Errno 13] Permission denied",
    }
    assert "missing: 1 folder could not be read: Claude Code sessions" in home.run("usage").stderr


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_in_another_encoding_is_named(home: Any, message: Make, encoding: str) -> None:
    (home.projects / "s1.jsonl").write_bytes(message("a").encode(encoding))
    for _ in range(2):
        assert home.missing() == {"unread_files": 1}
    (home.projects / "s1.jsonl").write_text(message("a"))
    assert (home.total()[0], home.missing()) == (1, {})


@pytest.mark.parametrize(("begun", "missing"), [("{", {"partial": 1}), ("{\n", {}), ("\0", {})])
def test_a_file_that_has_just_begun_is_no_other_encoding(
    home: Any, message: Make, begun: str, missing: dict[str, int]
) -> None:
    (home.projects / "s1.jsonl").write_text(begun)
    (home.projects / "s2.jsonl").write_text(message("a"))
    assert (home.total()[0], home.missing()) == (1, missing)


def test_a_project_that_is_hashed_from_now_on_counts_once(home: Any, message: Make) -> None:
    (home.projects / "s1.jsonl").write_text(message("a") + message("b"))
    assert home.total()[0] == 2
    (home.data.parent / "tracker.toml").write_text('[privacy]\nprojects = "hash"\n')
    shutil.rmtree(home.data / ".index")
    for _ in range(2):
        assert home.total("project")[0] == 2
        [row] = home.usage("project")["rows"]
        assert row["project"] != "acme"
        shutil.rmtree(home.data / ".index")
    (home.projects / "s1.jsonl").unlink()
    assert home.total("project")[0] == 2


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Honolulu", "UTC"])
def test_the_day_of_a_deleted_file_is_the_same_in_each_zone(home: Any, message: Make, zone: str) -> None:
    (home.projects / "s1.jsonl").write_text(message("a"))
    home.usage()
    (home.projects / "s1.jsonl").unlink()
    shutil.rmtree(home.data / ".index")
    assert [row["period"] for row in home.usage("--timezone", zone)["rows"]] == ["2026-11-20"]


def test_names_and_bytes_that_are_no_utf8(home: Any, message: Make) -> None:
    (home.projects / os.fsdecode(b"s\xff.jsonl")).write_text(message("a"))
    (home.projects / "s2.jsonl").write_bytes(message("b").encode().replace(b"canary", b"can\xff\xfeary"))
    (home.projects / "s3.jsonl").write_bytes(b"\0" * 4096 + message("c").encode() + b"\0" * 100)
    (home.projects / "s4.jsonl").touch()
    for _ in range(2):
        assert home.total()[0] == 3
    assert home.missing() == {}


def test_a_line_of_many_megabytes(home: Any, message: Make) -> None:
    text = json.loads(message("big"))
    text["message"]["content"] = "x" * (50 << 20)
    (home.projects / "s1.jsonl").write_text(message("a") + json.dumps(text) + "\n" + "y" * (20 << 20))
    assert home.total()[0] == 2
    with (home.projects / "s1.jsonl").open("a") as file:
        file.write("\n" + message("b"))
    assert home.total()[0] == 3


def test_links_that_go_round(home: Any, message: Make) -> None:
    (home.projects / "s1.jsonl").write_text(message("a"))
    (home.projects / "round").symlink_to(home.projects.parent)
    (home.projects / "again.jsonl").symlink_to(home.projects / "s1.jsonl")
    (home.projects / "nowhere.jsonl").symlink_to(home.projects / "none.jsonl")
    os.link(home.projects / "s1.jsonl", home.projects / "hard.jsonl")
    assert home.total()[0] == 1
    assert home.missing() == {}


def test_a_copy_that_is_read_before_what_it_is_a_copy_of(home: Any) -> None:
    def line(kind: str, payload: Any, at: str) -> str:
        return json.dumps({"timestamp": f"2026-11-20T10:{at}.000Z", "type": kind, "payload": payload}) + "\n"

    def count(total: int, at: str) -> str:
        usage = {"input_tokens": total, "output_tokens": total // 10}
        last = {"input_tokens": 100, "output_tokens": 10}
        return line(
            "event_msg", {"type": "token_count", "info": {"total_token_usage": usage, "last_token_usage": last}}, at
        )

    parent = line("session_meta", {"id": "p", "cwd": "/w/acme"}, "00:00") + line(
        "turn_context", {"model": "gpt-5.2"}, "00:00"
    )
    meta = line("session_meta", {"id": "p", "cwd": "/w/acme"}, "30:00")
    fork = line("session_meta", {"id": "f", "cwd": "/w/acme", "forked_from_id": "p"}, "30:00") + meta
    copied = line("turn_context", {"model": "gpt-5.2"}, "30:00") + count(100, "30:00") + count(200, "30:00")
    own = count(300, "31:00")
    old, new = home.sessions / "rollout-a-p.jsonl", home.sessions / "rollout-b-f.jsonl"
    old.write_text(parent + count(100, "01:00") + count(200, "02:00"))
    new.write_text(fork + copied + own)
    os.utime(new, (1, 1))
    rows = home.usage("session")["rows"]
    assert {row["session"]: row["requests"] for row in rows} == {"p": 2, "f": 1}


def test_what_a_killed_process_did_not_read_is_read_all_the_same(
    home: Any, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tracker_telemetry.sessions import parallel, scan

    for name in "abc":
        (home.projects / f"{name}.jsonl").write_text(message(name))
    take, parent = scan.Rows.take, os.getpid()

    def die(self: scan.Rows, line: bytes) -> None:
        if os.getpid() != parent:
            os._exit(9)
        take(self, line)

    monkeypatch.setattr(parallel, "PARALLEL", 0)
    monkeypatch.setattr(scan, "workers", lambda: 2)
    assert home.total()[0] == 3
    monkeypatch.setattr(scan.Rows, "take", die)
    shutil.rmtree(home.data)
    assert home.total()[0] == 3


def test_another_word_than_a_period_is_told_what_was_meant(home: Any) -> None:
    for word, meant in (("day", "daily"), ("week", "weekly"), ("models", "model")):
        done = home.run("usage", word)
        assert done.exit_code == 2
        assert f"Unknown period '{word}'. Did you mean {meant}?" in done.stderr


def test_nothing_found_says_where_it_was_looked_for(home: Any, message: Make) -> None:
    done = home.run("usage", CODEX_HOME="/nowhere,/none")
    assert done.stdout == "No requests.\n"
    assert "Codex sessions: 0 files in /nowhere/sessions/**/rollout-*.jsonl, /none/sessions/" in done.stderr
    assert f"{home.folder}/.claude/projects/**/*.jsonl" in done.stderr
    assert "set CLAUDE_CONFIG_DIR or CODEX_HOME to it" in done.stderr
    (home.projects / "a.jsonl").write_text(message("a"))
    done = home.run("usage", "--since", "2027-01-01")
    assert "Claude Code sessions: 1 file in " in done.stderr
    assert "run `tracker usage` without options" in done.stderr
    assert "files in" not in home.run("usage").stderr


def test_a_file_that_was_compressed_or_unpacked_counts_once(home: Any) -> None:
    zstandard = pytest.importorskip("zstandard")
    usage = {"input_tokens": 100, "output_tokens": 10}
    payload = {"thread_id": "t", "response_id": "r", "usage": usage}
    rows = [{"type": "session_meta", "payload": {"id": "t"}}, {"type": "token_usage_record", "payload": payload}]
    text = "".join(json.dumps(row) + "\n" for row in rows) + '{torn "token_count"\n'
    plain = home.sessions / "rollout-t.jsonl"
    plain.write_text(text)
    assert home.total() == (1, 100, 10)
    frames = [zstandard.compress(part.encode()) for part in (text[:50], "", text[50:])]
    plain.with_suffix(".jsonl.zst").write_bytes(b"".join(frames))
    plain.unlink()
    assert home.total() == (1, 100, 10)
    assert home.missing() == {"unpriced": 1, "undated": 1, "unreadable": 1}
    plain.write_text(text)  # as `codex resume` does
    plain.with_suffix(".jsonl.zst").unlink()
    assert home.total() == (1, 100, 10)
    assert home.missing() == {"unpriced": 1, "undated": 1, "unreadable": 1}


def test_counts_that_no_request_has_are_unreadable(home: Any, message: Make) -> None:
    rows = [message(f"m{at}", usage={"input_tokens": 2**53 - 1}) for at in range(1100)]
    (home.projects / "s1.jsonl").write_text("".join(rows) + message("a"))
    assert home.total()[0] == 1
    assert home.missing() == {"unreadable": 1100}


def test_an_index_that_another_process_writes_is_left_alone(
    home: Any, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.projects / "s1.jsonl").write_text(message("a"))
    home.usage()
    [index] = (home.data / ".index").glob("sessions.sqlite3")
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **more: connect(*given, **{**more, "timeout": 0}))
    other = connect(index)
    other.execute("BEGIN EXCLUSIVE")
    (home.projects / "s2.jsonl").write_text(message("b"))
    done = home.run("usage")
    assert done.exit_code != 0
    assert done.stderr.startswith("error: Another process is reading the session logs.")
    other.close()
    assert home.total()[0] == 2


def test_what_turns_out_to_be_a_replay_leaves_the_daily_totals_too(home: Any, message: Make) -> None:
    """A replay is read before its original, which another session has."""
    first = home.projects / "s1.jsonl"
    first.write_text(message("a", isSidechain=True, requestId=None))
    assert home.total()[0] == 1
    (home.projects / "s2.jsonl").write_text(message("a", sessionId="s2"))
    for _ in range(2):
        assert [(row["session"], row["requests"]) for row in home.usage("session")["rows"]] == [("s2", 1)]
        shutil.rmtree(home.data / ".index")
    first.unlink()
    assert home.total()[0] == 1


def test_the_table_of_prices_is_asked_once_for_a_model_and_day(
    home: Any, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = home.projects / "s.jsonl"
    log.write_text(message("m1", model="claude-opus-4-6") + message("m2", model="nobody-knows-it"))
    first = home.usage()["totals"]["cost_usd"]
    assert first
    asked: list[str] = []
    monkeypatch.setattr("tracker_telemetry.sessions.genai.price", lambda model, *_: asked.append(model))
    with log.open("a") as file:
        file.write(message("m3", model="claude-opus-4-6") + message("m4", model="nobody-knows-it"))
    assert home.usage()["totals"]["cost_usd"] == pytest.approx(2 * first)
    assert asked == []
    # another version of the table is asked anew
    monkeypatch.setattr("tracker_telemetry.sessions.genai.version", lambda: "genai_prices-0")
    assert home.usage()["totals"]["cost_usd"] is None
    assert sorted(set(asked)) == ["claude-opus-4-6", "nobody-knows-it"]


def test_a_data_directory_of_another_machine_by_itself(home: Any, message: Make) -> None:
    log = home.projects / "s1.jsonl"
    log.write_text(message("a"))
    home.usage()
    log.write_text(message("b", sessionId="s2"))  # what this machine has instead
    shutil.rmtree(home.data / ".index")
    assert home.total()[0] == 2
    shutil.rmtree(home.data / ".index")
    nowhere = {"CODEX_HOME": "/nowhere", "CLAUDE_CONFIG_DIR": "/nowhere"}
    assert [row["session"] for row in home.usage("session", **nowhere)["rows"]] == ["s1", "s2"]


def test_what_is_missing_is_said_in_words(home: Any, message: Make, state: Callable[..., str]) -> None:
    odd = json.dumps({"type": "quantum", "usage": {"input_tokens": 7}}) + "\n"
    (home.projects / "s1.jsonl").write_text(message("a") + state(300, 90) + odd)
    said = home.run("usage").stderr.splitlines()
    start = "missing: 1 row of a newer client may hold tokens that are not counted: Claude Code sessions: rows of"
    assert said[0] == f"{start} type quantum"
    assert said[1].startswith(
        "missing: 1 session used more than the rows show: Claude Code sessions: claude-opus-4-6 in"
    )
    assert said[1].endswith("alone (such as compaction): input_tokens=200, output_tokens=40")


@pytest.mark.parametrize("kind", ["symbolic", "hard", "journal", "folder"])
def test_a_database_behind_a_link_stays_as_it_is(home: Any, message: Make, tmp_path: Path, kind: str) -> None:
    """A link in the index led to a stranger's database, whose tables were dropped for ours."""
    (home.projects / "s1.jsonl").write_text(message("a"))
    assert home.total()[0] == 1
    index = home.data / ".index"
    (theirs := tmp_path / "elsewhere" / "sessions.sqlite3").parent.mkdir()
    with sqlite3.connect(theirs) as database:
        database.execute("CREATE TABLE invoices (x)")
    database.close()
    before = theirs.read_bytes()
    if kind == "folder":
        shutil.rmtree(index)
        index.symlink_to(theirs.parent)
    elif kind == "journal":
        (index / f"{theirs.name}-journal").symlink_to(theirs)
    else:
        own = index / theirs.name
        own.unlink()
        (own.symlink_to if kind == "symbolic" else own.hardlink_to)(theirs)
    (home.projects / "s2.jsonl").write_text(message("b"))
    assert home.total()[0] == 2
    assert theirs.read_bytes() == before
    assert [*theirs.parent.iterdir()] == [theirs]
    assert index.is_symlink() or [(index / theirs.name).lstat().st_nlink, *index.glob("*-journal")] == [1]
