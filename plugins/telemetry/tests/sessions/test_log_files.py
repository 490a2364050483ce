"""Which files a source's logs are, and what a plugin does wrong while they are read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracker.api import LogOrigin, TelemetrySource
from tracker.kernel import Registry
from tracker_telemetry.sessions import parallel, scan
from tracker_telemetry.sessions.files import files

Make = Callable[..., str]
TREE = ("a.jsonl", "sub/b.jsonl", "sub/c.jsonl.zst", "sub/d.txt", "deep/sub/e.jsonl", "deep/sub/more/f.jsonl")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jsonl", "a"),
        ("a.jsonl", "a"),
        ("sub/*.jsonl", "b c"),
        ("s*b/[bc].jsonl", "b c"),
        ("**/sub/*.jsonl", "b c e"),
        ("deep/**/*.jsonl", "e f"),
        ("**/sub/**/*.jsonl", "b c e f"),
        ("*/*/*.jsonl", "e"),
        ("**/*.jsonl", "a b c e f"),
    ],
)
def test_a_pattern_is_that_of_the_path_below_the_folder(tmp_path: Path, pattern: str, expected: str) -> None:
    for name in TREE:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    origin = LogOrigin(name="logs", title="Logs", folder=str(tmp_path), pattern=pattern)
    source = TelemetrySource(contract="1.2", name="toy", title="Toy", stream="toy", origins=(origin,))
    assert sorted(os.path.basename(one.path)[0] for one in files(source)) == expected.split()


def test_a_pipe_among_the_files_is_not_waited_for(home: Any, message: Make) -> None:
    (home.projects / "a.jsonl").write_text(message("a"))
    (home.projects / "link.jsonl").symlink_to(home.projects / "a.jsonl")
    os.mkfifo(home.projects / "f.jsonl")
    assert home.total() == (1, 100, 50)


# --- a plugin that does something wrong


@pytest.fixture
def ingest(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[bytes], None]], None]:
    """Let the plugin do something before it reads a line; what it does in it passes for the plugin's."""
    bind = Registry.bind

    def put(deed: Callable[[bytes], None]) -> None:
        def bound(self: Registry, source: str, hook: str) -> Callable[..., Any]:
            own = bind(self, source, hook)

            def read(line: bytes, scratch: dict[str, Any]) -> Any:
                if b'"r-bad' in line:
                    deed(line)
                return own(line, scratch)

            return read

        monkeypatch.setattr(Registry, "bind", bound)

    return put


@pytest.fixture(params=[1, 2])
def processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(scan, "workers", lambda: request.param)
    monkeypatch.setattr(parallel, "PARALLEL", 0)
    return int(request.param)


def leave(_line: bytes) -> None:
    raise SystemExit(0)


def fail(_line: bytes) -> None:
    raise RuntimeError("a bug")


def interrupt(_line: bytes) -> None:
    raise KeyboardInterrupt


def lack(_line: bytes) -> None:
    """As while an update replaces what the plugin needs."""
    raise ModuleNotFoundError("No module named 'msgspec'")


def spin(_line: bytes) -> None:
    while True:
        pass


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize(("deed", "why"), [(leave, "raised SystemExit(0)"), (fail, "RuntimeError: a bug")])
def test_what_a_plugin_raises_costs_the_line(home: Any, message: Make, ingest: Any, deed: Any, why: str) -> None:
    (home.projects / "a.jsonl").write_text(message("bad") + message("b"))
    (home.projects / "b.jsonl").write_text(message("c") + message("bad2"))
    ingest(deed)
    done = home.run("usage")
    assert done.exit_code == 0
    fault = f"warning: plugin 'claude-sessions' failed to ingest_line: {why}; lines like it are not counted"
    assert done.stderr.count(fault) == 1
    assert home.total() == (2, 200, 100)
    assert home.missing()["unreadable"] == 2


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("deed", [interrupt, lack])
def test_what_ends_a_plugin_costs_the_file_until_it_is_mended(home: Any, message: Make, ingest: Any, deed: Any) -> None:
    (home.projects / "a.jsonl").write_text(message("a") + message("bad"))
    (home.projects / "b.jsonl").write_text(message("b"))
    ingest(deed)
    assert home.total() == (1, 100, 50)
    assert home.missing()["unread_files"] == 1
    assert "\ntotal, at least  " in home.run("usage").stdout
    assert "total, at least " in home.run("usage", FORCE_COLOR="1", NO_COLOR="1", COLUMNS="120").stdout
    assert "\nAt least 1 request used 150 tokens" in home.run("report", "--format", "md").stdout
    ingest(lambda _line: None)
    assert home.total() == (3, 300, 150)
    assert "at least" not in home.run("usage").stdout + home.run("report", "--format", "md").stdout.casefold()


