"""The index is derived: whatever is done to its file, or to a stream behind its back, no answer is wrong."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from journal_records import add, capture

from tracker.journal import index_file as files
from tracker.journal.index import Index
from tracker.journal.journal import BLOCK, Journal


def index_file(journal: Journal) -> Path:
    found = files.find(journal.root)
    assert found is not None
    return found


def answers(journal: Journal) -> list[Any]:
    index = Index(journal)
    try:
        newest = index.newest("snapshots", None, "toy")
        return [index.windows(), newest, [entry.record["record_id"] for entry in index.entries("snapshots", ["W1"])]]
    finally:
        index.close()


def test_a_flipped_byte_anywhere_changes_no_answer(journal: Journal, often: Callable[[int, int], int]) -> None:
    for number in range(40):
        add(journal, number, window=f"W{number % 4}")
    known = answers(journal)
    dice, noticed = random.Random(5), 0
    for _ in range(often(150, 3000)):
        path = index_file(journal)
        data = bytearray(path.read_bytes())
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
        assert answers(journal) == known
        noticed += not path.exists() or path.read_bytes() != data
    assert noticed > 5


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE capture SET window = 'W9', at = at + 5",
        "DELETE FROM extent WHERE window = 'W1'",
        "INSERT INTO tombstone VALUES ('snapshots', (SELECT record_id FROM capture LIMIT 1), 'x', 'W1')",
        "UPDATE stream SET total = 5",
    ],
)
def test_a_changed_row_is_noticed(journal: Journal, said: list[str], statement: str) -> None:
    add(journal, *range(5))
    known = answers(journal)
    database = sqlite3.connect(index_file(journal))
    with database:
        database.execute(statement)
    database.close()
    assert Index(journal).faults() == ["rows of snapshots were changed"]
    assert answers(journal) == known
    assert said == ["rebuilding the index: rows of snapshots were changed"]
    assert Index(journal).faults() == []


@pytest.mark.parametrize("kind", ["symbolic", "hard", "log"])
def test_an_index_that_is_a_link_is_left_alone(journal: Journal, tmp_path: Path, kind: str) -> None:
    add(journal, 1)
    known = answers(journal)
    path = index_file(journal)
    theirs = tmp_path / "theirs.sqlite3"
    database = sqlite3.connect(theirs)
    with database:
        database.execute("CREATE TABLE mine (x)")
    database.close()
    before = theirs.read_bytes()
    if kind == "log":
        path.with_name(f"{path.name}-wal").symlink_to(theirs)
    else:
        path.unlink()
        (path.symlink_to if kind == "symbolic" else path.hardlink_to)(theirs)
    assert answers(journal) == known
    assert theirs.read_bytes() == before
    assert index_file(journal) != path


def test_an_edit_in_the_middle_is_noticed(journal: Journal, said: list[str]) -> None:
    add(journal, *range(3), notes="x" * BLOCK)
    known = answers(journal)
    path = journal.path("snapshots")
    data = path.read_bytes()
    # of the same length, in the same file
    at = data.index(b'"window":"W1"', BLOCK)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b'"window":"W7"')
    assert answers(journal)[:2] == known[:2], "a command that jumps to the last megabyte does not see it"
    assert Index(journal).faults() == [f"snapshots.jsonl was edited near byte {at // BLOCK * BLOCK}"]
    index = Index(journal)
    assert len(list(index.entries("snapshots"))) == 3
    assert said == ["snapshots.jsonl was edited; reading it again"]
    assert index.windows() == ["W1", "W7"]
    assert index.faults() == []


def test_an_index_that_cannot_be_opened_here_has_no_fault(
    journal: Journal, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that is read-only: a copy in memory answers."""
    add(journal, 1)
    known, real = answers(journal), sqlite3.connect

    def refuse(path: object, *given: Any, **named: Any) -> sqlite3.Connection:
        if path != ":memory:":
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error
        return real(":memory:", *given, **named)

    monkeypatch.setattr(sqlite3, "connect", refuse)
    assert Index(journal).faults() == []
    assert answers(journal) == known
    assert said == []


