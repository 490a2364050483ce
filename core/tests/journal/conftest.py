"""A journal in a test's folder, and what it warned of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker.journal.journal import Journal


@pytest.fixture
def journal(tmp_path: Path, said: list[str]) -> Journal:
    return Journal(tmp_path / "data", warn=said.append)
