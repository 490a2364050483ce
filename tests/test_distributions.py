"""`distributions.json` says which distribution brings a command, a setting or a hook that is missing.

`python tests/test_distributions.py` writes it.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE = ROOT / "core" / "src" / "tracker" / "hosting" / "distributions.json"


def found() -> dict[str, dict[str, list[str]]]:
    from tracker.hosting.discovery import installed

    known: dict[str, dict[str, list[str]]] = {}
    for one in installed():
        if not one.distribution.startswith("tracker-"):
            continue
        hooks = sorted(name for name, value in vars(one.module).items() if hasattr(value, "tracker_impl"))
        known[one.distribution] = {
            "commands": sorted(one.info.commands),
            "settings": settings(one.info.settings),
            "hooks": [name for name in hooks if name != "feature_info"],
        }
    return known


def settings(declared: object) -> list[str]:
    import attrs

    from tracker.hosting.discovery import attribute

    names = []
    for table, place in dict(declared).items():  # type: ignore[call-overload]
        kind = attribute(place)
        names += [table] if table else [field.name for field in attrs.fields(kind)]
    return sorted(names)


def test_it_is_what_the_features_declare() -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == found()


def test_the_architecture_page_lists_the_hooks_of_each_feature() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(tracker-\w+)` \|[^|]*\|([^|]*)\|$", page, re.M))
    assert {name: set(re.findall(r"`(\w+)`", hooks)) for name, hooks in rows.items()} == {
        name: set(known["hooks"]) for name, known in found().items()
    }


def imported(package: Path) -> Iterator[str]:
    """Every package that some line imports, wherever it stands."""
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[><=\[ ]", one)[0] for one in requirements}


def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    """And docs/reference/dependencies.md gives the reason of each."""
    page = (ROOT / "docs" / "reference" / "dependencies.md").read_text(encoding="utf-8")
    wrong = []
    for file in (ROOT / "core" / "pyproject.toml", *(ROOT / "plugins").glob("*/pyproject.toml")):
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        needed = names(project["dependencies"]) - {"tracker-core"}
        extras = names([one for extra in project.get("optional-dependencies", {}).values() for one in extra])
        used = {name for name in imported(file.parent / "src") if name not in sys.stdlib_module_names}
        used = {name.replace("_", "-") for name in used if name != "tracker" and not name.startswith("tracker_")}
        # optional ones of another distribution are used if they are there
        wrong += [f"{project['name']}: {one} is not declared" for one in used - needed - extras - {"zstandard"}]
        wrong += [f"{project['name']}: {one} is not imported" for one in needed - used]
        wrong += [f"{one} is not in the page" for one in needed | extras if not re.search(rf"[|,] {one}[ ,]", page)]
    assert wrong == []


def test_what_is_said_to_be_part_of_the_whole_program_is_installed_with_it() -> None:
    page = (ROOT / "docs" / "reference" / "dependencies.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {extra for one in project["dependencies"] for extra in re.findall(r"[\w-]+", one.partition("@")[0])}
    said = re.findall(r"extra `(\w+)`, part of the whole program", page)
    assert "zstd" in said, "most session files of Codex are compressed"
    assert {*said} <= extras


if __name__ == "__main__":
    FILE.write_text(json.dumps(found(), indent=2) + "\n", encoding="utf-8")
