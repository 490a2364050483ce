"""`tracker setup` on made-up machines: it shows, asks, changes, and takes back what it changed."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from inprocess import tracker

from tracker.api import CommandOrigin, Source
from tracker.kernel import TrackerError
from tracker_desk.edits import BEGIN, END, file_edit, with_block, with_status_line, without_block, without_status_line
from tracker_desk.machine import places

PATIENCE = 60  # seconds
CRONTAB = """#!/bin/sh
case "$1" in
  -l) cat "$HOME/crontab" 2>/dev/null || { echo "no crontab for dev" >&2; exit 1; } ;;
  -r) rm "$HOME/crontab" ;;
  -) cat > "$HOME/crontab" ;;
esac
"""
Setup = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with Claude Code, Codex, a bashrc, a crontab and a project with a proxy's log."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("crontab", CRONTAB), ("codex", "#!/bin/sh\n"), ("claude", "#!/bin/sh\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / "settings.json").write_text('{\n  "model": "opus",\n  "env": {"A": "1"}\n}\n')
    (tmp_path / ".bashrc").write_text("alias ll='ls -l'\n")
    sessions = tmp_path / ".codex" / "sessions" / "2026" / "11" / "22"
    sessions.mkdir(parents=True)
    (sessions / "rollout-1.jsonl").write_text("{}\n")
    (tmp_path / "project" / "logs").mkdir(parents=True)
    line = {"timestamp": "2026-11-22T06:30:00Z", "status": 200, "lane": "sub", "input_tokens": 1, "output_tokens": 1}
    (tmp_path / "project" / "logs" / "usage.jsonl").write_text(json.dumps(line) + "\n")
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID", "XDG_"))}
    path = f"{home / 'bin'}:{kept['PATH']}"
    return kept | {"HOME": str(home), "SHELL": "/bin/bash", "PATH": path, "XDG_STATE_HOME": str(home / "state")}


@pytest.fixture
def setup(home: Path) -> Setup:
    def run(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        given = ["setup", *options]
        status, out, err = tracker(given, b"", home / "project", environment(home) | variables)
        return subprocess.CompletedProcess(given, status, out.decode(), err.decode())

    return run


def files(home: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and "state" not in path.relative_to(home).parts
    }


def test_compressed_session_files_are_counted(home: Path, setup: Setup) -> None:
    """Codex packs what is older than a week: of two months of sessions setup counted that week alone."""
    sessions = home / ".codex" / "sessions" / "2026" / "11" / "22"
    (sessions / "rollout-2.jsonl.zst").write_bytes(b"packed")
    assert "  yes  Codex's session files      2 files in ~/.codex" in setup("--dry-run").stdout


def test_setup_shows_what_is_here_changes_it_once_and_takes_it_back(home: Path, setup: Setup) -> None:
    before = files(home)
    done = setup("--yes", TRACKER_GLM_KEY="secret-key")
    assert done.returncode == 0, done.stderr
    for line in (
        f"  yes  codex                      {home / 'bin' / 'codex'}",
        "  yes  Codex's session files      1 file in ~/.codex",
        "  yes  TRACKER_GLM_KEY            set",
        "  yes  proxy log                  logs/usage.jsonl (Subagent Proxy)",
        f"  changed {home / '.bashrc'}".strip(),
        f"  +{BEGIN}",
    ):
        assert line in done.stdout.splitlines(), done.stdout
    assert '\n  +  "statusLine": {"type": "command", "command": "' in done.stdout
    assert "secret-key" not in done.stdout + done.stderr
    _, _, after = done.stdout.partition("\nType next:\n")
    assert [line.partition("  #")[0].strip() for line in after.splitlines()] == [
        "tracker capture claude --phase before",
        "tracker usage",
        "tracker sync",
        "tracker ingest proxy-telemetry --window W0-01 --file logs/usage.jsonl",
    ]
    settings = json.loads((home / ".claude" / "settings.json").read_text())
    assert settings["model"] == "opus"
    assert settings["statusLine"]["command"].endswith("tracker statusline")
    assert "capture --sample --all" in (home / "crontab").read_text()
    assert "another data directory" not in done.stdout
    other = setup("--dry-run", TRACKER_DATA_DIR="other").stdout
    assert (
        "This replaces a job that samples into another data directory, which would then get no more samples." in other
    )
    written = files(home)
    shell = subprocess.run(
        ["bash", "-c", ". ~/.bashrc && type os"], env=environment(home), capture_output=True, text=True, check=False
    )
    assert "os is a function" in shell.stdout, shell.stderr
    again = setup("--yes")
    assert again.stdout.count(": already in ") == 3
    assert "changed" not in again.stdout
    assert files(home) == written
    undone = setup("--undo")
    assert undone.stdout.count("\nchanged ") + undone.stdout.startswith("changed ") == 3, undone.stdout
    assert files(home) == before
    assert setup("--undo").stdout == "There is nothing to take back.\n"


def test_a_dry_run_and_json_show_the_changes_and_make_none(home: Path, setup: Setup) -> None:
    before = files(home)
    done = setup("--dry-run")
    assert done.stdout.count("this changes") == 3
    assert "nothing was changed; without --dry-run this makes 3 changes" in done.stdout
    for words in (("--json",), ("--json", "--yes", "--dry-run"), ("--json", "--undo")):
        found = json.loads(setup(*words).stdout)
        assert {change["made"] for change in found["changes"]} <= {False}
        if "--undo" not in words:
            assert [change["title"] for change in found["changes"]] == ["Status line", "Short commands", "Schedule"]
            assert found["next"][0] == "tracker capture claude --phase before"
        assert files(home) == before


def test_files_without_a_reading_of_now_are_no_reason_to_capture(home: Path, setup: Setup) -> None:
    """It recommended what failed: that Codex's files are here says nothing of what is in them."""
    for name in ("codex", "claude"):
        (home / "bin" / name).unlink()
    path = {"PATH": f"{home / 'bin'}:/usr/bin:/bin"}
    assert json.loads(setup("--json", **path).stdout)["next"][0] == "tracker start claude"
    limits = {"primary": {"used_percent": 23.0, "window_minutes": 10080, "resets_at": int(time.time()) + 9000}}
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    row = {"timestamp": stamp, "type": "event_msg", "payload": {"type": "token_count", "rate_limits": limits}}
    [file] = (home / ".codex").rglob("*.jsonl")
    file.write_text(json.dumps(row) + "\n")
    assert json.loads(setup("--json", **path).stdout)["next"][0] == "tracker capture codex --phase before"


