"""`projects = "hash"` that is switched on later: no report shows a name any more, and a project is one row."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., str]


def hash_from_now_on(home: Any) -> None:
    (home.data.parent / "tracker.toml").write_text('[privacy]\nprojects = "hash"\n')


def projects(home: Any) -> dict[str, int]:
    """The requests of each project."""
    return {row["project"]: row["requests"] for row in home.usage("project")["rows"]}


def in_index(home: Any) -> set[str]:
    """The projects of requests in the index."""
    with closing(sqlite3.connect(home.data / ".index" / "sessions.sqlite3")) as database:
        return {name for (name,) in database.execute("SELECT project FROM place")}


def test_an_address_in_a_name_does_not_leave_the_machine(home: Any, message: Make, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    text = message("a", cwd="/home/dev/Drive-dev@example.com", gitBranch="dev@example.com/fix")
    (home.projects / "s1.jsonl").write_text(text + message("b", minute=1))
    assert projects(home) == {"Drive-dev@example.com": 1, "acme": 1}
    done = home.run("export", "--format", "parquet", "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    rows = duckdb.sql(f"SELECT project, branch FROM '{tmp_path}/out/usage/*.parquet' ORDER BY 1").fetchall()
    assert rows == [("D***@example.com", "d***@example.com/fix"), ("acme", "main")]


def test_a_project_is_one_row_after_the_switch(home: Any, message: Make) -> None:
    (home.projects / "s1.jsonl").write_text(message("a"))
    assert projects(home) == {"acme": 1}
    hash_from_now_on(home)
    with (home.projects / "s1.jsonl").open("a") as file:
        file.write(message("b"))
    [(name, count)] = projects(home).items()
    assert (count, name == "acme", in_index(home)) == (2, False, {name})


def test_deleted_sessions_of_before_are_of_the_same_project(home: Any, message: Make) -> None:
    (home.projects / "s1.jsonl").write_text(message("a"))
    (home.projects / "s2.jsonl").write_text(message("b", sessionId="s2"))
    assert projects(home) == {"acme": 2}
    (home.projects / "s2.jsonl").unlink()
    hash_from_now_on(home)
    for _ in range(2):
        assert [*projects(home).values()] == [2]
        shutil.rmtree(home.data / ".index")
    assert home.total()[0] == 2


@pytest.mark.parametrize("folders", [(), ("/home/dev/code/acme", "/home/dev/old/acme")])
def test_a_name_that_no_folder_or_several_explain_is_not_shown(home: Any, message: Make, folders: tuple[str]) -> None:
    (home.projects / "gone.jsonl").write_text(message("gone", sessionId="gone"))
    for folder in folders:
        (home.projects / f"{len(folder)}.jsonl").write_text(message(folder, sessionId=folder[-9:], cwd=folder))
    assert projects(home) == {"acme": 1 + len(folders)}
    (home.projects / "gone.jsonl").unlink()
    hash_from_now_on(home)
    found = projects(home)
    assert ([*found.values()], "acme" in found) == ([1] * (1 + len(folders)), False)


def test_a_folder_without_the_setting_does_not_bring_names_back(home: Any, message: Make) -> None:
    (home.projects / "s1.jsonl").write_text(message("a"))
    hash_from_now_on(home)
    hashed = projects(home)
    (home.data.parent / "tracker.toml").unlink()
    with (home.projects / "s1.jsonl").open("a") as file:
        file.write(message("b"))
    [(name, count)] = projects(home).items()
    assert ({name}, count) == ({*hashed}, 2)
    shutil.rmtree(home.data / ".index")
    assert "acme" in projects(home)


def test_names_are_gone_with_the_stream_and_the_index(home: Any, message: Make) -> None:
    """As docs/reference/telemetry.md has it."""
    (home.projects / "s1.jsonl").write_text(message("a", cwd="/home/dev/TopSecret"))
    assert home.total()[0] == 1
    hash_from_now_on(home)
    assert home.total()[0] == 1
    (home.data / "claude_sessions.jsonl").unlink()
    shutil.rmtree(home.data / ".index")
    assert home.total()[0] == 1
    assert home.run("doctor").exit_code == 0
    kept = [path for path in home.data.rglob("*") if path.is_file() and b"TopSecret" in path.read_bytes()]
    assert kept == []
    [record] = map(json.loads, (home.data / "claude_sessions.jsonl").read_text().splitlines())
    assert record["usage"]["requests"] == 1


def test_a_word_that_is_not_known_hides_no_name_and_is_refused(home: Any, message: Make) -> None:
    (home.projects / "s1.jsonl").write_text(message("a"))
    file = home.data.parent / "tracker.toml"
    for word in ("hashed", "Hash", "hash ", "none"):
        done = home.run("config", "set", "privacy.projects", word)
        assert done.exit_code == 1
        assert f"Invalid privacy.projects {word!r}. Expected name or hash." in done.stderr
        file.write_text(f'[privacy]\nprojects = "{word}"\n')
        assert home.run("usage").exit_code == 1
        file.unlink()
    assert not any(b"acme" in path.read_bytes() for path in home.data.rglob("*") if path.is_file())
