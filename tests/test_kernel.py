"""What features may import grows only on purpose: `tests/kernel.txt` lists the names of `tracker.kernel`."""

from __future__ import annotations

from pathlib import Path

from tracker import kernel

RECORDED = Path(__file__).with_name("kernel.txt").read_text(encoding="utf-8").split()


def test_no_name_is_added_unnoticed() -> None:
    assert sorted(RECORDED) == RECORDED
    assert set(kernel.__all__) - set(RECORDED) == set()


def test_every_name_can_be_imported_and_says_what_it_is() -> None:
    assert [name for name in kernel.__all__ if not getattr(kernel, name).__doc__] == []
