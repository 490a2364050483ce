"""`tracker doctor --fix` and `--restore`: lines that are not records, torn ones, and whole records behind those."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve

from tracker.api import Finding
from tracker_desk.findings import document, repaired

WARNING = "holds lines that are not records"


def stream(program: Any) -> Path:
    path: Path = program.root / "snapshots.jsonl"
    return path


def findings(program: Any, *options: str) -> list[tuple[str, str, str, str]]:
    found = json.loads(program("--json", "doctor", *options).out)["findings"]
    return [(one["level"], one["check"], one["where"], one["what"]) for one in found]


def test_thousands_of_findings_are_counted(sound: Any) -> None:
    stream(sound).write_bytes(stream(sound).read_bytes() + b"nonsense\n" * 5000)
    found = findings(sound)
    assert len(found) == 21
    assert found[-1][3] == "4980 more findings of the kind json"


def test_whole_records_that_were_set_aside_come_back(sound: Any) -> None:
    """A damaged tail may hold whole records before its torn end."""
    lines = stream(sound).read_bytes().splitlines(keepends=True)
    stream(sound).write_bytes(lines[0])
    stream(sound).with_name("snapshots.jsonl.torn").write_bytes(lines[1] + b'{"half\n')
    assert "  tracker doctor --restore\n" in sound("doctor").ok()
    done = sound("doctor", "--restore").ok()
    assert "restored 1 record" in done
    assert "no whole record among them is missing; nothing to do" in done
    assert "  tracker doctor --restore" not in done
    assert stream(sound).read_bytes() == b"".join(lines)
    assert "restored 0 records" in sound("doctor", "--restore").ok()


def test_a_whole_record_behind_a_torn_one_comes_back(sound: Any) -> None:
    """A program that does not look at the last line goes on behind it."""
    lines = stream(sound).read_bytes().splitlines(keepends=True)
    torn = b'{"parsed": {"fuel_pct": 1}, "notes": {"a'
    broken = lines[0] + torn + lines[1] + b'{"parsed": {"fuel_pct": 1}\n'
    stream(sound).write_bytes(broken)
    found = findings(sound)
    assert ("error", "json", "snapshots.jsonl line 2", "holds a whole record beside a torn one") in found
    assert [one[2] for one in found if "is not JSON" in one[3]] == ["snapshots.jsonl line 3"]
    sound("doctor", "--restore")
    assert stream(sound).read_bytes() == broken + lines[1]
    left = [one[2] for one in findings(sound) if one[0] != "note"]
    assert left == ["snapshots.jsonl line 3"]
    sound("doctor", "--restore")
    assert stream(sound).read_bytes() == broken + lines[1]


def test_each_of_several_whole_records_on_a_line_comes_back(sound: Any) -> None:
    """As `cat` leaves them behind a file without a line end."""
    lines = stream(sound).read_bytes().splitlines(keepends=True)
    glued = b'{"half": {"a": 1}, "notes": {"b' + b"".join(lines).replace(b"\n", b"") + b"\n"
    stream(sound).write_bytes(glued)
    found = findings(sound)
    assert ("error", "json", "snapshots.jsonl line 1", f"holds {len(lines)} whole records") in found
    sound("doctor", "--restore")
    assert stream(sound).read_bytes() == glued + b"".join(lines)
    assert {one[0] for one in findings(sound)} == {"note"}


def test_no_command_warns_of_a_line_whose_record_was_restored(sound: Any) -> None:
    lines = stream(sound).read_bytes().splitlines(keepends=True)
    stream(sound).write_bytes(lines[0] + b'{"half' + lines[1])
    assert WARNING in sound("preview").err
    said = sound("doctor", "--restore").ok()
    assert (
        "note: snapshots.jsonl: holds 1 line without a record; snapshots.jsonl.torn has copies; nothing to do" in said
    )
    assert WARNING not in sound("preview").err


def test_a_record_that_was_restored_before_ends_the_warning_too(sound: Any) -> None:
    """The program before this one left no copy of the torn line."""
    lines = stream(sound).read_bytes().splitlines(keepends=True)
    stream(sound).write_bytes(lines[0] + b'{"half' + lines[1] + lines[1])
    assert "  tracker doctor --fix\n" in sound("doctor").ok()
    sound("doctor", "--fix").ok()
    assert WARNING not in sound("preview").err


def test_one_command_cures_all_lines_that_are_not_records(sound: Any) -> None:
    """As binary data in a stream leaves them: more than are listed, and none of them is rewritten."""
    garbage = b"".join(bytes([0xFF, number, 0x80, 13, 0xFE]) + b"\n" for number in range(11, 60))
    path = sound.root / "readings.jsonl"
    path.write_bytes(garbage)
    whole = sound.files()
    assert WARNING in sound("preview").err
    done = sound("doctor")
    assert done.out.partition("To correct the findings above, type:\n")[2] == "  tracker doctor --fix\n"
    sound("doctor", "--fix").ok()
    assert {name: content for name, content in sound.files().items() if name in whole} == whole
    assert path.with_name("readings.jsonl.torn").read_bytes() == garbage
    assert WARNING not in sound("preview").err
    assert [one[0] for one in findings(sound)] == ["note", "note"]
    sound("doctor", "--fix").ok()
    assert path.with_name("readings.jsonl.torn").read_bytes() == garbage


def test_a_repair_that_failed_is_not_offered_again() -> None:
    def fail() -> None:
        raise OSError("no room")

    blamed: list[str] = []
    feature = SimpleNamespace(name="fixer", distribution="acme-fixer")
    registry: Any = SimpleNamespace(features=[feature], guarded=lambda name, _: nullcontext(blamed.append(name)))
    torn = Finding(place="a.csv", problem="is torn", cure="tracker mend", fix=fail, distribution="acme-fixer")
    assert document(torn)["command"] == "tracker doctor --fix"
    done = repaired(SimpleNamespace(registry=registry), torn)  # type: ignore[arg-type]
    failed = ("tracker mend; the repair failed: no room", "tracker mend", ["fixer"])
    assert (done["cure"], done["command"], blamed) == failed
    assert document(evolve(torn, cure="tracker doctor --fix"), failure="no room")["command"] is None


@pytest.fixture
def whole(sound: Any) -> Any:
    """A window of two providers, finalized."""
    sound("end", "tally", "--stdin", "--window", "W1", stdin="8").ok()
    sound("complete", "--window", "W1", "--toy-features", "1").ok()
    return sound


def test_captures_that_a_finalized_window_lost_are_named_and_come_back_by_an_import(whole: Any, tmp_path: Path) -> None:
    assert not [one for one in findings(whole) if one[0] == "error"]
    shutil.copytree(whole.root, tmp_path / "copy")
    stream(whole).unlink()
    [lost] = [one for one in findings(whole) if one[0] == "error"]
    assert "W1 lacks 2 captures that it was finalized with: " in lost[3]
    whole("import", str(tmp_path / "copy")).ok()
    assert not [one for one in findings(whole) if one[0] == "error"]


def test_a_file_in_the_place_of_the_index_is_to_be_removed(sound: Any) -> None:
    shutil.rmtree(sound.root / ".index")
    (sound.root / ".index").write_text("x")
    [command] = [one.strip() for one in sound("doctor").out.splitlines() if one.startswith("  rm ")]
    assert command == f"rm {sound.root / '.index'}"


def test_a_link_in_the_place_of_a_state_goes_and_what_it_leads_to_stays(sound: Any, tmp_path: Path) -> None:
    theirs, path = tmp_path / "theirs.json", sound.root / "state" / "toy.json"
    theirs.write_text('{"keep": "me"}')
    path.unlink()
    path.symlink_to(theirs)
    said = sound("doctor").out.splitlines()
    for command in [one.strip() for one in said[said.index("To correct the findings above, type:") + 1 :]]:
        if command.startswith("tracker "):
            sound(*shlex.split(command)[1:]).ok()
        else:
            subprocess.run(["sh", "-c", command], check=True)
    assert theirs.read_text() == '{"keep": "me"}'
    assert path.is_file()
    assert not path.is_symlink()
    assert not [one for one in findings(sound) if one[1] in ("link", "state")]


def test_a_pipe_in_the_place_of_a_state_is_not_waited_for(sound: Any) -> None:
    path = sound.root / "state" / "toy.json"
    path.unlink()
    os.mkfifo(path)
    assert [one[3] for one in findings(sound) if one[1] == "state"] == ["does not match the journal"]
    sound("doctor", "--fix").ok()
    assert path.is_file()
