"""The records of many windows are read once, until the journal holds others or others are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tracker.contract.sources import StatusSource
from tracker.journal.index import Entry, Index
from tracker.journal.journal import Journal
from tracker.journal.records import WINDOWS, stamp
from tracker.session import Session
from tracker.windows.captures import KEPT, captures
from tracker.windows.reader import Windows

SOURCES = {"toy": StatusSource(contract="1.2", name="toy", title="Toy").as_source()}
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def append(journal: Journal, window: str, stream: str = "snapshots", **more: object) -> str:
    record = stamp(window=window, provider="toy", captured_at=BEGIN, source="alias", **more)
    with journal.lock():
        journal.append(stream, [record])
    return str(record["record_id"])


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many windows were asked for, each time that records are read."""
    asked: list[int] = []
    entries = Index.entries

    def counted(index: Index, stream: str, windows: set[str], **more: bool) -> Iterator[Entry]:
        asked.append(len(windows))
        return entries(index, stream, windows, **more)

    monkeypatch.setattr(Index, "entries", counted)
    return asked


def test_a_part_of_what_is_kept_is_not_read_again(journal: Journal, reads: list[int]) -> None:
    windows = [f"W{number}" for number in range(2 * KEPT[0])]
    for window in windows:
        append(journal, window, phase="before", parsed={})
    index = Index(journal)
    part = captures(index, SOURCES, windows[: KEPT[0]])
    whole = captures(index, SOURCES, windows)
    assert captures(index, SOURCES, windows[: KEPT[0]]) == part
    assert reads == [KEPT[0], 2 * KEPT[0]]
    assert list(captures(index, SOURCES, windows[1:])) == list(whole)[1:]
    # a few are read where they stand
    assert captures(index, SOURCES, windows[:1]) == {("W0", "toy"): whole["W0", "toy"]}
    assert reads == [KEPT[0], 2 * KEPT[0], 1]


def test_finalize_rows_are_kept_too(journal: Journal, reads: list[int]) -> None:
    windows = [f"W{number}" for number in range(KEPT[0])]
    session = Session()
    session.index = Index(journal)
    for window in windows:
        append(journal, window, WINDOWS, finalized_at="2026-01-01T00:00:00Z", features={"toy": 1})
    first = Windows(session).finalized(windows)
    assert Windows(session).finalized(reversed(windows)) == first
    assert reads == [KEPT[0]]
    append(journal, "W0", WINDOWS, finalized_at="2026-01-01T00:00:00Z", features={"toy": 2})
    assert Windows(session).finalized(windows)["W0"].features == {"toy": 2}
    assert first["W0"].features == {"toy": 1}


def test_what_is_kept_is_what_stands(journal: Journal) -> None:
    windows = [f"W{number}" for number in range(KEPT[0])]
    ids = [append(journal, window, phase="before", parsed={}) for window in windows]
    index = Index(journal)
    first = captures(index, SOURCES, windows)
    assert captures(index, SOURCES, reversed(windows)) is first
    assert captures(index, {}, windows) == {}
    assert captures(index, SOURCES, windows[1:]).keys() == first.keys() - {("W0", "toy")}
    append(journal, "W0", phase="after", parsed={})
    assert len(captures(index, SOURCES, windows)["W0", "toy"]) == 2
    append(journal, "W1", tombstone=ids[1])
    assert ("W1", "toy") not in captures(index, SOURCES, windows)
    assert captures(Index(journal), SOURCES, windows) == captures(index, SOURCES, windows)
