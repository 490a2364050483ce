"""The source `claude` against real panes: as recorded, and against what the backend had told Claude Code."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from itertools import pairwise, zip_longest
from math import floor
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tracker.api import Reading
from tracker_claude import bars, usage
from tracker_kit import Screen, StatusConformance, played, screens
from tracker_kit.cases import together

HERE = Path(__file__).parent
PACKAGE = Path(usage.__file__).parent
CAPTURED = datetime.fromisoformat("2026-11-22T06:45:00Z")
IRKUTSK = ZoneInfo("Asia/Irkutsk")
SCREENS = screens(HERE / "screens")
TRUTH = json.loads((HERE / "usage_truth.json").read_text())
TITLES = {
    "five_hour": ("session", "Current session"),
    "seven_day": ("all_models", "Current week (all models)"),
    "seven_day_opus": ("opus", "Current week (Opus)"),
    "seven_day_sonnet": ("sonnet", "Current week (Sonnet only)"),
}


def read(text: str, captured_at: datetime = CAPTURED, timezone: str = "Asia/Irkutsk") -> Reading:
    return usage.parse_status(text=text, captured_at=captured_at, timezone=ZoneInfo(timezone))


def used(reading: Reading) -> dict[str, float | None]:
    return {gauge.meter: gauge.used for gauge in reading.gauges}


class TestConformance(StatusConformance):
    source = "claude"
    screens = HERE / "screens"


@together("entry", TRUTH, ids=lambda entry: entry["file"])
def test_shows_what_the_backend_said(entry: dict[str, Any]) -> None:
    """Every window that the pane shows, floored as Claude Code prints it, and its reset to the minute."""
    text = (HERE / "screens" / entry["file"]).read_text()
    shown = " ".join(text.split())
    expected = {}
    for name, (meter, title) in TITLES.items():
        window = entry["backend_usage"].get(name)
        if window and title in shown:
            reset = window["resets_at"] and datetime.fromisoformat(window["resets_at"])
            expected[meter] = (floor(window["utilization"]), reset and reset.replace(second=0, microsecond=0))
    reading = read(text, datetime.fromisoformat(entry["captured_at"]), "America/New_York")
    assert {gauge.meter: (gauge.used, gauge.reset_at) for gauge in reading.gauges} == expected
    assert bool(reading.errors) == (not expected)
    assert reading.as_of is None


def test_each_state_of_the_truth_is_there() -> None:
    """The test above would pass if no pane showed anything."""
    shown = [read((HERE / "screens" / entry["file"]).read_text()) for entry in TRUTH]
    assert sum(len(reading.gauges) for reading in shown) == 39
    tags = [tag for reading in shown for tag in reading.errors]
    assert sorted(set(tags)) == ["not-subscribed", "usage-not-loaded"]


@together("screen", SCREENS, ids=lambda screen: screen.name)
def test_explains_each_tag(screen: Screen) -> None:
    tags = {tag.partition(":")[0] for tag in screen.expected["parsed"]["errors"]}
    assert tags <= usage.source_info().tags.keys()


def test_demo_consumes_quota_between_two_resets() -> None:
    demo = usage.source_info().demo
    assert demo is not None
    pairs = []
    for step in demo.steps:
        if step.capture is None:
            continue
        arguments = dict(pairwise(step.arguments))
        at = datetime.fromisoformat(arguments["--captured-at"])
        reading = read((PACKAGE / step.capture).read_text(), at, arguments["--timezone"])
        assert reading.errors == ()
        assert all(gauge.reset_at and gauge.reset_at > at + timedelta(minutes=5) for gauge in reading.gauges)
        pairs.append(used(reading))
    assert pairs[:2] == [
        {"session": 1, "all_models": 78, "sonnet": 33},
        {"session": 41, "all_models": 90, "sonnet": 34},
    ]
    for before, after in zip(pairs[::2], pairs[1::2], strict=True):
        assert all(after[meter] >= value for meter, value in before.items())


SESSION, WEEK = "Current session\n", "Current week (all models)\n"

SINGLE = [  # body, session's value, errors
    ("██  1% used\n", 1, ()),
    ("<1% used\n", 0, ()),
    ("110% used\n", 110, ()),
    ("12.5% used\n", 12.5, ()),
    ("1%\nused\n", 1, ()),
    ("9\n0% used\n", 90, ()),
    ("█ 9 \n 0% used\n", None, ("insufficient-data", "section-missing:session")),
    ("<5% used\n", None, ("insufficient-data", "section-missing:session")),
    ("1%\n", None, ("insufficient-data", "section-missing:session")),
    ("1% use", None, ("insufficient-data", "section-missing:session")),
    ("80% left\n", None, ("insufficient-data", "section-missing:session")),
    ("-5% used\n", None, ("insufficient-data", "section-missing:session")),
    ("$12% used\n", None, ("insufficient-data", "section-missing:session")),
    ("1795341600% used\n", None, ("insufficient-data", "section-missing:session")),
    ("24% of your usage came from subagents\n", None, ("insufficient-data", "section-missing:session")),
    ("Claude Code and Cowork credit\n██ 24% used\n", None, ("insufficient-data", "section-missing:session")),
    ("Failed to load usage data\n", None, ("usage-not-loaded", "section-missing:session")),
    ("1% used\n\nShowing last-known usage\n", 1, ("stale-data",)),
    ("1% used\n\nLoading usage data…\n", 1, ()),
]


@together(("body", "value", "errors"), SINGLE, ids=[body for body, *_ in SINGLE])
def test_reads_one_section(body: str, value: float | None, errors: tuple[str, ...]) -> None:
    reading = read(SESSION + body)
    assert (used(reading), reading.errors) == ({"session": value}, errors)


NAMES = {  # a title's line: the meter
    "Current session": "session",
    "Current week": "all_models",
    "Current week (all models)": "all_models",
    "Current week (Opus)": "opus",
    "Current week (Sonnet only)": "sonnet",
    "Current week (Sonnet\n only)": "sonnet",
    "Current week (Son\nnet only)": "sonnet",
    "Current\nweek (all models)": "all_models",
    "Current week (Fable)": "fable",
    "Current week (Opus only)": "opus_only",
    "Current week (Claude \nFable 5)": "claude_fable_5",
    "Current week (Session)": "week_session",
    "Current week (5.5 Haiku)": "week_5_5_haiku",
    "│ Current session": "session",
    "  ⎿  Current session": "session",
}


@together(("title", "meter"), NAMES.items(), ids=NAMES)
def test_names_the_meter(title: str, meter: str) -> None:
    assert used(read(f"{title}\n 7% used\n")) == {meter: 7}
    assert used(read(f"{title}: 7% used · resets 5pm\n")) == {meter: 7}


@together("title", ["Current week (Fab\nle)", "Current week (Fab", "Current week (语)"])
def test_leaves_out_a_name_that_it_cannot_read(title: str) -> None:
    reading = read(f"{SESSION} 1% used\n\n{title}\n 7% used\n")
    assert (used(reading), reading.errors) == ({"session": 1}, ("section-missing:unknown",))


UNKNOWN = [
    "Session",
    "Current sessions",
    "Current session (Opus)",
    "Your current session",
    "Current weekly pace",
    "Current month (all models)",
    "Current week (Opus) was long",
    "Weekly limit",
    "5h limit",
]


@together("title", UNKNOWN)
def test_takes_no_unknown_label_for_a_known_one(title: str) -> None:
    reading = read(f"{title}\n ██ 7% used\n")
    assert (used(reading), reading.errors) == ({}, ("insufficient-data",))
    below = read(f"{WEEK} Resets Nov 25, 5:43pm (Asia/Irkutsk)\n\n{title}\n ██ 7% used\n")
    assert used(below) == {"all_models": None}


@together("title", ["Extra usage", "Usage credits"])
def test_takes_no_credit_for_a_window_above(title: str) -> None:
    wide = read(f"{SESSION}\n{title}\n ██ 24% used\n $12.34 / $1,050.00 spent · Resets Dec 1 (Asia/Irkutsk)\n\n")
    narrow = read(f"{SESSION}\n{title} · $12.3\n4 / $1,050.00 spent · Resets Dec\n 1 (Asia/Irkutsk)\n █\n 24% used\n")
    assert used(wide) == used(narrow) == {"session": None}
    extra = {"enabled": True, "used_pct": 24, "spent": 12.34, "limit": 1050, "resets": "Dec 1 (Asia/Irkutsk)"}
    assert wide.fields == narrow.fields == {"extra": extra}


NOTICES = {
    "> /usage\n Error: Failed to load usage data: {'error'": "usage-not-loaded",
    '{"error": {"type": "rate_limit_error"}}': "usage-not-loaded",
    "⚠ Couldn't load usage data": "usage-not-loaded",
    "Couldn’t load usa\nge data": "usage-not-loaded",
    "Usage endpoint is rate limited. Try again later.": "usage-not-loaded",
    "The usage page is rate limited until 2:52pm": "usage-not-loaded",
    "❯ /usage\n  ⎿  Status dialog dismissed": "usage-not-loaded",
    " Loading usage data…": "usage-not-loaded",
    "You are currently using your subscription to power your Claude Code usage\n": "usage-not-loaded",
    "You are currently using your overages to power your Claude Code usage\n": "usage-not-loaded",
    "/usage is only available for subscription plans.": "not-subscribed",
    "/usage is only\n available for subscription plans.": "not-subscribed",
    "": "insufficient-data",
    "Unknown skill: usage": "insufficient-data",
    "Settings  Status   Config   Usage   Stats\n": "insufficient-data",
    "5h 89% left · weekly 36% left": "insufficient-data",
    "Heads up, you've used over 75% of your weekly limit": "insufficient-data",
    "Context low (8% remaining)": "insufficient-data",
}


@together(("text", "tag"), NOTICES.items(), ids=NOTICES)
def test_says_why_there_is_nothing(text: str, tag: str) -> None:
    reading = read(text)
    assert (reading.gauges, reading.errors) == ((), (tag,))


def pane(name: str) -> str:
    return (HERE / "screens" / f"{name}.txt").read_text()


GOOD, OTHER = pane("v2.1.330_base_max_110col"), pane("v2.1.330_edges_max_110col")
FAILED = ["v2.0.14_e429_max_110col", "v2.1.200_slow_max_110col", "v2.1.330_slow_max_110col", "v2.1.70_base_none_110col"]


@together("name", FAILED)
def test_an_old_pane_that_failed_does_not_spoil_a_good_one(name: str) -> None:
    assert read(pane(name) + GOOD).gauges == read(GOOD).gauges
    assert read(pane(name) + GOOD).errors == ("multi-pane-trimmed",)
    assert read(pane(name) + pane("print_v2.1.330_base_max_110col")).errors == ("multi-pane-trimmed",)


@together("name", FAILED)
def test_a_good_pane_does_not_hide_that_the_last_one_failed(name: str) -> None:
    reading = read(GOOD + pane(name))
    assert reading.gauges == ()
    assert reading.errors == (*read(pane(name)).errors, "multi-pane-trimmed")


def test_the_last_of_several_panes_counts() -> None:
    for text in (GOOD + OTHER, pane("v2.0.60_base_max_110col") + GOOD + OTHER):
        reading = read(text)
        assert (used(reading), reading.errors) == (
            {"session": 99, "all_models": 100, "sonnet": 0},
            ("multi-pane-trimmed",),
        )
        assert reading.fields == {"extra": {"enabled": False}}


def test_panes_without_their_beginning_are_told_apart_by_a_meter_that_comes_again() -> None:
    first, second = f"{SESSION}1% used\n\n{WEEK}90% used\n", f"{SESSION}2% used\n\n{WEEK}91% used\n"
    reading = read(first + second)
    assert (used(reading), reading.errors) == ({"session": 2, "all_models": 91}, ("multi-pane-trimmed",))
    assert used(read(f"{first}\n{SESSION}")) == {"session": 1, "all_models": 90}


def test_a_command_and_the_card_under_it_are_one_pane() -> None:
    for name in ("v2.0.76_base_max_110col", "v2.1.70_base_max_60col", "v2.0.14_base_max_42col"):
        assert read(pane(name)).errors == ()


def test_the_status_of_another_program_below_is_no_pane() -> None:
    other = "$ other\n/status\n\n  >_ Other (v0.160.0)\n\n  Weekly limit:  [███░] 36% left (resets 06:27 on 25 Nov)\n"
    for name in ("v2.0.76_base_max_110col", "v2.1.330_base_max_42col"):
        reading = read(f"{pane(name)}\n{other}")
        assert (reading.gauges, reading.errors) == (read(pane(name)).gauges, ())
    mine = "❯ /status\n────────────────────────\n  Settings  Status   Config   Usage   Stats\n\n  Version: 2.1.330\n"
    assert read(f"{pane(name)}\n{mine}").errors == ("insufficient-data", "multi-pane-trimmed")


def test_a_recording_of_a_terminal_is_played() -> None:
    """`script` around a session: the command typed, a frame that loads, the pane, and a row drawn over itself."""
    assert "\x1b[1A" in pane("pty_v2.1.330_base_max_110col")
    text = played(pane("pty_v2.1.330_base_max_110col"))
    assert text is None or read(text) == read(GOOD)  # None: no installed feature plays cursor movements


@together("name", ["v2.0.37_base_max_110col", "v2.0.76_base_max_110col", "v2.1.200_base_max_110col"])
def test_other_white_space_changes_no_number(name: str) -> None:
    """As a web terminal, a chat or `unexpand -a` copies a pane."""
    text = (HERE / "screens" / f"{name}.txt").read_text()
    tabbed = "\n".join(map(_tabbed, text.split("\n")))
    assert "\t" in tabbed
    assert read(tabbed) == read(text.replace(" ", "\u00a0")) == read(text)


@together("sign", ["_", "#", "?", "■", "\ufffd"])
@together("name", ["v2.0.76_base_max_110col", "v2.1.200_base_pro_60col", "v2.1.330_base_max_110col"])
def test_a_bar_of_other_signs_costs_no_number(name: str, sign: str) -> None:
    """As a terminal without UTF-8 shows it; then nothing but the number tells the value."""
    text = re.sub("[─-▟]", sign, pane(name))
    assert f"{sign * 20}" in text
    assert read(text) == read(pane(name))


@together("gap", ["", " "])
@together("number", ["11", "190", "133"])
def test_a_number_with_a_digit_too_many_in_the_place_of_blanks_is_none(number: str, gap: str) -> None:
    """The blanks behind a bar say how wide it is; with them gone it was as full as its number said."""
    text = pane("v2.0.60_base_max_110col")
    garbled = re.sub(rf"([{bars.EIGHTHS}]) *{number[1:]}% used", rf"\g<1>{gap}{number}% used", text)
    assert garbled != text
    changed = {key: value for key, value in used(read(garbled)).items() if value != used(read(text))[key]}
    assert [*changed.values()] == [None]


def test_bars_that_contradict_every_number_are_the_cause() -> None:
    """No value is not all that is known: another cure would not help."""
    text = pane("v2.1.200_base_pro_60col").replace("  1% used", "  91% used").replace("  90% used", "  10% used")
    errors = read(text).errors
    assert errors[:3] == ("bar-contradicts:session", "bar-contradicts:all_models", "insufficient-data")
    assert len(set(errors)) == len(errors)


def _tabbed(line: str) -> str:
    """A line whose white space before each eighth column is a tab, if it is two columns wide or more."""
    cells = [line[place : place + 8] for place in range(0, len(line), 8)]
    return "".join(re.sub(" {2,}$", "\t", cell) if len(cell) == 8 else cell for cell in cells)


def test_a_reset_is_read_behind_words_that_are_not() -> None:
    line = "Current week (all models): 40% used, resets Nov 25, 5:43pm (UTC)"
    pane = "  Current week (all models)\n  40% used · 60% left\n  Resets Nov 25, 5:43pm (UTC)\n"
    for text in (line, pane):
        [gauge] = read(text).gauges
        assert (gauge.used, gauge.resets) == (40, "Nov 25, 5:43pm (UTC)")
        assert gauge.reset_at == datetime.fromisoformat("2026-11-25T17:43:00Z")


def test_two_panes_side_by_side_are_nobodys() -> None:
    """As `tmux` copies a window that is split: a percentage of the one is none of the other."""
    left, right = ((HERE / "screens" / f"v2.1.200_base_{name}col.txt").read_text() for name in ("pro_60", "max_110"))
    for before in ("", "\n", "\n\n"):
        rows = zip_longest(left.split("\n"), (before + right).split("\n"), fillvalue="")
        reading = read("\n".join(f"{a:60}│{b}" for a, b in rows))
        assert (reading.gauges, reading.errors) == ((), ("side-by-side", "insufficient-data"))


def test_a_model_whose_name_is_too_long_for_a_key_is_cut_and_stays_apart() -> None:
    name = "Claude Opus 5.5 Long Context Preview for Enterprise Teams ({})"
    limits = [
        {"kind": "weekly_scoped", "percent": percent, "scope": {"model": {"display_name": name.format(place)}}}
        for place, percent in (("EU region", 9), ("US region", 8))
    ]
    found = used(read(json.dumps({"seven_day": {"utilization": 40}, "limits": limits})))
    assert list(found.values()) == [40, 9, 8]
    assert all(len(key) <= 64 for key in found)


def test_a_table_above_or_below_a_pane_is_no_pane_at_its_side() -> None:
    table = "  disk    │ state\n ─────────┼──────\n  a       │ used\n  b       │ free\n"
    shown = "Current session: 11% used · resets 10:59am (UTC)\nCurrent week (all models): 40% used\n\n"
    assert used(read(table + shown + table)) == {"session": 11, "all_models": 40}
