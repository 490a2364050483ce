"""The ledgers byte for byte: headers, hand-written rows, crashes, races, cells that a spreadsheet would run."""

from __future__ import annotations

import csv
import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracker.errors import Busy, TrackerError
from tracker.kernel import csv_line
from tracker.session import Session
from tracker_ledgers import csv_append, ledgers
from tracker_ledgers.ledgers import CHURN, EVIDENCE, FEATURES, TOKENS, Ledger

HEADER = b"window_id,capability_id,test_run_id,runner,result,artifacts_path,artifact_hash,notes\n"
ROW = {"window_id": "W0-20", "runner": "pytest", "result": "pass", "notes": "n"}
LINE = b"W0-20,,,pytest,pass,,,n\n"


def append(session: Session, path: Path, ledger: Ledger = EVIDENCE, **row: Any) -> bytes:
    with csv_append.opened(session, ledger, path) as book:
        book.append(row or ROW)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "docs" / "Ledger.csv"


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("ledger", "file", "columns"),
    [
        (
            TOKENS,
            "Token_Churn_Ledger.csv",
            "date,session_id,task,tokens_planned,tokens_actual,delta,commits,lines_added,lines_deleted,"
            "features_added,tests_added,notes",
        ),
        (
            CHURN,
            "Churn_Ledger.csv",
            "date,window,provider,methodology,commit_start,commit_end,files_changed,insertions,deletions,net,"
            "features,normalized_churn,notes",
        ),
        (
            FEATURES,
            "Feature_Log.csv",
            "date,feature_id,window,provider,files_touched,scenario,commit_id,baseline_commit,"
            "implementation_commit,docs_commit,lines_added,lines_removed,notes",
        ),
        (
            EVIDENCE,
            "Acceptance_Evidence.csv",
            "window_id,capability_id,test_run_id,runner,result,artifacts_path,artifact_hash,notes",
        ),
    ],
)
def test_the_columns_are_the_specified_ones(ledger: Ledger, file: str, columns: str) -> None:
    assert ledger.file == file
    assert ",".join(ledger.columns) == columns


