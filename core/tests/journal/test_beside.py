"""What a new BEFORE does to captures that stand already is said, and the command that is named mends it."""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest


def at(hours: float) -> str:
    """A time of yesterday, when everything here happened."""
    return (datetime.now(UTC).replace(hour=0, minute=0) - timedelta(days=1) + timedelta(hours=hours)).isoformat()


def take(program: Any, verb: str, window: str, pane: str, hours: float, *more: str, lane: str = "") -> Any:
    words = ("alias", verb, "toy", "--stdin", "--window", window, "--captured-at", at(hours), *more)
    done = program(*words, stdin=pane, lane=lane)
    assert done.status == 0, done.err
    return done


def command(note: str, *, last: bool = False) -> list[str]:
    """The command that a note names."""
    quoted = note.split("`")[1::2]
    return shlex.split(quoted[-1 if last else 0])[1:]


def test_a_second_before_says_what_it_replaces(program: Any) -> None:
    assert take(program, "start", "W1", "fuel 20%\nheat 1%", 6).notes == ""
    done = take(program, "start", "W1", "fuel 50%", 7)
    day = datetime.fromisoformat(at(6))
    assert done.notes == (
        f"note: this replaces the BEFORE of {day:%a %d %b %H:%M};"
        " `tracker alias delete toy --phase before --window W1` takes this one back\n"
    )
    program(*command(done.err)).ok()
    take(program, "end", "W1", "fuel 60%", 8)
    assert "capacity=40 pp" in program("complete", "--window", "W1", "--toy-features", "1").ok()


def test_a_back_dated_capture_says_which_one_counts(program: Any) -> None:
    """What is printed makes the earlier one count."""
    take(program, "start", "W1", "fuel 20%", 7)
    done = take(program, "start", "W1", "fuel 10%", 6)
    assert " 07:00 counts, not this one; `tracker alias delete toy --phase before --window W1` takes that" in done.err
    program(*command(done.err)).ok()
    take(program, "end", "W1", "fuel 90%", 10)
    done = take(program, "end", "W1", "fuel 30%", 9)
    assert "note: the AFTER of " in done.err
    assert " 10:00 counts, not this one; " in done.err
    program(*command(done.err)).ok()
    assert "capacity=20 pp" in complete(program, "W1").ok()


def test_a_second_after_says_what_it_replaces(program: Any) -> None:
    take(program, "start", "W1", "fuel 10%", 6)
    assert take(program, "end", "W1", "fuel 30%", 7).notes == ""
    done = take(program, "end", "W1", "fuel 50%", 8)
    assert "note: this replaces the AFTER of " in done.err
    program(*command(done.err)).ok()
    assert "capacity=20 pp" in complete(program, "W1").ok()


def test_a_capture_without_the_capacity_meter_says_how_to_mend_it(program: Any) -> None:
    for verb, word, pane, hour in (("start", "BEFORE", "fuel 10%\nheat 1%", 6), ("end", "AFTER", "fuel 30%", 8)):
        done = take(program, verb, "W1", "heat 2%", hour)
        again = f"`tracker {verb} toy --stdin --window W1`"
        assert (
            f"warning: this {word} does not show fuel, so it cannot measure the window: capture the whole pane with"
            f" {again}" in done.err
        )
        typed = program(*command(done.err), "--captured-at", at(hour + 1), stdin=pane)
        assert (typed.status, "does not show" in typed.err) == (0, False)
    assert "capacity=20 pp" in complete(program, "W1").ok()


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_an_unread_before_is_named_also_quietly_and_its_after_is_not_ready(
    program: Any, quiet: tuple[str, ...]
) -> None:
    assert "warning: this BEFORE does not show fuel" in take(program, "start", "W1", "heat 2%", 6, *quiet).err
    done = take(program, "end", "W1", "fuel 30%", 8, *quiet)
    assert done.out == ("" if quiet else "stored toy after snapshot for W1 (awaiting BEFORE)\n")
    assert "warning: the BEFORE of " in done.err
    assert (
        " does not show fuel, so it cannot measure the window: type what it showed with `tracker override toy "
        in done.err
    )
    typed = program(*command(done.err)[:-1], "10").ok()  # the last word is N
    assert typed == "stored toy before snapshot for W1 (ready to finalize)\n"
    assert "capacity=20 pp" in complete(program, "W1").ok()


def test_an_unread_after_is_not_ready(program: Any) -> None:
    take(program, "start", "W1", "fuel 10%", 6)
    assert take(program, "end", "W1", "heat 2%", 8).out == "stored toy after snapshot for W1 (awaiting AFTER)\n"


