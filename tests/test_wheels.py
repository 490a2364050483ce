"""The wheels that users get: metadata, types and licence are there, and nothing that does not belong in them."""

from __future__ import annotations

import tomllib
import zipfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from bare import PROJECTS, ROOT
from packaging.requirements import Requirement
from packaging.version import Version
from wheels import problems


def test_every_wheel_is_sound(wheels: dict[str, Path]) -> None:
    assert list(wheels) == PROJECTS
    assert {project: found for project, wheel in wheels.items() if (found := list(problems(wheel)))} == {}


def test_the_kits_wheel_has_every_template(wheels: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheels["plugins/kit"]) as archive:
        packed = {name for name in archive.namelist() if name.startswith("tracker_kit/templates/")}
    templates = ROOT / "plugins" / "kit" / "src" / "tracker_kit" / "templates"
    assert packed == {f"tracker_kit/templates/{path.relative_to(templates)}" for path in templates.rglob("*.in")}
    assert len(packed) > 10


def test_what_is_wrong_with_a_wheel_is_said(tmp_path: Path) -> None:
    wheel = tmp_path / "odd-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("odd/__init__.py", "")
        archive.writestr("odd/__pycache__/x.pyc", "")
        archive.writestr("tests/test_odd.py", "")
        archive.writestr("odd-1.0.dist-info/METADATA", "Name: other\nVersion: 1.0\nRequires-Dist: a @ file:///x\n\n")
        archive.writestr("odd-1.0.dist-info/entry_points.txt", "[tracker]\nodd = odd.gone\n")
        archive.writestr("odd-1.0.dist-info/RECORD", "odd/__init__.py,,\n")
    said = "\n".join(problems(wheel))
    for part in (
        "the metadata is that of other 1.0",
        "License-Expression is None, not MIT",
        "there is no summary, or no description",
        "it needs a @ file:///x",
        "it holds odd, tests",
        "odd has no py.typed",
        "odd/__pycache__/x.pyc does not belong in it",
        "tests/test_odd.py is not in RECORD",
        "the entry point odd of tracker names odd.gone, which is not there",
    ):
        assert part in said, part


@pytest.mark.parametrize("project", PROJECTS)
def test_every_requirement_has_a_lower_bound_that_is_met_here(project: str) -> None:
    """The bounds are tried by `.ci/matrix`; a requirement without one would be tried with the first release ever."""
    about = tomllib.loads((ROOT / project / "pyproject.toml").read_text())["project"]
    extras = [needed for some in about.get("optional-dependencies", {}).values() for needed in some]
    for text in (*about["dependencies"], *extras):
        needed = Requirement(text)
        if needed.name.startswith("tracker-") and not needed.specifier:
            assert needed.extras == {"testing"}  # the version is bounded beside it
            continue
        assert any(one.operator == ">=" for one in needed.specifier), text
        with suppress(PackageNotFoundError):  # what only some users need
            assert Version(version(needed.name)) in needed.specifier, text
