"""A value that a person typed stands in the history in the place of the misread one that it corrects."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tracker.kernel import Session
from tracker_capture.outline import SMALL, VALUE, outline
from tracker_capture.readings import history

AFTER = ("--phase", "after", "--window", "W1")
MISREAD = [{"fuel": 10}, {"fuel": 95, "heat": 7}]
CORRECTED = [{"fuel": 10}, {"heat": 7}, {"fuel": 60}]


def runs(program: Any) -> list[dict[str, float]]:
    session = Session()
    session.data_dir = program.root
    found = history(session, "toy")
    assert len({run.origin for run in found}) <= 1, "a series of its own would be compared with nothing"
    peaks = {(key[1], peak[VALUE]) for key, own in outline(session).peaks.items() for peak in own}
    shown = [{key: gauge.used or 0 for key, gauge in run.gauges.items()} for run in found]
    assert peaks == {one for gauges in shown for one in gauges.items()}
    return shown


@pytest.fixture(params=[SMALL, -1])
def misread(request: Any, program: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A window whose AFTER was misread; with -1 the outline is kept on the disk."""
    monkeypatch.setattr("tracker_capture.outline.SMALL", request.param)
    at = ("--stdin", "--window", "W1", "--captured-at")
    program("start", "toy", *at, "-6h", stdin="fuel 10%").ok()
    program("end", "toy", *at, "-3h", stdin="fuel 95%\nheat 7%").ok()
    assert runs(program) == MISREAD
    return program


def typed(program: Any, value: int, *more: str) -> Any:
    return program("override", "toy", *AFTER, "--fuel-pct", str(value), *(more or ("--captured-at", "-3h"))).ok()


def test_a_misread_value_is_replaced_and_the_pane_s_other_meters_stand(misread: Any) -> None:
    typed(misread, 60)
    assert runs(misread) == CORRECTED
    assert "95" not in misread("meters").ok()


def test_the_reading_is_back_when_the_override_is_taken_back(misread: Any) -> None:
    typed(misread, 60)
    misread("undo", "--yes").ok()
    assert runs(misread) == MISREAD
    typed(misread, 60)
    misread("alias", "delete", "toy", *AFTER, "--yes").ok()
    assert runs(misread) == MISREAD
    # the deletion is taken back, too
    misread("undo", "--yes").ok()
    assert runs(misread) == CORRECTED


def test_a_second_override_replaces_the_first(misread: Any) -> None:
    typed(misread, 61)
    typed(misread, 60, "--captured-at", "-2h")
    assert runs(misread) == CORRECTED
    misread("alias", "delete", "toy", *AFTER, "--index", "2", "--yes").ok()
    assert runs(misread) == CORRECTED, "the first one is gone, and what it corrected stays corrected"
    misread("alias", "delete", "toy", *AFTER, "--yes").ok()
    assert runs(misread) == MISREAD


def test_what_an_override_left_of_a_reading_goes_with_its_capture(misread: Any) -> None:
    typed(misread, 60)
    misread("alias", "delete", "toy", *AFTER, "--index", "2", "--yes").ok()
    assert runs(misread) == [{"fuel": 10}, {"fuel": 60}]


@pytest.mark.parametrize("more", [("--captured-at", "-4h"), ("--agent", "sub1"), ("--window", "W2")])
def test_no_other_reading_is_touched(misread: Any, more: tuple[str, str]) -> None:
    """One that counts before, of another lane or of another window corrects none; it is a person's, not a vendor's."""
    typed(misread, 60, *more)
    assert runs(misread) == MISREAD


BEFORE = ("--phase", "before", "--window", "W2", "--captured-at", "-3h")


@pytest.fixture
def crossed(program: Any) -> Any:
    """A misread pane that ended a window and began the next."""
    program("start", "toy", "--stdin", "--window", "W1", "--captured-at", "-6h", stdin="fuel 10%").ok()
    program("cross", "toy", "--stdin", "--window", "W1", "--captured-at", "-3h", stdin="fuel 95%").ok()
    assert [one["window"] for one in program.rows("snapshots")] == ["W1", "W1", "W2"]
    return program


def test_a_pane_that_ended_a_window_and_began_the_next_is_corrected_for_either(crossed: Any) -> None:
    typed(crossed, 60)
    assert runs(crossed) == [{"fuel": 10}, {"fuel": 60}]
    crossed("override", "toy", *BEFORE, "--fuel-pct", "61").ok()
    assert runs(crossed) == [{"fuel": 10}, {"fuel": 61}], "the reading is one"
    typed(crossed, 62)
    assert runs(crossed) == [{"fuel": 10}, {"fuel": 62}]
    for value in (61, 60, 95):
        crossed("undo", "--yes").ok()
        assert runs(crossed) == [{"fuel": 10}, {"fuel": value}]