def test_ledgers_lie_in_the_repository_unless_the_settings_say_otherwise(
    session: Session, repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = repository.path / "docs" / "Ledgers" / "Churn_Ledger.csv"
    assert ledgers.path_of(session, CHURN) == usual
    (repository.path / "sub").mkdir()
    monkeypatch.chdir(repository.path / "sub")
    assert ledgers.path_of(Session(), CHURN) == usual
    (repository.path / "tracker.toml").write_text('[ledgers]\ndir = "books"\n')
    assert ledgers.path_of(Session(), CHURN) == repository.path / "books" / "Churn_Ledger.csv"
    monkeypatch.chdir(tmp_path)
    assert ledgers.path_of(Session(), CHURN) == tmp_path / "docs" / "Ledgers" / "Churn_Ledger.csv"


# --- rows


def test_a_header_once_then_rows(session: Session, path: Path) -> None:
    assert append(session, path) == HEADER + LINE
    assert append(session, path) == HEADER + LINE + LINE


@pytest.mark.parametrize("empty", [b"", b"\n", b"\xef\xbb\xbf"])
def test_an_empty_file_gets_its_header(session: Session, path: Path, empty: bytes) -> None:
    put(path, empty)
    assert append(session, path) == empty + HEADER + LINE


@pytest.mark.parametrize(
    ("standing", "added"),
    [
        (HEADER + b"by hand,,,,,,,\xfc no UTF-8\n", LINE),
        (HEADER + b"short\n\n  ,\n", LINE),
        (HEADER + b'W,,,,,,,"two\nlines, ""quoted"""\n', LINE),
        (HEADER + b'W,,,,,,,5" and 3" pipes\n', LINE),
        (HEADER + b"W,,,,,,,no end", b"\n" + LINE),
        (HEADER + b"W,,,,,,,no end, and a comma", b"\n" + LINE),
        (HEADER[:-1], b"\n" + LINE),
        ((HEADER + b"W,,,,,,,windows\n").replace(b"\n", b"\r\n"), LINE.replace(b"\n", b"\r\n")),
        ((HEADER + b"W,,,,,,,half an end\n").replace(b"\n", b"\r\n")[:-1], b"\n" + LINE.replace(b"\n", b"\r\n")),
        (b"\xef\xbb\xbf" + HEADER + b"W,,,,,,,of a spreadsheet\n", LINE),
        (HEADER.replace(b"window_id", b'"window_id"') + b"W,,,,,,,quoted header\n", LINE),
    ],
)
def test_what_people_wrote_stays_byte_for_byte(session: Session, path: Path, standing: bytes, added: bytes) -> None:
    put(path, standing)
    assert append(session, path) == standing + added
    assert not list(path.parent.glob("*.torn"))


@pytest.mark.parametrize(
    ("header", "difference"),
    [
        (HEADER.replace(b",notes", b""), "it lacks notes."),
        (HEADER.replace(b"runner,", b"runner,who,"), "it has who."),
        (HEADER.replace(b"notes", b"note"), "it lacks notes and it has note."),
        (HEADER.replace(b"runner,result", b"result,runner"), "its columns are in another order, or repeated."),
        (HEADER.replace(b",", b";"), "it has window_id;capability_id"),
        (b"\x1b[31mred\n", "it has \\x1b[31mred."),
        (HEADER.replace(b",notes", b',notes,"open'), "it has open\\nrow\\n."),
    ],
)
def test_another_header_is_refused_with_the_difference(
    session: Session, path: Path, header: bytes, difference: str
) -> None:
    put(path, header + b"row\n")
    with pytest.raises(TrackerError) as raised:
        append(session, path)
    assert difference in str(raised.value)
    assert HEADER.decode().strip() in str(raised.value)
    assert path.read_bytes() == header + b"row\n"


def test_cells_that_a_spreadsheet_would_run(session: Session, path: Path) -> None:
    hostile = [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\tx",
        "\r=x",
        "\n=x",
        "  =1",
        "＝1",
        '=HYPERLINK("x")',
    ]
    harmless = ["-5", "+1.5e3", "a=b", "-", "3-4", "it's"]
    numbers = [-32000, 1.25, 0]
    data = csv_line([*hostile, *harmless, *numbers])
    assert csv_line([*hostile, *harmless, *numbers], end="") == data[:-1]  # a line break in a cell is quoted, too
    [cells] = csv.reader(io.StringIO(data.decode(), newline=""))
    assert all(cell.startswith("'") for cell in cells[: len(hostile)])
    assert cells[len(hostile) :] == ["-5", "+1.5e3", "a=b", "'-", "3-4", "it's", "-32000", "1.25", "0"]


def test_nothing_in_a_cell_steers_a_terminal(session: Session, path: Path) -> None:
    data = append(session, path, notes='\x1b[2J\x00\u202e\ud800 \r\nnext, "so"')
    text = data.decode()
    assert not any(letter in text for letter in "\x1b\x00\u202e\r")
    [row] = ledgers.rows(path, EVIDENCE)
    assert row["notes"] == '\\x1b[2J\\x00\\u202e\N{REPLACEMENT CHARACTER} \\r\nnext, "so"'


# --- crashes


@pytest.mark.parametrize("torn", [b"W0-21,,,py", b'W0-21,,,pytest,pass,,,"a note that', b'W0-21,,,,,,,"two\nlines'])
def test_a_torn_row_is_set_aside(session: Session, path: Path, torn: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    put(path, HEADER + LINE + torn)
    assert append(session, path) == HEADER + LINE + LINE
    assert path.with_name("Ledger.csv.torn").read_bytes() == torn + b"\n"
    assert f"torn row of {len(torn)} bytes, which was set aside in Ledger.csv.torn" in capsys.readouterr().err


def test_a_torn_header_is_set_aside(session: Session, path: Path) -> None:
    put(path, HEADER[:30])
    assert append(session, path) == HEADER + LINE
    assert path.with_name("Ledger.csv.torn").read_bytes() == HEADER[:30] + b"\n"


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_quote_that_never_closes_is_refused(session: Session, path: Path, end: bytes) -> None:
    damaged = HEADER + LINE + b'W,,,,,,,"open\n' + LINE + LINE[:-1] + end
    put(path, damaged)
    with pytest.raises(TrackerError, match="the row in line 3 opens a quote that is never closed"):
        append(session, path)
    assert path.read_bytes() == damaged


def test_who_reads_a_damaged_ledger_is_not_told_that_nothing_was_written(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = ledgers.path_of(session, EVIDENCE)
    path.parent.mkdir(parents=True)
    put(path, b"foo\nbar\n")
    assert ledgers.readable(session, EVIDENCE) == []
    assert capsys.readouterr().err.endswith("Repair it, or move the file away.\n")
    put(path, HEADER + LINE + b'W,,,,,,,"open')
    assert ledgers.readable(session, EVIDENCE)[-1]["notes"] == "open"


@pytest.mark.parametrize("written", [0, 5])
def test_a_full_disk_leaves_what_was_in_the_file(
    session: Session, path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    put(path, HEADER + LINE)
    real, calls = os.write, iter([written, None])

    def full(file: int, data: bytes) -> int:
        if written and next(calls) is not None:
            return real(file, bytes(data)[:written])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(TrackerError, match="No space left on device"):
        append(session, path)
    assert path.read_bytes() == HEADER + LINE + LINE[:written]
    monkeypatch.undo()
    assert append(session, path) == HEADER + LINE + LINE


def test_a_ledger_that_nothing_is_written_to_is_not_made(session: Session, path: Path) -> None:
    with csv_append.opened(session, EVIDENCE, path):
        pass
    assert not path.exists()


# --- what is no ledger


def _link(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere.csv")


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [_link, os.mkfifo, _folder])
def test_links_pipes_and_folders_are_refused(session: Session, path: Path, make: Callable[[Path], None]) -> None:
    path.parent.mkdir()
    (path.parent / "elsewhere.csv").write_bytes(HEADER)
    make(path)
    with pytest.raises(TrackerError, match=r"symbolic link|not a regular file|a directory"):
        append(session, path)
    assert (path.parent / "elsewhere.csv").read_bytes() == HEADER


# --- races

RACE = """
import sys
from pathlib import Path
from tracker_ledgers import csv_append, ledgers
from tracker.session import Session

session = Session()
path = Path(sys.argv[1])
for number in range(12):
    with csv_append.opened(session, ledgers.EVIDENCE, path) as book:
        taken = len(ledgers.rows(path, ledgers.EVIDENCE))
        book.append({"window_id": str(taken), "notes": f"{sys.argv[2]}-{number}" + "x" * 5000})
"""


def test_processes_that_append_at_the_same_time(path: Path, tmp_path: Path) -> None:
    """Every row stands whole, in an order, below one header; no data directory is shared, only the ledger."""
    racers = [subprocess.Popen([sys.executable, "-c", RACE, str(path), str(racer)], cwd=tmp_path) for racer in range(3)]
    assert [racer.wait(timeout=120) for racer in racers] == [0] * 3
    header, *rows = list(csv.reader(io.StringIO(path.read_text(), newline="")))
    assert tuple(header) == EVIDENCE.columns
    assert [row[0] for row in rows] == [str(number) for number in range(36)]
    expected = {f"{racer}-{number}" for racer in range(3) for number in range(12)}
    assert {row[-1].rstrip("x") for row in rows} == expected


def test_a_busy_ledger_is_given_up_on(session: Session, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_append, "WAIT_SECONDS", 0.05)
    with (
        csv_append.opened(session, EVIDENCE, path),
        pytest.raises(Busy, match="Nothing was written"),
        csv_append.opened(session, EVIDENCE, path),
    ):
        pass


def test_a_file_that_an_editor_replaced_is_opened_anew(
    session: Session, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking, an editor saves: the row goes to the new file, not to the one that is gone."""
    put(path, HEADER)
    real = csv_append._try_lock
    saved = []

    def saving(file: int) -> bool:
        if not saved:
            saved.append(path.with_name("saved"))
            saved[0].write_bytes(HEADER + b"by an editor,,,,,,,\n")
            saved[0].replace(path)
        return real(file)

    monkeypatch.setattr(csv_append, "_try_lock", saving)
    assert append(session, path) == HEADER + b"by an editor,,,,,,,\n" + LINE
