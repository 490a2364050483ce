"""`tracker plugins list`, `info` and `check`, with the toys and with plugins that were left out."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("plain_pytest")
Run = Callable[..., "subprocess.CompletedProcess[str]"]
OURS = "tracker-codex,tracker-claude,tracker-glm,tracker-proxy"
HEAD = """
from tracker.api import Meter, Reading, Source, hookimpl

@hookimpl
def source_info():
    return Source(contract="1.0", name="NAME", title="Other", capacity="m", meters=(Meter(key="m", title="M"),))

@hookimpl
def parse_status(text):
    return None
"""
LEFT_OUT = {
    "newer": (
        HEAD.replace("1.0", "1.99") + "\n@hookimpl\ndef render_table(rows):\n    pass\n",
        "it was built for contract 1.99, this core has 1.2: upgrade tracker-core",
        "cure: update tracker from its checkout: tracker-zoo was built for a newer one",
    ),
    "older": (HEAD.replace("1.0", "0.9"), "upgrade the plugin", "cure: install a newer tracker-zoo from where"),
    "newer-name": (
        "from tracker.api import Sparkline\n" + HEAD,
        "cannot import name 'Sparkline' from 'tracker.api'",
        "cure: update tracker from its checkout: tracker-zoo was built for a newer one",
    ),
    "misspelt": (
        HEAD.replace("capacity=", "capcity="),
        "got an unexpected keyword argument 'capcity'",
        "cure: report it to the author of tracker-zoo: this core has no such field",
    ),
    "needy": (
        "import not_there\n" + HEAD,
        "No module named 'not_there'",
        "cure: install what it needs: `",
    ),
    "tally": (
        HEAD,
        "also has an entry point of that name",
        "cure: uninstall one of the distributions that claim 'tally'",
    ),
    "shouting": (
        HEAD + "\nraise RuntimeError('\\x1b[31mNO\\nWAY')\n",
        r"RuntimeError: \x1b[31mNO WAY",
        "cure: report it to the author of tracker-zoo; TRACKER_DISABLE_PLUGINS=shouting leaves it out",
    ),
}


@pytest.fixture
def others(toys_apart: Run, tmp_path: Path) -> Run:
    """The toys and, in another distribution, those that cannot be let in."""
    site = tmp_path / "others"
    info = site / "tracker_zoo-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tracker-zoo\nVersion: 2.0\n")
    modules = {name: f"other_{name.replace('-', '_')}" for name in LEFT_OUT}
    points = "\n".join(f"{name} = {module}" for name, module in modules.items())
    (info / "entry_points.txt").write_text(f"[tracker]\n{points}\n")
    for name, module in modules.items():
        (site / f"{module}.py").write_text(LEFT_OUT[name][0].replace("NAME", name))

    def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return toys_apart(*arguments, PYTHONPATH=f"{tmp_path / 'site'}:{site}", **extra)

    return run


def test_the_list_is_a_table_with_the_cause_and_the_cure(others: Run) -> None:
    lines = others("plugins", "list").stdout.splitlines()
    assert others("-q", "plugins", "list").stdout.splitlines() == lines
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["NAME", "KIND", "DISTRIBUTION", "VERSION", "CONTRACT", "STATE"]
    [at] = [
        at for at, line in enumerate(lines) if line.split() == ["toy", "status", "tracker-toys", "1.0", "1.0", "ok"]
    ]
    assert lines[at + 1] == "    hooks: parse_status"
    rows = [line for line in lines[1:] if not line.startswith("    ")]
    columns = [lines[0].index(word) for word in ("KIND", "DISTRIBUTION", "VERSION", "CONTRACT", "STATE")]
    assert all(row[at - 1] == " " != row[at] for row in rows for at in columns)
    shown = [" ".join(part.split()) for part in re.split(r"\n(?! {4})", "\n".join(lines))]
    for name, (_, cause, cure) in LEFT_OUT.items():
        row = next(row for row in shown if row.startswith(f"{name} ") and "left out" in row and cause in row)
        assert re.search(r"left out( hooks: .*)? why: failed to .* cure: ", row)
        assert cure in row


def test_the_list_as_data(others: Run) -> None:
    rows = {(row["name"], row["state"]): row for row in json.loads(others("plugins", "list", "--json").stdout)}
    assert rows["toy-stream", "ok"] == {
        "name": "toy-stream",
        "kind": "telemetry",
        "distribution": "tracker-toys",
        "version": "1.0",
        "contract": "1.0",
        "hooks": ["ingest_line", "render_preview_block", "source_info"],
        "state": "ok",
        "error": None,
        "step": None,
        "cause": None,
        "cure": None,
        "notes": [],
    }
    newer = rows["newer", "left out"]
    assert (newer["kind"], newer["contract"], newer["step"]) == ("status", "1.99", "declare its source")


def test_those_that_the_user_left_out_are_noted(toys_apart: Run) -> None:
    done = toys_apart("plugins", "list", TRACKER_DISABLE_PLUGINS=f"{OURS},toy")
    assert "toy" not in {line.split()[0] for line in done.stdout.splitlines()}
    assert "toy-report" in done.stdout
    assert done.stderr.startswith("note: TRACKER_DISABLE_PLUGINS leaves out ")
    assert "toy (tracker-toys)" in done.stderr
    asked = toys_apart("plugins", "info", "toy", TRACKER_DISABLE_PLUGINS=f"{OURS},toy")
    assert asked.stderr == "error: toy is disabled. Unset TRACKER_DISABLE_PLUGINS.\n"


def test_every_command_says_that_a_newer_plugin_waits_for_a_newer_core(others: Run) -> None:
    warned = [line for line in others("preview").stderr.splitlines() if "'newer'" in line]
    assert warned == [
        "warning: plugin 'newer' failed to declare its source: ValueError: it was built for contract 1.99, this core"
        " has 1.2: upgrade tracker-core; the rest works (TRACKER_DISABLE_PLUGINS=tracker-zoo leaves it out)"
    ]


def test_info_shows_what_a_source_declares(toys_apart: Run) -> None:
    shown = toys_apart("plugins", "info", "toy").stdout
    for line in (
        "toy: Toy, a status source",
        "  distribution  tracker-toys 1.0, built for contract 1.0",
        "  hooks         parse_status(text, captured_at)",
        "  meters        fuel  Fuel  used percent, the capacity",
        "  functions     ts   tracker alias start toy",
        "  error tags    insufficient-data  no gauge is on the pane",
    ):
        assert f"{line}\n" in shown
    about = json.loads(toys_apart("plugins", "info", "toy-report", "--json").stdout)
    assert about["hooks"]["parse_status"] == ["text", "scope"]
    assert about["declaration"]["comparisons"] == [
        {"scope": "weekly", "figure": "used", "provider": "toy", "meter": "fuel"}
    ]


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("tyo", 2, "Unknown source 'tyo'. Did you mean toy?"),
        ("needy", 1, "needy is not available: plugin 'needy' failed to be imported: ModuleNotFoundError: No module"),
    ],
)
def test_info_on_a_source_that_is_not_there(others: Run, name: str, status: int, message: str) -> None:
    done = others("plugins", "info", name)
    assert done.returncode == status
    assert done.stderr.splitlines()[-1].startswith(f"error: {message}")


def test_check_gives_a_verdict_on_an_installed_source(toys_apart: Run) -> None:
    done = toys_apart("plugins", "check", "tally")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("tally: sound (")
    assert "note: no text was checked; --inputs DIR takes a folder of screens" in done.stdout


def test_check_asks_for_no_texts_of_a_view(tracker_cli: Run, tmp_path: Path) -> None:
    assert tracker_cli("plugins", "new", "seen", "--kind", "view").returncode == 0
    (tmp_path / "tracker-seen" / "tests").rename(tmp_path / "tests")
    done = tracker_cli("plugins", "check", "tracker-seen")
    assert done.stdout.startswith("seen: sound ("), done.stdout
    assert "--inputs" not in done.stdout


def test_a_wrong_kind_is_told_what_each_is_for(tracker_cli: Run) -> None:
    done = tracker_cli("plugins", "new", "seen", "--kind", "provider")
    kinds = "status (a provider with meters), report, telemetry (a stream of requests), view or feature"
    assert done.returncode == 2
    assert f"Invalid kind 'provider'. Expected {kinds}." in done.stderr


def test_a_shell_function_that_another_plugin_makes_is_in_the_list_and_breaks_a_rule(
    toys_apart: Run, tmp_path: Path
) -> None:
    rival = tmp_path / "rival"
    (rival / "acme_rival-1.0.dist-info").mkdir(parents=True)
    (rival / "acme_rival-1.0.dist-info" / "entry_points.txt").write_text("[tracker]\nrival = rival\n")
    (rival / "rival.py").write_text(HEAD.replace("NAME", "rival").replace("Source(", 'Source(prefix="t", ', 1))
    path = f"{tmp_path / 'site'}:{rival}"
    why = (
        "its shell functions td, td1, td2, te, ts, tx are left out, each because it is also made by toy (tracker-toys)"
    )
    assert why in " ".join(toys_apart("plugins", "list", PYTHONPATH=path).stdout.split())
    assert f"{why}. Choose another prefix than 't'" in toys_apart("plugins", "check", "rival", PYTHONPATH=path).stdout


def test_check_names_the_rules_that_given_texts_break(toys_apart: Run, tmp_path: Path) -> None:
    """The toy fails where a reset was cut."""
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "pane.txt").write_text("fuel 12% reset 2026-01-01T00:00:00+00:00\n")
    done = toys_apart("--json", "plugins", "check", "toy", "--inputs", str(texts))
    assert done.returncode == 1
    assert done.stderr == "error: toy broke a rule. Checked 1 plugin.\n"
    [verdict] = json.loads(done.stdout)
    assert (verdict["source"], verdict["sound"], verdict["note"]) == ("toy", False, None)
    said = {one["message"] for one in verdict["broken"]}
    assert any(
        one.startswith("plugin 'toy' failed to parse_status: ValueError: Invalid isoformat string: '2026-01")
        and one.endswith("(docs/reference/plugins.md, section 'parse_status')")
        for one in said
    ), said


def test_check_runs_a_projects_own_conformance_classes_from_its_folder(toys_apart: Run, tmp_path: Path) -> None:
    """It is not installed; its other tests are left alone, and a source without a class is checked all the same."""
    root = tmp_path / "tracker-acme"
    assert toys_apart("plugins", "new", "acme").returncode == 0
    (root / "tests" / "test_other.py").write_text("def test_no():\n    raise AssertionError\n")
    # a check of the project's own may have properties, which need not be JSON
    tests, name = root / "tests" / "test_acme.py", '    source = "acme"\n'
    own = "\n    def test_more(self, record_property):\n        record_property('a', self)\n\n"
    tests.write_text(tests.read_text().replace(name, name + own))
    sound = toys_apart("plugins", "check", str(root))
    assert (sound.returncode, sound.stdout.startswith("acme: sound (")) == (0, True), sound.stdout + sound.stderr
    pane = root / "tests" / "screens" / "pane.json"
    pane.write_text(pane.read_text().replace("40", "41"))
    code = root / "pyproject.toml"
    code.write_text(code.read_text().replace('acme = "', 'second = "tracker_second"\nacme = "'))
    broken = toys_apart("plugins", "check", str(root))
    assert broken.returncode == 1
    assert "acme: broken (1 rule, " in broken.stdout
    said = "  - pane no longer gives what was recorded; --update-screens records it again (docs/reference/plugins.md"
    assert said in broken.stdout
    assert "second: broken (1 rule, " in broken.stdout
    assert "failed to be imported: ModuleNotFoundError: No module named 'tracker_second'" in broken.stdout


PANELS = """

