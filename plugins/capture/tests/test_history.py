"""The meter history: how it is filled, folded, shown, and made into windows."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from outcomes import ok, refused

from tracker_capture.meters import Point, sparkline, with_resets

START = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
WEEK_END = START + timedelta(days=3)


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def limits(at: datetime, weekly: float, *, week_end: datetime = WEEK_END, bucket: str = "codex") -> str:
    """A line of a session file."""
    windows = {
        "limit_id": bucket,
        "primary": {"used_percent": weekly, "window_minutes": 10080, "resets_at": int(week_end.timestamp())},
        "secondary": {"used_percent": 11.0, "window_minutes": 300, "resets_at": int(week_end.timestamp())},
    }
    payload = {"type": "token_count", "info": None, "rate_limits": windows}
    return json.dumps({"timestamp": at.isoformat().replace("+00:00", "Z"), "type": "event_msg", "payload": payload})


# --- what fills it


def test_sync_reads_the_session_files_once(machine: Any) -> None:
    lines = [limits(minute(number), 5 + number // 10) for number in range(30)]
    other = limits(minute(31), 99, bucket="gpt-spark")
    path = machine.rollout("a", *lines, other, '{"type": "response_item"}')
    assert ok(machine("sync")) == "synced 30 readings in 1 of 1 file; 3 rows added to the history\n"
    rows = machine.rows("readings")
    assert [(row["parsed"]["weekly_used"], row["captured_at"], row["until"]) for row in rows] == [
        (5, iso(minute(0)), iso(minute(9))),
        (6, iso(minute(10)), iso(minute(19))),
        (7, iso(minute(20)), iso(minute(29))),
    ]
    assert {(row["provider"], row["window"], row["source"], row["origin"]) for row in rows} == {
        ("codex", None, "sync", "rollout")
    }
    assert ok(machine("sync")) == "synced 0 readings in 0 of 1 file; 0 rows added to the history\n"
    (machine.folder / "data" / ".index" / "readings.json").unlink()
    assert ok(machine("sync")).endswith("; 0 rows added to the history\n")
    with path.open("a") as file:
        file.write(limits(minute(40), 7) + "\n" + limits(minute(50), 8)[:60])
    assert ok(machine("sync", "codex")) == "synced 1 reading in 1 of 1 file; 1 row added to the history\n"
    assert machine.rows("readings")[-1]["supersedes"] == [rows[-1]["record_id"]]


def test_sync_keeps_no_path_of_a_session_file(machine: Any) -> None:
    """A client writes the working directory into the names of its folders. Marks of older versions are read anew."""
    machine.rollout("a-client-of-mine", limits(minute(1), 5))
    ok(machine("sync"))
    marks = machine.folder / "data" / ".index" / "readings.json"
    own = marks.read_text()
    assert "client" not in own
    marks.write_text(json.dumps({"/home/dev/a-client-of-mine/rollout.jsonl": [1, 2]}))
    assert ok(machine("sync")) == "synced 1 reading in 1 of 1 file; 0 rows added to the history\n"
    assert marks.read_text() == own


def test_sync_reads_the_files_that_usage_reads(machine: Any) -> None:
    """Also archived and compressed ones. A file that moved or was packed adds nothing again."""
    path = machine.rollout("a", *[limits(minute(number), 5) for number in range(3)])
    archived = machine.home / ".codex" / "archived_sessions" / "rollout-b.jsonl"
    archived.parent.mkdir()
    archived.write_text(limits(minute(10), 6) + "\n")
    assert ok(machine("sync")) == "synced 4 readings in 2 of 2 files; 2 rows added to the history\n"
    assert {row["origin"] for row in machine.rows("readings")} == {"rollout"}
    path.rename(archived.parent / path.name)
    assert ok(machine("sync")).endswith("in 1 of 2 files; 0 rows added to the history\n")
    zstandard = pytest.importorskip("zstandard")
    pack = zstandard.ZstdCompressor().compress
    packed = archived.with_suffix(".jsonl.zst")
    # of two frames, as a writer leaves it that packs piece by piece
    packed.write_bytes(pack(archived.read_bytes()) + pack(f"{limits(minute(20), 7)}\n".encode()))
    archived.unlink()
    assert ok(machine("sync")) == "synced 2 readings in 1 of 2 files; 1 row added to the history\n"
    assert ok(machine("sync")).startswith("synced 0 readings in 0 of 2 files")
    packed.write_bytes(b"this is not packed")
    done = machine("sync")
    assert "0 rows added" in ok(done)
    assert "rollout-b.jsonl.zst was not read" in done.stderr


def test_transcripts_tell_whose_readings_they_hold(machine: Any) -> None:
    """The row that names the account stands before the report, also if that came later than the last run."""
    folder = machine.home / ".claude" / "projects" / "-w-acme"
    folder.mkdir(parents=True)

    def owner(name: str) -> str:
        return json.dumps({"type": "session-owner", "accountUuid": name, "sessionId": "s"}) + "\n"

    def report(at: float, used: float) -> str:
        limit = {"kind": "weekly_all", "percent": used, "resets_at": iso(WEEK_END)}
        row = {"type": "system", "subtype": "local_command", "timestamp": iso(minute(at)), "version": "2.1.332"}
        return json.dumps({**row, "usageReport": {"rate_limits": {"limits": [limit]}}}) + "\n"

    (folder / "a.jsonl").write_text(owner("uuid-a") + report(0, 10))
    (folder / "b.jsonl").write_text(owner("uuid-b") + report(1, 70) + owner("uuid-a") + report(2, 11))
    (folder / "c.jsonl").write_text(report(3, 5))
    ok(machine("sync"))
    both = [hashlib.blake2b(name.encode(), digest_size=6).hexdigest() for name in ("uuid-a", "uuid-b")]
    rows = {(row["parsed"]["all_models_used"], row["account"]) for row in machine.rows("readings")}
    assert rows == {(10, both[0]), (70, both[1]), (11, both[0]), (5, None)}
    with (folder / "b.jsonl").open("a") as file:
        file.write(report(9, 12))
    ok(machine("sync"))
    assert machine.rows("readings")[-1]["account"] == both[0]
    assert machine.ask("claude", "transcript").reading.fields["account"] == both[0]
    (machine.folder / "tracker.toml").write_text('[accounts]\nwork = "uuid-a"\n')
    named = {one["account"] for one in json.loads(ok(machine("--json", "meters")))}
    assert named == {"work", both[1], None}


def test_after_sync_windows_have_tokens(machine: Any) -> None:
    usage = {"input_tokens": 900, "output_tokens": 100, "total_tokens": 1000}
    record = {"type": "token_usage_record", "thread_id": "t", "response_id": "r1", "usage": usage}
    lines = (
        {"timestamp": iso(minute(0)), "type": "session_meta", "payload": {"id": "t", "session_id": "t"}},
        {"timestamp": iso(minute(5)), "type": "event_msg", "payload": record},
    )
    path = machine.rollout("a", *map(json.dumps, lines), limits(minute(6), 7))
    path.rename(path.with_name("rollout-2026-11-22T06-00-00-t.jsonl"))
    for phase, left, at in (("start", 90, 0), ("end", 80, 30)):
        pane = f">_ OpenAI Codex (v0.44.0)\n Weekly limit: [██░░] {left}% left\n"
        words = ("alias", phase, "codex", "--stdin", "--window", "W1", "--captured-at", iso(minute(at)))
        ok(machine(*words, stdin=pane))
    ok(machine("sync"))
    (window,) = json.loads(ok(machine("--json", "windows")))
    assert window["providers"]["codex"]["tokens"] == 1000


def test_a_burst_of_replayed_readings_is_its_last_one(machine: Any) -> None:
    machine.rollout("a", *[limits(minute(0) + timedelta(milliseconds=number), number) for number in range(20)])
    assert ok(machine("sync")) == "synced 1 reading in 1 of 1 file; 1 row added to the history\n"
    assert machine.rows("readings")[0]["parsed"]["weekly_used"] == 19


def test_every_capture_adds_its_reading(machine: Any, event: Any) -> None:
    machine.rollout("a", event(33))
    ok(machine("capture", "codex"))
    pane = machine.screen("claude", "v2.1.330_base_max_110col").read_text()
    ok(machine("alias", "start", "claude", "--stdin", "--force", stdin=pane))
    ok(machine("override", "glm", "--window", "W0-01", "--phase", "before", "--prompts-used", "7"))
    assert [(row["provider"], row["origin"], row["source"]) for row in machine.rows("readings")] == [
        ("codex", "rollout", "capture"),
        ("claude", "alias", "capture"),
    ]
    ok(machine("alias", "delete", "codex", "--yes"))
    assert "codex" not in ok(machine("meters"))
    assert machine.rows("readings")[2]["tombstone"] == machine.rows("readings")[0]["record_id"]


def test_a_capture_of_the_past_is_in_the_history_and_a_removed_one_is_not(machine: Any, event: Any) -> None:
    pane = machine.screen("claude", "v2.1.330_base_max_110col").read_text()
    for hours in (1, 0, 5):
        more = ("--captured-at", f"-{hours}h") if hours else ()
        # the oldest, which comes last, extends the run of the first
        shown = pane if hours else pane.replace("1% used", "2% used")
        ok(machine("alias", "start", "claude", "--window", f"W{hours}", "--stdin", "--force", *more, stdin=shown))
    assert [row["capture"] for row in machine.rows("readings")] == [
        row["record_id"] for row in machine.rows("snapshots")
    ]
    for hours in (1, 5):
        ok(machine("alias", "delete", "claude", "--window", f"W{hours}", "--phase", "before", "--yes"))
    assert "claude session: 1 reading," in ok(machine("meters", "--provider", "claude", "--meter", "session"))


def test_the_status_line_adds_what_changed(machine_of_processes: Any) -> None:
    def handed(used: float) -> str:
        return json.dumps({"rate_limits": {"five_hour": {"used_percentage": used, "resets_at": time.time() + 3600}}})

    for used in (42.5, 42.5, 43.5):
        done = machine_of_processes("statusline", stdin=handed(used))
        assert (done.returncode, done.stderr) == (0, "")
    assert [(row["parsed"]["session_used"], row["origin"]) for row in machine_of_processes.rows("readings")] == [
        (42.5, "statusline"),
        (43.5, "statusline"),
    ]


# --- what it shows


@pytest.fixture
def week(machine: Any) -> Any:
    """A machine whose history has a weekly reset in its middle."""
    reset = minute(600)
    lines = [limits(minute(number), 80 + number // 60, week_end=reset) for number in range(0, 600, 5)]
    lines += [
        limits(minute(number), (number - 600) // 60, week_end=reset + timedelta(days=7))
        for number in range(602, 1200, 5)
    ]
    machine.rollout("a", *lines)
    ok(machine("sync"))
    return machine


def test_meters_shows_each_meter_with_its_resets(week: Any) -> None:
    text = ok(week("-q", "meters", "--meter", "weekly", "--rows", "12"))
    title, bars, *rows = text.splitlines()
    assert title == "codex weekly: 20 readings, 1 reset"
    assert len(bars.strip()) == 48
    assert bars.count("|") == 1
    assert len(rows) == 12
    [reset] = [row for row in rows if " reset " in row]
    assert reset.split()[:2] == ["2026-11-22", "16:02"]
    assert rows[-1].split()[-3:] == ["9%", "+1", "rollout"]
    [found] = json.loads(ok(week("meters", "--provider", "codex", "--meter", "weekly", "--json")))
    assert [point["used"] for point in found["points"] if point["has_reset"]] == [0]
    late = json.loads(ok(week("meters", "--since", iso(minute(900)), "--json")))
    assert all(point["until"] >= iso(minute(900)) for one in late for point in one["points"])


def test_an_empty_history_says_how_to_fill_it(machine: Any) -> None:
    said = refused(machine("meters"))
    assert "The history has no readings. Fill it with `tracker sync`" in said
    assert "or paste a pane with `tracker start PROVIDER`." in said
    assert "The history has no readings of codex." in refused(machine("meters", "--provider", "codex"))


def test_a_meter_or_a_time_without_readings_is_told_from_an_empty_history(week: Any) -> None:
    assert "No reading of the meter 'wekly'. Did you mean weekly?" in refused(week("meters", "--meter", "wekly"))
    none = refused(week("meters", "--until", "2001-01-01"))
    assert "There are no readings in that period. `tracker meters` shows all." in none
    assert "Expected ISO 8601" in refused(week("meters", "--since", "noon"), 2)
    assert "Unknown provider 'codx'" in refused(week("meters", "--provider", "codx"), 2)


def test_a_reading_without_an_account_is_of_the_only_one_everywhere(machine: Any) -> None:
    """Or of none, once readings of two accounts are known."""
    folder = machine.home / ".claude" / "projects" / "-w-acme"
    folder.mkdir(parents=True)
    end = datetime.now(UTC) + timedelta(days=2)

    def transcript(name: str, ago: float, used: float) -> None:
        limit = {"kind": "weekly_all", "percent": used, "resets_at": iso(end)}
        row = {"type": "system", "subtype": "local_command", "timestamp": iso(datetime.now(UTC) - timedelta(hours=ago))}
        owner = {"type": "session-owner", "accountUuid": name, "sessionId": "s"} if name else {}
        lines = [owner, {**row, "version": "2.1.332", "usageReport": {"rate_limits": {"limits": [limit]}}}]
        (folder / f"{name}x.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))

    def named() -> list[set[str | None]]:
        """Whose the readings are, by each view."""
        ok(machine("sync"))
        status, plan = (
            json.loads(ok(machine("--json", "status"))),
            json.loads(ok(machine("--json", "plan", "--provider", "claude"))),
        )
        series = json.loads(ok(machine("--json", "meters")))
        meters = plan["meters"] if isinstance(plan, dict) else plan[0]["meters"]
        return [{one["account"] for one in found} for found in (status["meters"], meters, series)]

    def texts() -> list[str]:
        return [ok(machine(*words)) for words in ((), ("status",), ("plan", "--provider", "claude"), ("meters",))]

    transcript("", 1, 30)
    assert named() == [{None}] * 3
    transcript("uuid-a", 2, 20)
    one, other = (hashlib.blake2b(name.encode(), digest_size=6).hexdigest() for name in ("uuid-a", "uuid-b"))
    assert named() == [{one}] * 3
    assert not any("account" in text for text in texts())
    transcript("uuid-b", 3, 10)
    assert named() == [{one, other, None}] * 3
    for text in texts():
        assert all(f"all_models account {name}" in text for name in (one, other, "(not named)")), text


def test_accounts_are_shown_apart(machine: Any) -> None:
    pane = machine.screen("codex", "v0.150.0_base").read_text()
    for name in ("dev", "ops"):
        text = pane.replace("dev@example.com", f"{name}@example.com")
        ok(machine("alias", "start", "codex", "--stdin", "--force", "--window", name, stdin=text))
    assert len({row["account"] for row in machine.rows("readings")}) == 2
    titles = [line for line in ok(machine("meters", "--meter", "weekly")).splitlines() if line.startswith("codex")]
    assert len(titles) == 2
    assert all("account " in title for title in titles)
    known = json.loads(ok(machine("--json", "windows")))
    # a row that somebody edited takes nothing away from the others
    row = machine.rows("readings")[0]
    edited = {**row, "record_id": "0" * 32, "account": None, "account_mask": "d***", "plan": ["x"]}
    edited["parsed"] = {**row["parsed"], "weekly_reset_at": {"a": 1}}
    with (machine.folder / "data" / "readings.jsonl").open("a") as file:
        file.write(json.dumps(edited) + "\n")
    done = machine("--json", "windows")
    assert (json.loads(ok(done)), "warning" in done.stderr) == (known, False)


def test_a_sparkline_has_a_place_for_each_span_of_time() -> None:
    points = [
        Point(at=minute(at), until=minute(at), used=used, reset_at=None, origin="x") for at, used in ((0, 0), (47, 100))
    ]
    assert sparkline(with_resets(points)) == "▁" + " " * 46 + "█"


# --- windows after the fact


def test_a_window_is_made_from_the_readings_around_two_times(week: Any) -> None:
    done = week("windows", "add", "W0-07", "--from", iso(minute(62)), "--to", iso(minute(183)))
    assert [line for line in ok(done).splitlines() if line.startswith("stored")] == [
        "stored codex before snapshot for W0-07 (awaiting end)",
        "stored codex after snapshot for W0-07 (ready to finalize)",
    ]
    before, after = week.rows()
    assert [(row["source"], row["origin"], row["parsed"]["weekly_pct"]) for row in (before, after)] == [
        ("history", "rollout", 81),
        ("history", "rollout", 83),
    ]
    assert (before["captured_at"], before["age_s"]) == (iso(minute(62)), 0)
    assert "capacity=2 pp" in ok(week("complete", "--window", "W0-07", "--codex-features", "3"))
    again = week("windows", "add", "W0-07", "--from", iso(minute(62)), "--to", iso(minute(183)))
    assert "W0-07 already has captures of codex" in refused(again)


def test_a_window_that_overlaps_another_says_which_and_how_to_take_it_back(week: Any) -> None:
    for name, start, end in (("W0-01", 62, 183), ("W0-02", 200, 320), ("W0-03", 400, 500)):
        done = week("windows", "add", name, "--from", iso(minute(start)), "--to", iso(minute(end)))
        assert "at the same time" not in done.stderr
    done = week("windows", "add", "W0-09", "--from", iso(minute(62)), "--to", iso(minute(330)))
    assert "ran at the same time on codex's meter. If both are finalized, neither counts. `tracker undo`" in done.stderr
    assert "stays open" not in done.stderr
    ok(week("undo", "--yes"))
    assert "W0-09" not in ok(week("windows"))


def test_across_a_reset_the_delta_is_the_sum_of_its_parts(week: Any) -> None:
    done = week("windows", "add", "W0-08", "--from", iso(minute(300)), "--to", iso(minute(900)))
    ok(done)
    assert "weekly was reset in between: 9% is the sum of the parts; up to 11% more may be missing" in done.stderr
    assert week.rows()[-1]["reset_split"]["meters"]["weekly"]["resets"] == [
        {"reset_at": iso(minute(600)), "last_reading": iso(minute(595)), "used": 89}
    ]
    assert "capacity=9 pp" in ok(week("complete", "--window", "W0-08", "--codex-features", "3"))
    row = week.rows("windows")[-1]["providers"]["codex"]
    assert (row["delta"]["weekly_pct"], "reset-split:weekly" in row["errors"]) == (9, True)
    assert week.rows("anomalies") == []


def test_across_an_early_reset_the_parts_are_added_although_the_meter_only_rose(machine: Any) -> None:
    """Two hours after the first reading the vendor began everyone's week anew."""
    old = [limits(minute(at), used) for at, used in ((0, 10), (115, 12))]
    new = [limits(minute(at), used, week_end=minute(120) + timedelta(days=7)) for at, used in ((300, 14), (720, 15))]
    machine.rollout("a", *old, *new)
    ok(machine("sync"))
    assert "codex weekly: 4 readings, 1 reset\n" in ok(machine("meters", "--meter", "weekly"))
    ok(machine("windows", "add", "W1", "--from", iso(minute(0)), "--to", iso(minute(720))))
    [_, after] = machine.rows("snapshots")
    assert after["reset_split"]["meters"]["weekly"]["delta"] == 2 + 15
    assert after["reset_split"]["meters"]["weekly"]["resets"][0]["reset_at"] == iso(minute(120))


