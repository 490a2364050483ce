"""How long `tracker` takes to show the home screen on a year of records: two windows a day, a meter history of 2,900
readings and the session logs of every day.

    python benchmarks/home.py [--repetitions 15]

Processor time of the whole process, the median, in seconds and as a ratio to `python -I -c pass`; both in the same run.
Bytecode is kept, as an installation does. The table is drawn, as on a terminal.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import needs_tracker  # noqa: F401

sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "pictures"))
from data import fill

MOST = 0.4  # seconds


def cost(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds of the processor, and of the clock."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime, time.perf_counter() - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=15)
    repetitions = parser.parse_args().repetitions
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        fill(folder, 365)
        environment = {"HOME": made, "XDG_STATE_HOME": f"{made}/state", "PYTHONPYCACHEPREFIX": f"{made}/bytecode"}
        environment |= {"TRACKER_DATA_DIR": "data", "PATH": "/usr/bin:/bin"}
        environment |= {"COLUMNS": "120", "FORCE_COLOR": "1", "TERM": "xterm"}
        home = [str(Path(sys.executable).with_name("tracker"))]
        print(f"first time, the session logs are read: {cost(home, folder, environment)[0]:.2f} s")
        costs, floors = [], []
        for _ in range(repetitions):
            costs.append(cost(home, folder, environment))
            floors.append(cost([sys.executable, "-I", "-c", "pass"], folder, environment)[0])
    median, floor = statistics.median(one for one, _ in costs), statistics.median(floors)
    clock = statistics.median(one for _, one in costs)
    print(f"home: {median:.3f} s of the processor, {clock:.3f} s of the clock; {median / floor:.1f} times bare Python")
    return int(median > MOST)


if __name__ == "__main__":
    sys.exit(main())
