"""Third-party features with a fault, installed: one line names the distribution, and the rest works."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from acme import DEMO, acme, begin

from tracker.hosting import discovery
from tracker.hosting.discovery import Plugin

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tracker_cli: Run, tmp_path: Path) -> Run:
    return acme(tracker_cli, tmp_path)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ("{'hours': 'nope:Hours'}", "failed to declare its settings nope:Hours: ModuleNotFoundError: No module"),
        ("{'hours': 'acme_hours.parts:Nope'}", "has no attribute 'Nope'; the rest works"),
        ("{'hours': 'acme_hours.parts:Plain'}", "Expected an attrs class with TABLE = 'hours'; the rest works"),
        ("{'hours': 'acme_hours.parts:Uat'}", "Expected an attrs class with TABLE = 'hours'; the rest works"),
        ("{'hours': 'acme_hours.parts:Whole'}", "Invalid field 'most'. Expected `setting` with one line, and one of ["),
        ("{'hours': 'acme_hours.parts:Lines'}", "Invalid field 'most'. Expected `setting` with one line"),
        (
            "{'hours': 'acme_hours.parts:Wrong'}",
            "TypeError: Invalid default 'eight' of hours.most. Expected number; the",
        ),
        ("{'hours': 'acme_hours.parts:Comma'}", "Invalid default 'monday' of hours.days. Expected list of texts; the"),
        ("{'': 'acme_hours.parts:Zone'}", "Invalid setting 'timezone'. Expected a name that nobody else has; the rest"),
        ("{'uat': 'acme_hours.parts:Uat'}", "its settings [uat] are left out, because ledgers (tracker-ledgers)"),
    ],
)
def test_settings_that_are_none_cost_only_themselves(run: Run, settings: str, why: str) -> None:
    done = run("preview", declared=f"settings={settings}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Windows: none\n")
    [warning] = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert warning.startswith("warning: plugin 'hours' of acme-hours: ")
    assert why in warning
    assert run("preview", declared=f"settings={settings}", TRACKER_DISABLE_PLUGINS="acme-hours").stderr.count("\n") == 1


def test_sound_settings_are_read_and_wait_for_a_feature_that_is_not_in_use(run: Run, tmp_path: Path) -> None:
    declared = "settings={'hours': 'acme_hours.parts:Hours'}"
    assert "hours.most" in run("config", "list", declared=declared).stdout
    (tmp_path / "tracker.toml").write_text("[hours]\nmost = 9\n")
    for more in (
        {},
        {"TRACKER_DISABLE_PLUGINS": "acme-hours"},
        {"first": "1 / 0"},
        {"declared": "settings={'hours': 'a:B'}"},
    ):
        done = run("preview", **{"declared": declared} | more)
        assert (done.returncode, done.stdout[:13]) == (0, "Windows: none"), (more, done.stderr)
    (tmp_path / "tracker.toml").write_text("[hours]\nmist = 9\n")
    assert "Unknown setting 'hours.mist'" in run("preview", declared=declared).stderr
    (tmp_path / "tracker.toml").write_text("hours = 9\n")
    assert "Unknown setting 'hours'" in run("preview", TRACKER_DISABLE_PLUGINS="acme-hours").stderr


def test_a_setting_whose_check_raises_costs_only_itself_and_is_named(run: Run, tmp_path: Path) -> None:
    """A slip in one value ended every command, captures too, and nothing said in which line it stands."""
    declared, file = "settings={'hours': 'acme_hours.parts:Free'}", tmp_path / "tracker.toml"
    shown = run("config", "list", declared=declared).stdout
    assert "hours.most = inf" in shown, "no limit, no text and what is made anew are sound defaults"
    file.write_text('[hours]\nzone = "UCT"\n')
    said = f"{file} (line 2): plugin 'hours' failed to check hours.zone 'UCT': KeyError: 'UCT'"
    assert said in begin(run, declared=declared).stderr
    assert "hours.zone = UTC  (text; default)" in run("config", "list", declared=declared).stdout
    done = run("doctor", declared=declared)
    assert (done.returncode, said in done.stdout, "Traceback" in done.stderr) == (1, True, False), done.stdout
    assert run("preview", declared=declared, TRACKER_STRICT="1").returncode == 1
    done = run("config", "set", "hours.zone", "UTX", declared=declared)
    assert (done.returncode, "failed to check hours.zone 'UTX'" in done.stderr) == (1, True), done.stderr


def test_the_projects_own_feature_keeps_its_command(run: Run) -> None:
    declared = "commands={'churn': Command('Results', 'Mine.', 'acme_hours.parts:command')}"
    done = run("churn", "--help", declared=declared)
    assert "Measure the lines that changed" in done.stdout
    assert done.stderr == (
        "warning: plugin 'hours' of acme-hours: its command churn is left out, because ledgers (tracker-ledgers)"
        " also declares that name\n"
    )
    listed = run("plugins", "list", declared=declared).stdout
    assert "its command churn is left out" in " ".join(listed.split())
    assert run("churn", declared=declared, TRACKER_DISABLE_PLUGINS="ledgers").stdout == "mine\n"


def test_the_list_of_plugins_tells_parts_that_cannot_be_loaded(run: Run) -> None:
    """They were only told where they are used."""
    lost = "settings={'hours': 'nope:Hours'}, commands={'lost': Command('Results', 'Mine.', 'acme_hours.parts:nope')}"
    listed = " ".join(run("plugins", "list", declared=lost).stdout.split())
    assert "note: failed to declare its settings nope:Hours: ModuleNotFoundError: No module" in listed
    assert "note: failed to load its command 'lost': AttributeError: " in listed


def test_what_a_command_returns_is_no_exit_status(run: Run) -> None:
    for name, status in (("answers", 0), ("ends", 3)):
        done = run(name, declared=f"commands={{'{name}': Command('Results', 'Mine.', 'acme_hours.parts:{name}')}}")
        assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def faulty(error: str) -> str:
    return f"error: plugin 'hours' failed to run: {error}. TRACKER_TRACE=1 shows where.\n"


def test_a_command_that_raises_is_one_line_that_names_the_feature(run: Run) -> None:
    declared = "commands={'hours': Command('Results', 'Mine.', 'acme_hours.parts:broken')}"
    done = run("hours", declared=declared)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", faulty("ZeroDivisionError: no\\x1b[31m hours"))
    assert ", in broken\n" in run("hours", declared=declared, TRACKER_TRACE="1").stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [("halts", faulty("raised BaseException('no hours')")), ("leaves", "error: no\\x1b[31m hours\n")],
)
def test_what_is_no_exception_ends_a_command_with_one_line(run: Run, name: str, said: str) -> None:
    done = run("hours", declared=f"commands={{'hours': Command('Results', 'Mine.', 'acme_hours.parts:{name}')}}")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_a_command_that_raises_is_of_the_feature_and_not_of_a_source_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry points of one package come by name, and a source's may be the first."""
    points = [Plugin("acme", "acme_hours"), Plugin("hours", "acme_hours.feature")]
    monkeypatch.setattr(discovery, "scan", lambda: points)
    with pytest.raises(ZeroDivisionError) as raised:
        exec("1 / 0", {"__name__": "acme_hours.command"})
    found = discovery.culprit(raised.value)
    assert found is not None
    assert found.plugin == "hours"


