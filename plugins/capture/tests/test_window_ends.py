"""Which readings a window lies between: a client writes its meter behind a request, so that the first one has it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tracker.api import Gauge
from tracker.kernel import TrackerError
from tracker.session import Session
from tracker_capture.ends import ends_at, exact, unknown
from tracker_capture.readings import Sample
from tracker_capture.windows import draft_of, moved

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Where another project's sessions run."""
    return tmp_path / "other"


def meters(worker: Any, place: int = -1) -> Any:
    return worker.proposed()[place]["providers"]["codex"]


def at(worker: Any, minute: float) -> str:
    return f"{worker.noon + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}"


def add(worker: Any, window: str, start: float, end: float, *words: str) -> Any:
    return worker("windows", "add", window, "--from", at(worker, start), "--to", at(worker, end), *words)


def test_a_session_of_one_request_costs_what_the_meter_rose_by_since_the_reading_before(
    worker: Any, elsewhere: Path
) -> None:
    """Its one reading was BEFORE and AFTER: 0 points, and `plan` said GO."""
    worker.codex((-900, 15), cwd=elsewhere, name="evening")
    worker.codex((0, 24))
    worker.commit(1, "feat: login")
    worker.ok("sync")
    found = meters(worker)
    assert (found["meters"], found["requests"], found["elsewhere"]) == ({"weekly": 9}, 1, 0)
    window = worker.proposed()[0]["window"]
    done = worker("windows", "accept", window)
    assert "note: read from rollout, 15 h 0 min from the given time; no request of codex came in between" in done.stderr
    worker.ok("complete", "--window", window, "--codex-features", "1")
    [row] = json.loads(worker.ok("--json", "windows"))
    assert (row["providers"]["codex"]["capacity"], row["from"]) == (9, at(worker, 0))
    assert row["providers"]["codex"]["tokens"] == 1500
    assert "a usual window costs 9 pp" in worker.ok("plan")


def test_a_night_and_another_window_s_night_are_in_no_window(worker: Any, elsewhere: Path) -> None:
    """The window begins with its work, though its BEFORE is of the evening: what ran meanwhile stays to be proposed."""
    (worker.repository / "tracker.toml").write_text("[propose]\ngap_minutes = 10\n")
    worker.codex((-900, 15), cwd=elsewhere, name="evening")
    worker.codex((0, 24), (8, 25), name="late")
    worker.ok("sync")
    worker.ok("windows", "accept", worker.proposed()[-1]["window"])
    worker.commit(-60, "feat: by hand")
    worker.commit(-52, "feat: and again")
    assert [one["from"] for one in worker.proposed()] == [at(worker, -60)]


def test_requests_without_a_reading_before_leave_bounds(worker: Any, elsewhere: Path) -> None:
    worker.codex((-900, 15), (-60, None), (-50, None), cwd=elsewhere, name="evening")
    worker.codex((0, 24), (10, 26))
    worker.codex((30, None), (200, 31), cwd=elsewhere, name="next")
    worker.ok("sync")
    found = meters(worker)
    assert found["meters"] == {}
    assert found["why"] == (
        f"codex has no reading right before its first request at {at(worker, 0)}: 2 other requests came after the"
        f" reading of {at(worker, -900)}; weekly moved by 2 to 11."
    )
    done = worker("windows", "propose")
    assert "note: a capacity needs a reading before the first request and one after the last" in done.stderr
    refused = worker("windows", "accept", worker.proposed()[-1]["window"])
    assert refused.exit_code == 1
    assert "weekly moved by 2 to 11. Nothing was stored." in refused.stderr


def test_requests_until_the_next_reading_leave_bounds(worker: Any, elsewhere: Path) -> None:
    worker.codex((-900, 15), cwd=elsewhere, name="evening")
    worker.codex((0, 24), (10, None))
    worker.codex((40, None), (200, 31), cwd=elsewhere, name="next")
    worker.ok("sync")
    assert meters(worker)["why"] == (
        f"codex has no reading right after its last request at {at(worker, 10)}: 2 other requests came before the"
        f" reading of {at(worker, 200)}; weekly moved by 9 to 16."
    )


