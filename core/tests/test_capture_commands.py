"""What an operator does with a provider's meters, with toys as the only plugins."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from outcomes import ok, records, refused

Run = Callable[..., "subprocess.CompletedProcess[str]"]
T0, T1, T2 = "2026-01-10T08:00:00Z", "2026-01-10T09:00:00Z", "2026-01-10T10:00:00Z"


@pytest.fixture
def toys(toys: Run) -> Run:
    """In this process: the tests are about what is stored and said."""
    return toys


def test_start_and_end_make_a_window(toys: Run, tmp_path: Path) -> None:
    started = toys("alias", "start", "toy", "--stdin", "--notes", "first", stdin="fuel 10%")
    assert ok(started) == "stored toy before snapshot for W0-01 (awaiting end)\n"
    assert ok(toys("alias", "end", "toy", "--stdin", stdin="fuel 12%")) == (
        "stored toy after snapshot for W0-01 (ready to finalize)\n"
    )
    before, after = records(tmp_path, "snapshots")
    assert (before["phase"], after["phase"]) == ("before", "after")
    assert before["parsed"] == {"fuel_pct": 10, "fuel_resets": None, "fuel_reset_at": None, "errors": []}
    assert before | {"notes": "first", "agent_id": None, "source": "alias", "schema_version": "1.1.0"} == before
    assert len(before["record_id"]) == 32


def test_cross_closes_one_window_and_opens_the_next(captured: Run, tmp_path: Path) -> None:
    ok(captured("alias", "start", "toy", "--stdin", "--window", "W0-19", stdin="fuel 30%"))
    crossed = captured("alias", "cross", "toy", "--stdin", stdin="fuel 40%")
    assert ok(crossed) == "stored toy after snapshot for W0-19 and seeded before snapshot for W0-20\n"
    assert [(row["window"], row["phase"]) for row in records(tmp_path, "snapshots")[-2:]] == [
        ("W0-19", "after"),
        ("W0-20", "before"),
    ]
    assert "W0-20" in ok(captured("alias", "end", "toy", "--stdin", stdin="fuel 41%"))


def test_a_closed_window_is_followed_by_the_next(captured: Run) -> None:
    assert "for W0-02" in ok(captured("alias", "start", "toy", "--stdin", stdin="fuel 30%"))
    assert "for W0-02" in ok(captured("alias", "start", "toy", "--stdin", stdin="fuel 31%"))


def test_a_finalized_window_is_not_begun_again(toys: Run) -> None:
    for window, day in (("W0-02", "2026-01-03"), ("W0-01", "2026-01-10")):
        for phase in ("start", "end"):
            at = f"{day}T0{8 if phase == 'start' else 9}:00:00Z"
            pane = "fuel 10%" if phase == "start" else "fuel 12%"
            ok(toys("alias", phase, "toy", "--stdin", "--window", window, "--captured-at", at, stdin=pane))
    ok(toys("complete", "--window", "W0-02", "--toy-features", "1"))
    assert "W0-03" in ok(toys("alias", "start", "toy", "--stdin", "--dry-run", stdin="fuel 20%"))
    crossed = ("alias", "cross", "toy", "--stdin", "--window", "W0-01", "--dry-run")
    assert '"window": "W0-03"' in ok(toys(*crossed, stdin="fuel 20%"))
    ok(toys("complete", "--window", "W0-02", "--reopen"))
    # nor is one that was measured: its pair would be replaced
    assert "W0-03" in ok(toys("alias", "start", "toy", "--stdin", "--dry-run", stdin="fuel 20%"))
    assert '"window": "W0-03"' in ok(toys(*crossed, stdin="fuel 20%"))
    ok(toys("alias", "delete", "toy", "--window", "W0-02", "--phase", "after", "--yes"))
    ok(toys("alias", "delete", "toy", "--window", "W0-02", "--phase", "before", "--yes"))
    assert "W0-02" in ok(toys("alias", "start", "toy", "--stdin", "--dry-run", stdin="fuel 20%"))


def test_a_second_provider_joins_the_open_window(toys: Run) -> None:
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W0-07", stdin="fuel 30%"))
    assert "for W0-07" in ok(toys("alias", "start", "tally", "--stdin", stdin="5"))


def test_a_count_keeps_a_baseline_and_stores_the_difference(toys: Run, tmp_path: Path) -> None:
    ok(toys("alias", "start", "tally", "--stdin", "--window", "W0-20", stdin="12"))
    done = toys("alias", "end", "tally", "--stdin", stdin="30")
    assert ok(done) == "stored tally delta for W0-20 (baseline=12, calls=18)\n"
    assert "  calls 30 (+18)\n" in done.stderr
    before, after = records(tmp_path, "tally_counts")
    assert (before["phase"], before["baseline"], after["calls_used"], after["parsed"]["calls_used"]) == (
        "before",
        12,
        18,
        30,
    )


def test_an_after_needs_a_before(toys: Run, tmp_path: Path) -> None:
    error = refused(toys("alias", "end", "toy", "--stdin", "--window", "W0-02", stdin="fuel 1%"))
    assert error.startswith("error: W0-02 has no toy BEFORE. Capture one with `tracker start toy")
    assert refused(toys("alias", "end", "toy", "--stdin", stdin="fuel 1%")).startswith(
        f"error: toy has no open window. {tmp_path}/data holds no windows. If you began one in another folder, end it"
    )
    assert records(tmp_path, "snapshots") == []


def test_a_text_without_a_value_is_refused_unless_forced(toys: Run, tmp_path: Path) -> None:
    error = refused(toys("alias", "start", "toy", "--stdin", stdin="nothing"))
    assert "holds no toy reading (insufficient-data): no gauge is on the pane. Nothing was stored." in error
    assert not (tmp_path / "data").exists()
    forced = toys("alias", "start", "toy", "--stdin", "--force", stdin="nothing")
    assert "stored toy before" in ok(forced)
    assert "\n  no value was read\n" in f"\n{forced.stderr}"
    assert records(tmp_path, "snapshots")[0]["parsed"]["errors"] == ["insufficient-data"]


@pytest.mark.parametrize(
    ("at", "is_refused"), [("11:59:59", False), ("12:00:00", True), ("12:04:59", True), ("12:05:00", False)]
)
def test_no_after_within_five_minutes_after_a_reset(toys: Run, tmp_path: Path, at: str, is_refused: bool) -> None:
    pane = "fuel 10% reset 2026-01-10T12:00:00+00:00"
    ok(toys("alias", "start", "toy", "--stdin", "--captured-at", T1, stdin=pane))
    done = toys("alias", "end", "toy", "--stdin", "--captured-at", f"2026-01-10T{at}Z", stdin="fuel 11%")
    if not is_refused:
        ok(done)
        return
    assert "Expected one at 2026-01-10T12:05:00Z or later." in refused(done)
    assert len(records(tmp_path, "snapshots")) == 1
    assert records(tmp_path, "anomalies") == []


@pytest.mark.parametrize("insist", [["--force"], ["--notes", "late-after, sorry"]])
def test_a_late_after_can_be_insisted_on_and_is_an_anomaly(toys: Run, tmp_path: Path, insist: list[str]) -> None:
    pane = "fuel 10% reset 2026-01-10T12:00:00+00:00"
    ok(toys("alias", "start", "toy", "--stdin", "--captured-at", T1, stdin=pane))
    late = ["--captured-at", "2026-01-10T12:01:00Z", *insist]
    done = toys("alias", "end", "toy", "--stdin", *late, stdin="fuel 11%")
    ok(done)
    assert "anomaly late-after in W0-01" in done.stderr
    [anomaly] = records(tmp_path, "anomalies")
    assert anomaly["kind"] == "late-after"
    assert anomaly["records"] == [records(tmp_path, "snapshots")[1]["record_id"]]


def test_a_fall_is_an_anomaly_and_complete_refuses_until_it_is_corrected(toys: Run, tmp_path: Path) -> None:
    ok(toys("alias", "start", "toy", "--stdin", "--captured-at", T0, stdin="fuel 30%"))
    done = toys("alias", "end", "toy", "--stdin", "--captured-at", T1, stdin="fuel 20%")
    assert "anomaly negative-delta in W0-01: fuel fell from 30 to 20" in done.stderr
    assert ok(done) == "stored toy after snapshot for W0-01 (an anomaly is open)\n"
    assert "Anomalies: 1 " in ok(toys("preview"))
    error = refused(toys("complete", "--window", "W0-01", "--toy-features", "1"))
    assert "the capacity meter of toy fell (fuel fell from 30 to 20)" in error
    assert "alias delete toy --window W0-01" in error
    ok(toys("alias", "end", "toy", "--stdin", "--window", "W0-01", "--captured-at", T2, stdin="fuel 35%"))
    assert "Anomalies: 0 " in ok(toys("preview"))
    assert "capacity=5 pp" in ok(toys("complete", "--window", "W0-01", "--toy-features", "1"))
    raised, closed = records(tmp_path, "anomalies")
    assert closed["closes"] == raised["record_id"]


def test_deleting_both_captures_takes_the_provider_out_of_the_window(toys: Run) -> None:
    ok(toys("alias", "start", "tally", "--stdin", stdin="1"))
    ok(toys("alias", "end", "tally", "--stdin", stdin="2"))
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W0-01", "--captured-at", T0, stdin="fuel 30%"))
    ok(toys("alias", "end", "toy", "--stdin", "--captured-at", T1, stdin="fuel 20%"))
    gone = ok(toys("alias", "delete", "toy", "--yes", "--phase", "after", "--window", "W0-01"))
    assert gone == f"removed toy after snapshot for W0-01 (captured_at={T1})\n"
    assert "missing toy AFTER" in refused(toys("complete", "--window", "W0-01"))
    ok(toys("alias", "delete", "toy", "--yes", "--window", "W0-01"))
    done = toys("complete", "--window", "W0-01", "--tally-features", "1")
    assert ok(done) == "finalized W0-01 (tally: features=1, capacity=1 calls)\n"


def test_delete_counts_from_the_newest_and_erases_nothing(captured: Run, tmp_path: Path) -> None:
    ok(captured("alias", "end", "toy", "--stdin", "--window", "W0-01", "--captured-at", T2, stdin="fuel 29%"))
    journal = (tmp_path / "data" / "snapshots.jsonl").read_bytes()
    gone = ok(captured("alias", "delete", "toy", "--yes", "--phase", "after", "--window", "W0-01", "--index", "2"))
    assert f"(captured_at={T1})" in gone
    assert (tmp_path / "data" / "snapshots.jsonl").read_bytes().startswith(journal)
    assert "toy has only 1 after capture for W0-01" in refused(
        captured("alias", "delete", "toy", "--yes", "--phase", "after", "--window", "W0-01", "--index", "2")
    )
    assert "Unknown window 'W0-11'. Did you mean W0-01?" in refused(
        captured("alias", "delete", "toy", "--yes", "--window", "W0-11")
    )


def test_a_reset_in_between_excludes_the_window(toys: Run) -> None:
    pane = "fuel 30% reset 2026-01-10T08:30:00+00:00\nheat 50% reset 2026-01-10T08:30:00+00:00"
    ok(toys("alias", "start", "toy", "--stdin", "--captured-at", T0, stdin=pane))
    done = toys("alias", "end", "toy", "--stdin", "--captured-at", T1, stdin="fuel 40%\nheat 2%")
    assert "anomaly" not in done.stderr
    finalized = toys("complete", "--window", "W0-01", "--toy-features", "1")
    why = "the meter was reset in between, or its reset was moved, so its change is not known"
    assert f"note: toy: reset-crossed:fuel ({why})\n" in finalized.stderr
    shown = ok(toys("preview"))
    assert "efficiency=n/a, ci=n/a, n=0, power=n/a (excluded W0-01: reset-crossed:fuel)" in shown


def test_override_takes_its_options_from_the_meters(toys: Run, tmp_path: Path) -> None:
    helped = ok(toys("override", "toy", "--help"))
    assert "--fuel-pct" in helped
    assert "--heat-resets" in helped
    assert "--calls-used" in ok(toys("override", "tally", "--help"))
    ok(toys("override", "toy", "--window", "W0-01", "--phase", "before", "--fuel-pct", "12.5"))
    [row] = records(tmp_path, "snapshots")
    assert (row["source"], row["parsed"]["errors"], row["parsed"]["fuel_pct"]) == (
        "override",
        ["manual-override"],
        12.5,
    )
    assert "Give at least one meter" in refused(toys("override", "toy", "--window", "W", "--phase", "after"), 2)
    bad = toys("override", "toy", "--window", "W", "--phase", "after", "--fuel-pct", "nan")
    assert "Expected one from 0 to 100." in refused(bad, 2)


def test_the_lane_is_stamped(toys: Run, tmp_path: Path) -> None:
    ok(toys("alias", "start", "toy", "--stdin", "--notes", "mine", stdin="fuel 1%", AGENT_ID="sub1"))
    [row] = records(tmp_path, "snapshots")
    assert (row["agent_id"], row["notes"]) == ("sub1", "mine; AGENT_ID=sub1")
    state = json.loads((tmp_path / "data" / "state" / "sub1" / "toy.json").read_text())
    assert (state["window"], state["open"]) == ("W0-01", True)
    ok(toys("alias", "start", "toy", "--stdin", "--agent", "sub2", "--window", "W9", stdin="fuel 1%"))
    assert records(tmp_path, "snapshots")[1]["agent_id"] == "sub2"


@pytest.mark.parametrize("name", ["a/b", "..", "a..b", "x" * 300, "a\x1b[2J", ".hidden", "-rf"])
def test_a_lane_that_is_no_name_is_refused(toys: Run, tmp_path: Path, name: str) -> None:
    error = refused(toys("alias", "start", "toy", "--stdin", stdin="fuel 1%", AGENT_ID=name))
    assert "Invalid AGENT_ID" in error
    assert "\x1b" not in error
    assert not (tmp_path / "data").exists()


def test_a_dry_run_prints_the_record_and_writes_nothing(toys: Run, tmp_path: Path) -> None:
    shown = ok(toys("alias", "start", "toy", "--stdin", "--dry-run", stdin="fuel 1%"))
    assert json.loads(shown)["parsed"]["fuel_pct"] == 1
    assert not (tmp_path / "data").exists()


def test_json_prints_the_record(toys: Run, tmp_path: Path) -> None:
    shown = ok(toys("--json", "alias", "start", "toy", "--stdin", stdin="fuel 1%"))
    assert json.loads(shown) == records(tmp_path, "snapshots")[0]


def test_quiet_says_nothing(toys: Run) -> None:
    done = toys("alias", "start", "toy", "--stdin", "--quiet", stdin="fuel 1%")
    assert (ok(done), done.stderr) == ("", "")


def test_addresses_and_keys_are_redacted(toys: Run, tmp_path: Path) -> None:
    pane = "fuel 1%\nAccount: dev@example.com (Pro)\nkey sk-abcdefgh12345678"
    ok(toys("alias", "start", "toy", "--stdin", "--notes", "ask dev@example.com", stdin=pane))
    stored = (tmp_path / "data" / "snapshots.jsonl").read_text()
    assert "dev@example.com" not in stored
    assert "sk-abcdefgh" not in stored
    assert "d***@example.com (Pro)" in stored


def test_the_source_of_a_record_may_be_given(toys: Run, tmp_path: Path) -> None:
    ok(toys("alias", "start", "toy", "--stdin", "--source", "automation", stdin="fuel 1%"))
    assert records(tmp_path, "snapshots")[0]["source"] == "automation"
    assert "--source S " in ok(toys("alias", "end", "--help"))


def test_there_is_no_older_capture_to_delete(captured: Run) -> None:
    error = refused(captured("alias", "delete", "toy", "--yes", "--index", "3"))
    assert error == "error: toy has only 2 captures; --index goes up to 2."


def test_the_wait_after_a_reset_is_never_said_too_short(toys: Run) -> None:
    pane = "fuel 1% reset 2026-01-10T09:00:00+00:00"
    ok(toys("alias", "start", "toy", "--stdin", "--captured-at", T0, stdin=pane))
    error = refused(toys("alias", "end", "toy", "--stdin", "--captured-at", "2026-01-10T09:03:59.25Z", stdin=pane))
    assert "Expected one at 2026-01-10T09:05:00Z or later." in error
    assert "Wait 1 min 1 s and capture again" in error


def test_an_ingested_phase_is_the_same_capture(toys: Run, tmp_path: Path) -> None:
    (tmp_path / "pane.txt").write_text("fuel 3%")
    done = toys("ingest", "toy", "--window", "W0-03", "--phase", "before", "pane.txt")
    assert ok(done) == "stored toy before snapshot for W0-03 (awaiting end)\n"
    assert records(tmp_path, "snapshots")[0]["source"] == "ingest"
    assert "Type --phase before or --phase after." in refused(
        toys("ingest", "toy", "--window", "W0-03", "--stdin", stdin="fuel 1%"), 2
    )


def test_what_was_taken_back_cannot_be_taken_back_twice(captured: Run) -> None:
    ok(captured("alias", "delete", "toy", "--yes", "--phase", "after", "--window", "W0-01"))
    error = refused(captured("alias", "delete", "toy", "--yes", "--phase", "after", "--window", "W0-01"))
    assert "There is no toy after capture for W0-01 to remove (it was removed before)" in error


def test_a_reset_that_cannot_be_is_explained(toys: Run) -> None:
    pane = "fuel 1% reset 2099-01-01T00:00:00+00:00\nheat 1% reset 2026-01-10T12:00:00+00:00"
    done = toys("alias", "start", "toy", "--stdin", "--captured-at", T0, stdin=pane)
    ok(done)
    why = "this reset is not within one period of its meter, so it is left out; the pane may be old"
    assert f"note: reset-implausible:fuel ({why})\n" in done.stderr


def test_a_lane_gets_a_window_of_its_own(toys: Run) -> None:
    """One pair of a provider counts in a window, so that of a lane would displace the other's."""

    def stored(verb: str, lane: str, *more: str) -> str:
        return ok(toys(verb, "toy", *more, stdin="fuel 1%", AGENT_ID=lane)).strip().split(" (")[0]

    assert stored("start", "main") == "stored toy before snapshot for W0-01"
    assert stored("start", "sub1") == "stored toy before snapshot for W0-02"
    assert stored("start", "sub1") == "stored toy before snapshot for W0-02"
    assert stored("cross", "main").endswith("W0-01 and seeded before snapshot for W0-03")
    assert stored("start", "sub2", "--window", "W0-01") == "stored toy before snapshot for W0-01"
    assert stored("end", "sub1") == "stored toy after snapshot for W0-02"


