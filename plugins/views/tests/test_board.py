"""`tracker board`: its keys with Textual's pilot, and its picture."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from time import process_time
from typing import Any
from xml.etree import ElementTree

import pytest

from tracker.api import Column, Panel


def run(
    program: Any,
    act: Callable[[Any, Any], Awaitable[None]],
    size: tuple[int, int] = (120, 34),
    every: timedelta | None = None,
) -> None:
    """A board on the program's records, and what is done to it."""
    from tracker.kernel import Session
    from tracker_views.board import Board

    session = Session()
    session.data_dir = program.root
    board = Board(session, "all", every)

    async def play() -> None:
        async with board.run_test(size=size) as pilot:
            await settled(pilot)
            await act(board, pilot)

    asyncio.run(play())


async def settled(pilot: Any) -> None:
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def cells(board: Any) -> list[list[str]]:
    table = board.query_one("#table")
    head = [str(column.label) for column in table.columns.values()]
    return [head, *([str(one) for one in table.get_row_at(place)] for place in range(table.row_count))]


def text(board: Any, where: str) -> str:
    return str(board.query_one(where).render())


def test_it_shows_meters_and_windows(recent: Any) -> None:
    async def act(board: Any, _pilot: Any) -> None:
        assert "toy fuel  ██░░░░░░░░░░░░░░░░░░  10%" in text(board, "#meters")
        head, first, second = cells(board)
        assert head[:2] == ["Window", "Provider"]
        assert (first[0], second[0]) == ("W2", "W1")
        assert second[head.index("Features")] == "2"
        assert first[head.index("Features")] == "-"
        assert board.query_one("Tabs").active_tab.label_text == "Windows"
        assert board.query("Tab").first().label_text == "Windows"

    run(recent, act)


def test_keys_choose_filter_sort_and_colour(recent: Any) -> None:
    async def act(board: Any, pilot: Any) -> None:
        await pilot.press("s")
        assert [row[0] for row in cells(board)] == ["Window ↑", "W1", "W2"]
        await pilot.press("S")
        assert [row[0] for row in cells(board)] == ["Window ↓", "W2", "W1"]
        await pilot.press("slash", *"pass")
        assert [row[0] for row in cells(board)[1:]] == ["W1"]
        await pilot.press("slash")
        assert board.table.needle == "pass/"
        await pilot.press("escape")
        assert len(cells(board)) == 3
        before = board.shown
        await pilot.press("right")
        await pilot.pause()
        assert board.shown != before
        await pilot.press("left")
        await pilot.pause()
        assert board.shown == before
        await pilot.press("d")
        assert board.theme == "textual-light"
        await pilot.press("p")
        await settled(pilot)
        assert board.period == "today"
        await pilot.press("question_mark")
        assert len(board.screen_stack) == 2
        await pilot.press("x", "y")
        assert len(board.screen_stack) == 1

    run(recent, act)


