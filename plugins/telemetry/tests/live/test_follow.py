"""`--file PATH --follow`: growth, truncation, rotation and restarts, without loss and without doubling."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracker_telemetry.follower import Follower, Place
from tracker_telemetry.lines import Stop

Start = Callable[..., Any]


class Log:
    """A log that some program writes and rotates; `rids` is everything it ever held, in order."""

    def __init__(self, path: Path, line: Start) -> None:
        self.path, self.line = path, line
        self.rids: list[str] = []

    def write(self, *rids: str, to: Path | None = None) -> None:
        with (to or self.path).open("ab") as file:
            for rid in rids:
                file.write(self.line(rid))
        self.rids += rids


def old(path: Path, log: Log) -> None:
    """A file that was rotated away before anybody followed."""
    path.write_bytes(log.line("long ago"))
    os.utime(path, (1, 1))


@pytest.fixture
def log(tmp_path: Path, line: Start) -> Log:
    return Log(tmp_path / "usage.jsonl", line)


@pytest.fixture
def follow(ingest: Start) -> Start:
    return lambda: ingest("--file", "usage.jsonl", "--follow")


@pytest.fixture
def caught_up(data: Any, log: Log, wait_for: Start) -> Start:
    """Waits until the journal holds all that the log ever held; and nothing else, and nothing twice."""

    def check() -> None:
        wait_for(lambda: len(data.rids()) >= len(log.rids))
        assert data.rids() == log.rids

    return check


def test_a_file_that_grows(follow: Start, log: Log, caught_up: Start) -> None:
    log.write("a")
    run = follow()
    caught_up()
    log.write("b", "c")
    caught_up()
    status, out, err = run.signal(signal.SIGINT)
    assert (status, err) == (0, "")
    assert "(events=3, new=3, " in out


def test_a_file_that_is_not_there_yet(follow: Start, log: Log, caught_up: Start) -> None:
    run = follow()
    log.write("a")
    caught_up()
    assert run.signal(signal.SIGTERM)[0] == 0


def test_a_file_that_is_truncated(follow: Start, log: Log, caught_up: Start) -> None:
    log.write("a", "b")
    follow()
    caught_up()
    log.path.write_bytes(b"")
    log.write("c")
    caught_up()
    log.path.write_bytes(b"")
    log.write("d", "e", "f", "g")  # longer than before: its size alone does not tell
    caught_up()


@pytest.mark.parametrize("names", ["012", "321"])
def test_a_file_that_is_renamed_and_made_anew(follow: Start, log: Log, caught_up: Start, names: str) -> None:
    log.write("a")
    follow()
    caught_up()
    for number in names:
        rotated = log.path.with_suffix(f".jsonl.{number}")
        log.path.rename(rotated)
        log.write(f"late-{number}", to=rotated)  # the writer still has it open
        log.write(f"new-{number}")
        caught_up()


def test_a_renamed_file_that_its_writer_keeps_open(
    follow: Start, log: Log, caught_up: Start, tmp_path: Path, line: Start, wait_for: Start, data: Any
) -> None:
    """As with logrotate's `create`, until the writer is told to open its log again."""
    log.write("a")
    run = follow()
    caught_up()
    rotated = tmp_path / "usage.jsonl.1"
    log.path.rename(rotated)
    log.path.touch()
    for rid in ("late 1", "late 1", "late 2"):  # each after some polls
        time.sleep(0.8)
        log.write(rid, to=rotated)
    caught_up()
    log.write("b")
    caught_up()
    time.sleep(0.8)
    whole = line("late 3")
    with rotated.open("ab") as file:
        file.write(whole[:20])
        file.flush()
        log.write("c")
        caught_up()
        file.write(whole[20:])
    log.rids.append("late 3")
    caught_up()
    run.signal(signal.SIGTERM)
    log.write("d")
    log.write("late 4", to=rotated)
    rotated.rename(tmp_path / "usage.jsonl.2")
    run = follow()
    wait_for(lambda: len(data.rids()) >= len(log.rids))
    assert sorted(data.rids()) == sorted(log.rids)
    assert "duplicates=0, rejected=0" in run.signal(signal.SIGTERM)[1]


def test_a_folder_beside_the_file_is_not_followed(follow: Start, log: Log, caught_up: Start, tmp_path: Path) -> None:
    log.write("a")
    followed(follow, caught_up)
    (tmp_path / "usage.archive").mkdir()
    log.path.rename(tmp_path / "usage.jsonl.1")
    log.write("b")
    follow()
    caught_up()


def test_a_file_that_is_copied_and_cut(follow: Start, log: Log, caught_up: Start) -> None:
    log.write("a")
    follow()
    caught_up()
    log.write("b")
    shutil.copy(log.path, log.path.with_suffix(".jsonl.1"))
    log.path.write_bytes(b"")
    log.write("c")
    caught_up()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_goes_on_where_it_was(follow: Start, log: Log, caught_up: Start, number: int) -> None:
    log.write("a", "a", "b")
    run = follow()
    caught_up()
    log.write("a")
    run.process.send_signal(number)
    run.process.wait()
    log.write("c", "a")
    run = follow()
    caught_up()
    log.write("b")
    caught_up()
    status, out, _ = run.signal(signal.SIGINT)
    assert status == 0
    if number == signal.SIGTERM:  # a kill may come between the rows and the note of how far the file was read
        assert "duplicates=0" in out