@pytest.mark.parametrize(("name", "given"), [("unfit", "x"), ("selects", "selection")])
def test_a_command_whose_parameters_do_not_fit_names_the_feature(run: Run, name: str, given: str) -> None:
    done = run(name, declared=f"commands={{'{name}': Command('Results', 'Mine.', 'acme_hours.parts:{name}')}}")
    error = faulty(f"TypeError: {name}() got an unexpected keyword argument '{given}'")
    # Python 3.13 asks if another one was meant
    assert (done.returncode, re.sub(r" Did you mean '\w+'\?\.", "", done.stderr)) == (1, error)


def test_an_error_of_the_system_in_a_command_names_the_feature(run: Run) -> None:
    declared = "commands={'hours lost': Command('Results', 'Mine.', 'acme_hours.parts:lost')}"
    done = run("hours", "lost", declared=declared)
    assert (done.returncode, done.stderr) == (
        1,
        "error: plugin 'hours' failed to run: FileNotFoundError: [Errno 2] No such file or directory: '/no/hours'."
        " TRACKER_TRACE=1 shows where.\n",
    )


def test_an_export_format_that_raises_is_one_line_that_names_the_feature(run: Run) -> None:
    hooks = """
def write(session, stream, folder):
    raise RuntimeError("no XML")

@hookimpl
def export_formats():
    return {"xml": write}
"""
    begin(run)
    done = run("export", "--format", "xml", "--out", "out", hooks=hooks)
    assert (done.returncode, done.stderr) == (
        1,
        "error: plugin 'hours' failed to export commands: RuntimeError: no XML\n",
    )