def test_json_says_what_was_changed_and_taken_back(home: Path, setup: Setup) -> None:
    before = files(home)
    for word in ("--yes", "--undo"):
        changes = json.loads(setup("--json", word).stdout)["changes"]
        made = [change["title"] for change in changes if change["made"]]
        assert made == ["Status line", "Short commands", "Schedule"]
        assert all(change["diff"] for change in changes if change["made"])
    assert json.loads(setup("--json", "--undo").stdout)["changes"] == []
    assert {name: text for name, text in files(home).items() if name in before} == before


def test_a_file_that_is_not_safe_to_change_is_left_alone(home: Path, setup: Setup) -> None:
    settings = home / ".claude" / "settings.json"
    settings.write_text('{"statusLine": {"type": "command", "command": "mine.sh"}}\n')
    (home / ".bashrc").write_bytes(b"alias x='\xff'\n")
    (home / "bin" / "crontab").write_text("#!/bin/sh\necho 'you may not' >&2\nexit 1\n")
    before = files(home)
    done = setup("--yes")
    assert done.returncode == 0, done.stderr
    assert f"Status line: not offered. {settings} has a status line already" in done.stdout
    assert f"Short commands: not offered. {home / '.bashrc'} is not UTF-8 text." in done.stdout
    assert "Schedule: not offered. The crontab cannot be listed: you may not." in done.stdout
    assert files(home) == before


