"""In a fresh checkout the asserts of each test module are rewritten by one worker, not by each: it takes seconds."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Every worker has pytest keep its share of the modules, before it collects them all."""
    number = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    hook = session.config.pluginmanager.rewrite_hook
    if number and hasattr(hook, "exec_module"):  # not with --assert=plain
        folders = [Path(argument) for argument in session.config.args]
        files = [path for folder in folders if folder.is_dir() for path in sorted(folder.rglob("test_*.py"))]
        for path in files[int(number) :: int(os.environ["PYTEST_XDIST_WORKER_COUNT"])]:
            rewrite(hook, path)


def rewrite(hook: Any, path: Path) -> None:
    spec = hook.find_spec(path.stem, [str(path.parent)])
    module = module_from_spec(spec)
    vars(module)["__builtins__"] = {}  # without them it ends at its first import: nothing is run
    with suppress(ImportError):
        hook.exec_module(module)
