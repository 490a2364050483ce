"""The coverage benchmark, scaled down, and its table in docs/statistics.md."""

import importlib.util
import math
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
REPETITIONS, SEED = 1500, 20251019


def load():
    spec = importlib.util.spec_from_file_location("coverage_benchmark", ROOT / "benchmarks" / "coverage.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


benchmark = load()
DOCUMENT = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rerun():
    """{(scenario, n): {column: figure}} of a smaller run with another seed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benchmark, "RESAMPLED", 20)  # the bootstrap is the slow part
        rows = list(benchmark.figures(REPETITIONS, SEED))
    return {(scenario.name, n): dict(zip(benchmark.COLUMNS, values, strict=True)) for scenario, n, values in rows}


@pytest.fixture(scope="module")
def published():
    """The same of the table in the document, with the promise beside."""
    block = DOCUMENT.partition(benchmark.BEGIN)[2].partition(benchmark.END)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines() if line[:1] == "|"]
    assert rows[0] == ["windows come as", "promised", "n", *benchmark.COLUMNS]
    return {
        (name, int(n)): {"promised": promised} | dict(zip(benchmark.COLUMNS, map(float, values), strict=True))
        for name, promised, n, *values in rows[2:]
    }


def chance(p, repetitions, errors=3.5):
    """How far a share may fall from its probability by chance."""
    return errors * math.sqrt(max(p * (1 - p), 1 / repetitions) / repetitions)


def test_promises_hold_in_another_run(rerun):
    for scenario in benchmark.SCENARIOS:
        for n in benchmark.WINDOWS:
            if scenario.promise:
                slack = chance(scenario.promise, REPETITIONS)
                assert rerun[scenario.name, n]["chosen"] >= scenario.promise - slack, (scenario.name, n)


def test_promises_hold_in_the_document(published):
    assert {row["promised"] for row in published.values()} == {"94", "91", "none"}
    for row in published.values():
        if row["promised"] != "none":
            assert row["chosen"] >= float(row["promised"])


def test_document_shows_this_benchmark(rerun, published):
    assert "\n10000 repetitions, seed 1; " in DOCUMENT
    assert published.keys() == rerun.keys()
    for key, row in published.items():
        for column in set(benchmark.COLUMNS) - {"width", "BCa"}:
            assert rerun[key][column] == pytest.approx(row[column] / 100, abs=chance(row[column] / 100, REPETITIONS, 4))


def test_naive_interval_covers_the_less_the_more_windows_there_are(rerun):
    for scenario in benchmark.SCENARIOS:
        assert rerun[scenario.name, 3]["naive"] < 0.67
        assert rerun[scenario.name, 40]["naive"] < 0.3


def test_restatement_that_differs_stops_the_run(monkeypatch):
    monkeypatch.setattr(benchmark, "measure", lambda windows: benchmark_measure(windows, confidence=0.9500001))
    benchmark_measure = sys.modules["tracker_verdict.stats.efficiency"].measure
    with pytest.raises(SystemExit, match=r"error: tracker_verdict\.stats gives"):
        list(benchmark.figures(20, 1))


def test_written_between_the_marker_lines(tmp_path, monkeypatch, capsys):
    document = tmp_path / "page.md"
    document.write_text(f"above\n\n{benchmark.BEGIN}\nold\n{benchmark.END}\n\nbelow\n", encoding="utf-8")
    monkeypatch.setattr(benchmark, "SCENARIOS", benchmark.SCENARIOS[:1])
    arguments = ["coverage.py", "--repetitions", "20", "--seed", "3", "--write"]
    monkeypatch.setattr(sys, "argv", [*arguments, str(document)])
    benchmark.main()
    printed = capsys.readouterr().out
    assert printed.startswith("20 repetitions, seed 3; ")
    assert document.read_text("utf-8") == f"above\n\n{benchmark.BEGIN}\n{printed}{benchmark.END}\n\nbelow\n"

    unmarked = tmp_path / "unmarked.md"
    unmarked.write_text("nothing here\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [*arguments, str(unmarked)])
    with pytest.raises(SystemExit, match="add them where the table belongs"):
        benchmark.main()
