"""Imported first by every benchmark: another Python than that of the project ends with what to type."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("tracker") is None or not Path(sys.executable).with_name("tracker").exists():
    sys.exit(f"{sys.executable} has no tracker beside it. Type: uv run python {' '.join(sys.argv)}")