def test_a_linked_file_stays_a_link_and_a_fifo_does_not_block(home: Path, setup: Setup) -> None:
    target = home / "dotfiles"
    (home / ".bashrc").rename(target)
    (home / ".bashrc").symlink_to(target)
    settings = home / ".claude" / "settings.json"
    settings.unlink()
    os.mkfifo(settings)
    done = setup("--yes")
    assert f"{settings} is not a regular file." in done.stdout
    assert (home / ".bashrc").is_symlink()
    assert BEGIN in target.read_text()


def test_a_program_that_was_never_started_has_no_folder_yet(home: Path, setup: Setup) -> None:
    (home / ".claude" / "settings.json").unlink()
    (home / ".claude").rmdir()
    assert f"Status line: not offered. There is no folder {home / '.claude'}.\n" in setup("--yes").stdout
    undone = setup("--undo")
    assert undone.stderr == ""
    assert not (home / ".claude").exists()
    # a home that cannot be looked into, as that of another user
    none = setup("--dry-run", HOME="/" + "x" * 300)
    assert (none.returncode, none.stderr) == (0, "")


def test_a_job_that_could_read_nothing_is_not_offered(home: Path, setup: Setup) -> None:
    """Cron mailed its failure every 15 minutes."""
    for folder in (".claude", ".codex"):
        shutil.rmtree(home / folder)
    for name in ("codex", "claude"):
        (home / "bin" / name).unlink()
    said = setup("--dry-run", PATH=f"{home / 'bin'}:/usr/bin:/bin", TRACKER_GLM_KEY="not-in-cron").stdout
    assert "Schedule: not offered. Nothing here can be sampled yet. Install one of these programs, then type" in said


def test_empty_files_and_lines_without_an_end_stay_as_they_were(home: Path, setup: Setup) -> None:
    (home / ".claude" / "settings.json").write_text("{}")
    (home / ".bashrc").write_text("alias ll='ls -l'")
    (home / "crontab").write_text("")
    before = files(home)
    assert setup("--yes").stdout.count("\nchanged ") == 3
    assert setup("--undo").returncode == 0
    assert files(home) == before


def test_without_answers_nothing_is_changed(home: Path, setup: Setup) -> None:
    before = files(home)
    done = setup()
    assert done.returncode == 1
    assert "error: The answers ended early, and nothing was written. Use --yes to run without questions." in done.stderr
    assert files(home) == before
    both = setup("--yes", "--undo")
    assert both.stderr.endswith("error: --yes and --undo exclude each other. Use one of them.\n")
    assert both.returncode == 2


@pytest.mark.parametrize("last", ["n\n", "\x03"])
def test_three_questions_on_a_terminal(home: Path, last: str) -> None:
    """Yes to the shell alone; each question comes after what it would change. Who interrupts changes nothing."""
    process, screen = pty.fork()
    if process == 0:
        os.chdir(home / "project")
        os.execve(sys.executable, [sys.executable, "-m", "tracker.cli", "setup"], environment(home))
    text, answers, is_over = "", [b"n\n", b"y\n", last.encode()], last == "n\n"
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if not select.select([screen], [], [], 1)[0]:
            if not answers and not is_over:
                # readline does not hear what came before it began to wait
                os.write(screen, last.encode())
            continue
        try:
            chunk = os.read(screen, 1 << 16)
        except OSError:
            break
        if not chunk:
            break
        text += chunk.decode()
        if answers and text.count("[y/N]: ") == 4 - len(answers):
            os.write(screen, answers.pop(0))
    os.close(screen)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == (0 if is_over else 130), text
    assert text.count("[y/N]") == 3
    assert ("Nothing was written.\r\nerror: interrupted" in text) is not is_over
    assert text.index(f"+{BEGIN}") < text.index(f"Add the short commands and completion to {home / '.bashrc'}?")
    assert "Show your meters in the status line of Claude" in text
    assert (BEGIN in (home / ".bashrc").read_text()) is is_over
    assert "statusLine" not in (home / ".claude" / "settings.json").read_text()
    assert not (home / "crontab").exists()


