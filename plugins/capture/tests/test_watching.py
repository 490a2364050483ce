"""`tracker watch`: at which pace it samples, and how it ends."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tracker.api import Gauge, Meter, Reading
from tracker.errors import Busy
from tracker_capture import watch
from tracker_capture.origins import NoAnswer
from tracker_capture.origins.answer import Answer
from tracker_capture.watch import Pace

START = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def test_the_pace_follows_errors_and_resets() -> None:
    pace = Pace(source=None, usual=timedelta(minutes=10), due=START)  # type: ignore[arg-type]
    waits = []
    for _ in range(5):
        pace.failed(START, Busy("The lock is busy."))
        waits.append(pace.due - START)
    assert waits == [timedelta(minutes=number) for number in (20, 40, 60, 60, 60)]
    for reset, due in ((90, 10), (12, 7), (3, 1)):
        pace.succeeded(START, answer_of(START, Gauge(meter="weekly", used=5.0, reset_at=minute(reset))))
        assert pace.due == minute(due)


def here(now: datetime) -> Any:
    """What a watch asks of a session."""
    return SimpleNamespace(now=now, zone=UTC, quiet=False, settings=lambda kind: kind())


def answer_of(taken: datetime, *gauges: Gauge) -> Answer:
    return Answer(reading=Reading(gauges=gauges), text=None, taken=taken, origin="rollout")


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> watch.Watch:
    """Of a provider that answers once, with a weekly meter and one whose reset is near, and then no more."""
    meters = {key: Meter(key=key, title=key) for key in ("weekly", "fiveh")}
    source: Any = SimpleNamespace(name="codex", origins=(), meters=meters.values(), meter=meters.get)
    gauges = Gauge(meter="weekly", used=5.0), Gauge(meter="fiveh", used=25.0, reset_at=minute(15))
    answers = [answer_of(START, *gauges)]

    def look(_session: Any, wanted: Any) -> Any:
        return ((one, answers.pop() if answers else NoAnswer("codex failed.", [])) for one in wanted)

    monkeypatch.setattr(watch.samples, "look", look)
    monkeypatch.setattr(watch.samples, "store", lambda *_: None)
    return watch.Watch([source], timedelta(minutes=5), START)


def test_a_lock_that_is_busy_once_ends_no_night(watched: watch.Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    def store(*_given: Any) -> None:
        raise Busy("The lock is busy. Try again.")

    monkeypatch.setattr(watch.samples, "store", store)
    assert watched.turn(here(START)) == ["The lock is busy. Try again; asking again in 10 min"]
    assert watched.text(here(START)) == "codex n/a"


def test_the_line_says_what_is_known_now(watched: watch.Watch) -> None:
    """After a night of failures it showed the values of the evening, and a meter that was reset since."""
    shown = []
    for now in map(minute, (0, 10, 16, 21, 24 * 60)):
        watched.turn(here(now))
        shown.append(watched.text(here(now)))
    assert shown == [
        "codex weekly=5% fiveh=25%",
        "codex weekly=5% fiveh=25%",
        "codex weekly=5% (fiveh reset since)",
        "codex weekly=5% (fiveh reset since), read 06:00",
        "codex weekly=5% (fiveh reset since), read Sun 22 Nov 06:00",
    ]


def test_it_has_no_json(machine: Any) -> None:
    done = machine("--json", "watch", "codex")
    assert (done.returncode, done.stdout) == (2, "")
    assert "has no JSON. Type `tracker --json capture --sample --all`." in done.stderr


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("out", "shown"),
    [
        # the line is drawn anew behind the note
        (Terminal(), "\rcodex 5%\r        \rnote: claude failed\n\rcodex 5%<end>"),
        (io.StringIO(), "codex 5%\nnote: claude failed\n"),
    ],
)
def test_a_note_stands_on_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch, out: io.StringIO, shown: str) -> None:
    class Watched:
        def __init__(self, *_given: Any) -> None:
            self.asked = 0

        def text(self, _session: Any) -> str:
            return "codex 5%"

        def turn(self, asking: Any, arrived: Any) -> list[str]:
            assert asking.quiet
            arrived()
            self.asked += 1
            if self.asked > 3:
                raise KeyboardInterrupt
            return ["claude failed"] if self.asked > 1 else []

    def say(text: str) -> None:
        out.write(f"{text}\n" if text else "<end>")

    session: Any = SimpleNamespace(now=START, quiet=False, say=say, show=say, note=say)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(watch, "Watch", Watched)
    monkeypatch.setattr(watch, "STEP_SECONDS", 0)
    watch.watch(session, (), timedelta(minutes=5))
    assert not session.quiet
    assert out.getvalue() == shown


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
def test_a_line_that_the_terminal_has_no_room_for_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be wrapped, and each drawing would begin below the last."""
    monkeypatch.setenv("COLUMNS", "30")
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    shown = watch.Line(SimpleNamespace(quiet=False))  # type: ignore[arg-type]
    shown.show("codex weekly 64%, fiveh 11% | claude weekly 40%")
    shown.show("codex n/a")
    shown.erase()
    shown.show("x" * 29)
    assert shown.text == "x" * 29
    assert all(len(part) <= 29 for part in out.getvalue().split("\r"))
    assert "codex weekly 64%, fiveh 11..." in out.getvalue()


def test_watching_ends_if_the_terminal_vanishes_without_a_signal(machine: Any, event: Any) -> None:
    machine.rollout("a", event(64))
    ours, theirs = os.openpty()
    # it is no session of its own, so that nobody sends SIGHUP
    with machine.process("watch", "codex", stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL) as process:
        os.close(theirs)
        seen = b""
        while b"weekly=64%" not in seen:
            seen += os.read(ours, 1024)
        os.close(ours)
        try:
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_watching_samples_and_ends_cleanly(machine: Any, event: Any, number: int) -> None:
    machine.rollout("a", event(64))
    interruptible = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with machine.process("watch", "codex", **pipes, preexec_fn=interruptible) as process:
        assert process.stdout.readline() == b"codex fiveh=11% weekly=64%\n"
        process.send_signal(number)
        rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest, errors) == (0, b"", b"")
    assert len(machine.rows("readings")) == 1


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="only /proc shows whose child was left")
@pytest.mark.parametrize("words", [("watch", "claude"), ("capture", "--sample", "--all"), ("capture", "claude")])
def test_a_program_that_hangs_is_not_started_again_where_the_watch_ends(machine: Any, words: tuple[str, ...]) -> None:
    """The thread that waited for it went on with the next origin, and its program stayed for ever."""
    machine.program("claude", "open('asked', 'a').write('x')\ntime.sleep(600)")
    interruptible = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    with machine.process(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=interruptible) as process:
        while not (machine.folder / "asked").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == (0 if words[0] == "watch" else 130)
    assert left(str(machine.folder)) == []


def left(folder: str) -> list[str]:
    """The processes whose program lies in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if folder in (line := (entry / "cmdline").read_bytes().decode("utf-8", "replace")):
                found.append(line)
    return found
