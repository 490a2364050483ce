"""What every suite of the workspace shares: toy plugins, commands run in this process, bare environments."""

import gc
import os
import sys
import time
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent / "tests" / "support"))  # importlib mode imports no siblings

# Programs are started a thousand times: whatever the caller's environment says, each module is compiled once.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# The programs of this environment are found, also by who starts pytest as `.venv/bin/python -m pytest`.
PROGRAMS = str(Path(sys.executable).parent)
if os.environ.get("PATH", "").split(os.pathsep)[0] != PROGRAMS:
    os.environ["PATH"] = os.pathsep.join([PROGRAMS, os.environ.get("PATH", os.defpath)])
# A test sees no log, shell or setting of whoever runs it: the home is empty, and what programs keep to be quick is not.
OF_THE_USER = ("AGENT_ID", "CODEX_HOME", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
SWITCHES = ("TRACKER_NESTED", "TRACKER_RECORD", "TRACKER_SEED", "TRACKER_SOAK")
if "PYTEST_XDIST_WORKER" not in os.environ:  # which has that of the process that started it
    os.environ.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    HOME = TemporaryDirectory(prefix="home-of-tests-", ignore_cleanup_errors=True)
    os.environ["HOME"] = HOME.name
    for name in [*os.environ]:
        if name in OF_THE_USER or (name.startswith("TRACKER_") and name not in SWITCHES):
            del os.environ[name]
# Tests compare what programs print with their own arithmetic: both in one zone, whatever the machine's is.
os.environ["TZ"] = "UTC"
if hasattr(time, "tzset"):
    time.tzset()
# Every record is flushed, which a disk in memory does at once; a run writes 400 MB and some programs that it starts.
MEMORY = Path("/dev/shm")
if os.access(MEMORY, os.W_OK) and disk_usage(MEMORY).free > 2 << 30 and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
# A table of all characters takes hypothesis more than a second: it is kept for the suites that tests start elsewhere.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(__file__).parent / ".hypothesis"))

# How fast examples are made says how busy the machine is, and nothing of the program. Each run makes others.
EXAMPLES = 100 if os.environ.get("TRACKER_SOAK") == "1" else 20
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=EXAMPLES)
settings.load_profile("suite")

pytest_plugins = ("toys", "loaded", "inprocess", "kept", "rewritten", "warm", "shared")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: many a test waits for a process, a terminal or a clock."""
    return 1 + (os.cpu_count() or 1)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What was imported and collected lives until the end: the garbage collector need not look at it each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
