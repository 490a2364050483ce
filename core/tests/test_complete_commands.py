"""Windows finalized, shown and audited, with toys as the only plugins."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from outcomes import ok, records, refused

from tracker.hosting.discovery import Plugin
from tracker.hosting.registry import Registry
from tracker.session import Session

Run = Callable[..., "subprocess.CompletedProcess[str]"]
T0, T1, T2 = "2026-01-10T08:00:00Z", "2026-01-10T09:00:00Z", "2026-01-10T10:00:00Z"


@pytest.fixture
def toys(toys: Run) -> Run:
    """In this process: the tests are about what is stored and said."""
    return toys


def test_a_provider_may_have_a_dash_in_its_name(
    program: Any, toy_code: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("acme_status")
    exec(toy_code["toy"].replace('name="toy"', 'name="acme-status"').replace('prefix="t"', 'prefix="w"'), vars(module))
    made = Registry(plugins=[Plugin("acme-status", "", "acme-status", "1", lambda: module)])
    monkeypatch.setattr("tracker.hosting.registry.discover", lambda *_report: made)
    program("start", "acme-status", "--stdin", "--captured-at", T0, stdin="fuel 10%").ok()
    program("end", "acme-status", "--stdin", "--captured-at", T1, stdin="fuel 12%").ok()
    assert "--acme-status-features N" in program("complete", "--help").ok()
    done = program("complete", "--window", "W0-01", "--acme-status-features", "3").ok()
    assert done == "finalized W0-01 (acme-status: features=3, capacity=2 pp)\n"
    program("complete", "--window", "W0-01", "--clear", "acme-status-features").ok()
    assert [row["features"]["acme-status"] for row in program.rows("windows")] == [3, None]


def test_a_provider_that_was_captured_after_finalizing_is_stale(program: Any) -> None:
    for provider, first, second in (("toy", "fuel 10%", "fuel 12%"), ("tally", "5", "20")):
        at = ("--window", "W1", "--captured-at")
        program("start", provider, "--stdin", *at, T0, stdin=first).ok()
        program("end", provider, "--stdin", *at, T1, stdin=second).ok()
        if provider == "toy":
            program("complete", "--window", "W1", "--toy-features", "1").ok()
            assert "tally" not in program("preview").ok()
    line = "  - tally: features=n/a, capacity=n/a, efficiency=n/a, ci=n/a, n=0, power=n/a"
    marks = "(excluded W1: not-finalized) (stale: re-run complete, or complete --reopen)"
    assert f"{line} {marks}\n" in program("preview").ok()
    [window] = json.loads(program("windows", "--json").ok())
    found = window["providers"]["tally"]
    assert (found["features"], found["capacity"], found["efficiency"]) == (None, 15, None)
    assert window["stale"] == ["tally"]
    program("complete", "--window", "W1", "--tally-features", "3").ok()
    assert "  - tally: features=3, capacity=15 calls, efficiency=0.20," in program("preview").ok()


def test_a_dry_run_of_complete_leaves_no_lock_behind(captured: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / ".lock").unlink()
    before = {path.name for path in data.iterdir()}
    assert json.loads(ok(captured("complete", "--window", "W0-01", "--toy-features", "1", "--dry-run")))
    assert {path.name for path in data.iterdir()} == before


def test_the_snapshots_block_shows_the_newest_note(toys: Run, tmp_path: Path) -> None:
    for at, note in (("08:00:00Z", "first"), ("08:00:00.5Z", "later"), ("08:00:00.5Z", "last line")):
        day = f"2026-01-10T{at}"
        ok(toys("alias", "start", "toy", "--stdin", "--captured-at", day, "--notes", note, stdin="fuel 1%"))
    assert "  - toy: before (source=alias, notes=last line)\n" in ok(toys("preview"))
    path = tmp_path / "data" / "snapshots.jsonl"
    path.write_text(path.read_text().replace('"last line"', '""'))
    assert "  - toy: before (source=alias, notes=n/a)\n" in ok(toys("preview"))


def test_finalize_rows_are_ordered_by_time_whatever_their_zone(captured: Run, tmp_path: Path) -> None:
    ok(captured("complete", "--window", "W0-01", "--toy-features", "1"))
    [row] = records(tmp_path, "windows")
    older = row | {"record_id": "0" * 32, "finalized_at": "2026-01-11T03:00:00+08:00", "features": {"toy": 2}}
    newer = row | {"record_id": "1" * 32, "finalized_at": "2026-01-10T20:00:00Z", "features": {"toy": 3}}
    (tmp_path / "data" / "windows.jsonl").write_text(json.dumps(newer) + "\n" + json.dumps(older) + "\n")
    assert "toy: features=3, " in ok(captured("preview"))


def test_complete_needs_every_pair(toys: Run) -> None:
    ok(toys("alias", "start", "toy", "--stdin", stdin="fuel 1%"))
    assert "W0-01 cannot be finalized: missing toy AFTER" in refused(toys("complete", "--window", "W0-01"))
    assert "W0-11 holds no captures. Did you mean W0-01? Begin with" in refused(toys("complete", "--window", "W0-11"))


def test_several_values_may_follow_one_option(captured: Run, tmp_path: Path) -> None:
    done = captured("complete", "--window", "W0-01", "--feature-id", "F-1", "F-2", "--toy-features", "2")
    assert ok(done) == "finalized W0-01 (toy: features=2, capacity=18 pp)\n"
    assert records(tmp_path, "windows")[0]["feature_ids"] == ["F-1", "F-2"]
    # nothing of what is typed is stored with an address in it
    typed = ("--spec-id", "dev@example.com", "--feature-id", "dev@example.com", "--commit-start", "dev@example.com")
    ok(captured("complete", "--window", "W0-01", *typed, "--outcome", "dev@example.com", "--force"))
    kept = records(tmp_path, "windows")[1]
    named = (kept["spec_id"], *kept["feature_ids"], kept["commit_start"], kept["outcome"])
    assert named == ("d***@example.com",) * 4
    ok(captured("alias", "start", "toy", "--stdin", stdin="fuel 30%", AGENT_ID=""))
    shown = ok(captured("preview", "--window", "W0-01", "W0-02"))
    assert shown.startswith("Windows: W0-01, W0-02\n")
    assert shown == ok(captured("preview", "--window", "W0-01", "--window", "W0-02"))


def test_complete_says_who_was_not_credited(captured: Run, tmp_path: Path) -> None:
    done = captured("complete", "--window", "W0-01", "--quality", "0.9", "--outcome", "pass", "--feature-id", "F-1")
    assert ok(done) == "finalized W0-01 (toy: features=n/a, capacity=18 pp)\n"
    assert "no --toy-features was given, so toy is left out of the efficiency" in done.stderr
    [row] = records(tmp_path, "windows")
    assert row["features"] == {"toy": None}
    assert (row["quality"], row["quality_score"], row["outcome"], row["feature_ids"]) == (0.9, 0.9, "pass", ["F-1"])
    assert row["providers"]["toy"]["delta"] == {"fuel_pct": 18, "heat_pct": 2}
    assert row["providers"]["toy"]["captured_at"] == {"before": T0, "after": T1}


def test_what_was_not_given_or_does_not_count_is_no_zero(captured: Run) -> None:
    ok(captured("complete", "--window", "W0-01", "--quality", "0.92"))
    shown = ok(captured("preview"))
    assert "  - toy: features=n/a, capacity=n/a, efficiency=n/a, ci=n/a, n=0, power=n/a (excluded W0-01:" in shown
    assert "Outcome: quality=0.9, outcome=n/a\n" in shown
    [provider] = json.loads(ok(captured("preview", "--json")))["providers"]
    assert (provider["features"], provider["capacity"]) == (None, None)
    assert ok(captured("scoreboard", "--format", "csv")).splitlines()[1].startswith("toy,toy,1,,,pp,")


def test_a_provider_line_holds_the_same_fields_whatever_the_quality(captured: Run) -> None:
    ok(captured("complete", "--window", "W0-01", "--toy-features", "3", "--quality", "0.5"))
    line = "  - toy: features=3, capacity=18 pp, efficiency=0.17, ci=n/a, n=1, power=n/a\n"
    assert line in ok(captured("preview"))
    [provider] = json.loads(ok(captured("preview", "--json")))["providers"]
    assert provider["efficiency_quality"] == pytest.approx(1.5 / 18)


def test_the_latest_finalize_row_counts(captured: Run) -> None:
    ok(captured("complete", "--window", "W0-01", "--toy-features", "1"))
    ok(captured("window-finalize", "--window", "W0-01", "--toy-features", "3", "--outcome", "pass"))
    assert "toy: features=3, capacity=18 pp, efficiency=0.17" in ok(captured("preview"))


def test_the_latest_finalize_row_counts_also_if_the_clock_of_an_earlier_one_was_ahead(
    captured: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as ahead:
        ahead.setattr(Session, "now", property(lambda _session: datetime.now(UTC) + timedelta(days=2)))
        ok(captured("complete", "--window", "W0-01", "--toy-features", "2", "--outcome", "fail"))
    ok(captured("complete", "--window", "W0-01", "--toy-features", "3", "--outcome", "pass"))
    assert "toy: features=3, " in ok(captured("preview"))
    assert "outcome=pass" in ok(captured("window-audit", "--window", "W0-01"))


def test_a_finalized_window_whose_capture_was_deleted_is_stale(captured: Run) -> None:
    ok(captured("complete", "--window", "W0-01", "--toy-features", "3"))
    done = captured("alias", "delete", "toy", "--yes", "--phase", "after", "--window", "W0-01")
    assert "W0-01 was finalized with this capture and is stale" in done.stderr
    assert "(stale: re-run complete, or complete --reopen)" in ok(captured("preview"))
    audit = ok(captured("window-audit", "--window", "W0-01"))
    assert "toy: 1 before (stale: decision-card names the cure)" in audit
    ok(captured("alias", "delete", "toy", "--yes", "--phase", "before", "--window", "W0-01"))
    audit = ok(captured("window-audit", "--window", "W0-01"))
    assert "toy: none left (stale: decision-card names the cure)\n      counts: no before, no after" in audit
    # what `preview` says, as no capture is left to finalize it with
    refused(captured("complete", "--window", "W0-01"))
    ok(captured("complete", "--reopen", "--window", "W0-01"))
    assert "stale" not in ok(captured("preview"))
    assert "Captures: none" in ok(captured("window-audit", "--window", "W0-01"))


def test_a_report_that_contradicts_the_meter_is_said_and_noted(captured: Run, tmp_path: Path) -> None:
    assert ok(captured("ingest", "toy-report", "--window", "W0-01", "--stdin", stdin="60")) == (
        "stored toy-report weekly report for W0-01\n"
    )
    shown = ok(captured("preview"))
    assert "  - weekly: used=60%\n  - divergent: weekly 60% here, toy fuel 28% on its meter" in shown
    ok(captured("complete", "--window", "W0-01", "--notes", "mine"))
    assert records(tmp_path, "windows")[0]["notes"] == "mine; divergent:toyreport"
    # the tag alone is not kept but made anew
    ok(captured("complete", "--window", "W0-01", "--notes", "divergent: toy saw less; ask Ann"))
    ok(captured("complete", "--window", "W0-01", "--toy-features", "1"))
    assert records(tmp_path, "windows")[2]["notes"] == "divergent: toy saw less; ask Ann; divergent:toyreport"
    error = refused(captured("ingest", "toy-report", "--window", "W", "--scope", "hourly", "--stdin", stdin="1"), 2)
    assert "Invalid scope 'hourly' for toy-report. Expected weekly, daily." in error


def test_a_missing_window_is_the_newest_that_is_not_finalized(captured: Run) -> None:
    ok(captured("alias", "start", "toy", "--stdin", "--window", "W0-02", "--captured-at", T2, stdin="fuel 30%"))
    ok(captured("complete", "--window", "W0-01"))
    assert refused(captured("complete"), 2).endswith("Expected one such as W0-02.")
    ok(captured("alias", "end", "toy", "--stdin", "--window", "W0-02", stdin="fuel 31%"))
    ok(captured("complete", "--window", "W0-02"))
    assert refused(captured("complete"), 2).endswith("Expected one such as W0-02.")


def test_a_source_that_is_none_is_said_before_the_window_that_is_missing(toys: Run) -> None:
    assert "Unknown source 'foo'. Expected one of tally, toy" in refused(toys("ingest", "foo"), 2)


def test_the_audit_names_what_stands_and_what_was_taken_back(captured: Run) -> None:
    ok(captured("alias", "delete", "toy", "--yes", "--phase", "after", "--window", "W0-01", "--reason", "wrong pane"))
    shown = ok(captured("window-audit", "--window", "W0-01"))
    assert "toy: 1 before" in shown
    assert f"toy after of {T1}, removed " in shown
    assert "wrong pane" in shown
    found = json.loads(ok(captured("--json", "window-audit", "--window", "W0-01")))
    assert found["providers"]["toy"]["canonical"]["after"] is None
    assert found["tombstones"][0]["phase"] == "after"


def test_the_audit_shows_a_finalize_row_that_was_taken_back(captured: Run) -> None:
    ok(captured("complete", "--window", "W0-01", "--outcome", "partial"))
    ok(captured("undo", "--yes"))
    shown = ok(captured("window-audit", "--window", "W0-01"))
    assert "Finalized: no\nTaken back:\n  - finalize row (outcome=partial) of 20" in shown
    assert shown.partition("Taken back:")[2].splitlines()[1].endswith(": undo")


def test_the_preview_as_json(captured: Run) -> None:
    ok(captured("complete", "--window", "W0-01", "--toy-features", "3", "--quality", "1"))
    found = json.loads(ok(captured("preview", "--json")))
    assert found["windows"] == [{"id": "W0-01", "finalized": True, "outcome": None, "quality": 1.0, "notes": None}]
    [provider] = found["providers"]
    assert (provider["provider"], provider["features"], provider["capacity"], provider["unit"]) == ("toy", 3, 18, "pp")
    assert provider["efficiency"] == pytest.approx(1 / 6)
    assert (provider["ci_kind"], provider["n"], provider["power"]) == ("assumed", 1, None)
    assert [block["title"] for block in found["blocks"]] == ["Snapshots"]
    assert found["not_shown"] == []


def test_an_open_window_is_shown_as_open(toys: Run) -> None:
    ok(toys("alias", "start", "toy", "--stdin", stdin="fuel 1%"))
    shown = ok(toys("preview", "--window", "W0-01"))
    assert "  - toy: features=n/a, capacity=n/a, efficiency=n/a, ci=n/a, n=0, power=n/a (open)\n" in shown
    assert "Unknown window 'W0-02'. Did you mean W0-01?" in refused(toys("preview", "--window", "W0-02"))


def test_a_preview_of_nothing_says_how_to_begin(toys: Run) -> None:
    done = toys("preview")
    assert ok(done).startswith("Windows: none\nAnomalies: 0 (see anomalies.jsonl)\n")
    assert "Begin with `tracker start PROVIDER --stdin`" in done.stderr


def test_of_many_windows_that_are_left_out_some_are_named(program: Any) -> None:
    rows = [
        {"window": f"W{at}", "record_id": f"{at:032x}", "features": {"toy": 1}, "finalized_at": "2026-01-10T09:00:00Z"}
        for at in range(103)
    ]
    program("alias", "start", "toy", "--stdin", "--window", "W200", stdin="fuel 10%").ok()
    path = program.root / "windows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = program("preview").ok()
    assert "(excluded W99: not-captured) (excluded 3 more windows: see --json)" in said
    assert len(json.loads(program("--json", "preview").ok())["providers"][0]["excluded"]) == 103


def test_behind_a_window_that_is_named_after_its_time_no_other_time_is_named(toys: Run) -> None:
    for phase, level in (("start", 10), ("end", 12)):
        ok(toys("alias", phase, "toy", "--stdin", "--window", "H20260110-1337", stdin=f"fuel {level}%"))
    for following in ("H20260110-1337-02", "H20260110-1337-03"):
        assert f"for {following} " in ok(toys("alias", "start", "toy", "--stdin", stdin="fuel 20%"))
        assert f"for {following} " in ok(toys("alias", "end", "toy", "--stdin", stdin="fuel 22%"))
