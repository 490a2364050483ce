"""`tracker doctor`: what it finds in a broken directory, and what it repairs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracker.kernel import TrackerError

T0, T1 = "2026-01-10T08:00:00Z", "2026-01-10T09:00:00Z"


def findings(program: Any, *options: str) -> list[tuple[str, str, str, str]]:
    done = program("--json", "doctor", *options)
    assert done.error is None, repr(done.error)
    found = json.loads(done.out)
    assert (done.status == 0) is found["ok"], done.err
    return [(one["level"], one["check"], one["where"], one["what"]) for one in found["findings"]]


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def stream(program: Any) -> Path:
    path: Path = program.root / "snapshots.jsonl"
    return path


def record(program: Any, **changes: Any) -> bytes:
    row = json.loads(stream(program).read_bytes().splitlines()[0]) | {"record_id": "f" * 32, "nonce": "x"} | changes
    row = {key: value for key, value in row.items() if value != "without"}
    return json.dumps(row).encode() + b"\n"


def test_a_sound_directory(sound: Any) -> None:
    *streams, verdict = sound("doctor").ok().splitlines()
    assert {"commands.jsonl: 3 records", "snapshots.jsonl: 2 records", "tally_counts.jsonl: 1 record"} <= {*streams}
    assert verdict == "Verdict: everything is as it should be."
    assert findings(sound) == []


def test_nothing_is_said_of_a_directory_that_is_not_there(program: Any) -> None:
    assert "There are no records in" in program("doctor").refused()
    assert not program.root.exists()


BROKEN: dict[str, tuple[Callable[[Any], object], tuple[str, str, str, str]]] = {
    "no-json": (
        lambda program: append(stream(program), b"{nonsense\n"),
        ("error", "json", "snapshots.jsonl line 3", "is not JSON ("),
    ),
    "no-object": (
        lambda program: append(stream(program), b"[1]\n"),
        ("error", "json", "snapshots.jsonl line 3", "is not a JSON object"),
    ),
    "no-utf-8": (
        lambda program: append(stream(program), b'{"a": "\xff"}\n'),
        ("error", "encoding", "snapshots.jsonl line 3", "is not UTF-8 (invalid start byte at byte 7)"),
    ),
    "too-deep": (
        lambda program: append(stream(program), b'{"a":' + b"[" * 300 + b"]" * 300 + b"}\n"),
        ("error", "json", "snapshots.jsonl line 3", "is nested too deeply"),
    ),
    "empty-line": (
        lambda program: append(stream(program), b"\n"),
        ("note", "json", "snapshots.jsonl line 3", "an empty line"),
    ),
    "not-strict": (
        lambda program: append(stream(program), record(program, extra=float("nan"), nonce="without")),
        ("note", "json", "snapshots.jsonl line 3", "is not strict JSON ("),
    ),
    "repeated": (
        lambda program: append(stream(program), stream(program).read_bytes()),
        ("note", "duplicate", "snapshots.jsonl line 3", "repeats an earlier line"),
    ),
    "one-id-twice": (
        lambda program: append(stream(program), record(program) + record(program, window="W9")),
        ("error", "duplicate", "snapshots.jsonl line 4", f"has the id {'f' * 32} of an earlier record"),
    ),
    "changed": (
        lambda program: append(stream(program), record(program)),
        ("warning", "changed", "snapshots.jsonl line 3", "does not match its own id"),
    ),
    "wrong-types": (
        lambda program: append(stream(program), record(program, window=5, parsed=[], captured_at="soon", phase="now")),
        ("warning", "schema", "snapshots.jsonl line 3", "has no usable window, parsed, phase, captured_at"),
    ),
    "newer-schema": (
        lambda program: append(stream(program), record(program, schema_version="7.0.0", nonce="without")),
        ("warning", "schema", "snapshots.jsonl line 3", "has the schema 7.0.0; this program knows 1.0.0 and 1.1.0"),
    ),
    "future": (
        lambda program: append(stream(program), record(program, captured_at="2999-01-01T00:00:00Z", nonce="without")),
        ("warning", "future", "snapshots.jsonl line 3", "was captured in the future"),
    ),
    "order": (
        lambda program: append(stream(program), record(program, captured_at="2020-01-01T00:00:00Z", nonce="without")),
        ("note", "order", "snapshots.jsonl", "1 record captured before an earlier line"),
    ),
    "unknown-target": (
        lambda program: append(stream(program), record(program, tombstone="nobody", nonce="without")),
        ("warning", "tombstone", "snapshots.jsonl line 3", "takes back nobody, which is not there"),
    ),
    "no-target": (
        lambda program: append(stream(program), record(program, tombstone=5, nonce="without")),
        ("warning", "tombstone", "snapshots.jsonl line 3", "takes back nothing"),
    ),
    "torn": (
        lambda program: append(stream(program), b'{"half'),
        ("warning", "torn", "snapshots.jsonl", "ends in a torn line of 6 bytes"),
    ),
    "foreign-state": (
        lambda program: (program.root / "state" / "toy.json").write_text('{"open": true, "window": "W7"}'),
        ("warning", "state", "", "does not match the journal"),
    ),
    "empty-state": (
        lambda program: (program.root / "state" / "toy.json").write_text(""),
        ("warning", "state", "", "cannot be read"),
    ),
    "missing-state": (
        lambda program: (program.root / "state" / "toy.json").unlink(),
        ("warning", "state", "", "is missing"),
    ),
    "state-of-nobody": (
        lambda program: (program.root / "state" / "nobody.json").write_text('{"open": true, "window": "W7"}'),
        ("warning", "state", "", "belongs to no lane or provider"),
    ),
    "link": (
        lambda program: (program.root / "other.jsonl").symlink_to("snapshots.jsonl"),
        ("error", "unreadable", "other.jsonl", "it is a symbolic link, which tracker does not follow"),
    ),
    "pipe": (
        lambda program: os.mkfifo(program.root / "pipe"),
        ("warning", "file", "data/pipe", "is not a regular file"),
    ),
    "permissions": (
        lambda program: stream(program).chmod(0o644),
        ("warning", "permissions", "data/snapshots.jsonl", "may be read by others (-rw-r--r--)"),
    ),
    "ledger": (
        lambda program: ledger(program).write_text("date,nonsense\n"),
        ("error", "ledger", "", "The header of "),
    ),
}


def ledger(program: Any) -> Path:
    path: Path = program.root.parent / "docs" / "Ledgers" / "Churn_Ledger.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_broken_is_found(sound: Any, how: str) -> None:
    spoil, (level, check, where, what) = BROKEN[how]
    spoil(sound)
    found = findings(sound)
    fitting = [one for one in found if one[:2] == (level, check) and where in one[2] and what in one[3]]
    assert fitting, found
    assert [one for one in found if one[0] == "error" and one not in fitting] == []
    done = sound("doctor")
    assert done.status == (1 if level == "error" else 0)
    assert f"{level}: {fitting[0][2]}: {fitting[0][3].removesuffix('.')}; " in done.out
    _every_command_runs(sound)


def _every_command_runs(program: Any) -> None:
    """Whatever is more than a note ends with a command, which is typed as it is printed."""
    for one in json.loads(program("--json", "doctor").out)["findings"]:
        command = one["command"]
        assert command or one["level"] == "note", one
        if command and command.startswith("tracker "):
            program(*shlex.split(command)[1:]).ok()
        elif command:
            subprocess.run(["sh", "-c", command], check=True, capture_output=True)


def test_an_index_that_says_something_else(sound: Any) -> None:
    import sqlite3

    sound("preview").ok()
    [path] = (sound.root / ".index").glob("*.sqlite3")
    database = sqlite3.connect(path)
    with database:
        database.execute("UPDATE capture SET window = 'W5'")
    database.close()
    assert [one[1] for one in findings(sound)] == ["index"]
    assert [one[1] for one in findings(sound, "--fix")] == ["index"]
    assert findings(sound) == []


def test_a_large_index_that_was_changed_ends_no_command_twice(sound: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    sound("preview").ok()
    monkeypatch.setattr("tracker.journal.index_file.SMALL", 0)  # a large one is not checked when it is opened
    [path] = (sound.root / ".index").glob("*.sqlite3")
    database = sqlite3.connect(path)
    with database:
        database.execute("UPDATE capture SET window = 'W5'")
    database.close()
    asked = sound("alias", "delete", "toy", "--phase", "after", "--dry-run").ok()
    assert "W1" in asked
    assert "error: The index did not match the records" in sound("status").refused()
    assert "W1 closed" in sound("status").ok()


def test_repairs_only_append_or_set_aside(sound: Any) -> None:
    state = sound.root / "state" / "toy.json"
    right = state.read_bytes()
    state.write_bytes(b"garbage")
    before = sound.files()
    append(stream(sound), b'{"half')
    assert {one[1] for one in findings(sound)} == {"torn", "state"}
    assert stream(sound).read_bytes().endswith(b"half"), "without --fix nothing is touched"
    assert state.read_bytes() == b"garbage"
    done = sound("doctor", "--fix")
    assert done.ok().count("repaired: ") == 2
    assert sound.files() == before
    assert state.read_bytes() == right
    [aside] = state.parent.glob("toy.json.aside-*")
    assert aside.read_bytes() == b"garbage"
    assert (sound.root / "snapshots.jsonl.torn").read_bytes() == b'{"half\n'
    assert [one[:3] for one in findings(sound)] == [("note", "torn", "snapshots.jsonl.torn")]


def test_every_finding_of_every_kind_can_be_told(sound: Any) -> None:
    """All of it at once, in one directory."""
    for spoil, _ in BROKEN.values():
        spoil(sound)
    shutil.rmtree(sound.root / ".index", ignore_errors=True)
    (sound.root / "other.jsonl").unlink()
    found = findings(sound)
    assert {one[1] for one in found} >= {expected[1] for _, expected in BROKEN.values()} - {"unreadable"}


CURED: dict[str, tuple[Callable[[Any, pytest.MonkeyPatch], object], str, str]] = {
    "torn": (lambda program, _: append(stream(program), b'{"half'), "tracker doctor --fix", ""),
    "state": (lambda program, _: (program.root / "state" / "toy.json").unlink(), "tracker doctor --fix", ""),
    "permissions": (lambda program, _: stream(program).chmod(0o644), "chmod -R go-rwx {root}", ""),
    "link": (
        lambda program, _: linked(program.root / "state"),
        "rm {root}/state && mv {root.parent}/state {root}/state",
        "",
    ),
    "file": (lambda program, _: os.mkfifo(program.root / "pipe"), "mv {root}/pipe .", ""),
    "open": (
        lambda program, _: start(program, "--window W7 --captured-at 2026-01-10T10:00:00Z"),
        "tracker end toy --stdin",
        "fuel 30%",
    ),
    "folder": (
        lambda program, _: subprocess.run(["git", "init", "-q", program.root.parent], check=True),
        "printf '*\\n' > {root}/.gitignore",
        "",
    ),
    "clock": (
        lambda _, environment: environment.setattr("tracker.text.clock.local_zone", nowhere),
        "tracker config set timezone Europe/Berlin",
        "",
    ),
    "setup": (
        lambda _, environment: Path(environment_home(environment), ".bashrc").write_text(OLD_BLOCK),
        "tracker setup",
        "y\n",
    ),
}
OLD_BLOCK = '# >>> tracker setup >>>\neval "$(/gone/tracker shell-init bash)"\n# <<< tracker setup <<<\n'


def start(program: Any, options: str) -> None:
    program("alias", "start", "toy", "--stdin", *options.split(), stdin="fuel 20%").ok()


def linked(path: Path) -> None:
    """Move a file or folder away and put a link in its place."""
    aside = path.rename(path.parent.parent / path.name)
    path.symlink_to(aside)


def nowhere(*_: object) -> None:
    raise TrackerError("This machine's time zone is not known.")


def environment_home(environment: pytest.MonkeyPatch) -> str:
    environment.setenv("SHELL", "/bin/bash")
    return os.environ["HOME"]


@pytest.mark.parametrize("check", CURED)
def test_a_finding_ends_with_a_command_that_cures_it(
    sound: Any, check: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command is typed as it is printed, and the finding is gone."""
    monkeypatch.setenv("HOME", str(tmp_path))
    spoil, command, stdin = CURED[check]
    spoil(sound, monkeypatch)
    assert check in pressing(sound)
    expected = command.format(root=sound.root)
    said = sound("doctor").ok().splitlines()
    place = said.index("To correct the findings above, type:")
    assert said[place - 1].startswith("Verdict: ")
    assert f"  {expected}" in said[place + 1 :], said
    if expected.startswith("tracker "):
        sound(*shlex.split(expected)[1:], stdin=stdin).ok()
    else:
        subprocess.run(["sh", "-c", expected], check=True)
    assert check not in pressing(sound)


