"""How fast the command line starts: medians as ratios to `python -I -c pass`, measured in turn in the same run.

    python benchmarks/startup.py [--repetitions 20]

Bytecode is compiled before the clock runs, as an installer does; the interpreter is the one that runs this file.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRACKER = [sys.executable, "-m", "tracker.cli"]
CASES: dict[str, tuple[list[str], float]] = {
    "tracker --help": (["--help"], 6.0),
    "tracker preview": (["preview"], 14.0),
    "tracker preview --json (with an interval)": (["preview", "--json"], 40.0),
}
PACKAGES = (
    "tracker",
    "tracker_codex",
    "tracker_claude",
    "tracker_glm",
    "tracker_proxy",
    "click",
    "attr",
    "attrs",
    "pluggy",
)


def seconds(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=20)
    repetitions = parser.parse_args().repetitions
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec and spec.submodule_search_locations:
            compileall.compile_dir(spec.submodule_search_locations[0], quiet=2)
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"TRACKER_DATA_DIR": str(Path(folder) / "data"), "TMPDIR": folder}
        demo = subprocess.run([*TRACKER, "demo"], check=True, capture_output=True, text=True, env=environment)
        data = next(line.split()[-1] for line in demo.stdout.splitlines() if line.startswith("The records"))
        environment["TRACKER_DATA_DIR"] = data
        commands = {"python -I -c pass": [sys.executable, "-I", "-c", "pass"]}
        commands |= {name: [*TRACKER, *arguments] for name, (arguments, _) in CASES.items()}
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(repetitions):
            for name, command in commands.items():  # in turn, so that a busy moment hits all of them
                times[name].append(seconds(command, environment))
    medians = {name: statistics.median(found) for name, found in times.items()}
    floor = medians["python -I -c pass"]
    print(f"{'python -I -c pass':<44} {floor * 1000:7.1f} ms   (the floor; median of {repetitions})")
    failed = False
    for name, (_, limit) in CASES.items():
        ratio = medians[name] / floor
        failed |= ratio > limit
        verdict = f"at most {limit:g}: {'OVER' if ratio > limit else 'ok'}"
        print(f"{name:<44} {medians[name] * 1000:7.1f} ms   {ratio:5.1f} x   {verdict}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
