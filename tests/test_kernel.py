"""What features may import grows only on purpose: `tests/kernel.txt` lists the names of `tracker.kernel`."""

from __future__ import annotations

import re
from pathlib import Path

from tracker import kernel

ROOT = Path(__file__).parents[1]
RECORDED = Path(__file__).with_name("kernel.txt").read_text(encoding="utf-8").split()
MOST = 45


def test_no_name_is_added_unnoticed() -> None:
    assert sorted(RECORDED) == RECORDED
    assert kernel.__all__ == RECORDED
    assert len(RECORDED) <= MOST


def test_every_name_can_be_imported_and_says_what_it_is() -> None:
    assert [name for name in kernel.__all__ if not getattr(kernel, name).__doc__] == []


def test_every_name_has_its_line_in_the_documentation() -> None:
    """Its own line with a text, and no line is about a name that is gone."""
    text = (ROOT / "docs" / "reference" / "kernel.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \| \S.*\|$", text, re.M)) == RECORDED


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(kernel, "captures")
