"""`docs/reference/plugins.md` is true: its signatures are the code's, what it cites exists, and its blocks run."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import attrs
import pytest
from contract import FEATURES, SOURCES

from tracker import api
from tracker.settings import KINDS, Setting
from tracker_kit import rules
from tracker_telemetry.prices import parse

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "reference" / "plugins.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^## ", GUIDE, flags=re.M)[1:]}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
HOOKS = sorted(SOURCES.keys() - {"source_info"})
VALUES = (
    "Source",
    "StatusSource",
    "ReportSource",
    "TelemetrySource",
    "View",
    "LogOrigin",
    "Check",
    "Finding",
    "Meter",
    "Demo",
    "DemoStep",
    "Comparison",
    "Origin",
    "Reading",
    "Gauge",
    "Delta",
    "Change",
)
VALUES += ("PreviewContext", "EventTotals", "Quantiles", "Block", "Row")
VALUES += ("FileOrigin", "CommandOrigin", "ExchangeOrigin", "HttpOrigin", "StatusLineOrigin")


def blocks(*languages: str, text: str = GUIDE) -> list[tuple[str, str]]:
    return [(language, code) for language, code in BLOCK.findall(text) if language in languages]


def stubs(section: str) -> Iterator[ast.FunctionDef]:
    """The signatures that a section prints: functions without a body."""
    for _, code in blocks("python", text=SECTIONS[section]):
        for node in ast.parse(code).body:
            if isinstance(node, ast.FunctionDef) and isinstance(node.body[0], ast.Expr):
                yield node


@pytest.mark.parametrize(("hook", "section"), [("source_info", "The declaration"), *((name, name) for name in HOOKS)])
def test_each_hook_has_its_exact_signature_and_its_arguments(hook: str, section: str) -> None:
    spec = SOURCES[hook].function
    wanted = ast.parse(f"def {hook}{inspect.signature(spec)}: ...".replace("'", "")).body[0]
    [found] = stubs(section)
    assert ast.unparse(found) == ast.unparse(wanted)
    bullets = set(re.findall(r"^\* ((?:`\w+`(?:, )?)+):", SECTIONS[section], re.M))
    explained = {name for bullet in bullets for name in re.findall(r"`(\w+)`", bullet)}
    assert set(inspect.signature(spec).parameters) <= explained


def test_each_hook_of_features_has_its_exact_signature() -> None:
    found = {stub.name: ast.unparse(stub) for stub in stubs("Features")}
    for hook, spec in FEATURES.items():
        if hook != "feature_info":
            wanted = ast.parse(f"def {hook}{inspect.signature(spec.function)}: ...".replace("'", "")).body[0]
            assert found.pop(hook) == ast.unparse(wanted)
    assert found == {}
    explained = {name for row in re.findall(r"^\| ([^|]*) \|", SECTIONS["Features"], re.M) for name in row.split("`")}
    assert FEATURES.keys() - {"feature_info"} - explained == set()


def test_the_price_table_is_one() -> None:
    found = parse(blocks("toml", text=SECTIONS["Prices"])[0][1], "the guide")
    assert found.as_of == "2026-01-31"
    [(pattern, _, (prices, *_))] = found.entries
    assert (pattern.fullmatch("acme-large-20260131") is not None, prices[0]) == (True, 3e-6)


def test_everything_that_the_api_exports_is_explained() -> None:
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`\n]+`", GUIDE))))
    code = " ".join(code for _, code in blocks("python"))
    missing = [name for name in api.__all__ if name not in words and not re.search(rf"\b{name}\b", code)]
    assert missing == ["JSON"]
    for name in VALUES:
        fields = {field.name for field in attrs.fields(getattr(api, name))}
        assert fields - words == set(), name
    assert set(api.Event.__annotations__) - words == set()


def test_the_sections_that_messages_cite_exist() -> None:
    """`rule(text, section)` in the kit, and sections that other messages name."""
    cited = set(rules.STEPS.values())
    for path in (ROOT / "plugins" / "kit" / "src" / "tracker_kit").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        cited |= set(re.findall(r"docs/reference/plugins\.md, section '([\w ]+)'", text))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("rule", "blamed"):
                place = node.args[1 if node.func.id == "rule" else 0]  # type: ignore[attr-defined]
                cited |= {place.value} if isinstance(place, ast.Constant) else set()
    assert len(cited) > 10
    assert cited - SECTIONS.keys() == set()


@pytest.mark.parametrize("part", [api.Panel, api.Column, api.Chart])
def test_all_that_a_panel_is_made_of_is_named(part: Any) -> None:
    """Who followed the page got no bar: its kind was not there."""
    named = set(re.findall(r"`(\w+)`", SECTIONS["Panels"]))
    # what the core sets is nobody's to give
    assert {one.name for one in attrs.fields(part)} - named <= {"distribution"}
    assert {
        kind for one in attrs.fields(part) if one.name == "kind" for kind in get_args(get_type_hints(part)["kind"])
    } <= named


def test_the_annotations_of_settings_are_those_that_are_taken() -> None:
    section = SECTIONS["Settings and records"]
    table = section.partition("| --- |")[2].partition("\n\n")[0].replace("\\|", "|")
    scope = {"Any": Any, "Mapping": Mapping}
    assert {eval(one, scope) for one in re.findall(r"`(\w[^`]*[\w\]])`", table) if one not in ("least", "most")} == {
        *KINDS
    }
    limits = {*Setting._fields} - {"key", "kind", "default"}
    assert limits - {*re.findall(r"`(\w+)", section)} == set()


def test_links_lead_to_sections() -> None:
    anchors = {title.lower().replace(" ", "-") for title in SECTIONS}
    assert set(re.findall(r"\]\(#([^)]+)\)", GUIDE)) - anchors == set()


def test_the_example_project_is_what_the_scaffold_writes() -> None:
    code = blocks("toml")[0][1]
    tomllib.loads(code)
    template = (ROOT / "plugins/kit/src/tracker_kit/templates/shared/pyproject.toml.in").read_text()
    made = template.replace("{{name}}", "acme").replace("{{module}}", "acme")
    made = made.replace("{{needs}}", '"tracker-core>=0.1,<0.2"').replace("{{point}}", "")
    lines = [line for line in code.splitlines() if not line.startswith("acme-report")]
    assert [line for line in lines if line not in made.splitlines()] == []


def test_the_python_blocks_run_and_print_what_is_shown() -> None:
    scope: dict[str, Any] = {"__name__": "guide"}
    parts = blocks("python", "text")
    for place, (language, code) in enumerate(parts):
        if language == "text":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(f"from __future__ import annotations\n{code}", f"block {place}", "exec"), scope)
        if printed.getvalue():
            assert printed.getvalue() == parts[place + 1][1]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the shell blocks print, run one after the other in an empty folder."""
    folder = tmp_path_factory.mktemp("guide")
    info = folder / "installed" / "tracker_acme-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tracker-acme\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[tracker]\nacme = tracker_acme\n")
    programs = folder / "bin"
    programs.mkdir()
    for name, words in {"python": "", "tracker": " -m tracker.cli"}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{words} "$@"\n')
        (programs / name).chmod(0o755)
    # the installation needs an index; without one the same is reached by what an editable installation writes
    copied = f'mkdir -p "{folder}/site"; cp -r "{info}" "{folder}/site"'
    script = "".join(code for _, code in blocks("sh")).replace('python -m pip install -e ".[testing]"', copied)
    assert copied in script
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID"))}
    environment |= {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": f"{folder / 'site'}:{folder / 'tracker-acme' / 'src'}",
        "TZ": "UTC",
        # no plugins that happen to be installed
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": "tracker_kit.pytest_plugin",
    }
    words = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_shell_blocks_print_what_is_shown(session: str) -> None:
    printed = session.splitlines()
    assert sum(" passed" in line for line in printed) == 2
    shown = [
        line for _, text in blocks("text", text=SECTIONS["First plugin in ten minutes"]) for line in text.splitlines()
    ]
    for line in shown:
        pattern = re.escape(line).replace(re.escape("..."), ".*")
        assert any(re.fullmatch(pattern, one) for one in printed), line
