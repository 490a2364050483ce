"""Whatever befalls a real pane on its way: each meter has its true value or none, never another number or reset."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracker.api import Reading
from tracker_claude import usage
from tracker_kit import Screen, played, screens
from tracker_kit.cases import together

SCREENS = [screen for screen in screens(Path(__file__).parent / "screens") if "\x1b" not in screen.text]
# Not the zone of the panes: a reset that lost its zone would be another instant.
ELSEWHERE = ZoneInfo("America/New_York")
FIRST_SECTION = re.compile(r"^\s*Current (?:session|week)", re.MULTILINE)
BEFORE = "Last login: Sun Nov 22 06:40:11 on ttys003\ndev@host:~/project 10:42am $ claude\n"
AFTER = "\ndev@host:~/project $ df -h\n/dev/sda1  50% used\n24% used\n Resets 9:15pm (UTC)\n"
PANES = st.sampled_from(SCREENS)
WIDTHS = st.integers(24, 130)
COLOURS = ["\x1b[1m", "\x1b[38;2;177;185;249m", "\x1b[39;49m", "\x1b]8;;https://example.com\x07", "\x1b[0m", "\x1b(B"]

untimed = settings(deadline=None)
# every place with TRACKER_SOAK=1; else every seventh, each screen from another one on
STEP = 1 if os.environ.get("TRACKER_SOAK") == "1" else 7
Shown: TypeAlias = dict[str, tuple[float | None, str | None, datetime | None]]


def read(screen: Screen, text: str) -> Reading:
    return usage.parse_status(text=text, captured_at=screen.captured_at, timezone=ELSEWHERE)


def shown(reading: Reading) -> Shown:
    return {gauge.meter: (gauge.used, gauge.resets, gauge.reset_at) for gauge in reading.gauges}


def truth(screen: Screen) -> Shown:
    parsed = screen.expected["parsed"]
    return {
        key.removesuffix("_pct"): (
            value,
            parsed[key.replace("_pct", "_resets")],
            (at := parsed[key.replace("_pct", "_reset_at")]) and datetime.fromisoformat(at),
        )
        for key, value in parsed.items()
        if key.endswith("_pct")
    }


def assert_true_or_none(screen: Screen, text: str) -> None:
    expected = truth(screen)
    for meter, values in shown(read(screen, text)).items():
        assert meter in expected
        for value, true in zip(values, expected[meter], strict=True):
            assert value in (true, None)


def hard_wrapped(text: str, width: int, strip: bool) -> str:
    """As a terminal of that width shows it: broken anywhere, without indent, with or without its padding."""
    rows = [line[at : at + width] for line in text.split("\n") for at in range(0, max(len(line), 1), width)]
    return "\n".join(row.rstrip() if strip else row for row in rows)


def word_wrapped(text: str, width: int, indent: str) -> str:
    wrap = textwrap.TextWrapper(width, subsequent_indent=indent, replace_whitespace=False)
    return "\n".join(row for line in text.split("\n") for row in wrap.wrap(line) or [""])


WRAPPED: dict[str, Callable[[str, int], str]] = {
    "terminal": lambda text, width: hard_wrapped(text, width, strip=False),
    "terminal, copied": lambda text, width: hard_wrapped(text, width, strip=True),
    "words": lambda text, width: word_wrapped(text, width, ""),
    "words, indented": lambda text, width: word_wrapped(text, width, "  "),
}


def test_there_is_a_truth_to_lose() -> None:
    assert sum(len(truth(screen)) for screen in SCREENS) > 60


@together("screen", SCREENS, ids=lambda screen: screen.name)
def test_cut_at_any_end(screen: Screen) -> None:
    for end in range(len(screen.name) % STEP, len(screen.text), STEP):
        assert_true_or_none(screen, screen.text[:end])


@together("screen", SCREENS, ids=lambda screen: screen.name)
def test_cut_at_the_front(screen: Screen) -> None:
    first = FIRST_SECTION.search(screen.text)
    for begin in range(0, first.start() + 1 if first else 0, STEP):
        assert shown(read(screen, screen.text[begin:])) == truth(screen)


@together("kind", WRAPPED)
@untimed
@given(screen=PANES, width=WIDTHS)
def test_wrapped_at_any_width(kind: str, screen: Screen, width: int) -> None:
    """Not one value is lost, since every break can be told from what the vendor printed."""
    text = WRAPPED[kind](screen.text, width)
    assert shown(read(screen, text)) == truth(screen)
    assert shown(read(screen, BEFORE + text + AFTER)) == truth(screen)


@together("kind", WRAPPED)
@untimed
@given(screen=PANES, width=WIDTHS, data=st.data())
def test_wrapped_and_cut(kind: str, screen: Screen, width: int, data: st.DataObject) -> None:
    text = WRAPPED[kind](screen.text, width)
    assert_true_or_none(screen, text[: data.draw(st.integers(0, len(text)))])


@untimed
@given(screen=PANES, data=st.data())
def test_cut_within_a_session(screen: Screen, data: st.DataObject) -> None:
    text = screen.text[: data.draw(st.integers(0, len(screen.text)))]
    assert_true_or_none(screen, BEFORE + text + AFTER)


@untimed
@given(screen=PANES, places=st.lists(st.tuples(st.floats(0, 1), st.sampled_from(COLOURS)), max_size=30))
def test_coloured_with_other_line_ends(screen: Screen, places: list[tuple[float, str]]) -> None:
    text = screen.text
    for place, colour in sorted(places, reverse=True):  # from the end on, so that none falls into another
        at = int(place * len(screen.text))
        text = text[:at] + colour + text[at:]
    assert shown(read(screen, text)) == truth(screen)
    assert shown(read(screen, text.replace("\n", "\r\n"))) == truth(screen)


def recorded(text: str) -> str:
    """As a PTY records it: a frame that is still loading, erased row by row, and gaps that are jumped over."""
    loading = "❯ /usage\r\n  Settings  Status   Config   Usage   Stats\r\n\r\n  Loading usage data…\r\n"
    erased = "\x1b[2K\x1b[1A" * 4 + "\x1b[2K\x1b[G"
    frame = re.sub(" {3,}", lambda gap: f"\x1b[{len(gap[0])}C", text).replace("\n", "\r\n")
    return f"\x1b[?25l{loading}\x1b[?2026h{erased}{frame}\x1b[?2026l\x1b[?25h"


@together("screen", SCREENS, ids=lambda screen: screen.name)
def test_recorded_with_cursor_movements(screen: Screen) -> None:
    text = played(recorded(screen.text))
    if text is None:
        return  # no installed feature plays cursor movements
    reading = read(screen, text)
    assert shown(reading) == truth(screen)
    assert list(reading.errors) == screen.expected["parsed"]["errors"]


@together("screen", SCREENS, ids=lambda screen: screen.name)
def test_doubled(screen: Screen) -> None:
    assert shown(read(screen, screen.text * 2)) == truth(screen)
    assert shown(read(screen, BEFORE + screen.text + AFTER + screen.text)) == truth(screen)


@untimed
@given(first=PANES, end=st.floats(0, 1), last=PANES)
def test_the_last_pane_counts(first: Screen, end: float, last: Screen) -> None:
    """Whatever stands above it, whole or cut; a last one that says nothing at all is no pane."""
    above = first.text[: int(end * len(first.text))] + "\n"
    if truth(last):
        assert shown(read(last, above + last.text)) == truth(last)


@untimed
@given(first=PANES, last=PANES, end=st.floats(0, 1))
def test_nothing_of_an_older_pane_is_mixed_in(first: Screen, last: Screen, end: float) -> None:
    cut = last.text[: int(end * len(last.text))]
    found = shown(read(last, first.text + cut))
    assert found in (shown(read(last, first.text)), shown(read(last, cut)))


PIECES = [
    *("Current session", "Current week", "(all models)", "(Opus", "Extra usage", "> /usage", "Settings  Status   Con"),
    *("1% used", "<1% used", "Resets ", "Nov 31, ", "Feb 29", "5:43pm", "12am", "(Asia/Irkutsk)", "(Foo)", "2027", "9"),
    *("$12.34 / $50.00 spent", "·", ":", "\n", "\n\n", "  ", "█", "│", '{"five_hour":', '{"utilization":', "9e999}"),
]


@untimed
@given(st.text() | st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=40).map("".join))
@example("Current session\n1% used\nResets Jan 1, 0001, 1am (Asia/Irkutsk)\n")
@example("Current session\n1% used\nResets Dec 31, 9999, 11pm (America/New_York)\n")
@example("Current session\n1% used\nResets Jan 1, 0000, 1am (UTC)\n")
@example("Current week (\ud800)\n1% used\nResets 5pm (\ud800)\n")
def test_no_text_raises(text: str) -> None:
    for captured_at in (datetime(2026, 11, 22, tzinfo=UTC), datetime.min.replace(tzinfo=UTC)):
        reading = usage.parse_status(text=text, captured_at=captured_at, timezone=ELSEWHERE)
        assert reading.errors or any(gauge.used is not None for gauge in reading.gauges)
        assert {tag.partition(":")[0] for tag in reading.errors} <= usage.TAGS.keys()


JUNK = [
    *("a", " ", "\n", "1\n", "C\n", "█ ", "1% ", "{\n", '{"a":', "You ", "Set ", "\n Set", "F a i l e d ", "Resets "),
    *("Current session\n", "Current session · Resets ", "Current week (", "Current week\n", "Usage credits\n$1 / "),
    *("> /usage\n", "> /usage\nx\n", "Settings Status Co\n", "Current week (M1)\n 1% used\n Resets 5pm (Foo/Bar)\n"),
]


@together("unit", JUNK)
def test_junk_takes_linear_time(unit: str) -> None:
    """A pattern that took quadratic time would take hours here, and no clock need be read to see it."""
    for start in ("", "Current session", "Current week (all models) · Resets"):
        usage.parse_status(text=start + unit * (100_000 // len(unit)), captured_at=datetime.now(UTC), timezone=UTC)
