"""What the verdicts say in a report."""

from __future__ import annotations

import json
from typing import Any

from tracker.api import Period
from tracker.session import Session
from tracker_verdict import panels

FEW, MORE = [(3, 18), (2, 10), (4, 20)], [(2, 2), (3, 5), (1, 3), (4, 9), (2, 4), (3, 6)]


def test_a_report_says_why_nothing_is_compared_as_it_was_asked(verdicts: Any) -> None:
    verdicts.rows(codex=MORE)
    session = Session()
    session.data_dir = verdicts.folder / "data"
    windows = tuple(session.index.windows())
    for provider in (None, "codex"):
        [said] = panels.comparison(session, Period(windows=windows, provider=provider)).headlines
        assert said.endswith("only codex has any. Finish a window of each with `tracker complete --window W`.")
    page = verdicts("report", "--format", "md", "--last", "1").ok()
    assert "only codex has any among those that you selected. Select more, or finish" in page


def test_a_report_says_that_no_price_is_set(verdicts: Any) -> None:
    verdicts.rows(codex=MORE, claude=FEW)
    said = "nothing is compared by money: `tracker init` asks for prices."
    assert said in verdicts("report", "--format", "md").ok()
    verdicts.settings('[prices]\ncodex = "200/mo:4.3bars"\nclaude = "100/mo:4.3bars"\n')
    assert said not in verdicts("report", "--format", "md").ok()


def test_an_interval_that_says_hardly_anything_has_no_digits_and_leaves_the_dot_to_be_seen(verdicts: Any) -> None:
    """Its end is at 263,526: drawn to there, the dot of 0.63 and the line at 1 fell on one edge."""
    verdicts.rows(
        codex=[(2, 10), (2, 11), (2, 9), (2, 12), (2, 10), (2, 10)], claude=[(1, 9), (1, 11), (2, 12), (1, 9)]
    )
    assert "  Ratio 0.63, 0 to over 1,000 (95 %, however" in verdicts("compare", "claude", "codex").ok()
    assert "  Ratio 1.59, 0 to no upper limit (95 %, however" in verdicts("compare", "codex", "claude").ok()
    [found] = json.loads(verdicts("--json", "compare", "claude", "codex").ok())
    assert found["interval"][1] > 1000
    session = Session()
    session.data_dir = verdicts.folder / "data"
    panel = panels.comparison(session, Period(windows=tuple(session.index.windows())))
    [chart], [row] = panel.charts, panel.rows
    assert (chart.title, chart.top) == ("Ratio of features (1 is equal, the scale ends at 10)", 10.0)
    assert (row["interval"], row["high"]) == ("0 to over 1,000", found["interval"][1])
