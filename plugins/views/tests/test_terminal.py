"""Tables on a terminal: what goes first, wide characters, colour only where it is wanted, plain text in a pipe."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.cells import cell_len

from tracker.api import Cell, Column
from tracker.kernel import Session
from tracker_views.cells import bar, text
from tracker_views.fit import cut, fitted
from tracker_views.terminal import lines, write


def test_a_pipe_gets_the_plain_text_whatever_the_width(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    found = set()
    for columns in ("40", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        found.add(filled("windows").ok())
    [plain] = found
    assert plain.startswith("window  lane  from")


def test_colour_is_left_out_on_request(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in filled("windows").ok()
    import re

    colours = re.compile(r"\x1b\[[\d;]*3\d")
    for arguments, name in ((("--no-color",), ""), ((), "NO_COLOR")):
        if name:
            monkeypatch.setenv(name, "1")
        assert not colours.search(filled(*arguments, "windows").ok())


def test_a_window_without_figures_is_listed(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    at = "2026-01-10T08:00:00Z"
    program("alias", "start", "toy", "--stdin", "--window", "W1", "--captured-at", at, stdin="fuel 10%").ok()
    program("complete", "--window", "W1", "--outcome", "fail")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "W1" in program("windows").ok()


def test_what_a_plugin_raises_does_not_steer_the_terminal(
    filled: Any, monkeypatch: pytest.MonkeyPatch, add_feature: Callable[..., None]
) -> None:
    def panels(session: Any, period: Any) -> Any:
        raise ValueError("the pot\x1b[2J is empty")

    add_feature("tea", panels=panels)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "Not shown: tea could not show its part: ValueError: the pot\\x1b[2J is empty" in filled("preview").ok()


def test_on_a_phone_a_long_account_leaves_room_for_the_figures() -> None:
    """The name was cut anyway, and every figure went for it."""
    texts = [
        Column(key=key, title=key.title(), rank=rank) for key, rank in (("window", 0), ("account", 0), ("state", 1))
    ]
    columns = [*texts, Column(key="features", title="Features", kind="number")]
    rows: list[dict[str, Cell]] = [{"window": "W0-01", "account": "work" * 9, "state": "pass", "features": 3}]
    assert [one.title for one in fitted(columns, rows, 40, UTC).columns] == ["Window", "Account", "State", "Features"]
    assert fitted(columns, rows, 40, UTC).rows == (("W0-01", "work" * 9, "pass", "3"),)
    assert sum(fitted(columns, rows, 40, UTC).widths) == 40 - 3 * 2
    # of an id the first digits are enough
    ids = rows[0] | {columns[0].key: "202611300900", "account": "4decef0a94a5"}
    assert fitted(columns, [ids], 200, UTC).rows[0][:2] == ("202611300900", "4decef")


COLUMNS = (
    Column(key="a", title="Name", rank=0),
    Column(key="b", title="Tokens", kind="count", rank=1),
    Column(key="c", title="Cost", kind="money", rank=2),
    Column(key="d", title="Why", rank=2),
    Column(key="e", title="Nothing", rank=1),
)
ROWS: Sequence[dict[str, Cell]] = [
    {"a": "表情符号 wide", "b": 1234567, "c": 1.5, "d": "because"},
    {"a": "x", "b": None, "c": 20, "d": "so"},
]


@pytest.mark.parametrize(
    ("room", "titles", "left_out"),
    [
        (80, ["Name", "Tokens", "Cost", "Why"], []),
        (35, ["Name", "Tokens", "Cost"], ["Why"]),
        (26, ["Name", "Tokens"], ["Cost", "Why"]),
        (14, ["Name"], ["Tokens", "Cost", "Why"]),
    ],
)
def test_columns_go_in_their_order_and_are_named(room: int, titles: list[str], left_out: list[str]) -> None:
    found = fitted(COLUMNS, ROWS, room, UTC)
    assert [one.title for one in found.columns] == titles
    assert list(found.left_out) == left_out
    assert all(name in found.note for name in left_out)
    assert sum(found.widths) + 2 * (len(found.widths) - 1) <= room


@pytest.mark.parametrize(
    ("zone", "months", "title"),
    [
        ("Europe/Berlin", (7,), "From (CEST)"),
        ("Europe/Berlin", (7, 12), "From (CET/CEST)"),
        ("America/New_York", (1, 7), "From (EST/EDT)"),
        ("Asia/Kolkata", (1, 7), "From (IST)"),
        ("UTC", (), "From (UTC)"),
    ],
)
def test_the_head_of_times_names_the_zone_of_all_of_them(zone: str, months: Sequence[int], title: str) -> None:
    """It had the letters of today, and times of the other half of the year read an hour wrong."""
    rows: list[dict[str, Cell]] = [{"at": datetime(2026, month, 3, 8, tzinfo=UTC)} for month in months]
    column = Column(key="at", title="From", kind="instant", rank=0)
    assert fitted([column], [*rows, {"at": None}], 80, ZoneInfo(zone)).columns[0].title == title


@pytest.mark.parametrize("typed", ["tracker end toy --stdin --agent l1", "Type `tracker end toy --stdin`, or wait."])
def test_a_command_is_whole_or_left_out(typed: str) -> None:
    columns = (Column(key="lane", title="Lane", rank=0), Column(key="next", title="Next", rank=4))
    rows = [{"lane": "a lane of a long name", "next": typed}]
    for room in range(20, 70):
        found = fitted(columns, rows, room, UTC)
        assert found.left_out == ("Next",) if len(found.columns) == 1 else found.widths[1] == len(typed)
    assert not found.left_out


def test_wide_characters_take_two_cells() -> None:
    assert cell_len("表情e\u0301") == 5
    assert cut("表情符号", 5) == "表情…"


def test_a_name_that_is_cut_keeps_its_end() -> None:
    names = [cut(f"codex gpt_5_3_codex_spark_{end}", 24, is_name=True) for end in ("fiveh", "weekly")]
    assert names == ["codex gpt_5…_spark_fiveh", "codex gpt_5…spark_weekly"]
    assert cut("表情符号", 5, is_name=True) == "表情…"
    assert cut("café au lait, small", 12, is_name=True) == "café… small"
    assert cut("表情符号", 8) == "表情符号"


@pytest.mark.parametrize(
    ("used", "low", "high", "drawn"),
    [
        (40, 100, 100, "██░░▒"),
        (100, 100, 100, "█████"),
        (130, 120, 150, "█████"),
        (-5, -20, -10, "▒░░░░"),
        (20, 80, 40, "█░▒▒░"),
    ],
)
def test_a_bar_has_its_width_whatever_the_range(used: float, low: float, high: float, drawn: str) -> None:
    assert bar(used, low, high, 5) == drawn


def test_a_count_is_rounded_as_every_other_number() -> None:
    """One page had 303,450 tokens in a table and 303451 in the text below it."""
    column = Column(key="tokens", title="Tokens", kind="count")
    assert [text(one, column, UTC) for one in (303450.5, 263896.5, 10**14, 7, float("nan"))] == [
        "303,451",
        "263,897",
        "100,000,000,000,000",
        "7",
        "nan",
    ]


def test_a_time_that_the_clock_shows_twice_has_its_zone() -> None:
    """A window seemed to end before it began, and one that overlapped another to follow it."""
    column, zone = Column(key="at", title="At", kind="time"), ZoneInfo("America/New_York")
    times = (datetime(2026, 11, 1, hour, 40, tzinfo=UTC) for hour in (4, 5, 6, 7))
    assert [text(at, column, zone)[11:] for at in times] == ["00:40", "01:40 EDT", "01:40 EST", "02:40"]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii", "cp850", "utf-8"])
def test_bars_keep_their_width_where_the_encoding_has_no_blocks(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """Escaped as six characters each, they broke the lines."""
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", out)
    columns = (
        Column(key="name", title="Name", rank=0),
        Column(key="cost", title="Cost", rank=0),
        Column(key="used", title="Used", kind="share", rank=0, low="low", high="high"),
    )
    row = {"name": "a name that is too long for its column", "cost": "≥$0.42", "used": 13, "low": 40, "high": 80}
    session = Session()
    session.no_color = True
    write(session, lines(columns, [row], 52, UTC))
    out.seek(0)
    found = out.read().splitlines()[-1]
    assert found == (
        "a name that i…or its column  ≥$0.42  █▌░░▒▒▒▒░░  13%"
        if encoding == "utf-8"
        else "a name that i~or its column  >$0.42  #+..====..  13%"
    )


def test_a_reader_that_stops_early_is_no_fault_of_a_plugin(program: Any, filled: Any) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "tracker.cli", "windows"],
        stdout=writing,
        stderr=subprocess.PIPE,
        env={**os.environ, "FORCE_COLOR": "1", "TRACKER_DATA_DIR": str(program.root)},
    )
    os.close(writing)
    assert done.returncode == 128 + signal.SIGPIPE
    assert b"failed" not in done.stderr