# --- the texts


SETTINGS = (
    None,
    "",
    "{}",
    "{}\n",
    "{ }\n\n",
    "{\n}\n",
    '{"a": 1}',
    '{"a": {"statusLine": {"type": "command"}}}\n',
    '{"a": {"b": {}}, "c": "}"}\n',
    '{\n\t"a": [1, 2],\n\t"b": "\\"statusLine\\": {}"\n}\n',
    '{\n    "ü": null\n}',
)


def test_a_status_line_goes_in_and_out_and_the_rest_stays_byte_for_byte() -> None:
    for text in SETTINGS:
        changed = with_status_line(text, "tracker statusline")
        assert json.loads(changed) == json.loads(text or "{}") | {
            "statusLine": {"type": "command", "command": "tracker statusline"}
        }
        assert with_status_line(changed, "tracker statusline") == changed
        moved = with_status_line(changed, "/new place/tracker --data-dir d statusline")
        assert json.loads(moved)["statusLine"]["command"].startswith("/new")
        assert without_status_line(changed) == without_status_line(moved) == without_status_line(text) == text
        # the program may write its settings anew meanwhile
        rewritten = json.dumps(json.loads(changed), indent=4)
        assert json.loads(without_status_line(rewritten) or "{}") == json.loads(text or "{}")
    first = '{"statusLine": {"command": "tracker statusline", "type": "command"}, "z": 1}'
    assert json.loads(without_status_line(first) or "") == {"z": 1}


def test_a_program_that_is_here_is_shown_with_its_place(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also without a declared cure: what is on the PATH was said not to be."""
    monkeypatch.chdir(home)
    origins = tuple(CommandOrigin(name=one, title=one, argv=(one,)) for one in ("sh", "acme-cli"))
    source = Source(contract="1.2", name="acme", title="Acme", kind="report", stream="acme", origins=origins)
    registry = SimpleNamespace(sources={"acme": source}, ask=lambda *_, **__: [])
    found = {one.name: (one.is_here, one.text) for one in places(SimpleNamespace(registry=registry))}  # type: ignore[arg-type]
    assert found["sh"] == (True, shutil.which("sh"))
    assert found["acme-cli"] == (False, "not on the PATH")


def test_a_file_with_other_line_ends_is_as_before_afterwards(tmp_path: Path) -> None:
    path, change = tmp_path / "settings.json", partial(with_status_line, command="tracker statusline")
    before = b'{\r\n  "theme": "dark"\r\n}\r\n'
    path.write_bytes(before)
    edit = file_edit("Status line", path, change)
    edit.make()
    assert json.loads(path.read_bytes())["theme"] == "dark"
    file_edit("Status line", path, without_status_line).make()
    assert path.read_bytes() == before


def test_settings_that_are_not_understood_are_refused() -> None:
    for text in (
        "[]",
        "{",
        '{"a": 1, "a": 2}',
        '{"statusLine": null}',
        '{"statusLine": {"command": "not-tracker statusline"}}',
        "// c\n{}",
    ):
        with pytest.raises(TrackerError, match=r"^(is|has) "):
            with_status_line(text, "tracker statusline")


def test_a_block_goes_in_and_out_and_half_a_block_is_refused() -> None:
    for text in (None, "", "a\n", "a", "\n", "a\n\n\nb\n"):
        changed = with_block(text, "one")
        assert with_block(changed, "one") == changed
        assert without_block(with_block(changed, "two\n")) == without_block(text) == text
        behind = without_block(f"{changed}c\n")
        assert behind == f"{text or ''}{'' if not text or text.endswith(chr(10)) else chr(10)}c\n"
    for text in (f"{BEGIN}\n", f"{END}\n{BEGIN}\n", f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n"):
        with pytest.raises(TrackerError):
            with_block(text, "one")
