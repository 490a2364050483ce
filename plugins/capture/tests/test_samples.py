"""`tracker capture --sample`: meters for the history, in no window."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from functools import partial
from subprocess import PIPE
from typing import Any

import pytest
from outcomes import ok, refused

from tracker.hosting.guard import guarded
from tracker.session import Session
from tracker_capture import samples
from tracker_capture.origins.answer import parsing

PRINTED = "print_v2.1.330_base_max_110col"


def test_a_sample_opens_no_window_and_unchanged_values_are_one_run(machine: Any, event: Any) -> None:
    now = time.time()
    machine.rollout("a", event(64, age=60, now=now))
    first = ok(machine("capture", "--sample", "codex", "--from", "rollout"))
    assert first.startswith("sampled codex (rollout, ")
    assert first.endswith(" old): fiveh=11% weekly=64%\n")
    ok(machine("capture", "--sample", "codex", "--from", "rollout"))
    assert len(machine.rows("readings")) == 1
    machine.rollout("a", event(64, age=0, now=now))
    ok(machine("capture", "--sample", "codex", "--from", "rollout"))
    old, new = machine.rows("readings")
    assert (new["supersedes"], new["captured_at"]) == ([old["record_id"]], old["captured_at"])
    assert new["until"] > old["until"]
    assert machine.rows("snapshots") == []
    said = ok(machine("status"))
    assert "weekly  64%" in said
    assert "Next: tracker windows propose (in the repository where you worked), or tracker start codex\n" in said
    (machine.folder / ".git").mkdir()
    assert "Next: tracker windows propose\n" in ok(machine("status"))
    assert json.loads(ok(machine("--json", "windows"))) == []


def test_every_provider_is_sampled_side_by_side_and_one_that_hangs_delays_no_other(machine: Any, event: Any) -> None:
    machine.rollout("a", event(64))
    machine.program("claude", "time.sleep(600)")
    done = machine("capture", "--sample", "--all", TRACKER_ORIGIN_SECONDS="2")
    ok(done)
    assert "sampled codex (rollout" in done.stdout
    assert "warning: claude " in done.stderr
    assert "warning: glm " in done.stderr
    assert [row["provider"] for row in machine.rows("readings")] == ["codex"]


@pytest.mark.parametrize("words", [("capture", "--sample", "--all"), ("watch",)])
def test_an_answer_is_stored_and_told_while_another_program_hangs(
    machine: Any, event: Any, words: tuple[str, ...]
) -> None:
    """They waited for the slowest program, and Ctrl-C lost them."""
    machine.rollout("a", event(64))
    machine.program("claude", "open('asked', 'w').write(str(os.getpid()))\ntime.sleep(600)")
    asked = machine.folder / "asked"
    interruptible = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    with machine.process(*words, stdout=PIPE, stderr=PIPE, preexec_fn=interruptible) as process:
        try:
            told = b"-"
            while told and b"codex" not in told:
                told = process.stdout.readline()
            while not (asked.exists() and asked.read_text()):
                time.sleep(0.02)
            # it was not given up
            os.kill(int(asked.read_text()), 0)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        finally:
            process.kill()
    assert b"weekly=64%" in told
    assert [row["provider"] for row in machine.rows("readings")] == ["codex"]


def test_a_line_is_said_where_results_go_while_a_plugin_reads_another_answer(
    machine: Any, event: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The guard around a plugin moves the whole process's stdout."""
    machine.rollout("a", event(64))
    found = machine.ask("codex", "rollout")
    session, is_moved = Session(), threading.Event()
    monkeypatch.setattr(samples, "side_by_side", lambda *_: iter([(0, found)]))

    def read() -> None:
        with parsing, guarded("claude", "parse_status"):
            is_moved.set()
            time.sleep(0.3)

    thread = threading.Thread(target=read)
    thread.start()
    is_moved.wait()
    samples.take(session, [session.source("codex")], None, None)
    thread.join()
    said = capfd.readouterr()
    assert (said.out.partition(" (")[0], said.err) == ("sampled codex", "")


