"""Recordings of a terminal: the pane is read from what the terminal showed, not from the order of the bytes.

`recordings/script.txt` is in util-linux's format: Codex 0.169.0 in 80 columns and 24 rows, whose pane is printed above
the composer by scroll regions and so scrolls off in part. `recordings/full_screen.txt` has no header and shows the pane
word by word, by cursor positions, on the alternate screen.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tracker.api import Reading, plain_text
from tracker_codex import status
from tracker_kit import played, screens
from tracker_kit.cases import together

pytestmark = pytest.mark.skipif(played("") is None, reason="no installed feature plays cursor movements")

HERE = Path(__file__).parent
SCREENS = {screen.name: screen for screen in screens(HERE / "screens")}
RECORDINGS = {"script": "v0.169.0_credits_frac", "full_screen": "v0.169.0_narrow54"}


def bytes_of(recording: str) -> str:
    return (HERE / "recordings" / f"{recording}.txt").read_bytes().decode()


def text_of(recording: str, times: int = 1) -> str:
    """What the terminal showed, as the feature that plays cursor movements gives it."""
    return shown(bytes_of(recording) * times)


def shown(text: str) -> str:
    return played(text) or ""


def read(recording: str, text: str) -> Reading:
    screen = SCREENS[RECORDINGS[recording]]
    return status.parse_status(text=text, captured_at=screen.captured_at, timezone=screen.timezone)


def test_the_samples_do_not_agree_by_chance() -> None:
    """Stripped of its escapes alone, neither recording has its rows."""
    for recording in RECORDINGS:
        assert "  5h limit:  " not in bytes_of(recording)
        assert "  5h limit:  " in text_of(recording)


@together("recording", RECORDINGS)
def test_says_what_the_pane_says(recording: str) -> None:
    screen = SCREENS[RECORDINGS[recording]]
    expected = status.parse_status(text=screen.text, captured_at=screen.captured_at, timezone=screen.timezone)
    assert read(recording, text_of(recording)) == expected
    assert len(expected.gauges) >= 2


@together("recording", RECORDINGS)
def test_says_the_same_twice_over(recording: str) -> None:
    reading = read(recording, text_of(recording, times=2))
    assert reading.gauges == read(recording, text_of(recording)).gauges
    assert reading.errors == ("multi-pane-trimmed",)


@together("recording", RECORDINGS)
def test_cut_anywhere_it_gives_the_true_value_or_none(recording: str) -> None:
    text = bytes_of(recording)
    true = {gauge.meter: gauge for gauge in read(recording, text_of(recording)).gauges}
    for end in range(0, len(text), 29):
        for gauge in read(recording, shown(text[:end])).gauges:
            assert gauge.used in (None, true[gauge.meter].used), (end, gauge)
            assert gauge.reset_at in (None, true[gauge.meter].reset_at), (end, gauge)


DRAWN = str.maketrans("│─╭╮╰╯", "xqlkmj")


@together("name", ["v0.155.0_base", "v0.160.0_base", "v0.169.0_narrow80"])
def test_without_utf_8_a_box_is_drawn_in_letters_and_a_bar_is_a_line(name: str) -> None:
    """As `tmux` does in a plain locale, whose terminal takes letters for lines."""
    screen = SCREENS[name]
    text = "".join(f"\x1b(0{one.translate(DRAWN)}\x1b(B" if ord(one) in DRAWN else one for one in screen.text)
    played_text = shown("\x1b[H" + re.sub(r"[^\x00-\x7f]", "_", text).replace("\n", "\r\n"))
    reading = status.parse_status(text=played_text, captured_at=screen.captured_at, timezone=screen.timezone)
    expected = status.parse_status(text=screen.text, captured_at=screen.captured_at, timezone=screen.timezone)
    assert "____" in played_text
    assert (reading.gauges, reading.errors) == (expected.gauges, ())


def test_a_value_that_is_redrawn_is_the_later_one() -> None:
    """Only the changed cells are drawn anew."""
    text = bytes_of("full_screen")
    pane = plain_text(shown(text)).split("\n")
    row = next(number for number, line in enumerate(pane) if "5h limit:" in line)
    column = pane[row].index("89%")
    redrawn = text.replace("\x1b[?1049l", f"\x1b[{row + 1};{column + 1}H7\x1b[?1049l")
    assert read("full_screen", shown(redrawn)).gauges[0].used == 21