@hookimpl
def panels(period):
    from tracker.api import Column, Panel
    column = Column(key="a", title="A")
    return [Panel(name="acme", title="Acme", columns=(column, column))]
"""


# wrong only if something is recorded
DATA = """
@hookimpl
def window_facts(session, windows):
    return {(one, ""): {"acme": float("nan")} for one in session.index.windows()}

@hookimpl
def window_checks(session, window):
    return [1 / 0 for one in session.index.windows()]

@hookimpl
def export_formats():
    return {"acme": lambda session: 0}

@hookimpl
def panels(session, period):
    from tracker.api import Chart, Panel

    rows = [{"x": one, "z": float("inf")} for one in session.index.windows()]
    return [Panel(name="acme", title="Acme", rows=rows, charts=[Chart(kind="bars", title="A", x="x", y="y")])]
"""


# what it sets, whose `fits` raises, and a hook without its mark
TABLE = """
from typing import ClassVar
from attrs import frozen
from tracker.kernel import setting

@frozen(kw_only=True)
class Acme:
    TABLE: ClassVar[str] = "acme"
    zone: str = setting("UTC", "the zone", fits=lambda name: {"UTC": True}[name])
"""
UNMARKED = """
@hookimpl
def stream_facts(source):
    from tracker.api import EventTotals, StreamFacts

    return StreamFacts(totals=EventTotals(events=-1))

