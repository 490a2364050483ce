"""A plugin that is missing: what it recorded is named, and no row leaves it out silently."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracker.errors import PluginError
from tracker.hosting import registry
from tracker.hosting.discovery import Plugin

EVENT = '{"ts": "2026-01-10T06:30:00Z", "rid": "r", "lane": "far", "ms": 3}\n'


@pytest.fixture
def recorded(program: Any, kept: Any) -> Any:
    """A window of two providers, a report and a stream, finalized; then the next one."""
    kept(program.root, lambda: record(program))
    return program


def record(program: Any) -> None:
    for window in ("W1", "W2"):
        for source, before, after in (("toy", "fuel 1%", "fuel 5%"), ("tally", "3", "9")):
            program("alias", "start", source, "--stdin", "--window", window, stdin=before).ok()
            program("alias", "end", source, "--stdin", "--window", window, stdin=after).ok()
    program("ingest", "toy-report", "--window", "W2", "--stdin", stdin="4").ok()
    log = program.root.parent / "log.jsonl"
    log.write_text(EVENT)
    program("ingest", "toy-stream", "--window", "W2", "--file", str(log)).ok()
    program("complete", "--window", "W1", "--toy-features", "1", "--tally-features", "1").ok()


@pytest.fixture
def without(toy_registry: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Takes plugins away from the registry."""

    def go(*names: str, disabled: bool = False, broken: bool = False) -> None:
        found = toy_registry()
        for kept in {"sources", "providers"} & vars(found).keys():
            delattr(found, kept)
        for name in names:
            found.plugins = [one for one in found.plugins if one.name != name]
            if disabled:
                found.disabled.append(Plugin(name))
            if broken:
                found.plugins.append(Plugin(name))
                found.plugins[-1].error = PluginError(name, "claim its name", "it is odd")
        monkeypatch.setattr("tracker.hosting.registry.discover", lambda _report: found)

    return go


def test_every_view_says_once_what_it_leaves_out(recorded: Any, without: Any) -> None:
    without("tally", "toy-report", "toy-stream")
    said = "recorded here, but no plugin for it is installed; it is left out"
    one = [f"note: tally: {said}"]
    everything = [f"note: {name}: {said}" for name in ("tally", "toy-report", "toy-stream")]
    views = {
        "preview": everything,
        "preview --window W1": one,
        "window-audit --window W2": everything,
        "decision-card --window W2": everything,
        "scoreboard": one,
        "scoreboard --format json": one,
        "handoff": everything,
    }
    for view, expected in views.items():
        notes = [line for line in recorded(*view.split()).err.splitlines() if "left out" in line]
        assert notes == expected, view
    assert "left out" not in recorded("--quiet", "preview").err
    shown = json.loads(recorded("preview", "--json").ok())["not_shown"]
    assert [entry["plugin"] for entry in shown] == ["tally", "toy-report", "toy-stream"]
    assert shown[0]["error"] == "recorded here, but no plugin for it is installed"


def test_a_source_usually_comes_with_the_distribution_of_its_provider(recorded: Any, without: Any) -> None:
    """`usage` names it so; of a provider that is there the source has a distribution of its own."""
    without("toy-report")
    assert "install the plugin that declares toy-report (usually tracker-toy)" in recorded("doctor").out
    registry.discover(print).plugins[0].distribution = "tracker-toy"
    assert "install the plugin that declares toy-report (usually tracker-toy-report)" in recorded("doctor").out


def test_with_every_plugin_nothing_is_said(recorded: Any) -> None:
    for view in ("preview", "scoreboard", "window-audit --window W2", "doctor"):
        done = recorded(*view.split())
        assert "recorded here" not in done.out + done.err


@pytest.mark.parametrize(
    ("how", "reason", "cure"),
    [
        ({}, "no plugin for it is installed", "install the plugin that declares tally (usually tracker-tally)"),
        ({"disabled": True}, "TRACKER_DISABLE_PLUGINS disables its plugin", "unset TRACKER_DISABLE_PLUGINS"),
        ({"broken": True}, "the plugin for it is broken", "fix it: `tracker plugins list` says what is wrong"),
    ],
    ids=["missing", "disabled", "broken"],
)
def test_no_row_takes_a_provider_out_of_the_figures(
    recorded: Any, without: Any, how: dict[str, bool], reason: str, cure: str
) -> None:
    without("tally", **how)
    before = recorded.files()
    for window in ("W1", "W2"):
        assert recorded("complete", "--window", window, "--toy-features", "3").refused() == (
            f"error: {window} cannot be finalized, because part of it cannot be read:"
            f" tally: recorded here, but {reason}. To finalize it, {cure}. Nothing was stored."
        )
    assert recorded.files() == before


