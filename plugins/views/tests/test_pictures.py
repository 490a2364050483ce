"""The README's pictures are made by the program, load nothing, and stand where the README shows them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[3]
PICTURES = ROOT / "docs" / "pictures"
NAMES = ("home", "board", "report")


def words(path: Path) -> str:
    written = path.read_text(encoding="utf-8")
    assert not re.search(r"url\((?!#)|<script|<image|foreignObject|xlink:href", written), path
    return " ".join("".join(ElementTree.fromstring(written).itertext()).replace("\xa0", " ").split())


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal")
def test_the_command_makes_them(tmp_path: Path) -> None:
    subprocess.run([sys.executable, PICTURES / "make.py", tmp_path, "14"], check=True, capture_output=True)
    assert "Today: claude" in words(tmp_path / "home.svg")
    assert "W2-01" in words(tmp_path / "board.svg")
    assert "Usage report, W0-01 to W2-01" in words(tmp_path / "report.svg")


def test_they_are_there_and_the_readme_shows_them() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert words(PICTURES / f"{name}.svg")
        assert f"docs/pictures/{name}.svg" in readme


def test_they_are_of_one_run() -> None:
    """What is expected of a meter changes by the hour: pictures that are made apart contradict each other."""
    home, board, report = (words(PICTURES / f"{name}.svg") for name in NAMES)
    expected = re.findall(r"\((\d+)% to (\d+)% expected\)", report)
    assert expected
    assert re.findall(r"(\d+) to (\d+)%", board) == expected
    used = re.findall(r" (\d+)%", home)
    assert re.findall(r" (\d+)%(?= \d+ min ago)", board) == used
