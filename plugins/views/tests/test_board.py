"""`tracker board`: its keys with Textual's pilot, its picture, and the board in a real pseudo-terminal."""

from __future__ import annotations

import asyncio
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which
from threading import Event
from typing import Any
from xml.etree import ElementTree

import pytest

from tracker.api import Column, Panel


def at(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


@pytest.fixture
def filled(program: Any) -> Any:
    """A finished window and an open one."""
    for window, hours, features in (("W1", -3.0, 2), ("W2", -1.0, None)):
        own = ("--window", window)
        pane = f"fuel 10% reset {at(2)}\nheat 1%"
        program("alias", "start", "toy", "--stdin", *own, "--captured-at", at(hours), stdin=pane).ok()
        if features:
            pane = f"fuel 35% reset {at(2)}\nheat 2%"
            program("alias", "end", "toy", "--stdin", *own, "--captured-at", at(hours + 1), stdin=pane).ok()
            program("complete", *own, "--toy-features", str(features), "--quality", "1", "--outcome", "pass").ok()
    return program


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


def test_it_shows_meters_and_windows(filled: Any) -> None:
    async def act(board: Any, _pilot: Any) -> None:
        assert "toy fuel  ██░░░░░░░░░░░░░░░░░░  10%" in text(board, "#meters")
        head, first, second = cells(board)
        assert head[:2] == ["Window", "Provider"]
        assert (first[0], second[0]) == ("W2", "W1")
        assert second[head.index("Features")] == "2"
        assert first[head.index("Features")] == "-"

    run(filled, act)


def test_keys_choose_filter_sort_and_colour(filled: Any) -> None:
    async def act(board: Any, pilot: Any) -> None:
        await pilot.press("s")
        assert [row[0] for row in cells(board)] == ["Window ↑", "W1", "W2"]
        await pilot.press("S")
        assert [row[0] for row in cells(board)] == ["Window ↓", "W2", "W1"]
        await pilot.press("slash", *"pass")
        assert [row[0] for row in cells(board)[1:]] == ["W1"]
        await pilot.press("slash")
        assert board.needle == "pass/"
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

    run(filled, act)


def test_it_reads_again_as_files_change_and_keeps_the_line(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker_views.board.PAUSE", 0)

    async def act(board: Any, pilot: Any) -> None:
        await pilot.press("down")
        rows, drawn = len(cells(board)), board._drawn
        board.look()
        await settled(pilot)
        assert board._drawn is drawn
        pane = f"fuel 60% reset {at(2)}\nheat 1%"
        filled("alias", "start", "toy", "--stdin", "--window", "W3", stdin=pane).ok()
        board.look()
        await settled(pilot)
        assert len(cells(board)) == rows + 1
        assert board.query_one("#table").cursor_row == 1
        assert "60%" in text(board, "#meters")

    run(filled, act)


def test_a_narrow_screen_leaves_out_columns_and_says_so(filled: Any) -> None:
    async def act(board: Any, _pilot: Any) -> None:
        assert "Not shown at this width: " in text(board, "#about")
        assert "Features" in cells(board)[0]
        assert max(line.cell_length for line in board.screen._compositor.render_strips()) <= 80

    run(filled, act, (80, 24))


def test_a_small_terminal_gets_one_line_and_a_larger_one_everything(filled: Any) -> None:
    async def act(board: Any, pilot: Any) -> None:
        assert "Not shown at this width: " in text(board, "#about")
        await pilot.resize_terminal(40, 10)
        await pilot.pause()
        shown = "".join(line.text for line in board.screen._compositor.render_strips())
        assert " ".join(shown.split()) == "40 by 10 is too small. The board needs 44 by 18; q quits."
        await pilot.resize_terminal(200, 40)
        await pilot.pause()
        assert "Not shown at this width: " not in text(board, "#about")
        assert "toy fuel" in text(board, "#meters")
        assert "Reset at" in text(board, "#meters")

    run(filled, act, (80, 24))


def test_meters_that_have_no_room_are_counted(filled: Any) -> None:
    async def act(board: Any, pilot: Any) -> None:
        from attrs import evolve

        rows = [{**row, "title": f"meter {place}"} for place in range(10) for row in board._meters.rows[:1]]
        board._meters = evolve(board._meters, rows=rows)
        for size, shown in (((120, 24), 6), ((120, 60), 10)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            found = text(board, "#meters")
            assert found.count("meter ") == shown
            assert ("and 4 more: `tracker status` shows every meter" in found) == (shown < 10)
            # all of it is on the screen
            assert board.query_one("#meters").size.height == found.count("\n") + 1

    run(filled, act)


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
    program: Any, add_feature: Callable[..., None]
) -> None:
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


def test_once_prints_a_picture_that_loads_nothing(filled: Any, tmp_path: Path) -> None:
    done = filled("board", "--once", "--period", "all", "--out", str(tmp_path / "board.svg"))
    assert done.ok() == ""
    assert done.err.startswith(f"{tmp_path / 'board.svg'}: ")
    written = (tmp_path / "board.svg").read_text()
    root = ElementTree.fromstring(written)
    assert "W1" in "".join(root.itertext())
    assert "url(" not in written.replace("url(#", "")
    assert "needs a terminal" in filled("board").refused()
    assert "needs --once" in filled("board", "--out", "x.svg").refused(2)


@contextmanager
def terminal(filled: Any, folder: Path, *more: str, size: tuple[int, int] = (80, 24), **options: Any) -> Iterator[Any]:
    """The board in a pseudo-terminal: the terminal's other side, and the process."""
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    main, side = pty.openpty()
    termios.tcsetwinsize(side, (size[1], size[0]))
    environment = os.environ | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | options.pop("env", {})
    environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    words = more if "report" in more else ("board", "--period", "all", *more)
    command = [sys.executable, "-m", "tracker.cli", "--data-dir", str(filled.root), *words]
    with subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, env=environment, cwd=folder, **options
    ) as process:
        os.close(side)
        try:
            yield main, process
        finally:
            if process.poll() is None:
                process.kill()
            with suppress(OSError):
                os.close(main)


@pytest.mark.parametrize(("name", "key"), [("xterm-256color", b"q"), ("screen", b"\x03"), ("xterm-mono", b"q")])
def test_it_runs_in_a_terminal_and_gives_it_back(filled: Any, tmp_path: Path, key: bytes, name: str) -> None:
    with terminal(filled, tmp_path, env={"TERM": name}) as (main, process):
        # the toys are no plugins there: their windows are known, their meters are not
        seen = until(main, b"W2", b"")
        os.write(main, key)
        seen = until(main, b"\x1b[?1049l", seen)
        assert b"Traceback" not in seen
        assert process.wait(60) == 0


def test_a_dumb_terminal_is_refused(filled: Any, tmp_path: Path) -> None:
    with terminal(filled, tmp_path, env={"TERM": "dumb"}) as (main, process):
        assert process.wait(60) == 1
        assert os.read(main, 4096).startswith(b"error: The board needs a terminal. Type `tracker board --once")


@pytest.mark.parametrize(
    ("word", "refused"),
    [("--once", "SVG. Type `tracker board --once --out "), ("report", "HTML. Type `tracker report --out ")],
)
def test_a_terminal_gets_no_picture_and_no_page(filled: Any, tmp_path: Path, word: str, refused: str) -> None:
    with terminal(filled, tmp_path, word) as (main, process):
        assert process.wait(60) == 1
        assert os.read(main, 4096).decode().startswith(f"error: A terminal does not show {refused}")


def test_it_stops_on_ctrl_z_and_goes_on(filled: Any, tmp_path: Path) -> None:
    with terminal(filled, tmp_path) as (main, process):
        until(main, b"W2", b"")
        os.write(main, b"\x1a")
        seen = until(main, b"\x1b[?1049l", b"")
        end = time.monotonic() + 30
        while state(process.pid) != "T":
            assert time.monotonic() < end, seen
        os.kill(process.pid, signal.SIGCONT)
        until(main, b"W2", b"")
        os.write(main, b"q")
        until(main, b"\x1b[?1049l", b"")
        assert process.wait(60) == 0


def state(process: int) -> str:
    return subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout[:1]


def test_it_ends_if_the_terminal_is_gone_and_no_signal_comes(filled: Any, tmp_path: Path) -> None:
    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    for wanted in (b"Reading", b"W2"):
        with terminal(filled, tmp_path, preexec_fn=ignore, start_new_session=True) as (main, process):
            until(main, wanted, b"")
            os.close(main)
            assert process.wait(30) == 129
            # its group is empty: what it was reading with has ended, too
            end = time.monotonic() + 30
            while group_exists(process.pid):
                assert time.monotonic() < end


def group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(which("tmux") is None, reason="tmux is not installed")
def test_it_runs_in_tmux(filled: Any, tmp_path: Path) -> None:
    def tmux(*arguments: str) -> str:
        # a server of its own, which ends with its only session
        command = ["tmux", "-f", os.devnull, "-S", str(tmp_path / "socket"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    def screen(wanted: str, unwanted: str = "\0") -> list[str]:
        end = time.monotonic() + 300
        while wanted not in (shown := tmux("capture-pane", "-p")) or unwanted in shown:
            # whatever is drawn is told at once; on a machine that is busy with other things a minute may pass between
            is_drawn = select.select([watcher.stdout], [], [], 60)[0] and os.read(watcher.stdout.fileno(), 1 << 16)
            assert is_drawn, (wanted, shown)
            assert time.monotonic() < end, (wanted, shown)
        return shown.splitlines()

    command = [sys.executable, "-m", "tracker.cli", "--data-dir", str(filled.root), "board", "--period", "all"]
    tmux(
        "new-session",
        "-d",
        "-x",
        "80",
        "-y",
        "24",
        f"env LC_ALL=C.UTF-8 {shlex.join(command)}; echo ended $?; sleep 60",
    )
    watcher = subprocess.Popen(
        ["tmux", "-S", str(tmp_path / "socket"), "-C", "attach", "-f", "ignore-size"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert watcher.stdin
    assert watcher.stdout
    try:
        shown = screen("W2")
        assert len(shown) == 24
        assert "q quit" in shown[-1]
        tmux("send-keys", "?")
        screen("this help; any key closes it")
        tmux("send-keys", "Escape")
        screen("W2", "any key closes it")
        tmux("send-keys", "/", "W1", "Enter")
        screen("W1", "W2")
        tmux("send-keys", "q")
        assert "W1" not in "".join(screen("ended 0"))
    finally:
        tmux("kill-server")
        watcher.communicate(timeout=60)


def until(main: int, wanted: bytes, seen: bytes) -> bytes:
    end = time.monotonic() + 60
    while wanted not in seen:
        assert select.select([main], [], [], max(0.0, end - time.monotonic()))[0], seen[-2000:]
        try:
            seen += os.read(main, 65536)
        except OSError:
            break
    assert wanted in seen, seen[-2000:]
    return seen
