"""The contract changes only on purpose: `python tests/contract.py > tests/contract.txt` records a change."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from tracker import api
from tracker.contract import hooks as hookspecs
from tracker.hosting.registry import new_manager

HERE = Path(__file__).parent
HOOKS = sorted(vars(new_manager().hook))


def test_the_contract_is_as_recorded() -> None:
    contract = runpy.run_path(str(HERE / "contract.py"))["contract"]
    assert contract() == (HERE / "contract.txt").read_text()


def test_the_hooks_are_the_four_and_the_declaration() -> None:
    assert HOOKS == ["compute_delta", "ingest_line", "parse_status", "render_preview_block", "source_info"]


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_says_what_it_takes_and_gives(name: str) -> None:
    hook = vars(new_manager().hook)[name]
    about = hook.spec.function.__doc__
    assert about
    assert "Since contract" in about
    assert name == "source_info" or "Returns" in about
    for argument in hook.spec.argnames:
        assert argument in about, f"{name} does not say what {argument!r} is"


def test_everything_exported_is_documented() -> None:
    for name in api.__all__:
        if name not in ("JSON", "hookimpl"):
            assert getattr(api, name).__doc__, name


def test_hooks_are_found_where_plugins_look() -> None:
    assert api.hookimpl is hookspecs.hookimpl


def test_our_plugins_use_what_everybody_may_use_and_nothing_else() -> None:
    """`tracker.api`, and in their tests `tracker_kit`: what is private to the core would bind strangers, too."""
    private = re.compile(r"^\s*(?:from|import) tracker(?!\.(?:api|testing) import|_)\b.*", re.M)
    for plugin in [*(HERE.parent / "plugins").iterdir(), HERE.parent / "examples" / "tracker-gemini"]:
        for path in plugin.rglob("*.py"):
            found = private.findall(path.read_text(encoding="utf-8"))
            if "tests" not in path.relative_to(plugin).parts:
                found += re.findall(r"^\s*from tracker\.testing .*", path.read_text(encoding="utf-8"), re.M)
            assert not found, f"{path}: {found}"
