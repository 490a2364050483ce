"""No answer depends on the index: it may be deleted, spoilt, stale, of another directory, or impossible to write."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

QUESTIONS = (
    ["--json", "preview"],
    ["--json", "preview", "--window", "W1"],
    ["--json", "window-audit", "--window", "W1"],
    ["--json", "window-audit", "--window", "W2"],
    ["--json", "status"],
)


def fill(program: Any, turns: int = 8, seed: int = 1) -> None:
    dice = random.Random(seed)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")
    for turn in range(turns):
        window, lane = f"W{dice.randrange(1, 4)}", dice.choice(["", "sub1"])
        pane = f"fuel {turn}%" + f" reset {tomorrow}" * (turn % 2)
        program("alias", "start", "toy", "--stdin", "--window", window, stdin=pane, lane=lane).ok()
        program("alias", "end", "toy", "--stdin", "--window", window, stdin=f"fuel {turn - 3 % 5}%", lane=lane)
        program("alias", "start", "tally", "--stdin", "--window", window, stdin=str(turn), lane=lane).ok()
        if turn % 4 == 0:
            program("alias", "delete", "toy", "--yes", "--window", window, lane=lane)
    events = program.root.parent / "events.jsonl"
    events.write_text("".join(f'{{"rid": "{number}", "lane": "far", "ms": {number}}}\n' for number in range(30)))
    program("ingest", "toy-stream", "--window", "W1", "--file", str(events)).ok()


def answers(program: Any) -> list[Any]:
    found = [json.loads(program(*question).ok()) for question in QUESTIONS]
    found[-1].pop("now", None)  # what `status` says of the time that has passed
    return [json.dumps(one, sort_keys=True) for one in found[:-1]] + [str(sorted(found[-1]))]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("template")


@pytest.fixture
def filled(program: Any, template: Path) -> tuple[Any, list[Any]]:
    """A data directory with its index, and what it answers; filled once."""
    if not any(template.iterdir()):
        fill(program)
        known = answers(program)
        shutil.rmtree(program.root / ".index")
        assert answers(program) == known
        shutil.copytree(program.root, template / "data")
        (template / "answers.json").write_text(json.dumps(known))
    else:
        shutil.copytree(template / "data", program.root)
        # the copies are other files: the index reads them once more
        program("preview").ok()
    return program, json.loads((template / "answers.json").read_text())


def index_file(program: Any) -> Path:
    [path] = (program.root / ".index").glob("*.sqlite3")
    return path


def run(program: Any, statement: str) -> None:
    database = sqlite3.connect(index_file(program))
    with database:
        database.execute(statement)
    database.close()


SPOILERS: dict[str, Callable[[Any], object]] = {
    "emptied": lambda program: index_file(program).write_bytes(b""),
    "garbage": lambda program: index_file(program).write_bytes(os.urandom(50_000)),
    "cut": lambda program: os.truncate(index_file(program), 9000),
    "garbage-inside": lambda program: overwrite(index_file(program), 4096 * 2, os.urandom(4096)),
    "garbage-log": lambda program: (
        index_file(program).with_name(index_file(program).name + "-wal").write_bytes(b"x" * 99)
    ),
    "another-version": lambda program: run(program, "PRAGMA user_version = 1"),
    "a-table-less": lambda program: run(program, "DROP TABLE extent"),
    "other-columns": lambda program: [run(program, "DROP TABLE reset"), run(program, "CREATE TABLE reset (x TEXT)")],
    "a-directory": lambda program: [
        index_file(program).unlink(),
        (program.root / ".index" / "journal-0.sqlite3").mkdir(),
    ],
    "a-file-for-the-folder": lambda program: [
        shutil.rmtree(program.root / ".index"),
        (program.root / ".index").write_text(""),
    ],
    "a-link": lambda program: [
        shutil.rmtree(program.root / ".index"),
        (program.root / ".index").symlink_to("/nowhere"),
    ],
}


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize("how", SPOILERS)
def test_a_spoilt_index_changes_no_answer(filled: tuple[Any, list[Any]], how: str) -> None:
    program, known = filled
    SPOILERS[how](program)
    assert answers(program) == known


def test_an_index_of_another_directory_is_noticed(filled: tuple[Any, list[Any]], tmp_path: Path) -> None:
    program, known = filled
    here, there = program.root, tmp_path / "other"
    shutil.copytree(here, there)
    for path in there.glob("*.jsonl"):
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert json.loads(program("--json", "preview", root=there).ok()) != json.loads(known[0])
    shutil.rmtree(here / ".index")
    shutil.copytree(there / ".index", here / ".index")
    assert answers(program) == known


@pytest.mark.parametrize("in_place", [True, False])
def test_an_edited_journal_is_read_again(filled: tuple[Any, list[Any]], in_place: bool) -> None:
    """An editor that writes a new file is noticed whatever it changed, one that writes in place by what stands last."""
    program, _ = filled
    path = program.root / "snapshots.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    place = -1 if in_place else len(lines) // 2
    record = json.loads(lines[place])
    record["window"] = record["window"][:-1] + "7"
    lines[place] = json.dumps(record, separators=(",", ":")).encode() + b"\n"
    if in_place:
        path.write_bytes(b"".join(lines))
    else:
        beside = path.with_name("beside")
        beside.write_bytes(b"".join(lines))
        beside.replace(path)
    changed = answers(program)
    assert "W7" in json.loads(changed[0])["windows"][-1]["id"]
    shutil.rmtree(program.root / ".index")
    assert answers(program) == changed


def test_a_journal_that_was_put_back_to_an_older_state_is_read_again(program: Any) -> None:
    fill(program, 4)
    older, known = program.files(), answers(program)
    fill(program, 4, seed=2)
    assert answers(program) != known
    for name, data in older.items():
        (program.root / name).write_bytes(data)
    assert answers(program) == known


def test_without_a_place_for_the_index_there_is_one_in_memory(
    filled: tuple[Any, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    program, known = filled

    shutil.rmtree(program.root / ".index")
    real = os.mkdir

    def refuse(path: Any, *rest: Any, **named: Any) -> None:
        if Path(path).name == ".index":
            raise PermissionError(13, "Permission denied")
        real(path, *rest, **named)

    monkeypatch.setattr(os, "mkdir", refuse)
    assert answers(program) == known
    assert not (program.root / ".index").exists()


def failing(monkeypatch: pytest.MonkeyPatch, statement: str, error: str) -> None:
    """A statement fails in each database that is a file."""
    found = sqlite3.OperationalError(error)
    found.sqlite_errorcode = {"locked": 5, "full": 13, "error": 10}[error.split()[-1]]

    class Broken(sqlite3.Connection):
        def execute(self, query: str, *values: Any) -> sqlite3.Cursor:
            if query.startswith(statement) and super().execute("PRAGMA database_list").fetchone()[2]:
                raise found
            return super().execute(query, *values)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Broken))


@pytest.mark.parametrize("error", ["database is locked", "database or disk is full", "disk I/O error"])
def test_an_index_that_cannot_be_written_is_left_alone(
    filled: tuple[Any, list[Any]], monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    program, _ = filled
    path = index_file(program)
    program("alias", "start", "toy", "--stdin", "--window", "W1", stdin="fuel 1%").ok()
    program("alias", "delete", "toy", "--yes", "--window", "W1").ok()
    failing(monkeypatch, "BEGIN", error)
    program("alias", "start", "toy", "--stdin", "--window", "W1", stdin="fuel 1%").ok()
    shown = json.loads(program("--json", "window-audit", "--window", "W1").ok())
    assert shown["providers"]["toy"]["entries"]["before"] > 0
    assert path.exists()


def test_a_stream_is_stored_though_its_index_cannot_be_written(
    filled: tuple[Any, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events stand before the index says so: a replay adds nothing twice."""
    program, _ = filled
    (program.root.parent / "more").write_text('{"rid": "new", "lane": "far"}\n' * 3)
    words = ["ingest", "toy-stream", "--window", "W1", "--file", "more"]
    with monkeypatch.context() as patched:
        # the last statement of what the index writes of a stream
        failing(patched, "INSERT OR REPLACE INTO stream", "database or disk is full")
        assert "(events=3, new=3, duplicates=0, " in program(*words).ok()
    assert len(program.rows("toy_stream")) == 33
    assert "(events=3, new=0, duplicates=3, " in program(*words).ok()
    assert len(program.rows("toy_stream")) == 33


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_index_is_deleted_again_and_again_while_many_use_it(
    program: Any, forked: Callable[..., Any], often: Callable[[int, int], int]
) -> None:
    fill(program, 3)

    def deleting(_announce: Callable[[str], None]) -> None:
        while True:
            shutil.rmtree(program.root / ".index", ignore_errors=True)
            time.sleep(random.uniform(0, 0.01))

    def working(number: int) -> Callable[[Callable[[str], None]], None]:
        def run(announce: Callable[[str], None]) -> None:
            for turn in range(often(8, 300)):
                window = f"W{number}"
                program("alias", "start", "toy", "--stdin", "--window", window, stdin=f"fuel {turn}%").ok()
                found = json.loads(program("--json", "window-audit", "--window", window).ok())
                assert found["providers"]["toy"]["entries"] == {"before": turn + 1}, found
            announce("done")

        return run

    remover = forked(deleting)
    children = [forked(working(number)) for number in range(10, 14)]
    assert [child.announced() for child in children] == [["done"]] * 4
    remover.kill()
    known = answers(program)
    shutil.rmtree(program.root / ".index", ignore_errors=True)
    assert answers(program) == known


def test_windows_are_sorted_as_people_count() -> None:
    from tracker.journal.index_file import place

    windows = ["W0-10", "W0-9", "W0-CHN", "W0-009", "", "W" + "9" * 5000, "7", "W1"]
    assert sorted(windows, key=place)[:5] == ["", "7", "W0-009", "W0-9", "W0-10"]


def test_files_are_private(filled: tuple[Any, list[Any]]) -> None:
    program, _ = filled
    program("alias", "start", "toy", "--stdin", stdin="fuel 1%", lane="sub2").ok()
    modes = {path.relative_to(program.root): path.stat().st_mode & 0o777 for path in program.root.rglob("*")}
    assert program.root.stat().st_mode & 0o777 == 0o700
    wrong = {
        name: oct(mode) for name, mode in modes.items() if mode != (0o700 if (program.root / name).is_dir() else 0o600)
    }
    assert wrong == {}


def test_a_foreign_folder_gets_no_index(program: Any) -> None:
    program.root.mkdir()
    (program.root / "letter.txt").write_text("dear")
    for command in (["preview"], ["status"], ["window-audit", "--window", "W1"], ["doctor"]):
        program(*command)
        assert [path.name for path in program.root.iterdir()] == ["letter.txt"], command
