"""A feature's slip costs its part alone: it is named, and the others' answers stand."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plugin_modules import add_feature

from tracker.api import Check, EventTotals, Panel, Period, Quantiles, StreamFacts
from tracker.errors import PluginError, TrackerError
from tracker.feature import Command, Feature, hookimpl
from tracker.hosting import discovery
from tracker.hosting.registry import Registry

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CHECK = Check(name="hours", state="ok", text="They are logged.")


def feature(name: str, **hooks: Callable[..., Any]) -> types.ModuleType:
    module = types.ModuleType(name)
    for hook, function in hooks.items():
        function.__name__ = hook
        setattr(module, hook, hookimpl(function))
    return module


@pytest.fixture
def registry(registry: Registry) -> Registry:
    add_feature(registry, "sound", feature("sound", window_checks=lambda session, window: (CHECK,)))
    return registry


def install(folder: Path, name: str, text: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text(f"[tracker]\n{name} = {name}_package.feature\n")
    package = folder / f"{name}_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "feature.py").write_text(text)


def leave() -> Any:
    sys.exit(0)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda: 7, "returned int 7. Expected Sequence[Check]"),
        (lambda: ["text"], "returned list ['text']. Expected Sequence[Check]"),
        (lambda: (one for one in ["text"]), "returned generator"),
        (lambda: [object.__new__(Check)], "AttributeError: 'Check' object has no attribute 'name'"),
        (lambda: 1 / 0, "division by zero"),
        (leave, "raised SystemExit(0)"),
    ],
)
def test_a_wrong_answer_is_named_and_the_others_stand(
    registry: Registry, said: list[str], answer: Callable[[], Any], why: str
) -> None:
    add_feature(registry, "bad", feature("bad", window_checks=lambda session, window: answer()))
    for _ in range(2):
        assert registry.ask("window_checks", session=None, window="W1") == [[CHECK]]
    [warning] = said
    assert "'bad'" in warning
    assert why in warning


def test_a_hook_that_does_not_end_is_asked_once(
    registry: Registry, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view asks for panels several times, and each time took the whole time of a plugin."""
    asked = []

    def spin(session: Any, window: str) -> list[Check]:
        asked.append(window)
        while True:
            pass

    monkeypatch.setenv("TRACKER_PLUGIN_SECONDS", "0.1")
    add_feature(registry, "spins", feature("spins", window_checks=spin))
    for _ in range(3):
        assert registry.ask("window_checks", session=None, window="W1") == [[CHECK]]
        [answer] = [one for name, one in registry.each("window_checks", session=None, window="W1") if name == "spins"]
        assert "did not finish within 0.1 s" in str(answer)
    assert (asked, len(said)) == (["W1"], 1)


def test_a_generator_is_read_within_the_guard(registry: Registry) -> None:
    add_feature(registry, "lazy", feature("lazy", window_checks=lambda session, window: (one for one in [CHECK])))
    assert registry.ask("window_checks", session=None, window="W1") == [[CHECK], [CHECK]]


def test_columns_must_be_mappings(registry: Registry, said: list[str]) -> None:
    add_feature(registry, "bad", feature("bad", window_facts=lambda session, windows: {("W1", ""): 7}))
    assert registry.ask("window_facts", session=None, windows=["W1"]) == []
    assert "Expected (window, provider): {column: value};" in said[0]