def test_a_finalize_row_keeps_a_provider_whose_captures_were_taken_back(recorded: Any, without: Any) -> None:
    for _ in range(2):
        recorded("alias", "delete", "tally", "--window", "W1", "--yes").ok()
    without("tally")
    assert "no plugin for it is installed" in recorded("complete", "--window", "W1").refused()


@pytest.mark.parametrize("names", [("toy",), ("toy", "tally")])
def test_what_no_plugin_reads_is_not_said_to_have_changed(recorded: Any, without: Any, names: tuple[str, ...]) -> None:
    without(*names, disabled=True)
    assert "stale" not in recorded("windows").err
    assert json.loads(recorded("--json", "windows").ok())[0]["stale"] == []
    card, named = recorded("decision-card", "--window", "W1").ok(), ", ".join(sorted(names))
    assert (
        f"  - ok      It is finalized. Whether captures of {named} changed is not known: no plugin reads them" in card
    )
    assert "--reopen" not in card
    handoff = recorded("--json", "handoff", "--window", "W1").ok()
    assert "--reopen" not in handoff
    assert "stale:" not in handoff


def test_a_missing_report_is_named_but_stops_no_row(recorded: Any, without: Any) -> None:
    without("toy-report")
    done = recorded("complete", "--window", "W2", "--toy-features", "3", "--tally-features", "1")
    assert "finalized W2" in done.ok()
    assert "note: toy-report: recorded here, but no plugin for it is installed; it is left out\n" in done.err


def test_the_status_shows_the_lane(recorded: Any, without: Any) -> None:
    without("tally")
    assert "nothing to capture here: no plugin for it is installed" in recorded("status").ok()


def test_the_doctor_names_the_plugin_and_not_its_state_as_foreign(recorded: Any, without: Any) -> None:
    late = "2999-01-01T00:00:00Z"  # an anomaly about it, whose record is there
    recorded("alias", "start", "tally", "--stdin", "--captured-at", late, "--force", stdin="12").ok()
    without("tally")
    findings = json.loads(recorded("doctor", "--json").ok())["findings"]
    found = [one for one in findings if one["check"] not in ("permissions", "future")]
    assert [(one["level"], one["check"], one["where"], one["what"]) for one in found] == [
        ("warning", "plugin", "tally_counts.jsonl", "tally: recorded here, but no plugin for it is installed")
    ]


@pytest.mark.parametrize("how", [{}, {"disabled": True}, {"broken": True}], ids=["missing", "disabled", "broken"])
def test_no_command_is_advised_that_only_the_missing_plugin_could_run(
    recorded: Any, without: Any, how: dict[str, bool]
) -> None:
    recorded("alias", "start", "tally", "--stdin", "--window", "W3", "--captured-at", "-3d", stdin="9").ok()
    recorded("alias", "start", "tally", "--stdin", "--window", "W4", stdin="9").ok()
    without("tally", **how)
    for view in ("status", "doctor", "decision-card --window W2", "decision-card --window W4", "handoff"):
        done = recorded(*view.split())
        said = done.out + done.err
        assert "tracker end tally" not in said, view
        assert "tracker complete --window" not in said, view
    why = {"disabled": "TRACKER_DISABLE_PLUGINS disables its plugin", "broken": "the plugin for it is broken"}
    reason = why.get(next(iter(how), ""), "no plugin for it is installed")
    assert f"nothing to capture here: {reason}" in recorded("status").ok()
    assert (
        f"The window cannot be finalized: tally: recorded here, but {reason}."
        in recorded("decision-card", "--window", "W2").out
    )
    states = {one["window"]: one["state"] for one in json.loads(recorded("windows", "--json").ok())}
    assert states == {"W1": "finalized", "W2": "closed", "W3": "open", "W4": "open"}