def test_a_line_that_never_ends_is_given_up(home: Any, message: Make, ingest: Any, processes: int) -> None:
    for name in "abcde":
        (home.projects / f"{name}.jsonl").write_text(message(name) + message(f"bad{name}"))
    ingest(spin)
    done = home.run("usage", TRACKER_PLUGIN_SECONDS="0.05")
    assert done.exit_code == 0
    assert "failed to ingest_line: did not finish within 0.05 s" in done.stderr
    if processes == 1:  # else each has lines of its own
        ingest(lambda _line: None)
        assert home.total() == (8, 800, 400)


@pytest.mark.usefixtures("processes")
def test_what_a_plugin_prints_is_not_among_the_output(
    home: Any, message: Make, ingest: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    (home.projects / "a.jsonl").write_text(message("bad"))
    (home.projects / "b.jsonl").write_text(message("b"))
    ingest(lambda _line: print("\x1b[31mhi"))
    assert home.total() == (2, 200, 100)
    assert "hi" not in capfd.readouterr().out


def test_a_strict_run_ends_with_what_a_plugin_raised(home: Any, message: Make, ingest: Any) -> None:
    (home.projects / "a.jsonl").write_text(message("bad"))
    ingest(fail)
    done = home.run("usage", TRACKER_STRICT="1")
    assert done.exit_code == 1
    assert "failed to ingest_line: RuntimeError: a bug" in done.stderr


@pytest.mark.parametrize("name", ["model", "sessionId", "gitBranch"])
def test_a_name_that_is_too_long_costs_its_line(home: Any, message: Make, name: str) -> None:
    rows = [message("a"), message("b", **{name: "x" * (1 << 20)}), message("c")]
    (home.projects / "a.jsonl").write_text("".join(rows))
    assert home.total() == (2, 200, 100)
    assert home.missing() == {"unreadable": 1}


def test_a_folder_that_a_variable_names_and_that_is_not_there_is_said(home: Any, message: Make) -> None:
    (home.projects / "s1.jsonl").write_text(message("a"))
    wrong = {"CLAUDE_CONFIG_DIR": f"{home.folder}/.claude,/typo", "XDG_CONFIG_HOME": "/none", "CODEX_HOME": "/nowhere"}
    found = [(one["kind"], one["count"], one["detail"]) for one in home.usage(**wrong)["missing"]]
    assert sorted(found) == [
        ("unread_folders", 1, "Claude Code sessions: /typo, set in CLAUDE_CONFIG_DIR, does not exist"),
        ("unread_folders", 1, "Codex sessions: /nowhere, set in CODEX_HOME, does not exist"),
    ]
    assert home.usage(XDG_CONFIG_HOME="/none")["missing"] == []


def test_sessions_whose_files_are_gone_are_said_with_their_first_day(home: Any, message: Make) -> None:
    folder = home.projects / "s1" / "subagents"
    folder.mkdir(parents=True)
    (folder / "agent-x.jsonl").write_text(message("b", isSidechain=True))
    for name in ("s1", "s2"):
        (home.projects / f"{name}.jsonl").write_text(message(name, sessionId=name))
    assert home.missing() == {}
    for gone, count in (
        (home.projects / "s2.jsonl", 1),
        (folder / "agent-x.jsonl", 1),
        (home.projects / "s1.jsonl", 2),
    ):
        gone.unlink()
        [missing] = home.usage()["missing"]
        assert missing == {"kind": "gone", "count": count, "detail": "Claude Code sessions, the first from 2026-11-20"}
    assert home.total()[0] == 3
    said = (
        "missing: the files of 2 sessions are gone, but what they held is counted: Claude Code sessions, the first from"
    )
    assert said in home.run("usage").stderr
