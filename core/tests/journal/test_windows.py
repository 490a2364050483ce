"""Which windows there are: those with a standing record."""

from __future__ import annotations

from typing import Any


def capture(program: Any, verb: str, window: str, fuel: int = 1) -> None:
    program("alias", verb, "toy", "--stdin", "--window", window, stdin=f"fuel {fuel}%").ok()


def test_a_window_of_which_everything_was_taken_back_is_none(program: Any) -> None:
    capture(program, "start", "W1", 30)
    capture(program, "start", "W2", 30)
    capture(program, "end", "W2", 20)
    for _ in range(2):
        program("undo", "--yes").ok()
    assert program("preview", "--last", "1").ok().startswith("Windows: W1\nAnomalies: 0 ")
    assert program("preview").ok().startswith("Windows: W1\n")
    assert "W2" not in program("windows").ok()
    assert "Unknown window 'W2'. Expected W1." in program("preview", "--window", "W2").refused()
    capture(program, "start", "W2")
    assert program("preview").ok().startswith("Windows: W1, W2\n")


def test_the_last_of_named_windows_is_one_of_them(program: Any) -> None:
    for window in ("W1", "W2", "W3"):
        capture(program, "start", window)
    words = ("preview", "--window", "W2", "--window", "W1", "--last")
    assert program(*words, "1").ok().startswith("Windows: W2\n")
    assert program(*words, "2").ok().startswith("Windows: W2, W1\n")
    assert program("preview", "--last", "2").ok().startswith("Windows: W2, W3\n")


def test_a_note_of_other_lanes_names_some_windows(program: Any) -> None:
    for number in range(1, 8):
        for name, lane, pane in (("tally", "a", "3"), ("toy", "b", "fuel 1%")):
            program("start", name, "--stdin", "--window", f"W{number}", "--agent", lane, stdin=pane).ok()
    done = program("preview", "--lane", "a")
    assert "Also in them: toy W1, toy W2, toy W3, toy W4, toy W5 and 2 more\n" in done.err


def test_the_last_windows_are_those_that_were_captured_in_last(program: Any) -> None:
    """Whatever they are called, and whenever they were finalized."""
    for window, hours in (("A", 2), ("W9", 8), ("W10", 6), ("Z", 9)):
        for at, verb in enumerate(("start", "end")):
            pane = ("--stdin", "--window", window, "--captured-at", f"-{60 * hours - at}m", "--force")
            program(verb, "toy", *pane, stdin=f"fuel {at}%").ok()
    for window in ("A", "W9", "Z"):
        program("complete", "--window", window, "--toy-features", "1").ok()
    for words in (("--last", "2"), ("--last", "2", "--provider", "toy")):
        assert program("preview", *words).ok().startswith("Windows: A, W10\n"), words


def test_a_finalize_row_alone_keeps_its_window(program: Any) -> None:
    capture(program, "start", "W1", 1)
    capture(program, "end", "W1", 2)
    program("complete", "--window", "W1", "--toy-features", "1").ok()
    for phase in ("after", "before"):
        program("alias", "delete", "toy", "--window", "W1", "--phase", phase, "--yes").ok()
    assert program("preview").ok().startswith("Windows: W1\n")
    program("complete", "--window", "W1", "--reopen").ok()
    assert program("preview").ok().startswith("Windows: none\n")
