"""Events whose time lies outside of a window's captures: stored, counted, and said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tracker.cli.main import main

PANE = ">_ OpenAI Codex (v0.169.0)\n\n  5h limit:      90% left\n  Weekly limit:  80% left\n"
CAPTURES = {"before": "2026-01-10T08:00:00Z", "after": "2026-01-10T12:00:00Z"}
SAID = "outside window: {} of Subagent Proxy in W0-01 came before its first BEFORE or after its last AFTER"
COUNTED = "; still counted in all figures\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGENT_ID", raising=False)

    def call(*arguments: str) -> tuple[str, str]:
        main(["--data-dir", str(tmp_path / "data"), *arguments], standalone_mode=False)
        return capsys.readouterr()

    return call


def capture(run: Any, phase: str) -> None:
    Path("pane.txt").write_text(PANE)
    run(
        "ingest", "codex", "--window", "W0-01", "--phase", phase, "--file", "pane.txt", "--captured-at", CAPTURES[phase]
    )


def ingest(run: Any, *times: str) -> tuple[str, str]:
    lines = [json.dumps({"ts": f"2026-01-10T{time}Z", "rid": "F-1", "lane": "glm"}) + "\n" for time in times]
    Path("usage.jsonl").write_text("".join(lines))
    found: tuple[str, str] = run("ingest", "proxy-telemetry", "--window", "W0-01", "--file", "usage.jsonl")
    return found


def test_they_are_stored_and_said_where_they_are_taken_in_and_where_they_are_shown(run: Any) -> None:
    assert "outside window" not in ingest(run, "07:00:00", "09:00:00", "13:00:00")[1]  # no capture, no span
    assert "outside window" not in run("preview", "--window", "W0-01")[1]
    capture(run, "before")
    out, err = ingest(run, "07:00:00", "09:00:00", "13:00:00", "07:30:00")
    assert "events=4, new=1" in out
    assert SAID.format("2 events") in err  # there is no end yet
    capture(run, "after")
    out, err = run("preview", "--window", "W0-01")
    assert "events=4" in out
    assert "outside window" not in out  # the text of the preview is fixed
    assert SAID.format("3 events") + COUNTED in err
    blocks = json.loads(run("--json", "preview", "--window", "W0-01")[0])["blocks"]
    assert [block.get("outside_window") for block in blocks] == [{"W0-01": 3}, None]


def test_the_instants_of_the_captures_lie_inside(run: Any) -> None:
    capture(run, "before")
    capture(run, "after")
    assert "outside window" not in ingest(run, "08:00:00", "12:00:00")[1]
    assert SAID.format("1 event") in ingest(run, "08:00:00", "12:00:00.001")[1]
