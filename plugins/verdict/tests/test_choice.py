"""What a decision takes if two of several providers are compared, and in which order windows were measured."""

from __future__ import annotations

import json
from typing import Any

WHEN = "2026-01-01T12:00:00Z"
CODEX = [(4, 10, WHEN)] * 6
CLAUDE = [(1, 10, WHEN), (2, 10, WHEN), (1, 12, WHEN)] * 2


def test_to_name_two_of_three_is_a_choice_among_three(verdicts: Any) -> None:
    """`compare` said that retiring takes 20 to 1, and `compare glm claude`, right afterwards, to retire claude."""
    verdicts.settings('[prices]\ncodex = "100/mo:1bars"\nclaude = "100/mo:1bars"\nglm = "100/mo:100prompts"\n')
    verdicts.rows(codex=CODEX, claude=CLAUDE, glm=[(1, 10, WHEN)] * 3)
    said = verdicts("compare", "codex", "claude").ok()
    assert "  Retiring a side takes evidence of 20 to 1, as a choice among 3 providers. " in said
    for words in ((), ("codex", "claude")):
        found = json.loads(verdicts("--json", "compare", *words).ok())
        assert {gate["evidence"] for one in found for gate in one["gates"]} == {3, 20}


def test_one_that_cannot_be_held_against_two_is_no_choice(verdicts: Any) -> None:
    """Prompts without a price, beside points."""
    verdicts.rows(codex=CODEX, claude=CLAUDE, glm=[(1, 10, WHEN)] * 3)
    [found] = json.loads(verdicts("--json", "compare", "codex", "claude").ok())
    assert [gate["evidence"] for gate in found["gates"]] == [3, 10]


def test_windows_of_one_side_before_all_of_the_other_decide_nothing(verdicts: Any) -> None:
    """With eight windows a day a vendor's step at the switch opened the gate of 10 for 38 % of equal pairs."""
    codex = [(4, 10, f"2026-01-01T{8 + at:02d}:00:00Z") for at in range(8)]
    claude = [(at % 2, 10, f"2026-01-02T{8 + at:02d}:00:00Z") for at in range(8)]
    verdicts.rows(codex=codex, claude=claude)
    [found] = json.loads(verdicts("--json", "compare", "codex", "claude").ok())
    assert found["evidence"] > 10
    assert (found["first"], found["verdict"], [gate["open"] for gate in found["gates"]]) == (
        *("codex", "not enough data"),
        [False, False],
    )
    said = verdicts("compare", "claude", "codex").ok()
    assert " more windows of each, alternating" in said
    assert (
        " to 1 says codex delivers more per pp, but all of codex was measured before claude: a change in"
        " between would look the same.\n"
    ) in said
    verdicts.rows(codex=[*codex[1:], (*codex[0][:2], "2026-01-02T09:30:00Z")], claude=claude)
    [found] = json.loads(verdicts("--json", "compare", "codex", "claude").ok())
    assert (found["first"], found["verdict"]) == (None, "retire")