def test_prints_go_to_stderr(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    def chatty(session: Any, window: str) -> list[Check]:
        print("hello\x1b[2J")
        sys.stdout.writelines(["you\n"])
        return []

    add_feature(registry, "chatty", feature("chatty", window_checks=chatty))
    registry.ask("window_checks", session=None, window="W1")
    found = capsys.readouterr()
    assert (found.out, found.err) == ("", "hello\\x1b[2J\nyou\n")


def test_errors_on_purpose_end_the_command(registry: Registry) -> None:
    def refuse(session: Any, window: str) -> list[Check]:
        raise TrackerError("no such window")

    add_feature(registry, "strict", feature("strict", window_checks=refuse))
    with pytest.raises(TrackerError, match="no such window"):
        registry.ask("window_checks", session=None, window="W1")


def test_a_hook_with_a_misspelt_argument_is_left_out_with_a_cure(registry: Registry, said: list[str]) -> None:
    add_feature(registry, "slip", feature("slip", window_checks=lambda session, windo: []))
    assert registry.ask("window_checks", session=None, window="W1") == [[CHECK]]
    [warning] = said
    assert "'slip'" in warning
    assert warning.endswith("(TRACKER_DISABLE_PLUGINS=slip leaves it out)")


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ({"commands": {"x": "text"}}, "Expected a Command"),
        ({"commands": {"x": Command("Gr\x1b[2J", "About.", "a:b")}}, "Expected a Command of three texts of one line"),
        ({"commands": {"x": Command("Daily", "About.", "nowhere")}}, "Expected a module and an attribute"),
        ({"settings": {"x": "nowhere"}}, "Expected a module and an attribute"),
        ({"streams": ("hours")}, "Invalid streams 'hours'. Expected a tuple of texts"),
        ({"commands": ["x"]}, "Invalid commands .* Expected a mapping from names"),
        ({"settings": "x"}, "Invalid settings 'x'. Expected a mapping from names"),
        ({"settings": {5: "a.b:C"}}, "Invalid settings {5: 'a.b:C'}. Expected a mapping from names"),
        ({"settings": {"fh": 7}}, "Invalid place 7. Expected a module and an attribute"),
        ({"streams": (1,)}, r"Invalid streams \(1,\). Expected a tuple of texts"),
        ({"streams": (one for one in ("hours",))}, "Invalid streams <generator"),
        ({"streams": None}, "Invalid streams None"),
        ({"streams": ("../x",)}, "Expected up to 64 lower-case letters"),
        ({"streams": ("x" * 65,)}, "Expected up to 64 lower-case letters"),
        ({"commands": {"preview": Command("Daily", "About.", "a:b")}}, "that are not a command of the kernel"),
        ({"commands": {"--json": Command("Daily", "About.", "a:b")}}, "words of lower-case letters"),
        ({"commands": {7: Command("Daily", "About.", "a:b")}}, "Invalid commands {7: .* Expected a mapping from names"),
        ({"streams": ("windows",)}, "not a stream of the kernel's"),
    ],
)
def test_a_declaration_that_would_break_the_command_line_is_refused(declared: dict[str, Any], why: str) -> None:
    with pytest.raises((TypeError, ValueError), match=why):
        discovery.check(Feature(name="x", **declared), "x")


