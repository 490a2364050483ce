"""Every message that the program raises on purpose, or a check of the kit gives, is one line, and is quoted somewhere.

That is by a test, a scenario or the guide.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "core" / "src" / "tracker").rglob("*.py"))
RAISED = ("TrackerError", "UsageError", "BadParameter", "Busy", "rule")
SHORT = 3  # words that a quotation must share with the message
QUOTING = ("core/tests/**/*.py", "tests/**/*.py", "features/*.feature", "docs/**/*.md", "plugins/*/tests/*.py")
WORDS = re.compile(r"[^\W_][\w'.-]*")


def messages() -> Iterator[tuple[str, list[str]]]:
    """Where each message is raised, and its literal parts."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in RAISED:
                parts = [
                    part.value
                    for part in ast.walk(node.args[0])
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                ]
                if parts:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", parts


def test_a_test_prints_each_message() -> None:
    paths = [path for pattern in QUOTING for path in ROOT.glob(pattern) if path.name != Path(__file__).name]
    quoted = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    found = list(messages())
    assert len(found) > 40
    wrong = [f"{place}: an error is one line" for place, parts in found if "\n" in " ".join(parts)]
    for place, parts in found:
        fragments = [one for part in parts for one in runs(part)]
        # a message without any is given from elsewhere, where it is quoted
        if fragments and not any(fragment in quoted for fragment in fragments):
            wrong.append(f"{place}: no test quotes any of {fragments[:6]}")
    assert not wrong, "\n".join(wrong)


def runs(part: str) -> list[str]:
    """Every run of a few words of a literal part, as it stands; the whole of a shorter one."""
    spans = [found.span() for found in WORDS.finditer(part)]
    if len(spans) < SHORT:
        return [part.strip()] if len(spans) == SHORT - 1 else []
    return [part[spans[at][0] : spans[at + SHORT - 1][1]] for at in range(len(spans) - SHORT + 1)]