def test_a_text_that_is_given_twice_is_said(toys: Run) -> None:
    ok(toys("start", "toy", "--captured-at", T0, stdin="fuel 10%"))
    again = toys("end", "toy", "--captured-at", T1, stdin="fuel 10%")
    assert ok(again)
    assert re.search("note: this text is the same as in the BEFORE of .*, so nothing moved", again.stderr)
    for pane in ("fuel 10% ", "fuel 11%"):
        done = toys("end", "toy", "--window", "W0-01", "--captured-at", T1, stdin=pane)
        assert (done.returncode, "once more" in done.stderr) == (0, False)


def test_a_reset_that_is_over_beside_one_that_is_ahead_is_said(toys: Run, tmp_path: Path) -> None:
    pane = "fuel 1% reset 2026-01-10T06:00:00+00:00\nheat 1% reset 2026-01-10T12:00:00+00:00"
    done = toys("start", "toy", "--captured-at", T0, stdin=pane)
    ok(done)
    assert (
        "note: reset-over:fuel (this reset had passed when the pane was captured; if the meter was used since,"
        in done.stderr
    )
    (row,) = records(tmp_path, "snapshots")
    assert row["parsed"]["errors"] == ["reset-over:fuel"]
    assert row["parsed"]["fuel_reset_at"] == "2026-01-10T06:00:00Z"


