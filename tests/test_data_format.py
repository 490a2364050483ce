"""docs/reference/data-format.md is true: its examples fit its tables, so do real records, and its recipes run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from inprocess import tracker
from shared import Demo

sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "pictures"))
from data import fill

DOCUMENT = (Path(__file__).parents[1] / "docs" / "reference" / "data-format.md").read_text(encoding="utf-8")
SECTIONS = dict(zip(*[iter(re.split(r"^## (.+)$", DOCUMENT, flags=re.M)[1:])] * 2, strict=True))
STREAMS = {name.strip("`").removesuffix(".jsonl"): text for name, text in SECTIONS.items() if name.endswith(".jsonl`")}
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def is_time(value: object) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value).utcoffset() is not None


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


TYPES: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "time": is_time,
    "null": lambda value: value is None,
    "number": is_number,
    "integer": lambda value: is_number(value) and isinstance(value, int),
    "true": lambda value: value is True,
    "false": lambda value: value is False,
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "any": lambda value: True,
}


def tables(text: str) -> list[dict[str, str]]:
    """The tables of fields in a section: field -> type."""
    found: list[dict[str, str]] = []
    for line in text.splitlines():
        if line.startswith("| field "):
            found.append({})
        elif found and (row := re.match(r"\| (?:`(\w+)`|(\(others\))) \| ([^|]*) \|", line)):
            found[-1][row[1] or row[2]] = row[3].strip()
    return found


def examples(text: str, kind: str = "json") -> list[str]:
    return re.findall(rf"^```{re.escape(kind)}\n(.*?)^```$", text, flags=re.M | re.S)


COMMON = tables(SECTIONS["Every record"])[0]


def unfit(record: dict[str, Any], stream: str) -> str | None:
    """Why a record fits none of its stream's tables."""
    reasons = []
    for table in tables(STREAMS[stream]):
        known = COMMON | table
        reason = next(filter(None, (_wrong(record, name, kind) for name, kind in known.items())), None)
        strange = set() if "(others)" in table else record.keys() - known.keys()
        if reason is None and not strange:
            return None
        reasons.append(reason or f"{sorted(strange)} is not documented")
    return "; ".join(reasons)


def _wrong(record: dict[str, Any], name: str, kind: str) -> str | None:
    kind, _, optional = kind.partition(", ")
    if name == "(others)" or (optional and name not in record):
        return None
    if name not in record:
        return f"{name} is missing"
    fits = any(TYPES[one](record[name]) for one in kind.split(" or "))
    return None if fits else f"{name} is {record[name]!r}, no {kind}"


@pytest.mark.parametrize("stream", STREAMS)
def test_the_examples_fit_the_tables(stream: str) -> None:
    assert tables(STREAMS[stream])
    shown = [json.loads(example) for example in examples(STREAMS[stream])]
    assert shown
    assert [unfit(record, stream) for record in shown] == [None] * len(shown)
    for record in shown:
        without = {key: value for key, value in record.items() if key != "captured_at"}
        assert unfit(without, stream) is not None, "the check can fail"
        assert "(others)" in STREAMS[stream] or unfit(record | {"strange": 1}, stream) is not None


def test_every_stream_of_the_specification_is_described() -> None:
    named = "snapshots windows glm_counts codex_ccusage claude_monitor proxy_telemetry anomalies churn"
    assert set(named.split()) <= STREAMS.keys()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, demo: Demo) -> Path:
    """A folder with a data directory that holds every kind of record."""
    folder = tmp_path_factory.mktemp("filled")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID"))}
    environment |= {"TRACKER_DATA_DIR": str(folder / "data"), "TZ": "UTC"}

    def run(words: str, **extra: str) -> None:
        status, out, err = tracker(words.split(), b"", folder, environment | extra)
        assert status == 0, (out, err)

    shutil.copytree(demo.data, folder / "data")
    (folder / "bad").write_text('{"lane": 1\n')
    run("ingest proxy-telemetry --window W0-01 --file bad")
    report = {"weekly": [{"week": "2026-05-17", "totalTokens": 14656, "modelsUsed": ["claude-opus-4-6"]}]}
    (folder / "report").write_text(json.dumps(report))
    run("ingest claude-ccusage --window W0-01 --file report")
    run("override codex --window W0-09 --phase before --weekly-pct 50 --notes by-hand", AGENT_ID="sub1")
    run("override codex --window W0-09 --phase after --weekly-pct 40", AGENT_ID="sub1")
    run("alias delete codex --phase after --window W0-09", AGENT_ID="sub1")
    run("feature reserve", TRACKER_DATA_DIR=str(folder / "other"))
    run("import other")
    run("churn --window W0-01")
    run("feature reserve")
    run("plan --pairs 2 codex claude")
    run("export --format parquet --out out")
    fill(folder / "year", days=8)
    write_rollout(folder / "year")
    for words in ("usage", "plan"):
        run(words, TRACKER_DATA_DIR=str(folder / "year" / "data"), HOME=str(folder / "year"))
    return folder


