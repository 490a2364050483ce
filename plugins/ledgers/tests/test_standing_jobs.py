"""The one line of the scheduler's notes that is written by a checkpoint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tracker.errors import TrackerError
from tracker.session import Session
from tracker_ledgers import documents, standing_jobs


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Last run: never\n", "Last run: NOW\n"),
        ("- **Last run:** 2025-10-18\nmore\n", "- **Last run:** NOW\nmore\n"),
        ("* **last-run**: 2025-10-18\n", "* **last-run**: NOW\n"),
        ("checkpoint, last_run 2025-10-18, ok\n", "checkpoint, last_run NOW\n"),
        ("Last run:\r\nmore\r\n", "Last run: NOW\r\nmore\r\n"),
        ("`last_run`: n/a", "`last_run`: NOW"),
        ("# A\nlast run: x\n# Ledgers\nlast run: y\n", "# A\nlast run: x\n# Ledgers\nlast run: NOW\n"),
        ("last run: x\nledger checkpoint last run: y\n", "last run: x\nledger checkpoint last run: NOW\n"),
        (
            "| job | last run |\nThe last run of a job is noted.",
            "| job | last run |\nThe last run of a job is noted.\n\nLast run: NOW\n",
        ),
        ("# Jobs\n", "# Jobs\n\nLast run: NOW\n"),
    ],
)
def test_the_last_run_line(before: str, after: str) -> None:
    assert standing_jobs.updated(before, "NOW") == after


def test_the_file_is_replaced_in_one_step_and_keeps_its_mode(session: Session, repository: Any) -> None:
    path = repository.path / standing_jobs.FILE
    assert standing_jobs.note(session, "NOW") is False
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff caf\xe9\nlast run: never\n")
    path.chmod(0o640)
    assert standing_jobs.note(session, "NOW") is True
    assert path.read_bytes() == b"\xff caf\xe9\nlast run: NOW\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_link_or_pipe_in_its_place_is_refused(session: Session, repository: Any, tmp_path: Path) -> None:
    path = repository.path / standing_jobs.FILE
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TrackerError, match="symbolic link"):
        standing_jobs.note(session, "NOW")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(TrackerError, match="not a regular file"):
        standing_jobs.note(session, "NOW")


def test_lines_that_a_person_saves_meanwhile_stay(tmp_path: Path) -> None:
    path = tmp_path / "jobs.md"
    path.write_bytes(b"Last run: never\n")
    saves = iter([b"mine\n", b""])

    def change(data: bytes | None) -> bytes:
        with path.open("ab") as file:
            file.write(next(saves))
        return (data or b"").replace(b"never", b"now")

    assert documents.rewrite(path, change)
    assert path.read_bytes() == b"Last run: now\nmine\n"


def test_so_do_those_that_come_as_the_new_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real, saves = tmp_path / "jobs.md", os.fsync, [b"mine\n"]
    path.write_bytes(b"Last run: never\n")

    def flush(file: int) -> None:
        real(file)
        with path.open("ab") as other:
            other.write(saves.pop() if saves else b"")

    monkeypatch.setattr(os, "fsync", flush)
    assert documents.rewrite(path, lambda data: (data or b"").replace(b"never", b"now"))
    assert path.read_bytes() == b"Last run: now\nmine\n"