def test_the_lane_is_named_in_the_command(program: Any) -> None:
    take(program, "start", "W1", "fuel 20%", 6)
    assert "replaces" not in take(program, "start", "W1", "fuel 30%", 7, lane="sub1").err
    done = take(program, "start", "W1", "fuel 40%", 8, lane="sub1")
    assert "--phase before --window W1 --agent sub1` takes this one back" in done.err
    program(*command(done.err)).ok()
    assert [row["agent_id"] for row in program.rows("snapshots")] == [None, "sub1", "sub1", "sub1"]


def test_a_before_behind_the_after_says_that_it_does_not_count(program: Any) -> None:
    take(program, "start", "W1", "fuel 20%", 6)
    take(program, "end", "W1", "fuel 30%", 7)
    done = take(program, "start", "W1", "fuel 35%", 8)
    assert "note: this BEFORE is later than the AFTER of " in done.err
    assert " in W1, so it does not count until an AFTER follows: `tracker end toy --stdin --window W1`" in done.err
    assert "replaces" not in done.err
    program(*command(done.err, last=True)).ok()
    assert "fuel 20" not in program("status").ok()
    assert "closed at" in program("status").ok()


def test_a_before_behind_a_finalized_window_says_so(program: Any) -> None:
    take(program, "start", "W1", "fuel 20%", 6)
    take(program, "end", "W1", "fuel 30%", 7)
    complete(program, "W1").ok()
    done = take(program, "start", "W1", "fuel 35%", 8)
    assert " in W1, which is finalized, so it does not count until an AFTER follows: " in done.err
    assert "or `tracker alias delete toy --phase before --window W1` takes it back" in done.err


def test_a_window_that_is_left_behind_is_named_with_what_ends_it(program: Any) -> None:
    take(program, "start", "W2", "fuel 20%", 6)
    done = take(program, "start", "W3", "fuel 30%", 7)
    assert done.notes == ("note: W2 stays open for toy in this lane; `tracker end toy --stdin --window W2` ends it\n")
    assert take(program, "start", "W4", "fuel 30%", 7, lane="sub1").notes == ""  # its own windows
    assert (
        program(*command(done.err), stdin="fuel 40%").ok() == "stored toy after snapshot for W2 (ready to finalize)\n"
    )


def test_a_window_whose_name_is_a_part_of_the_option_leaves_another_behind(program: Any) -> None:
    take(program, "start", "W2", "fuel 20%", 6)
    assert "; `tracker end toy --stdin --window W2` ends it\n" in take(program, "start", "w", "fuel 30%", 7).err


def test_a_cross_leaves_nothing_behind(program: Any) -> None:
    take(program, "start", "W2", "fuel 20%", 6)
    assert program("alias", "cross", "toy", "--stdin", "--window", "W2", stdin="fuel 30%").notes == ""


def test_the_status_names_every_window_that_is_open_in_a_lane(program: Any) -> None:
    for window, hour in (("W2", 6), ("W3", 7), ("W4", 8)):
        take(program, "start", window, "fuel 20%", hour)
        take(program, "start", window, "fuel 21%", hour + 0.5)
    take(program, "end", "W3", "fuel 30%", 9)
    take(program, "start", "W5", "fuel 30%", 10, lane="sub1")
    take(program, "start", "W6", "fuel 30%", 11, lane="sub1")
    shown = program("status").ok()
    left = [line.strip() for line in shown.splitlines() if "also open" in line]
    day = f"{datetime.fromisoformat(at(6)):%a %d %b}"
    assert left == [
        f"also open: W2 since {day} 06:30: an AFTER now would also measure W3, so neither would count; take its BEFORE"
        " out, then type `tracker windows add W2 --from TIME --to TIME --provider toy`: tracker alias delete toy"
        " --phase before --window W2 --keep-readings",
        f"also open: W4 since {day} 08:30: tracker end toy --stdin --window W4",
        f"also open: W5 since {day} 10:00: tracker end toy --stdin --window W5 --agent sub1",
    ]
    [finding] = [row for row in program("doctor").out.splitlines() if "W2 was never ended" in row]
    assert (
        "take its BEFORE out, then type `tracker windows add W2 --from TIME --to TIME --provider toy`; tracker"
        in finding
    )
    lanes = json.loads(program("status", "--json").ok())["lanes"]
    assert [lane["also_open"] for lane in lanes] == [["W2", "W4"], ["W5"]]
    refused = program("alias", "end", "toy", "--stdin", stdin="fuel 30%").refused()
    ends = "W2, W4 never ended: `tracker status` says what to do."
    unfinished = program("complete", "--window", "W2", "--toy-features", "1").refused()
    assert "missing toy AFTER. W3 was captured since: `tracker status` shows how W2 can still count." in unfinished
    fix = "W3 has its AFTER: `tracker end toy --stdin --window W3` corrects it."
    assert f"toy has no open window. {fix} {ends} Begin a window with `tracker start toy --stdin`, or name " in refused
    program("alias", "delete", "toy", "--yes", "--phase", "before", "--window", "W4").ok()
    program("alias", "delete", "toy", "--yes", "--phase", "before", "--window", "W4").ok()
    take(program, "end", "W2", "fuel 30%", 12)
    assert "also open: W5" in program("status").ok()
    assert "also open: W2" not in program("status").ok()
    assert "also open: W4" not in program("status").ok()


