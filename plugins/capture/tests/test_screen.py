"""Plain text from terminal output: escapes stripped, recordings played."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.text import pane
from tracker_capture import playback

CSI = "\x1b["


def header(columns: object, rows: object) -> str:
    size = f'COLUMNS="{columns}" LINES="{rows}"'
    return f'Script started on 2026-11-22 06:27:51+00:00 [TERM="xterm" TTY="/dev/pts/0" {size}]\n'


def plain_text(text: str) -> str:
    """What a plugin reads: a text with cursor movements is played before."""
    return pane.plain_text(playback.render(text) if re.search(pane.MOVEMENT, text) else text)


def shown(text: str) -> list[str]:
    return plain_text(text).split("\n")


# -- without cursor movements


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb\n", "a\nb\n"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("a\r\r\nb", "a\nb"),
        ("a\rb", "a\nb"),
        ("a\x0bb\x0cc", "a\nb\nc"),
        ("  a \tb  ", "  a \tb  "),
        (f"{CSI}31mred{CSI}0m {CSI}1;38;5;196mbold{CSI}m", "red bold"),
        (f"{CSI}38:2::1:2:3mtrue{CSI}0m", "true"),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "alink"),
        ("\x1b]0;a title without an end\nb", "\nb"),
        ("\x1bP+q544e\x1b\\a\x1b_G\x1b\\b", "ab"),
        ("\x1b(Ba\x1b=b\x1b>c", "abc"),
        (f"{CSI}?25l{CSI}?2004ha{CSI}>4;2m{CSI}?25h", "a"),
        ("a\x00b\x07c\x7fd\x9be", "abcde"),
        (f"a{CSI}3", "a"),
        (f"a{CSI}38;5", "a"),
        ("a\x1b", "a"),
        ("a\x1b]0;tit", "a"),
        ("5h limit: 89% left\r\nWeekly limit: 36% left\r", "5h limit: 89% left\nWeekly limit: 36% left\n"),
        ("⏱️ Usage Limits │ ❯", "⏱️ Usage Limits │ ❯"),
        ("", ""),
    ],
)
def test_stripped(text: str, expected: str) -> None:
    assert plain_text(text) == expected


# -- with them


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"world{CSI}1;1Hhello", "hello"),
        (f"{CSI}3;5Hb{CSI}1;1Ha", "a\n\n    b"),
        (f"one\r\ntwo{CSI}A{CSI}2DX", "oXe\ntwo"),
        (f"one\r\ntwo{CSI}1FX", "Xne\ntwo"),
        (f"abc{CSI}D{CSI}K", "ab"),
        (f"abc\r{CSI}Kx", "x"),
        (f"abc\r\ndef{CSI}2J{CSI}3J{CSI}Hx", "x"),
        (f"abc\r\ndef{CSI}1;2H{CSI}J", "a"),
        (f"abc\r\ndef{CSI}1J{CSI}Hx", "x"),
        (f"abc{CSI}2G{CSI}P", "ac"),
        (f"abc{CSI}2G{CSI}@x", "axbc"),
        (f"abc{CSI}2G{CSI}Xd", "adc"),
        (f"a\r\nb\r\nc{CSI}2H{CSI}M", "a\nc"),
        (f"a\r\n\r\nc{CSI}1H{CSI}M", "\nc"),  # a blank row moves up, too
        (f"a\r\nb{CSI}1H{CSI}Lx", "x\na\nb"),
        ("abc\b\bX", "aXc"),
        (f"a\x1b7{CSI}5;5Hb\x1b8c\x1b8d", "ad\n\n\n\n    b"),
        (f"a{CSI}s{CSI}3;1Hb{CSI}uc", "ac\n\nb"),
        (f"{CSI}10Gx\ty", "         x      y"),
        ("a\x1bEb\x1bMc", "ac\nb"),
        (f"{CSI}Hwide 漢字 ok", "wide 漢字 ok"),
        (f"{CSI}H⏱️ Usage Limits", "⏱ Usage Limits"),  # nothing behind the selector is lost
        (f"{CSI}He\u0301 ok", "e ok"),
        (f"{CSI}H\x1b(0lqk~\x1b(Bq\x1b(0q\x1b(Aq", "┌─┐·q─q"),  # the set of lines, and others
        (f"{CSI}H\x1b)0q\x0eq\x0fq", "q─q"),
        (f"{CSI}Hq\x0eq", "qq"),
    ],
)
def test_played(text: str, expected: str) -> None:
    assert plain_text(text).rstrip("\n") == expected


def test_line_ends_of_a_recording_may_have_been_converted() -> None:
    assert shown(f"{CSI}Hone\ntwo\nthree") == ["one", "two", "three"]


def test_the_scripts_header_gives_the_size() -> None:
    assert shown(header(20, 10) + f"{CSI}2;1H" + "x" * 25) == ["", "x" * 20, "x" * 5]
    assert shown(header(20, 10) + f"{CSI}99;99Hx")[9] == " " * 19 + "x"


@pytest.mark.parametrize("size", [("0", "0"), ("9999", "9999"), ("99999", "24"), ("eighty", "24")])
def test_an_absurd_header_is_not_believed(size: tuple[str, str]) -> None:
    lines = shown(header(*size) + f"{CSI}12;60Hx")
    assert len(lines) == 12
    assert lines[11] == " " * 59 + "x"


def test_without_a_header_the_addresses_give_the_size() -> None:
    text = "".join(f"line {number}\r\n" for number in range(20)) + f"{CSI}12;1Hlast{CSI}1;1Hfirst"
    lines = shown(text)
    assert lines[0] == "line 0"  # eight lines had scrolled off a screen of 12 rows
    assert lines[9] == "first9"
    assert lines[20] == "last"
    assert shown(f"{CSI}24;80Hx{CSI}999;999H")[23] == " " * 79 + "x"  # asking for the size is no address
    assert shown(f"{CSI}Ha{CSI}3;100H" + "b" * 30)[2] == " " * 99 + "b" * 30


def test_what_scrolls_off_is_kept() -> None:
    lines = [f"line {number}" for number in range(100)]
    assert shown(header(80, 24) + "\r\n".join(lines) + f"{CSI}1A") == lines


def test_lines_above_a_region_at_the_bottom_are_kept_once() -> None:
    """As Codex prints above its composer: a region ends above it, and lines are pushed off the top."""
    text = header(40, 12) + f"{CSI}2J{CSI}12;1H> composer"
    for number in range(20):
        text += f"{CSI}1;11r{CSI}11;1H\r\nline {number}{CSI}r{CSI}12;3H"
    lines = [line for line in shown(text) if line]
    assert lines[-21:] == [*(f"line {number}" for number in range(20)), "> composer"]


def test_a_cursor_outside_the_region_stays_outside() -> None:
    assert shown(header(40, 12) + f"{CSI}2J{CSI}3;6r{CSI}9;1Ha\r\nb{CSI}1;1Hc{CSI}1Bd")[-10:] == [
        "c",
        " d",
        *[""] * 6,
        "a",
        "b",
    ]


def test_scrolling_by_command() -> None:
    assert shown(header(40, 12) + f"{CSI}2J{CSI}Ha\r\nb\r\nc{CSI}2S{CSI}1;1Hd")[-3:] == ["a", "b", "d"]
    assert shown(header(40, 12) + f"{CSI}2J{CSI}Ha\r\nb{CSI}1T")[-2:] == ["a", "b"]


def test_the_second_screen_stays_readable() -> None:
    text = header(40, 12) + f"$ codex\r\n{CSI}?1049h{CSI}2J{CSI}5;1Hpane{CSI}?1049l$ exit\r\n"
    assert [line for line in shown(text) if line] == ["$ codex", "pane", "$ exit"]


def test_erasing_what_scrolled_off() -> None:
    text = header(40, 10) + "".join(f"line {number}\r\n" for number in range(30))
    assert shown(f"{text}{CSI}2J{CSI}3J{CSI}Hnew") == ["new"]
    assert shown(f"{text}{CSI}2J{CSI}Hnew")[-2:] == ["line 29", "new"]


@pytest.mark.parametrize("erase", [f"{CSI}2J", f"{CSI}H{CSI}2J", f"{CSI}H{CSI}J", "\x1bc"])
def test_a_screen_that_is_cleared_at_the_end_stays_readable(erase: str) -> None:
    """As `tmux` clears at its exit, and a shell at Ctrl-L: of two panes the newer one is on the screen."""
    text = header(40, 10) + "".join(f"line {number}\r\n" for number in range(30))
    lines = [line for line in shown(f"{text}{erase}{CSI}?1049l[exited]\r\n") if line]
    assert lines == [*(f"line {number}" for number in range(30)), "[exited]"]


def test_each_recording_of_a_file_has_its_own_screen() -> None:
    one = header(30, 10) + f"{CSI}2;1Hone{CSI}1;1Hfirst\r\n"
    two = header(60, 20) + f"{CSI}15;40Htwo{CSI}1;1Hsecond\r\n"
    assert [line for line in shown(one + two) if line] == ["first", "one", "second", " " * 39 + "two"]


# -- whatever comes


@pytest.mark.parametrize(
    "text",
    [
        f"{CSI}H{CSI}1;2;3;4A{CSI}9J{CSI}9K{CSI}5;2r{CSI}0;0r{CSI}99;1rx",
        f"{CSI}H{CSI}?1;9999999hx{CSI}?3h{CSI}?6h{CSI}=1h{CSI}4h{CSI}20hx",
        f"{CSI}H{CSI}{'9' * 5000}Ax",
        f"{CSI}H{CSI};;;;Hx",
        f"{CSI}H{CSI}1:2Hx",
        f"{CSI}H{CSI}>0q{CSI}6n{CSI}c{CSI}0 q{CSI}!p{CSI}?1$px",
        f"{CSI}H\x1b#8\x1b%Gx\x0e\x0f\x1bN\x1bO",
        f"{CSI}H\x1bc\x1b8\x1b8x",
        f"{CSI}H{CSI}200S{CSI}200T{CSI}200L{CSI}200M{CSI}500@{CSI}500Px",
    ],
)
def test_odd_sequences_never_raise(text: str) -> None:
    assert "x" in plain_text(text)


ODD = [CSI, "\x1b", "\x1b]", "\x9b", "\r", "\n", "\t", "\b", "\x07", "\x00", "\x0b", "\ud800", "\ufe0f", "漢", "█"]
ODD += ["1", "12", "999", "?1049h", "Script started on "]
PIECES = st.sampled_from([*ODD, *" x?;0ABCDEFGHJKLMPSTXZ@`abcdefhlmnrsu78"])


@settings(deadline=None)
@given(st.lists(PIECES, max_size=60).map("".join) | st.text(max_size=200))
def test_any_text_becomes_plain(text: str) -> None:
    plain = plain_text(text)
    assert not any(char < " " and char not in "\t\n" for char in plain)
    assert plain_text(plain) == plain


@settings(deadline=None)
@given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=70), max_size=60))
def test_a_recording_without_movements_is_its_lines(lines: list[str]) -> None:
    text = "\r\n".join(lines)
    assert plain_text(f"{header(80, 24)}{text}{CSI}K").rstrip() == plain_text(text).rstrip()


def test_long_recordings_are_played_from_near_their_end() -> None:
    """The bounds hold: what is older than they allow is not played, and what is shown at last is."""
    text = f"{CSI}Hold\r\n" + "x" * playback.LONGEST + f"\r\n{CSI}2J{CSI}Hnew"
    assert shown(text)[-1] == "new"
    assert "old" not in plain_text(text)
    text = f"{CSI}Hold\r\n" + f"{CSI}A\r" * playback.BUSIEST + f"{CSI}2J{CSI}Hnew"
    assert shown(text)[-1] == "new"


@pytest.mark.parametrize(
    "piece",
    [
        f"{CSI}H",
        f"{CSI}L",
        f"{CSI}200S",
        f"{CSI}2J",
        "\x1b7",
        "\t\b",
        "\x1bM",
        "\n\b",
        "\x1b]\b",
        "\u0301\b",
        f"{CSI}?1049h",
    ],
)
def test_memory_stays_bounded(piece: str) -> None:
    screen = playback.Playback(80, 24)
    for token in playback.TOKEN.finditer(piece * 3000):
        screen.play(token)
    assert len(screen.buffer) <= 24
    assert len(screen.scrolled) <= playback.SCROLLED
    assert len(screen.savepoints) <= 1