def write_rollout(home: Path) -> None:
    """A session log of Codex with one request."""
    tokens = {"input_tokens": 1400, "cached_input_tokens": 500, "output_tokens": 100, "total_tokens": 1500}
    rows = [
        ("session_meta", {"id": "a", "cwd": "/home/dev/shop"}),
        ("turn_context", {"model": "gpt-5"}),
        ("event_msg", {"type": "token_count", "info": {"last_token_usage": tokens, "total_token_usage": tokens}}),
    ]
    lines = [json.dumps({"timestamp": "2026-01-10T08:00:00Z", "type": kind, "payload": own}) for kind, own in rows]
    path = home / ".codex" / "sessions" / "2026" / "01" / "10" / "rollout-a.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n")


def test_real_records_fit_the_tables(filled: Path) -> None:
    seen: dict[str, int] = {}
    invented = [
        filled / "year" / "data" / f"{name}.jsonl" for name in ("claude_sessions", "codex_sessions", "forecasts")
    ]
    for path in [*(filled / "data").glob("*.jsonl"), *invented]:
        for line in path.read_bytes().splitlines():
            record = json.loads(line)
            assert unfit(record, path.stem) is None, (path.name, record)
            seen[path.stem] = seen.get(path.stem, 0) + 1
    assert seen.keys() == STREAMS.keys()


def test_a_record_id_is_what_the_document_says(filled: Path) -> None:
    import hashlib

    for line in (filled / "data" / "snapshots.jsonl").read_bytes().splitlines():
        record = json.loads(line)
        record_id = record.pop("record_id")
        text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.blake2b(text.encode(), digest_size=16).hexdigest() == record_id


def test_the_state_is_what_the_document_says(filled: Path) -> None:
    [shown] = map(json.loads, examples(SECTIONS["State"]))
    found = json.loads((filled / "data" / "state" / "sub1" / "codex.json").read_bytes())
    assert {key: type(value) for key, value in found.items()} == {key: type(value) for key, value in shown.items()}


# --- recipes

READING = SECTIONS["Reading the files"]


def test_the_jq_recipes(filled: Path) -> None:
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    printed = [
        subprocess.run(["bash", "-c", recipe], cwd=filled, text=True, capture_output=True, check=True).stdout
        for recipe in examples(READING, "sh")
    ]
    assert len(printed) == 2
    pairs = [line.split("\t")[:2] for line in printed[0].splitlines()]
    assert pairs == [[f"W0-0{number}", name] for number in range(1, 6) for name in ("claude", "codex")]
    features = {tuple(line.split("\t")[:3]) for line in printed[1].splitlines()}
    assert features > {("W0-01", "claude", "2"), ("W0-01", "codex", "3"), ("W0-01", "glm", "1")}


def test_the_pandas_recipe(filled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(filled)
    [recipe] = examples(READING, "python")
    exec(compile(recipe, "recipe", "exec"), {})
    assert re.search(r"^[\d-]{10} baseline +\d+ +\d+$", capsys.readouterr().out, re.M)


def test_the_duckdb_recipes(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    monkeypatch.chdir(filled)
    recipe, _ = examples(READING, "sql")
    rows = duckdb.connect(":memory:").execute(recipe).fetchall()
    assert {row[1]: row[2] for row in rows} == {
        "W0-01": 18,
        "W0-02": 14,
        "W0-03": 16,
        "W0-04": 12,
        "W0-05": 9,
        "W0-09": 0,
    }


def test_the_duckdb_recipe_on_parquet(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    monkeypatch.chdir(filled)
    _, recipe = examples(READING, "sql")
    rows = duckdb.connect(":memory:").execute(recipe).fetchall()
    assert sum(row[3] for row in rows) == 8
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", str(row[1])) for row in rows)


@pytest.mark.parametrize(("switch", "account"), [("false", "d***@example.com"), ("true", "dev@example.com")])
def test_an_account_is_kept_where_that_is_configured(
    tracker_inside: Run, tmp_path: Path, switch: str, account: str
) -> None:
    (tmp_path / "tracker.toml").write_text(f"keep_account = {switch}\n")
    pane = "/status\n\n  Account: dev@example.com (Pro)\n  Weekly limit: 62% left (resets 06:27 on 25 Nov)\n"
    done = tracker_inside("alias", "start", "codex", "--stdin", "--captured-at", "2026-11-24T08:00:00Z", stdin=pane)
    assert done.returncode == 0, done.stderr
    [record] = [json.loads(line) for line in (tmp_path / "data" / "snapshots.jsonl").read_text().splitlines()]
    assert record["parsed"]["account"] == account
    assert f"Account: {account} (Pro)" in record["raw_text"]