@pytest.mark.parametrize("lane", ["", "sub1"])
def test_a_second_end_names_what_corrects_the_first(program: Any, lane: str) -> None:
    take(program, "start", "W1", "fuel 20%", 6, lane=lane)
    take(program, "end", "W1", "fuel 20%", 7, lane=lane)
    refused = program("end", "toy", "--stdin", stdin="fuel 38%", lane=lane).refused()
    assert f"window{' in lane sub1' if lane else ''}. W1 has its AFTER: `tracker end toy --stdin --window W1" in refused
    assert " corrects it. Begin a window with `tracker start toy --stdin" in refused
    program(*command(refused), stdin="fuel 38%").ok()
    assert "capacity=18 pp" in complete(program, "W1").ok()
    refused = program("end", "toy", "--stdin", stdin="fuel 38%", lane=lane).refused()
    assert "its AFTER" not in refused, "it is finalized"
    assert "for W2 (awaiting end)" in program(*command(refused), stdin="fuel 40%").ok()


def test_no_second_end_corrects_an_after_without_a_before(program: Any) -> None:
    program("override", "toy", "--window", "W1", "--phase", "after", "--fuel-pct", "5").ok()
    refused = program("end", "toy", "--stdin", stdin="fuel 38%").refused()
    assert "toy has no open window. Begin a window with `tracker start toy --stdin`, or name one with" in refused


def test_a_window_that_another_lane_ended_is_not_left_open(program: Any) -> None:
    take(program, "start", "W1", "fuel 1%", 5, lane="sub1")
    take(program, "start", "W1", "fuel 1%", 5)
    take(program, "end", "W1", "fuel 2%", 6)
    take(program, "start", "W2", "fuel 1%", 7, lane="sub1")
    assert "also open: W1" in program("status").ok()
    program("complete", "--window", "W1", "--toy-features", "1").ok()
    assert "also open" not in program("status").ok()


def complete(program: Any, window: str) -> Any:
    return program("complete", "--window", window, "--toy-features", "1")


def test_a_before_of_the_past_leaves_nothing_behind(program: Any) -> None:
    take(program, "start", "W2", "fuel 20%", 6)
    take(program, "end", "W2", "fuel 30%", 7)
    assert take(program, "start", "W3", "fuel 10%", 2).notes == ""


def test_a_finalized_window_is_not_left_open(program: Any) -> None:
    take(program, "start", "W2", "fuel 20%", 6)
    take(program, "end", "W2", "fuel 30%", 7, lane="sub1")
    complete(program, "W2").ok()
    assert take(program, "start", "W3", "fuel 40%", 8).notes == ""


def test_a_capture_into_a_finalized_window_says_that_its_figures_are_stale(program: Any) -> None:
    take(program, "start", "W2", "fuel 20%", 6)
    take(program, "end", "W2", "fuel 30%", 7)
    complete(program, "W2").ok()
    done = take(program, "end", "W2", "fuel 35%", 8)
    assert done.ok() == "stored toy after snapshot for W2 (ready to finalize)\n"
    take(program, "end", "W2", "fuel 33%", 7.5)  # it does not count
    assert "capacity=15 pp" in complete(program, "W2").ok()
    program("alias", "start", "tally", "--stdin", "--window", "W2", stdin="5").ok()
    assert "stale" not in program("windows").err
    # every view says so until then
    program("alias", "end", "tally", "--stdin", "--window", "W2", stdin="9").ok()
    assert "note: tally W2 is stale: its captures changed after it was finalized." in program("windows").err
    assert "Captures of tally changed after it was finalized." in program("decision-card", "--window", "W2").out
    assert "(stale: re-run complete)" in program("window-audit", "--window", "W2").ok()
    complete(program, "W2").ok()
    assert "stale" not in program("windows").err