def test_a_small_stream_is_checked_as_well(journal: Journal) -> None:
    add(journal, *range(200))
    answers(journal)
    path = journal.path("snapshots")
    data = path.read_bytes()
    at = data.index(b"fuel_pct", len(data) // 2)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"fool_pct")
    assert Index(journal).faults() == ["snapshots.jsonl was edited near byte 0"]


def test_a_stream_is_opened_once_to_read_and_once_to_append(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    add(journal, 1)
    reader = Journal(journal.root)
    index = Index(reader)
    opened: list[str] = []
    real = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *rest, **more: (opened.append(Path(path).name), real(path, *rest, **more))[1]
    )
    with reader.lock("test"):
        assert index.newest("snapshots", None, "toy")
        reader.append_all({"snapshots": [capture(2, window="W2"), capture(3, window="W3", phase="after")]})
        newest = index.newest("snapshots", None, "toy")
    assert newest is not None
    assert (newest.window, newest.phase) == ("W3", "after")
    assert index.windows() == ["W1", "W2", "W3"]
    assert opened.count("snapshots.jsonl") == 2
    assert index.faults() == []


def test_the_last_windows_are_found_without_the_others(journal: Journal) -> None:
    for number in range(30):
        add(journal, number, window=f"W{number % 25}", captured_at=f"2026-01-{number + 1:02}T00:00:00Z")
    assert Index(journal).newest_windows(3) == ["W2", "W3", "W4"]
    assert Index(journal).newest_windows(6) == ["W0", "W1", "W2", "W3", "W4", "W24"]
    assert Index(journal).newest_windows(0) == []


def test_a_stopped_process_in_an_index_transaction_delays_readers_shortly(
    journal: Journal, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(journal, 1)
    answers(journal)
    monkeypatch.setattr(files, "WAIT_SECONDS", 0.2)
    stopped = sqlite3.connect(index_file(journal), isolation_level=None)
    stopped.execute("BEGIN IMMEDIATE")
    add(journal, 2, window="W2")
    assert Index(journal).windows() == ["W1", "W2"]
    assert said == ["cannot write the index now (database is locked); using a copy in memory"]
    stopped.close()
    assert Index(journal).windows() == ["W1", "W2"]


def test_the_last_windows_are_the_same_in_an_index_that_grew_and_in_one_made_at_once(journal: Journal) -> None:
    """The newest record of a window counts, whichever line it is, and whatever was read at a time."""
    grown = Index(journal)
    for number, day in enumerate((9, 3, 5)):
        add(journal, number, window="W1" if day != 5 else "W2", captured_at=f"2026-01-{day:02}T00:00:00Z")
        if number == 1:
            assert grown.windows() == ["W1"]
    assert grown.newest_windows(1) == grown.fresh().newest_windows(1) == ["W1"]


def test_a_stream_that_is_replaced_while_the_index_reads_it_is_read_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(journal, *range(3))
    index = Index(journal)
    assert index.windows() == ["W1"]
    add(journal, 3)
    path, real, saved = journal.path("snapshots"), journal.records, []

    def replaced(*given: Any) -> Any:
        if not saved:
            saved.append(path.with_name("saved"))
            saved[0].write_bytes(path.read_bytes().replace(b'"window":"W1"', b'"window":"W9"', 1))
            saved[0].replace(path)
        return real(*given)

    monkeypatch.setattr(journal, "records", replaced)
    assert index.windows() == ["W1", "W9"]
    assert [entry.record_id for entry in index.entries("snapshots", ["W9"])] == [f"{0:032x}"]


def test_runs_of_events_are_read_as_if_each_was_decoded(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows, moments and kinds of rows that change anywhere in a chunk."""
    dice, rows, moment = random.Random(3), list[bytes](), 0
    for number in range(600):
        moment += dice.random() < 0.02
        window = f"W{moment % 3}"
        begin = f'{{"record_id":"{number:032x}","window":"{window}","provider":"toy","captured_at":"'
        common = '"source":"ingest","notes":null,"agent_id":null,"schema_version":"1.1.0","tool_version":"0.1.0",'
        own = dice.choices(
            ('"ts":1,"rid":"a"', '"phase":"before","parsed":{}', f'"tombstone":"{number - 1:032x}"', '"rid":"b"'),
            (96, 1, 1, 2),
        )[0]
        rows.append(f'{begin}2026-01-10T08:00:{moment % 60:02}Z",{common}{own}}}\n'.encode())
    rows.insert(300, b"no record\n")
    with journal.lock():
        journal.append("toy", b"".join(rows))
    size = journal.size("toy")
    found = []
    for chunk in (100, 2000, 10_000, 1 << 20):
        monkeypatch.setattr("tracker.journal.records.CHUNK", chunk)
        found.append(list(files.rows_of(journal, "toy", 0, size)))
    monkeypatch.setattr(files, "EVENT", files.re.compile(b"(never) matches"))
    assert found == [list(files.rows_of(journal, "toy", 0, size))] * 4
