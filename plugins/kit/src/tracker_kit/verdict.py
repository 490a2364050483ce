"""The conformance checks without a test suite: a pytest plugin that runs nothing else and writes what they found.

``pytest -p tracker_kit.verdict --verdict FILE``: a JSON list with one object per check and source.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tracker.api import Source
from tracker.kernel import Registry
from tracker_kit.conformance import Conformance, SourceConformance
from tracker_kit.features import FeatureConformance
from tracker_kit.rules import installed, refused
from tracker_kit.streams import TelemetryConformance
from tracker_kit.texts import ReportConformance, StatusConformance

IMPORT = "be imported"  # the core's step
KINDS: dict[str, type[SourceConformance]] = {
    "status": StatusConformance,
    "report": ReportConformance,
    "telemetry": TelemetryConformance,
}


def case(source: str, inputs: Path) -> type[Conformance]:
    """A conformance class for a source and a folder of screens, or of one file of lines.

    An empty folder is filled with what the source's demo bundles. Without a recorded result, or any text,
    only what can be said of them is checked.
    """
    registry, kind = installed(), SourceConformance
    if info := registry.sources.get(source):
        kind = KINDS.get(info.kind, SourceConformance)
        if not any(inputs.iterdir()):
            _unpack_demo(registry, info, inputs)
    elif any(one.name == source for one in registry.features):
        return type(f"Test{source}", (FeatureConformance,), {"feature": source})
    given = sorted(path for path in inputs.iterdir() if path.is_file())
    own: dict[str, Any] = {"source": source, "screens": inputs, "lines": given[0] if given else inputs}
    return type(f"Test{source}", (kind,), own | dict.fromkeys(_unfit(kind, given)))


def _unpack_demo(registry: Registry, info: Source, folder: Path) -> None:
    for step in info.demo.steps if info.demo else ():
        found = files(registry.package(info.name)).joinpath(step.capture) if step.capture else None
        if found and found.is_file():
            (folder / found.name).with_suffix(".txt").write_bytes(found.read_bytes())


def _unfit(kind: type[SourceConformance], given: Sequence[Path]) -> list[str]:
    """The checks that need inputs which are not there."""
    if not given:
        return [name for name in dir(kind) if name.startswith("test_") and not hasattr(SourceConformance, name)]
    return [] if any(path.suffix == ".json" for path in given) else ["test_reads_each_screen_as_recorded"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--verdict", type=Path, help="where to write what the conformance checks found")
    parser.addoption("--of", action="append", default=[], help="a plugin that is checked")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--verdict"):
        config.pluginmanager.register(Verdict(config.getoption("--verdict")))


class Verdict:
    """Collects the checks of conformance classes; all other tests are left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool | None:
        """Run no test of what hangs, exits, or is all that is broken: it would be imported outside of the guard."""
        known, wanted = installed(), session.config.getoption("--of")
        errors = [one.error for one in (*known.features, *known.found) if one.name in wanted and one.error]
        lost = [error for error in errors if error.step == IMPORT]
        if not lost or (len(lost) < len(wanted) and all(isinstance(one.__cause__, Exception) for one in lost)):
            return None
        self.rows += [{"source": one.plugin, "reads": False, "check": IMPORT, "message": refused(one)} for one in lost]
        return True

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        kept = [item for item in items if issubclass(getattr(item, "cls", None) or object, Conformance)]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        for item in kept:
            found: Any = item  # `cls` is not known to every item
            item.user_properties.append(("source", getattr(found.cls, "source", None) or found.cls.feature))
            item.user_properties.append(("reads", issubclass(found.cls, tuple(KINDS.values()))))
        items[:] = kept

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed or (report.when == "call" and report.passed):
            about, check = dict(report.user_properties), report.nodeid.rpartition("::")[2]
            # a test may have properties of its own, which need not be JSON
            row = {"source": about["source"], "reads": about["reads"], "check": check}
            self.rows.append(row | {"message": "" if report.passed else _message(report)})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.rows.append({"source": None, "reads": False, "check": report.nodeid, "message": _message(report)})

    def pytest_sessionfinish(self) -> None:
        self.path.write_text(json.dumps(self.rows), encoding="utf-8")


def _message(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The first line of what went wrong, without what pytest adds to an assertion."""
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (crash.message if crash else str(report.longrepr)).strip().splitlines()
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]  # of a file that cannot be imported
    chosen = lines[0] if crash else (marked or lines)[-1]
    return str(chosen).removeprefix("AssertionError: ")
