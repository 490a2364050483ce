"""The core's shape: folders on floors, as the architecture page draws them, and no word about any provider."""

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


def test_the_core_names_no_provider() -> None:
    """Not in code, comments, messages or templates; what the plugins of the workspace are called is the list."""
    names = [path.name for path in (ROOT / "plugins").iterdir() if (path / "pyproject.toml").exists()]
    vendors = re.compile("|".join(sorted(set(names) - {"proxy"})), re.I)
    assert {"codex", "claude", "glm"} <= set(names)
    named = [
        f"{path.relative_to(CORE)}:{number}: {line.strip()}"
        for path in sorted(CORE.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if vendors.search(line)
    ]
    assert named == []
