"""Whatever happens to a pane on its way, a meter has its true value and reset or none, and never another."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracker.api import Gauge, Reading
from tracker_codex import status
from tracker_kit import Screen, screens
from tracker_kit.cases import together

SCREENS = {screen.name: screen for screen in screens(Path(__file__).parent / "screens") if screen.name.startswith("v")}
# every place and many examples with TRACKER_SOAK=1; else every seventh, each screen from another one on
IS_SOAK = os.environ.get("TRACKER_SOAK") == "1"
STEP = 1 if IS_SOAK else 11
CAPTURED = datetime(2026, 11, 22, 6, 33, 40, tzinfo=UTC)
FIRST_ROW = re.compile(r"^.*(?:5h|Weekly|Monthly|Annual|Monthly credit) limit:", re.MULTILINE)
BEFORE = ["", "dev@host:~/code$ codex\n", "❯ codex\n", "\n\n", "/dev/sda1  95% used\n", "5h 1% left · weekly 2% left\n"]
AFTER = [
    "",
    "\n",
    "\ndev@host:~/code$ ",
    "\n100% context left · ? for shortcuts\n",
    "  5h 12% left · weekly 44% left\n",
    "\n5h 12% left · weekly 44% left\n",
    "\n  gpt-6 default · 100% left · /home/dev\n",
    "\n9% left\n",
    "\n50%\n",
    "\n0%\n",
    "\n7)\n",
    "\n5 Nov) done\n",
    "\nused 7%\n",
    "\n%\n",
]
COLOURS = ["\x1b[0m", "\x1b[1;31m", "\x1b[38;5;196m", "\x1b[38;2;1;2;3m", "\x1b]8;;https://example.com\x07"]
NAMES = st.sampled_from(sorted(SCREENS))
WIDTHS = st.integers(24, 110)


def read(screen: Screen, text: str) -> Reading:
    return status.parse_status(text=text, captured_at=screen.captured_at, timezone=screen.timezone)


def hard(text: str, width: int) -> str:
    """Broken as a terminal does."""
    lines = text.split("\n")
    return "\n".join(line[at : at + width] for line in lines for at in range(0, max(len(line), 1), width))


def soft(text: str, width: int, indent: str, hyphens: bool, spaces: bool) -> str:
    """Broken between words as far as they fit."""
    wrapper = textwrap.TextWrapper(
        width, subsequent_indent=indent, break_on_hyphens=hyphens, drop_whitespace=not spaces, expand_tabs=False
    )
    return "\n".join("\n".join(wrapper.wrap(line)) for line in text.split("\n"))


@st.composite
def wrapped(draw: st.DrawFn, text: str) -> str:
    how, width = draw(st.sampled_from(["as it is", "hard", "hard, stripped", "soft"])), draw(WIDTHS)
    if how == "soft":
        return soft(text, width, draw(st.sampled_from(["", "  "])), draw(st.booleans()), draw(st.booleans()))
    if how == "as it is":
        return text
    broken = hard(text, width)
    return broken if how == "hard" else "\n".join(line.rstrip() for line in broken.split("\n"))


@st.composite
def coloured(draw: st.DrawFn, text: str) -> str:
    for place in sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)), reverse=True):
        text = text[:place] + draw(st.sampled_from(COLOURS)) + text[place:]
    return text


@st.composite
def mangled(draw: st.DrawFn) -> tuple[str, str]:
    """The name of a real pane, and what may become of it between a terminal and a pipe."""
    name = draw(NAMES)
    text = SCREENS[name].text
    first = FIRST_ROW.search(text)
    if draw(st.booleans()):
        text = text[draw(st.integers(0, first.start() if first else len(text))) :]
    if draw(st.booleans()):
        text += SCREENS[name].text
    if draw(st.booleans()):
        text = text[: draw(st.integers(0, len(text)))]
    text = draw(wrapped(text))
    if draw(st.booleans()):
        text = text[: draw(st.integers(0, len(text)))]
    text = draw(st.sampled_from(BEFORE)) + draw(coloured(text)) + draw(st.sampled_from(AFTER))
    return name, text.replace("\n", "\r\n") if draw(st.booleans()) else text


@cache
def truth(name: str) -> Mapping[str, Gauge]:
    return {gauge.meter: gauge for gauge in read(SCREENS[name], SCREENS[name].text).gauges}


def assert_true_or_none(name: str, text: str) -> Reading:
    true = truth(name)
    reading = read(SCREENS[name], text)
    for gauge in reading.gauges:
        whole = true.get(gauge.meter, Gauge(meter=gauge.meter, used=None))
        assert gauge.used in (None, whole.used), gauge
        assert gauge.reset_at in (None, whole.reset_at), gauge
        assert gauge.resets in (None, whole.resets), gauge
    known = {gauge.meter for gauge in reading.gauges if gauge.used is not None}
    assert known <= true.keys()
    assert ("insufficient-data" in reading.errors) == (not known)
    return reading


@settings(deadline=None, max_examples=600 if IS_SOAK else 80)
@given(mangled())
@example(("v0.169.0_narrow80", SCREENS["v0.169.0_narrow80"].text.partition("25 Nov")[0] + "\n5 Nov) done"))
@example(("v0.44.0_n60", SCREENS["v0.44.0_n60"].text.partition("█░")[0] + "\n50%\n"))
def test_the_true_value_or_none(mangled: tuple[str, str]) -> None:
    assert_true_or_none(*mangled)


def test_the_word_that_a_box_cut_off_is_not_that_of_another_pane_in_the_same_text() -> None:
    """Lines of two panes by turns: one version prints what is used, the other what is left."""
    older, newer = SCREENS["v0.44.0_n50"], SCREENS["v0.158.0_base"]
    row = next(line for line in older.text.splitlines() if "5h limit:" in line)
    assert row.rstrip(" │").endswith("%")
    text = "\n".join(row if "5h limit:" in line else line for line in newer.text.splitlines())
    assert {gauge.meter: gauge.used for gauge in read(newer, text).gauges}["fiveh"] is None


@together("name", SCREENS)
def test_cut_at_every_place(name: str) -> None:
    """After each character of the rows; before them there is nothing to get wrong."""
    text = SCREENS[name].text
    if first := FIRST_ROW.search(text):
        rows = text[: text.find("›", first.end())]
        for end in range(first.start() + len(name) % STEP, len(rows), STEP):
            assert_true_or_none(name, text[:end])


@together("name", SCREENS)
def test_cut_above_every_line(name: str) -> None:
    """Of another model's limits without the line that names it, no value comes out as the main bucket's unsaid."""
    known = truth(name)
    lines = SCREENS[name].text.split("\n")
    for first in range(1, len(lines)):
        reading = read(SCREENS[name], "\n".join(lines[first:]))
        for gauge in () if reading.errors else reading.gauges:
            assert gauge.used == known[gauge.meter].used


@together("name", SCREENS)
def test_no_value_is_lost_at_any_width(name: str) -> None:
    whole = {meter: gauge.used for meter, gauge in truth(name).items()}
    for width in range(24, 100, 3 if IS_SOAK else 9):
        for text in (hard(SCREENS[name].text, width), soft(SCREENS[name].text, width, "", True, False)):
            reading = assert_true_or_none(name, text)
            assert {gauge.meter: gauge.used for gauge in reading.gauges} == whole


@settings(deadline=None)
@given(NAMES, st.data())
def test_dressed_otherwise_it_says_the_same(name: str, data: st.DataObject) -> None:
    screen = SCREENS[name]
    text = data.draw(st.sampled_from(BEFORE[:4])) + data.draw(coloured(screen.text)) + data.draw(st.sampled_from(AFTER))
    assert read(screen, text) == read(screen, screen.text)
    assert read(screen, text.replace("\n", "\r\n")) == read(screen, screen.text)


@settings(deadline=None)
@given(st.lists(st.sampled_from([name for name in sorted(SCREENS) if "narrow24" not in name]), min_size=2, max_size=4))
def test_the_last_of_several_panes_wins(names: list[str]) -> None:
    """All but narrow24, which lost the line that panes begin with."""
    last = SCREENS[names[-1]]
    reading = read(last, "\n".join(SCREENS[name].text for name in names))
    alone = read(last, last.text)
    assert (reading.gauges, reading.fields) == (alone.gauges, alone.fields)
    assert set(reading.errors) == {*alone.errors, "multi-pane-trimmed"}


WORDS = [
    "5h limit:",
    "Weekly limit:",
    "Daily",
    "limit:",
    "GPT limit:",
    "Credits:",
    "38 credits",
    "[██░]",
    "[█",
    "89%",
    "8",
]
WORDS += [
    " left",
    " used",
    "(resets 08:27)",
    "(resets ",
    "06:27 on 2",
    "5 Nov)",
    "/status",
    ">_ OpenAI Codex (v0.5",
    "7.0)",
]
WORDS += [
    "\n",
    "  ",
    "│",
    "╰─",
    "›",
    "Model: x",
    "Limits:",
    "\x1b[5A",
    "\x1b[",
    "\r",
    "{",
    "}",
    '"token_count"',
    "Account: a@b.c",
]


@settings(deadline=None, max_examples=500 if IS_SOAK else 80)
@given(st.lists(st.sampled_from(WORDS), max_size=60).map("".join) | st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    for zone in (UTC, SCREENS["v0.160.0_base"].timezone):
        reading = status.parse_status(text=text, captured_at=CAPTURED, timezone=zone)
        assert isinstance(reading, Reading)
        assert reading.errors or any(gauge.used is not None for gauge in reading.gauges)


LONG = [
    "5h limit:",
    "5h limit:\n",
    "5h limit:[\n",
    "a limit:\n5h limit:\n",
    "limit",
    "abc\n",
    "A",
    "(resets",
    "9",
    "[█",
    " ",
]
LONG += [
    "\n",
    "/status\n",
    ">_ OpenAI\nModel:\n",
    "Model:",
    "Account:a@",
    "{",
    '{"a":',
    '"token_count"\n',
    "│",
    "\x1b[A",
]
LONG += ["\x1b[9", "\r"]


@together("piece", LONG)
def test_long_texts_are_read_in_one_pass(piece: str) -> None:
    """Work that grew with the square of the length would not come to an end."""
    long = piece * (100_000 // len(piece))
    for text in (long, f"5h limit: 1% left\n{long}"):
        status.parse_status(text=text, captured_at=CAPTURED, timezone=UTC)
