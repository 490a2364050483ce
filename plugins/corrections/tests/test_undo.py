"""`tracker undo`: what the last command of a lane stored or took back is taken back, by rows that are appended."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest


def start(program: Any, used: int = 10, *words: str, lane: str = "") -> None:
    program("alias", "start", "toy", "--stdin", *words, stdin=f"fuel {used}%", lane=lane).ok()


def end(program: Any, used: int = 30, *words: str, lane: str = "") -> None:
    program("alias", "end", "toy", "--stdin", *words, stdin=f"fuel {used}%", lane=lane).ok()


def ingest(program: Any) -> str:
    """Store an event, which undo leaves; gives the command."""
    file = program.root.parent / "events.jsonl"
    file.write_text('{"rid": "1", "lane": "near", "ms": 1}\n')
    words = f"ingest toy-stream --window W0-01 --file {file}"
    program(*words.split()).ok()
    return words


def shown(program: Any) -> str:
    found: str = program("preview").ok()
    return found


def test_several_times_in_a_row_goes_further_back(program: Any) -> None:
    start(program)
    end(program)
    program("complete", "--window", "W0-01", "--toy-features", "2").ok()
    before = program.files()
    refused = program("undo").refused()
    assert "This would undo `tracker complete --window W0-01 --toy-features 2` of 20" in refused
    named, done = program("undo", "--yes").ok().splitlines()
    assert named.startswith("undid `tracker complete --window W0-01 --toy-features 2` of 20")
    assert done.startswith("took back finalize row for W0-01")
    assert "(open)" in shown(program)
    assert "took back toy after snapshot for W0-01" in program("undo", "--yes").ok()
    assert program.state("toy")["open"] is True
    assert "took back toy before snapshot for W0-01" in program("undo", "--yes").ok()
    assert "There is nothing to take back in this lane." in program("undo", "--yes").refused()
    for name, content in before.items():
        assert program.files()[name].startswith(content)


def test_the_command_that_was_typed_last_goes_first_although_the_clock_was_set_back(program: Any) -> None:
    start(program)
    end(program)
    last = program.rows("commands")[-1]
    ahead, at = last["command_id"], last["captured_at"]
    for path in program.root.glob("*.jsonl"):  # as if its clock had been ahead
        later = path.read_text().replace(ahead, f"{int(ahead[:16], 16) + 86_400 * 10**9:016x}{ahead[16:]}")
        path.write_text(later.replace(at, f"9{at[1:]}"))
    program("complete", "--window", "W0-01", "--toy-features", "2").ok()
    for expected in ("finalize row", "toy after snapshot", "toy before snapshot"):
        assert f"took back {expected} for W0-01" in program("undo", "--yes").ok()


def test_a_command_that_ran_longer_than_a_later_one_is_not_the_last(program: Any) -> None:
    start(program)
    end(program)
    path = program.root / "commands.jsonl"
    first, second = path.read_text().splitlines(keepends=True)
    path.write_text(second + first)
    # it is logged when it ends
    times = [json.loads(one)["captured_at"] for one in (first, second)]
    path.write_text(path.read_text().replace(times[0], f"9{times[0][1:]}"))
    assert "took back toy after snapshot for W0-01" in program("undo", "--yes").ok()


@pytest.mark.parametrize(("lane", "other"), [("sub1", ""), ("", "sub1")])
def test_nothing_to_take_back_names_the_lane_that_has_something(program: Any, lane: str, other: str) -> None:
    start(program, lane=lane)
    for provider in ((), ("toy",)):
        refused = program("undo", *provider, lane=other).refused()
        assert f"The last command of {'lane sub1' if lane else 'the lane without a name'} is `tracker " in refused
        cure = refused.rpartition(": `")[2].partition("` takes that back.")[0]
        assert shlex.split(cure) == ["tracker", "undo", *provider, "--agent", lane]
    # what it says to run works
    assert "took back toy before snapshot for W0-01" in program(*shlex.split(cure)[1:], "--yes", lane=other).ok()
    assert "takes that back" not in program("undo", lane=other).refused()


def test_a_record_that_lost_its_id_is_taken_back(program: Any) -> None:
    start(program)
    path = program.root / "snapshots.jsonl"
    path.write_bytes(re.sub(rb'"record_id":"\w+",', b"", path.read_bytes()))
    assert "took back toy before snapshot for W0-01" in program("undo", "--yes").ok()
    assert "There is nothing to take back" in program("undo", "--yes").refused()


def test_undo_of_a_later_complete_brings_the_earlier_one_back(program: Any) -> None:
    start(program)
    end(program)
    for count in ("5", "2"):
        program("complete", "--window", "W0-01", "--toy-features", count).ok()
    said = program("undo", "--yes").ok()
    assert "\ntook back finalize row for W0-01" in said
    assert "features=5" in shown(program)


def test_an_empty_list_says_so(program: Any) -> None:
    done = program("undo", "--list")
    assert (done.ok(), done.notes) == ("", "note: There is nothing to take back.\n")


def test_a_deletion_is_taken_back(program: Any) -> None:
    start(program)
    end(program)
    before = shown(program)
    program("alias", "delete", "toy", "--window", "W0-01", "--phase", "after").ok()
    assert shown(program) != before
    assert "\nput back toy after snapshot for W0-01" in program("undo", "--yes").ok()
    assert shown(program) == before
    assert program.state("toy")["phase"] == "after"
    taken_back = program("window-audit", "--window", "W0-01").ok().partition("Taken back:\n")[2].partition("\nAnom")[0]
    assert re.fullmatch(r"  - toy after of \S+, removed \S+: .*; put back \S+", taken_back), taken_back


def test_a_command_of_two_records_is_one_step(program: Any) -> None:
    start(program)
    program("alias", "cross", "toy", "--stdin", stdin="fuel 30%").ok()
    done = [one for one in program("undo", "--yes").ok().splitlines() if "snapshot" in one]
    assert [" ".join(one.split()[:6]) for one in done] == [
        "took back toy after snapshot for",
        "took back toy before snapshot for",
    ]
    assert program.state("toy")["window"] == "W0-01"


def test_an_undo_that_was_killed_between_two_streams_is_finished_by_the_next(program: Any) -> None:
    start(program)
    before = program.files()
    program("undo", "--yes").ok()
    (program.root / "commands.jsonl").write_bytes(before["commands.jsonl"])
    done = program("undo", "--yes").ok()
    assert "undid `tracker alias start toy" in done
    assert "toy before snapshot for W0-01" in done
    assert "There is nothing to take back in this lane." in program("undo", "--yes").refused()


def test_an_anomaly_goes_with_its_capture_and_a_superseded_one_comes_back(program: Any) -> None:
    start(program, 90)
    end(program, 4)
    assert "Anomalies: 1" in shown(program)
    end(program, 95, "--window", "W0-01")
    assert "Anomalies: 0" in shown(program)
    program("undo", "--yes").ok()
    assert "Anomalies: 1" in shown(program)
    program("undo", "--yes").ok()
    assert "Anomalies: 0" in shown(program)


def test_a_fall_that_an_undo_brings_about_is_an_anomaly(program: Any) -> None:
    at = ["--window", "W0-01", "--captured-at"]
    start(program, 5, *at, "-4h")
    end(program, 21, *at, "-1h", lane="a")
    start(program, 10, *at, "-2h", lane="a")
    start(program, 28, *at, "-3h")
    assert "Anomalies: 0" in shown(program)
    done = program("undo", "--yes", lane="a")
    assert done.ok()
    assert "warning: anomaly negative-delta in W0-01: fuel fell from 28 to 21; cure: " in done.err
    assert "Anomalies: 1" in shown(program)


def test_an_anomaly_of_captures_that_do_not_count_stays_closed_when_one_is_put_back(program: Any) -> None:
    at = ["--window", "W0-01", "--captured-at"]
    start(program, 26, *at, "-4h")
    end(program, 22, *at, "-1h", lane="a")
    program("alias", "delete", "toy", "--window", "W0-01", "--phase", "before", "--yes").ok()
    start(program, 10, *at, "-2h", lane="a")
    assert "Anomalies: 0" in shown(program)
    assert "put back toy before" in program("undo", "--yes").ok()
    assert "Anomalies: 0" in shown(program)


def test_an_anomaly_that_was_raised_without_a_capture_is_closed_when_that_is_put_back(program: Any) -> None:
    at = ["--window", "W0-01", "--captured-at"]
    start(program, 30, *at, "-4h")
    start(program, 10, *at, "-3h")
    program("alias", "delete", "toy", "--window", "W0-01", "--phase", "before", "--yes").ok()
    end(program, 20, *at, "-1h", lane="a")
    assert "Anomalies: 1" in shown(program)
    assert "put back toy before" in program("undo", "--yes").ok()
    assert "Anomalies: 0" in shown(program)
    [closed] = json.loads(program("window-audit", "--window", "W0-01", "--json").ok())["anomalies"]
    assert closed["closed_by"]["cause"].startswith("superseded by the before capture of ")


def test_other_lanes_are_left_alone(program: Any) -> None:
    start(program)
    start(program, 20, "--window", "W0-01", lane="sub1")
    assert "took back" in program("undo", "--yes").ok()
    assert program.state("toy")["window"] is None
    assert program.state("toy", "sub1")["window"] == "W0-01"
    assert "in this lane" in program("undo", "--yes").refused()


def test_what_two_lanes_took_back_is_not_said_to_come_back(program: Any) -> None:
    """Undo in one lane of what a reopen in another one had taken back said "put back", and the row stayed away."""
    start(program, lane="b")
    end(program, 20, lane="b")
    program("complete", "--window", "W0-01", "--toy-features", "1", lane="b").ok()
    program("complete", "--reopen", "--window", "W0-01").ok()
    said = program("undo", "--yes", lane="b").ok()
    assert re.search(r"^finalize row for W0-01 \(.*\) was taken back already$", said, re.M), said
    said = program("undo", "--yes").ok()
    assert re.search(r"^finalize row for W0-01 \(.*\) stays taken back: another command also took it back$", said, re.M)
    assert "put back" not in said
    assert json.loads(program("windows", "--json").ok())[0]["state"] != "finalized"


def test_of_one_provider(program: Any) -> None:
    start(program)
    program("alias", "start", "tally", "--stdin", stdin="3").ok()
    assert "toy before" in program("undo", "toy", "--yes").ok()
    assert "nothing of toy" in program("undo", "toy", "--yes").refused()
    assert "tally before" in program("undo", "--yes").ok()


def test_a_newer_command_that_stays_is_named_once(program: Any) -> None:
    start(program)
    ingest(program)
    # of two that stay alike one is named
    words = ingest(program)
    refused = program("undo", "--yes").refused()
    assert refused.startswith(
        "error: The last command cannot be taken back. Add --past to take back the one before it that can be: "
    )
    assert len(program.rows("snapshots")) == 1
    done = program("undo", "--yes", "--past")
    assert "took back toy before" in done.ok()
    assert done.err.count(f"{words}` is newer and stays: undo cannot take back what it did") == 1
    assert len(program.rows("toy_stream")) == 1


def test_what_stays_is_named_where_nothing_else_can_be_taken_back(program: Any) -> None:
    words = ingest(program)
    refused = program("undo").refused()
    assert refused.startswith(f"error: There is nothing to take back in this lane. `tracker {words}` of 20")
    assert refused.endswith(" stays: undo cannot take back what it did.")
    assert "Expected a command that stored records in" in program("undo", "toy").refused()


def test_records_of_a_plugin_that_is_not_in_use_stay(program: Any) -> None:
    """What it keeps beside them, such as a row of a ledger of its own, would stand for ever."""
    start(program)
    [record] = program.rows("snapshots")
    moods = program.root / "moods.jsonl"
    moods.write_text(json.dumps(record | {"record_id": "e" * 32, "command_id": "f" * 24, "provider": None}) + "\n")
    before = program.files()
    for sure in ("--yes", "--dry-run"):
        said = program("undo", sure).refused()
        assert said.startswith("error: No plugin in use declares moods.jsonl")
        assert said.endswith("Nothing was taken back.")
    assert "error: No plugin in use declares moods.jsonl" in program("undo").refused()
    assert program.files() == before
    assert "took back toy before" in program("undo", "toy", "--yes").ok()


def test_what_was_passed_once_is_not_asked_about_again(program: Any) -> None:
    start(program)
    end(program)
    ingest(program)
    # one provider's last command is taken back without a look at the others: that was no consent
    program("undo", "toy", "--yes").ok()
    assert "Add --past" in program("undo", "--yes").refused()
    program("undo", "--yes", "--past").ok()
    start(program)
    assert "stays" not in program("undo", "--yes").err
    # a newer one is asked about again
    start(program)
    ingest(program)
    assert "Add --past" in program("undo", "--yes").refused()


def test_what_was_passed_is_passed_for_what_stood_before_it(program: Any) -> None:
    start(program)
    end(program)
    ingest(program)
    assert "took back toy after" in program("undo", "--yes", "--past").ok()
    done = program("undo", "--yes")
    assert "took back toy before" in done.ok()
    assert "stays" not in done.err


def test_nobody_can_be_asked(program: Any) -> None:
    start(program)
    before = program.files()
    said = program("undo").refused()
    assert "error: This would " in said
    assert "take back toy before snapshot for W0-01" in said
    assert said.endswith("Nothing was changed. Add --yes to do it.")
    assert program.files() == before


@pytest.mark.parametrize("folder", ["data", "two words"])
def test_the_list_leaves_the_data_directory_out(program: Any, folder: str) -> None:
    """A narrow terminal shows the beginning of each command, which would be the same for all."""
    root = program.root.parent / folder
    program("--data-dir", str(root), "override", "toy", "--window", "W1", "--phase", "before", "--fuel-pct", "1").ok()
    assert "  tracker override toy --window W1 " in program("--data-dir", str(root), "undo", "--list").ok()


def test_the_list_and_a_dry_run_write_nothing(program: Any) -> None:
    start(program)
    before = program.files()
    assert " record" in program("undo", "--list").ok()
    [listed] = json.loads(program("undo", "--list", "--json").ok())
    planned = json.loads(program("undo", "--dry-run").ok())
    taken = [*listed["records"], *program.rows("commands")]
    assert {one["tombstone"] for one in planned} == {one["record_id"] for one in taken}
    assert {one["undoes"] for one in planned} == {listed["command_id"]}
    assert program.files() == before
    done = json.loads(program("undo", "--yes", "--json").ok())
    assert (done["command_id"], done["command"]) == (listed["command_id"], listed["command"])
    assert done["done"][0].startswith("took back toy before snapshot for W0-01")


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("W0-20", "note: W0-20 is a new window. If that is a mistake, `tracker undo` takes this back\n"),
        ("W0-1", "note: W0-1 is a new window. Did you mean W0-01? `tracker undo` takes this back\n"),
        ("W0-02", ""),
        ("W0-01", ""),
    ],
)
def test_a_window_that_no_record_knows_is_noted(program: Any, window: str, expected: str) -> None:
    start(program)
    end(program)
    said = program("alias", "start", "tally", "--stdin", "--window", window, stdin="3").err
    assert [line for line in said.splitlines(keepends=True) if "new window" in line] == ([expected] if expected else [])


def test_a_command_is_taken_back_whole_although_its_records_begin_before_what_is_searched(
    program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(program)
    before = program.files()["snapshots.jsonl"]
    program("alias", "cross", "toy", "--stdin", stdin="fuel 30%").ok()
    after, begin = program.files()["snapshots.jsonl"].removeprefix(before).splitlines()
    # the end of the stream holds the BEFORE that it stored, and not the AFTER
    monkeypatch.setattr("tracker_corrections.undo.TAIL", len(begin) + 2)
    [listed] = json.loads(program("undo", "--list", "--json").ok())
    stored = {json.loads(line)["record_id"] for line in (after, begin)}
    assert stored < {record["record_id"] for record in listed["records"]}
    monkeypatch.setattr("tracker_corrections.undo.MOST", 1)
    assert "took back 2 records of snapshots.jsonl" in program("undo", "--yes").ok()
    assert program.state("toy")["open"] is True
    assert program.state("toy")["window"] == "W0-01"
