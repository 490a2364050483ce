"""Windows that are open, or closed, on another machine, and what is said of them where they came in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest


def test_a_lane_whose_last_capture_was_taken_back_elsewhere_has_nothing_open(program: Any, tmp_path: Path) -> None:
    other = tmp_path / "other"
    program("start", "toy", "--stdin", "--window", "W1", stdin="fuel 10%").ok()
    program("import", str(program.root), root=other).ok()
    program("alias", "delete", "toy", "--window", "W1", "--yes", root=other).ok()
    assert "is open here" not in program("import", str(other)).err
    assert (program.state("toy")["open"], program.state("toy")["window"]) == (False, None)
    assert "state" not in {one["check"] for one in json.loads(program("--json", "doctor").out)["findings"]}


def test_a_window_that_ended_elsewhere_is_not_open_here(program: Any, tmp_path: Path) -> None:
    other, times = tmp_path / "other", [f"2026-01-10T{hour:02}:00:00Z" for hour in (8, 9, 10)]
    words = [("start", "A-01", program.root), ("end", "A-01", other), ("start", "A-02", other)]
    for (phase, window, root), at in zip(words, times, strict=True):
        more = ("--window", window, "--captured-at", at)
        program("alias", phase, "toy", "--stdin", *more, stdin="fuel 10%", root=root).ok()
        program("import", str(program.root), root=other).ok()
    assert "is open here" not in program("import", str(other)).err
    assert program.state("toy")["window"] == "A-02"


def test_a_window_that_runs_elsewhere_is_not_ended_here_unsaid(program: Any, tmp_path: Path) -> None:
    """What came in may be newer than the lane's own open window; then `end` goes to that one."""
    other, times = tmp_path / "other", [f"2026-01-10T{hour:02}:00:00Z" for hour in (8, 9, 10)]
    for root, window, at in ((program.root, "A-01", times[0]), (other, "B-01", times[1])):
        words = ("alias", "start", "toy", "--stdin", "--window", window, "--captured-at", at)
        program(*words, stdin="fuel 10%", root=root).ok()
    done = program("import", str(other))
    cure = "tracker end toy --stdin --window A-01"
    assert (
        f"A-01 is open here, but the imported B-01 is newer, so `tracker end toy` no longer ends A-01. To end it, use"
        f" `{cure}`" in " ".join(done.err.split())
    )
    assert "the imported" not in program("import", str(other)).err
    plain = program("alias", "end", "toy", "--stdin", "--captured-at", times[2], stdin="fuel 20%")
    assert "after snapshot for B-01" in plain.ok()
    assert "A-01 stays open for toy in this lane; `tracker status` shows how to end it" in " ".join(plain.err.split())
    program("undo", "--yes").ok()
    assert "A-01" in program(*cure.split()[1:], "--captured-at", times[2], stdin="fuel 20%").ok()
    assert "stays open" not in program("alias", "end", "toy", "--stdin", "--window", "B-01", stdin="fuel 30%").err


def test_what_runs_on_another_machine_is_to_be_ended_there(program: Any, tmp_path: Path) -> None:
    """An AFTER on both makes two windows of one, and each refuses the other for good."""
    other = tmp_path / "other"
    program("start", "toy", "--stdin", "--window", "A-01", stdin="fuel 10%").ok()
    assert "tracker end toy --stdin" in program("--quiet").out
    program("import", str(program.root), root=other).ok()
    cure = "If you moved here from there: tracker end toy --stdin"
    why = f"it came by `tracker import`: it is ended where it was made. {cure}\n"
    assert why in program("status", root=other).ok()
    home = program("--quiet", root=other).out
    assert re.search(f"Open: A-01 of toy, for [^:]+: {re.escape(why)}", home)
    assert "Next: tracker end toy" not in home
    with (other / "imports.jsonl").open("a") as file:
        file.write('{"imported": 5}\n{"imported": [["x"], null]}\n')
    assert cure in program("status", root=other).ok()