def test_start_end_and_cross_stand_alone_and_take_a_file(toys: Run, tmp_path: Path) -> None:
    (tmp_path / "before.txt").write_text("fuel 10%")
    (tmp_path / "after.txt").write_text("fuel 28%")
    done = toys("start", "toy", "before.txt")
    assert ok(done) == "stored toy before snapshot for W0-01 (awaiting end)\n"
    assert done.stderr == "  fuel 10% used\n"
    done = toys("end", "toy", "after.txt")
    assert ok(done) == "stored toy after snapshot for W0-01 (ready to finalize)\n"
    assert done.stderr == "  fuel 28% used (+18)\n"
    assert "Name one, as an argument or with --file" in refused(toys("start", "toy", "a", "--file", "b"), 2)


def test_a_capture_that_nobody_named_is_not_removed_unasked(captured: Run, tmp_path: Path) -> None:
    error = refused(captured("alias", "delete", "toy"))
    assert error.startswith(
        "error: This would remove the toy after of 2026-01-10T09:00:00Z in W0-01, and you did not name"
    )
    assert error.endswith(" Use --yes to remove it, or name its window with --window.")
    ok(captured("complete", "--window", "W0-01", "--toy-features", "1"))
    for named in ((), ("--window", "W0-01")):
        error = refused(captured("alias", "delete", "toy", *named))
        assert error.endswith("and W0-01 was finalized with it. Use --yes to remove it.")
    assert len(records(tmp_path, "snapshots")) == 2
    assert "removed toy after" in ok(captured("alias", "delete", "toy", "--window", "W0-01", "--yes"))
    # also one that the finalize row was not measured with
    ok(captured("start", "toy", "--stdin", "--window", "W0-01", stdin="fuel 1%", AGENT_ID="sub1"))
    error = refused(captured("alias", "delete", "toy", "--window", "W0-01", AGENT_ID="sub1"))
    assert error.endswith("in W0-01, and W0-01 was finalized. Use --yes to remove it.")
    done = captured("alias", "delete", "toy", "--window", "W0-01", "--yes", AGENT_ID="sub1")
    assert (done.returncode, "stale" in done.stderr) == (0, False)


