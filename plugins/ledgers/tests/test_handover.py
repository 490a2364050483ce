"""What the next person is handed, and the log of the commands that it quotes."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outcomes import ok, records, refused

from tracker.api import Block, Row
from tracker_ledgers import handoff as handoff_module

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CLOSE = ("checkpoint", "--window", "W0-20", "--provider", "toy", "--task", "end_of_session", "--plan", "200000")


# --- handoff


def handoff(folder: Path) -> bytes:
    return (folder / "docs" / "SESSION_HANDOFF.md").read_bytes()


def section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_an_unread_capture_is_named_beside_the_window(toys: Run, tmp_path: Path) -> None:
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W0-20", stdin="heat 1%"))
    ok(toys("alias", "end", "toy", "--stdin", stdin="fuel 28%"))
    ok(toys("handoff"))
    said = "W0-20: ready to finalize (toy); the BEFORE of toy lacks fuel, so its capacity is not known\n"
    assert said in section(handoff(tmp_path).decode(), "Windows")
    ok(toys("alias", "end", "toy", "--stdin", "--window", "W0-20", stdin="heat 1%"))
    ok(toys("handoff"))
    assert "; the BEFORE and AFTER of toy lack fuel, so its" in section(handoff(tmp_path).decode(), "Windows")


def test_a_folder_whose_name_is_no_utf8_is_handed_over(toys: Run, tmp_path: Path) -> None:
    """The brief names its documents."""
    folder = os.fsdecode(bytes(tmp_path / "data") + b"\xff")
    ok(toys("--data-dir", folder, "alias", "start", "toy", "--stdin", stdin="fuel 5%"))
    ok(toys("--data-dir", folder, "handoff"))
    assert b"data\\udcff" in handoff(tmp_path)


def test_others_write_while_it_is_gathered(finalized: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is gathered again for what they wrote, and still keeps nobody waiting."""
    gather = handoff_module.gather

    def gathered(*arguments: Any) -> Any:
        found = gather(*arguments)
        with (tmp_path / "data" / ".lock").open() as lock, (tmp_path / "data" / "others.jsonl").open("a") as stream:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stream.write("{}\n")
        return found

    monkeypatch.setattr(handoff_module, "gather", gathered)
    ok(finalized("handoff"))
    assert (tmp_path / "data" / "others.jsonl").read_text() == "{}\n" * 3


def test_a_stranger_can_continue(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("alias", "start", "toy", "--stdin", "--window", "W0-21", stdin="fuel 30%", AGENT_ID="sub1"))
    ok(finalized("alias", "start", "toy", "--stdin", "--window", "W0-22", stdin="fuel 50%"))
    ok(finalized("alias", "end", "toy", "--stdin", "--window", "W0-22", stdin="fuel 40%"))
    for tokens in ("5", "70", "6", "900"):
        ok(finalized(*CLOSE, "--actual", tokens, "--task", f"task{tokens}", "--features-added", "1"))
    ok(
        finalized(
            "evidence", "add", "--window", "W0-20", "--capability", "C1", "--result", "pass", "--artifact", "file0.py"
        )
    )
    ok(finalized("handoff"))
    text = handoff(tmp_path).decode()
    assert f"cd {tmp_path}\nexport TRACKER_DATA_DIR={tmp_path / 'data'}\nunset AGENT_ID" in text
    assert "W0-21: open (toy in lane sub1)" in section(text, "Windows")
    assert "W0-20: finalized" in section(text, "Windows")
    assert "W0-22: cannot be finalized: the capacity meter of toy fell" in section(text, "Windows")
    assert "W0-21: toy in lane sub1 since 20" in section(text, "Open now")
    assert "tracker end toy --stdin --window W0-21 --agent sub1\n" in section(text, "Next command")
    assert "W0-22 toy negative-delta: fuel fell from 50 to 40" in section(text, "Open anomalies")
    assert "cure: capture again: tracker end toy --stdin --window W0-22, or tracker alias delete toy" in section(
        text, "Open anomalies"
    )
    assert re.findall(r"tokens_actual=(\d+)", section(text, "Token ledger")) == ["900", "70", "6"]
    artifacts = section(text, "Artifacts").splitlines()
    assert str(tmp_path / "data" / "snapshots.jsonl") in artifacts
    assert str(tmp_path / "docs" / "Ledgers" / "Token_Churn_Ledger.csv") in artifacts
    assert str(tmp_path / "file0.py") in artifacts
    assert "docs/SOP/uat_opener.md (missing)" in section(text, "Read first")
    checks = section(text, "Preview checks to start with")
    assert "tracker preview --window W0-20 --window W0-21 --window W0-22\n" in checks
    preview = ok(finalized("preview", *(word for one in (20, 21, 22) for word in ("--window", f"W0-{one}"))))
    assert preview.partition("\nNotes:")[0] in checks
    run = section(text, "Commands that were run")
    assert "Z  AGENT_ID=sub1 tracker alias start toy --stdin --window W0-21\n" in run
    assert "--task task900" in run


