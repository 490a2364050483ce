"""A risk that was asked for is never go if it is not known; the answer says what to type without it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

UNLIKELY, LIKELY = 45, 85


def read(verdicts: Any, used: float, *, days: float | None = 3, meter: str = "weekly") -> None:
    resets = () if days is None else (f"--{meter}-resets", (datetime.now(UTC) + timedelta(days=days)).isoformat())
    verdicts("override", "codex", "--window", "W1", "--phase", "before", f"--{meter}-pct", str(used), *resets).ok()


@pytest.mark.parametrize(
    ("used", "limit", "state"),
    [
        (UNLIKELY, None, "go"),
        (UNLIKELY, 0, "unknown"),
        (UNLIKELY, 0.2, "unknown"),
        # what is unlikely is less than even
        (UNLIKELY, 0.5, "go"),
        (UNLIKELY, 1, "go"),
        (LIKELY, None, "stop"),
        (LIKELY, 0.2, "stop"),
        (LIKELY, 0.9, "unknown"),
        (LIKELY, 1, "go"),
    ],
)
def test_a_short_history_answers_as_far_as_its_word_does(
    verdicts: Any, used: float, limit: float | None, state: str
) -> None:
    read(verdicts, used)
    words = ("gate", "codex", *(() if limit is None else ("--max-risk", str(limit))))
    done = verdicts(*words)
    assert done.out.startswith(f"{state}: codex weekly: ")
    assert done.status == {"go": 0, "stop": 3, "unknown": 4}[state]
    assert "likely to be full before the reset (0 weeks of history, 3 are needed" in done.out
    is_told = f"not known whether that is at most {limit}; leave out --max-risk to go by the word" in done.out
    assert is_told == (state == "unknown")
    assert json.loads(verdicts("--json", *words).out)["risk"] is None


@pytest.mark.parametrize(
    ("meter", "days", "why"),
    [
        ("weekly", None, "its reset is not known"),
        ("weekly", 6.9, "the reading is from the first 6 hours of its week"),
        ("fiveh", 0.1, "only weekly meters are forecast"),
    ],
)
def test_without_a_forecast_no_limit_holds(verdicts: Any, meter: str, days: float | None, why: str) -> None:
    read(verdicts, 40, days=days, meter=meter)
    words = ("gate", "codex", "--meter", meter)
    done = verdicts(*words, "--max-risk", "0.2")
    said = f"60 % left, and the risk is not known: {why}; leave out --max-risk to go by what is left"
    assert (done.status, done.out) == (4, f"unknown: codex {meter}: {said}\n")
    assert verdicts(*words).ok() == verdicts(*words, "--max-risk", "1").ok() == f"go: codex {meter}: 60 % left\n"


def test_no_wait_makes_a_history_longer(verdicts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: pytest.fail("it waits for weeks"))
    read(verdicts, UNLIKELY)
    assert verdicts("gate", "codex", "--max-risk", "0.2", "--wait").status == 4


def test_the_help_says_what_the_limit_does_and_what_decides_without_it(verdicts: Any) -> None:
    said = " ".join(verdicts("gate", "--help").ok().split())
    assert "Stop above this chance, from 0 to 1, that the meter is full before its reset [default: 0.2]." in said
    assert 'With less than 3 weeks of history there is no number: it stops at "likely".' in said


def test_an_old_reading_has_no_risk(verdicts: Any) -> None:
    """Hours that nobody read since would count as hours without use. `tracker plan` refuses it, too."""
    at = datetime.now(UTC) - timedelta(hours=10)
    pane = (
        f">_ OpenAI Codex (v0.44.0)\n Weekly limit: [██░░] 60% left (resets {at + timedelta(days=3):%H:%M on %d %b})\n"
    )
    words = ("alias", "start", "codex", "--stdin", "--window", "W1", "--captured-at", at.isoformat())
    verdicts(*words, stdin=pane).ok()
    gate = ("gate", "codex", "--max-age", "2d")
    assert verdicts(*gate).ok() == "go: codex weekly: 60 % left\n"
    done = verdicts(*gate, "--max-risk", "0.2")
    assert done.status == 4
    assert "and the risk is not known: the last reading is 10 h 0 min old; the limit is 2 h 0 min" in done.out
