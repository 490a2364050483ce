"""The coverage benchmark, scaled down, and its table in docs/explanation/statistics.md."""

import importlib.util
import math
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
REPETITIONS, SEED = 600, 20251019


def load(name):
    spec = importlib.util.spec_from_file_location(f"{name}_benchmark", ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        spec.loader.exec_module(module)
    return module


benchmark, sequential = load("coverage"), load("sequential")
DOCUMENT = (ROOT / "docs" / "explanation" / "statistics.md").read_text(encoding="utf-8")
TABLE = DOCUMENT.partition(sequential.BEGIN)[2].partition(sequential.END)[0]
WATCHED = [line.strip("|").split("|") for line in TABLE.splitlines() if line[:1] == "|"][2:]
# The share of pairs whose interval ever misses, at a true ratio of 1 and of 2.
STATED = {row[0].strip(): [float(one) / 100 for one in row[2].split("/") if one.strip() != "-"] for row in WATCHED}


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
    block = DOCUMENT.partition(benchmark.BEGIN)[2].partition(benchmark.END)[0].partition("\nPromised 94")[0]
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


def test_the_repairs_repair_what_they_are_for():
    rng = benchmark.np.random.default_rng(3)
    for name, (efficiency, ratio) in benchmark.assumed(rng, 2000):
        assert efficiency > 0.92, name
        assert ratio > 0.97, name
    for name, (bias, _, repaired, covered) in benchmark.floored(rng, 3000):
        assert bias > 0.025, name
        assert abs(repaired) < 0.01, name
        assert covered > 0.93, name
    over = dict(benchmark.runs(rng, 400))
    assert over["AR 0.6"][0] < 0.87 < over["AR 0.6"][1]


def test_watched_gates_hold_what_they_promise(capsys, monkeypatch):
    """A small run with another seed, against bounds four standard errors wide."""
    monkeypatch.setattr(sys, "argv", ["sequential.py", "--quick", "--seed", "7"])
    monkeypatch.setattr(sequential, "LOOKS", 36)
    sequential.main()
    rows = [line.strip("|").split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == len(sequential.SCENARIOS)
    for (name, equal, misses, *_), scenario in zip(rows, sequential.SCENARIOS, strict=True):
        assert float(equal) <= 100 * (scenario.promise + chance(scenario.promise, 300, 4)), name
        for found, stated in zip(misses.split("/"), STATED[name.strip()], strict=False):
            # fewer looks than the document's, so that no lower bound holds
            assert float(found) <= 100 * (stated + chance(stated, 300, 4)), name


def test_the_document_shows_watched_gates_that_hold():
    for row, scenario in zip(WATCHED, sequential.SCENARIOS, strict=True):
        assert float(row[1]) <= 100 * scenario.promise
        # nothing is promised for kappa 2
        assert all(one <= (0.035 if scenario.kappa == 2 else 0.025) for one in STATED[scenario.name])


def test_evidence_that_differs_stops_the_run(monkeypatch):
    monkeypatch.setattr(sequential, "anytime", lambda *sides: [0.0] * 6 + [1.2345])
    with pytest.raises(SystemExit, match=r"error: tracker_verdict\.stats gives 1\.2345"):
        list(sequential.table(5, 1))


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


def test_the_other_simulations_run():
    forecast, calibration = load("forecast"), load("calibration")
    scores = [line for line in forecast.table([0, 4], 6, 1) if line.startswith(("| 0 |", "| 4 |"))]
    assert [float(line.split("|")[2]) < float(line.split("|")[4]) for line in scores] == [True, True]
    [row] = list(calibration.rates(calibration.SCENARIOS[1:2], 4, 1))[2:]
    assert abs(float(row.split("|")[3])) < 10
    lines = list(calibration.changes(calibration.CHANGES[2:3], 3, 1))
    assert float(lines[2].split("|")[2]) >= 67
