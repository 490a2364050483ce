"""A feature's slip costs its part alone: it is named, and the others' answers stand."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from tracker.api import Check
from tracker.errors import TrackerError
from tracker.feature import Command, Feature, hookimpl
from tracker.hosting import discovery
from tracker.hosting.registry import Registry

CHECK = Check(name="hours", state="ok", text="They are logged.")


def feature(name: str, **hooks: Callable[..., Any]) -> types.ModuleType:
    module = types.ModuleType(name)
    for hook, function in hooks.items():
        function.__name__ = hook
        setattr(module, hook, hookimpl(function))
    return module


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def registry(said: list[str], monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.delenv("TRACKER_STRICT", raising=False)
    made = Registry(report=said.append)
    made.add_feature("sound", feature("sound", window_checks=lambda session, window: (CHECK,)))
    return made


def leave() -> Any:
    sys.exit(0)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda: 7, "returned int 7. Expected Sequence[Check]."),
        (lambda: ["text"], "returned list ['text']. Expected Sequence[Check]."),
        (lambda: (one for one in ["text"]), "returned generator"),
        (lambda: 1 / 0, "division by zero"),
        (leave, "raised SystemExit(0)"),
    ],
)
def test_a_wrong_answer_is_named_and_the_others_stand(
    registry: Registry, said: list[str], answer: Callable[[], Any], why: str
) -> None:
    registry.add_feature("bad", feature("bad", window_checks=lambda session, window: answer()))
    for _ in range(2):
        assert registry.ask("window_checks", session=None, window="W1") == [[CHECK]]
    [warning] = said
    assert "'bad'" in warning
    assert why in warning


def test_a_generator_is_read_within_the_guard(registry: Registry) -> None:
    registry.add_feature("lazy", feature("lazy", window_checks=lambda session, window: (one for one in [CHECK])))
    assert registry.ask("window_checks", session=None, window="W1") == [[CHECK], [CHECK]]


def test_columns_must_be_mappings(registry: Registry, said: list[str]) -> None:
    registry.add_feature("bad", feature("bad", window_facts=lambda session, windows: {("W1", ""): 7}))
    assert registry.ask("window_facts", session=None, windows=["W1"]) == []
    assert "Expected Mapping[tuple[str, str], Mapping[str, Value]]." in said[0]


def test_prints_go_to_stderr(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    def chatty(session: Any, window: str) -> list[Check]:
        print("hello")
        return []

    registry.add_feature("chatty", feature("chatty", window_checks=chatty))
    registry.ask("window_checks", session=None, window="W1")
    found = capsys.readouterr()
    assert (found.out, found.err) == ("", "hello\n")


def test_errors_on_purpose_end_the_command(registry: Registry) -> None:
    def refuse(session: Any, window: str) -> list[Check]:
        raise TrackerError("no such window")

    registry.add_feature("strict", feature("strict", window_checks=refuse))
    with pytest.raises(TrackerError, match="no such window"):
        registry.ask("window_checks", session=None, window="W1")


def test_a_hook_with_a_misspelt_argument_is_left_out_with_a_cure(registry: Registry, said: list[str]) -> None:
    registry.add_feature("slip", feature("slip", window_checks=lambda session, windo: []))
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
        ({"streams": ("../x",)}, "Expected lower-case letters"),
        ({"streams": ("windows",)}, "not a stream of the kernel's"),
    ],
)
def test_a_declaration_that_would_break_the_command_line_is_refused(declared: dict[str, Any], why: str) -> None:
    with pytest.raises((TypeError, ValueError), match=why):
        discovery.check(Feature(name="x", **declared), "x")


def test_a_senseless_time_limit_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from tracker.hosting.guard import guarded

    for text in ("abc", "nan", "-1"):
        monkeypatch.setenv("TRACKER_PLUGIN_SECONDS", text)
        with pytest.raises(TrackerError, match=f"Invalid TRACKER_PLUGIN_SECONDS '{text}'"), guarded("x", "y"):
            pass