def test_the_next_command_runs_as_it_stands(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("alias", "start", "toy", "--stdin", "--window", "W0-21", stdin="fuel 30%", AGENT_ID="sub1"))
    ok(finalized(*CLOSE, "--actual", "1"))

    def next_command() -> list[str]:
        ok(finalized("handoff"))
        steps = re.findall(r"```sh\n(.*)\n```", section(handoff(tmp_path).decode(), "Next command"))
        return shlex.split(steps[0])[1:]

    assert next_command() == ["end", "toy", "--stdin", "--window", "W0-21", "--agent", "sub1"]
    ok(finalized(*next_command(), stdin="fuel 31%"))
    ok(finalized("evidence", "add", "--window", "W0-20", "--capability", "C1", "--result", "pass"))
    assert next_command() == (
        ["complete", "--window", "W0-21", "--toy-features", "N", "--quality", "Q", "--outcome", "WORD"]
    )
    ok(finalized("feature", "log", "--feature-id", "F-1", "--window", "W0-21", "--provider", "toy"))
    done = [word.replace("Q", "1").replace("WORD", "pass") for word in next_command()]
    assert done[4] == "1"
    ok(finalized(*done))
    assert next_command() == ["churn", "--window", "W0-21", "--provider", "toy"]
    ok(finalized(*next_command()))
    assert next_command() == ["uat", "--window", "W0-21", "--record"]
    ok(finalized("evidence", "add", "--window", "W0-21", "--capability", "C1", "--result", "pass"))
    assert next_command()[:1] == ["start"]


def test_a_window_that_came_by_import_ends_where_it_began(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("alias", "start", "toy", "--stdin", "--window", "A-01", stdin="fuel 30%"))
    new = {"TRACKER_DATA_DIR": str(tmp_path / "new")}
    ok(finalized("import", str(tmp_path / "data"), **new))
    said = ok(finalized("handoff", "--dry-run", **new))
    assert "A-01: toy in the lane without a name on another machine since " in said
    assert "A-01 came by `tracker import`: it is ended where it was made. If you moved here from there:\n" in said
    card = finalized("decision-card", "--window", "A-01", **new).stdout
    assert "It came by `tracker import`: do this on the machine it came from, or here if you moved here. Run `" in card
    ok(finalized("alias", "end", "toy", "--stdin", "--window", "A-01", stdin="fuel 40%"))
    ok(finalized("import", str(tmp_path / "data"), **new))
    said = ok(finalized("handoff", "--dry-run", **new))
    assert "A-01 came by `tracker import`: it is finalized where it was made. If you moved here from there:\n" in said
    with (tmp_path / "new" / "imports.jsonl").open("a") as file:
        file.write('{"imported": 5}\n{"imported": [["x"], null]}\n')
    assert ok(finalized("handoff", "--dry-run", **new))
    assert "came by" not in ok(finalized("handoff", "--dry-run"))


@pytest.mark.parametrize(("panes", "verb"), [(("fuel 10%", "heat 5%"), "end"), (("heat 5%", "fuel 10%"), "override")])
def test_a_pane_that_lacks_the_meter_comes_before_the_finalizing(
    toys: Run, tmp_path: Path, panes: tuple[str, str], verb: str
) -> None:
    for word, pane in zip(("start", "end"), panes, strict=True):
        ok(toys(word, "toy", "--stdin", "--window", "W1", stdin=pane))
    ok(toys("handoff"))
    first, second = re.findall(r"```sh\ntracker (.*)\n```", section(handoff(tmp_path).decode(), "Next command"))
    assert (first.split()[0], second.split()[0]) == (verb, "complete")
    ok(toys(*shlex.split(first.replace(" N", " 5")), stdin="fuel 15%"))
    ok(toys("complete", "--window", "W1", "--toy-features", "1"))
    assert "capacity=5 pp" in ok(toys("preview"))


