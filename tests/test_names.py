"""Modules and classes are called by nouns that say what is inside, not by what was done to it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
# of the last word of a name
PARTICIPLE = re.compile(
    r"([a-z]+ed|[a-z]+ing|known|shown|found|kept|taken|read|given|made|written|seen|said|told|held|left|lost|met|sent|"
    r"grown|drawn|chosen|forgotten|built|bound|begun)$"
)
# nouns that look like one; `Rejected` is an exception of the contract since 1.0
NOUNS = {"reading", "setting", "finding", "opening", "rejected"}


def last_word(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower().strip("_").rpartition("_")[2]


def names(path: Path) -> list[str]:
    """The module's own name, its classes and its aliases of types."""
    found = [path.stem]
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
            found.append(ast.unparse(node.target))
        elif isinstance(node, ast.Assign):
            # a constant is in capitals, and a name of a value begins with a small letter
            found += [one for one in map(ast.unparse, node.targets) if re.match(r"_?[A-Z][a-z]", one)]
    return found


def test_no_name_is_a_participle() -> None:
    paths = [path for part in ("core", "plugins/*", "examples/*") for path in ROOT.glob(f"{part}/src/**/*.py")]
    assert len(paths) > 300
    wrong = {
        f"{path.relative_to(ROOT).as_posix()} {name}"
        for path in paths
        for name in names(path)
        if PARTICIPLE.match(last_word(name)) and last_word(name) not in NOUNS
    }
    assert not wrong, "a name says what a thing is"
