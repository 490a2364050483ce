"""Real panes as redraws, cut columns and mixed terminals garble them: no number comes out wrong without a tag."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tracker.api import Reading
from tracker_claude import usage
from tracker_kit.cases import together

garbled = pytest.importorskip("garbled", reason="the workspace has the mutations, for every plugin")


def read(text: str) -> Reading:
    captured_at = datetime(2026, 11, 22, 6, 33, 40, tzinfo=UTC)
    return usage.parse_status(text=text, captured_at=captured_at, timezone=ZoneInfo("UTC"))


SCREENS = (Path(__file__).parent / "screens").glob("*.txt")
NARROW = ("42col", "60col")
PANES = garbled.Panes({path.stem: path.read_text() for path in sorted(SCREENS)}, read, words="used")

# what is below the rule of the narrow ones, whose bars have lines of their own
BELOW = {name: text[text.index("Current session") :] for name, text in PANES.texts.items() if name[-5:] in NARROW}
HEADLESS = garbled.Panes(BELOW, read, words="used")


@together("mutation", garbled.MUTATIONS)
def test_no_number_comes_out_wrong_without_a_tag(mutation: Any) -> None:
    assert PANES.wrong(mutation) == []


def test_a_lost_digit_is_told_without_the_rule() -> None:
    assert len(HEADLESS.values) > 2
    assert HEADLESS.wrong(garbled.lost_digit) == []


def test_over_a_thousand_panes_are_garbled() -> None:
    assert len(PANES.values) * len(garbled.MUTATIONS) * garbled.EACH > 1000