def test_the_next_commands_make_a_finalized_window_go(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("complete", "--window", "W0-20", "--clear", "outcome"))
    ok(finalized("handoff"))
    steps = re.findall(r"```sh\n(.*)\n```", section(handoff(tmp_path).decode(), "Next command"))
    assert steps[0] == "tracker complete --window W0-20 --outcome WORD"
    ok(finalized(*shlex.split(steps[0].replace("WORD", "pass"))[1:]))
    assert "No outcome" not in ok(finalized("decision-card", "--window", "W0-20"))


def test_the_last_finalized_windows_are_handed_over(finalized: Run, tmp_path: Path) -> None:
    """A churn of an older one is newer than they are."""
    for window in ("W0-21", "W0-22", "W0-23"):
        ok(finalized("start", "toy", "--stdin", "--window", window, stdin="fuel 30%"))
        ok(finalized("end", "toy", "--stdin", "--window", window, stdin="fuel 31%"))
        ok(finalized("complete", "--window", window, "--toy-features", "1"))
    ok(finalized("churn", "--window", "W0-20"))
    assert "wrote the handoff of W0-21, W0-22, W0-23 to " in ok(finalized("handoff"))


def test_the_next_command_fits_what_is_open(finalized: Run, tmp_path: Path) -> None:
    """Another window is open than the one that is handed over."""
    ok(finalized("churn", "--window", "W0-20"))
    ok(finalized("evidence", "add", "--window", "W0-20", "--capability", "C1", "--result", "pass"))
    ok(finalized("start", "toy", "--stdin", "--window", "W0-21", stdin="fuel 30%"))
    ok(finalized("handoff", "--window", "W0-20"))
    text = handoff(tmp_path).decode()
    assert "W0-21: toy in the lane without a name" in section(text, "Open now")
    steps = re.findall(r"```sh\n(.*)\n```", section(text, "Next command"))
    assert steps == ["tracker end toy --stdin --window W0-21"]
    ok(finalized(*shlex.split(steps[0])[1:], stdin="fuel 40%"))


def test_running_it_twice_changes_nothing(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("handoff"))
    first, stamp = handoff(tmp_path), (tmp_path / "docs" / "SESSION_HANDOFF.md").stat().st_mtime_ns
    assert ok(finalized("handoff")).endswith("is up to date\n")
    assert (tmp_path / "docs" / "SESSION_HANDOFF.md").stat().st_mtime_ns == stamp
    ok(finalized("alias", "start", "toy", "--stdin", "--window", "W0-21", stdin="fuel 30%"))
    ok(finalized("handoff"))
    assert handoff(tmp_path) != first


@pytest.mark.parametrize(
    ("above", "below"),
    [
        (b"my words\n", b"\nmore of mine, without an end"),
        (b"\xef\xbb\xbfWindows\r\n", b"\r\n\r\nmore\r\n"),
        (b"\xff no UTF-8\n   \n", b"\n"),
    ],
)
def test_what_people_wrote_around_it_stays(finalized: Run, tmp_path: Path, above: bytes, below: bytes) -> None:
    path = tmp_path / "docs" / "SESSION_HANDOFF.md"
    path.parent.mkdir()
    path.write_bytes(above)
    ok(finalized("handoff"))
    assert handoff(tmp_path).startswith(above)
    path.write_bytes(handoff(tmp_path).removesuffix(b"\n").removesuffix(b"\r") + below)
    ok(finalized("handoff"))
    once = handoff(tmp_path)
    ok(finalized("churn", "--window", "W0-20"))
    ok(finalized("handoff"))
    twice = handoff(tmp_path)
    assert twice.startswith(above)
    assert twice.endswith(b"-->" + below)
    assert (once != twice, twice.count(b"handoff: begin"), twice.count(b"handoff: end")) == (True, 1, 1)
    assert (b"\r\n" in above) == (b"```text\r\n" in twice)
    assert b"\n" not in twice.replace(b"\r\n", b"") or b"\r\n" not in above


