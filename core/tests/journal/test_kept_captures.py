"""The captures of many windows are read once, until the journal holds others or others are asked for."""

from __future__ import annotations

from datetime import UTC, datetime

from tracker.contract.sources import StatusSource
from tracker.journal.index import Index
from tracker.journal.journal import Journal
from tracker.journal.records import stamp
from tracker.windows.captures import KEPT, captures

SOURCES = {"toy": StatusSource(contract="1.2", name="toy", title="Toy").as_source()}
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def append(journal: Journal, window: str, **more: object) -> str:
    record = stamp(window=window, provider="toy", captured_at=BEGIN, source="alias", **more)
    with journal.lock():
        journal.append("snapshots", [record])
    return str(record["record_id"])


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
