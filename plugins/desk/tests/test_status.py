"""`tracker status`: what is open, how old the meters are, what is due next; with toys as the only plugins."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from outcomes import ok

from tracker.kernel import Clock, span
from tracker_desk.status_text import heading

Run = Callable[..., "subprocess.CompletedProcess[str]"]
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(autouse=True)
def _now() -> None:
    """The moment of each test: a long run must not make the first one's of it."""
    globals()["NOW"] = datetime.now(UTC).replace(microsecond=0)


def ago(**length: float) -> str:
    return (NOW - timedelta(**length)).isoformat()


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    return ok(done).splitlines()


def lane(done: subprocess.CompletedProcess[str], provider: str = "toy", agent: str | None = None) -> dict[str, Any]:
    """One lane of the JSON answer."""
    found = json.loads(ok(done))["lanes"]
    [wanted] = [one for one in found if (one["provider"], one["agent_id"]) == (provider, agent)]
    return dict(wanted)


def start(toys: Run, pane: str, **length: float) -> None:
    ok(toys("alias", "start", "toy", "--stdin", "--captured-at", ago(**length), stdin=pane))


def end(toys: Run, pane: str, *more: str, **length: float) -> None:
    ok(toys("alias", "end", "toy", "--stdin", "--captured-at", ago(**length), *more, stdin=pane))


def test_a_lane_is_not_led_into_a_window_that_another_one_measured(toys: Run) -> None:
    at = [ago(hours=hours) for hours in (6, 5, 4, 3)]
    for lane_name, window, begin, finish in (("sub1", "W1", at[0], at[1]), ("main", "W2", at[2], at[3])):
        for phase, taken, pane in (("start", begin, "fuel 10%"), ("end", finish, "fuel 20%")):
            words = ("alias", phase, "toy", "--stdin", "--window", window, "--captured-at", taken)
            ok(toys(*words, stdin=pane, AGENT_ID=lane_name))
        if window == "W1":
            ok(toys("complete", "--window", "W1", "--toy-features", "1"))
    due = lane(toys("--json", "status"), agent="sub1")["next"]
    assert (due["window"], due["command"]) == ("W3", "tracker start toy --stdin --agent sub1")
    # `start` leaves alone a window in which only another lane captured, whatever the provider; so says the status
    ok(toys("start", "tally", "--stdin", "--window", "W3", stdin="3", AGENT_ID="main"))
    due = lane(toys("--json", "status"), agent="sub1")["next"]
    stored = ok(toys(*due["command"].split()[1:], stdin="fuel 30%"))
    assert due["window"] == "W4"
    assert "for W4 " in stored


def test_without_captures_it_says_how_to_begin(toys: Run, tmp_path: Path) -> None:
    for zone in ("UTC", "Etc/UTC"):
        head, *rest = lines(toys("status", TZ=zone))
        assert re.search(rf"\d\d:\d\d UTC  {re.escape(str(tmp_path / 'data'))}$", head)
    assert rest == [
        "No captures here yet.",
        "Begin with `tracker start PROVIDER --stdin`: pipe or paste the provider's pane into it.",
        "Providers: tally, toy",
        "",
        "Anomalies: 0 open",
    ]
    assert not (tmp_path / "data").exists()


def test_without_any_provider_it_says_that(tracker_inside: Run) -> None:
    ours = "tracker-codex,tracker-claude,tracker-glm,tracker-proxy"
    text = ok(tracker_inside("status", TRACKER_DISABLE_PLUGINS=ours))
    assert "No provider is installed either: `tracker plugins list` shows what is." in text


def test_an_open_window_its_meters_and_what_is_due(toys: Run) -> None:
    reset = (NOW + timedelta(days=5)).isoformat()
    start(toys, f"fuel 10% reset {reset}\nheat 5%", minutes=32, seconds=5)
    found = lines(toys("status", TZ="UTC"))
    opened = Clock(NOW, UTC).at(NOW - timedelta(minutes=32, seconds=5))
    assert found[2] == f"toy: W0-01 open since {opened} (32 min)"
    assert found[3].startswith(
        f"  fuel  10%, 32 min ago, resets {Clock(NOW, UTC).at(NOW + timedelta(days=5))} (in 4 d 23"
    )
    assert found[4] == "  heat  5%, 32 min ago"
    assert found[5] == "  next: AFTER when the work is done: tracker end toy --stdin"
    assert found[-2:] == ["Not captured yet: tally", "Anomalies: 0 open"]


