"""Readings know the account and its plan: a per cent of one is not one of another."""

from __future__ import annotations

import json
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
    assert "other-plan (BEFORE and AFTER are from different plans" in done.stderr
    assert "capacity=n/a" in ok(machine("complete", "--window", "C", "--codex-features", "3"))


def test_a_before_of_another_plan_is_no_old_pane(machine: Any) -> None:
    """`undo` would have thrown it away: another plan's per cent begin lower before the same reset."""
    limit = "Weekly limit: {}% left (resets 08:00 on 24 Nov)"
    pane = ">_ OpenAI Codex (v0.169.0)\n  Account: dev@example.com ({})\n  " + limit

    def notes(verb: str, plan: str, left: int, at: int) -> str:
        done = machine(verb, "codex", "--stdin", "--captured-at", minute(at), stdin=pane.format(plan, left))
        return str(ok(done) and done.stderr)

    assert "was at" not in notes("start", "Plus", 55, 10) + notes("end", "Plus", 45, 20)
    assert "was at" not in notes("start", "Pro", 91, 30) + notes("end", "Pro", 85, 40)
    assert "weekly is at 12%, but was at 15% " in notes("start", "Pro", 88, 45)
    ok(machine("undo", "--yes"))
    # nor is it older than what the vendor gave back before
    assert "was at 15%" in notes("start", "Pro", 98, 46)
    assert "was at" not in notes("end", "Pro", 97, 50) + notes("start", "Pro", 95, 55)


def test_an_account_that_was_edited_to_be_a_list_takes_no_column_away(machine: Any) -> None:
    pane = ">_ OpenAI Codex (v0.169.0)\n  Account: dev@example.com (Plus)\n  Weekly limit: 80% left\n"
    for window in ("A", "B"):
        ok(machine("start", "codex", "--stdin", "--window", window, "--captured-at", minute(10), stdin=pane))
    first, second = machine.rows()
    path = machine.folder / "data" / "snapshots.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ({**first, "account": ["x"]}, second)))
    done = machine("--json", "windows")
    assert done.stderr == ""
    assert all(one["providers"]["codex"]["account"] for one in json.loads(ok(done)))
