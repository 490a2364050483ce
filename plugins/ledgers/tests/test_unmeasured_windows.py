"""Windows that are not measured yet: what the card and the handoff say of them, and the command that leads on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from outcomes import ok

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_window_of_evidence_alone_is_known(finalized: Run) -> None:
    """Its command says that it is a new window: then the card must not call it unknown."""
    add = ("evidence", "add", "--window", "W0-99", "--capability", "C-1", "--result", "pass")
    done = finalized(*add)
    ok(done)
    assert "note: W0-99 is a new window. " in done.stderr
    card = finalized("decision-card", "--window", "W0-99").stdout
    assert "cannot be finalized: it holds no captures. Run `tracker start PROVIDER --stdin --window W0-99`." in card
    assert "Evidence passed (1 row)." in card
    assert "is a new window" not in finalized(*add).stderr
    for _ in range(2):
        ok(finalized("undo", "--yes"))
    assert "Unknown window 'W0-99'" in finalized("decision-card", "--window", "W0-99").stderr


def test_a_window_whose_end_was_forgotten_until_another_was_measured_names_no_end(toys: Run) -> None:
    """Its AFTER would hold the work of both, so that neither counted."""
    for phase, window, hour in (("start", "W1", 6), ("start", "W2", 8), ("end", "W2", 9)):
        at = f"2026-01-10T{hour:02}:00:00Z"
        done = toys(phase, "toy", "--stdin", "--window", window, "--captured-at", at, stdin=f"fuel {hour}%")
        ok(done)
    assert "note: W1 stays open for toy in this lane; `tracker status` shows how to end it\n" in done.stderr
    assert "it has no AFTER of toy. Run `tracker status`." in toys("decision-card", "--window", "W1").stdout
    assert "\ntracker status\n" in ok(toys("handoff", "--window", "W1", "--dry-run"))
    cure = "tracker alias delete toy --phase before --window W1 --keep-readings"
    assert (
        f"take its BEFORE out, then type `tracker windows add W1 --from TIME --to TIME --provider toy`: {cure}\n"
        in ok(toys("status"))
    )