def test_a_later_pane_of_the_next_window_is_not_corrected_with_the_one_that_began_it(crossed: Any) -> None:
    crossed("end", "toy", "--stdin", "--window", "W2", "--captured-at", "-2h", stdin="fuel 97%").ok()
    typed(crossed, 60)
    assert runs(crossed) == [{"fuel": 10}, {"fuel": 60}, {"fuel": 97}]


@pytest.mark.parametrize("order", [("W2", "W1"), ("W1", "W2")])
def test_the_reading_of_a_pane_that_two_windows_share_goes_with_the_last_of_its_captures(
    crossed: Any, order: tuple[str, str]
) -> None:
    def delete(window: str) -> None:
        phase = "before" if window == "W2" else "after"
        crossed("alias", "delete", "toy", "--phase", phase, "--window", window, "--yes").ok()

    shared = [{"fuel": 10}, {"fuel": 95}]
    delete(order[0])
    assert runs(crossed) == shared, "the other capture holds it"
    delete(order[1])
    assert runs(crossed) == shared[:1]
    for _ in order:
        crossed("undo", "--yes").ok()
        assert runs(crossed) == shared
    delete(order[0])
    assert runs(crossed) == shared


def test_what_was_typed_for_one_of_two_captures_stands_when_the_other_one_goes(crossed: Any) -> None:
    typed(crossed, 60)
    crossed("alias", "delete", "toy", "--phase", "before", "--window", "W2", "--yes").ok()
    assert runs(crossed) == [{"fuel": 10}, {"fuel": 60}]
    crossed("alias", "delete", "toy", *AFTER, "--yes").ok()
    assert runs(crossed) == [{"fuel": 10}, {"fuel": 95}], "the pane that ended the window stands"
    crossed("alias", "delete", "toy", *AFTER, "--yes").ok()
    assert runs(crossed) == [{"fuel": 10}]


def test_a_pane_that_was_crossed_with_goes_as_a_whole(crossed: Any) -> None:
    crossed("undo", "--yes").ok()
    assert runs(crossed) == [{"fuel": 10}]


def test_a_before_below_what_the_same_meter_showed_is_told(program: Any) -> None:
    """A pane of the scrollback began a window, whose capacity then held what was used before it."""
    reset = (datetime.now(UTC) + timedelta(days=2)).isoformat(timespec="seconds")
    later = (datetime.now(UTC) + timedelta(days=9)).isoformat(timespec="seconds")

    def notes(verb: str, ago: str, used: int, end: str = reset) -> str:
        words = (verb, "toy", "--stdin", "--captured-at", ago)
        return str(program(*words, stdin=f"fuel {used}% reset {end}").notes)

    assert "was at" not in notes("start", "-3h", 30)
    assert "was at" not in notes("end", "-2h", 34)
    said = notes("start", "-1h", 31)
    assert "note: fuel is at 31%, but was at 34% " in said
    assert "before the same reset. If this pane is an old one, `tracker undo` takes it back\n" in said
    program("undo", "--yes").ok()
    assert "was at" not in notes("start", "-1h", 33), "origins round otherwise"
    program("undo", "--yes").ok()
    assert "was at" not in notes("start", "-1h", 2, later), "the meter was reset"


@pytest.mark.parametrize("lane", [(), ("--agent", "sub1")])
def test_a_before_that_a_later_reading_shows_to_be_old_is_told_when_its_window_is_finalized(
    program: Any, lane: tuple[str, ...]
) -> None:
    """A teammate's records came in since; both windows counted the points between the two readings."""
    reset = (datetime.now(UTC) + timedelta(days=2)).isoformat(timespec="seconds")

    def capture(verb: str, window: str, ago: str, used: int, *words: str) -> None:
        place = ("--window", window, "--captured-at", ago, *words)
        program(verb, "toy", "--stdin", *place, stdin=f"fuel {used}% reset {reset}").ok()

    capture("start", "ADA-02", "-2h", 25, *lane)
    capture("start", "BEN-01", "-4h", 25, "--agent", "ben")
    capture("end", "BEN-01", "-3h", 40, "--agent", "ben")
    capture("end", "ADA-02", "-1h", 45, *lane)
    assert "old pane" not in program("complete", "--window", "BEN-01", "--toy-features", "1").notes
    said = program("complete", "--window", "ADA-02", "--toy-features", "1").notes
    assert "toy's BEFORE may be an old pane: fuel is at 25%, but was at 40% (" in said
    card = program("decision-card", "--window", "ADA-02").ok()
    [cure] = re.findall("`tracker (override [^`]*)`", card)
    assert cure in said
    program(*cure.split()).ok()
    assert "capacity=5 pp" in program("complete", "--window", "ADA-02").ok()
    assert "old pane" not in program("decision-card", "--window", "ADA-02").ok()


