"""The contract changes only on purpose: `python tests/support/contract.py > tests/contract.txt` records it."""

from __future__ import annotations

from pathlib import Path

import pytest
from contract import FEATURES, SOURCES, contract

from tracker import api
from tracker.contract import hooks as hookspecs

HERE = Path(__file__).parent


def test_the_contract_is_as_recorded() -> None:
    assert contract() == (HERE / "contract.txt").read_text()


def test_the_hooks_of_sources_are_few() -> None:
    assert list(SOURCES) == [
        "compute_delta",
        "end_stream",
        "ingest_line",
        "parse_status",
        "render_preview_block",
        "source_info",
    ]


@pytest.mark.parametrize("name", SOURCES)
def test_every_hook_says_what_it_takes_and_gives(name: str) -> None:
    spec = SOURCES[name]
    about = spec.function.__doc__
    assert about
    assert "Since contract" in about
    assert name == "source_info" or "Returns" in about
    for argument in spec.argnames:
        assert argument in about, f"{name} does not say what {argument!r} is"


def test_every_hook_of_features_is_documented() -> None:
    assert [name for name, spec in FEATURES.items() if not spec.function.__doc__] == []


def test_everything_exported_is_documented() -> None:
    for name in api.__all__:
        if name not in ("JSON", "hookimpl"):
            assert getattr(api, name).__doc__, name


def test_hooks_are_found_where_plugins_look() -> None:
    assert api.hookimpl is hookspecs.hookimpl
