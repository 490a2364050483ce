"""docs/how-to/many-machines.md is true: two exports give DuckDB the figures of both journals in one.

Spark and ClickHouse give the same rows, where they are installed: `uv run --group fleet pytest -m fleet`.
"""

from __future__ import annotations

import importlib.util
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tracker.cli.main import main

duckdb = pytest.importorskip("duckdb")
pytest.importorskip("pyarrow")
sqlglot = pytest.importorskip("sqlglot")

DOCS = Path(__file__).parents[3] / "docs" / "how-to"
PAGE, SQL = (DOCS / "many-machines.md").read_text(encoding="utf-8"), (DOCS / "fleet.sql").read_text(encoding="utf-8")
WINDOWS = ("W0-07", "W0-CHN")
LANES = {"zai": "glm-4.6", "glm": "glm-4.5-air", "main": "claude-sonnet-4-5", "sub1": None}


def block(kind: str, title: str = "") -> str:
    """The only block of its kind, or of its kind below a line that begins with the title."""
    [found] = re.findall(rf"^{title}[^\n]*\n\n```{kind}\n(.*?)^```$", PAGE, flags=re.M | re.S | re.I)
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


def pane(fiveh: int, weekly: int) -> str:
    bar = "█" * 20
    return (
        ">_ OpenAI Codex (v0.171.0)\n\n"
        f"  5h limit:      [{bar[: fiveh // 5]:░<20}] {fiveh}% left (resets 09:30)\n"
        f"  Weekly limit:  [{bar[: weekly // 5]:░<20}] {weekly}% left (resets 10:00 on 16 Jan)\n"
    )


def work(
    machine: str, window: str, times: tuple[str, str], left: tuple[int, int], account: str = "", features: str = "3"
) -> None:
    for phase, time, weekly in zip(("start", "end"), times, left, strict=True):
        Path("pane.txt").write_text(pane(80, weekly) + account, encoding="utf-8")
        more = ("--window", window, "--captured-at", f"2026-01-{time}:00Z", "--force", "--file", "pane.txt")
        tracker(Path(machine), "alias", phase, "codex", *more)
    tracker(Path(machine), "complete", "--window", window, *(("--codex-features", features) if features else ()))


def measure(machine: str, number: int) -> None:
    """Three windows of Codex, with features; the last one has none, and does not count. Then one in which both work."""
    left = 90
    for at in range(1, 4):
        hour, features = f"1{number}T{5 + at:02}", str(at + number) if at < 3 else ""
        work(f"data-{machine}", f"{machine}-{at}", (f"{hour}:00", f"{hour}:50"), (left, left - 3 * at), "", features)
        left -= 3 * at
    work(f"data-{machine}", f"{machine}-4", (f"13T08:0{number}", f"13T09:0{number}"), (71 - number, 61 - number))


def request(machine: str, at: int, model: str) -> str:
    usage = {"input_tokens": 1000 + at, "cached_input_tokens": 400, "output_tokens": 50, "reasoning_output_tokens": 9}
    payload = {"thread_id": machine, "turn_id": "t", "response_id": f"{machine}-{at}", "usage": usage}
    record = {"timestamp": f"2026-01-1{1 + at % 2}T07:0{at}:00.250Z", "type": "token_usage_record", "payload": payload}
    turn = {"timestamp": record["timestamp"], "type": "turn_context", "payload": {"model": model}}
    return "".join(json.dumps(one) + "\n" for one in (turn, record))


def sessions(home: Path, machine: str) -> None:
    """A session of the machine's own, and one that both have; the copy of the one that looks later lacks the end."""
    for name in (machine, "shared"):
        path = home / "sessions" / "2026" / "01" / "11" / f"rollout-2026-01-11T07-00-00-{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        payload = {"id": name, "cwd": f"/home/dev/{name if name == 'shared' else 'shop'}", "source": "cli"}
        meta = {"timestamp": "2026-01-11T06:00:00Z", "type": "session_meta", "payload": payload}
        models = ("gpt-5", "gpt-5", "a-model-without-a-price", "gpt-5")[
            : 3 if (name, machine) == ("shared", "bob") else 4
        ]
        path.write_text(
            json.dumps(meta) + "\n" + "".join(request(name, at, model) for at, model in enumerate(models)),
            encoding="utf-8",
        )


