"""`tracker meters calibrate`, `reconcile` and `drift` on simulated session files whose truth is known."""

from __future__ import annotations

import json
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tracker.cli.main import main


def test_the_rate_is_found_and_what_projects_took(world: Any) -> None:
    world.days(13)
    [found] = world.json("meters", "calibrate", "--provider", "codex")
    assert found["why_not"] == []
    middle, low, high = next(iter(found["points_per"].values()))
    assert low <= world.rate <= high
    assert abs(middle / world.rate - 1) < 0.05
    shares = {share["name"]: share for share in found["shares"]}
    assert shares.keys() == {"acme", "other"}
    assert sum(share["points"] for share in shares.values()) == pytest.approx(found["points"], rel=0.1)
    said = world("meters", "calibrate", "--by", "session")
    assert "points per list-price dollar" in said
    ranges = "by list price alone: the ranges ignore how much points per dollar differ between sessions"
    assert re.search(rf"\n  since 20\d\d-\d\d-\d\d \d\d:\d\d, {ranges}\n", said)
    # of two rates a point buys as much as its share of each tells
    assert next(iter(found["points_per"])) == "dollars"
    assert f": a point buys ${1 / middle:.2f}\n" in said
    assert "assuming: nothing else uses this account (unchecked: no reading was taken by a schedule)" in said
    assert "gpt-5, points per million tokens: input 1.9, cache read" in said


def test_requests_at_a_full_meter_move_nothing(world: Any) -> None:
    """Two weeks have 200 points at most; 356 were said to be used."""
    world.days(13, rate=lambda _day: 3 * world.rate)
    [found] = world.json("meters", "calibrate", "--provider", "codex")
    assert found["why_not"] == []
    assert 170 < sum(share["points"] for share in found["shares"]) < 215
    assert "requests made while the meter was full moved nothing: left out\n" in world("meters", "calibrate")


def test_requests_while_the_meter_stands_still_are_listed_and_nobodys_share(world: Any) -> None:
    """No piece is behind the last tick before a reset, or before now: a free week was "explained" and shared out."""
    world.days(13, rate=lambda day: world.rate if day < 7 else 0.0)
    [found] = world.json("meters", "reconcile")
    [still] = [one for one in found["residuals"] if one["certainty"]]
    assert still["unexplained"] < -20
    assert still["from"] >= (world.start + timedelta(days=7)).isoformat()[:19]
    assert "points less than the requests explain" in world("meters", "reconcile")
    [found] = world.json("meters", "calibrate")
    assert sum(share["points"] for share in found["shares"]) == pytest.approx(found["points"], rel=0.1)
    assert "requests made while the meter stood still: left out; " in world("meters", "calibrate")


def test_too_little_is_refused_with_what_is_needed(world: Any) -> None:
    world.days(2)
    said = world("meters", "calibrate")
    assert "will not calibrate: " in said
    assert "points so far; 20 are needed; 2 days so far; 6 are needed" in said
    assert "cannot tell: 2 days so far; 11 are needed" in world("meters", "drift")
    assert world.json("meters", "drift")[0]["since"] is None


def test_a_change_is_found_and_what_was_new_then(world: Any) -> None:
    world.days(13, rate=lambda day: world.rate if day < 6 else 2.1 * world.rate)
    [found] = world.json("meters", "drift")
    assert found["since"] == str((world.start + timedelta(days=6)).date())
    assert found["ratio"][1] <= 2.1 <= found["ratio"][2]
    assert "new since then: plan team; client 0.161.0\n" in world("meters", "drift")
    [rates] = world.json("meters", "calibrate")
    assert rates["since"] == found["since"]
    middle, *_ = next(iter(rates["points_per"].values()))
    assert middle == pytest.approx(2.1 * world.rate, rel=0.06)


def test_without_a_change_drift_is_silent(world: Any) -> None:
    world.days(13)
    assert "no change found in 13 days" in world("meters", "drift")


def test_what_no_request_explains_is_listed(world: Any) -> None:
    world.days(13, hidden=lambda day, turn: 6.0 if (day, turn) == (4, 30) else 0.0)
    [found] = world.json("meters", "reconcile")
    first = found["residuals"][0]
    at = world.start + timedelta(days=4, hours=13)
    assert first["from"] <= at.isoformat()
    assert first["to"] >= at.isoformat()[:16]
    assert first["unexplained"] == pytest.approx(6, abs=1.5)
    assert "more than the requests explain, 99." in world("meters", "reconcile")