def test_after_a_reset_the_buffer_is_said(toys: Run) -> None:
    reset = NOW - timedelta(minutes=1)
    start(toys, f"fuel 10%\nheat 50% reset {reset.isoformat()}", minutes=30)
    allowed = Clock(NOW, ZoneInfo("Asia/Tokyo")).at(reset + timedelta(minutes=5))
    found = ok(toys("status", TZ="Asia/Tokyo"))
    said = f"AFTER allowed from {allowed} (in 3 min), since a meter was just reset: tracker end"
    assert f"  next: {said}" in found
    assert f"\nNext: {said}" in ok(toys("home", TZ="Asia/Tokyo"))
    due = lane(toys("status", "--json"))["next"]
    assert due["action"] == "after"
    assert datetime.fromisoformat(due["allowed_from"]) == reset + timedelta(minutes=5)


def test_the_buffer_is_the_configured_one(toys: Run, tmp_path: Path) -> None:
    (tmp_path / "tracker.toml").write_text("buffer_minutes = 90\ntimezone = 'America/New_York'\n")
    reset = NOW - timedelta(minutes=1)
    start(toys, f"fuel 10%\nheat 50% reset {reset.isoformat()}", minutes=30)
    found = ok(toys("status"))
    allowed = Clock(NOW, ZoneInfo("America/New_York")).at(reset + timedelta(minutes=90))
    assert f"AFTER allowed from {allowed} (in 1 h 28 min)" in found
    assert "(America/New_York)" in found.splitlines()[0]


def test_a_reset_that_is_near_presses(toys: Run) -> None:
    reset = NOW + timedelta(hours=2)
    start(toys, f"fuel 10%\nheat 50% reset {reset.isoformat()}", minutes=30)
    clock = Clock(NOW, UTC)
    found = ok(toys("status"))
    assert f"  next: AFTER before {clock.at(reset)} (in 1 h 59 min), when a meter is reset, or from " in found
    assert f"or from {clock.at(reset + timedelta(minutes=5))} on: tracker end toy --stdin" in found


def test_behind_the_reset_of_what_measures_a_window_there_is_no_after(toys: Run) -> None:
    reset = NOW + timedelta(hours=2)
    start(toys, f"fuel 10% reset {reset.isoformat()}\nheat 50%", minutes=30)
    until = f"{Clock(NOW, UTC).at(reset)} (in 1 h 59 min)"
    said = f"  next: AFTER before {until}, when its capacity meter is reset: tracker end toy --stdin"
    assert said in ok(toys("status"))
    assert lane(toys("status", "--json"))["next"]["buffered_until"] is None


def test_a_capacity_meter_that_was_reset_asks_for_another_before(toys: Run) -> None:
    reset = (NOW - timedelta(minutes=20)).isoformat()
    start(toys, f"fuel 10% reset {reset}", minutes=30)
    found = ok(toys("status"))
    assert ", was reset " in found
    assert (
        "  next: BEFORE of W0-01, since fuel was reset since, so what was used cannot be measured:"
        " tracker start toy --stdin --window W0-01\n"
    ) in found


def test_a_before_of_the_future_is_to_be_taken_back(toys: Run) -> None:
    at = (NOW + timedelta(hours=2)).isoformat()
    ok(toys("alias", "start", "toy", "--stdin", "--captured-at", at, "--force", stdin="fuel 1%"))
    command = "tracker alias delete toy --phase before --window W0-01"
    assert f"  next: BEFORE of W0-01, since the stored one is dated in the future: {command}\n" in ok(toys("status"))
    ok(toys(*command.split()[1:], "--yes"))
    assert "of the future" not in ok(toys("status"))