@pytest.mark.parametrize("is_open", [False, True])
def test_start_goes_on_with_what_came_in_only_where_that_is_said(program: Any, tmp_path: Path, is_open: bool) -> None:
    """Two machines that use one id for different work cannot be brought together any more."""
    other = tmp_path / "other"
    for root, window, hour in ((program.root, "W0-01", 8), (other, "LAP-01", 10)):
        for verb, pane, at in (("start", "fuel 10%", hour), ("end", "fuel 20%", hour + 1))[
            : 2 - (is_open and hour == 10)
        ]:
            words = ("alias", verb, "toy", "--stdin", "--window", window, "--captured-at", f"2026-01-10T{at:02}:00:00Z")
            program(*words, stdin=pane, root=root).ok()
    said = " ".join(program("import", str(other)).err.split())
    does = "replaces its BEFORE" if is_open else "opens the window after it, as in a new lane"
    assert f"the imported LAP-01 of toy is newer than W0-01, so `tracker start toy` {does}. " in said
    [cure] = re.findall(r"To continue after W0-01, use `tracker ([^`]*)`", said)
    if not is_open:
        begun = program("start", "toy", "--stdin", "--dry-run", "--agent", "sub1", stdin="fuel 30%").ok()
        assert json.loads(begun)["window"] == "LAP-02"
    assert "toy before snapshot for W0-02 " in program(*cure.split(), stdin="fuel 30%").ok()
    assert "To continue" not in program("import", str(other)).err


def test_what_others_left_open_is_not_taken_out_here(program: Any, tmp_path: Path) -> None:
    """A BEFORE that is taken out at the wrong machine is gone at both after the next import."""
    other = tmp_path / "other"
    captures = [("start", "A-01", program.root), ("start", "B-01", other), ("end", "B-01", other)]
    captures += [("start", "A-02", program.root), ("end", "A-02", program.root), ("start", "A-03", program.root)]
    for hour, (phase, window, root) in enumerate(captures, 8):
        more = ("--window", window, "--captured-at", f"2026-01-10T{hour:02}:00:00Z")
        program("alias", phase, "toy", "--stdin", *more, stdin=f"fuel {hour}%", root=root).ok()
    program("import", str(program.root), root=other).ok()
    said = program("status", root=other).ok()
    assert "also open" not in said
    assert "Ready to finalize: B-01\n" in said
    assert "tracker end toy" not in program("doctor", root=other).out
    assert "A-01" not in program("doctor", root=other).out
    program("alias", "end", "toy", "--stdin", "--window", "A-03", stdin="fuel 20%").ok()
    program("import", str(program.root), root=other).ok()
    cure = "If you moved here from there: tracker complete --window A-03 --toy-features N\n"
    assert f"next: nothing to capture here: it came by `tracker import`: it is finalized where it was made. {cure}" in (
        program("status", root=other).ok()
    )
    assert "also open: A-01" in program("status").ok()


def test_import_names_the_next_window_of_this_machine(program: Any, tmp_path: Path) -> None:
    """Not that of a third one, which uses the id itself."""
    places = {"A-01": program.root, "B-01": tmp_path / "b", "C-01": tmp_path / "c"}
    for hour, (window, root) in enumerate(places.items(), 8):
        for phase, minute in (("start", 0), ("end", 30)):
            more = ("--window", window, "--captured-at", f"2026-01-10T{hour:02}:{minute:02}:00Z")
            program("alias", phase, "toy", "--stdin", *more, stdin="fuel 10%", root=root).ok()
    for name in ("b", "c"):
        said = " ".join(program("import", str(tmp_path / name)).err.split())
        assert "is newer than A-01, so `tracker start toy` opens the window after it" in said
        assert "To continue after A-01, use `tracker start toy --stdin --window A-02`" in said
    program("import", str(tmp_path / "b"), root=tmp_path / "new").ok()
    assert "To continue" not in program("import", str(tmp_path / "c"), root=tmp_path / "new").err


def test_what_went_on_in_a_copy_goes_on_here_without_a_word(program: Any, tmp_path: Path) -> None:
    other = tmp_path / "other"
    program("start", "toy", "--stdin", "--window", "W0-01", stdin="fuel 10%").ok()
    program("end", "toy", "--stdin", stdin="fuel 20%").ok()
    program("import", str(program.root), root=other).ok()
    program("start", "toy", "--stdin", stdin="fuel 20%", root=other).ok()
    program("end", "toy", "--stdin", stdin="fuel 30%", root=other).ok()
    assert "the imported" not in program("import", str(other)).err