def meter_outlooks(session, source):
    return []
"""


def test_check_names_what_is_wrong_with_a_feature(toys_apart: Run, tmp_path: Path) -> None:
    root = tmp_path / "tracker-acme"
    assert toys_apart("plugins", "new", "acme", "--kind", "feature").returncode == 0
    sound = toys_apart("plugins", "check", str(root))
    assert (sound.returncode, sound.stdout.startswith("acme: sound (")) == (0, True), sound.stdout + sound.stderr
    feature = root / "src" / "tracker_acme" / "feature.py"
    code = feature.read_text().replace("command:command", "command:gone")
    (feature.parent / "table.py").write_text(TABLE)
    table = code.replace("commands=", 'settings={"acme": "tracker_acme.table:Acme"}, commands=')
    table = table.replace("\nfrom tracker.feature", "\nimport click\nfrom tracker.feature")
    feature.write_text(table + DATA + UNMARKED)
    broken = toys_apart("plugins", "check", str(root)).stdout
    assert "tracker_acme.command:gone is not a click command (docs/reference/plugins.md, section 'Features')" in broken
    assert "importing tracker_acme.feature imports click" in broken
    assert "meter_outlooks is not marked with @hookimpl (docs" in broken
    assert "plugin 'acme' failed to stream_facts: ValueError: Invalid events -1. Expected a whole number" in broken
    assert "plugin 'acme' failed to check acme.zone '?': KeyError: '?'; it says whether a value is right" in broken
    assert "plugin 'acme' failed to window_facts: ValueError: Invalid acme nan of ('W0-01', '')" in broken
    assert "plugin 'acme' failed to window_checks: ZeroDivisionError" in broken
    assert "plugin 'acme' cannot export snapshots as acme: TypeError" in broken
    assert "plugin 'acme' gives inf in the panel 'acme'. Expected a text, instant with its zone, number" in broken
    assert "plugin 'acme' draws 'y', but the panel 'acme' has no such column" in broken
    below = 'commands={"acme": command, "acme more": command, "plugins list": command}'
    feature.write_text(code.replace("command:gone", "command:command").replace('commands={"acme": command}', below))
    broken = toys_apart("plugins", "check", str(root)).stdout
    assert "`tracker acme more` is not reached: 'acme' is not a group, or has a command 'more' already" in broken
    code = code.replace("command:gone", "absent:command")
    settings = 'settings={"acme": "tracker_acme.command:session"}, commands='
    code = code.replace("commands=", settings) + PANELS
    feature.write_text(code)
    broken = toys_apart("plugins", "check", str(root)).stdout
    assert "tracker_acme.absent:command cannot be imported: ModuleNotFoundError" in broken
    assert "failed to declare its settings tracker_acme.command:session: TypeError" in broken
    assert "plugin 'acme' failed to panels: ValueError: Invalid columns" in broken
    assert "Expected a sequence of Column, each key once." in broken
    feature.write_text(code.replace("windows: Sequence[str])", "windws: Sequence[str])"))
    assert "plugin 'acme' failed to match the hook specifications" in toys_apart("plugins", "check", str(root)).stdout
    feature.write_text("import os\nos._exit(0)\n")
    assert (
        "plugin 'acme' failed to be imported: raised SystemExit(0)" in toys_apart("plugins", "check", str(root)).stdout
    )
    feature.write_text(code.replace(PANELS, "\n\n@hookimpl\ndef panels(period):\n    import os\n    os._exit(0)\n"))
    lost = toys_apart("plugins", "check", str(root))
    assert (lost.returncode, lost.stderr.splitlines()[-1]) == (
        1,
        "error: The checks did not finish (status 0): the plugin ended the process, as os._exit does.",
    )
    feature.write_text("raise RuntimeError('no')\n")
    lost = toys_apart("plugins", "check", str(root))
    assert (lost.returncode, "plugin 'acme' failed to be imported: RuntimeError: no" in lost.stdout) == (1, True), (
        lost.stdout
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "Cannot read "),
        ("[project]\nname = 'x'\n", "pyproject.toml has no entry point in group 'tracker' (docs/reference/plugins.md"),
        ("[project\n", "Cannot read "),
    ],
)
def test_check_of_a_folder_that_is_no_plugin(toys_apart: Run, tmp_path: Path, text: str | None, message: str) -> None:
    (tmp_path / "folder").mkdir()
    if text is not None:
        (tmp_path / "folder" / "pyproject.toml").write_text(text)
    done = toys_apart("plugins", "check", "folder")
    assert (done.returncode, message in done.stderr) == (1, True), done.stderr


def test_check_of_nothing_that_is_known(toys_apart: Run) -> None:
    assert (
        "error: There is no folder or installed plugin 'tyo'. Did you mean toy?"
        in toys_apart("plugins", "check", "tyo").stderr
    )