def tracker(data: Path, *arguments: str) -> None:
    main(["--quiet", "--data-dir", str(data), *arguments], standalone_mode=False)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which two machines have run the page's commands; both journals put together are in `both`."""
    folder = tmp_path_factory.mktemp("fleet")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        make(folder, monkeypatch)
        yield folder


def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    common = stream(0, 15)
    for number, machine in enumerate(("ada", "bob"), 1):
        data = tmp_path / f"data-{machine}"
        for window in WINDOWS:
            count = 60 if window == WINDOWS[0] else 1
            Path("usage.jsonl").write_text(common * number + stream(number, count), encoding="utf-8")
            tracker(data, "ingest", "proxy-telemetry", "--window", window, "--file", "usage.jsonl")
        measure(machine, number)
        monkeypatch.setenv("CODEX_HOME", str(tmp_path / f"home-{machine}"))
        sessions(tmp_path / f"home-{machine}", machine)
        tracker(data, "usage", "--timezone", "UTC")
        folder = str(Path(sys.executable).parent)
        settings = {"PATH": f"{folder}:/usr/bin:/bin", "MACHINE": machine, "TRACKER_DATA_DIR": str(data)}
        subprocess.run(["bash", "-e", "-c", block("sh")], cwd=tmp_path, env=settings, check=True, capture_output=True)
    for machine in ("ada", "bob"):
        Path("both").mkdir(exist_ok=True)
        tracker(tmp_path / "both", "import", f"data-{machine}")


def answers() -> list[list[dict[str, Any]]]:
    """What DuckDB answers to the page's lines and to each question of the file."""
    database = duckdb.connect(":memory:")
    database.execute("SET TimeZone = 'UTC'")
    database.execute(block("sql", "duckdb"))
    found = []
    for statement in database.extract_statements(SQL):
        asked = database.execute(statement)
        names = [column[0] for column in asked.description]
        if statement.type == duckdb.StatementType.SELECT:
            found.append([dict(zip(names, row, strict=True)) for row in asked.fetchall()])
    return found