def test_several_rises_that_requests_do_not_explain_do_not_hide_each_other(world: Any) -> None:
    """They raise the rate, and were taken for heavy tails: all points were called explained."""
    where = {(2, 30), (5, 20), (8, 40), (11, 25)}
    world.days(13, hidden=lambda day, turn: 6.0 if (day, turn) in where else 0.0)
    [found] = world.json("meters", "reconcile")
    sure = {one["from"][:10]: one["unexplained"] for one in found["residuals"] if one["unexplained"] > 4}
    assert sure.keys() == {str((world.start + timedelta(days=day)).date()) for day, _ in where}


def test_that_nothing_is_found_is_not_called_an_explanation(world: Any) -> None:
    world.days(13)
    [found] = world.json("meters", "reconcile")
    assert found["residuals"] == []
    said = r": no rise among [0-9]+ points surely differs from what the requests explain\n"
    assert re.search(said, world("meters", "reconcile"))


def test_every_rise_without_a_request_is_listed(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one of a single point, and one just after a reset; what follows another without a request is one rise."""
    world.days(13, nights={4: [0, 1], 7: [0, 2], 10: [0, 1, 2]})
    [found] = world.json("meters", "reconcile")
    silent = [one for one in found["residuals"] if one["certainty"] is None]
    days = {day: (world.start + timedelta(days=day)).date().isoformat() for day in (4, 7, 10)}
    moved = {one["to"][:10]: one["moved"] for one in silent}
    assert moved == {days[4]: 1, days[7]: 2, days[10]: 3}
    assert not [one for one in found["residuals"] if one["certainty"] and one["to"][:10] in days.values()]
    said = world("meters", "reconcile", "--rows", "1")
    assert f"{days[10]} 05:00 UTC: 3 points, and no request was logged" in said
    assert "more: `--rows " in said
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "more: `--rows " in world("meters", "reconcile", "--rows", "1")


def test_where_capacity_is_a_count_the_weekly_meter_is_meant(world: Any) -> None:
    """GLM was left out without a word, and by name it had "no meter in per cent"."""
    said = world.run("meters", "drift", "--provider", "glm").stderr
    assert said.startswith("error: The history has no reading of glm weekly. ")
    said = world.run("meters", "drift", "--provider", "glm", "--meter", "prompts_used").stderr
    assert said.startswith("error: glm has no meter 'prompts_used' in per cent. Name one with --meter: ")
    assert " weekly," in said


def test_rises_of_several_days_without_a_request_are_a_row_each(world: Any) -> None:
    world.days(2)
    first = world.start + timedelta(days=2, hours=9)
    limits = [
        {
            "used_percent": 50.0 + day,
            "window_minutes": 10080,
            "resets_at": int((world.start + timedelta(days=7)).timestamp()),
        }
        for day in range(4)
    ]
    (world.home / ".codex" / "sessions" / "2026" / "11" / "22" / "rollout-idle.jsonl").write_text(
        "".join(
            world.line(
                first + timedelta(days=day),
                "event_msg",
                {"type": "token_count", "info": None, "rate_limits": {"limit_id": "codex", "primary": limit}},
            )
            for day, limit in enumerate(limits)
        )
    )
    world("sync")
    [found] = world.json("meters", "reconcile")
    ends = {one["to"][:10]: one["moved"] for one in found["residuals"] if one["certainty"] is None}
    assert {str((first + timedelta(days=day)).date()): 1 for day in (1, 2, 3)}.items() <= ends.items()


def test_requests_without_a_price_are_requests(world: Any) -> None:
    world.days(2, model=lambda day: "in-house-7b" if day else "gpt-5")
    [found] = world.json("meters", "reconcile")
    assert found["residuals"] == []
    assert found["unpriced"]["requests"].keys() == {"in-house-7b"}
    said = world("meters", "reconcile")
    count, points = sum(found["unpriced"]["requests"].values()), found["unpriced"]["moved"]
    assert (
        f"{points:g} points are not judged, because of {count} requests without a list price (in-house-7b {count})"
        in said
    )
    assert "no request was logged" not in said
    assert " points rose without a request\n" in said


def test_without_readings_the_cure_is_named(world: Any, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["meters", "drift"], env={"TRACKER_DATA_DIR": str(tmp_path / "none")})
    assert done.exit_code == 1
    assert "Fill it with `tracker sync`" in done.stderr


def test_without_readings_of_a_meter_the_provider_that_has_others_is_named(world: Any) -> None:
    """It was the first of the alphabet, about which nobody asked."""
    world.days(2)
    said = world.run("meters", "drift", "--meter", "fiveh").stderr
    assert said.startswith(
        "error: The history has no reading of codex fiveh, only of weekly. Fill it with `tracker sync`, or"
    )


def test_a_window_that_is_not_whole_or_before_the_fit_is_called_so(world: Any) -> None:
    """13.8 of 18 points read as what the window took, and older windows were missing without a word."""
    world.days(16, rate=lambda day: world.rate if day < 5 else 2.5 * world.rate)
    for name, first, last in (("W2", 2, 2), ("WX", 4, 5), ("W7", 7, 7)):
        begin, end = (world.start + timedelta(days=day, hours=9 + hours) for day, hours in ((first, 0.2), (last, 7)))
        world("windows", "add", name, "--from", begin.isoformat(), "--to", end.isoformat())
    said = world("meters", "calibrate", "--by", "window")
    start = r"20\d\d-\d\d-\d\d \d\d:\d\d"
    assert re.search(rf"  WX: [\d.]+ points \([\d.]+ to [\d.]+\) since {start}, not the whole window\n", said)
    assert re.search(r"  W7: [\d.]+ points \([\d.]+ to [\d.]+\)\n", said)
    assert re.search(rf"  1 window before {start}, when the fit begins: W2\n", said)
    [found] = world.json("meters", "calibrate", "--by", "window")
    assert {share["name"]: share["is_cut"] for share in found["shares"]} == {"(none)": False, "WX": True, "W7": False}
    assert found["before"] == ["W2"]
    assert ", not the whole " not in world("meters", "calibrate")


def test_without_readings_since_then_the_last_one_is_named(world: Any, tmp_path: Path) -> None:
    world.days(2)
    done = world.run("meters", "reconcile", "--since", "2099-01-01")
    assert done.exit_code == 1
    assert "no reading of codex weekly since 2099-01-01T" in done.stderr
    assert "; the last one is from 20" in done.stderr
    assert "Choose an earlier --since, or add newer readings with `tracker sync`." in done.stderr


@pytest.fixture
def shared(world: Any) -> Any:
    """Every fifth day on account work, whose points buy a fifth; the other days on home."""
    world.days(15, rate=lambda day: world.rate * (5 if day % 5 == 4 else 1))
    path = world.home / "data" / "readings.jsonl"
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    for row in rows:
        day = (datetime.fromisoformat(row["captured_at"]) - world.start).days
        # a run that goes on in the next day would be of two accounts
        row["until"] = row["captured_at"] if row["until"][:10] != row["captured_at"][:10] else row["until"]
        row["account"] = "work" if day % 5 == 4 else "home"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return world


def test_of_two_accounts_one_is_chosen_and_only_its_time_counts(shared: Any) -> None:
    [found] = shared.json("meters", "calibrate", "--account", "home", "--by", "session")
    assert (found["account"], found["why_not"]) == ("home", [])
    middle, low, high = next(iter(found["points_per"].values()))
    assert low <= shared.rate <= high
    assert abs(middle / shared.rate - 1) < 0.05
    assert {share["name"] for share in found["shares"]} == {f"day-{day}" for day in range(15) if day % 5 != 4}
    [drift] = shared.json("meters", "drift", "--account", "home")
    assert (drift["account"], drift["since"]) == ("home", None)
    assert "codex weekly account work (" in shared("meters", "reconcile", "--account", "work")


@pytest.mark.parametrize("name", ["calibrate", "reconcile", "drift"])
def test_a_provider_of_two_accounts_is_not_left_out_in_silence(shared: Any, name: str) -> None:
    why = "codex weekly has readings of 2 accounts (home, work)."
    refused = shared.run("meters", name)
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"error: {why}")
    assert refused.stderr.endswith("Choose one with --account.\n")
    assert "Did you mean work?" in shared.run("meters", name, "--account", "wrk").stderr
    # beside a provider that can be read
    path = shared.home / "data" / "readings.jsonl"
    row = json.loads(path.read_text().splitlines()[0])
    gauge = {"all_models_used": 1, "all_models_reset_at": row["parsed"]["weekly_reset_at"]}
    row |= {"record_id": "f" * 32, "provider": "claude", "account": "other", "parsed": gauge}
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")
    done = shared.run("meters", name)
    assert done.exit_code == 0
    assert "codex" not in done.stdout
    assert f"left out: {why}" in done.stderr
    other = shared.run("meters", name, "--provider", "claude", "--account", "zz")
    assert "No reading of account 'zz'" in other.stderr


def test_days_of_which_only_totals_are_left_tell_nothing(world: Any) -> None:
    """The rate was twice the true one where another machine did half, and its rises had "no request"."""
    world.days(13)
    logs = sorted((world.home / ".codex" / "sessions").rglob("*.jsonl"))
    [before] = world.json("meters", "calibrate")
    assert before["days_left_out"] == 0
    for path in logs[4:7]:
        # every other request is another machine's, which tells only totals
        rows = path.read_text().splitlines(keepends=True)
        path.write_text("".join(row for at, row in enumerate(rows) if at < 2 or at % 2))
    shutil.rmtree(world.home / "data" / ".index")
    [found] = world.json("meters", "calibrate")
    middle, low, high = next(iter(found["points_per"].values()))
    assert low <= world.rate <= high
    assert abs(middle / world.rate - 1) < 0.05
    assert (found["days"], found["days_left_out"]) == (before["days"] - 3, 3)
    left_out = (
        "on 3 of 13 days other requests are known only as daily totals, such as from deleted files or another machine"
    )
    said = world("meters", "calibrate")
    assert f"\n  {left_out}: rises in that time are left out\n" in said
    assert (
        "assuming: nothing else uses this account at the other times (unchecked: no reading was taken by a schedule)\n"
        in said
    )
    [judged] = world.json("meters", "reconcile")
    lost = {str((world.start + timedelta(days=day)).date()) for day in (4, 5, 6)}
    assert not [one for one in judged["residuals"] if one["to"][:10] in lost]
    assert f": {left_out}: rises in that time are not judged\n" in world("meters", "reconcile")
    for path in logs:
        path.unlink()
    shutil.rmtree(world.home / "data" / ".index")
    left_out = left_out.replace("3 of 13", "13 of 13")
    assert f": will not calibrate: {left_out}\n" in world("meters", "calibrate")


def test_requests_count_for_the_account_whose_readings_come_behind_them(world: Any) -> None:
    """Two accounts by turns, whose logs name them: between two readings of one there always was one of the other."""
    world.days(13)
    for path in sorted((world.home / ".codex" / "sessions").rglob("*.jsonl")):
        text = ""
        for row in map(json.loads, path.read_text().splitlines()):
            at, own = datetime.fromisoformat(row["timestamp"].replace("Z", "+00:00")), row["payload"]
            if row["type"] == "session_meta":
                own |= {"id": f"other-{own['id']}", "creator_account_id": "other"}
            if row["type"] == "event_msg":
                own["rate_limits"]["primary"]["resets_at"] += 2 * 24 * 3600
                for usage in own["info"].values():
                    usage |= {key: 2 * count for key, count in usage.items()}
            text += world.line(at + timedelta(days=2, minutes=2), row["type"], own)
        path.with_name(f"{path.stem}-other.jsonl").write_text(text)
        path.write_text(path.read_text().replace('"cwd"', '"creator_account_id": "own", "cwd"', 1))
    shutil.rmtree(world.home / "data")
    world("sync")
    names = re.findall(r"unnamed-[-\d]+", world.run("meters", "calibrate").stderr)
    for name, rate in zip(names, (world.rate, world.rate / 2), strict=True):
        [found] = world.json("meters", "calibrate", "--account", name)
        assert (found["why_not"], found["days"]) == ([], 13)
        middle, low, high = next(iter(found["points_per"].values()))
        assert low <= rate <= high
        assert abs(middle / rate - 1) < 0.05
        assert any(
            one.startswith("in the session logs, this account is the one whose requests its readings follow")
            for one in found["assumes"]
        )
