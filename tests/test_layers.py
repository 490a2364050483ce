"""The core's folders stand on floors: each imports only from those below it, as the architecture page draws them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORE = ROOT / "core" / "src" / "tracker"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def floors() -> list[set[str]]:
    """The table's rows from the top: what stands on each floor."""
    rows = re.findall(r"^\| (`.*?) \| .* \|$", PAGE, re.M)
    return [set(re.findall(r"`([a-z]+)(?:/|\.py)`", row)) for row in rows]


def imports(path: Path) -> Iterator[str]:
    """The folders or modules of the core that a file imports from, wherever in it."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "tracker":
            below = node.module.split(".")[1:]
            yield from [below[0]] if below else [alias.name for alias in node.names]


def test_every_folder_of_the_core_has_a_floor() -> None:
    folders = {path.name for path in CORE.iterdir() if (path / "__init__.py").exists()} - {"testing"}
    assert folders - set().union(*floors()) == set()


def test_a_folder_imports_only_from_below() -> None:
    height = {name: -at for at, names in enumerate(floors()) for name in names}
    upwards = []
    for path in sorted(CORE.rglob("*.py")):
        own = path.relative_to(CORE).parts[0].removesuffix(".py")
        for other in imports(path) if own in height else ():
            if other in height and other != own and height[other] >= height[own]:
                upwards.append(f"{path.relative_to(CORE)} imports {other}")
    assert upwards == []
