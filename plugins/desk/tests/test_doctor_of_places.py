"""`tracker doctor` where nobody may write, and where a feature keeps its own files."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.mark.parametrize("why", ["read-only", "another's"])
def test_no_cure_writes_where_nobody_can(sound: Any, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    stream = sound.root / "snapshots.jsonl"
    stream.write_bytes(stream.read_bytes() + b'{"half')
    stream.chmod(0o644)
    stream.with_name("snapshots.jsonl.torn").write_bytes(b'{"half')
    (sound.root / "state" / "toy.json").write_text("{}")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    if why == "read-only":
        sizes = dict.fromkeys(("f_bavail", "f_blocks", "f_bfree", "f_frsize"), 1 << 16)
        monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY, **sizes))
    else:
        monkeypatch.setattr(os, "geteuid", lambda: sound.root.stat().st_uid + 1)
    reason = "its file system is read-only" if why == "read-only" else f"it belongs to user {os.getuid()}"
    done = sound("doctor")
    assert (
        f"is not writable: {reason}; copy it to a folder where you can write, and name the copy with --data-dir"
        in done.out
    )
    assert done.out.count("not possible while the directory is not writable") >= 3
    assert not [text for text in done.out.splitlines() if text.startswith("  ")], done.out


def test_a_directory_of_ones_own_can_be_made_writable(sound: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert f"is not writable; chmod u+rwx {sound.root}\n" in sound("doctor").out


def test_what_a_feature_keeps_beside_the_lanes_is_nobodys_fault(sound: Any) -> None:
    """As the last reading of a status line is, under a name that no lane has."""
    kept = sound.root / "state" / ".feature" / "toy.json"
    kept.parent.mkdir(mode=0o700)
    kept.touch(mode=0o600)
    assert json.loads(sound("--json", "doctor").ok())["findings"] == []
