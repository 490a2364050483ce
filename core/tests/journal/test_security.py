"""What stands in the place of our files is refused; nothing that was given becomes a path, or half a record."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tracker.errors import TrackerError
from tracker.journal.files import replace_file

START = ("alias", "start", "toy", "--stdin", "--window", "W1")


@pytest.mark.parametrize("words", [START, ("preview",), ("window-audit", "--window", "W1"), ("doctor",), ("status",)])
def test_a_data_directory_that_is_a_link_is_refused(program: Any, tmp_path: Path, words: tuple[str, ...]) -> None:
    program(*START, stdin="fuel 1%").ok()
    link = tmp_path / "link"
    link.symlink_to(program.root)
    done = program(*words, stdin="fuel 1%", root=link)
    assert f"{link} is a symbolic link, which tracker does not follow" in done.refused()
    assert len(program.rows("snapshots")) == 1


@pytest.mark.parametrize("words", [START, ("preview",)])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.write_text("")])
def test_a_data_directory_that_is_none_is_refused(
    program: Any, tmp_path: Path, words: tuple[str, ...], make: Callable[[Path], object]
) -> None:
    make(tmp_path / "thing")
    error = program(*words, stdin="fuel 1%", root=tmp_path / "thing").refused()
    assert f"{tmp_path / 'thing'} is not a directory" in error


def as_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def as_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(path))


@pytest.mark.parametrize("make", [os.mkfifo, as_link, Path.mkdir, as_socket])
@pytest.mark.parametrize("name", ["snapshots.jsonl", "anomalies.jsonl", ".lock"])
def test_what_stands_in_the_place_of_a_file_is_refused(program: Any, make: Callable[[Path], object], name: str) -> None:
    program("alias", "start", "tally", "--stdin", "--window", "W1", stdin="1").ok()
    path = program.root / name
    path.unlink(missing_ok=True)
    make(path)
    before = program.rows("tally_counts")
    error = program(*START, stdin="fuel 1%").refused()
    assert str(path) in error
    kinds = ("symbolic link", "not a regular file", "a directory", "Is a directory", "No such device")
    assert any(kind in error for kind in kinds), error
    if not name.startswith("."):
        assert str(path) in program("preview").refused()
    assert program.rows("tally_counts") == before
    assert not path.is_file() or path.is_symlink()


def test_a_directory_that_may_not_be_written(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root everything may be written, so the system's answer is played."""
    program(*START, stdin="fuel 1%").ok()
    real = os.open

    def refusing(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if str(path).startswith(str(program.root)) and flags & (os.O_WRONLY | os.O_RDWR):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", refusing)
    error = program(*START, stdin="fuel 2%").refused()
    assert "Permission denied" in error
    assert "Nothing was stored" in error
    assert "toy: 1 before" in program("window-audit", "--window", "W1").ok()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_permission(program: Any) -> None:
    program(*START, stdin="fuel 1%").ok()
    program.root.chmod(0o500)
    try:
        assert "Permission denied" in program(*START, stdin="fuel 2%").refused()
        assert "toy: 1 before" in program("window-audit", "--window", "W1").ok()
    finally:
        program.root.chmod(0o700)


WINDOWS = ["../x", "a/b", "", " ", "a b", "x" * 65, "W\n1", "W\x1b[2J", "-W", "é", ".hidden", "\udcff", "W\x001"]


@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_id_is_checked_before_anything_is_stored(program: Any, window: str) -> None:
    (program.root.parent / "events").write_text("{}\n")
    for words in (
        ["alias", "start", "toy", "--stdin", f"--window={window}"],
        ["alias", "cross", "toy", "--stdin", f"--window={window}"],
        ["ingest", "toy", f"--window={window}", "--phase", "before", "--stdin"],
        ["ingest", "toy-report", f"--window={window}", "--stdin"],
        ["ingest", "toy-stream", f"--window={window}", "--file", "events"],
        ["override", "toy", f"--window={window}", "--phase", "before", "--fuel-pct", "1"],
        ["complete", f"--window={window}"],
    ):
        done = program(*words, stdin="60")
        assert done.error is None, repr(done.error)
        assert done.status in (1, 2), (words, done.out)
        assert "\x1b" not in done.err
    assert {path.name for path in program.root.glob("*.jsonl")} <= {"commands.jsonl"}


def test_an_argument_that_is_no_utf_8_is_stored_readably(program: Any) -> None:
    program(*START, "--notes", "caf\udce9", stdin="fuel 1%").ok()
    program("alias", "delete", "toy", "--yes", "--reason", "\udcff").ok()
    capture, tombstone = program.rows("snapshots")
    assert (capture["notes"], tombstone["reason"]) == ("caf\ufffd", "\ufffd")


def test_an_argument_that_the_locale_cannot_decode_is_stored_as_its_letters(program: Any) -> None:
    """Under `LC_ALL=C` with `PYTHONUTF8=0` every byte beyond ASCII comes escaped."""
    notes = "caf\u00e9, \u65e5\u672c"
    escaped = notes.encode().decode("ascii", "surrogateescape")
    program(*START, "--notes", f"{escaped} \udce9", stdin="fuel 1%").ok()
    [capture] = program.rows("snapshots")
    assert capture["notes"] == f"{notes} \ufffd"
    program("evidence", "add", "--window", "W1", "--capability", "c", "--result", "pass", "--notes", escaped).ok()
    ledger = program.root.parent / "docs" / "Ledgers" / "Acceptance_Evidence.csv"
    assert notes in ledger.read_text(encoding="utf-8")


def test_what_json_cannot_say_is_stored_readably() -> None:
    from datetime import UTC, datetime

    from tracker.journal.records import decode, stamp

    class Float(float):
        """As numpy's."""

    odd = {"long": [2**64, -(10**400)], "none": float("nan"), "half": {"\ud800": "\udc00"}}
    record = stamp(window="W1", provider="toy", captured_at=datetime.now(UTC), source="alias", odd=odd)
    assert record["odd"] == {"long": [2.0**64, None], "none": None, "half": {"\ufffd": "\ufffd"}}
    assert decode(json.dumps(record).encode()) == record
    of_plugin = MappingProxyType({"inner": MappingProxyType({"share": Float(0.5)})})
    record = stamp(window="W1", provider="toy", captured_at=datetime.now(UTC), source="alias", odd=of_plugin)
    assert decode(json.dumps(record).encode()) == record


@pytest.mark.parametrize("depth", [99, 240])
def test_a_record_is_not_nested_deeper_than_can_be_read_back(
    program: Any, monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    from tracker.contract.readings import Reading

    value: Any = 1
    for _ in range(depth):
        value = [value]
    monkeypatch.setattr("tracker.windows.captures.read_text", lambda *_arguments: Reading(fields={"deep": value}))
    done = program("ingest", "toy-report", "--window", "W1", "--stdin", stdin="1")
    assert "nested deeper than 100 levels. Nothing was stored" in done.refused()
    assert program.rows("toy_report") == []


def test_lines_that_only_python_writes_are_read(program: Any) -> None:
    """Schema 1.0.0 was written by `json.dumps`: NaN, half characters and long numbers occur in it."""
    program(*START, stdin="fuel 1%").ok()
    [row] = program.rows("snapshots")
    row |= {"record_id": "a" * 32, "phase": "after", "captured_at": "2999-01-01T00:00:00Z"}
    odd = row | {"notes": "half \ud800", "x": float("nan"), "y": 10**40}
    odd["parsed"] = {"fuel_pct": 9, "heat_pct": float("inf"), "errors": []}
    with (program.root / "snapshots.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(odd) + "\r\n")
    assert "capacity=8 pp" in program("preview").ok()
    shown = json.loads(program("--json", "window-audit", "--window", "W1").ok())
    assert shown["providers"]["toy"]["entries"] == {"after": 1, "before": 1}
    assert "(source=alias, notes=half \ufffd)" in program("preview").ok()


def test_nothing_of_the_environment_reaches_a_shell(program: Any) -> None:
    marker = program.root.parent / "ran"
    evil = f"$(touch {marker}); `touch {marker}` | touch {marker}"
    program(*START, "--notes", evil, stdin=f"fuel 1% {evil}").ok()
    program("complete", "--window", "W1", "--notes", evil, "--commit-start", evil)
    program("preview").ok()
    assert not marker.exists()
    assert program.rows("snapshots")[0]["notes"] == evil


def test_a_pipe_in_the_place_of_a_stream_is_named(program: Any) -> None:
    program(*START, stdin="fuel 1%").ok()
    path = program.root / "snapshots.jsonl"
    path.unlink()
    os.mkfifo(path)
    message = program("preview").refused()
    assert message == f"error: {path} is not a regular file. Expected a regular file. Move it away."


def test_a_replaced_file_that_is_not_flushed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, _flags: int = 0) -> None:
        if path.is_dir():
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("tracker.journal.files.flush", fail)
    with pytest.raises(TrackerError, match=r"was written, but may not survive a power cut: Input/output error\."):
        replace_file(tmp_path / "brief.md", b"text")
    assert (tmp_path / "brief.md").read_bytes() == b"text"
