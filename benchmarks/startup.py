"""How fast the command line starts: medians as ratios to `python -I -c pass`, measured in turn in the same run.

    python benchmarks/startup.py [--repetitions 20]

Bytecode is compiled before the clock runs, as an installer does; the interpreter is the one that runs this file.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import needs_tracker  # noqa: F401

# what people type; `python -m tracker.cli` imports runpy, too
TRACKER = [str(Path(sys.executable).with_name("tracker"))]
FLOOR = "python -I -c pass"
FIVE_HOUR = {"used_percentage": 30.0, "resets_at": int(time.time()) + 4 * 3600}
STATUS = json.dumps({"rate_limits": {"five_hour": FIVE_HOUR}})
END = ["alias", "end", "codex", "--stdin", "--window", "W0-01", "--captured-at", "2026-11-22T07:45:00Z"]
# a pane that the demo writes
PANE = "captures/codex/status_after.txt"
# The arguments, what is piped in, and the highest ratio.
CASES: dict[str, tuple[list[str], str | None, float]] = {
    "tracker --help": (["--help"], None, 5.0),
    "tracker preview (text, no interval)": (["preview", "--window", "W0-01"], None, 12.0),
    "tracker alias end (from a pipe)": (END, PANE, 13.0),
    "tracker statusline": (["statusline"], STATUS, 11.0),
}
PACKAGES = (
    "tracker",
    "tracker_codex",
    "tracker_claude",
    "tracker_glm",
    "tracker_proxy",
    "tracker_capture",
    "tracker_corrections",
    "tracker_desk",
    "tracker_kit",
    "tracker_ledgers",
    "tracker_telemetry",
    "tracker_verdict",
    "tracker_views",
    "click",
    "attr",
    "attrs",
    "pluggy",
)


def seconds(command: list[str], given: str | None, environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, input=given or "", text=True, env=environment)
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
        environment = os.environ | {"TMPDIR": folder}
        demo = subprocess.run([*TRACKER, "demo"], check=True, capture_output=True, text=True, env=environment)
        home = Path(demo.stdout.partition("cd ")[2].partition(";")[0])
        environment["TRACKER_DATA_DIR"] = str(home / "data")
        commands: dict[str, tuple[list[str], str | None]] = {FLOOR: ([sys.executable, "-I", "-c", "pass"], None)}
        for name, (arguments, given, _) in CASES.items():
            commands[name] = [*TRACKER, *arguments], (home / PANE).read_text() if given == PANE else given
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(repetitions):
            for name, (command, piped) in commands.items():  # in turn, so that a busy moment hits all of them
                times[name].append(seconds(command, piped, environment))
    medians = {name: statistics.median(found) for name, found in times.items()}
    floor = medians[FLOOR]
    print(f"{FLOOR:<44} {floor * 1000:7.1f} ms   (the floor; median of {repetitions})")
    failed = False
    for name, (_, _, limit) in CASES.items():
        ratio = medians[name] / floor
        failed |= ratio > limit
        verdict = f"at most {limit:g}: {'OVER' if ratio > limit else 'ok'}"
        print(f"{name:<44} {medians[name] * 1000:7.1f} ms   {ratio:5.1f} x   {verdict}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
