"""`tracker meters calibrate`, `reconcile` and `drift` where readings or requests are not what they seem."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tracker.api import MeterReading
from tracker_verdict.silence import heard, silences
from tracker_verdict.unseen import Unseen, merged


def test_readings_that_are_a_point_behind_at_times_change_no_rate(world: Any) -> None:
    """Of one in ten: the rate was a fifth too high, and its interval without the truth."""
    world.days(13)
    chance = random.Random(4)

    def behind(row: dict[str, Any]) -> None:
        row["parsed"]["weekly_used"] -= (chance.random() < 0.1) * (row["parsed"]["weekly_used"] > 0)

    world.readings(behind)
    [found] = world.json("meters", "calibrate")
    middle, low, high = next(iter(found["points_per"].values()))
    assert low <= world.rate <= high
    assert middle == pytest.approx(world.rate, rel=0.04)


def test_an_older_reading_in_between_is_no_rise(world: Any) -> None:
    world.days(5)
    rows = [json.loads(row) for row in (world.home / "data" / "readings.jsonl").read_text().splitlines()]
    limit = {"used_percent": rows[-1]["parsed"]["weekly_used"], "window_minutes": 10080}
    limit["resets_at"] = int(datetime.fromisoformat(rows[-1]["parsed"]["weekly_reset_at"]).timestamp())
    at, path = world.start + timedelta(days=4, hours=20), world.home / ".codex/sessions/2026/11/22/rollout-old.jsonl"
    payload: dict[str, Any] = {"type": "token_count", "info": None}
    path.write_text(
        "".join(
            world.line(
                at + timedelta(hours=place),
                "event_msg",
                payload | {"rate_limits": {"limit_id": "codex", "primary": one}},
            )
            for place, one in enumerate([{**limit, "used_percent": limit["used_percent"] - 5}, limit])
        )
    )
    world("sync")
    [found] = world.json("meters", "reconcile")
    assert found["residuals"] == []


def test_what_rises_at_night_is_known_by_a_schedule_of_another_origin(world: Any) -> None:
    """Session files show it with the first request of the day, as if that had taken it."""
    world.days(13, hidden=lambda day, turn: 1.0 * (turn == 0 and day % 7 > 0))
    path = world.home / "data" / "readings.jsonl"
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    for day in (day for day in range(1, 13) if day % 7):
        midnight = world.start + timedelta(days=day)
        last = max(
            (row for row in rows if row["captured_at"] < midnight.isoformat()), key=lambda row: row["captured_at"]
        )
        for hours, rise in ((1, 0), (4, 1), (8, 1)):
            at = (midnight + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
            sample = {**last, "record_id": f"{day:016x}{hours:016x}", "origin": "app-server", "source": "sample"}
            sample["parsed"] = {**last["parsed"], "weekly_used": last["parsed"]["weekly_used"] + rise}
            rows.append({**sample, "captured_at": at, "until": at})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    [found] = world.json("meters", "calibrate")
    assert (found["origin"], found["silent"]) == ("rollout", 11)
    middle, low, high = next(iter(found["points_per"].values()))
    assert low <= world.rate <= high
    assert middle == pytest.approx(world.rate, rel=0.06)


def test_the_origin_that_is_read_now_is_taken(world: Any) -> None:
    """The other has more rows: its rate ended ten days ago, and "no change is known" was said of it."""
    world.days(16, rate=lambda day: world.rate if day < 7 else 2 * world.rate)
    cut = (world.start + timedelta(days=8)).isoformat()

    def renamed(row: dict[str, Any]) -> None:
        if row["captured_at"][:19] >= cut[:19]:
            row["origin"] = "app-server"
        elif row["until"][:19] >= cut[:19]:
            row["until"] = row["captured_at"]

    world.readings(renamed)
    path = world.home / "data" / "readings.jsonl"
    old = [row for row in path.read_text().splitlines() if json.loads(row)["origin"] != "app-server"]
    more = [json.dumps({**json.loads(row), "record_id": f"{copy:032x}"}) for copy, row in enumerate(old * 2)]
    path.write_text("\n".join([*path.read_text().splitlines(), *more]) + "\n")
    [found] = world.json("meters", "calibrate")
    assert found["origin"] == "app-server"
    assert next(iter(found["points_per"].values()))[0] == pytest.approx(2 * world.rate, rel=0.06)


def test_requests_behind_the_last_reading_are_in_no_share(world: Any) -> None:
    """204 points of 116 were shared out, and no word said that the readings end ten days ago."""
    world.days(16)
    cut = (world.start + timedelta(days=12)).isoformat()[:19]

    def ended(row: dict[str, Any]) -> bool:
        row["until"] = row["captured_at"] if row["until"][:19] >= cut else row["until"]
        return bool(row["captured_at"][:19] < cut)

    world.readings(ended)
    [found] = world.json("meters", "calibrate")
    assert sum(share["points"] for share in found["shares"]) == pytest.approx(found["points"], rel=0.1)
    assert found["behind"] > 200
    last = f"{found['behind']} requests after the last reading ({found['until'][:10]} {found['until'][11:16]}) are"
    assert f"{last} left out" in world("meters", "calibrate")
    assert f"cannot tell: {last} not compared; read the meter again with `tracker sync`" in world("meters", "drift")


def test_a_model_without_a_price_is_named_and_no_change_of_the_meter(world: Any) -> None:
    """It was "1.94 times as many points as before", since the money of half of the requests was missing."""
    world.days(13, model=lambda day: "in-house-7b" if day > 6 and day % 3 == 0 else "gpt-5")
    why = r"\d+% of the tokens have no list price: in-house-7b \(\d+ requests\); .*the file that `tracker usage` names"
    assert re.search(f"cannot tell: {why}\n", world("meters", "drift"))
    assert re.search(f"will not calibrate: {why}\n", world("meters", "calibrate"))


def test_points_that_rise_at_night_without_a_request_are_in_no_rate(world: Any) -> None:
    """Readings show them beside no request: the rate was 18 % too high, and assumed that nothing else was used."""
    world.days(13, nights={day: [0, 1, 1] for day in range(13)})
    [found] = world.json("meters", "calibrate")
    middle, low, high = next(iter(found["points_per"].values()))
    assert low <= world.rate <= high
    assert middle == pytest.approx(world.rate, rel=0.05)
    assert 15 < found["silent"] <= 26
    said = world("meters", "calibrate")
    assert f"{found['silent']:g} points rose without a request and are in no share" in said
    assert "assuming: nothing else uses this account while requests are made here (unchecked: no reading was" in said


def test_days_of_which_only_totals_are_left_are_in_no_share_of_other_devices() -> None:
    """Another machine took three points an hour on the last five of ten days: as if it had on the others."""
    start, used, taken, times = datetime(2026, 11, 2, tzinfo=UTC), 0.0, list[MeterReading](), list[float]()
    for hour in range(240):
        at = start + timedelta(hours=hour)
        taken.append(MeterReading("codex", "m", None, "sample", at, at, used / 6, None, is_scheduled=True))
        if 8 <= at.hour < 18:
            is_idle = at.day % 2
            used += (0.5 if is_idle else 2.5) + (3 if hour >= 120 else 0)
            times += [] if is_idle else [at.timestamp() + 60]
    lost = merged((one.at.timestamp(), one.at.timestamp() + 3600) for one in taken[120:])
    first, left, every = (
        heard(
            readings,
            [one for one in silences(readings, times, None) if not unseen.meets(*one[:2])],
            set(range(8, 18)),
            UTC,
            None,
            unseen,
        ).share
        for readings, unseen in ((taken[:121], Unseen()), (taken, Unseen(lost)), (taken, Unseen()))
    )
    assert len(lost) == 1
    assert left == first == pytest.approx(0.5 * 50 / (0.5 * 50 + 2 * 30), abs=0.01)
    assert every is not None
    assert every > 2 * first