def pressing(program: Any) -> set[str]:
    """The kinds of findings that are more than notes."""
    return {one[1] for one in findings(program) if one[0] != "note"}


def test_of_a_link_in_the_index_the_link_goes_and_a_strangers_file_stays(sound: Any) -> None:
    theirs, link = sound.root.parent / "theirs.sqlite3", sound.root / ".index" / "sessions.sqlite3"
    theirs.write_text("theirs")
    link.parent.mkdir(mode=0o700, exist_ok=True)
    link.symlink_to(theirs)
    said = sound("doctor").ok().splitlines()
    assert f"  rm {link}" in said, said
    assert not any("mv " in one for one in said)


def test_each_linked_stream_is_named_with_the_commands_that_put_it_back(program: Any) -> None:
    for words, pane in (("start toy", "fuel 10%"), ("end toy", "fuel 5%")):
        program(*words.split(), stdin=pane).ok()
    before = {name: text for name, text in program.files().items() if name.endswith(".jsonl")}
    assert "anomalies.jsonl" in before
    for name in before:
        linked(program.root / name)
    status = program("doctor")
    assert status.status == 1
    assert "Traceback" not in status.err
    cures = [line.strip() for line in status.out.splitlines() if line.startswith("  rm ")]
    assert len(cures) == len(before)
    subprocess.run(["sh", "-c", "; ".join(cures)], check=True)
    assert not [one for one in findings(program) if one[1] in ("link", "unreadable")]
    assert {name: text for name, text in program.files().items() if name in before} == before


