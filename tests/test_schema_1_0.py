"""A data directory of schema 1.0.0 is read for ever: no record ids, lanes in the notes, a stream in one row."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from outcomes import ok

Run = Callable[..., "subprocess.CompletedProcess[str]"]
FIXTURE = Path(__file__).parent / "data" / "schema-1.0.0"
PANE = """\
>_ OpenAI Codex (v0.44.0)
 5h limit:     [███░░] 60% used (resets 23:00)
 Weekly limit: [███░░] 31% used (resets 21:11 on 25 Oct)
"""
COUNTS = '{"account": "dev@example.com", "blocks": [{"window_id": "G", "provider": "glm-4.6", "prompts_used": 30}]}'
AT = ("--captured-at", "2025-10-19T15:00:00Z")


@pytest.fixture
def old(tracker_inside: Run, tmp_path: Path) -> Iterator[Run]:
    """The command line on a copy; whatever it does, no byte that was there changes."""
    data = tmp_path / "data"
    shutil.copytree(FIXTURE, data, ignore=shutil.ignore_patterns("usage.log"))
    before = {path.name: path.read_bytes() for path in data.glob("*.jsonl")}
    assert len(before) == 8

    def run(*arguments: str, stdin: str = "", **extra: str) -> subprocess.CompletedProcess[str]:
        return tracker_inside(*arguments, stdin=stdin, **({"AGENT_ID": "main"} | extra))

    yield run
    for name, content in before.items():
        assert (data / name).read_bytes().startswith(content), name


def rows(tmp_path: Path, stream: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "data" / f"{stream}.jsonl").read_bytes().splitlines()]


def test_a_finalized_window_is_shown(old: Run) -> None:
    shown = ok(old("preview", "--window", "W0-18"))
    assert shown.startswith(
        "Windows: W0-18\n"
        "Anomalies: 0 (see anomalies.jsonl)\n"
        "Providers:\n"
        "  - codex: features=2, capacity=6 pp, efficiency=0.33, ci=n/a, n=1, power=n/a\n"
        "  - glm: features=1, capacity=18 prompts, efficiency=0.056, ci=n/a, n=1, power=n/a\n"
        "Outcome: quality=1.0, outcome=pass\n"
        "Notes: session001 main lane\n"
        "Churn:\n"
        "  - provider=codex window=W0-18 method=session001: files=6, +51/-47 (net=4), per-feature=1.33\n"
        "  - provider=glm window=W0-18 method=session001: files=6, +51/-47 (net=4), per-feature=n/a\n"
    )
    assert "  - weekly: percent_used=9.2% tokens=987654321 reset=2025-10-25T21:11:00Z\n" in shown
    assert "  - codex: after, before (source=alias, notes=after-clean; AGENT_ID=main)\n" in shown
    assert "  - glm: count (source=alias, notes=AGENT_ID=main)\n" in shown


def test_a_count_that_was_not_finalized_is_named_and_is_not_nothing(old: Run, tmp_path: Path) -> None:
    row = {**rows(tmp_path, "windows")[0], "finalized_at": "2025-10-18T14:00:00Z", "features": {"codex": 2}}
    row["providers"] = {"codex": row["providers"]["codex"]}
    with (tmp_path / "data" / "windows.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    listed = {one["window"]: one for one in json.loads(ok(old("windows", "--json")))}
    opened = [one["window"] for one in json.loads(ok(old("windows", "--json", "--open")))]
    assert opened == [name for name, one in listed.items() if one["state"] == "open"]
    assert listed["W0-19"]["state"] == "closed"
    assert listed["W0-18"]["providers"]["glm"]["capacity"] == 18
    shown = ok(old("preview", "--window", "W0-18"))
    assert "(excluded W0-18: not-finalized) (stale: re-run complete, or complete --reopen)" in shown


def test_a_window_that_lost_a_capture_counts_on_no_screen(old: Run) -> None:
    """Its row has no ids: the instants in it tell that what it was measured with is gone."""
    assert not any(one["stale"] for one in json.loads(ok(old("windows", "--json"))))
    ok(old("alias", "delete", "codex", "--phase", "after", "--window", "W0-18", "--yes"))
    shown = ok(old("preview", "--window", "W0-18"))
    assert "codex: features=n/a, capacity=n/a, efficiency=n/a" in shown
    assert "(excluded W0-18: capture-removed) (stale: re-run complete, or complete --reopen)" in shown
    [listed] = [one for one in json.loads(ok(old("windows", "--json"))) if one["window"] == "W0-18"]
    assert (listed["providers"]["codex"]["efficiency"], listed["stale"]) == (None, ["codex"])
    assert "Since it was finalized, it lost its codex AFTER" in old("decision-card", "--window", "W0-18").stdout
    ok(old("undo", "--yes"))
    assert "stale" not in ok(old("preview", "--window", "W0-18"))


def test_a_stream_in_one_row_counts_as_its_lines(old: Run) -> None:
    shown = ok(old("preview", "--window", "W0-CHN"))
    assert "  - routed=50% (events=4), latency=318 ms p50 / 460 ms p95, errors=25%\n" in shown


def test_a_stream_that_stands_in_one_row_is_not_stored_again(old: Run, tmp_path: Path) -> None:
    words = ("ingest", "proxy-telemetry", "--window", "W0-CHN", "--stdin")
    done = old(*words, stdin=(FIXTURE / "usage.log").read_text())
    assert "(events=4, new=0, duplicates=4, rejected=0, routed=50%)" in ok(done)
    assert len(rows(tmp_path, "proxy_telemetry")) == 1


def test_everything_is_shown_together(old: Run) -> None:
    found = json.loads(ok(old("preview", "--json")))
    assert [one["id"] for one in found["windows"]] == ["W0-18", "W0-19", "W0-20", "W0-CHN"]
    assert {(one["provider"], one["window"], one["capacity"]) for one in found["open"]} == {
        ("codex", "W0-19", 18),
        ("claude", "W0-19", 12),
        ("glm", "W0-19", 7),
        ("codex", "W0-20", None),
    }
    assert [one["kind"] for one in found["anomalies"]] == ["negative-delta"]
    assert found["not_shown"] == []


def test_the_audit_knows_the_lane_from_the_notes(old: Run) -> None:
    found = json.loads(ok(old("--json", "window-audit", "--window", "W0-19")))
    assert found["providers"]["codex"]["entries"] == {"after": 1, "before": 1}
    assert set(found["providers"]["codex"]["lanes"]) == {"main"}
    assert found["providers"]["glm"]["entries"] == {"count": 1}
    assert found["repeated_lines"] == {}


def test_a_window_is_completed(old: Run, tmp_path: Path) -> None:
    done = old(
        "complete", "--window", "W0-19", "--codex-features", "2", "--claude-features", "1", "--glm-features", "1"
    )
    assert ok(done) == (
        "finalized W0-19 (claude: features=1, capacity=12 pp; codex: features=2, capacity=18 pp;"
        " glm: features=1, capacity=7 prompts)\n"
    )
    row = rows(tmp_path, "windows")[-1]
    assert (row["schema_version"], len(row["record_id"])) == ("1.1.0", 32)
    assert "codex: features=4, capacity=24 pp" in ok(old("preview"))


def test_an_open_window_is_ended(old: Run, tmp_path: Path) -> None:
    done = old("alias", "end", "codex", "--stdin", *AT, stdin=PANE)
    assert ok(done) == "stored codex after snapshot for W0-20 (ready to finalize)\n"
    assert "warning" not in done.stderr
    state = json.loads((tmp_path / "data" / "state" / "main" / "codex.json").read_text())
    assert (state["window"], state["open"]) == ("W0-20", False)


def test_the_next_window_follows_a_count_without_a_phase(old: Run) -> None:
    assert "for W0-20 " in ok(old("alias", "start", "claude", "--stdin", stdin="Current session: 1% used"))
    found = old("alias", "start", "glm", "--stdin", stdin=COUNTS)
    assert ok(found) == "stored glm before snapshot for W0-20 (awaiting end)\n"


def test_captures_and_counts_are_taken_back(old: Run) -> None:
    gone = ok(old("alias", "delete", "codex", "--phase", "after", "--window", "W0-18", "--yes"))
    assert gone == "removed codex after snapshot for W0-18 (captured_at=2025-10-18T12:00:00.202020+00:00)\n"
    gone = ok(old("alias", "delete", "glm", "--phase", "after", "--window", "W0-19", "--yes"))
    assert gone == "removed glm count for W0-19 (captured_at=2025-10-19T12:10:00+00:00)\n"
    twice = old("alias", "delete", "glm", "--window", "W0-19", "--yes")
    assert "There is no glm capture for W0-19 in lane main to remove (it was removed before)" in twice.stderr
    assert "codex: 1 before" in ok(old("window-audit", "--window", "W0-18"))
    assert "missing codex AFTER" in old("complete", "--window", "W0-18").stderr
    done = old("complete", "--window", "W0-19", "--codex-features", "1")
    assert "claude: features=n/a, capacity=12 pp; codex: features=1, capacity=18 pp)" in ok(done)


def test_an_anomaly_without_records_is_closed_by_a_corrected_capture(old: Run) -> None:
    late = ("--captured-at", "2025-10-19T13:30:00Z")
    ok(old("alias", "end", "codex", "--stdin", "--window", "W0-19", *late, stdin=PANE))
    assert "Anomalies: 0 " in ok(old("preview"))
    assert "superseded by the after capture of 2025-10-19T13:30:00Z" in ok(old("window-audit", "--window", "W0-19"))


def test_the_doctor_has_nothing_to_repair_in_it(old: Run) -> None:
    found = json.loads(ok(old("--json", "doctor")))
    assert found["ok"] is True
    assert {one["check"] for one in found["findings"]} <= {"permissions", "json", "state", "open", "origin", "anomaly"}


def test_the_doctor_names_what_keeps_the_open_baseline_of_a_count(old: Run, tmp_path: Path) -> None:
    """The lane has a row of another window, so that the file was one that does not fit, which --fix puts aside."""
    [finding] = [one for one in json.loads(ok(old("--json", "doctor")))["findings"] if "baseline" in str(one)]
    assert finding["cure"] == "tracker override glm --window W0-20 --phase before --prompts-used 12 --agent main"
    old("doctor", "--fix")
    assert "W0-20" in (tmp_path / "data" / "state" / "main" / "glm.json").read_text()
    ok(old(*finding["cure"].split()[1:]))
    assert '"open": true' in (tmp_path / "data" / "state" / "main" / "glm.json").read_text()


def test_it_moves_to_another_machine(old: Run, tmp_path: Path) -> None:
    other = str(tmp_path / "other")
    done = old("--data-dir", other, "import", str(tmp_path / "data"))
    assert ok(done).startswith("imported 16 records ")
    assert "holds the open baseline of W0-20 in schema 1.0.0, which is not imported" in done.stderr
    assert ok(old("--data-dir", other, "preview")) == ok(old("preview"))
    assert ok(old("--data-dir", other, "import", str(tmp_path / "data"))).startswith("imported 0 records; 16 ")
