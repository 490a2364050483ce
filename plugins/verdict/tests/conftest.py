"""Commands run in this process with the installed providers and features, and with what a test adds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attrs import frozen

PANE = ">_ OpenAI Codex (v0.44.0)\n Account: {} (Pro)\n Weekly limit: [██░░] {}% left\n"
FIELDS = {"codex": "weekly_pct", "claude": "all_models_pct", "glm": "prompts_used"}


@frozen
class Verdicts:
    """The program on a data directory whose finalized windows the test writes."""

    folder: Path
    facts: dict[tuple[str, str], dict[str, float]]

    def __call__(self, *arguments: str, stdin: str = "", lane: str = "") -> Any:
        from inprocess import Program

        return Program(self.folder / "data")(*arguments, stdin=stdin, lane=lane)

    def rows(self, **providers: list[Any]) -> None:
        """A finalized window for each pair (features, capacity) or (features, capacity, when, {other fields})."""
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        lines = []
        for name, pairs in providers.items():
            for at, pair in enumerate(pairs):
                day = f"2026-01-{1 + at:02d}T12:00:00Z"
                features, capacity, when, more = (*pair, *(day, {})[len(pair) - 2 :])
                row = {
                    "window": f"{name}-{1 + at:02d}",
                    "provider": None,
                    "captured_at": when,
                    "finalized_at": when,
                    "schema_version": "1.0.0",
                    "features": {name: features},
                    "outcome": "partial" if at % 2 else "pass",
                    "providers": {name: {"delta": {FIELDS[name]: capacity}, "errors": []}},
                    **more,
                }
                lines.append(json.dumps(row) + "\n")
        (data / "windows.jsonl").write_text("".join(lines))

    def measure(self, *windows: tuple[str, str, int, int, str, str, int | None]) -> None:
        """Windows of Codex: id, account, left before and after, from and to, features (None: not finalized)."""
        for window, address, before, after, start, end, features in windows:
            for phase, left, at in (("start", before, start), ("end", after, end)):
                words = ("alias", phase, "codex", "--stdin", "--window", window, "--captured-at", at)
                self(*words, stdin=PANE.format(address, left)).ok()
            if features is not None:
                self("complete", "--window", window, "--codex-features", str(features)).ok()

    def settings(self, text: str) -> None:
        (self.folder / "tracker.toml").write_text(text)


@pytest.fixture(autouse=True)
def codex_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with Codex, whether or not the developer's has it."""
    (tmp_path / "codex-home").mkdir()
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex-home"))


@pytest.fixture
def verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verdicts:
    from tracker.feature import hookimpl
    from tracker.hosting import discovery

    facts: dict[tuple[str, str], dict[str, float]] = {}
    third = ModuleType("third_feature")

    def window_facts(windows: list[str]) -> Mapping[tuple[str, str], Mapping[str, float]]:
        return {key: columns for key, columns in facts.items() if {*key[0].split("+")} <= {*windows}}

    third.window_facts = hookimpl(window_facts)  # type: ignore[attr-defined]
    known, added = discovery.installed(), discovery.Plugin("third")
    added.module = third
    monkeypatch.setattr(discovery, "installed", lambda: [*known, added])
    monkeypatch.chdir(tmp_path)
    return Verdicts(tmp_path, facts)


@pytest.fixture
def tracker_cli(tracker_inside: Callable[..., Any]) -> Callable[..., Any]:
    """No test of this suite needs a process for each command."""
    return tracker_inside