def test_a_repair_that_raises_is_named_and_the_others_go_on(run: Run) -> None:
    hooks = """
def mend():
    raise KeyError("no\\x1b[31m")

@hookimpl
def data_findings(session):
    return [Finding(place="one", problem="is odd", fix=mend), Finding(place="two", problem="is odd", fix=lambda: None)]
"""
    begin(run)
    done = run("doctor", "--fix", hooks=hooks)
    assert done.returncode == 1
    assert (
        "error: one: is odd (found by acme-hours); see the reason; the repair failed: plugin 'hours' failed to"
        " repair: KeyError: 'no\\x1b[31m'\n"
    ) in done.stdout.replace("\\\\", "\\")
    assert "repaired: two: is odd" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_slow_import_is_said_in_the_list(run: Run) -> None:
    assert "its import takes 0." in " ".join(
        run("plugins", "list", first="import time; time.sleep(0.6)").stdout.split()
    )


IMPORTS = {
    "import os; os.fsync = lambda file: None": "os.fsync",
    "import sys; sys.path.insert(0, '/nowhere')": "sys.path",
    "import sys; sys.meta_path.insert(0, type('Finder', (), {'find_spec': lambda *_: None}))": "sys.meta_path",
    "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)": "the handler of SIGCHLD",
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)": "the handler of SIGINT",
}


@pytest.mark.parametrize("code", IMPORTS)
def test_what_an_import_changes_is_put_back_and_named(run: Run, code: str) -> None:
    note = f"plugin 'hours' of acme-hours: its import changed {IMPORTS[code]}, which was put back"
    done = run("preview", first=code)
    assert (done.returncode, done.stderr.count(note)) == (0, 1), done.stderr
    assert f"its import changed {IMPORTS[code]}" in " ".join(run("plugins", "list", first=code).stdout.split())


CHECKS = """
@hookimpl
def window_checks(session, window):
    yield Check(name="sound", state="ok", text="All\\nis well.")
    yield Check(name="other", state={state}, text={text}, cure={cure})
"""


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"state": "'fine'"}, "Invalid state 'fine'. Expected one of ok, missing, failed."),
        ({"text": "None"}, "Invalid text None. Expected a text without control characters."),
        ({"cure": "7"}, "Invalid cure 7. Expected a text without control characters, or None."),
        ({}, ""),
    ],
)
def test_a_check_that_is_none_costs_the_features_checks_and_is_named(run: Run, wrong: dict[str, str], why: str) -> None:
    given = {"state": "'ok'", "text": "'Text.'", "cure": "None"} | wrong
    begin(run)
    done = run("decision-card", "--window", "W0-01", hooks=CHECKS.format(**given))
    assert ("All\\nis well." in done.stdout) is (not wrong), done.stderr
    assert "No evidence has passed." in done.stdout
    warning = f"warning: plugin 'hours' failed to window_checks: ValueError: {why.rstrip('.')}; the rest works"
    assert (warning in done.stderr) is bool(wrong), done.stderr


def test_a_stream_of_the_projects_own_is_no_other_features(run: Run) -> None:
    assert "its stream churn is left out" in run("preview", declared="streams=('churn',)").stderr