def test_every_call_can_be_traced(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACKER_TRACE", "1")
    registry.ask("window_checks", session=None, window="W1")
    assert capsys.readouterr().err == "trace: sound.window_checks(session=None, window='W1')\n"


def test_in_strict_mode_the_first_fault_is_an_error(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    add_feature(registry, "bad", feature("bad", window_checks=lambda session, window: 7))
    monkeypatch.setenv("TRACKER_STRICT", "1")
    with pytest.raises(PluginError, match="plugin 'bad' failed to window_checks: TypeError: returned int 7"):
        registry.ask("window_checks", session=None, window="W1")
    with pytest.raises(PluginError, match="plugin 'bad' failed to window_checks"):
        list(registry.each("window_checks", session=None, window="W1"))
    with pytest.raises(PluginError, match="plugin 'slip' failed to match the hook specifications"):
        add_feature(registry, "slip", feature("slip", window_checks=lambda session, windo: []))


HOURS = """
from tracker.feature import Command, Feature, hookimpl

@hookimpl
def feature_info():
    return Feature(name="NAME", commands={"hours": Command("Results", "Show the hours of NAME.", "NAME_hours:command")})
"""
COMMAND = "import click\ncommand = click.command()(lambda: click.echo('NAME'))\n"


def test_of_two_features_that_declare_one_command_neither_has_it(tracker_cli: Run, tmp_path: Path) -> None:
    for name in ("ours", "yours"):
        install(tmp_path, name, HOURS.replace("NAME", name))
        (tmp_path / f"{name}_hours.py").write_text(COMMAND.replace("NAME", name))
    site = str(tmp_path)
    assert "hours" not in tracker_cli("--help", PYTHONPATH=site).stdout
    both = tracker_cli("hours", PYTHONPATH=site)
    assert (both.returncode, both.stdout) == (2, "")
    assert both.stderr.splitlines()[:2] == [
        f"warning: plugin '{one}' of {one}: its command hours is left out,"
        f" because {other} ({other}) also declares that name"
        for one, other in (("ours", "yours"), ("yours", "ours"))
    ]
    assert tracker_cli("hours", PYTHONPATH=site, TRACKER_DISABLE_PLUGINS="yours").stdout == "ours\n"


def test_a_senseless_time_limit_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from tracker.hosting.guard import guarded

    for text in ("abc", "nan", "-1"):
        monkeypatch.setenv("TRACKER_PLUGIN_SECONDS", text)
        with pytest.raises(TrackerError, match=f"Invalid TRACKER_PLUGIN_SECONDS '{text}'"), guarded("x", "y"):
            pass


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"W0-01": {"hours": 3}}, "Invalid {'hours': 3} of 'W0-01'. Expected (window, provider): {column: value}"),
        ({("W0-01", ""): {"hours": float("nan")}}, "Invalid hours nan of ('W0-01', ''). Expected a text, switch"),
        ({("W0-01", ""): {"hours": 10**5000}}, "ValueError: Exceeds the limit (4300 digits)"),
        ({("W0-01", ""): {"hours": [1]}}, "Invalid hours [1]"),
        (
            {("W0-01", ""): {"state": "x"}},
            "Invalid column 'state'. Expected another name than those of the kernel",
        ),
    ],
)
def test_columns_that_no_view_can_show_are_named_and_left_out(
    registry: Registry, said: list[str], answer: Any, why: str
) -> None:
    add_feature(registry, "bad", feature("bad", window_facts=lambda session, windows: answer))
    add_feature(registry, "good", feature("good", window_facts=lambda session, windows: {("W0-01", ""): {"hours": 3}}))
    assert registry.ask("window_facts", session=None, windows=["W0-01"]) == [{("W0-01", ""): {"hours": 3}}]
    [warning] = said
    assert warning.startswith("plugin 'bad' failed to window_facts: ")
    assert why in warning


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({("W0-01", "codex"): ["a"]}, "Invalid ['a'] of ('W0-01', 'codex'). Expected (window, provider): text"),
        ({("W0-01", "codex"): 5}, "Invalid 5 of ('W0-01', 'codex')"),
        ({"W0-01": "a"}, "Invalid 'a' of 'W0-01'"),
    ],
)
def test_accounts_that_are_none_are_named_and_left_out(
    registry: Registry, said: list[str], answer: Any, why: str
) -> None:
    add_feature(registry, "bad", feature("bad", window_accounts=lambda session, windows: answer))
    add_feature(registry, "good", feature("good", window_accounts=lambda windows: {("W0-01", "codex"): "a"}))
    assert registry.first("window_accounts", session=None, windows=["W0-01"]) == {("W0-01", "codex"): "a"}
    [warning] = said
    assert warning.startswith(f"plugin 'bad' failed to window_accounts: TypeError: {why}")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"notes": [5]}, "Invalid notes [5]. Expected a sequence of str"),
        ({"notes": "abc"}, "Invalid notes 'abc'. Expected a sequence of str"),
        ({"outside": 5}, "Invalid outside 5. Expected a mapping from texts"),
        ({"totals": 5}, "Invalid totals 5. Expected EventTotals"),
        ({"totals": {"events": "x"}}, "Invalid events 'x'. Expected a whole number from 0 up"),
        ({"totals": {"events": -5}}, "Invalid events -5. Expected a whole number from 0 up"),
        ({"totals": {"routed": 1.5}}, "Invalid routed 1.5. Expected a whole number from 0 up"),
        ({"totals": {"lanes": {"a": 5}}}, "Invalid lanes {'a': 5}. Expected a mapping from texts to EventTotals"),
        ({"totals": {"models": {"a": EventTotals.__new__(EventTotals)}}}, "'EventTotals' object has no attribute"),
        ({"totals": {"latency_ms": 5}}, "Invalid latency_ms 5. Expected Quantiles"),
        ({"totals": {"latency_ms": Quantiles.__new__(Quantiles)}}, "'Quantiles' object has no attribute 'n'"),
    ],
)
def test_totals_that_no_view_can_show_are_named_and_left_out(
    registry: Registry, said: list[str], wrong: dict[str, Any], why: str
) -> None:
    def stream_facts(source: Any) -> StreamFacts:
        totals = wrong.get("totals", {})
        given = wrong | {"totals": EventTotals(**totals) if isinstance(totals, dict) else totals}
        return StreamFacts(**given)

    sound = StreamFacts(
        totals=EventTotals(events=2, lanes={"": EventTotals(events=2)}, latency_ms=Quantiles(n=1, p50=1))
    )
    add_feature(registry, "bad", feature("bad", stream_facts=stream_facts))
    add_feature(registry, "good", feature("good", stream_facts=lambda source: sound))
    asked = {"session": None, "source": None, "windows": [], "spans": {}}
    assert registry.first("stream_facts", **asked) is sound
    [warning] = said
    assert warning.startswith("plugin 'bad' failed to stream_facts: ")
    assert why in warning


