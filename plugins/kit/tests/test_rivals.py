"""`tracker plugins check` of a name that two distributions claim."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tracker_kit.inventory import functions_left_out

pytestmark = pytest.mark.usefixtures("plain_pytest")
Run = Callable[..., "subprocess.CompletedProcess[str]"]
CODE = {
    "source": """
from tracker.api import Block, View, hookimpl

@hookimpl
def source_info():
    return View(contract="1.2", name="acme", title="Acme", stream="windows")

@hookimpl
def render_preview_block(context):
    return None
""",
    "feature": """
from tracker.feature import Feature, hookimpl

@hookimpl
def feature_info():
    return Feature("acme")
""",
}


@pytest.mark.parametrize("kind", ["source", "feature"])
def test_the_owner_of_a_name_is_sound_whoever_claims_it_too(toys_apart: Run, tmp_path: Path, kind: str) -> None:
    site = tmp_path / "rivals"
    for distribution, package in (("tracker_acme", "own"), ("another", "a_rival")):
        (site / package).mkdir(parents=True)
        (site / package / "__init__.py").write_text("")
        (site / package / f"{kind}.py").write_text(CODE[kind])
        (site / f"{distribution}-1.0.dist-info").mkdir()
        entry = f"[tracker]\nacme = {package}.{kind}\n"
        (site / f"{distribution}-1.0.dist-info" / "entry_points.txt").write_text(entry)
    done = toys_apart("plugins", "check", "acme", PYTHONPATH=f"{tmp_path / 'site'}:{site}")
    assert (done.returncode, done.stdout.startswith("acme: sound (")) == (0, True), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (["zqs"], "its shell function zqs is left out, because it is taken"),
        (["zqe", "zqs"], "its shell functions zqe, zqs are left out, each because it is taken"),
    ],
)
def test_one_shell_function_that_is_left_out_is_no_several(lost: list[str], said: str) -> None:
    registry: Any = SimpleNamespace(lost_functions=lambda _name: dict.fromkeys(lost, "it is taken"))
    assert functions_left_out(registry, "acme") == [said]