def test_a_meter_that_stood_between_two_readings_is_known_there(worker: Any, elsewhere: Path) -> None:
    worker.codex((-900, 15), (-60, None), cwd=elsewhere, name="evening")
    worker.codex((0, 15), (10, 17))
    worker.ok("sync")
    assert (meters(worker)["meters"], meters(worker)["requests"]) == ({"weekly": 2}, 2)


def test_after_a_reset_without_a_request_a_window_is_counted_from_0(worker: Any, elsewhere: Path) -> None:
    worker.codex((-900, 80), cwd=elsewhere, name="evening")
    worker.week_end = worker.noon - timedelta(hours=2)
    worker.codex((-900, 80), cwd=elsewhere, name="evening")
    worker.codex((0, 3), (10, 5))
    worker.ok("sync")
    assert meters(worker)["meters"] == {"weekly": 5}
    worker.ok("windows", "accept", worker.proposed()[0]["window"])
    [row] = json.loads(worker.ok("--json", "windows"))
    assert row["providers"]["codex"]["capacity"] == 5
    split = json.loads((worker.home / "data" / "snapshots.jsonl").read_text().splitlines()[-1])["reset_split"]
    assert split["meters"]["weekly"]["not_covered_at_most"] == 0


def test_commits_beside_another_project_s_requests_cost_nothing_of_theirs(worker: Any, elsewhere: Path) -> None:
    worker.codex((-900, 15), (5, 20), cwd=elsewhere, name="other")
    worker.commit(0, "feat: by hand")
    worker.commit(10, "feat: and again")
    worker.ok("sync")
    [found] = worker.proposed()
    assert (found["commits"], found["providers"]) == (2, {})


def test_two_times_that_a_user_gives_take_the_readings_that_no_request_parts_from_them(
    worker: Any, elsewhere: Path
) -> None:
    worker.codex((-900, 15), cwd=elsewhere, name="evening")
    worker.codex((0, 24))
    worker.ok("sync")
    done = add(worker, "W1", -1, 5, "--provider", "codex")
    assert done.exit_code == 0
    [row] = json.loads(worker.ok("--json", "windows"))
    assert row["providers"]["codex"]["capacity"] == 9


def test_readings_between_which_no_request_came_measure_nothing(worker: Any) -> None:
    """BEFORE and AFTER were seconds apart, and the window of all that work cost 0 points."""
    worker.codex((0, None), (1, None))
    worker.reading(5, 24)
    worker.reading(6, 25)
    worker.ok("sync")
    done = add(worker, "W1", -3, 6, "--provider", "codex")
    assert (done.exit_code, "they measure nothing of W1. Nothing was stored." in done.stderr) == (1, True)


def test_requests_that_a_reading_nearby_leaves_out_are_said(worker: Any) -> None:
    worker.codex((0, None), (2, None), (5, 24), (30, 26))
    worker.ok("sync")
    done = add(worker, "W1", -1, 31, "--provider", "codex")
    assert "6 min from the given time; 3 requests of codex came in between, and are not in W1" in done.stderr


def test_a_reading_seconds_too_far_away_is_not_said_to_be_near_enough(worker: Any) -> None:
    """`no reading within 15 min; the nearest is 15 min away` contradicts itself."""
    worker.codex((0.1, 24), (30, 26))
    worker.ok("sync")
    for log in worker.home.rglob("rollout-*.jsonl"):
        log.unlink()
    stderr = add(worker, "W1", -15, 31, "--provider", "codex").stderr
    assert re.search(r"codex has no reading within 15 min of .+; the nearest is from .+, just over 15 min away", stderr)


