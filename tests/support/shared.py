"""What takes seconds to make and is only read: made by the first worker of a run that asks, for all of them."""

from __future__ import annotations

import fcntl
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from bare import PROJECTS, ROOT, build_wheels

Shared = Callable[[str, Callable[[Path], Any]], Any]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Fills a folder once per run; gives the JSON value that its maker returned."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def once(name: str, make: Callable[[Path], Any]) -> Any:
        folder, known = base / f"shared-{name}", base / f"shared-{name}.json"
        with open(base / f"shared-{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not known.exists():
                folder.mkdir()
                known.write_text(json.dumps(make(folder)))
        return json.loads(known.read_text())

    return once


@pytest.fixture(scope="session")
def wheels(shared: Shared) -> dict[str, Path]:
    """The wheel of each project of the repository, by its folder."""
    built = shared("wheels", lambda out: list(map(str, build_wheels([ROOT / project for project in PROJECTS], out))))
    return dict(zip(PROJECTS, map(Path, built), strict=True))


@frozen
class Demo:
    """What `tracker demo` printed with every plugin of the workspace, its records, and the seconds that it computed."""

    printed: str
    data: Path
    seconds: float


@pytest.fixture(scope="session")
def demo(shared: Shared) -> Demo:
    printed, data, seconds = shared("demo", _demo)
    return Demo(printed, Path(data), seconds)


def _demo(folder: Path) -> tuple[str, str, float]:
    ours = ("TRACKER_", "AGENT_ID", "GIT_", "XDG_", "UV_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    environment |= {"TMPDIR": str(folder), "HOME": str(folder), "TZ": "UTC"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    command = [sys.executable, "-m", "tracker.cli", "demo"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    [data] = re.findall(r"^The records of this demo are in (\S+)$", done.stdout, re.M)
    return done.stdout, data, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
