"""`tracker status` of a window that lacks something: first what makes it measure."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from outcomes import ok

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def ago(**length: float) -> str:
    return (datetime.now(UTC) - timedelta(**length)).isoformat(timespec="seconds")


def start(toys: Run, pane: str, **length: float) -> None:
    ok(toys("start", "toy", "--stdin", "--captured-at", ago(**length), stdin=pane))


def end(toys: Run, pane: str, **length: float) -> None:
    ok(toys("end", "toy", "--stdin", "--captured-at", ago(**length), stdin=pane))


def test_a_pair_of_which_one_pane_lacks_the_meter_is_measured_first(toys: Run) -> None:
    """Whoever finalized it at once lost the window, while a whole pane could still be taken."""
    start(toys, "fuel 10%", hours=3)
    end(toys, "heat 5%", hours=2)
    why = "W0-01 does not measure toy, since its AFTER lacks fuel: "
    [cure] = re.findall(f"next: {why}tracker (.*)", ok(toys("status")))
    assert cure == "end toy --stdin --window W0-01"
    assert f"Next: tracker {cure}\n" in ok(toys())
    assert json.loads(ok(toys("status", "--json")))["ready"] == []
    # what is captured now measures the next window, too
    start(toys, "fuel 30%", hours=1)
    [cure] = re.findall(f"\n{why}tracker (.*)", ok(toys("status")))
    assert cure.startswith("override toy --phase after --window W0-01 --captured-at ")
    ok(toys(*cure.replace(" N", " 20").split()))
    status = ok(toys("status"))
    assert "measures nothing" not in status
    assert "Ready to finalize: W0-01\n" in status


def test_a_before_without_the_meter_is_typed_once_its_window_has_an_after(toys: Run) -> None:
    start(toys, "heat 5%", hours=3)
    end(toys, "fuel 20%", hours=2)
    [cure] = re.findall("since its BEFORE lacks fuel: tracker (.*)", ok(toys("status")))
    ok(toys(*cure.replace(" N", " 5").split()))
    assert "Ready to finalize: W0-01\n" in ok(toys("status"))
    assert "capacity=15 pp" in ok(toys("complete", "--window", "W0-01", "--toy-features", "1"))


def test_an_after_behind_a_reset_is_typed(toys: Run) -> None:
    start(toys, f"fuel 10% reset {ago(hours=1)}", hours=3)
    end(toys, f"heat 5%\nfuel x% reset {ago(hours=1)}", hours=2)
    assert "lacks fuel: tracker override toy --phase after --window W0-01" in ok(toys("status"))


def test_panes_that_both_lack_the_meter_are_of_one_that_nobody_can_read(toys: Run) -> None:
    start(toys, "heat 5%", hours=3)
    end(toys, "heat 6%", hours=2)
    assert "Ready to finalize: W0-01\n" in ok(toys("status"))


def test_a_window_that_was_begun_anew_is_not_ready(toys: Run) -> None:
    """It was open, and ready to finalize."""
    start(toys, "fuel 10%", minutes=30)
    end(toys, "fuel 12%", minutes=20)
    again = ("start", "toy", "--stdin", "--window", "W0-01", "--captured-at", ago(minutes=10))
    ok(toys(*again, stdin="fuel 13%"))
    assert "Ready" not in ok(toys("status"))
    assert re.findall("Next: .*", ok(toys())) == ["Next: tracker end toy --stdin"]
    end(toys, "fuel 15%", minutes=5)
    assert "Ready to finalize: W0-01" in ok(toys("status"))


def test_a_provider_joins_the_window_that_another_one_began_since(toys: Run) -> None:
    """Both went on with ids of their own, where one of their windows had another name."""
    for provider, window, pane, hours in (("tally", "W0-03", "3", 9), ("toy", "H20260110-0800", "fuel 1%", 7)):
        for verb, taken in (("start", hours), ("end", hours - 1)):
            words = ("--stdin", "--window", window, "--captured-at", ago(hours=taken))
            ok(toys(verb, provider, *words, stdin=pane.replace("1", str(10 - taken))))
        ok(toys("complete", "--window", window, f"--{provider}-features", "1"))
    start(toys, "fuel 10%", hours=2)
    said = ok(toys("status"))
    assert "  next: BEFORE of H20260110-0800-02, since W0-03 is finalized: tracker start tally --stdin\n" in said
    joined = "stored tally before snapshot for H20260110-0800-02 (awaiting end)\n"
    assert ok(toys("start", "tally", "--stdin", "--captured-at", ago(hours=1), stdin="5")) == joined
    # one that was open before it ended its own is not joined
    ok(toys("end", "tally", "--stdin", stdin="6"))
    assert "for H20260110-0800-03 " in ok(toys("start", "tally", "--stdin", stdin="6"))


def test_no_provider_joins_a_window_that_was_over_when_a_newer_one_began(toys: Run) -> None:
    """Its `complete` was forgotten: it was one provider's Monday, and would have been another's Tuesday as well."""

    def joined(*words: str, pane: str = "5") -> str:
        return re.findall("for (W0-..) ", ok(toys("start", "tally", "--stdin", *words, stdin=pane)))[0]

    for verb, hours in (("start", 40), ("end", 39)):
        ok(toys(verb, "tally", "--stdin", "--captured-at", ago(hours=hours), stdin=f"{50 - hours}"))
    ok(toys("complete", "--window", "W0-01", "--tally-features", "1"))
    for window, hours in (("W0-02", 30), ("W0-03", 6)):
        ok(toys("start", "toy", "--stdin", "--window", window, "--captured-at", ago(hours=hours), stdin="fuel 1%"))
        end(toys, "fuel 2%", hours=hours - 1)
        # two sessions of one day, one behind the other
        assert joined() == window
        ok(toys("undo", "--yes"))
    ok(toys("complete", "--window", "W0-03", "--toy-features", "1"))
    assert "next: BEFORE of W0-04, since W0-01 is finalized: tracker start tally --stdin\n" in ok(toys("status"))
    assert joined() == "W0-04"
    ok(toys("undo", "--yes"))
    assert joined("--window", "W0-02") == "W0-02", "it was named"
    ok(toys("undo", "--yes"))
    assert joined("--captured-at", ago(hours=20)) == "W0-02", "the newer one had not begun"
    ok(toys("undo", "--yes"))
    ok(toys("start", "toy", "--stdin", "--window", "W0-02", stdin="fuel 3%"))
    assert joined() == "W0-02", "it is open again"


def test_a_window_whose_id_is_as_long_as_can_be_ends_no_screen(toys: Run) -> None:
    """No id follows it: `start` asks for one, and every screen was that refusal."""
    window = "feature-" * 7 + "branches"
    ok(toys("start", "toy", "--stdin", "--window", window, "--captured-at", ago(hours=3), stdin="fuel 1%"))
    end(toys, "fuel 2%", hours=2)
    ok(toys("complete", "--window", window, "--toy-features", "1"))
    assert f"{window} is finalized, and no id follows it: `tracker start toy --stdin --window W` names one" in ok(
        toys("status")
    )
