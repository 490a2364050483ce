"""Whatever is replayed, in whatever pieces, after whatever crash: the journal equals that of one clean run."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker.journal.index import Index
from tracker_telemetry.stored_rows import SIZE, Ids

LINES = [
    b'{"rid": "a", "lane": "far"}',
    b'{"rid": "b"}',
    b'{"rid": "a", "lane": "far"} ',
    b'[{"rid": "c"}, {"rid": "d", "lane": "far"}, {"rid": "e"}]',
    b"[]",
    b"",
    b"nonsense",
    b"more nonsense",
    b"3",
]
STREAMS = st.lists(st.sampled_from(LINES), max_size=30)
pytestmark = pytest.mark.usefixtures("scale")
relaxed = settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
PART = 200  # as `scale` sets it
BOTH = ("toy_stream", "toy_stream.rejected")


def text(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def spoil(folder: Path, kind: str) -> None:
    """What may happen to an index between two runs."""
    for path in (folder / ".index").glob("*.sqlite3*"):
        if kind == "deleted":
            path.unlink()
        elif kind == "truncated":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        elif kind == "garbage":
            path.write_bytes(b"garbage " * 4096)
        elif kind == "changed" and path.suffix == ".sqlite3":
            # a run without lines may have left it truncated
            with closing(sqlite3.connect(path, isolation_level=None)) as database, suppress(sqlite3.DatabaseError):
                database.execute("UPDATE extent SET start = start + 1")


class World:
    """A data directory in which runs come and go."""

    def __init__(self, intake: Callable[..., Any], stored: Callable[..., Any], folder: Path) -> None:
        self.intake, self.stored, self.folder = intake, stored, folder
        shutil.rmtree(folder, ignore_errors=True)

    def run(self, lines: list[bytes], batch: int = 1000) -> str:
        run = self.intake()
        for start in range(0, len(lines), batch):
            run.give(text(lines[start : start + batch]))
        return str(run.end())

    def journal(self) -> list[Any]:
        return [self.stored(stream) for stream in BOTH]

    def clean(self, lines: list[bytes]) -> list[Any]:
        """The journal after one run, alone."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.run(lines)
        return self.journal()


@pytest.fixture
def world(intake: Callable[..., Any], stored: Callable[..., Any], tmp_path: Path) -> Callable[[], World]:
    return lambda: World(intake, stored, tmp_path / "data")


@relaxed
@given(lines=STREAMS, data=st.data())
def test_a_replay_after_partial_runs_equals_one_clean_run(
    world: Callable[[], World], lines: list[bytes], data: st.DataObject
) -> None:
    here = world()
    for _ in range(data.draw(st.integers(1, 3))):
        stop = data.draw(st.integers(0, len(lines)))
        here.run(lines[:stop], data.draw(st.integers(1, 10)))
        spoil(here.folder, data.draw(st.sampled_from(["kept", "deleted", "truncated", "garbage", "changed"])))
    summary = here.run(lines, data.draw(st.integers(1, 40)))
    again = here.run(lines)
    found = here.journal()
    assert found == here.clean(lines)
    assert "new=0" in again
    assert summary.partition(",")[0] == again.partition(",")[0]


def test_the_whole_index_is_checked_once_a_run(world: Callable[[], World], monkeypatch: pytest.MonkeyPatch) -> None:
    """With thousands of windows that is the longest part of a short run."""
    here, checks, faults = world(), list[object](), Index.faults
    here.run(LINES)

    def counted(index: Index, **options: bool) -> list[str]:
        checks.append(options)
        return faults(index, **options)

    monkeypatch.setattr(Index, "faults", counted)
    here.run(LINES, 1)
    assert checks == [{"of_streams": False}]


@relaxed
@given(lines=STREAMS.filter(bool), data=st.data())
def test_a_crash_within_a_write_is_made_good_by_a_replay(
    world: Callable[[], World], lines: list[bytes], data: st.DataObject
) -> None:
    here = world()
    here.run(lines, data.draw(st.integers(1, 40)))
    for stream in BOTH:
        path = here.folder / f"{stream}.jsonl"
        if path.exists():
            whole = path.read_bytes()
            path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    here.run(lines, data.draw(st.integers(1, 40)))
    found = here.journal()
    assert sorted(map(json.dumps, found[0])) == sorted(map(json.dumps, here.clean(lines)[0]))
    assert sorted(row["record_id"] for row in found[1]) == sorted(row["record_id"] for row in here.journal()[1])