def test_a_before_of_the_future_hides_no_meter(toys: Run) -> None:
    for window, phase, used, hours in (("W1", "before", 10, -2), ("W1", "after", 20, -1), ("W2", "before", 60, 48)):
        at = (NOW + timedelta(hours=hours)).isoformat()
        words = ("override", "toy", "--window", window, "--phase", phase, "--captured-at", at, "--force")
        ok(toys(*words, "--fuel-pct", str(used)))
    said = ok(toys("status"))
    assert re.search(r"^toy: W2 open since .* \(in the future\)\n  fuel +20%, ", said, re.M)
    said = ok(toys("home"))
    assert re.search(r"^toy +fuel .* 20% ", said, re.M)
    assert "Open: W2 of toy, since a time in the future\n" in said
    assert "\n\n\n" not in said


def test_a_window_that_was_left_open_gets_a_command_that_can_work(toys: Run) -> None:
    reset = (NOW - timedelta(minutes=20)).isoformat()
    start(toys, f"fuel 10% reset {reset}", minutes=40)
    for window, minutes in (("W0-02", 10), ("W0-03", 5)):
        at = (NOW - timedelta(minutes=minutes)).isoformat()
        ok(toys("alias", "start", "toy", "--stdin", "--window", window, "--captured-at", at, stdin="fuel 1%"))
    found = ok(toys("status"))
    # the first one's meter was reset since: an AFTER would measure nothing
    assert re.search(r"also open: W0-01 since .*: tracker start toy --stdin --window W0-01\n", found)
    assert re.search(r"also open: W0-02 since .*: tracker end toy --stdin --window W0-02\n", found)
    assert "tracker start toy --stdin --window W0-01" in toys("doctor").stdout


def test_what_was_left_open_is_ended_before_another_begins(toys: Run, tmp_path: Path) -> None:
    for window, hours in (("W1", 3), ("W2", 2)):
        start = ("start", "toy", "--stdin", "--window", window, "--captured-at", ago(hours=hours))
        ok(toys(*start, stdin="fuel 10%"))
    ok(toys("end", "toy", "--stdin", "--window", "W1", "--captured-at", ago(hours=1), stdin="fuel 20%"))
    ok(toys("complete", "--window", "W1", "--toy-features", "1"))
    home = ok(toys())
    assert "Open: W2 of toy, for 2 h" in home
    [command] = re.findall("Next: tracker (.*)", home)
    assert command == "end toy --stdin --window W2"
    assert f"next: AFTER when the work is done: tracker {command}\n" in ok(toys("status"))
    ok(toys(*command.split(), stdin="fuel 30%"))
    assert "complete --window W2" in ok(toys())


@pytest.mark.parametrize("other", ["dev", "dave"])
def test_a_window_behind_which_another_ended_is_not_ended_any_more(tracker_inside: Run, other: str) -> None:
    """Its AFTER would measure both, so that neither counted. A window of another account takes nothing from it."""
    pane = ">_ OpenAI Codex (v0.44.0)\n Account: {}@example.com (Pro)\n Weekly limit: [###] {}% left\n"
    for phase, window, hours, name in (("start", "W1", 5, "dev"), ("start", "W2", 3, other), ("end", "W2", 2, other)):
        words = (phase, "codex", "--stdin", "--window", window, "--captured-at", ago(hours=hours))
        ok(tracker_inside(*words, stdin=pane.format(name, 80 + hours)))
    ok(tracker_inside("complete", "--window", "W2", "--codex-features", "1"))
    home, status = ok(tracker_inside()), ok(tracker_inside("status"))
    [command] = re.findall("Next: tracker (.*)", home)
    if other == "dave":
        assert command == "end codex --stdin --window W1"
        return
    assert command == "alias delete codex --phase before --window W1 --keep-readings"
    add = "tracker windows add W1 --from TIME --to TIME --provider codex"
    why = f"an AFTER now would also measure W2, so neither would count; take its BEFORE out, then type `{add}`"
    assert f"Open: W1 of codex, for {span(timedelta(hours=5))}: {why}\n" in home
    assert f"{why}: tracker {command}\n" in status
    ok(tracker_inside(*command.split(), "--yes"))
    assert "W1" not in ok(tracker_inside("status"))