@pytest.mark.parametrize("lane", [(), ("--agent", "sub1")])
def test_an_after_of_a_forgotten_window_says_what_it_costs(program: Any, lane: tuple[str, ...]) -> None:
    """It held the work of a newer window, too, so that neither counted, and nothing said so."""
    for verb, window, ago, pane in (
        ("start", "W0-01", "-30h", "fuel 10%"),
        ("start", "W0-02", "-3h", "fuel 20%"),
        ("end", "W0-02", "-2h", "fuel 30%"),
    ):
        words = (verb, "toy", "--stdin", "--window", window, "--captured-at", ago)
        assert "same time" not in program(*words, *lane, stdin=pane).err
    said = program("end", "toy", "--stdin", "--window", "W0-01", *lane, stdin="fuel 31%").notes
    assert (
        "note: W0-02 ran at the same time on toy's meter. If both are finalized, neither counts. If W0-01 had" in said
    )
    undo, delete, add = re.findall("`tracker ([^`]*)`", said)
    for words in (undo, delete):
        program(*words.split(), "--yes").ok()
    assert "W0-01" not in program("windows").ok()
    assert "fuel 20% used (+10)" in program(*add.replace("TIME", "-30h", 1).replace("TIME", "-3h").split()).err
    assert "same time" not in program("end", "toy", "--stdin", "--window", "W0-02", *lane, stdin="fuel 31%").err


@pytest.mark.parametrize("lane", [(), ("--agent", "sub1")])
def test_a_before_that_joins_a_window_of_the_day_before_says_so(program: Any, lane: tuple[str, ...]) -> None:
    """What lay between the two was of the window, too, as far as one could see."""

    def notes(verb: str, provider: str, ago: str, pane: str, *words: str) -> str:
        return str(program(verb, provider, "--stdin", "--captured-at", ago, *words, *lane, stdin=pane).notes)

    notes("start", "toy", "-30h", "fuel 10%")
    assert "joins" not in notes("start", "tally", "-20h", "3"), "it is open"
    program("undo", "--yes", *lane).ok()
    notes("end", "toy", "-28h", "fuel 20%")
    assert "joins" not in notes("start", "tally", "-27h", "3"), "it has just ended"
    program("undo", "--yes", *lane).ok()
    assert "joins" not in notes("start", "tally", "-2h", "3", "--window", "W0-01"), "it was named"
    program("undo", "--yes", *lane).ok()
    said = notes("start", "tally", "-2h", "3")
    assert "note: this BEFORE joins W0-01, which was measured until " in said
    undo, start = re.findall("`tracker ([^`]*)`", said)
    program(*undo.split(), "--yes").ok()
    assert program(*start.split(), stdin="3").ok() == "stored tally before snapshot for W0-02 (awaiting end)\n"


def test_a_before_that_joins_a_window_of_another_machine_says_so(program: Any, tmp_path: Path) -> None:
    """Its owner's window was stale then at both: the records of two providers came together in it."""
    other = tmp_path / "other"
    program("start", "toy", "--stdin", "--window", "BEN-02", "--captured-at", "-2h", stdin="fuel 10%").ok()
    program("start", "toy", "--stdin", "--window", "ADA-05", "--captured-at", "-1h", stdin="fuel 20%", root=other).ok()
    program("import", str(other)).ok()
    done = program("start", "tally", "--stdin", stdin="3")
    assert "note: this BEFORE joins ADA-05, which came by `tracker import`." in done.notes
    undo, start = re.findall("`tracker ([us][^`]*)`", done.notes)
    program(*undo.split(), "--yes").ok()
    done = program(*start.replace(" W", " BEN-02").split(), stdin="3")
    assert (done.ok(), "joins" in done.notes) == ("stored tally before snapshot for BEN-02 (awaiting end)\n", False)


def test_a_time_that_the_clock_shows_twice_is_told(program: Any) -> None:
    program("config", "set", "timezone", "America/New_York").ok()
    place = ("--window", "W1", "--captured-at")
    said = program("start", "toy", "--stdin", *place, "2025-11-02 01:50", stdin="fuel 10%").notes
    [first, other] = re.findall("the clock showed .* twice on .*: this is read as (.*), not (.*)\n", said)[0]
    assert (first, other) == ("2025-11-02T01:50:00-04:00", "2025-11-02T01:50:00-05:00")
    assert "twice" not in program("end", "toy", "--stdin", *place, other, stdin="fuel 20%").notes
    assert "twice" not in program("end", "toy", "--stdin", *place, "2025-11-02 02:50", stdin="fuel 20%").notes
