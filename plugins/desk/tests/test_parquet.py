"""An export of any size needs little memory: its rows are written in groups of few megabytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker_desk.parquet import SETTINGS, _copy

duckdb = pytest.importorskip("duckdb")
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