@pytest.mark.parametrize(("last", "reset", "first"), [(20, 25, 40), (10, 45, 50)], ids=["close", "long before"])
def test_a_reset_is_covered_by_the_logs_up_to_it(
    worker: Any, elsewhere: Path, last: int, reset: int, first: int
) -> None:
    """No reading was within 15 minutes before it, so the window was refused, or `at most 20 % more` was not covered."""
    worker.week_end = worker.noon + timedelta(minutes=reset)
    worker.codex((-900, 80), cwd=elsewhere, name="evening")
    worker.codex((0, 82), (last, 85), (first, 2))
    worker.ok("sync")
    assert meters(worker)["meters"] == {"weekly": 7}
    done = worker("windows", "accept", worker.proposed()[0]["window"])
    assert "note: codex weekly was reset in between: 7% is the sum of the parts\n" in done.stderr


def test_a_provider_that_worked_without_a_reading_is_said_to_be_left_out(worker: Any, elsewhere: Path) -> None:
    worker.codex((-900, 15), cwd=elsewhere, name="evening")
    worker.codex((0, 24), (10, 26))
    worker.claude(5)
    worker.ok("sync")
    window = worker.proposed()[0]["window"]
    done = worker("windows", "accept", window)
    said = f"note: claude also worked in {window}, but is not in it: The history of that time has no reading of claude."
    assert said in done.stderr


@pytest.mark.parametrize("used", [3, 60])
def test_readings_of_two_accounts_that_name_none_make_no_window(worker: Any, elsewhere: Path, used: float) -> None:
    """Codex's session files name no account: 52 of one and 60 of another were 8 points."""
    worker.codex((-900, 52), cwd=elsewhere, name="evening")
    worker.week_end += timedelta(days=2)
    worker.codex((0, used), (10, used + 2))
    worker.ok("sync")
    said = "belong to different accounts (unnamed-20" if used < 52 else "the readings may belong to two accounts."
    assert said in meters(worker)["why"]
    done = worker("windows", "accept", worker.proposed()[0]["window"])
    assert (done.exit_code, (worker.home / "data" / "snapshots.jsonl").exists()) == (1, False)


def test_two_accounts_that_take_turns_in_a_window_make_none(worker: Any, elsewhere: Path) -> None:
    """Both ends were of one, and the requests of both: too few points for them."""
    worker.codex((-900, 15), cwd=elsewhere, name="evening")
    worker.codex((0, 24), (10, 26), (40, 30))
    worker.week_end += timedelta(days=2)
    worker.codex((20, 60), (30, 64), name="other")
    worker.ok("sync")
    said = "codex weekly has alternating readings of two periods that ran at once: they may belong to two accounts"
    assert said in meters(worker)["why"]
    refused = worker("windows", "add", "W1", "--from", at(worker, 0), "--to", at(worker, 40))
    assert (refused.exit_code, said in refused.stderr) == (1, True)
    worker.ok("windows", "add", "W1", "--from", at(worker, 0), "--to", at(worker, 10))


def test_what_was_done_behind_a_window_that_was_stored_at_once_is_proposed(worker: Any, elsewhere: Path) -> None:
    """It had the id of the stretch, which then had no rest, however long it went on."""
    worker.codex((-900, 15), cwd=elsewhere, name="evening")
    worker.codex((0, 24), (10, 26))
    worker.commit(17, "feat: one")
    worker.ok("sync")
    window = worker.proposed()[0]["window"]
    worker.ok("windows", "accept", window)
    worker.commit(19, "docs: more")
    assert worker.proposed() == []
    worker.codex((0, 24), (10, 26), (40, 29), (60, 30))
    worker.ok("sync")
    [rest] = worker.proposed()
    assert (rest["from"], rest["to"], rest["commits"]) == (at(worker, 17), at(worker, 60), 2)
    assert rest["providers"]["codex"]["meters"] == {"weekly": 4}


@pytest.mark.parametrize("lane", [(), ("--agent", "builder")])
def test_a_window_that_nobody_ended_is_said_to_hold_what_was_done_since(
    worker: Any, elsewhere: Path, lane: tuple[str, ...]
) -> None:
    """It hid every later stretch, and `propose` asked for a `sync`."""
    worker.codex((-900, 15), cwd=elsewhere, name="evening")
    worker.codex((0, 24), (10, 26))
    worker.ok("sync")
    pane = worker.home / "pane.txt"
    pane.write_text(">_ OpenAI Codex (v0.169.0)\n  Weekly limit: 84% left\n")
    worker.ok("start", "codex", str(pane), "--captured-at", at(worker, -500), *lane)
    assert worker.proposed() == []
    found = re.search(
        "W0-01 has been open since .* holds everything done since then.* `tracker (alias delete codex [^`]*)`",
        worker("windows", "propose").stderr,
    )
    assert found
    worker.ok(*found[1].split())
    assert len(worker.proposed()) == 1


