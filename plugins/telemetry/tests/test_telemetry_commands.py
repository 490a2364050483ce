"""A toy stream: taken in once, whatever comes in, and shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tracker.api import TelemetrySource
from tracker.kernel import Session, TrackerError
from tracker_telemetry.totals import only_source

Run = Callable[..., "subprocess.CompletedProcess[str]"]
LINES = "".join(
    json.dumps({"ts": f"2026-01-10T08:00:0{i}Z", "rid": f"r{i}", "lane": "far" if i % 2 else "near", "ms": 10 * i})
    + "\n"
    for i in range(8)
)


def rows(folder: Path, stream: str) -> list[dict[str, Any]]:
    path = folder / "data" / f"{stream}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def ingest(toys: Run, text: str, *extra: str) -> str:
    done = toys("ingest", "toy-stream", "--window", "W0-CHN", "--stdin", *extra, stdin=text)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_stream_is_stored_with_a_summary(toys: Run, tmp_path: Path) -> None:
    assert ingest(toys, LINES) == (
        "stored toy stream for W0-CHN (events=8, new=8, duplicates=0, rejected=0, routed=50%)\n"
    )
    first = rows(tmp_path, "toy_stream")[0]
    assert first | {"window": "W0-CHN", "provider": "toy-stream", "rid": "r0", "routed": False, "ok": True} == first
    assert first["schema_version"] == "1.1.0"


def test_a_replay_adds_nothing(toys: Run, tmp_path: Path) -> None:
    ingest(toys, LINES)
    before = (tmp_path / "data" / "toy_stream.jsonl").read_bytes()
    assert "(events=8, new=0, duplicates=8, rejected=0, routed=50%)" in ingest(toys, LINES)
    assert (tmp_path / "data" / "toy_stream.jsonl").read_bytes() == before
    assert "(events=9, new=1, duplicates=8, " in ingest(toys, LINES + '{"rid": "r9"}\n')


def test_a_data_directory_may_have_a_name_that_is_no_utf8(tracker_cli: Run, tmp_path: Path) -> None:
    """DuckDB takes none as the place of a file: a traceback ended whatever asked for events."""
    folder = os.fsdecode(bytes(tmp_path / "data") + b"\xff")
    words = ("--data-dir", folder, "ingest", "proxy-telemetry", "--window", "W1", "--stdin")
    done = tracker_cli(*words, stdin='{"ts": "2026-01-10T08:00:00Z", "rid": "r", "model": "glm-4.6"}\n')
    assert (done.returncode, "new=1, " in done.stdout) == (0, True), done.stderr
    assert tracker_cli("--data-dir", folder, "cost-compare").returncode == 0


def test_events_in_a_mistyped_window_are_said_to_stay(toys: Run) -> None:
    """What is said is done: the same stream is taken in under the right name, and counted by it."""
    stay = "Events cannot be taken back: ingest them again with the right --window, and count only that window\n"
    ingest(toys, LINES)
    done = toys("ingest", "toy-stream", "--window", "W0-CHM", "--stdin", stdin=LINES)
    assert f"note: W0-CHM is a new window. {stay}" in done.stderr
    assert toys("undo", "--yes").returncode == 1
    done = toys("ingest", "toy-stream", "--window", "W0-CHn", "--stdin", stdin=LINES)
    assert f"note: W0-CHn is a new window. Did you mean W0-CHN? {stay}" in done.stderr
    ingest(toys, LINES)
    right, wrong = (toys("cost-compare", "--window", window).stdout for window in ("W0-CHN", "W0-CHM"))
    assert right == wrong
    assert right.count("\n") == 10


def test_the_zone_of_a_stream_cannot_be_chosen(toys: Run) -> None:
    """It would change nothing: the plugin reads the times."""
    words = ("ingest", "toy-stream", "--window", "W1", "--timezone", "America/New_York", "--stdin")
    done = toys(*words, stdin=LINES)
    assert done.returncode == 2
    assert "--timezone does not fit: toy-stream is a stream. Expected a provider or a report." in done.stderr


def test_a_wholly_wrong_file_is_warned_of(toys: Run) -> None:
    def said(*extra: str, text: str = "fuel 10%\nfuel 20%\n") -> tuple[int, str]:
        done = toys("ingest", "toy-stream", "--window", "W1", "--stdin", *extra, stdin=text)
        return done.returncode, done.stderr

    warning = "warning: The stream holds no events of toy-stream, which reads logs with one event per line"
    cure = ". Check the file and the source.\n"
    assert said("--dry-run") == (0, f"{warning} (for example: no JSON){cure}")
    status, err = said()
    assert (status, err.endswith(f"{warning} (for example: no JSON){cure}")) == (0, True)
    status, err = said()
    assert (status, err.endswith(f"{warning}{cure}")) == (0, True)
    status, err = said("--strict")
    assert (status, warning in err, err.splitlines()[-1]) == (
        1,
        True,
        "error: 2 lines were rejected with --strict. The others are stored.",
    )
    assert warning not in said(text='no JSON\n{"rid": "a"}\n')[1]


def test_lines_of_another_window_are_counted_in_both_and_said(toys: Run) -> None:
    def said(window: str, text: str, *extra: str) -> str:
        done = toys("ingest", "toy-stream", "--window", window, "--stdin", *extra, stdin=text)
        assert done.returncode == 0
        return done.stderr

    assert said("W0-01", LINES) == ""
    first, both = LINES.splitlines(keepends=True)[0], "also stored in W0-01; `tracker cost-compare` without --window"
    assert said("W0-02", first) == f"note: 1 event of W0-02 is {both} counts both\n"
    assert said("W0-02", LINES, "--dry-run") == said("W0-04", LINES, "--quiet") == ""
    assert f"note: 8 events of W0-02 are {both} counts both\n" in said("W0-02", LINES)
    assert said("W0-02", LINES) == ""
    assert said("W0-03", LINES.replace("2026-01-10", "2026-01-11")) == ""
    undated = re.sub(r'"ts": "[^"]*", ', "", first)
    assert said("W0-05", undated) == ""
    assert said("W0-06", undated).startswith("note: 1 event of W0-06 is also stored in W0-05; ")
    third = first.replace("2026-01-10", "2026-01-12")
    assert said("W0-07", third * 5) == ""
    assert said("W0-08", third).startswith("note: 1 event of W0-08 is also stored in W0-07; ")
    assert said("W0-08", third * 3).startswith("note: 3 events of W0-08 are also stored in W0-07; ")


def test_a_line_that_stands_twice_is_two_events(toys: Run, tmp_path: Path) -> None:
    twice = '{"rid": "a"}\n{"rid": "a"}\n'
    assert "(events=2, new=2, " in ingest(toys, twice)
    assert "(events=3, new=1, duplicates=2, " in ingest(toys, twice + '{"rid": "a"}\n')
    ids = [row["record_id"] for row in rows(tmp_path, "toy_stream")]
    assert len(set(ids)) == 3
    assert len({found[:16] for found in ids}) == 1


def test_one_line_may_hold_several_events(toys: Run, tmp_path: Path) -> None:
    many = '[{"rid": "a", "lane": "far"}, {"rid": "b"}]\n'
    assert "(events=2, new=2, duplicates=0, rejected=0, routed=50%)" in ingest(toys, many)
    assert "(events=2, new=0, duplicates=2, rejected=0, routed=50%)" in ingest(toys, many)
    assert [row["rid"] for row in rows(tmp_path, "toy_stream")] == ["a", "b"]


def test_what_cannot_be_read_is_kept_once_with_number_and_reason(toys: Run, tmp_path: Path) -> None:
    assert "(events=1, new=1, duplicates=0, rejected=1, " in ingest(toys, '{"rid": "a"}\nnonsense\n')
    assert "(events=1, new=0, duplicates=1, rejected=1, " in ingest(toys, '{"rid": "a"}\nnonsense\n')
    [row] = rows(tmp_path, "toy_stream.rejected")
    assert (row["line_number"], row["rejected"], row["line"]) == (2, "no JSON", "nonsense")
    done = toys("ingest", "toy-stream", "--window", "W", "--stdin", "--strict", stdin="nonsense\n")
    assert done.returncode == 1
    assert "error: 1 line was rejected" in done.stderr


def test_blank_lines_line_ends_and_a_missing_end(toys: Run) -> None:
    assert "(events=2, new=2, duplicates=0, rejected=0, " in ingest(toys, '\r\n{"rid": "a"}\r\n\n{"rid": "b"}')
    assert "(events=2, new=0, duplicates=2, rejected=0, " in ingest(toys, '{"rid": "a"}\n{"rid": "b"}\n')


def test_a_window_of_its_own(toys: Run) -> None:
    ingest(toys, LINES)
    done = toys("ingest", "toy-stream", "--window", "W2", "--stdin", stdin=LINES)
    assert "for W2 (events=8, new=8, " in done.stdout


def test_the_block_shows_the_windows_events(toys: Run) -> None:
    ingest(toys, LINES)
    shown = toys("preview", "--window", "W0-CHN").stdout
    assert "Toy Stream:\n  - events=8 routed=50% p50=35 ms\n" in shown


def test_the_index_can_be_deleted_or_spoiled_at_any_time(toys: Run, tmp_path: Path) -> None:
    ingest(toys, LINES)
    assert toys("preview").returncode == 0  # the first to ask the index, which makes it
    index = tmp_path / "data" / ".index"

    def pipe(path: Path) -> None:
        path.unlink()
        os.mkfifo(path)

    for spoil in (lambda path: path.unlink(), lambda path: path.write_bytes(b"garbage" * 100), pipe):
        for path in index.iterdir():
            spoil(path)
        assert "(events=8, new=0, duplicates=8, " in ingest(toys, LINES)
        assert "events=8 routed=50% p50=35 ms" in toys("preview").stdout


@pytest.mark.parametrize("is_new_file", [True, False])
def test_an_edit_in_the_middle_of_a_stream_is_noticed(toys: Run, tmp_path: Path, is_new_file: bool) -> None:
    """Most editors write a new file. `tracker doctor --fix` repairs what another one left."""
    ingest(toys, "".join(json.dumps({"rid": f"r{i}", "lane": "far", "ms": 10}) + "\n" for i in range(200)))
    assert "events=200 routed=100%" in toys("preview").stdout
    path = tmp_path / "data" / "toy_stream.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[100] = lines[100].replace(b'"routed":true', b'"routed":null')
    if is_new_file:
        (new := tmp_path / "new").write_bytes(b"".join(lines))
        new.replace(path)
    else:
        path.write_bytes(b"".join(lines))
        assert toys("doctor", "--fix").returncode == 0
    assert "events=199 routed=100%" in toys("preview").stdout


@pytest.mark.parametrize("link", ["file", "second name", "folder"])
def test_a_database_behind_a_link_stays_as_it_is(toys: Run, tmp_path: Path, link: str) -> None:
    """The link goes, and the index is made anew; behind a linked folder nothing is touched."""
    ingest(toys, LINES)
    index, theirs = tmp_path / "data" / ".index" / "telemetry.duckdb", tmp_path / "theirs" / "telemetry.duckdb"
    theirs.parent.mkdir()
    with duckdb.connect(str(theirs)) as database:
        database.execute("CREATE TABLE event AS SELECT 1 AS mine")
    index.unlink(missing_ok=True)
    if link == "file":
        index.symlink_to(theirs)
    elif link == "second name":
        index.hardlink_to(theirs)
    else:
        index.parent.rename(tmp_path / "before")
        index.parent.symlink_to(theirs.parent)
    before = theirs.read_bytes()
    assert "events=8 routed=50% p50=35 ms" in toys("preview").stdout
    assert theirs.read_bytes() == before
    assert [one for one in theirs.parent.iterdir() if one.suffix in (".duckdb", ".wal")] == [theirs]
    if link != "folder":
        assert (index.is_symlink(), index.stat().st_nlink) == (False, 1)
        with duckdb.connect(str(index)) as database:
            assert database.execute("SELECT count(*) FROM event").fetchall() == [(8,)]


def test_a_dry_run_writes_nothing(toys: Run, tmp_path: Path) -> None:
    ingest(toys, LINES, "--dry-run")
    assert not (tmp_path / "data").exists()


def test_another_stream_without_events_is_not_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever installs a source for later does not have to name the one that is in use."""
    session = Session()
    session.data_dir = tmp_path
    (tmp_path / "proxy_telemetry.jsonl").write_text("")
    own = only_source(session)
    other = TelemetrySource(contract="1.2", name="other-proxy", title="Other", stream="other_proxy").as_source()
    monkeypatch.setitem(session.registry.sources, "other-proxy", other)
    assert only_source(session) == own
    (tmp_path / "other_proxy.jsonl").write_text("")
    with pytest.raises(TrackerError, match=r"several telemetry sources: proxy-telemetry, other-proxy\. Name one"):
        only_source(session)
