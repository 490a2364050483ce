"""A meter that nobody used since its reset shows 0 % and a reset that is over: what was read is known."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

CLOCK = "%H:%M on %-d %b"
HOURS = 3600
# where it is noon now: the words of a pane have no year, and a past day would be that of the next one
AHEAD = 12 - time.gmtime().tm_hour
ZONE = ("--timezone", f"Etc/GMT{-AHEAD:+d}")


def pane(fiveh: int, weekly: int, hours: float = -2, *, warning: str = "") -> str:
    """A pane whose five hours were reset, or will be, in so many hours; its week ends in three days."""
    past, week = (time.strftime(CLOCK, time.gmtime(time.time() + (one + AHEAD) * HOURS)) for one in (hours, 72))
    rows = ((f"5h limit: {100 - fiveh}% left", past), (f"Weekly limit: {100 - weekly}% left", week))
    return "".join((">_ OpenAI Codex (v0.169.0)\n", warning, *(f" {row} (resets {at})\n" for row, at in rows)))


@pytest.fixture(autouse=True)
def codex_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine with Codex: panes are pasted."""
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setenv("PATH", str(tmp_path))


def measure(verdicts: Any) -> None:
    """Three windows, since fewer let the plan assume how much costs vary."""
    for at, (begin, end) in enumerate((("-300m", "-290m"), ("-280m", "-270m"), ("-260m", "-250m"))):
        for phase, when, more in (("start", begin, 0), ("end", end, 1)):
            words = (phase, "codex", "--stdin", "--window", f"W{at}", "--captured-at", when, *ZONE)
            verdicts(*words, stdin=pane(at + more, 40 + at + more, hours=-3.9)).ok()
        verdicts("complete", "--window", f"W{at}", "--codex-features", "1").ok()


def test_an_idle_meter_is_known_to_show_nothing_and_the_plan_can_be_go(verdicts: Any) -> None:
    measure(verdicts)
    done = verdicts("start", "codex", "--stdin", "--window", "W9", *ZONE, stdin=pane(0, 43, hours=-3.9))
    done.ok()
    assert "note: reset-over:fiveh" in done.err
    plan = verdicts("plan").ok()
    assert re.search(r"codex fiveh: 0% used at [^,\n]+, if it has not been used since its last reset\n", plan), plan
    assert plan.splitlines()[-1].startswith("codex verdict: GO"), plan
    said = "go: codex fiveh: 100 % left, if it has not been used since its last reset\n"
    assert verdicts("gate", "codex", "--meter", "fiveh").ok() == said
    # a pane of the used meter rests on nothing
    verdicts("end", "codex", "--stdin", "--window", "W9", *ZONE, stdin=pane(1, 43, hours=4.9)).ok()
    assert verdicts("gate", "codex", "--meter", "fiveh").ok() == "go: codex fiveh: 99 % left\n"


@pytest.mark.parametrize(
    ("fiveh", "warning"), [(11, ""), (0, " Warning: limits may be stale - start new turn to refresh.\n")]
)
def test_a_value_of_before_the_reset_is_said_to_be_old(verdicts: Any, fiveh: int, warning: str) -> None:
    verdicts("start", "codex", "--stdin", *ZONE, stdin=pane(fiveh, 40, warning=warning)).ok()
    done = verdicts("gate", "codex", "--meter", "fiveh")
    why = "the reading was old already, since its reset at .+ had passed; send Codex a message first"
    said = f"unknown: codex fiveh: {why}"
    assert (done.status, bool(re.fullmatch(said + "\n", done.out))) == (4, True), done.out
    [cure] = re.findall(r"`tracker (.+?)`", done.err)
    assert "the reading was old already, since its reset at " in verdicts("plan").ok()
    # after a message the pane shows the new period
    verdicts(*cure.split(), *ZONE, stdin=pane(1, 41, hours=4.9)).ok()
    assert verdicts("gate", "codex", "--meter", "fiveh").ok() == "go: codex fiveh: 99 % left\n"
