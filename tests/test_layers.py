"""The layer rule over imports: the kernel knows no feature, and a feature knows the kernel's facades alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORE = ROOT / "core" / "src" / "tracker"
PROVIDERS = ("codex", "claude", "glm", "proxy")
FEATURES = sorted({path.parent.name for path in (ROOT / "plugins").glob("*/pyproject.toml")} - set(PROVIDERS))
FACADES = {"tracker.api", "tracker.kernel", "tracker.feature"}


def imports(path: Path) -> Iterator[str]:
    """The modules of ours that a file imports, wherever in it; `from tracker import x` is tracker.x."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"tracker.{alias.name}" for alias in node.names] if node.module == "tracker" else [node.module]
            yield from names
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def ours(path: Path) -> set[str]:
    return {name for name in imports(path) if re.match(r"tracker(_|\.|$)", name)}


def test_the_kernel_imports_no_plugin() -> None:
    wrong = {
        str(path.relative_to(ROOT)): sorted(found)
        for path in sorted(CORE.rglob("*.py"))
        if (found := {name for name in ours(path) if name.startswith("tracker_")})
    }
    assert wrong == {}


def test_a_feature_imports_the_facades_and_itself() -> None:
    """Not another feature and not what the kernel does not export; its own tests may look deeper."""
    wrong: dict[str, set[str]] = {}
    for name in (*FEATURES, *PROVIDERS):
        own = f"tracker_{name}"
        facades = FACADES if name in FEATURES else {"tracker.api"}
        for path in sorted((ROOT / "plugins" / name / "src").rglob("*.py")):
            found = {one for one in ours(path) if one not in facades and one.partition(".")[0] != own}
            if found - {"tracker", "tracker.testing", "tracker.__version__"}:
                wrong[str(path.relative_to(ROOT))] = found
    assert wrong == {}


def test_the_kernel_names_no_provider() -> None:
    """Not in code, comments, messages or data, whatever the file; the providers of the workspace are the list."""
    vendors = re.compile("|".join(sorted(set(PROVIDERS) - {"proxy"})), re.I)
    assert named(vendors, "*") == {}
    assert named(re.compile("tracker-proxy"), "*") == {}


def test_the_kernel_names_no_feature() -> None:
    """But where the contract has a word since 1.0 (a kind of source, a base of `Source`, an origin) or a hook."""
    features = re.compile(
        r"churn|ledger|telemetry|status.?line|decision|handoff|parquet|scoreboard|duckdb|scipy|cost.compare|checkpoint"
        r"|\buat\b",
        re.I,
    )
    contract = re.compile(r'"telemetry"|TelemetrySource|StatusLineOrigin|handoff_section')
    lines = [line.partition(": ")[2] for found in named(features).values() for line in found]
    assert [line for line in lines if features.search(contract.sub("", line))] == []
    exported = [line for line in lines if re.match(r"from \S+ import (\w+) as \1$", line)]
    assert (len(lines) - len(exported), len(exported)) == (5, 2), lines


def named(words: re.Pattern[str], files: str = "*.py") -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(path for path in CORE.rglob(files) if path.is_file() and path.suffix != ".pyc"):
        lines = path.read_text(encoding="utf-8").splitlines()
        hits = [f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if words.search(line)]
        if hits:
            found[str(path.relative_to(CORE))] = hits
    return found


def test_our_providers_use_what_everybody_may_use_and_nothing_else() -> None:
    """Providers import `tracker.api`, a feature the facades, and their tests `tracker_kit`, as strangers do."""
    examples = sorted((ROOT / "examples").glob("tracker-*"))
    for folder in [*(ROOT / "plugins" / name for name in PROVIDERS), *examples]:
        facades = r"(?:api|kernel|feature)" if folder.name == "tracker-hours" else "api"
        private = re.compile(rf"^\s*(?:from|import) tracker(?!\.{facades} import|_)\b.*", re.M)
        for path in folder.rglob("*.py"):
            assert private.findall(path.read_text(encoding="utf-8")) == [], path


def test_the_values_of_a_query_are_not_numbered() -> None:
    """Python 3.12 warns of `?1` until 3.12.3, which Ubuntu 24.04 has, as of a name with a list of values."""
    paths = [path for part in ("core", "plugins/*") for path in ROOT.glob(f"{part}/src/**/*.py")]
    assert len(paths) > 200
    assert not [path for path in paths if re.search(r"[=<>(,] ?\?\d", path.read_text(encoding="utf-8"))]