def test_the_same_capture_once_more_changes_nothing_of_a_finalized_window(program: Any) -> None:
    """As after an arrow up: the finalized window was stale, its card NO-GO, and its one cure made the same row."""
    take(program, "start", "W2", "fuel 20%", 6)
    words = ("alias", "end", "toy", "--stdin", "--window", "W2", "--captured-at", at(7))
    program(*words, stdin="fuel 30%").ok()
    complete(program, "W2").ok()
    program(*words, stdin="fuel 30%").ok()

    def is_stale() -> bool:
        audit = json.loads(program("--json", "window-audit", "--window", "W2").ok())
        said = {"stale" in program(view).err for view in ("windows", "scoreboard")}
        said |= {"stale" in program("preview", "--window", "W2").ok(), audit["providers"]["toy"]["stale"]}
        said |= {"changed after it was finalized" in program("decision-card", "--window", "W2").out}
        assert len(said) == 1
        return said.pop()

    assert not is_stale()
    # either of the two may go
    gone = program("alias", "delete", "toy", "--yes", "--window", "W2", "--phase", "after", "--index", "2")
    assert "finalized with it" not in gone.err
    assert not is_stale()
    assert "this replaces the AFTER of " in program(*words, stdin="fuel 31%").notes
    assert is_stale()
    complete(program, "W2").ok()
    # of one instant the replaced one counts again
    program(*words, stdin="fuel 30%").ok()
    assert is_stale()


def test_an_after_alone_awaits_its_before(program: Any) -> None:
    words = ("override", "toy", "--window", "W7", "--phase", "after", "--fuel-pct", "20")
    assert program(*words).ok() == "stored toy after snapshot for W7 (awaiting BEFORE)\n"
    assert [one["state"] for one in json.loads(program("--json", "windows", "--open").ok())] == ["open"]
    assert "missing toy BEFORE" in complete(program, "W7").refused()


def test_a_start_never_replaces_the_before_of_a_window_that_was_left_open(program: Any) -> None:
    take(program, "start", "W2", "fuel 20%", 6)
    take(program, "start", "W3", "fuel 21%", 7)
    take(program, "end", "W2", "fuel 30%", 8)
    said = program("alias", "start", "toy", "--stdin", stdin="fuel 31%").ok()
    assert "for W4 " in said
    refused = program("alias", "end", "toy", "--stdin", "--window", "W9", stdin="fuel 30%").refused()
    assert "W9 has no toy BEFORE. Expected one of W3, W4." in refused, "those that wait for an AFTER"


def test_the_command_that_an_after_in_the_wrong_lane_is_told_ends_its_window(program: Any) -> None:
    program("alias", "start", "toy", "--stdin", "--window", "W1", stdin="fuel 1%", lane="sub1").ok()
    refused = program("--agent", "sub9", "end", "toy", "--stdin", stdin="fuel 2%").refused()
    [end, start] = re.findall(r"`tracker (.*?)`", refused)
    assert start == "start toy --stdin --agent sub9"
    assert "for W1 (ready to finalize)" in program(*end.split(), stdin="fuel 2%").ok()
    assert "for W1 " in program(*start.split(), "--window", "W1", stdin="fuel 2%").ok()


def test_an_after_that_belongs_to_the_lane_without_a_name_is_told_so(program: Any) -> None:
    program("alias", "start", "toy", "--stdin", "--window", "W7", stdin="fuel 1%").ok()
    refused = program("end", "toy", "--stdin", stdin="fuel 2%", lane="sub9").refused()
    [end, _] = re.findall(r"`tracker (.*?)`", refused)
    assert "for W7 (ready to finalize)" in program(*shlex.split(end), stdin="fuel 2%", lane="sub9").ok()


def test_a_window_that_has_ended_is_not_left_behind(program: Any) -> None:
    """An AFTER of an older window looked past its own BEFORE, at one that had its AFTER."""
    for verb, window, hour in (("start", "W2", 6), ("start", "W3", 7), ("end", "W3", 8)):
        take(program, verb, window, f"fuel {hour}%", hour)
    assert "stays open" not in take(program, "end", "W2", "fuel 30%", 9).err
    assert "stays open" not in take(program, "start", "W4", "fuel 30%", 10).err
