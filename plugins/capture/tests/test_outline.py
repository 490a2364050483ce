"""The outline of the meter history says what the whole history says, in whatever order it came."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tracker.api import MeterReading
from tracker.kernel import Session
from tracker_capture import outline as outlines
from tracker_capture.readings import history

START = datetime(2026, 11, 2, 6, tzinfo=UTC)
WEEK, HOUR = timedelta(days=7), timedelta(hours=1)


def session(root: Path) -> Session:
    found = Session()
    found.data_dir = root
    return found


def row(number: int, at: datetime, used: float) -> dict[str, Any]:
    reset = START + WEEK * ((at - START) // WEEK + 1)
    own = {"record_id": f"r{number}", "provider": "codex", "origin": "rollout", "account": None}
    stamp = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    parsed = {"weekly_used": used, "weekly_reset_at": f"{reset:%Y-%m-%dT%H:%M:%SZ}"}
    return {**own, "captured_at": stamp, "until": stamp, "parsed": parsed}


def append(root: Path, rows: Iterable[dict[str, Any]]) -> None:
    root.mkdir(exist_ok=True)
    with (root / "readings.jsonl").open("a") as file:
        file.writelines(json.dumps(one) + "\n" for one in rows)


def peaks(root: Path) -> list[MeterReading]:
    return outlines.outline(session(root)).readings(lambda _, account, _mark: account, "codex", None)


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """Three weeks, a reading each 20 minutes, each week from 0 up."""
    found = []
    for number in range(3 * 7 * 24 * 3):
        at = START + number * HOUR / 3
        found.append(row(number, at, int((at - START) % WEEK / WEEK * 90)))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_order_and_pieces_do_not_matter(
    tmp_path: Path, rows: list[dict[str, Any]], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlines, "SMALL", 0)
    monkeypatch.setattr(outlines, "PAGE", 4096)
    append(tmp_path / "whole", rows)
    wanted = peaks(tmp_path / "whole")
    assert len(wanted) == 3 * 7 * 24
    chance = random.Random(seed)
    mixed = rows.copy()
    chance.shuffle(mixed)
    data = tmp_path / "pieces"
    while mixed:
        taken = [mixed.pop() for _ in range(min(chance.randrange(1, 400), len(mixed)))]
        append(data, taken)
        found = peaks(data)
        since = START + chance.random() * 3 * WEEK
        assert [one.at for one in history(session(data), since=since)] == sorted(
            datetime.fromisoformat(one["captured_at"])
            for one in map(json.loads, (data / "readings.jsonl").read_text().splitlines())
            if datetime.fromisoformat(one["until"]) >= since
        )
    assert found == wanted


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_an_hour_that_ended_lower_has_its_last_reading_too(tmp_path: Path, order: Sequence[int]) -> None:
    """A correction, or a reset of a meter that names none: what it shows now is not the highest of its hour."""
    values = [(5, 90), (10, 96), (40, 35), (50, 36)]
    rows = [row(at, START + timedelta(minutes=minutes), used) for at, (minutes, used) in enumerate(values)]
    append(tmp_path, [rows[place] for place in order])
    found = [(one.at.minute, one.until.minute, one.used) for one in peaks(tmp_path)]
    assert found == [(10, 10, 96), (50, 50, 36)]


def test_hours_are_counted_from_the_reset(tmp_path: Path) -> None:
    """A forecast has the hours of the meter's week: clock hours put rises into the hour behind theirs."""
    start = START + timedelta(minutes=30)
    rows = [row(at, start + at * HOUR / 4, at) for at in range(48)]
    for one in rows:
        one["parsed"]["weekly_reset_at"] = f"{start + WEEK:%Y-%m-%dT%H:%M:%SZ}"
    append(tmp_path, rows)
    found = {(one.at - start) // HOUR: one.used for one in peaks(tmp_path)}
    assert found == {hour: 4 * hour + 3 for hour in range(12)}


def test_the_last_reading_of_an_hour_names_its_plan(tmp_path: Path) -> None:
    rows = [row(1, START, 5) | {"plan": "plus"}, row(2, START + timedelta(minutes=9), 6) | {"plan": "pro"}]
    append(tmp_path, rows)
    assert [(one.used, one.plan) for one in peaks(tmp_path)] == [(6, "pro")]


def test_what_was_taken_back_is_gone(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    data = tmp_path / "data"
    append(data, [*rows[:9], row(99, START + HOUR, 88)])
    assert max(one.used for one in peaks(data)) == 88
    append(data, [{"record_id": "t", "provider": "codex", "captured_at": "2026-11-20T00:00:00Z", "tombstone": "r99"}])
    append(tmp_path / "never", rows[:9])
    assert peaks(data) == peaks(tmp_path / "never")


@pytest.mark.parametrize("spoilt", ["", "[]", "[1, [10, 1, 2], [], [], []]", '{"a": 1}', "[1, 2, 3, 4, 5]"])
def test_a_spoilt_outline_is_made_anew(tmp_path: Path, rows: list[dict[str, Any]], spoilt: str) -> None:
    data = tmp_path / "data"
    append(data, rows)
    wanted = peaks(data)
    kept = data / ".index" / outlines.FILE
    assert kept.stat().st_size > 1000
    kept.write_text(spoilt)
    assert peaks(data) == wanted


def test_another_stream_under_the_name_is_read_anew(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    data = tmp_path / "data"
    append(data, rows)
    peaks(data)
    text = (data / "readings.jsonl").read_text().replace('"weekly_used": 1,', '"weekly_used": 2,')
    (data / "readings.jsonl").unlink()
    (data / "readings.jsonl").write_text(text)
    assert all(one.used != 1 for one in peaks(data))


def test_a_directory_that_is_only_looked_at_gets_none(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    data = tmp_path / "data"
    append(data, rows)
    looking = session(data)
    looking.dry_run = True
    assert outlines.outline(looking).readings(lambda _, account, _mark: account, None, None)
    assert not (data / ".index").exists()


def test_a_value_that_somebody_wrote_into_a_row_hides_no_other_row(tmp_path: Path) -> None:
    append(tmp_path, [row(1, START, 1e300), row(2, START + HOUR, 7)])
    assert [one.gauges.get("weekly") and one.gauges["weekly"].used for one in history(session(tmp_path))] == [None, 7]