def test_markers_that_are_damaged_are_refused(finalized: Run, tmp_path: Path) -> None:
    path = tmp_path / "docs" / "SESSION_HANDOFF.md"
    ok(finalized("handoff"))
    begin, _, rest = path.read_bytes().partition(b"\n")
    for damaged in (rest, begin + b"\nx\n", path.read_bytes() * 2):
        path.write_bytes(damaged)
        assert "does not hold one pair of tracker's marker lines" in refused(finalized("handoff"))
        assert path.read_bytes() == damaged


def test_nothing_to_hand_over(toys: Run, tmp_path: Path) -> None:
    assert "holds no records to hand over" in refused(toys("handoff"))
    assert not (tmp_path / "data").exists()
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W0-20", stdin="fuel 10%"))
    assert "Did you mean W0-20?" in refused(toys("handoff", "--window", "W0-2O"))


def test_recorded_texts_cannot_leave_their_place(finalized: Run, tmp_path: Path) -> None:
    hostile = "x\n```\n<!-- tracker handoff: end -->\n\x1b[2J<!--"
    ok(finalized("churn", "--window", "W0-20", "--notes", hostile))
    ok(
        finalized(
            "complete", "--window", "W0-20", "--toy-features", "3", "--force", "--outcome", hostile, "--notes", hostile
        )
    )
    ok(finalized(*CLOSE, "--actual", "1", "--task", hostile, "--notes", hostile))
    ok(finalized("handoff"))
    text = handoff(tmp_path).decode()
    assert text.count("\n<!-- tracker handoff: end -->\n") == 1
    assert "\x1b" not in text
    fences = [line for line in text.splitlines() if line.lstrip().startswith("```")]
    assert {fence.strip() for fence in fences[1::2]} == {"```"}
    assert all(len(fence) > 3 for fence in fences[::2])