def test_it_reads_again_as_files_change_and_keeps_the_line(recent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker_views.board.PAUSE", 0)

    async def act(board: Any, pilot: Any) -> None:
        await pilot.press("down")
        rows, drawn = len(cells(board)), board.table.drawn
        board.look()
        await settled(pilot)
        assert board.table.drawn is drawn
        reset = (datetime.now(UTC) + timedelta(hours=2)).isoformat(timespec="seconds")
        pane = f"fuel 60% reset {reset}\nheat 1%"
        recent("alias", "start", "toy", "--stdin", "--window", "W3", stdin=pane).ok()
        board.look()
        await settled(pilot)
        assert len(cells(board)) == rows + 1
        assert board.query_one("#table").cursor_row == 1
        assert "60%" in text(board, "#meters")

    run(recent, act)


def test_a_narrow_screen_leaves_out_columns_and_says_so(recent: Any) -> None:
    async def act(board: Any, _pilot: Any) -> None:
        assert "Not shown at this width: " in text(board, "#about")
        assert "Features" in cells(board)[0]
        assert max(line.cell_length for line in board.screen._compositor.render_strips()) <= 80

    run(recent, act, (80, 24))


def test_a_small_terminal_ends_nothing_and_a_larger_one_gets_everything(recent: Any) -> None:
    async def act(board: Any, pilot: Any) -> None:
        assert "Not shown at this width: " in text(board, "#about")
        for width, height in ((40, 10), (4, 2), (200, 40)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
        assert "Not shown at this width: " not in text(board, "#about")
        assert "toy fuel" in text(board, "#meters")
        assert "Reset at" in text(board, "#meters")

    run(recent, act, (80, 24))


def drawn(board: Any) -> list[str]:
    return ["".join(one.text for one in line).rstrip() for line in board.screen._compositor.render_strips()]


def test_no_key_of_the_last_line_is_cut_and_the_help_fits(recent: Any) -> None:
    from tracker_views.keys import HELP

    async def act(board: Any, pilot: Any) -> None:
        for width, shown in (
            (44, "← → panel  / filter  ? help  q quit"),
            (60, "← → panel  / filter  s sort  p period  ? help  q quit"),
            (80, "← → panel  / filter  s sort  p period  r read  d dark/light  ? help  q quit"),
            (45, "← → panel  / filter  ? help  q quit"),
        ):
            await pilot.resize_terminal(width, 18)
            for _ in range(100):  # a busy machine draws later
                await pilot.pause()
                if drawn(board)[-1].strip() == shown:
                    break
            assert drawn(board)[-1].strip() == shown
        await pilot.resize_terminal(44, 18)
        await pilot.press("question_mark")
        await pilot.pause()
        lines = [line[1:-1].strip() for line in drawn(board) if line[:1] == line[-1:] == "│"]
        assert [line for line in lines if line] == [line.strip() for line in HELP.splitlines() if line]

    run(recent, act, (45, 18))


def test_meters_that_have_no_room_are_counted(recent: Any) -> None:
    async def act(board: Any, pilot: Any) -> None:
        from attrs import evolve

        rows = [{**row, "title": f"meter {place}"} for place in range(10) for row in board.strip.meters.rows[:1]]
        board.strip.meters = evolve(board.strip.meters, rows=rows)
        for size, shown in (((120, 24), 6), ((120, 60), 10)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            found = text(board, "#meters")
            assert found.count("meter ") == shown
            assert ("and 4 more: `tracker status` shows every meter" in found) == (shown < 10)
            # all of it is on the screen
            assert board.query_one("#meters").size.height == found.count("\n") + 1

    run(recent, act)


def test_on_a_low_screen_a_row_is_seen(recent: Any) -> None:
    """What is said of the panel took all lines below ten meters."""

    async def act(board: Any, pilot: Any) -> None:
        from attrs import evolve

        rows = [{**row, "title": f"meter {place}"} for place in range(10) for row in board.strip.meters.rows[:1]]
        board.strip.meters = evolve(board.strip.meters, rows=rows)
        await pilot.resize_terminal(44, 18)
        await pilot.pause()
        await pilot.pause()
        assert any(line.lstrip().startswith("W2") for line in drawn(board)), drawn(board)

    run(recent, act)


def test_a_strangers_panel_is_shown_and_its_error_is_one_line(
    program: Any, monkeypatch: pytest.MonkeyPatch, add_feature: Callable[..., None]
) -> None:
    def panels(session: Any, period: Any) -> list[Panel]:
        columns = (Column(key="day", title="Day", rank=0), Column(key="cups", title="Cups", kind="count"))
        return [Panel(name="coffee", title="Coffee", columns=columns, rows=[{"day": "Monday", "cups": 1234}])]

    def broken(session: Any, period: Any) -> list[Panel]:
        raise ValueError("the pot\nis empty")

    add_feature("coffee", panels=panels)
    add_feature("tea", panels=broken)

    async def act(board: Any, _pilot: Any) -> None:
        assert board.shown == "acme-coffee: coffee"
        assert "Coffee (acme-coffee)" in [str(tab.label) for tab in board.query("Tab")]
        assert cells(board) == [["Day", "Cups"], ["Monday", "1,234"]]
        assert "tea could not show its part: ValueError: the pot is empty" in text(board, "#about")

    run(program, act)


def test_it_reads_the_meters_in_the_background_if_it_is_asked_to(
    program: Any, add_feature: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_DISABLE_PLUGINS", "capture")  # whose own sampler would answer first
    paces, turns, gate = [], [], Event()

    def turn(session: Any) -> list[str]:
        turns.append(session.root)
        if len(turns) > 1:
            return []
        assert gate.wait(60)
        return ["codex did not answer; asking again at 12:00"]

    def meter_sampler(session: Any, every: timedelta) -> Any:
        paces.append(every)
        return turn

    add_feature("a_sampler", meter_sampler=meter_sampler)
    program("alias", "start", "toy", "--stdin", "--window", "W1", stdin="fuel 10%\nheat 1%").ok()

    async def act(board: Any, pilot: Any) -> None:
        board.sample()
        board.sample()
        await pilot.press("s")  # the screen is not blocked, and nobody is asked twice at once
        assert cells(board)[0][0] == "Window ↑"
        assert len(turns) <= 1
        gate.set()
        await settled(pilot)
        assert "codex did not answer" in text(board, "#about")
        board.sample()
        await settled(pilot)
        assert "codex did not answer" not in text(board, "#about")

    run(program, act, every=timedelta(minutes=5))
    assert paces == [timedelta(minutes=5)]
    assert set(turns) == {program.root}
    assert "Expected 5m, 2h or 1d" in program("board", "--every", "soon").refused(2)


def test_a_panel_that_does_not_end_is_left_out_of_a_picture_and_named(
    program: Any, add_feature: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def panels(session: Any, period: Any) -> list[Any]:
        end = process_time() + 20
        while process_time() < end:
            pass
        return []

    monkeypatch.setenv("TRACKER_PLUGIN_SECONDS", "0.1")
    add_feature("looping", panels=panels)
    done = program("board", "--once")
    assert "plugin 'looping' failed to panels: did not finish within 0.1 s" in done.err
    assert done.ok().startswith("<svg")


def test_once_prints_a_picture_that_loads_nothing(recent: Any, tmp_path: Path) -> None:
    done = recent("board", "--once", "--period", "all", "--out", str(tmp_path / "board.svg"))
    assert done.ok() == ""
    assert done.err.startswith(f"{tmp_path / 'board.svg'}: ")
    written = (tmp_path / "board.svg").read_text()
    root = ElementTree.fromstring(written)
    assert "W1" in "".join(root.itertext())
    assert "url(" not in written.replace("url(#", "")
    assert "needs a terminal" in recent("board").refused()
    assert "The board has no JSON. Type `tracker report --json`" in recent("board", "--json", "--once").refused(2)
    assert "needs --once" in recent("board", "--out", "x.svg").refused(2)


def test_a_column_of_texts_numbers_and_times_is_sorted(program: Any, add_feature: Callable[..., None]) -> None:
    def panels(session: Any, period: Any) -> list[Panel]:
        columns = (Column(key="day", title="Day", rank=0), Column(key="cups", title="Cups"))
        values = ("many", 2, None, datetime(2026, 3, 12, tzinfo=UTC), 1)
        return [Panel(name="coffee", title="Coffee", columns=columns, rows=[{"day": "x", "cups": v} for v in values])]

    add_feature("coffee", panels=panels)

    async def act(board: Any, pilot: Any) -> None:
        await pilot.press("s", "s")
        assert [row[1][:4] for row in cells(board)] == ["Cups", "1", "2", "2026", "many", "-"]
        await pilot.press("S")
        assert [row[1][:4] for row in cells(board)] == ["Cups", "many", "2026", "2", "1", "-"]

    run(program, act)


def test_a_filter_says_how_many_rows_it_hides(recent: Any) -> None:
    async def act(board: Any, pilot: Any) -> None:
        head = cells(board)[0]
        await pilot.press("slash", *"zzz", "enter")
        assert cells(board) == [head]
        assert text(board, "#about").startswith("0 of 2 rows pass the filter 'zzz'. Escape shows all.")
        await pilot.press("escape")
        assert len(cells(board)) == 3
        assert "filter" not in text(board, "#about")

    run(recent, act)


def test_on_eighty_columns_all_that_is_not_shown_is_named(recent: Any, add_feature: Callable[..., None]) -> None:
    names = [f"Weight of part {number:02}" for number in range(16)]
    columns = [Column(key=name, title=name, kind="count", rank=rank) for rank, name in enumerate(names)]
    parts = Panel(
        name="windows", title="Parts", columns=columns, rows=[dict.fromkeys(names, 1)], about="In grams. " * 6
    )
    add_feature("parts", panels=lambda session, period: [parts])

    async def act(board: Any, pilot: Any) -> None:
        while board.shown != "acme-parts: windows":
            await pilot.press("right")
        await pilot.pause()
        about = board.query_one("#about")
        assert text(board, "#about").endswith(f"{names[-1]}.")
        width = about.size.width
        assert about.size.height == about.get_content_height(board.size, board.size, width) > 3
        assert board.table.size.height > 5

    run(recent, act, (80, 24))


def test_the_head_names_the_period_of_the_rows(recent: Any) -> None:
    from tracker_views.refresh import Answer

    gate = Event()

    async def act(board: Any, pilot: Any) -> None:
        reader = board.reader

        def slow(*asked: Any) -> Any:
            assert gate.wait(60)
            return reader(*asked)

        board.reader = slow
        await pilot.press("p", "s")
        assert text(board, "#head").startswith("tracker · all, reading today… · read ")
        gate.set()
        await settled(pilot)
        assert text(board, "#head").startswith("tracker · today · read ")
        board.reader = lambda *_: Answer(error="The disk is gone.")
        await pilot.press("p")
        await settled(pilot)
        assert text(board, "#head").startswith("tracker · today · read ")
        assert "The disk is gone." in text(board, "#about")
        board.reader = reader

    run(recent, act)
