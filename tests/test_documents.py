"""The documents are true: their blocks run in an empty repository and print what stands below them; the site builds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documents import blocks, is_as_shown, run
from reference import page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SAMPLES = DOCS / "samples"
# each runs in a repository of its own; a how-to page finds the samples beside it
PAGES = ["tutorial.md", *sorted(str(path.relative_to(DOCS)) for path in (DOCS / "how-to").glob("*.md"))]
# pages with suites of their own, which need more than a repository
OWN = {
    "docs/how-to/capture-without-pasting.md": "plugins/capture/tests/test_documentation.py",
    "docs/how-to/many-machines.md": "plugins/desk/tests/test_fleet.py",
    "docs/reference/data-format.md": "tests/test_data_format.py",
    "docs/reference/plugins.md": "tests/test_plugins_guide.py",
    "docs/reference/settings.md": "core/tests/test_config.py",
    "docs/reference/telemetry.md": "plugins/telemetry/tests/test_cost_compare.py",
    "docs/reference/commands.md": "tests/test_documents.py",
    "docs/explanation/architecture.md": "tests/test_documents.py",
    "docs/explanation/statistics.md": "plugins/verdict/tests/test_statistics_doc.py",
    "docs/SOP/uat_opener.md": "tests/test_documents.py",
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository of somebody whom git knows."""
    for name in list(os.environ):
        if name.startswith(("TRACKER_", "AGENT_ID", "GIT_")):
            monkeypatch.delenv(name)
    for command in (
        ["init", "-q", "-b", "main"],
        ["config", "user.email", "dev@example.com"],
        ["config", "user.name", "dev"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("CHECKOUT", str(ROOT))
    return tmp_path


@pytest.mark.parametrize("name", [name for name in PAGES if f"docs/{name}" not in OWN])
def test_every_block_prints_what_stands_below_it(name: str, repository: Path) -> None:
    if name != "tutorial.md":
        shutil.copytree(SAMPLES, repository, dirs_exist_ok=True)
        (repository / "report.txt").write_text("12 passed\n")
    for commands, expected in blocks((DOCS / name).read_text(encoding="utf-8")):
        printed = run(commands, os.environ)
        assert not expected or is_as_shown(expected, printed), f"{commands}\nprinted\n{printed}"


def test_the_checklist_of_the_handoff_runs(repository: Path) -> None:
    """In a repository with a window W0-20, a test and a scenario."""
    shutil.copytree(SAMPLES, repository, dirs_exist_ok=True)
    shutil.copytree(ROOT / "scripts", repository / "scripts")
    (repository / "tests").mkdir()
    (repository / "tests" / "test_one.py").write_text("def test_one(): pass\n")
    (repository / "features" / "steps").mkdir(parents=True)
    (repository / "features" / "one.feature").write_text("Feature: one\n\n  Scenario: one\n")
    prepared = """git commit -q --allow-empty -m begin
        tracker start codex panes/codex-80-left.txt --window W0-20
        tracker end codex panes/codex-62-left.txt"""
    run(prepared, os.environ)
    for commands, expected in blocks((DOCS / "SOP" / "uat_opener.md").read_text(encoding="utf-8")):
        printed = run(commands, os.environ)
        assert not expected or is_as_shown(expected, printed), f"{commands}\nprinted\n{printed}"


def test_every_page_with_a_block_is_run_by_a_test() -> None:
    tests = {name: (ROOT / place).read_text(encoding="utf-8") for name, place in OWN.items()}
    for path in DOCS.rglob("*.md"):
        name = str(path.relative_to(DOCS))
        if name not in PAGES and "```" in path.read_text(encoding="utf-8"):
            assert path.name in tests[f"docs/{name}"], name


def test_the_architecture_page_names_every_part_of_the_core_and_the_functions_on_a_panes_way() -> None:
    page, core = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8"), ROOT / "core/src/tracker"
    parts = {one.name for one in core.glob("[!_]*.py")} | {f"{one.name}/" for one in core.glob("[!_]*/")}
    assert parts - {one.removeprefix("core/.../") for one in re.findall(r"`([\w./]+)`", page)} == set()
    way = re.findall(r"(\w+/\w+\.py) +(\w+)  ", page)
    assert len(way) == 8
    for module, function in way:
        assert f"def {function}(" in (core / module).read_text(encoding="utf-8"), (module, function)


def test_the_commands_are_those_of_the_program() -> None:
    """`python tests/support/reference.py > docs/reference/commands.md` writes the page."""
    assert (DOCS / "reference" / "commands.md").read_text(encoding="utf-8") == page()


def test_every_link_of_every_document_leads_somewhere() -> None:
    wrong = []
    for path in [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text(encoding="utf-8")):
            if not (path.parent / link).exists():
                wrong.append(f"{path.relative_to(ROOT)}: {link}")
        for name in re.findall(r"`((?:benchmarks|core|examples|plugins|tests)/[\w/-]+\.\w+)`", path.read_text("utf-8")):
            if not (ROOT / name).exists():
                wrong.append(f"{path.relative_to(ROOT)}: {name}")
    assert wrong == []


def test_the_site_builds_with_search_and_without_a_network(tmp_path: Path) -> None:
    """Strict: a page that the navigation lacks, or a link to nothing, fails."""
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | nowhere | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    index = (tmp_path / "site" / "search" / "search_index.json").read_text(encoding="utf-8")
    assert "not enough data" in index.lower()
    for path in (tmp_path / "site").rglob("index.html"):
        assert "```" not in path.read_text(encoding="utf-8"), f"{path} shows the fence of a block"
    home = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r"<(?:script|link)[^>]+(?:src|href)=\"https?://(?!www\.mkdocs)[^\"]+\.(?:js|css)", home)