def test_a_closed_window_is_to_be_completed_and_then_followed(toys: Run) -> None:
    start(toys, "fuel 10%", minutes=30)
    end(toys, "fuel 12%", minutes=10)
    found = ok(toys("status"))
    assert f"toy: W0-01 closed at {Clock(NOW, UTC).at(NOW - timedelta(minutes=10))}\n  fuel  12%, 10 min ago\n" in found
    assert "  next: complete W0-01: tracker complete --window W0-01 --toy-features N\n" in found
    assert "\nReady to finalize: W0-01\n" in found
    ok(toys("complete", "--window", "W0-01", "--toy-features", "1"))
    found = ok(toys("status"))
    assert "  next: BEFORE of W0-02, since W0-01 is finalized: tracker start toy --stdin\n" in found
    assert "Ready" not in found


def test_a_window_waits_for_every_provider_in_it(toys: Run) -> None:
    start(toys, "fuel 10%", minutes=30)
    end(toys, "fuel 12%", minutes=10)
    ok(toys("alias", "start", "tally", "--stdin", "--window", "W0-01", stdin="7"))
    found = ok(toys("status"))
    assert "  next: nothing to capture here: W0-01 waits for tally AFTER\n" in found
    assert "\n  calls  7 calls, under 1 min ago\n" in found
    assert "Ready" not in found


@pytest.mark.parametrize("agent", ["", "sub1"])
def test_an_after_without_a_before_is_taken_out(toys: Run, agent: str) -> None:
    ok(toys("override", "toy", "--window", "W1", "--phase", "after", "--fuel-pct", "5", AGENT_ID=agent))
    command = f"alias delete toy --phase after --window W1{' --agent sub1' if agent else ''}"
    reason = "W1 has an AFTER of toy without a BEFORE, so it measures nothing"
    assert f"  next: nothing to capture here: {reason}: tracker {command}\n" in ok(toys("status"))
    assert f"Next: tracker {command}\n" in ok(toys())
    ok(toys(*command.split()))
    assert "W1" not in ok(toys("status"))


def test_each_lane_stands_by_itself(toys: Run) -> None:
    start(toys, "fuel 10%", minutes=30)
    ok(toys("alias", "start", "toy", "--stdin", stdin="fuel 11%", AGENT_ID="sub1"))
    end(toys, "fuel 12%", minutes=10)
    document = toys("status", "--json")
    assert (lane(document)["open"], lane(document, agent="sub1")["open"]) == (False, True)
    assert lane(document, agent="sub1")["next"]["command"] == "tracker end toy --stdin --agent sub1"
    assert "toy, lane sub1: W0-02 open since " in ok(toys("status"))


def test_anomalies_stand_below_with_their_cure(toys: Run) -> None:
    start(toys, "fuel 30%", minutes=30)
    end(toys, "fuel 12%", minutes=10)
    found = ok(toys("status"))
    assert "  next: nothing to capture here: W0-01 has an open anomaly; its cure is below\n" in found
    said = (
        "Anomalies: 1 open\n  - W0-01 toy negative-delta: fuel fell from 30 to 12; cure: capture again: tracker end toy"
    )
    assert said in found
    assert "Ready" not in found
    [anomaly] = json.loads(ok(toys("status", "--json")))["anomalies"]
    assert anomaly["kind"] == "negative-delta"


def test_a_capture_that_was_taken_back_does_not_count(toys: Run) -> None:
    start(toys, "fuel 10%", minutes=30)
    end(toys, "fuel 12%", minutes=10)
    ok(toys("alias", "delete", "toy", "--yes"))
    assert lane(toys("status", "--json"))["open"] is True


def test_json_has_every_figure(toys: Run, tmp_path: Path) -> None:
    reset = (NOW + timedelta(days=5)).isoformat()
    start(toys, f"fuel 10% reset {reset}", minutes=30)
    document = json.loads(ok(toys("status", "--json", TZ="Europe/Berlin")))
    assert document["timezone"] == "Europe/Berlin"
    assert document["data_dir"] == str(tmp_path / "data")
    assert document["not_captured"] == ["tally"]
    assert (document["ready"], document["anomalies"]) == ([], [])
    [found] = document["lanes"]
    assert found | {"provider": "toy", "agent_id": None, "window": "W0-01", "open": True, "phase": "before"} == found
    assert datetime.fromisoformat(found["captured_at"]) == NOW - timedelta(minutes=30)
    assert found["age_s"] >= 1800
    reset_at = reset.replace("+00:00", "Z")
    assert found["meters"] == [{"meter": "fuel", "used": 10, "unit": "pp", "resets": reset, "reset_at": reset_at}]


