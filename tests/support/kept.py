"""A folder that many tests begin with: the first one of a process fills it by commands, the others get a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Kept = Callable[[Path, Callable[[], object]], None]


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Puts into a folder what a function fills it with; its name says which copy to take."""
    copies = tmp_path_factory.mktemp("kept")

    def put(folder: Path, fill: Callable[[], object]) -> None:
        copy = copies / f"{fill.__module__}.{fill.__qualname__}"
        if copy.exists():
            shutil.copytree(copy, folder, symlinks=True, dirs_exist_ok=True)
        else:
            fill()
            shutil.copytree(folder, copy, symlinks=True)

    return put