def said(data: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    tracker(data, "--json", *arguments)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def near(expected: float | None) -> Any:
    return expected if expected is None else pytest.approx(expected, abs=1e-6)


def test_the_file_says_what_tracker_says(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    requests, totals, models, figures, *_ = answers()
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


def test_windows_usage_and_meters_add_up(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    *_, efficiency, usage, meters = answers()
    [codex] = efficiency
    scores = said(fleet / "both", capsys, "scoreboard")
    [own] = [row for row in scores if row["provider"] == "codex"]
    assert (codex["n"], codex["machines"], codex["features"]) == (own["n"], 2, own["features"]) == (4, 2, 12)
    assert codex["overlapping"] == 2
    assert codex["efficiency"] == near(own["features"] / own["capacity"])
    spread = codex["features_squares"] - 2 * codex["efficiency"] * codex["products"]
    assert spread + codex["efficiency"] ** 2 * codex["capacity_squares"] > 0
    # the session that both machines have counts once
    by_name = {(row["project_name"], row["model_name"]): row for row in usage}
    assert {key: (row["sessions"], row["requests_sum"]) for key, row in by_name.items()} == {
        ("shared", "gpt-5"): (1, 3),
        ("shared", "a-model-without-a-price"): (1, 1),
        ("shop", "gpt-5"): (2, 6),
        ("shop", "a-model-without-a-price"): (2, 2),
    }
    assert by_name["shop", "gpt-5"]["input_sum"] == 2 * (600 + 601 + 603)
    assert by_name["shop", "gpt-5"]["cost_sum"] > 0
    assert by_name["shop", "a-model-without-a-price"]["cost_sum"] is None
    assert by_name["shop", "a-model-without-a-price"]["unpriced_requests"] == 2
    # neither pane names its account: the meters of two machines stay two, and the latest reading of each counts
    assert [(row["account_name"], row["meter"], row["used"]) for row in meters] == [
        ("ada", "fiveh", 20), ("ada", "weekly", 40), ("bob", "fiveh", 20), ("bob", "weekly", 41),
    ]  # fmt: skip


def test_accounts_stay_apart_and_windows_that_overlap_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    windows = {"W1": ("dev", 8, 9), "W2": ("dev", 10, 12), "W3": ("dev", 11, 13), "W4": ("sub", 8, 9)}
    for window, (name, begin, end) in windows.items():
        times = f"10T{begin:02}:00", f"10T{end:02}:00"
        work("data", window, times, (90, 80), f"  Account: {name}@example.com (Pro)\n", "2")
    tracker(Path("data"), "export", "--format", "parquet", "--out", "export")
    database = duckdb.connect(":memory:")
    database.execute("CREATE VIEW fleet_results AS SELECT *, 'ada' AS machine FROM 'export/results/*.parquet'")
    reasons = database.execute("SELECT window_id, reason, features FROM fleet_results ORDER BY 1").fetchall()
    assert reasons == [("W1", None, 2), ("W2", "overlaps W3", None), ("W3", "overlaps W2", None), ("W4", None, 2)]
    [view] = re.findall(r"CREATE VIEW efficiency.*?;", SQL, re.S)
    database.execute(view)
    found = database.execute("SELECT account, n, features, capacity FROM efficiency").fetchall()
    scores = said(Path("data"), capsys, "scoreboard")
    assert len({account for account, *_ in found}) == 2
    assert [tuple(rest) for _, *rest in found] == [(row["n"], row["features"], row["capacity"]) for row in scores]
    assert [row["n"] for row in scores] == [1, 1]


def exported(*machines: str) -> list[list[Any]]:
    """The rows of `efficiency` and `account_meters` over the exports of machines whose data lie in folders beside."""
    database = duckdb.connect(":memory:")
    database.execute("SET TimeZone = 'UTC'")
    for machine in machines:
        tracker(Path(machine), "export", "--format", "parquet", "--out", f"export-{machine}", "--force")
    for table in ("results", "meters"):
        rows = [f"SELECT *, '{one}' AS machine FROM 'export-{one}/{table}/*.parquet'" for one in machines]
        database.execute(f"CREATE VIEW fleet_{table} AS {' UNION ALL '.join(rows)}")
    for name in ("efficiency", "account_meters"):
        [view] = re.findall(rf"CREATE VIEW {name} AS.*?;\n\n", SQL, re.S)
        database.execute(view)
    figures = "account IS NULL, n, overlapping, machines, features, capacity"
    return [
        database.execute(f"SELECT {figures} FROM efficiency ORDER BY account").fetchall(),
        database.execute("SELECT account_name, meter, used FROM account_meters ORDER BY 1, 2").fetchall(),
    ]


def test_points_of_one_account_count_once_on_machines_that_work_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also after each has imported the other, and where one of them finalized the other's window again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CODEX_HOME", "nowhere")
    account = "  Account: dev@example.com (Pro)\n"
    work("ada", "A-1", ("10T09:00", "10T09:50"), (90, 80), account)
    work("bob", "B-1", ("10T09:05", "10T09:55"), (89, 79), account)
    work("ada", "A-2", ("10T10:00", "10T11:00"), (79, 75), account)
    work("bob", "B-2", ("10T11:00", "10T12:00"), (75, 70), account)
    # its meter stood still while the other one's moved
    work("bob", "B-3", ("10T10:10", "10T10:20"), (77, 77), account)
    before = exported("ada", "bob")
    assert before[0] == [(False, 3, 2, 2, 9, 9)]
    tracker(Path("ada"), "import", "bob")
    tracker(Path("bob"), "import", "ada")
    assert exported("ada", "bob") == before
    [own] = said(Path("ada"), capsys, "scoreboard")
    assert (own["n"], own["features"], own["capacity"]) == (3, 9, 9)
    tracker(Path("bob"), "complete", "--window", "A-2", "--codex-features", "5")
    assert exported("ada", "bob")[0] == [(False, 3, 2, 2, 11, 9)]
    # what its own machine takes back no longer counts, whoever has a copy
    tracker(Path("bob"), "alias", "delete", "codex", "--window", "B-2", "--phase", "after", "--yes")
    assert exported("ada", "bob")[0] == [(False, 2, 2, 2, 8, 4)]


def test_an_account_without_a_name_is_that_of_the_machine_that_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    work("ada", "A-1", ("10T09:00", "10T09:50"), (90, 80))
    work("bob", "B-1", ("11T09:00", "11T09:50"), (50, 40))
    before = exported("ada", "bob")
    assert before[0] == [(True, 2, 0, 2, 6, 20)]
    assert [row for row in before[1] if row[1] == "weekly"] == [("ada", "weekly", 20), ("bob", "weekly", 60)]
    tracker(Path("ada"), "import", "bob")
    tracker(Path("bob"), "import", "ada")
    assert exported("ada", "bob") == before


@pytest.mark.parametrize("dialect", ["spark", "clickhouse", "duckdb"])
def test_every_dialect_reads_the_file(dialect: str) -> None:
    views = sqlglot.parse(block("sql", dialect), read=dialect)
    names = [view.find(sqlglot.exp.Table).name for view in views if view is not None]
    assert names == ["telemetry", "fleet_results", "fleet_meters", "fleet_usage"]
    kinds = [statement.key for statement in sqlglot.parse(SQL, read=dialect)]
    assert (kinds.count("create"), kinds.count("select")) == (7, 7)
    assert "command" not in [view.key for view in views]  # what the parser did not understand


ENGINES = {
    "clickhouse": """
import json, sys
from chdb.session import Session
session = Session()
for one in ("CREATE DATABASE fleet", "USE fleet", "SET use_hive_partitioning = 1", "SET session_timezone = 'UTC'"):
    session.query(one)
for statement in json.load(sys.stdin):
    found = str(session.query(statement, "JSONCompact"))
    print(json.dumps(json.loads(found)["data"] if found.strip() else None))
""",
    "spark": """
import json, sys
from pyspark.sql import SparkSession
settings = {
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false", "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "1", "spark.ui.showConsoleProgress": "false",
}
builder = SparkSession.builder.master("local[1]")
for name, value in settings.items():
    builder = builder.config(name, value)
session = builder.getOrCreate()
for statement in json.load(sys.stdin):
    found = session.sql(statement)
    print(json.dumps([list(row) for row in found.collect()] if found.columns else None, default=str))
""",
}


def installed(engine: str, module: str) -> Any:
    lacks = importlib.util.find_spec(module) is None or (engine == "spark" and shutil.which("java") is None)
    reason = f"{module} or Java is not installed: uv sync --group fleet"
    return pytest.param(engine, id=engine, marks=pytest.mark.skipif(lacks, reason=reason))


@pytest.mark.fleet
@pytest.mark.parametrize("engine", [installed("clickhouse", "chdb"), installed("spark", "pyspark")])
def test_other_engines_give_the_same_rows(fleet: Path, engine: str) -> None:
    statements = [
        text for part in (block("sql", engine), re.sub("--.*", "", SQL)) for one in part.split(";\n")
        if (text := one.strip().rstrip(";"))
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ENGINES[engine]],
        input=json.dumps(statements),
        cwd=fleet,
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = [rows for rows in map(json.loads, done.stdout.splitlines()) if rows is not None]
    expected = [[list(row.values()) for row in rows] for rows in answers()]
    assert [len(rows) for rows in found] == [len(rows) for rows in expected]
    for rows, ours in zip(found, expected, strict=True):
        for row, own in zip(rows, ours, strict=True):
            assert [plain(cell) for cell in row] == [plain(cell) for cell in own]


def plain(cell: Any) -> Any:
    """A cell in a form that engines share: numbers to 6 digits, times to the second, empty text as nothing."""
    text = str(cell)
    if re.match(r"\d{4}-\d\d-\d\d[ T]", text):
        return text[:19].replace("T", " ")
    try:
        return float(f"{float(text):.6g}")
    except ValueError:
        return None if cell in (None, "") else text
