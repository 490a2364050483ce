"""Anomalies and corrections: raised when something is stored, closed by rows, never by deletion."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

T = [f"2026-01-10T{hour:02}:00:00Z" for hour in range(24)]


def capture(program: Any, verb: str, hour: int, fuel: object, *options: str, lane: str = "", reset: str = "") -> Any:
    pane = f"fuel {fuel}%{f' reset {reset}' if reset else ''}"
    words = ["alias", verb, "toy", "--stdin", "--window", "W1", "--captured-at", T[hour], *options]
    return program(*words, stdin=pane, lane=lane)


def anomalies(program: Any, window: str = "W1") -> list[tuple[str, bool]]:
    found = json.loads(program("--json", "window-audit", "--window", window).ok())
    return [(one["kind"], one["open"]) for one in found["anomalies"]]


def test_a_fall_names_its_records_and_the_command_that_helps(program: Any) -> None:
    capture(program, "start", 8, 30).ok()
    done = capture(program, "end", 9, 20.5)
    assert done.ok()
    assert (
        "warning: anomaly negative-delta in W1: fuel fell from 30 to 20.5; cure: capture again: tracker end toy --stdin"
        " --window W1, or tracker alias"
    ) in done.err
    [row] = program.rows("anomalies")
    assert row | {"kind": "negative-delta", "meter": "fuel", "before": 30, "after": 20.5, "delta": -9.5} == row
    assert row["records"] == [one["record_id"] for one in program.rows("snapshots")]
    again, delete = (found.split() for found in re.findall(r"tracker (.*?)(?:, or| \()", row["cure"]))
    program(*again, "--captured-at", "-1m", stdin="fuel 31%").ok()
    assert anomalies(program) == [("negative-delta", False)]
    program(*delete).ok(), program(*delete).ok()
    assert anomalies(program) == [("negative-delta", False)]


def test_the_audit_says_who_closed_an_anomaly_and_how(program: Any) -> None:
    capture(program, "start", 8, 30).ok()
    capture(program, "end", 9, 20).ok()
    program(
        "alias", "delete", "toy", "--yes", "--phase", "after", "--window", "W1", "--reason", "wrong pane", lane="sub1"
    ).ok()
    found = json.loads(program("--json", "window-audit", "--window", "W1").ok())
    [one], [tombstone] = found["anomalies"], found["tombstones"]
    assert one["open"] is False
    assert one["closed_by"] | {"by": tombstone["record_id"], "agent_id": "sub1", "source": "alias"} == one["closed_by"]
    assert one["closed_by"]["cause"] == f"toy after of {T[9]} was removed"
    shown = program("window-audit", "--window", "W1").ok()
    assert "closed: toy negative-delta: fuel fell from 30 to 20\n" in shown
    assert f"toy after of {T[9]} was removed (" in shown
    assert "in lane sub1" in shown
    assert "wrong pane" in shown


def test_a_corrected_capture_closes_and_its_removal_opens_again(program: Any) -> None:
    capture(program, "start", 8, 30).ok()
    capture(program, "end", 9, 20).ok()
    capture(program, "end", 10, 35).ok()
    assert anomalies(program) == [("negative-delta", False)]
    program("alias", "delete", "toy", "--yes", "--phase", "after", "--window", "W1").ok()
    assert anomalies(program) == [("negative-delta", True)], "the pair that fell counts again"
    assert "Anomalies: 1 " in program("preview").ok()
    assert len(program.rows("anomalies")) == 2, "one that was raised, one that closed it: no row is rewritten"


def test_a_removal_that_lets_a_falling_pair_count_raises_it(program: Any) -> None:
    capture(program, "start", 7, 30).ok()
    capture(program, "start", 8, 10).ok()
    assert "anomaly" not in capture(program, "end", 9, 20).err
    done = program("alias", "delete", "toy", "--yes", "--phase", "before", "--window", "W1")
    assert "anomaly negative-delta in W1: fuel fell from 30 to 20" in done.err
    assert anomalies(program) == [("negative-delta", True)]
    assert "the capacity meter of toy fell" in program("complete", "--window", "W1").refused()


def test_captures_of_two_pairs_do_not_keep_an_anomaly_open(program: Any) -> None:
    capture(program, "start", 8, 22, lane="a").ok()
    capture(program, "end", 9, 25, lane="a").ok()
    capture(program, "end", 12, 15).ok()
    assert anomalies(program) == [("negative-delta", True)]
    done = capture(program, "start", 10, 14, lane="a")
    assert done.ok()
    assert "does not count" not in done.err
    assert anomalies(program) == [("negative-delta", False)]


def test_an_after_that_is_earlier_than_its_before(program: Any) -> None:
    capture(program, "start", 9, 10).ok()
    assert capture(program, "end", 8, 20).refused() == (
        f"error: This toy reading is from {T[8]}, which is not later than the BEFORE of W1, from {T[9]}."
        " Send Toy a message for a new reading, then capture again, or store it with --force."
        " Nothing was stored."
    )
    assert len(program.rows("snapshots")) == 1
    assert "anomaly clock-skew in W1: this toy reading is from" in capture(program, "end", 8, 20, "--force").err
    assert anomalies(program) == [("clock-skew", True)]
    assert "missing toy BEFORE" in program("complete", "--window", "W1").refused()
    capture(program, "end", 11, 20).ok()
    assert anomalies(program) == [("clock-skew", False)]
    assert "capacity=10 pp" in program("complete", "--window", "W1").ok()


def test_a_capture_from_the_future(program: Any) -> None:
    words = ["alias", "start", "toy", "--stdin", "--window", "W1", "--captured-at", "2999-01-01T00:00:00Z"]
    assert "Expected a time that has passed. Check --captured-at" in program(*words, stdin="fuel 1%").refused()
    assert program.rows("snapshots") == []
    done = program(*words, "--force", stdin="fuel 1%")
    assert "anomaly clock-skew in W1: the capture time 2999-01-01T00:00:00Z lies in the future" in done.err
    assert anomalies(program) == [("clock-skew", True)]
    program("alias", "delete", "toy", "--yes", "--phase", "before", "--window", "W1").ok()
    assert anomalies(program) == [("clock-skew", False)]


def test_a_before_of_the_future_is_cured_by_taking_it_back(program: Any) -> None:
    """A clock was set back: no AFTER of now measures what has not begun."""
    words = ["alias", "start", "toy", "--stdin", "--window", "W1", "--captured-at", "2999-01-01T00:00:00Z", "--force"]
    program(*words, stdin="fuel 1%").ok()
    cure = "`tracker alias delete toy --phase before --window W1`"
    ahead = f"Take that BEFORE back with {cure}, since its time lies in the future"
    assert ahead in capture(program, "end", 8, 20).refused()
    assert f"Take that BEFORE back with {cure}, since" in program("complete", "--window", "W1").refused()
    capture(program, "end", 8, 20, "--force").ok()
    assert f"Take that BEFORE back with {cure}, since" in program("complete", "--window", "W1").refused()
    program(*cure.strip("`").split()[1:], "--yes").ok()
    capture(program, "start", 7, 10).ok()
    assert "capacity=10 pp" in program("complete", "--window", "W1").ok()
    assert anomalies(program) == [("clock-skew", False)] * 2


def test_a_cure_of_another_lane_names_it_at_its_end(program: Any) -> None:
    words = ["start", "toy", "--stdin", "--window", "W1", "--captured-at", "2999-01-01T00:00:00Z", "--force"]
    program(*words, "--agent", "sub1", stdin="fuel 1%").ok()
    cure = "`tracker alias delete toy --phase before --window W1 --agent sub1`"
    assert f"Take that BEFORE back with {cure}," in capture(program, "end", 8, 20).refused()
    capture(program, "end", 8, 20, "--force").ok()
    assert f"Take that BEFORE back with {cure}, since" in program("complete", "--window", "W1").refused()
    program(*cure.strip("`").split()[1:], "--yes").ok()


def test_a_clock_that_is_a_little_ahead_is_no_future(program: Any) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=3)).isoformat()
    done = program("alias", "start", "toy", "--stdin", "--captured-at", soon, stdin="fuel 1%")
    assert done.ok()
    assert "anomaly" not in done.err


def test_numbers_of_the_buffer_after_a_reset_are_no_after_later_either(program: Any) -> None:
    capture(program, "start", 8, 50, reset=T[9]).ok()
    dated = "fuel 50%\nas of 2026-01-10T09:0"
    for words in (("alias", "end", "toy"), ("ingest", "toy", "--phase", "after")):
        given = (*words, "--stdin", "--window", "W1", "--captured-at", T[10])
        refused = program(*given, stdin=f"{dated}1:00+00:00").refused()
        assert f"The AFTER of toy comes too early: a meter was reset at {T[9]}, and panes lag behind." in refused
        program(*given, "--dry-run", stdin=f"{dated}6:00+00:00").ok()
    assert len(program.rows("snapshots")) == 1


def test_a_crossed_reset_is_a_tag_and_no_anomaly(program: Any) -> None:
    capture(program, "start", 8, 30, reset="2026-01-10T08:30:00Z").ok()
    assert "anomaly" not in capture(program, "end", 9, 40).err
    assert anomalies(program) == []
    program("complete", "--window", "W1", "--toy-features", "1").ok()
    [row] = program.rows("windows")
    assert row["providers"]["toy"]["errors"] == ["reset-crossed:fuel"]
    assert row["providers"]["toy"]["delta"] == {"fuel_pct": None}


def test_a_late_after_is_about_the_after(program: Any) -> None:
    capture(program, "start", 8, 10, reset="2026-01-10T09:00:00Z").ok()
    refused = capture(program, "end", 9, 12)
    assert "Expected one at 2026-01-10T09:05:00Z or later." in refused.refused()
    assert program.rows("anomalies") == []
    assert "anomaly late-after in W1" in capture(program, "end", 9, 12, "--notes", "late-after").err
    [row] = program.rows("anomalies")
    assert row["records"] == [program.rows("snapshots")[1]["record_id"]]
    assert anomalies(program) == [("late-after", True)]
    capture(program, "end", 10, 12).ok()
    assert anomalies(program) == [("late-after", False)]


def test_a_fall_of_another_meter_does_not_keep_a_window_open(program: Any) -> None:
    program("alias", "start", "toy", "--stdin", "--captured-at", T[8], stdin="fuel 1%\nheat 9%").ok()
    done = program("alias", "end", "toy", "--stdin", "--captured-at", T[9], stdin="fuel 2%\nheat 3%")
    assert "anomaly negative-delta in W0-01: heat fell from 9 to 3" in done.err
    assert "capacity=1 pp" in program("complete", "--window", "W0-01", "--toy-features", "1").ok()


def test_preview_and_audit_write_nothing(program: Any) -> None:
    capture(program, "start", 8, 30).ok()
    capture(program, "end", 9, 20).ok()
    before = program.files()
    for words in (["preview"], ["window-audit", "--window", "W1"], ["status"], ["doctor"]):
        program(*words)
    assert program.files() == before


def test_a_row_about_a_record_that_never_came_counts_for_nothing(program: Any) -> None:
    """A command was stopped between the anomaly and the capture that it is about."""
    capture(program, "start", 8, 30).ok()
    capture(program, "end", 9, 20).ok()
    raised = program.rows("anomalies")[0]
    orphan = raised | {"record_id": "a" * 32, "records": ["b" * 32]}
    closing = raised | {"record_id": "c" * 32, "closes": raised["record_id"], "by": "d" * 32}
    with (program.root / "anomalies.jsonl").open("a") as file:
        file.write(json.dumps(orphan) + "\n" + json.dumps(closing) + "\n")
    assert anomalies(program) == [("negative-delta", True)]


def test_a_closing_by_hand_counts(program: Any) -> None:
    capture(program, "start", 8, 30).ok()
    capture(program, "end", 9, 20).ok()
    raised = program.rows("anomalies")[0]
    with (program.root / "anomalies.jsonl").open("a") as file:
        file.write(json.dumps({"record_id": "c" * 32, "window": "W1", "closes": raised["record_id"]}) + "\n")
    assert anomalies(program) == [("negative-delta", False)]


def test_an_after_that_is_the_before_itself_is_refused(program: Any) -> None:
    """As when `start` was typed for `end`: the window would have begun where it ended, and cost nothing."""
    capture(program, "start", 8, 10).ok()
    capture(program, "start", 9, 20).ok()
    delete = "tracker alias delete toy --phase before --window W1"
    assert capture(program, "end", 9, 20).refused() == (
        f"error: This toy reading is from {T[9]}, which is not later than the BEFORE of W1, from {T[9]}."
        f" Take that BEFORE back with `{delete}`, since it is this very reading, or store this with --force."
        " Nothing was stored."
    )
    # another reading of the same minute is none
    capture(program, "end", 9, 21).ok()
    program("undo", "--yes").ok()
    capture(program, "end", 9, 20, "--force").ok()
    assert anomalies(program) == [("clock-skew", True)]
    program(*delete.split()[1:]).ok()
    assert anomalies(program) == [("clock-skew", False)]
    assert "capacity=10 pp" in program("complete", "--window", "W1", "--toy-features", "1").ok()


# --- deletion


def test_a_finalized_window_says_that_it_is_stale_until_it_is_finalized_again(program: Any) -> None:
    capture(program, "start", 8, 10).ok()
    capture(program, "end", 9, 20).ok()
    capture(program, "end", 10, 30).ok()
    program("complete", "--window", "W1", "--toy-features", "1").ok()
    done = program("alias", "delete", "toy", "--yes", "--phase", "after", "--window", "W1")
    assert (
        "note: W1 was finalized with this capture and is stale until `tracker complete --window W1 ...` runs again"
        in done.err
    )
    figures = "capacity=20 pp, efficiency=0.05, ci=n/a, n=1, power=n/a"
    assert f"{figures} (stale: re-run complete, or complete --reopen)" in program("preview").ok()
    assert "toy: 1 after, 1 before (stale: re-run complete)" in program("window-audit", "--window", "W1").ok()
    program("complete", "--window", "W1", "--toy-features", "1").ok()
    assert "stale" not in program("preview").ok()
    assert "capacity=10 pp" in program("preview").ok()


def test_a_finalized_window_that_lost_a_capture_says_what_can_be_done(program: Any) -> None:
    capture(program, "start", 8, 10).ok()
    capture(program, "end", 9, 20).ok()
    program("complete", "--window", "W1", "--toy-features", "1").ok()
    delete = ("alias", "delete", "toy", "--yes", "--window", "W1", "--phase")
    said = program(*delete, "after").err
    assert (
        "W1 was finalized with this capture and is stale: its toy AFTER is missing. `tracker undo --yes` takes this ba"
        in said
    )
    assert "`tracker end toy --stdin --window W1` captures it again" in said
    assert "`tracker complete --reopen --window W1` reopens the window" in said
    for view in ("windows", "scoreboard"):
        note = next(one for one in program(view).err.splitlines() if one.startswith("note: toy W1 is stale"))
        assert "`tracker decision-card --window W1`" in note
    assert json.loads(program("--json", "windows").ok())[0]["stale"] == ["toy"]
    program("undo", "--yes").ok()
    assert "stale" not in program("windows").err
    assert "tracker end" not in program(*delete, "before").err  # a BEFORE of now would follow the AFTER
    program("complete", "--reopen", "--window", "W1").ok()
    assert "stale" not in program("windows").err


def test_a_row_that_closes_by_something_odd_ends_no_command(program: Any) -> None:
    capture(program, "start", 8, 10).ok()
    with (program.root / "anomalies.jsonl").open("a") as file:
        file.write('{"window": "W1", "closes": "x", "by": ["x"]}\n')
    assert "Anomalies: 0" in program("preview").ok()


def test_the_cure_of_a_deletion_in_another_lane_names_that_lane(program: Any) -> None:
    capture(program, "start", 8, 10).ok()
    capture(program, "end", 9, 20).ok()
    program("complete", "--window", "W1", "--toy-features", "1").ok()
    said = program("alias", "delete", "toy", "--yes", "--window", "W1", "--phase", "after", lane="a").err
    assert "`tracker end toy --stdin --window W1 --agent ''` captures it again" in said


def test_deleting_says_what_there_is_to_delete(program: Any) -> None:
    def refused(*words: str, lane: str = "") -> str:
        text: str = program("alias", "delete", "toy", "--yes", *words, lane=lane).refused()
        return text

    assert "There is no toy capture to remove" in refused()
    capture(program, "start", 8, 10).ok()
    assert "toy has only 1 before capture for W1; --index goes up to 1." in refused(
        "--phase", "before", "--window", "W1", "--index", "2"
    )
    assert "There is no toy after capture for W1 to remove." in refused("--phase", "after", "--window", "W1")
    assert "Unknown window 'W2'" in refused("--window", "W2")
    assert "There is no toy capture in lane sub1 to remove" in refused(lane="sub1")
    program("alias", "delete", "toy", "--yes").ok()
    assert "There is no toy before capture for W1 to remove (it was removed before)" in refused(
        "--phase", "before", "--window", "W1"
    )
    assert len(program.rows("snapshots")) == 2


def test_delete_without_a_window_takes_the_newest_of_the_lane(program: Any) -> None:
    capture(program, "start", 8, 10, lane="main").ok()
    capture(program, "start", 9, 11, lane="sub1").ok()
    capture(program, "end", 10, 12, lane="main").ok()
    assert T[9] in program("alias", "delete", "toy", "--yes", lane="sub1").ok()
    assert T[8] in program("alias", "delete", "toy", "--yes", "--phase", "before", lane="main").ok()
    assert T[10] in program("alias", "delete", "toy", "--yes", lane="main").ok()


def test_a_count_is_taken_back(program: Any) -> None:
    program("alias", "start", "tally", "--stdin", "--window", "W1", stdin="5").ok()
    program("alias", "end", "tally", "--stdin", "--captured-at", T[9], "--force", stdin="9").ok()
    assert program("alias", "delete", "tally", "--phase", "after", "--window", "W1").ok() == (
        f"removed tally after snapshot for W1 (captured_at={T[9]})\n"
    )
    assert program.state("tally") | {"open": True, "baseline": 5} == program.state("tally")


# --- identity


def test_a_record_that_was_appended_twice_counts_once(program: Any) -> None:
    capture(program, "start", 8, 10).ok()
    capture(program, "end", 9, 5).ok()
    for name in ("snapshots", "anomalies"):
        path = program.root / f"{name}.jsonl"
        path.write_bytes(path.read_bytes() * 2)
    found = json.loads(program("--json", "window-audit", "--window", "W1").ok())
    assert found["providers"]["toy"]["entries"] == {"after": 1, "before": 1}
    assert found["repeated_lines"] == {"anomalies": 1, "snapshots": 2}
    assert anomalies(program) == [("negative-delta", True)]
    assert (
        "Repeated lines, counted once: 1 line in anomalies.jsonl, 2 lines in snapshots.jsonl"
        in program("window-audit", "--window", "W1").ok()
    )
    program("alias", "delete", "toy", "--yes", "--phase", "after", "--window", "W1").ok()
    again = program("alias", "delete", "toy", "--yes", "--phase", "after", "--window", "W1")
    assert "it was removed before" in again.refused(), "its copy is gone with it"


def test_the_id_follows_from_the_content_and_a_nonce(program: Any) -> None:
    import hashlib

    for _ in range(2):
        capture(program, "start", 8, 10).ok()
    first, second = program.rows("snapshots")
    own = {"record_id": 0, "nonce": 0, "command_id": 0}
    assert {**first, **own} == {**second, **own}
    assert first["record_id"] != second["record_id"]
    content = {key: value for key, value in first.items() if key != "record_id"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert first["record_id"] == hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