def test_a_history_without_the_meter_of_capacity_says_which_one_it_lacks(worker: Any) -> None:
    worker.codex((0, 24), (10, 26))
    worker.ok("sync")
    path = worker.home / "data" / "readings.jsonl"
    path.write_text(path.read_text().replace("weekly_", "fiveh_"))
    assert (
        "The history of that time has no reading of codex's weekly, which measures its windows."
        in meters(worker)["why"]
    )


def test_a_short_meter_of_before_a_reset_that_no_reading_names_is_left_out(worker: Any, elsewhere: Path) -> None:
    """It fell overnight, which was an anomaly, and the card said NO-GO."""
    worker.codex((-900, 15), cwd=elsewhere, name="evening")
    worker.codex((0, 24), (10, 26))
    for path, used in (("evening", 60), ("a", 25)):
        log = next(worker.home.rglob(f"rollout-{path}.jsonl"))
        fiveh = json.dumps({"used_percent": used, "window_minutes": 300})
        log.write_text(log.read_text().replace('"secondary": null', f'"secondary": {fiveh}'))
    worker.ok("sync")
    assert meters(worker)["meters"] == {"weekly": 11}
    done = worker("windows", "accept", worker.proposed()[0]["window"])
    assert (done.exit_code, "anomaly" in done.stderr) == (0, False)


def test_a_reading_of_the_next_morning_ends_the_window_with_its_work(worker: Any, elsewhere: Path) -> None:
    """The window lasted until then, and what was done meanwhile was held for its."""
    worker.codex((-900, 15), cwd=elsewhere, name="evening")
    worker.codex((0, 24), (10, None))
    worker.reading(900, 27)
    worker.commit(400, "feat: by hand")
    worker.commit(410, "feat: and again")
    worker.ok("sync")
    first, second = worker.proposed()
    assert first["providers"]["codex"]["meters"] == {"weekly": 12}
    done = worker("windows", "accept", first["window"])
    assert (
        "note: read from rollout, 14 h 50 min from the given time; no request of codex came in between" in done.stderr
    )
    [row] = json.loads(worker.ok("--json", "windows"))
    assert (row["to"], row["providers"]["codex"]["capacity"], row["providers"]["codex"]["tokens"]) == (
        at(worker, 10), 12, 3000,
    )  # fmt: skip
    assert [one["window"] for one in worker.proposed()] == [second["window"]]


def test_readings_that_a_sync_would_add_are_named(worker: Any, elsewhere: Path) -> None:
    """The logs of the work were read, and its readings were not: `schedule print` would add none of then."""
    worker.codex((-900, 15), cwd=elsewhere, name="evening")
    worker.ok("sync")
    worker.codex((0, 24), (10, 26))
    cure = "`tracker sync` may add some: it has not read all session files yet"
    assert cure in worker("windows", "propose").stderr
    assert cure in worker("windows", "accept", worker.proposed()[0]["window"]).stderr
    worker.ok("sync")
    assert "tracker sync" not in worker("windows", "propose").stderr
    worker.ok("windows", "accept", worker.proposed()[0]["window"])


def test_points_that_the_vendor_gave_back_are_no_second_account(worker: Any, elsewhere: Path) -> None:
    worker.codex((-900, 52), cwd=elsewhere, name="evening")
    worker.codex((0, 40), (10, 42))
    worker.ok("sync")
    why = meters(worker)["why"]
    assert why.startswith("codex weekly was at 52% (reset due ")
    assert why.endswith("but no reset in between is known: the vendor may have lowered it.")