def test_nothing_that_was_recorded_steers_the_terminal(toys: Run, tmp_path: Path) -> None:
    start(toys, "fuel 10%", minutes=30)
    path = tmp_path / "data" / "snapshots.jsonl"
    record = json.loads(path.read_text())
    record |= {"record_id": "x" * 32, "agent_id": "\x1b[31m", "window": "W\n\x07", "provider": "gone\x1b"}
    path.write_text(path.read_text() + json.dumps(record) + "\n")
    found = ok(toys("status"))
    assert "gone\\x1b, lane \\x1b[31m: W\\n\\x07 open since " in found
    assert (
        "  next: nothing to capture here: no plugin for it is installed; install the plugin that declares gone\\x1b "
        in found
    )


def test_nothing_that_was_recorded_runs_when_a_printed_command_is_typed(toys: Run, tmp_path: Path) -> None:
    start(toys, "fuel 10%", minutes=30)
    path = tmp_path / "data" / "snapshots.jsonl"
    record = json.loads(path.read_text())
    other = record | {"record_id": "x" * 32, "agent_id": "a; touch x", "window": "W$(touch x)"}
    newer = other | {"record_id": "y" * 32, "window": "W2", "captured_at": record["captured_at"].replace("Z", "9Z")}
    path.write_text("".join(json.dumps(one) + "\n" for one in (record, other, newer)))
    (tmp_path / "data" / "state" / "x;y.json").write_text('{"open": true, "window": "W"}')
    shown = ok(toys("status")) + toys("doctor").stdout
    commands = re.findall(r"tracker end .*|  (?:tracker|rm) .*", shown)
    assert [one for one in commands if "touch" in one]
    assert any(one.endswith("x;y.json'") for one in commands)
    for one in commands:
        words = shlex.shlex(one, posix=True, punctuation_chars=True)
        assert not {";", "(", ")"} & set(words), one


@pytest.mark.parametrize(("name", "offset"), [("UTC+2", "-0200"), ("GMT-5:30", "+0530")])
def test_a_zone_that_counts_to_the_west_says_so(toys: Run, name: str, offset: str) -> None:
    assert f"({name}, as POSIX means it: UTC{offset})" in lines(toys("status", TZ=name))[0]


def test_a_reset_without_a_day_is_the_panes_word_in_every_zone(toys: Run, tmp_path: Path) -> None:
    start(toys, "fuel 10%", minutes=30)
    path = tmp_path / "data" / "snapshots.jsonl"
    record = json.loads(path.read_text())
    record["parsed"] |= {"fuel_resets": "19:40", "fuel_reset_at": None}
    path.write_text(json.dumps(record) + "\n")
    assert "10%, 30 min ago, reset not known (the pane says: 19:40)\n" in ok(toys("status"))


# --- times


def test_times_are_local_and_name_what_differs() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    clock = Clock(datetime(2026, 10, 24, 12, 0, tzinfo=UTC), berlin)
    assert heading(clock) == "Sat 24 Oct 2026 14:00 CEST (Europe/Berlin)"
    assert clock.at(datetime(2026, 10, 24, 12, 6, tzinfo=UTC)) == "14:06"
    assert clock.at(datetime(2026, 10, 24, 22, 6, tzinfo=UTC)) == "Sun 25 Oct 00:06"
    assert clock.at(datetime(2026, 10, 26, 8, 0, tzinfo=UTC)) == "Mon 26 Oct 09:00 CET"  # winter time
    assert clock.at(datetime(2027, 6, 1, 8, 0, tzinfo=UTC)) == "01 Jun 2027 10:00"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "under 1 min"),
        (59, "under 1 min"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h 0 min"),
        (47 * 3600 + 59 * 60, "47 h 59 min"),
        (48 * 3600, "2 d 0 h"),
        (411000, "4 d 18 h"),
    ],
)
def test_spans_are_words(seconds: int, expected: str) -> None:
    assert span(timedelta(seconds=seconds)) == expected