def test_an_open_anomaly_is_named_with_the_command_that_shows_it(program: Any) -> None:
    for words, pane in (
        (f"start toy --stdin --window W1 --captured-at {T0}", "fuel 90%"),
        (f"end toy --stdin --captured-at {T1}", "fuel 4%"),
    ):
        program(*words.split(), stdin=pane).ok()
    assert [one[:3] for one in findings(program)] == [("warning", "anomaly", "W1")]
    *_, command = program("doctor").ok().splitlines()
    assert command == "  tracker window-audit --window W1"
    shown = program(*shlex.split(command)[1:]).ok()
    assert "fuel fell from 90 to 4" in shown
    program("alias", "delete", "toy", "--phase", "after", "--window", "W1").ok()
    assert "anomaly" not in {one[1] for one in findings(program)}


def test_an_anomaly_of_a_finalized_window_is_a_note(program: Any) -> None:
    for words, pane in (
        (f"start toy --stdin --window W1 --captured-at {T0}", "fuel 10%\nheat 50%"),
        (f"end toy --stdin --captured-at {T1}", "fuel 20%\nheat 5%"),
        ("complete --window W1 --toy-features 1", ""),
    ):
        program(*words.split(), stdin=pane).ok()
    assert [one[:3] for one in findings(program)] == [("note", "anomaly", "W1")]