def test_a_wrong_finding_is_no_traceback(run: Run) -> None:
    hooks = "@hookimpl\ndef data_findings(session):\n    return [Finding(place='x', problem='y', severity='grave')]\n"
    begin(run)
    done = run("doctor", hooks=hooks)
    assert "Invalid severity 'grave'. Expected one of error, warning, note" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_command_says_what_is_disabled(run: Run) -> None:
    """What a disabled feature of others declares is not known: that takes its import."""
    off = " TRACKER_DISABLE_PLUGINS leaves out acme-hours: unset it to have all commands and options."
    said = run("hours", "--last", "3", TRACKER_DISABLE_PLUGINS="acme-hours").stderr.splitlines()[-1]
    assert said.startswith("error: Unknown command 'hours'. ")
    assert said.endswith(off)
    assert "leaves out" not in run("hours").stderr


def test_the_commands_that_others_add_to_a_group_stay_and_its_own_says_what_to_type(tracker_cli: Run) -> None:
    for words in ([], ["list"], ["--last", "3"], ["--json"]):
        done = tracker_cli("windows", *words, TRACKER_DISABLE_PLUGINS="desk")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines()[-1] == (
            "error: The command windows is not available. tracker-desk is disabled: unset TRACKER_DISABLE_PLUGINS."
        )
    assert "propose" in tracker_cli("windows", "--help", TRACKER_DISABLE_PLUGINS="desk").stdout
    assert tracker_cli("windows", "add", "--help", TRACKER_DISABLE_PLUGINS="desk").returncode == 0


TALLY = """
class Mine:
    def __init__(self, fault):
        self.fault = fault
    def add(self, row, group):
        if self.fault == "add":
            raise KeyError("mine")
    def extend(self, other):
        pass
    def total(self, account=""):
        from tracker.kernel import ProviderFigures
        if self.fault == "total":
            raise KeyError("mine")
        if self.fault == "parts":
            return ProviderFigures(self.source, "pp", self, excluded=5)
        return ProviderFigures(self.source, "pp", self) if self.fault in ("text", "limits") else 5
    n, features, capacity, efficiency, power, remarks = 1, 3.0, 12.0, 0.25, None, ()
    ci_kind, ci, figures = "none", None, dict

@hookimpl
def tally(session, source):
    mine = Mine({fault!r})
    mine.source = source
    if mine.fault == "text":
        mine.capacity = "12"
    if mine.fault == "limits":
        mine.ci_kind, mine.ci = "measured", ("0.1", 0.4)
    return object() if mine.fault == "none" else mine
"""


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("add", "KeyError: 'mine'"),
        ("total", "KeyError: 'mine'"),
        ("figures", "TypeError: total returned int. Expected ProviderFigures"),
        ("text", "ValueError: An Estimate's capacity is '12'. See docs/reference/plugins.md"),
        ("limits", "ValueError: An Estimate's ci is ('0.1', 0.4). See docs/reference/plugins.md"),
        ("parts", "TypeError: total returned ProviderFigures with a wrong source, excluded or stale"),
        ("none", "TypeError: returned object <object object at "),
    ],
)
def test_a_tally_with_a_fault_leaves_bare_sums(run: Run, fault: str, why: str) -> None:
    begin(run)
    pane = ("--file", str(DEMO / "status_after.txt"), "--captured-at", "2026-11-22T07:45:00Z", "--timezone", "UTC")
    assert run("end", "codex", *pane, "--window", "W0-01", "--force").returncode == 0
    assert run("complete", "--window", "W0-01", "--codex-features", "3").returncode == 0
    hooks, without = TALLY.format(fault=fault), {"TRACKER_DISABLE_PLUGINS": "verdict"}
    done = run("preview", hooks=hooks, **without)
    assert done.returncode == 0, done.stderr
    failed = "'hours' failed to tally" if fault == "none" else "'acme_hours' failed to add up the windows"
    assert f"warning: plugin {failed}: {why}" in done.stderr
    assert fault == "none" or "; the windows are shown as bare sums" in done.stderr
    assert done.stdout == run("preview", **without).stdout
    assert run("preview", hooks=hooks, TRACKER_STRICT="1", **without).returncode == 1
