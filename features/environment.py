"""Each scenario has a folder of its own: a data directory, a working directory, a clean environment."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any


def before_scenario(context: Any, _scenario: Any) -> None:
    context.folder = Path(tempfile.mkdtemp(prefix="tracker-behave-"))
    ours = ("TRACKER_", "AGENT_ID", "GIT_")
    context.environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    context.environment.pop("PYTHONDONTWRITEBYTECODE", None)
    context.environment |= {"TZ": "UTC", "COLUMNS": "120", "HOME": str(context.folder)}
    context.clock = None


def after_scenario(context: Any, _scenario: Any) -> None:
    shutil.rmtree(context.folder, ignore_errors=True)
