"""What every suite of the workspace shares: toy plugins, commands run in this process, bare environments."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "tests" / "support"))  # importlib mode imports no siblings

pytest_plugins = ("toys", "inprocess", "warm", "bare")
