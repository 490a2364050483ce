"""What a capture makes of a text: its encoding, and the part of a count that is the window's own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from outcomes import ok, records

from tracker.hosting.discovery import Plugin
from tracker.hosting.registry import Registry

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize(("answer", "own"), [("None", None), ('Delta(changes=(Change(meter="calls", delta=58),))', 58)])
def test_a_count_across_a_reset_is_what_its_delta_says(
    program: Any, toy_code: dict[str, str], monkeypatch: pytest.MonkeyPatch, answer: str, own: int | None
) -> None:
    """The plain difference is stored neither if the meter was reset in between nor if the plugin measures across it."""
    module, resets = ModuleType("acme_count"), {"12": "2026-01-10T09:00:00+00:00", "30": "2026-02-10T09:00:00+00:00"}
    code = toy_code["tally"].replace(
        "used=float(used)", f"reset_at=datetime.fromisoformat({resets}[used]), used=float(used)"
    )
    code += f"\n@hookimpl\ndef compute_delta(before, after):\n    return {answer}\n"
    exec(f"from datetime import datetime\nfrom tracker.api import Change, Delta\n{code}", vars(module))
    made = Registry(plugins=[Plugin("tally", "", "acme", "1", lambda: module)])
    monkeypatch.setattr("tracker.hosting.registry.discover", lambda *_report: made)
    program("start", "tally", "--stdin", "--captured-at", "2026-01-10T08:00:00Z", stdin="12").ok()
    ended = program("end", "tally", "--stdin", "--captured-at", "2026-01-10T10:00:00Z", stdin="30").ok()
    assert f"(baseline=12, calls={'n/a' if own is None else own})" in ended
    [stored] = [one for one in program.rows("tally_counts") if one["phase"] == "after"]
    assert (stored["baseline"], stored["calls_used"], stored["parsed"]["calls_used"]) == (12, own, 30)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "utf-8-sig"])
def test_a_pane_in_another_encoding_is_read_and_keeps_no_address(toys: Run, tmp_path: Path, encoding: str) -> None:
    """What an editor or `>` of another system writes: zeros stood between the letters of an address."""
    text = "fuel 12%\nAccount: dev@example.com\nkey sk-proj-0123456789abcdef\n"
    (tmp_path / "pane.txt").write_bytes(text.encode(encoding))
    ok(toys("start", "toy", str(tmp_path / "pane.txt")))
    [stored] = records(tmp_path, "snapshots")
    assert stored["parsed"]["fuel_pct"] == 12
    assert stored["raw_text"] == "fuel 12%\nAccount: d***@example.com\nkey sk-***\n"