def test_what_is_too_far_away_is_refused(week: Any) -> None:
    add = ("windows", "add", "W0-09", "--from", iso(minute(300)), "--to")
    wrong = refused(week("windows", "add", "W0-09", "--from", "noonish", "--to", "-2h"), 2)
    assert wrong.startswith("error: Invalid value for '--from': Invalid time 'noonish'. Expected ISO 8601")
    # `-2h` is a time, of which there is no reading
    assert "no reading within" in refused(week("windows", "add", "W0-09", "--from", "-3h", "--to", "-2h"))
    line = refused(week(*add, iso(minute(1300))))
    assert (
        "codex has no reading within 15 min of 2026-11-23T03:40:00Z; the nearest is from 2026-11-23T01:57:00Z" in line
    )
    assert "1 h 43 min away. Use --stale-ok" in line
    assert "is not later than" in refused(week(*add, iso(minute(300))))
    ahead = refused(week(*add, "2999-01-01T00:00:00Z"))
    assert ahead == (
        "error: --to 2999-01-01T00:00:00Z lies in the future. Expected a time that has passed. Nothing was stored."
    )
    # no file of glm holds any, and no origin shows what measures its windows
    piped = refused(week(*add, iso(minute(400)), "--provider", "glm"))
    assert "has no reading of glm. `tracker start glm --stdin` and `tracker end glm --stdin` measure what is" in piped
    assert "follows the reset" in refused(week(*add, iso(minute(603)), "--stale-ok"))
    assert week.rows() == []
    ok(week(*add, iso(minute(1300)), "--stale-ok"))
    assert week.rows()[-1]["age_s"] == 6180


def test_syncing_says_how_far_it_is(machine: Any, event: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker_telemetry.progress.PIPE_SECONDS", 0.0)
    machine.rollout("a", event(64))
    assert " 1 readings, " in machine("sync").stderr
    machine.rollout("b", event(65))
    assert "readings, " not in machine("--quiet", "sync").stderr