@relaxed
@given(first=STREAMS, second=STREAMS, cut=st.integers(0, 30))
def test_two_streams_at_once_lose_nothing_and_double_nothing(
    world: Callable[[], World], first: list[bytes], second: list[bytes], cut: int
) -> None:
    """What is stored is, for each line, as often as the one of both streams has it that has it more often."""
    here = world()
    one, other = here.intake(), here.intake()
    one_batch = one.reader.read(first[:cut]) if first[:cut] else None
    other_batch = other.reader.read(second) if second else None
    if other_batch:
        other.reader.store(other_batch)
    if one_batch:
        one.reader.store(one_batch)
    one.give(text(first[cut:])).end()
    other.end()
    most = {line: max(first.count(line), second.count(line)) for line in LINES}
    rids = Counter(row["rid"] for row in here.stored())
    several = most[LINES[3]]
    wanted = {"a": most[LINES[0]] + most[LINES[2]], "b": most[LINES[1]], "c": several, "d": several, "e": several}
    assert rids == Counter(wanted)
    refused = Counter(row["length"] for row in here.stored("toy_stream.rejected"))
    assert refused == Counter({len(line): most[line] for line in (b"nonsense", b"more nonsense")})
    ids = [row["record_id"] for stream in BOTH for row in here.stored(stream)]
    assert len(set(ids)) == len(ids)


def test_what_is_stored_is_gathered_in_parts(intake: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of the ids of ten million lines would take half a gigabyte."""
    lines = [b'{"rid": "%d"}' % at for at in range(100)]
    intake().give(text(lines)).end()
    sizes: list[int] = []
    add = Ids.add
    monkeypatch.setattr(Ids, "add", lambda self, keys: (sizes.append(len(keys)), add(self, keys))[1])
    assert "events=101, new=1," in intake().give(text([*lines, b'{"rid": "new"}'])).end()
    assert sum(sizes) >= 200
    assert max(sizes) <= PART // SIZE


def test_each_window_has_its_own_lines(intake: Callable[..., Any], stored: Callable[..., Any]) -> None:
    for window in ("W1", "W2", "W1"):
        intake(window).give(text(LINES[:2])).end()
    assert [row["window"] for row in stored()] == ["W1", "W1", "W2", "W2"]
    assert len({row["record_id"] for row in stored()}) == 4


def test_a_format_with_state_reads_the_same_after_a_replay(
    intake: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    lines = [b"3", b'{"rid": "a"}', b"4", b'{"rid": "b"}', b'{"rid": "c"}']
    intake().give(text(lines[:2])).end()
    intake().give(text(lines)).end()
    assert [row.get("latency_ms") for row in stored()] == [3, 4, None]


def test_what_an_older_release_could_not_read_is_read_when_it_is_replayed(
    intake: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    odd = text([b'{"rid": "a", "lane": 7}'])  # a lane must be a text: refused by the core
    assert "rejected=1" in intake().give(odd).end()
    for summary in ("events=2, new=2, duplicates=0, rejected=0", "events=2, new=0, duplicates=2, rejected=0"):
        run = intake()
        run.reader._ingest = lambda line, scratch: [{"rid": "a", "lane": "7", "routed": False, "ok": True}]
        assert run.give(odd * 2).end().startswith(summary)
    assert [row.get("nth", 0) for row in stored()] == [0, 1]
    assert len(stored("toy_stream.rejected")) == 1


@pytest.mark.usefixtures("scale")
def test_tags_are_counted_of_new_events_alone(intake: Callable[..., Any]) -> None:
    tagged = b"".join(b'{"rid": "%d", "tags": ["tokens:invalid", 7]}\n' % at for at in range(5))
    more = b'[{"rid": "a", "tags": ["tokens:invalid"]}, {"rid": "b", "tags": []}]\n'
    first, second = intake(), intake()
    lines = (tagged + more).splitlines()
    batch = second.reader.read(lines)
    first.give(tagged[: tagged.index(b"\n") + 1]).end()
    assert first.reader.summary.tags == {"tokens:invalid": 1}
    second.reader.store(batch)  # which looks again
    assert second.reader.summary.tags == {"tokens:invalid": 5}
    third = intake()
    third.give(tagged + more).end()
    assert third.reader.summary.tags == {}


def test_notes_that_look_like_fields_change_no_figure_of_a_replay(intake: Callable[..., Any]) -> None:
    found = []
    for _ in range(2):
        run = intake()
        run.reader.notes = '","routed":true,"part":1,"'
        found.append(run.give(text([b'{"rid": "a"}', b'{"rid": "b", "lane": "far"}'] * 4)).end())
    assert found[0].startswith("events=8, new=8, duplicates=0, ")
    assert found[1] == found[0].replace("new=8, duplicates=0", "new=0, duplicates=8")


def test_a_key_is_stored_once_with_the_same_tokens_in_whatever_lines(
    intake: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    lines = [
        *(f'{{"rid": "{rid}", "key": "k", "output_tokens": 5}}'.encode() for rid in "abcde"),
        b'{"rid": "f", "key": "k", "output_tokens": 6}',
        *(f'{{"rid": "{rid}", "key": null}}'.encode() for rid in "gh"),
    ]
    for new in (4, 0):
        run = intake()
        for line in lines:
            run.give(line + b"\n")
        assert run.end() == f"events=8, new={new}, duplicates={8 - new}, rejected=0, routed=0%"
        assert [row["rid"] for row in stored()] == ["a", "f", "g", "h"]