def test_what_is_remembered_of_a_file_holds_nothing_of_its_text(
    follow: Start, log: Log, caught_up: Start, tmp_path: Path
) -> None:
    log.write("a", "b")
    followed(follow, caught_up)
    marks = [path.read_bytes() for path in tmp_path.rglob("followed-*.json")]
    assert marks
    end = log.path.read_bytes()[-16:]
    assert not any(text in mark for mark in marks for text in (end, end.hex().encode()))


def followed(follow: Start, caught_up: Start) -> None:
    """Follow until everything is stored, and end."""
    run = follow()
    caught_up()
    run.signal(signal.SIGTERM)


def test_rotations_while_nobody_followed(follow: Start, log: Log, caught_up: Start, tmp_path: Path) -> None:
    log.write("a", "b")
    followed(follow, caught_up)
    log.write("c")
    first = tmp_path / "usage.jsonl.2"
    log.path.rename(first)
    log.write("d")
    log.path.rename(tmp_path / "usage.jsonl.1")
    old(tmp_path / "usage.jsonl.3", log)
    (tmp_path / "usage.jsonl.bak").write_bytes(log.line("somebody's copy"))
    log.write("e")
    follow()
    caught_up()
    log.write("f")
    caught_up()


def test_a_successor_that_begins_like_the_rotated_file(
    follow: Start, log: Log, caught_up: Start, tmp_path: Path
) -> None:
    log.write("a")
    followed(follow, caught_up)
    log.write("b")
    log.path.rename(tmp_path / "usage.jsonl.1")
    log.write("a", "c")
    follow()
    caught_up()


def test_dated_rotations_while_nobody_followed(follow: Start, log: Log, caught_up: Start, tmp_path: Path) -> None:
    log.write("a")
    followed(follow, caught_up)
    log.write("b")
    log.path.rename(tmp_path / "usage.jsonl-20260110")
    log.write("c")
    log.path.rename(tmp_path / "usage.jsonl-20260111")
    old(tmp_path / "usage.jsonl-20260109", log)
    log.write("d")
    follow()
    caught_up()


def test_a_rotated_file_that_was_compressed_before_it_was_read_is_said(
    ingest: Start, follow: Start, log: Log, data: Any, wait_for: Start, tmp_path: Path
) -> None:
    (tmp_path / "usage.jsonl.2.gz").write_bytes(gzip.compress(log.line("long ago")))
    log.write("a", "b")
    run = follow()
    wait_for(lambda: data.rids() == ["a", "b"])
    assert "warning" not in run.signal(signal.SIGTERM)[2]
    log.write("c")
    rotated = log.path.read_bytes()
    (tmp_path / "usage.jsonl.1.gz").write_bytes(gzip.compress(rotated))
    log.path.unlink()
    log.write("d")
    run = follow()
    wait_for(lambda: data.rids() == ["a", "b", "d"])
    err = run.signal(signal.SIGTERM)[2]
    missing = "is no longer at that path or beside it, so what it gained after the last run is missing."
    assert f"{missing} Pipe a copy of it to --stdin." in err
    run = ingest("--stdin")
    run.write(rotated)
    assert "new=1, duplicates=2" in run.end()[1]
    assert sorted(data.rids()) == log.rids


def test_without_its_index_it_reads_the_file_again_and_stores_nothing_twice(
    follow: Start, log: Log, caught_up: Start, data: Any
) -> None:
    log.write("a", "b", "a")
    followed(follow, caught_up)
    shutil.rmtree(data.folder / ".index")
    log.write("c", "a")
    run = follow()
    caught_up()
    assert "(events=5, new=2, duplicates=3, " in run.signal(signal.SIGTERM)[1]


def test_only_regular_files_are_followed(ingest: Start, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    status, _, err = ingest("--file", "folder", "--follow").end()
    assert (status, "not a regular file. Pipe it to --stdin." in err) == (1, True)
    status, _, err = ingest("--stdin", "--follow").end()
    assert (status, "--follow expects --file PATH" in err) == (2, True)


def chunks(follower: Follower) -> list[bytes]:
    """What there is until nothing more comes, twice: a renamed file is left at the second time."""
    found, pauses = list[bytes](), 0
    for chunk in follower.chunks(Stop()):
        found += [chunk] if chunk else []
        pauses += not chunk
        if pauses == 2:
            break
    return found


def test_a_file_beside_it_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, foreign = tmp_path / "usage.jsonl", tmp_path / "usage-key.pem"
    path.write_bytes(b"a\n")
    foreign.write_bytes(b"a\n")
    access, opened = os.access, os.open

    def refuse(name: Any, *given: Any, **more: Any) -> int:
        if name == foreign:
            raise PermissionError(13, "Permission denied")
        return opened(name, *given, **more)

    monkeypatch.setattr(os, "access", lambda name, mode: name != foreign and access(name, mode))
    monkeypatch.setattr(os, "open", refuse)
    assert chunks(Follower(path)) == [b"a\n"]


def test_a_former_file_is_no_successor_after_a_restart(tmp_path: Path) -> None:
    """Its writer wrote to it last, but all of it was read."""
    former, path = tmp_path / "usage.jsonl.2", tmp_path / "usage.jsonl.1"
    places = []
    for file, text in ((former, b"a\nb\n"), (path, b"c\n")):
        file.write_bytes(text)
        found = file.stat()
        places.append(Place(found.st_dev, found.st_ino).behind(text))
    os.utime(former, (found.st_mtime + 9, found.st_mtime + 9))
    (tmp_path / "usage.jsonl").write_bytes(b"d\n")
    follower = Follower(tmp_path / "usage.jsonl", place=places[1], left=places[0])
    assert chunks(follower) == [b"d\n"]
