"""What the stream tells other features of windows."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tracker.session import Session
from tracker_telemetry import window_facts
from tracker_telemetry.sessions import owners
from tracker_telemetry.sessions import window_facts as of_logs

Run = Callable[..., "subprocess.CompletedProcess[str]"]
EVENTS = [("F-1", "zai", "glm-4.6", 1000), ("F-1", "base", "claude-sonnet-4-5", 550), ("F-2", "codex", "gpt-6", 70)]


@pytest.fixture
def session(tracker_inside: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    text = "".join(
        json.dumps({"ts": "2026-01-10T08:00:00Z", "rid": rid, "lane": lane, "model": model, "input_tokens": count})
        + "\n"
        for rid, lane, model, count in EVENTS
    )
    tracker_inside("ingest", "proxy-telemetry", "--window", "W1", "--stdin", stdin=text)
    monkeypatch.chdir(tmp_path)
    session = Session()
    session.data_dir = tmp_path / "data"
    return session


def test_each_provider_has_the_tokens_of_its_own_requests(session: Session) -> None:
    found = window_facts.facts(session, ["W1", "W2"])
    assert {key: columns["tokens"] for key, columns in found.items()} == {
        ("W1", "glm"): 1000,
        ("W1", "claude"): 550,
        ("W1", "codex"): 70,
    }
    assert found["W1", "claude"]["cost_usd"] == pytest.approx(550 * 3 / 1e6)
    assert found["W1", "codex"]["cost_usd"] is None
    assert window_facts.facts(session, ["W2"]) == {}


def test_tokens_hold_cached_ones_as_those_of_session_logs_do(tracker_inside: Run, session: Session) -> None:
    cached = {"cache_read_tokens": 900, "cache_write_tokens": 30, "cache_write_1h_tokens": 4}
    event = {"ts": "2026-01-10T08:00:00Z", "lane": "zai", "model": "glm-4.6", "input_tokens": 60, "output_tokens": 6}
    text = json.dumps(event | cached) + "\n"
    tracker_inside("ingest", "proxy-telemetry", "--window", "W4", "--stdin", stdin=text)
    assert window_facts.facts(session, ["W4"])["W4", "glm"]["tokens"] == 1000


def test_requests_without_a_count_of_tokens_leave_the_least(tracker_inside: Run) -> None:
    """Of 200 one that was cancelled took away what the others used."""
    events = [{"rid": rid, "lane": lane, "model": model, "input_tokens": count} for rid, lane, model, count in EVENTS]
    cancelled = {"rid": "F-9", "lane": "zai", "model": "glm-4.6", "status": 200}
    text = "".join(json.dumps({"ts": "2026-01-10T08:00:00Z", **one}) + "\n" for one in (*events, cancelled))
    tracker_inside("ingest", "proxy-telemetry", "--window", "W1", "--stdin", stdin=text)
    [found] = json.loads(tracker_inside("windows", "--json").stdout)
    least = found["providers"]["glm"]
    assert (least["tokens_at_least"], least["uncounted_requests"]) == (1000, 1)
    assert found["providers"]["claude"]["tokens"] == 550
    # nothing that is made of tokens takes the least for all
    assert least.keys().isdisjoint({"tokens", "cost_usd", "tokens_per_feature"})
    assert "note: glm W1 used at least `tokens_at_least` tokens: some requests" in tracker_inside("windows").stderr
    said = "W1 glm: at least 1000 tokens from a proxy's stream alone, which has no count for 1 request."
    assert said in tracker_inside("preview").stdout
    assert "| Tokens at least | Uncounted requests |" in tracker_inside("report", "--format", "md").stdout


def test_a_price_table_that_cannot_be_read_costs_the_prices_alone(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tracker_telemetry.prices._bundled", lambda *_given: "as_of =")
    found = window_facts.facts(session, ["W1"])
    assert {key: one["tokens"] for key, one in found.items()}["W1", "glm"] == 1000
    said = capsys.readouterr().err
    assert said.startswith("warning: Invalid price table prices.toml of proxy-telemetry: ")
    assert said.endswith("; its own prices are left out (TRACKER_DISABLE_PLUGINS=proxy-telemetry turns it off)\n")


def test_a_price_that_depends_on_the_hour_is_that_of_each_request(tracker_inside: Run, session: Session) -> None:
    """Kept answers are by the day unless a model among them has such a price."""
    used = {"lane": "claude", "model": "deepseek-chat", "input_tokens": 10**6, "output_tokens": 10**6}
    text = "".join(json.dumps({"ts": f"2026-01-10T{hour}:00:00Z", **used}) + "\n" for hour in ("02", "17"))
    tracker_inside("ingest", "proxy-telemetry", "--window", "W3", "--stdin", stdin=text)
    for _ in range(2):
        assert window_facts.facts(session, ["W3"])["W3", "claude"]["cost_usd"] == pytest.approx(1.37 + 0.685)


def test_the_handoff_has_the_largest_cost_rows(session: Session) -> None:
    block = window_facts.section(session, ["W1"])
    assert block is not None
    assert list(map(str, block.rows)) == [
        "rid,baseline_tokens,glm_tokens,delta",
        "F-1,550,1000,450",
        "F-2,70,0,-70",
    ]
    assert dict(block.rows[1].values) == {"rid": "F-1", "baseline_tokens": 550, "glm_tokens": 1000, "delta": 450}
    assert window_facts.section(session, ["W2"]) is None


def test_a_spoilt_side_file_is_made_anew(session: Session) -> None:
    window_facts.facts(session, ["W1"])
    path = session.root / ".index" / "telemetry-totals.json"
    path.write_bytes(b"garbage")
    assert window_facts.facts(session, ["W1"])["W1", "glm"]["tokens"] == 1000


def test_a_flipped_bit_of_a_kept_answer_changes_no_figure(session: Session) -> None:
    found = window_facts.facts(session, ["W1"])
    path = session.root / ".index" / "telemetry-totals.json"
    kept = path.read_bytes()
    for place in range(0, len(kept), 211):
        path.write_bytes(kept[:place] + bytes([kept[place] ^ 1]) + kept[place + 1 :])
        assert window_facts.facts(session, ["W1"]) == found, place
    path.write_bytes(kept.replace(b"1000", b"9000"))
    assert window_facts.facts(session, ["W1"]) == found


def test_session_logs_are_added_up_once_a_command(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report asks three times; what changed since is asked for anew."""
    asked: list[frozenset[str]] = []
    monkeypatch.setenv("HOME", str(tmp_path))

    def counted(_session: Session, _logs: object, windows: frozenset[str]) -> of_logs.Logged:
        asked.append(windows)
        return {("W1", "codex"): {"tokens": len(asked)}}, {}

    monkeypatch.setattr(of_logs, "_added_up", counted)
    found = [window_facts.facts(session, windows)["W1", "codex"] for windows in (["W1"], ["W1"], ["W1", "W2"])]
    assert [one["tokens"] for one in found] == [1, 1, 2]
    folder = tmp_path / ".claude" / "projects" / "-w"
    folder.mkdir(parents=True)
    row = {"type": "assistant", "message": {"id": "m", "model": "claude-opus-4-6", "usage": {"output_tokens": 5}}}
    (folder / "s1.jsonl").write_text(json.dumps(row) + "\n")
    assert window_facts.facts(session, ["W1", "W2"])["W1", "codex"] == {"tokens": 3}


def test_a_provider_may_have_a_dash_in_its_name() -> None:
    names = ("deep", "deep-sea", "glm")
    session: Any = SimpleNamespace(registry=SimpleNamespace(providers=dict.fromkeys(names)))
    whose = {"deep-log": "deep", "deep-sea": "deep-sea", "deep-sea-log": "deep-sea", "sea-deep": "sea-deep"}
    logs = {name: owners.provider_of(session, SimpleNamespace(name=name)) for name in whose}  # type: ignore[arg-type]
    assert logs == whose
    proxy: Any = SimpleNamespace(routed_label="glm")
    of = partial(window_facts.provider_of, session, proxy, is_routed=False)
    asked = (("Deep-Sea", "x"), ("", "x/deep-2"), ("", "sea-deep"), ("", "deeper"))
    assert [of(lane, model) for lane, model in asked] == ["deep-sea", "deep", "deep", None]
