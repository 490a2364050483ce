"""Code stays small: a ceiling over the kernel's lines, docstrings included, and one over those of a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The goal is 5,000.
MOST_LINES = 7495
# Of telemetry without session logs: all but `sessions/` and `commands/usage.py`, which only reads them. The goal is
# 1,200.
MOST_OF_STREAMS = 2336
# Of a file, tests included.
MOST_OF_A_FILE = 400
# Of a function, its decorators and its docstring included.
MOST_OF_A_FUNCTION = 40
# Functions that are longer. The list only gets shorter.
LONGER = {
    "core/src/tracker/windows/window.py _broken_rules",
    "plugins/capture/src/tracker_capture/commands/capture.py command",
    "plugins/telemetry/src/tracker_telemetry/commands/usage.py command",
}


def test_the_kernel_is_small() -> None:
    files = sorted((ROOT / "core" / "src").rglob("*.py"))
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    assert lines <= MOST_LINES
    assert lines > MOST_LINES - 100, f"{lines} lines: lower the ceiling"


def test_the_telemetry_of_streams_is_small() -> None:
    package = ROOT / "plugins" / "telemetry" / "src" / "tracker_telemetry"
    files = set(package.rglob("*.py")) - set((package / "sessions").rglob("*.py")) - {package / "commands" / "usage.py"}
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    assert lines <= MOST_OF_STREAMS
    assert lines > MOST_OF_STREAMS - 50, f"{lines} lines: lower the ceiling"


def test_files_are_short() -> None:
    folders = ("core", "plugins", "tests", "examples", "benchmarks", "docs", "features", "scripts")
    sizes = {path: len(path.read_bytes().splitlines()) for one in folders for path in (ROOT / one).rglob("*.py")}
    assert len(sizes) > 500
    longer = {path.relative_to(ROOT).as_posix(): size for path, size in sizes.items() if size > MOST_OF_A_FILE}
    assert not longer, f"{MOST_OF_A_FILE} lines are the most"


def test_functions_are_short() -> None:
    paths = [path for part in ("core", "plugins/*", "examples/*") for path in ROOT.glob(f"{part}/src/**/*.py")]
    assert len(paths) > 200
    longer = {f"{path.relative_to(ROOT).as_posix()} {name}" for path in paths for name in _long_functions(path)}
    assert longer == LONGER, f"{MOST_OF_A_FUNCTION} lines are the most: {sorted(longer ^ LONGER)}"


def _long_functions(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            first = min(one.lineno for one in (*node.decorator_list, node))
            if node.end_lineno - first + 1 > MOST_OF_A_FUNCTION:
                yield node.name
