"""Commands run in this process with the installed providers and features, and with what a test adds."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attrs import frozen
from click.testing import CliRunner, Result

from tracker.cli.main import main

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


START = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=16)
# Dollars per token of gpt-5: input, cache reads, output.
PRICES = (1.25e-6, 0.125e-6, 10e-6)
POINTS_PER_DOLLAR = 1.5


class World:
    """A home with Codex's session files, in which a weekly meter counts list-price dollars."""

    def __init__(self, folder: Path) -> None:
        self.start, self.rate = START, POINTS_PER_DOLLAR
        self.home = folder / "home"
        self.home.mkdir()

    def days(
        self,
        count: int,
        *,
        rate: Any = lambda _day: POINTS_PER_DOLLAR,
        hidden: Any = lambda _day, _turn: 0.0,
        model: Any = lambda _day: "gpt-5",
        nights: Mapping[int, Sequence[float]] = {},
    ) -> None:
        """A file a day, 60 turns each; `hidden` points are used without a request here, just before a turn.

        nights: points that are used in the hours before a day's first turn, with a reading after each.
        """
        chance, used, week = random.Random(5), 0.0, START
        for day in range(count):
            rows = []
            meta = {
                "id": f"day-{day}",
                "cwd": f"/home/dev/{'acme' if day % 2 else 'other'}",
                "cli_version": "0.160.0" if day < 6 else "0.161.0",
            }
            begin = START + timedelta(days=day, hours=9)
            if begin >= week + timedelta(days=7):
                used, week = 0.0, week + timedelta(days=7)
            rows += [self.line(begin, "session_meta", meta), self.line(begin, "turn_context", {"model": model(day)})]
            for hour, points in enumerate(nights.get(day, ())):
                used += points
                limit = {"used_percent": float(int(used)), "window_minutes": 10080}
                limit["resets_at"] = int((week + timedelta(days=7)).timestamp())
                payload = {"type": "token_count", "info": None, "rate_limits": {"limit_id": "codex", "primary": limit}}
                rows.append(self.line(begin - timedelta(hours=6 - hour), "event_msg", payload))
            total = dict.fromkeys(("input_tokens", "cached_input_tokens", "output_tokens", "total_tokens"), 0)
            for turn in range(60):
                at = begin + timedelta(minutes=8 * turn + chance.uniform(0, 4))
                fresh, read, output = (int(chance.lognormvariate(mean, 0.7)) for mean in (9.6, 11.4, 8.4))
                last = {"input_tokens": fresh + read, "cached_input_tokens": read, "output_tokens": output}
                last["total_tokens"] = fresh + read + output
                total = {key: total[key] + last[key] for key in total}
                dollars = sum(price * tokens for price, tokens in zip(PRICES, (fresh, read, output), strict=True))
                used += rate(day) * dollars + hidden(day, turn)
                limit = {
                    "used_percent": float(min(int(used), 100)),
                    "window_minutes": 10080,
                    "resets_at": int((week + timedelta(days=7)).timestamp()),
                }
                payload = {
                    "type": "token_count",
                    "info": {"total_token_usage": total, "last_token_usage": last},
                    "rate_limits": {"limit_id": "codex", "primary": limit, "plan_type": "pro" if day < 9 else "team"},
                }
                rows.append(self.line(at, "event_msg", payload))
            path = self.home / ".codex" / "sessions" / "2026" / "11" / "22" / f"rollout-{day:02d}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(rows))
        self("sync")

    def run(self, *arguments: str) -> Result:
        unset = dict.fromkeys(("CODEX_HOME", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME", "AGENT_ID"))
        given = {"HOME": str(self.home), "TRACKER_DATA_DIR": str(self.home / "data"), "TZ": "UTC"}
        return CliRunner().invoke(main, list(arguments), env={**unset, **given})

    def __call__(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.exit_code == 0, (done.stderr, done.exception)
        return str(done.stdout)

    def json(self, *arguments: str) -> Any:
        return json.loads(self("--json", *arguments))

    @staticmethod
    def line(at: datetime, kind: str, payload: dict[str, Any]) -> str:
        stamp = at.isoformat().replace("+00:00", "Z")
        return json.dumps({"timestamp": stamp, "type": kind, "payload": payload}) + "\n"

    def readings(self, change: Callable[[dict[str, Any]], Any]) -> None:
        """Store the readings as they are changed, without those of which the answer is False."""
        path = self.home / "data" / "readings.jsonl"
        rows = [json.loads(row) for row in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows if change(row) is not False))


@pytest.fixture(autouse=True)
def codex_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with Codex, whether or not the developer's has it."""
    program = tmp_path / "codex-home" / "codex"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setenv("CODEX_HOME", str(program.parent))


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


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    return World(tmp_path)
