"""Each scenario has a folder of its own: a data directory, a working directory, a clean environment."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))


def before_all(_context: Any) -> None:
    """Commands run in this process: all are of one zone, and load the installed plugins once."""
    from loaded import once

    from tracker.hosting import registry

    os.environ["TZ"] = "UTC"
    time.tzset()
    registry.discover = once(registry.discover)


def before_feature(_context: Any, feature: Any) -> None:
    """Where the whole is run elsewhere, one feature stands for it."""
    if os.environ.get("TRACKER_PART") and not feature.filename.endswith(os.environ["TRACKER_PART"]):
        feature.skip("run elsewhere")


def before_scenario(context: Any, _scenario: Any) -> None:
    context.folder = Path(tempfile.mkdtemp(prefix="tracker-behave-"))
    ours = ("TRACKER_", "AGENT_ID", "GIT_")
    context.environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    context.environment.pop("PYTHONDONTWRITEBYTECODE", None)
    context.environment |= {"TZ": "UTC", "COLUMNS": "120", "HOME": str(context.folder)}
    context.clock = None


def after_scenario(context: Any, _scenario: Any) -> None:
    shutil.rmtree(context.folder, ignore_errors=True)