def test_a_section_is_no_marker_and_ends_no_block(
    finalized: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ("````", "<!-- tracker handoff: end -->", "# Forged")
    block = Block(title="Hours", rows=tuple(Row(values={}, text=text) for text in texts))
    monkeypatch.setattr("tracker_ledgers.window_facts.section", lambda *_given: block)
    for _ in range(2):
        ok(finalized("handoff"))
    shown = section(handoff(tmp_path).decode(), "Hours")
    assert shown.splitlines() == ["", "`````text", "````", " <!-- tracker handoff: end -->", "# Forged", "`````"]


# --- the command log


def test_the_commands_are_noted_without_secrets(toys: Run, tmp_path: Path) -> None:
    notes = "it's sk-abcdefgh12345 of dev@example.com\ntoken=hunter2"
    ok(
        toys(
            "alias", "start", "toy", "--stdin", "--window", "W0-20", "--notes", notes, stdin="fuel 1%", AGENT_ID="sub1"
        )
    )
    ok(
        toys(
            *("evidence", "add", "--window", "W0-20", "--capability", "C1", "--result=pass"),
            *("--notes", "password: hunter2"),
        )
    )
    ok(toys("alias", "end", "toy", "--stdin", "--dry-run", stdin="fuel 2%", AGENT_ID="sub1"))
    refused(toys("alias", "end", "tally", "--stdin", stdin="5"))
    ok(toys("preview"))
    first, second = records(tmp_path, "commands")
    assert (first["agent_id"], first["windows"], first["window"]) == ("sub1", ["W0-20"], None)
    assert "\n" not in first["command"]
    read_back = subprocess.run(
        ["bash", "-c", f"printf '%s|' {first['command']}"], capture_output=True, check=True
    ).stdout.decode()
    assert read_back == (
        "tracker|alias|start|toy|--stdin|--window|W0-20|--notes|it's sk-*** of d***@example.com\ntoken=***|"
    )
    assert (
        second["command"] == "tracker evidence add --window W0-20 --capability C1 --result=pass --notes 'password: ***'"
    )
    assert "hunter2" not in (tmp_path / "data" / "commands.jsonl").read_text()
    assert "W0-99" not in ok(toys("preview"))


def test_what_is_noted_does_not_say_where_the_project_lies(toys: Run, tmp_path: Path) -> None:
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W0-20", stdin="fuel 1%"))
    ok(toys("handoff"))
    ok(toys("evidence", "add", "--window", "W0-20", "--capability", "C1", "--result", "pass"))
    [first, brief, _] = records(tmp_path, "commands")
    assert (first["cwd"], brief["document"]) == ("..", "../docs/SESSION_HANDOFF.md")
    for path in (tmp_path / "data").glob("*.jsonl"):
        assert str(tmp_path) not in path.read_text(), path.name


def test_a_command_that_was_taken_back_leaves_the_list(toys: Run, tmp_path: Path) -> None:
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W0-20", stdin="fuel 1%"))
    ok(toys("handoff"))
    before = handoff(tmp_path)
    ok(toys("alias", "end", "toy", "--stdin", stdin="fuel 2%"))
    ok(toys("handoff"))
    assert "tracker alias end toy" in section(handoff(tmp_path).decode(), "Commands that were run")
    undone = toys("undo", "--yes")
    assert "note: `tracker handoff` is newer and stays: undo cannot take back what it did" in undone.stderr
    assert "Add --past to take back the one before it that can be: " in refused(undone)
    ok(toys("undo", "--yes", "--past"))
    ok(toys("handoff"))
    assert handoff(tmp_path) == before


def test_a_command_of_a_lane_names_it(toys: Run, tmp_path: Path) -> None:
    ok(toys("start", "toy", "--stdin", "--window", "W0-20", stdin="fuel 1%", AGENT_ID="sub1"))
    ok(toys("--agent", "sub2", "start", "toy", "--stdin", "--window", "W0-20", stdin="fuel 1%"))
    ok(toys("start", "tally", "--stdin", "--window", "W0-20", stdin="1"))
    ok(toys("handoff"))
    found = section(handoff(tmp_path).decode(), "Commands that were run").splitlines()
    words = [row.partition("Z  ")[2] for row in found if "Z  " in row]
    assert words == [
        "AGENT_ID=sub1 tracker start toy --stdin --window W0-20",
        "tracker --agent sub2 start toy --stdin --window W0-20",
        "tracker start tally --stdin --window W0-20",
    ]


def test_a_command_that_names_a_window_makes_none(toys: Run, tmp_path: Path) -> None:
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W0-20", stdin="fuel 1%"))
    ok(toys("feature", "log", "--feature-id", "F-1", "--window", "W0-99"))
    assert records(tmp_path, "commands")[-1]["windows"] == ["W0-99"]
    assert ok(toys("preview")).startswith("Windows: W0-20\n")


def test_a_checkpoint_of_a_mistyped_window_says_that_nothing_is_recorded(finalized: Run, tmp_path: Path) -> None:
    close = ("checkpoint", "--window", "W0-99", "--provider", "toy", "--task", "t", "--plan", "1", "--actual", "2")
    done = finalized(*close)
    ok(done)
    assert "note: W0-99 is a new window. If that is a mistake, `tracker undo` takes this back\n" in done.stderr
    assert "W0-99: nothing is recorded in it: no captures, no churn\n" in section(handoff(tmp_path).decode(), "Windows")
    # what it says to run works
    cure = re.search(r"Run `tracker (.*?)`", done.stderr)
    assert cure is not None
    assert "recorded churn for W0-99: files=0" in ok(finalized(*cure[1].replace("COMMIT", "HEAD").split()))


def test_settings_above_repositories(
    toys: Run, make_repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next commands run in the repository that is worked in."""
    (tmp_path / "tracker.toml").write_text('data_dir = "records"\n')
    make_repository(tmp_path / "one").commit("first")
    monkeypatch.chdir(tmp_path / "one")
    ok(toys("alias", "start", "toy", "--stdin", "--window", "W0-20", stdin="fuel 10%"))
    ok(toys("handoff"))
    assert f"cd {tmp_path / 'one'}\n" in handoff(tmp_path).decode()


def test_evidence_that_failed_is_the_next_step(finalized: Run, tmp_path: Path) -> None:
    ok(finalized("churn", "--window", "W0-20", "--provider", "toy"))
    for result, step in (
        ("skip", "tracker uat --window W0-20 --record"),
        ("fail", "tracker evidence add --window-id W0-20"),
    ):
        ok(finalized("evidence", "add", "--window", "W0-20", "--capability", "login", "--result", result))
        ok(finalized("handoff"))
        assert step in section(handoff(tmp_path).decode(), "Next command").split("```")[1]
    ok(finalized("evidence", "add", "--window", "W0-20", "--capability", "login", "--result", "pass"))
    ok(finalized("handoff"))
    assert "W0-20" not in section(handoff(tmp_path).decode(), "Next command").split("```")[1]
