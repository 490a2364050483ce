"""No record is lost and nothing untrue is said, whatever the system, an editor or a stopped process does."""

from __future__ import annotations

import errno
import os
import random
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from journal_records import add, capture

from tracker.errors import TrackerError
from tracker.journal import records as stored
from tracker.journal.files import private_folder, replace_file
from tracker.journal.journal import Journal


def ids(journal: Journal, stream: str = "snapshots") -> list[int]:
    return [int(record["record_id"], 16) for _, _, record in journal.records(stream)]


# --- appending


def test_several_streams_get_their_records_or_none_does(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    add(journal, 1)
    add(journal, 2, stream="anomalies")
    before = {path.name: path.read_bytes() for path in journal.root.glob("*.jsonl")}
    real, flushed = os.fsync, []

    def broken(file: int) -> None:
        flushed.append(file)
        if len(flushed) == 2:
            raise OSError(errno.EIO, "Input/output error")
        real(file)

    monkeypatch.setattr(os, "fsync", broken)
    with (
        journal.lock("test"),
        pytest.raises(TrackerError, match=r"These records were stored: snap.* 1, anom.* 1"),
    ):
        journal.append_all({"anomalies": [capture(3)], "snapshots": [capture(4)]})
    assert {path.name: path.read_bytes() for path in journal.root.glob("*.jsonl")} == before
    assert dict(journal.stored) == {"snapshots": 1, "anomalies": 1}


def test_what_cannot_be_taken_back_is_said_to_be_unknown(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    add(journal, 1)
    monkeypatch.setattr(os, "fsync", broken)
    monkeypatch.setattr(os, "ftruncate", broken)
    with journal.lock("test"), pytest.raises(TrackerError, match="It is unknown whether the records were stored"):
        journal.append("snapshots", [capture(2)])
    assert journal.doubtful == {"snapshots"}
    assert journal.stored["snapshots"] == 1


def test_a_foreign_row_behind_a_failed_append_stays(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person appends while the flush fails: only our own bytes may be taken back, so here nothing is."""
    add(journal, 1)
    path = journal.path("snapshots")

    def broken(_: int) -> None:
        with path.open("ab") as file:
            file.write(b'{"by": "hand"}\n')
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with journal.lock("test"), pytest.raises(TrackerError, match="It is unknown whether"):
        journal.append("snapshots", [capture(2)])
    assert path.read_bytes().endswith(b'{"by": "hand"}\n')


def test_an_interrupt_waits_until_it_is_known_what_was_stored(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(journal, 1)
    for name in ("write", "fsync"):
        real = getattr(os, name)

        def interrupted(*given: Any, real: Callable[..., Any] = real) -> Any:
            os.kill(os.getpid(), signal.SIGINT)
            return real(*given)

        with monkeypatch.context() as patched, journal.lock("test"):
            patched.setattr(os, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                journal.append("snapshots", [capture(2)])
    assert ids(journal) == [1, 2, 2]
    assert journal.stored["snapshots"] == 3


@pytest.mark.parametrize("when", ["write", "fsync"])
def test_a_stream_that_an_editor_replaces_gets_the_record(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    add(journal, 1)
    path, real, saved = journal.path("snapshots"), getattr(os, when), []

    def saving(*given: Any) -> Any:
        found = real(*given)
        if not saved and os.fstat(given[0]).st_ino == path.stat().st_ino:
            saved.append(path.with_name("saved"))
            saved[0].write_bytes(path.read_bytes().splitlines(keepends=True)[0] + b'{"record_id": "63"}\n')
            saved[0].replace(path)
        return found

    with journal.lock("test"):
        monkeypatch.setattr(os, when, saving)
        journal.append("snapshots", [capture(2)])
    assert saved
    assert ids(journal) == [1, 0x63, 2]


def test_a_torn_line_that_comes_between_mending_and_writing_swallows_no_record(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(journal, 1)
    path, real, saved = journal.path("snapshots"), journal.mend, []

    def mended(stream: str) -> Any:
        found = real(stream)
        if not saved:
            saved.append(path.with_name("saved"))
            saved[0].write_bytes(path.read_bytes() + b'{"record_id": "half')
            saved[0].replace(path)
        return found

    monkeypatch.setattr(journal, "mend", mended)
    add(journal, 2)
    assert ids(journal) == [1, 2]


def test_an_editor_that_never_stops_is_named(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    add(journal, 1)
    path, real = journal.path("snapshots"), os.fsync

    def saving(file: int) -> None:
        real(file)
        copy = path.read_bytes()
        path.unlink()
        path.write_bytes(copy)

    with journal.lock("test"), monkeypatch.context() as patched:
        patched.setattr(os, "fsync", saving)
        with pytest.raises(TrackerError, match=r"Another program keeps replacing .*unknown whether .* were stored"):
            journal.append("snapshots", [capture(2)])
    assert 2 in ids(journal)


def test_a_killed_creation_is_flushed_by_the_next_command(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    add(journal, 1)
    (journal.root / "windows.jsonl").touch()
    flushed, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (flushed.append(os.readlink(f"/proc/self/fd/{file}")), real(file))[1])
    add(journal, 2, stream="windows")
    assert {str(journal.root), str(journal.root.parent), str(journal.path("windows"))} <= set(flushed)
    assert flushed.index(str(journal.root)) < flushed.index(str(journal.path("windows")))
    flushed.clear()
    add(journal, 3, stream="windows")
    assert flushed == [str(journal.path("windows"))]


# --- reading


def short_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network file system: each read gives a part of what was asked for."""
    dice, pread = random.Random(3), os.pread
    monkeypatch.setattr(os, "pread", lambda file, length, at: pread(file, min(length, dice.randrange(1, 99)), at))


def test_short_reads_lose_nothing(journal: Journal, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    add(journal, *range(6))
    path = journal.path("snapshots")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"record_id": "half' + b"x" * 500)
    short_reads(monkeypatch)
    assert journal.size("snapshots") == len(whole)
    assert path.read_bytes() == whole
    assert path.with_name("snapshots.jsonl.torn").read_bytes() == b'{"record_id": "half' + b"x" * 500 + b"\n"
    assert ids(journal) == list(range(6))
    assert len(said) == 1


def test_only_what_is_proven_torn_is_set_aside(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    add(journal, 1)
    path = journal.path("snapshots")
    with path.open("ab") as file:
        file.write(b'{"record_id": "half')
    before = path.read_bytes()
    monkeypatch.setattr("tracker.journal.records.whole_size", lambda _file, _size: 5)
    assert journal.size("snapshots") == 5
    assert path.read_bytes() == before


# --- replacing


def test_a_file_that_changed_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "handoff.md"
    replace_file(path, b"one\n", was=b"")
    with path.open("ab") as file:
        file.write(b"by hand\n")
    with pytest.raises(TrackerError, match="changed while tracker was about to replace it"):
        replace_file(path, b"two\n", was=b"one\n")
    assert path.read_bytes() == b"one\nby hand\n"
    replace_file(path, b"two\n", was=b"one\nby hand\n")
    assert [one.name for one in tmp_path.iterdir()] == ["handoff.md"]


def test_temporary_files_are_private_and_those_of_killed_commands_go(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = tmp_path / f".state.json.{int(dead.stdout)}-0123abcd.part"
    own, foreign = tmp_path / f".x.{os.getpid()}-0123abcd.part", tmp_path / ".letter.part"
    for path in (left, own, foreign):
        path.touch()
    modes = []
    replace_file(tmp_path / "new", lambda part: modes.append(stat.S_IMODE(part.stat().st_mode)))
    assert modes == [0o600]
    assert {path.name for path in tmp_path.iterdir()} == {own.name, foreign.name, "new"}


@pytest.mark.parametrize(("folder_mode", "mode"), [(0o700, 0o600), (0o755, 0o644)])
def test_a_new_file_is_as_open_as_its_folder(tmp_path: Path, folder_mode: int, mode: int) -> None:
    tmp_path.chmod(folder_mode)
    replace_file(tmp_path / "new", b"x")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == mode
    (tmp_path / "new").chmod(0o640)
    replace_file(tmp_path / "new", b"y")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


def test_links_are_neither_followed_nor_replaced(tmp_path: Path) -> None:
    target = tmp_path / "theirs"
    target.write_bytes(b"theirs")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(TrackerError, match="is a symbolic link"):
        replace_file(tmp_path / "link", b"ours")
    (tmp_path / "folder").symlink_to(tmp_path)
    with pytest.raises(TrackerError, match="is a symbolic link"):
        private_folder(tmp_path / "folder")
    assert target.read_bytes() == b"theirs"


# --- at the same time


def test_a_reader_that_goes_on_behind_the_lock_reads_the_same_file(journal: Journal) -> None:
    add(journal, *range(3), notes="x" * stored.CHUNK)
    with journal.lock("test"):
        records = journal.records("snapshots")
        next(records)
    (journal.root / "other").write_bytes(b"x" * 10)
    file = os.open(journal.root / "other", os.O_RDONLY)
    try:
        assert len(list(records)) == 2
    finally:
        os.close(file)


def test_threads_may_read_while_one_appends(journal: Journal) -> None:
    add(journal, *range(50))
    found: list[int] = []
    reader = Journal(journal.root)
    thread = threading.Thread(target=lambda: found.extend(ids(reader)))
    thread.start()
    add(journal, 50)
    thread.join()
    assert found[:50] == list(range(50))


def test_a_folder_that_is_begun_is_as_private_as_the_one_around_it(tmp_path: Path) -> None:
    for mode, folder, file in ((0o700, 0o700, 0o600), (0o755, 0o755, 0o644)):
        root = tmp_path / f"{mode:o}"
        root.mkdir(mode=mode)
        replace_file(root / ".index" / "one" / "readings.json", b"{}")
        modes = [stat.S_IMODE((root / name).stat().st_mode) for name in (".index", ".index/one")]
        assert modes == [folder, folder]
        assert stat.S_IMODE((root / ".index" / "one" / "readings.json").stat().st_mode) == file
