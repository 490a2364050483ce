"""The conformance kit: a sound plugin passes; one that breaks a rule fails that check, which names the rule.

All plugins run in one pytest process: each is a module, an entry point and a conformance class of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode imports no siblings
from kit_breaks import BREAKS
from kit_plugins import CODE, KIND, LINES, PANE, RECORDED, SCREEN

SOUND = {"sound-status": "status", "sound-report": "report", "sound-telemetry": "telemetry"}
NOT_LOADED = {
    "absent": "'absent' is not an installed entry point of group 'tracker'; after adding one, install again"
    " (docs/reference/plugins.md, section 'Packaging')",
    "unloadable": "'nowhere', at kit_unloadable, line 1 (docs/reference/plugins.md, section 'Import late')",
    "mistyped": "Expected that of the entry point, 'mistyped'. (docs/reference/plugins.md, section 'The declaration')",
    "misspelt": "Did you mean parse_status? (docs/reference/plugins.md, section 'When something is wrong')",
}
EVERY_EVENT = (
    "there_are_lines_with_events reads_every_line_the_same_way_twice keeps_nothing_personal"
    " touches_no_file_network_or_clock shows_its_totals_as_data"
)

Results = dict[str, dict[str, list[str]]]


def broken(name: str) -> str:
    kind, old, new, *_ = BREAKS[name]
    sound = CODE[kind].replace("NAME", name)
    assert old in sound
    return sound.replace(old, new, 1) if old else sound + new


def case(name: str, kind: str, screens: str = "screens", *, is_light: bool = True) -> str:
    lines = [f"class Test_{name.replace('-', '_')}({KIND[kind]}):", f"    source = {name!r}"]
    lines += [f"    screens = HERE / {screens!r}", "    lines = HERE / 'lines.jsonl'"]
    lines += ["    test_imports_lightly = None"] if is_light else []  # it starts a process
    return "\n".join(lines) + "\n"


def install(folder: Path, modules: dict[str, str]) -> None:
    info = folder / "tracker_kit-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tracker-kit\nVersion: 1.0\n")
    points = "\n".join(f"{name} = kit_{name.replace('-', '_')}" for name in modules)
    (info / "entry_points.txt").write_text(f"[tracker]\n{points}\n")
    for name, code in modules.items():
        (folder / f"kit_{name.replace('-', '_')}.py").write_text(code)


def run(folder: Path, tests: str, *options: str) -> Results:
    """The messages of every check by source; an empty one for a check that passed."""
    (folder / "test_all.py").write_text(
        f"from pathlib import Path\nfrom tracker_kit import {', '.join(KIND.values())}\n"
        f"HERE = Path(__file__).parent\n{tests}"
    )
    words = [
        "-m",
        "pytest",
        "-q",
        "--tb=native",
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
        "-p",
        "no:cacheprovider",
        *options,
    ]
    words += [
        "-p",
        "tracker_kit.pytest_plugin",
        "-p",
        "tracker_kit.verdict",
        "--verdict",
        str(folder / "verdict.json"),
        str(folder / "test_all.py"),
    ]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID"))}
    done = subprocess.run(
        [sys.executable, *words],
        env=environment | {"PYTHONPATH": str(folder / "site"), "TZ": "UTC", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (folder / "verdict.json").exists(), done.stdout + done.stderr
    found: Results = defaultdict(lambda: defaultdict(list))
    for row in json.loads((folder / "verdict.json").read_text()):
        found[row["source"]][row["check"].partition("[")[0].removeprefix("test_")].append(row["message"])
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("kit")
    (folder / "lines.jsonl").write_bytes(LINES)
    write_screen(folder / "screens", SCREEN, RECORDED)
    write_screen(folder / "screens", "ACME\n", {"errors": ["no-fuel"]}, name="empty")
    write_screen(folder / "reports", '{"used": 42.0}\n', {"used": 42.0, "errors": []})
    modules = {name: CODE[kind].replace("NAME", name) for name, kind in SOUND.items()}
    modules |= {name: broken(name) for name in BREAKS}
    modules |= {"unloadable": "import nowhere\n", "mistyped": PANE.replace("NAME", "other")}
    modules |= {"misspelt": PANE.replace("NAME", "misspelt") + "\n@hookimpl\ndef parse_states(text): pass\n"}
    install(folder / "site", modules)
    kinds = SOUND | {name: made.kind for name, made in BREAKS.items()} | dict.fromkeys(NOT_LOADED, "status")
    texts = {"report": "reports"}
    tests = [
        case(name, kind, texts.get(kind, "screens"), is_light=name not in (*SOUND, "heavy", "process"))
        for name, kind in kinds.items()
    ]
    return run(folder, "\n".join(tests))


def write_screen(folder: Path, text: str, parsed: dict[str, object] | None, name: str = "screen") -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.txt").write_text(text)
    if parsed is not None:
        (folder / f"{name}.json").write_text(json.dumps({"captured_at": "2026-01-01T12:00:00+00:00", "parsed": parsed}))


def failing(checks: dict[str, list[str]]) -> dict[str, list[str]]:
    return {check: [message for message in messages if message] for check, messages in checks.items() if any(messages)}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_plugin_passes(results: Results, name: str) -> None:
    assert failing(results[name]) == {}
    assert len(results[name]) > 10


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_rule_is_named_with_the_guides_section(results: Results, name: str) -> None:
    _, _, _, checks, message, section = BREAKS[name]
    found = failing(results[name])
    wanted = checks.replace("every event", EVERY_EVENT)
    assert set(found) == set(wanted.split()), found
    said = [one for messages in found.values() for one in messages]
    end = f"(docs/reference/plugins.md, section {section!r})"
    assert any(message in one and one.endswith(end) for one in said), said


@pytest.mark.parametrize("name", NOT_LOADED)
def test_a_plugin_that_is_not_there_says_why(results: Results, name: str) -> None:
    [message] = {one for messages in results[name].values() for one in messages if one}
    assert NOT_LOADED[name] in message


def test_a_refused_declaration_is_said_also_if_its_checks_run_first(tmp_path: Path) -> None:
    """Sources are loaded when they are asked for: nothing was known of it before, and it was called not installed."""
    install(tmp_path / "site", {"other": PANE.replace("NAME", "wrong")})
    write_screen(tmp_path / "screens", SCREEN, RECORDED)
    found = failing(run(tmp_path, case("other", "status"), "-k", "discovered")["other"])
    [message] = found["is_discovered_and_sound"]
    assert "Invalid name 'wrong'. Expected that of the entry point, 'other'." in message


def test_screens_are_recorded_on_demand(tmp_path: Path) -> None:
    """A screen that says something else, or that was never recorded, fails until the option writes what it says."""
    install(tmp_path / "site", {"toy": PANE.replace("NAME", "toy")})
    write_screen(tmp_path / "new", SCREEN, None)
    write_screen(tmp_path / "old", SCREEN, RECORDED | {"fuel_pct": 3})
    (tmp_path / "none").mkdir()
    tests = "\n".join(
        case("toy", "status", folder).replace("Test_toy", f"Test_{folder}") for folder in ("new", "old", "none")
    )
    chosen = ("-k", "as_recorded or there_are_screens")
    said = [one for messages in failing(run(tmp_path, tests, *chosen)["toy"]).values() for one in messages]
    end = "(docs/reference/plugins.md, section 'Testing')"
    assert sorted(said) == sorted(
        [
            f"screen.json is not beside screen.txt; --update-screens records it {end}",
            f"screen no longer gives what was recorded; --update-screens records it again {end}",
            f"there is no screen (*.txt) in {tmp_path / 'none'} {end}",
        ]
    )
    run(tmp_path, tests, "--update-screens", *chosen)
    for folder in ("new", "old"):
        recorded = json.loads((tmp_path / folder / "screen.json").read_text())
        assert recorded == {"captured_at": "2026-01-01T12:00:00+00:00", "parsed": RECORDED}
    left = failing(run(tmp_path, tests, *chosen)["toy"])
    assert set(left) == {"there_are_screens"}