def test_what_is_not_stored_is_not_sampled(machine: Any, event: Any) -> None:
    """A reading of behind its own resets was sampled in words, with the values of before them."""
    machine.rollout("a", event(64, age=-3.9 * 86400, now=time.time() - 4 * 86400, resets_in=-1))
    done = machine("capture", "--sample", "codex", "--from", "rollout")
    said = ok(done)
    assert said.startswith("read codex, stored nothing (rollout, 2 h ")
    assert said.endswith(" old): fiveh, weekly reset since\n")
    assert "note: this reading is from before the reset at " in done.stderr
    assert machine.rows("readings") == []


def test_what_fails_is_said_and_nothing_is_stored(machine: Any) -> None:
    # a pane on stdin would open a window
    assert refused(machine("capture", "--sample", "codex")).endswith("Also tried: rollout. Nothing was stored.")
    assert machine("capture", "--sample", "--all").returncode == 1
    for wrong in (["--all"], ["--sample"], ["--sample", "codex", "--phase", "after"], ["--sample", "--all", "codex"]):
        assert machine("capture", *wrong).returncode == 2
    assert machine.rows("readings") == []


def test_a_sample_names_the_first_origin_at_hand_that_failed(machine: Any) -> None:
    """It named the last of the list: without a network, a file that nobody misses."""
    machine.program("claude", "sys.exit('Error: connect ENETUNREACH')")
    said = refused(machine("capture", "--sample", "claude"))
    assert said.startswith("error: claude usage: claude ended with status 1: 'Error: connect ENETUNREACH'. ")
    assert said.endswith(" Also tried: print, statusline, transcript. Nothing was stored.")


def test_a_sample_that_says_nothing_of_now_says_so(machine: Any, event: Any) -> None:
    """It was sampled with success, and every command that had named it as a cure named it again."""
    now = time.time()
    machine.rollout("a", event(64, age=1800, now=now))
    first, again = (machine("capture", "--sample", "codex", "--from", "rollout") for _ in range(2))
    assert "note: " not in first.stderr
    assert first.stdout == again.stdout
    assert "note: this reading is not newer than the stored one of " in again.stderr
    assert again.stderr.endswith("; codex has a new reading once it is used\n")
    machine.rollout("a", event(64, age=30 * 86400, now=now - 30 * 86400))
    assert "note: this reading is from before the reset at " in machine("capture", "--sample", "codex").stderr


def test_a_reading_of_the_future_is_no_sample(machine: Any, event: Any) -> None:
    machine.rollout("a", event(10, age=-1200))
    assert "Z): check the clock of the machine that wrote it" in refused(
        machine("capture", "--sample", "codex", "--from", "rollout")
    )
    assert machine.rows("readings") == []
    machine.rollout("a", event(10, age=-110))
    ok(machine("capture", "--sample", "codex"))


def test_a_piped_pane_is_no_sample(machine: Any) -> None:
    said = refused(machine("capture", "--sample", "codex", "--from", "stdin"), 2)
    assert "A pane on stdin belongs to a window. Leave out --sample" in said


def test_rows_of_several_providers_have_the_order_of_their_names(machine: Any, event: Any) -> None:
    """They had that of the answers, which no two runs share."""
    machine.rollout("a", event(64))
    machine.program("claude", f"time.sleep(1)\nprint({machine.printed()!r})")
    rows = json.loads(ok(machine("capture", "--sample", "--all", "--json")))
    assert [row["provider"] for row in rows] == ["claude", "codex"]


def test_a_dry_run_prints_the_row(machine: Any, event: Any) -> None:
    machine.rollout("a", event(64))
    [row] = json.loads(ok(machine("capture", "--sample", "codex", "--dry-run")))
    assert (row["parsed"]["weekly_used"], row["plan"], row["origin"]) == (64, "pro", "rollout")
    assert machine.rows("readings") == []