def test_the_parts_of_a_window_end_with_its_after(worker: Any, elsewhere: Path) -> None:
    """The reading of the next morning was left out: 5 points for 8."""
    worker.week_end = worker.noon - timedelta(hours=5)
    worker.codex((-900, 15), cwd=elsewhere, name="evening")
    worker.codex((0, 5), (10, None))
    worker.reading(900, 8)
    worker.ok("sync")
    assert meters(worker)["meters"] == {"weekly": 8}


def test_the_parts_of_a_window_are_those_between_the_highest_readings_of_both_instants(
    worker: Any, elsewhere: Path
) -> None:
    worker.week_end = worker.noon + timedelta(minutes=5)
    worker.codex((-900, 12), cwd=elsewhere, name="0")
    worker.codex((-900, 15), cwd=elsewhere, name="1")
    worker.codex((0, 19), (10, 9))
    worker.codex((10, 7), cwd=elsewhere, name="b")
    worker.ok("sync")
    assert meters(worker)["meters"] == {"weekly": 13}


def test_a_period_that_no_reading_shows_is_in_no_sum_of_parts() -> None:
    """What was used in it was said to be covered: 4 points of five hours for 24."""
    week, source = timedelta(days=7), "codex"
    samples = []
    for minute, fiveh, until, weekly in ((0, 8, 290, 10), (1000, 4, 1300, 14)):
        at = NOON + timedelta(minutes=minute)
        gauges = (
            Gauge(meter="fiveh", used=fiveh, reset_at=NOON + timedelta(minutes=until)),
            Gauge(meter="weekly", used=weekly, reset_at=NOON + week),
        )
        known = {gauge.meter: gauge for gauge in gauges}
        samples.append(Sample(provider=source, origin="rollout", gauges=known, at=at, until=at))
    for unseen, found in ((400, {"weekly": 4}), (1000, {"weekly": 4, "fiveh": 4})):
        requests = [NOON + timedelta(minutes=minute) for minute in (0, unseen, 1000)]
        times = (NOON + timedelta(minutes=10), requests[-1])
        assert moved(draft_of(Session(), "W1", source, samples, times, requests)) == found


def test_a_meter_stood_only_if_the_highest_reading_of_an_instant_says_so() -> None:
    samples = [shown(0, prompts=10), shown(60, prompts=10), shown(60, prompts=12)]
    requests = [shown(minute).at for minute in (5, 60)]
    for some in (samples, samples[::-1]):
        assert exact(ends_at(some, requests[0], requests, is_first=False), "prompts") is None


def shown(minute: float, **values: float) -> Sample:
    time = NOON + timedelta(minutes=minute)
    gauges = {key: Gauge(meter=key, used=used) for key, used in values.items()}
    return Sample(provider="glm", origin="answer", gauges=gauges, at=time, until=time)


def test_counts_that_fell_have_their_unit(worker: Any) -> None:
    first, last = shown(0, prompts=80), shown(60, prompts=30)
    with pytest.raises(TrackerError, match=r"glm prompts was at 80 prompts in the reading of .* and 30 prompts in"):
        draft_of(Session(), "W1", "glm", [first, last], (first.at, last.at))


def test_of_readings_of_one_instant_the_highest_counts_without_session_logs_too(worker: Any) -> None:
    first, low, high = shown(0, prompts=10), shown(60, prompts=14), shown(60, prompts=15)
    for last in ([low, high], [high, low]):
        assert moved(draft_of(Session(), "W1", "glm", [first, *last], (first.at, low.at))) == {"prompts": 5}


def test_what_a_provider_without_a_meter_of_capacity_lacks_is_said(worker: Any) -> None:
    """A plugin may declare none; the error was a `KeyError`, which ended `propose`."""
    samples = [shown(0, weekly=1), shown(60, weekly=2)]
    requests = [samples[0].at - timedelta(minutes=9), samples[0].at + timedelta(minutes=9)]
    ends = [ends_at(samples, at, requests, is_first=at is requests[0]) for at in requests]
    assert "glm has no reading before its first request" in unknown("glm", "", *ends)
