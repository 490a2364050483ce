"""A part of the contract that a later minor version takes back: it works, and its author is told once, at the line."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from tracker.hosting import deprecation
from tracker.hosting.deprecation import ContractDeprecation, Deprecated
from tracker.hosting.registry import Registry

CODE = '''"""A plugin that uses two parts of the contract that will go."""
from tracker.api import Gauge, Meter, Reading, Source, hookimpl

@hookimpl
def source_info():
    return Source(contract="1.0", name="old", title="Old", capacity="m", meters=(Meter(key="m", title="M"),))

@hookimpl
def parse_status(text, scope):
    return Reading(gauges=(Gauge(meter="m", used=1, resets="soon"),))
'''
LINES = {"source_info": CODE[: CODE.index("def source_info")].count("\n")}
LINES |= {"parse_status": CODE[: CODE.index("def parse_status")].count("\n")}


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The plugin's module, from a file of its own."""
    (tmp_path / "old_plugin.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    import old_plugin  # type: ignore[import-not-found]

    yield old_plugin
    del sys.modules["old_plugin"]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, Deprecated]:
    made: dict[str, Deprecated] = {}
    monkeypatch.setattr(deprecation, "DEPRECATED", made)
    return made


def used(module: ModuleType) -> Registry:
    """A registry that has loaded the plugin and asked it twice."""
    made = Registry()
    made.add("old", lambda: module, "tracker-old", "1")
    for _ in range(2):
        made.call("old", "parse_status", text="", captured_at=datetime.now(UTC), timezone=UTC, scope=None, origin=None)
    return made


def said(found: list[warnings.WarningMessage]) -> list[tuple[str, int, str]]:
    return [(Path(one.filename).name, one.lineno, str(one.message)) for one in found]


def test_nothing_is_deprecated_yet(old: ModuleType) -> None:
    assert used(old).found[0].deprecated == ()


def test_an_argument_is_reported_at_the_hooks_line(old: ModuleType, table: dict[str, Deprecated]) -> None:
    table["parse_status.scope"] = Deprecated(since="1.2", instead="ask for `report`")
    with pytest.warns(ContractDeprecation) as found:
        made = used(old)
    sentence = (
        "`parse_status.scope` is deprecated since contract 1.2: ask for `report`"
        " (docs/plugins.md, section 'Versions and deprecation')"
    )
    assert said(list(found)) == [("old_plugin.py", LINES["parse_status"], sentence)]
    assert made.found[0].deprecated == (sentence,)
    assert "old" in made.sources


@pytest.mark.parametrize(
    ("key", "hook"),
    [("Meter.title", "source_info"), ("Source.capacity", "source_info"), ("Gauge.resets", "parse_status")],
)
def test_a_field_is_reported_once_where_it_is_filled(
    old: ModuleType, table: dict[str, Deprecated], key: str, hook: str
) -> None:
    table[key] = Deprecated(since="1.3", instead="leave it out")
    with pytest.warns(ContractDeprecation) as found:
        used(old)
    [(file, line, sentence)] = said(list(found))
    assert (file, line) == ("old_plugin.py", LINES[hook])
    assert sentence.startswith(f"`{key}` is deprecated since contract 1.3: leave it out")


def test_a_field_that_is_left_alone_is_not_reported(old: ModuleType, table: dict[str, Deprecated]) -> None:
    table |= {key: Deprecated(since="1.2", instead="x") for key in ("Source.prefix", "Source.tags", "Gauge.reset_at")}
    used(old)


def test_the_operator_is_spared(old: ModuleType, table: dict[str, Deprecated]) -> None:
    """Python's own filters, as a command runs: they leave deprecations out."""
    table["parse_status.scope"] = Deprecated(since="1.2", instead="ask for `report`")
    with warnings.catch_warnings(record=True) as found:
        warnings.resetwarnings()
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        used(old)
    assert found == []