def test_an_old_pane_is_not_taken_for_a_new_one(toys: Run, tmp_path: Path) -> None:
    pane = "fuel 44% reset 2026-01-10T12:00:00+00:00"
    for typed in (("start", "toy"), ("ingest", "toy", "--phase", "before", "--window", "W1", "--stdin")):
        error = refused(toys(*typed, "--captured-at", "2026-01-16T12:00:00Z", stdin=pane))
        assert error.startswith(
            "error: This toy pane is older than 2026-01-16 12:00 UTC, by 6 d 0 h or more. Capture"
            " a new one, give the right time of this one with --captured-at, or store"
        )
    assert records(tmp_path, "snapshots") == []
    ok(toys("start", "toy", "--captured-at", "2026-01-10T08:00:00Z", stdin=pane))
    ok(toys("start", "toy", "--window", "W2", "--captured-at", "2026-01-16T12:00:00Z", "--force", stdin=pane))
    assert records(tmp_path, "snapshots")[1]["parsed"]["errors"] == ["stale-data"]


def test_a_meter_that_fell_across_its_reset_says_when_it_was_reset(toys: Run) -> None:
    ok(toys("start", "toy", "--captured-at", T0, stdin="fuel 90% reset 2026-01-10T08:30:00+00:00"))
    done = toys("end", "toy", "--captured-at", T1, stdin="fuel 4%")
    assert ok(done)
    assert "fuel fell from 90 to 4; it was reset at 2026-01-10 08:30 UTC, inside the window" in done.stderr
    assert "(an anomaly is open)" in done.stdout
    assert re.search(r"across a reset with readings on both sides.* W0-01 --keep-readings ", done.stderr, re.S)
    error = refused(toys("complete", "--window", "W0-01", "--toy-features", "1"))
    assert "the capacity meter of toy fell (fuel fell from 90 to 4; it was reset at" in error
    assert "Capture again" not in error, "no AFTER behind the reset measures the window"
    [delete] = re.findall(r"Remove its captures with `tracker (.*?)`, one by one: once none is left, toy leaves", error)
    for _ in range(2):
        ok(toys(*delete.split(), "--yes"))
    assert "2 readings" in ok(toys("meters")), "both panes were right"
    warned = toys("complete", "--window", "W0-01", "--toy-features", "1")
    assert "holds no captures" in refused(warned)


def test_a_file_and_standard_input_are_two_texts(toys: Run) -> None:
    error = refused(toys("start", "toy", "pane.txt", "--stdin", stdin="fuel 1%"), 2)
    assert "Two texts are given. Name a file, or use --stdin." in error
