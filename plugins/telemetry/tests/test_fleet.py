"""docs/fleet.md is true: two machines' exports give DuckDB the figures that tracker has of both journals in one."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tracker.cli.main import main

duckdb = pytest.importorskip("duckdb")
pytest.importorskip("pyarrow")
sqlglot = pytest.importorskip("sqlglot")

DOCS = Path(__file__).parents[3] / "docs"
PAGE, SQL = (DOCS / "fleet.md").read_text(encoding="utf-8"), (DOCS / "fleet.sql").read_text(encoding="utf-8")
WINDOWS = ("W0-07", "W0-CHN")
LANES = {"zai": "glm-4.6", "glm": "glm-4.5-air", "main": "claude-sonnet-4-5", "sub1": None}


def block(kind: str) -> str:
    [found] = re.findall(rf"^```{re.escape(kind)}\n(.*?)^```$", PAGE, flags=re.M | re.S)
    return str(found)


def stream(seed: int, count: int) -> str:
    """Plain lines, some without a time, a rid, tokens or a latency; a machine of many has some in common with all."""
    chance = random.Random(seed)
    lines = []
    for at in range(count):
        lane = chance.choice(list(LANES))
        event = {
            "ts": f"2026-01-{10 + at % 3}T08:00:00Z", "rid": f"F-{chance.randrange(9)}", "lane": lane,
            "model": LANES[lane], "status": chance.choice(["ok", 200, "error", 529]),
            "input_tokens": chance.randrange(5000), "output_tokens": chance.randrange(900),
            "latency_ms": chance.choice([chance.randrange(2000), chance.random() * 900]),
        }  # fmt: skip
        for name in chance.sample(["ts", "rid", "input_tokens", "latency_ms", "lane"], chance.randrange(3) // 2):
            del event[name]
        lines.append(json.dumps(event) + "\n")
    return "".join(lines)


def tracker(data: Path, *arguments: str) -> None:
    main(["--quiet", "--data-dir", str(data), *arguments], standalone_mode=False)


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which two machines have run the page's commands; both journals put together are in `both`."""
    monkeypatch.chdir(tmp_path)
    common = stream(0, 15)
    for number, machine in enumerate(("ada", "bob"), 1):
        data = tmp_path / f"data-{machine}"
        for window in WINDOWS:
            count = 60 if window == WINDOWS[0] else 1
            Path("usage.jsonl").write_text(common * number + stream(number, count), encoding="utf-8")
            tracker(data, "ingest", "proxy-telemetry", "--window", window, "--file", "usage.jsonl")
        folder = str(Path(sys.executable).parent)
        settings = {"PATH": f"{folder}:/usr/bin:/bin", "MACHINE": machine, "TRACKER_DATA_DIR": str(data)}
        subprocess.run(["bash", "-e", "-c", block("sh")], cwd=tmp_path, env=settings, check=True, capture_output=True)
    for machine in ("ada", "bob"):
        Path("both").mkdir(exist_ok=True)
        tracker(tmp_path / "both", "import", f"data-{machine}")
    return tmp_path


def answers() -> list[list[dict[str, Any]]]:
    """What DuckDB answers to the page's line and to each question of the file."""
    database = duckdb.connect(":memory:")
    database.execute(block("sql duckdb"))
    found = []
    for statement in database.extract_statements(SQL):
        asked = database.execute(statement)
        names = [column[0] for column in asked.description]
        found.append([dict(zip(names, row, strict=True)) for row in asked.fetchall()])
    return [rows for rows in found if rows and "window_id" in rows[0]]


def said(data: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    tracker(data, "--json", *arguments)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def near(expected: float | None) -> Any:
    return expected if expected is None else pytest.approx(expected, abs=1e-6)


def test_the_file_says_what_tracker_says(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    requests, totals, models, figures = answers()
    for window in WINDOWS:
        own = [[row for row in rows if row["window_id"] == window] for rows in (requests, totals, models, figures)]
        compared = said(fleet / "both", capsys, "cost-compare", "--window", window)
        names = ("side", "baseline_tokens", "glm_tokens", "delta_glm_minus_base")
        assert [(row["rid"] or None, *(row[name] for name in names)) for row in own[0]] == [
            (row["rid"], *(row[name] for name in names)) for row in compared["rows"]
        ]
        [total] = own[1]
        for name in (*names[1:], "glm_share"):
            assert total[name] == near(compared["totals"][name])
        of_model = {
            row["model"]: (row["baseline_tokens"], row["glm_tokens"])
            for row in said(fleet / "both", capsys, "cost-compare", "--by", "model", "--window", window)["rows"]
        }
        for row in own[2]:
            tokens = row["input_tokens"] + row["output_tokens"]
            assert of_model[row["model"] or None][row["is_glm"]] == tokens
        check_preview(own[3], said(fleet / "both", capsys, "preview", "--window", window))
    assert {row["side"] for row in requests} == {"both", "glm", "baseline"}
    whole = {row["window_id"]: row["events"] for row in figures if row["part"] == "all"}
    assert whole[WINDOWS[1]] == 2 * 15 + 2  # what both machines took in counts once


def check_preview(rows: list[dict[str, Any]], preview: dict[str, Any]) -> None:
    [shown] = [found["rows"] for found in preview["blocks"] if found["title"] == "Subagent Proxy"]
    [all_of] = shown
    expected = {("all", ""): all_of}
    for part in ("lane", "model"):
        expected |= {(part, figures[part] or ""): figures for figures in all_of[f"by_{part}"]}
    assert {(row["part"], row["name"]) for row in rows} == expected.keys()
    for row in rows:
        figures = expected[row["part"], row["name"]]
        assert (row["events"], bool(row["p95_few_events"])) == (figures["events"], figures["p95_few_events"])
        for name in ("p50_ms", "p95_ms"):
            assert row[name] == near(figures[name])
        for name in ("routed_pct", "error_pct"):  # tracker rounds them
            assert float(row[name]) == pytest.approx(figures[name], abs=0.0501)


@pytest.mark.parametrize("dialect", ["spark", "clickhouse", "duckdb"])
def test_every_dialect_reads_the_file(dialect: str) -> None:
    views = sqlglot.parse(block(f"sql {dialect}"), read=dialect)
    assert [view.find(sqlglot.exp.Table).name for view in views] == ["telemetry"]
    kinds = [statement.key for statement in sqlglot.parse(SQL, read=dialect)]
    assert kinds == ["create"] * 4 + ["select"] * 4
    assert "command" not in [view.key for view in views]  # what the parser did not understand
