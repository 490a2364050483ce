"""What starting costs: imports, not seconds (those are in benchmarks/startup.py)."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "attr",
    "attrs",
    "cattrs",
    "pluggy",
    "orjson",
    "scipy",
    "numpy",
    "pyte",
    "sqlite3",
    "importlib.metadata",
}


def loaded_by(code: str) -> set[str]:
    printed = subprocess.check_output([sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"], text=True)
    return set(printed.splitlines()[-1].split())


def test_the_package_imports_nothing() -> None:
    code = "before = set(sys.modules); import tracker; print(*(set(sys.modules) - before))"
    assert subprocess.check_output([sys.executable, "-c", f"import sys; {code}"], text=True).split() == ["tracker"]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_imports_no_plugin_and_nothing_heavy(arguments: list[str]) -> None:
    loaded = loaded_by(f"from tracker.cli.main import main; main({arguments}, standalone_mode=False)")
    assert not (HEAVY | {"pathlib"}) & loaded
    # a feature's declaration is a module called `feature` in a package that imports nothing
    ours = {name for name in loaded if name.startswith("tracker_") and name.rpartition(".")[2] != "feature"}
    assert not {name for name in ours if "." in name}
    assert not {"tracker.contract.sources", "tracker.hosting.registry"} & loaded


def test_a_preview_without_an_interval_imports_no_scipy(tmp_path: str) -> None:
    loaded = loaded_by(
        f"from tracker.cli.main import main; main(['--data-dir', {str(tmp_path)!r}, 'preview'], standalone_mode=False)"
    )
    assert not {"scipy", "numpy", "cattrs", "pyte", "asyncio"} & loaded


def test_a_preview_compiles_few_annotations(tmp_path: str) -> None:
    """`typing` compiles each annotation of a NamedTuple that is a text: modules with several evaluate theirs."""
    code = (
        "import typing; made = []; begin = typing.ForwardRef.__init__\n"
        "typing.ForwardRef.__init__ = lambda self, *a, **k: made.append(a) or begin(self, *a, **k)\n"
        "from tracker.cli.main import main\n"
        f"main(['--data-dir', {str(tmp_path)!r}, 'preview'], standalone_mode=False); print(len(made))"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert int(printed.splitlines()[-1]) < 60  # 39 of them are those of libraries


def test_every_command_of_the_table_is_there_and_says_what_it_is_for() -> None:
    import click

    from tracker.cli.main import main
    from tracker.hosting.discovery import commands

    context = click.Context(main)
    for name, declared in commands().items():
        command = main.get_command(context, name.partition(" ")[0])
        assert command is not None, name
        if " " not in name:
            assert command.get_short_help_str(limit=200), name
            assert declared.about, name
