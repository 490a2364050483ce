"""Exports as Parquet: what a query finds in them; rows in groups of few megabytes, so that memory stays small."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tracker_desk.parquet import SETTINGS, _copy

duckdb = pytest.importorskip("duckdb")
SQL = Path(__file__).parents[3] / "docs" / "how-to" / "fleet.sql"
PANES, SIZE = 10_000, 8_000


def test_a_group_of_rows_holds_few_large_panes(tmp_path: Path) -> None:
    path = tmp_path / "panes.parquet"
    with duckdb.connect(str(tmp_path / "export")) as database:
        for name, value in SETTINGS.items():
            database.execute(f"SET {name} = '{value}'")
        _copy(database, f"SELECT range AS id, repeat(range::VARCHAR, {SIZE} // 4) AS pane FROM range({PANES})", path)
        query = f"SELECT count(DISTINCT row_group_id), max(row_group_num_rows) FROM parquet_metadata('{path}')"
        groups, rows = database.execute(query).fetchall()[0]
        kept = database.execute(f"SELECT count(*), count(DISTINCT id) FROM '{path}'").fetchone()
    assert kept == (PANES, PANES)
    # 16 MB, and the rows that came together with the last one of them
    assert groups > 2
    assert rows * SIZE < 48 << 20


def test_parquet(filled: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = filled("export", "--format", "parquet", "--out", str(out)).ok()
    assert said.startswith("exported 38 rows to ")
    assert said.endswith(", windows 1, results 1, meters 4)\n")
    ask = duckdb.connect(":memory:").execute
    assert ask(
        f'SELECT "window", phase, "parsed.fuel_pct" FROM \'{out}/snapshots.parquet\' ORDER BY captured_at, phase DESC'
    ).fetchall() == [
        ("W1", "before", 10.0),
        ("W2", "before", 1.0),
        ("W1", "after", 5.0),
        ("W1", "after", 20.5),
    ]
    places = sorted(str(path.relative_to(out)) for path in (out / "toy_stream").rglob("*.parquet"))
    assert places == [
        "toy_stream/window=W1/day=2026-01-10/part-0.parquet",
        "toy_stream/window=W1/day=2026-01-11/part-0.parquet",
        "toy_stream/window=W1/day=__HIVE_DEFAULT_PARTITION__/part-0.parquet",
    ]
    read = f"read_parquet('{out}/toy_stream/**/*.parquet', hive_partitioning = true)"
    assert ask(f"SELECT count(*), count(*) FILTER (routed), count(ts), max(latency_ms) FROM {read}").fetchone() == (
        11,
        5,
        10,
        4.0,
    )
    assert ask(f'SELECT DISTINCT "window" FROM {read}').fetchall() == [("W1",)]
    [(codec,)] = ask(f"SELECT DISTINCT compression FROM parquet_metadata('{out}/toy_stream/**/*.parquet')").fetchall()
    assert codec == "ZSTD"
    again = json.loads(filled("--json", "export", "--format", "parquet", "--out", str(out), "--force").ok())
    assert again["tables"] == {"results": 1, "meters": 4, "usage": 0}
    assert ask(f"SELECT count(*) FROM {read}").fetchone() == (11,)
    modes = {path.stat().st_mode & 0o777 for path in out.rglob("*.parquet")}
    assert modes == {0o600}


def test_events_of_windows_that_were_not_exported_again_are_named(filled: Any, tmp_path: Path) -> None:
    """A query over the folder would go on counting them."""
    out = tmp_path / "out"
    words = ("export", "--format", "parquet", "--out", str(out))
    filled(*words).ok()
    assert "not from this export" not in filled(*words, "--force").err
    said = filled(*words, "--force", "--window", "W2").err
    [left] = re.findall(r"also holds files that are not from this export: (.*)\n", said)
    assert re.fullmatch(r"\w+\.parquet, \w+\.parquet, \w+\.parquet and \d more", left)


def test_results_say_whether_another_machine_made_them(filled: Any, tmp_path: Path) -> None:
    other = tmp_path / "other"
    filled("import", str(filled.root), root=other).ok()
    for root, words, expected in ((None, (), [False]), (other, (), [True]), (other, ("--window", "W1"), [True])):
        filled("export", "--format", "parquet", "--out", str(tmp_path / "out"), "--force", *words, root=root).ok()
        rows = duckdb.connect(":memory:").execute(f"SELECT imported FROM '{tmp_path}/out/results/*.parquet'").fetchall()
        assert [one for (one,) in rows] == expected


@pytest.mark.parametrize(("reset", "figures"), [("2026-01-14T00:10", (0, 2)), ("2026-01-12T09:00", (2, 0))])
def test_two_without_names_who_work_at_once_are_told_apart_by_their_resets(
    program: Any, tmp_path: Path, reset: str, figures: tuple[int, int]
) -> None:
    """What fleet.sql says of two machines; panes round an instant."""
    database = duckdb.connect(":memory:")
    reads = []
    for machine, at, shown in (("ada", "00", "2026-01-14T00:00"), ("bob", "05", reset)):
        root = tmp_path / machine
        for phase, hour, used in (("start", 8, 10), ("end", 9, 20)):
            words = ("alias", phase, "toy", "--stdin", "--window", machine, "--captured-at")
            pane = f"fuel {used}% reset {shown}:00+00:00"
            program(*words, f"2026-01-10T0{hour}:{at}:00Z", stdin=pane, root=root).ok()
        program("complete", "--window", machine, "--toy-features", "2", root=root).ok()
        program("export", "--format", "parquet", "--out", str(tmp_path / f"out-{machine}"), root=root).ok()
        reads.append(f"SELECT *, '{machine}' AS machine FROM '{tmp_path}/out-{machine}/results/*.parquet'")
    database.execute(f"CREATE VIEW fleet_results AS {' UNION ALL '.join(reads)}")
    [view] = re.findall(r"CREATE VIEW efficiency AS.*?;\n\n", SQL.read_text(encoding="utf-8"), re.S)
    database.execute(view)
    assert database.execute("SELECT n, overlapping FROM efficiency").fetchall() == [figures]


def test_parquet_of_values_of_any_type(filled: Any, tmp_path: Path) -> None:
    path = filled.root / "toy_stream.jsonl"
    first = json.loads(path.read_bytes().splitlines()[0])
    odd = [2**63, "text", [1], {"a": 1}, None, True, 1.5, -1]
    with path.open("ab") as file:
        for number, value in enumerate(odd):
            row = first | {
                "record_id": f"{number:032x}",
                "status": value,
                "input_tokens": value,
                "rid": value,
                "ts": value,
            }
            row |= {"latency_ms": value, "window": ["W1", "../../x", "a/b", "\x1b[2J", "", "W" * 300, 5, None][number]}
            file.write(json.dumps(row).encode() + b"\n")
    with (filled.root / "snapshots.jsonl").open("ab") as file:
        for number, value in enumerate(odd):
            file.write(
                json.dumps({"record_id": f"{number:032x}", "x": value, "window": "W1", "captured_at": value}).encode()
                + b"\n"
            )
    out = tmp_path / "out"
    done = filled("export", "--format", "parquet", "--out", str(out))
    assert done.ok()
    assert "left out 7 events of toy_stream" in done.err
    ask = duckdb.connect(":memory:").execute
    counts = ask(f"SELECT count(*), count(x), count(\"x.a\") FROM '{out}/snapshots.parquet'").fetchone()
    assert counts == (12, 6, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    assert {path.name for path in (out / "toy_stream").iterdir()} == {"window=W1"}


def test_fields_that_differ_in_their_case_alone_are_columns_of_their_own(filled: Any, tmp_path: Path) -> None:
    with (filled.root / "snapshots.jsonl").open("ab") as file:
        row = {"record_id": "0" * 32, "window": "W1", "Plan": "a", "plan": "b", "PLAN": "c", "": 3, "Phase": "d"}
        file.write(json.dumps(row).encode() + b"\n")
    out = tmp_path / "out"
    filled("export", "--format", "parquet", "--out", str(out)).ok()
    ask = duckdb.connect(":memory:").execute
    query = (
        f"SELECT Plan, plan_, PLAN__, _, phase_, phase FROM '{out}/snapshots.parquet' WHERE record_id = '{'0' * 32}'"
    )
    assert ask(query).fetchall() == [("a", "b", "c", 3, "d", None)]