def test_what_is_called_later_is_a_function(registry: Registry, said: list[str]) -> None:
    add_feature(registry, "bad", feature("bad", meter_sampler=lambda session: 5))
    assert registry.first("meter_sampler", session=None, every=None) is None
    assert said[0].startswith("plugin 'bad' failed to meter_sampler: TypeError: returned int 5. Expected Callable[")


def test_a_rival_that_was_left_out_answers_for_nobody(registry: Registry) -> None:
    """It has the name of the feature that answers, and comes after it."""
    add_feature(registry, "ours", feature("ours", panels=lambda period: [Panel(name="x", title="X")]))
    added(registry, "ours").distribution = "tracker-ours"
    rival = discovery.Plugin("ours", distribution="zoo")
    rival.error = PluginError("ours", "claim its name", "tracker-ours has it")
    registry.features.append(rival)
    [[panel]] = registry.ask("panels", session=None, period=Period())
    assert panel.distribution == "tracker-ours"


def test_the_name_of_a_column_is_a_plain_text(registry: Registry) -> None:
    class Text(str):
        pass

    facts = {("W0-01", ""): {Text("hours"): 3}}
    add_feature(registry, "good", feature("good", window_facts=lambda session, windows: facts))
    [answer] = registry.ask("window_facts", session=None, windows=["W0-01"])
    assert [type(name) for columns in answer.values() for name in columns] == [str]


def interrupt(session: Any, given: Any) -> None:
    raise KeyboardInterrupt


def spin(session: Any, given: Any) -> None:
    while True:
        pass


@pytest.mark.parametrize(
    ("function", "why"), [(interrupt, "raised KeyboardInterrupt()"), (spin, "did not finish within 0.1 s")]
)
def test_a_finished_command_stays_finished(
    registry: Registry, said: list[str], monkeypatch: pytest.MonkeyPatch, function: Callable[..., Any], why: str
) -> None:
    monkeypatch.setenv("TRACKER_PLUGIN_SECONDS", "0.1")
    add_feature(registry, "bad", feature("bad", command_finished=function))
    assert registry.ask("command_finished", session=None, given={}) == []
    assert said == [f"plugin 'bad' failed to command_finished: {why}; the rest works"]


BROKEN = """
from tracker.feature import Command, Feature, hookimpl

@hookimpl
def feature_info():
    return Feature(name="bad", commands={"lost": Command("Results", "Show nothing.", "nope.nope:command")})
"""


def test_a_command_without_its_module_is_one_line(tracker_cli: Run, tmp_path: Path) -> None:
    install(tmp_path, "bad", BROKEN)
    assert tracker_cli("preview", PYTHONPATH=str(tmp_path)).returncode == 0
    lost = tracker_cli("lost", PYTHONPATH=str(tmp_path))
    assert lost.stderr.splitlines()[-1] == (
        "error: plugin 'bad' failed to load its command 'lost': ModuleNotFoundError: No module named 'nope'"
    )


def added(registry: Registry, name: str) -> discovery.Plugin:
    return next(one for one in registry.features if one.name == name)


def test_what_is_not_the_projects_own_says_whose_it_is(registry: Registry) -> None:
    """A view names it: a third party's part must not pass for the project's."""
    module = feature("third", panels=lambda session, period: [Panel(name="x", title="X")])
    add_feature(registry, "third", module)
    assert added(registry, "third").module is module
    added(registry, "third").distribution = "acme-third"
    add_feature(registry, "ledgers", feature("ledgers", panels=lambda session, period: [Panel(name="y", title="Y")]))
    added(registry, "ledgers").distribution, added(registry, "ledgers").place = "tracker-ledgers", "x.feature"
    [[ours], [theirs]] = registry.ask("panels", session=None, period=Period())
    assert (ours.distribution, theirs.distribution) == ("", "acme-third")


def test_an_early_name_takes_no_answer_from_the_projects_own(registry: Registry) -> None:
    add_feature(registry, "another", feature("another", ingest_stream=lambda window: True))
    add_feature(registry, "telemetry", feature("telemetry", ingest_stream=lambda window: window == "W0-01"))
    own = added(registry, "telemetry")
    own.distribution, own.place = "tracker-telemetry", "x.feature"
    assert registry.first("ingest_stream", session=None, source=None, window="W0-02", given=None) is False
