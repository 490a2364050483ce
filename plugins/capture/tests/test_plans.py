"""Readings know the plan that their account had: a per cent of one plan is not one of another."""

from __future__ import annotations

from typing import Any

from outcomes import ok


def minute(number: int) -> str:
    return f"2026-11-22T06:{number:02}:00Z"


def test_a_window_between_readings_of_two_plans_measures_nothing(machine: Any) -> None:
    pane = ">_ OpenAI Codex (v0.169.0)\n  Account: dev@example.com ({})\n  Weekly limit: {}% left\n"
    for name, told in (("A", (("Plus", 80, 10), ("Plus", 70, 20))), ("B", (("Pro 200", 60, 30), ("Pro 200", 50, 40)))):
        for verb, (plan, left, at) in zip(("start", "end"), told, strict=True):
            given = ("--window", name, "--captured-at", minute(at))
            ok(machine(verb, "codex", "--stdin", *given, stdin=pane.format(plan, left)))
    done = machine("windows", "add", "C", "--from", minute(20), "--to", minute(40))
    assert "other-plan (BEFORE and AFTER are of different plans" in done.stderr
    assert "capacity=n/a" in ok(machine("complete", "--window", "C", "--codex-features", "3"))
