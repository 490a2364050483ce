"""What telemetry costs, as ratios and limits, on generated plain events; everything runs on one core, in turn.

    python benchmarks/telemetry.py [--events 1000000] [--repetitions 3] [--large] [--processor]

* `ingest` and a second `ingest` of the same file, against a loop that reads the same lines, parses each with orjson and
  writes them to one file: at most 8 and 3 times as long.
* the memory of the process that takes them in: below 400 MB, with ten times the events, too.
* `preview` and `cost-compare` of a window of 1,000 events: at most 1.5 times as long with a thousand times more events
  in other windows (with --large: ten million against ten thousand).
* both for the window that holds all events: at most 1 s longer than `tracker --version`, once the index is current.

--large takes ten times the events for the memory and for the other windows: some minutes and 10 GB of disk. The times
are the quickest of the repetitions, since a busy machine only ever adds to them; of the ratios both sides run in turn.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import needs_tracker  # noqa: F401

TRACKER = [sys.executable, "-m", "tracker.cli"]
LOOP = """
import sys, orjson
with open(sys.argv[1], "rb") as lines, open(sys.argv[2], "wb") as out:
    for line in lines:
        orjson.loads(line)
        out.write(line)
"""
MODELS = {"glm": "glm-4.6", "zai": "glm-4.5-air", "main": "claude-sonnet-4-5", "sub1": "claude-haiku-4-5"}
FEW, SMALL = 10_000, 1_000
by_processor = False


def events(count: int, seed: int = 1) -> Iterator[str]:
    """Plain lines of a busy proxy: four lanes, five requests a feature, one in twenty fails."""
    chance = random.Random(seed)
    lanes, moment = list(MODELS), datetime(2026, 1, 1)
    for _ in range(count):
        moment += timedelta(milliseconds=chance.randrange(1, 400))
        lane, has_failed = lanes[chance.randrange(4)], chance.random() < 0.05
        status, reason = ("error", "upstream_timeout") if has_failed else ("ok", "routed")
        yield (
            f'{{"ts":"{moment.isoformat(timespec="milliseconds")}Z","rid":"F-{chance.randrange(count // 5 + 1)}",'
            f'"lane":"{lane}","model":"{MODELS[lane]}","status":"{status}","input_tokens":{chance.randrange(50, 5000)},'
            f'"output_tokens":{chance.randrange(900)},"reason":"{reason}","latency_ms":{chance.randrange(90, 3000)}}}\n'
        )


def write(path: Path, count: int, seed: int = 1) -> Path:
    with path.open("w") as file:
        file.writelines(events(count, seed))
    return path


def run(command: list[str]) -> tuple[float, float]:
    """Seconds and peak megabytes of a child: of the wall, or of the processor, which a busy machine hardly changes."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = usage.ru_utime + usage.ru_stime if by_processor else time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.stderr is not None
    said = process.stderr.read().decode()
    process.stderr.close()
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with status {process.returncode}:\n{said}")
    return seconds, usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


class Report:
    """What was measured against its limit, a line each."""

    def __init__(self) -> None:
        self.has_failed = False

    def line(self, name: str, value: float, unit: str, limit: float, note: str = "") -> None:
        is_over = value > limit
        self.has_failed |= is_over
        verdict = "OVER" if is_over else "ok"
        print(f"{name:<58} {value:8.2f} {unit:<3} at most {limit:g}: {verdict}  {note}", flush=True)


class Bench:
    """A folder with generated streams and data directories."""

    def __init__(self, folder: Path, repetitions: int) -> None:
        self.folder, self.repetitions = folder, repetitions
        self.report = Report()

    def ingest(self, data: str, window: str, path: Path) -> tuple[float, float]:
        arguments = ["ingest", "proxy-telemetry", "--window", window, "--file", str(path), "--quiet"]
        return run([*TRACKER, "--data-dir", str(self.folder / data), *arguments])

    def ask(self, data: str, command: str, window: str) -> float:
        return run([*TRACKER, "--data-dir", str(self.folder / data), command, "--window", window])[0]

    def speed(self, path: Path) -> None:
        """Ingest and re-ingest against the loop, and the peak memory of an ingest."""
        loops, firsts, seconds, peak = [], [], [], 0.0
        for at in range(self.repetitions):
            loops.append(run([sys.executable, "-c", LOOP, str(path), str(self.folder / "loop.out")])[0])
            took, peak = self.ingest(f"speed-{at}", "W0-01", path)
            firsts.append(took)
            seconds.append(self.ingest(f"speed-{at}", "W0-01", path)[0])
        loop = min(loops)
        print(f"the loop: {loop:.2f} s (quickest of {self.repetitions}: {', '.join(f'{took:.2f}' for took in loops)})")
        self.report.line("ingest / loop", min(firsts) / loop, "x", 8, f"{min(firsts):.2f} s")
        self.report.line("re-ingest / loop", min(seconds) / loop, "x", 3, f"{min(seconds):.2f} s")
        self.report.line("memory of ingest", peak, "MB", 400)

    def large_window(self) -> None:
        start = min(run([*TRACKER, "--version"])[0] for _ in range(self.repetitions))
        for command in ("cost-compare", "preview"):
            first = self.ask("speed-0", command, "W0-01")
            took = min(self.ask("speed-0", command, "W0-01") for _ in range(self.repetitions)) - start
            self.report.line(f"{command} of the window of all events", took, "s", 1, f"the first time {first:.1f} s")

    def memory(self, count: int) -> None:
        path = write(self.folder / "large.jsonl", count, seed=2)
        took, more = self.ingest("many", "W0-09", path)
        path.unlink()
        print(f"ingest of {count:,} events: {took:.0f} s, {took / count * 1e6:.1f} us each")
        self.report.line(f"memory of ingest, {count:,} events", more, "MB", 400)

    def small_window(self, others: int) -> None:
        """A window of 1,000 events among few and among many of other windows."""
        small = write(self.folder / "small.jsonl", SMALL, seed=3)
        self.ingest("few", "W0-09", write(self.folder / "few.jsonl", FEW, seed=2))
        for data in ("few", "many"):
            self.ingest(data, "W0-05", small)
        for command in ("preview", "cost-compare"):
            times: dict[str, list[float]] = {"few": [], "many": []}
            for _ in range(self.repetitions * 3):
                for data, found in times.items():
                    found.append(self.ask(data, command, "W0-05"))
            few, many = min(times["few"]), min(times["many"])
            name = f"{command} of 1,000 events, {others:,} others / {FEW:,}"
            self.report.line(name, many / few, "x", 1.5, f"{few * 1000:.0f} ms, {many * 1000:.0f} ms")


def main() -> int:
    global by_processor
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="ten times the events for memory and other windows")
    parser.add_argument("--processor", action="store_true", help="compare processor time instead of wall time")
    given = parser.parse_args()
    by_processor = given.processor
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # children inherit it
    with tempfile.TemporaryDirectory(prefix="tracker-bench-") as name:
        bench = Bench(Path(name), given.repetitions)
        os.chdir(name)
        bench.speed(write(Path(name) / "usage.jsonl", given.events))
        bench.large_window()
        if given.large:
            bench.memory(10 * given.events)
            bench.small_window(10 * given.events)
        else:
            os.rename(Path(name) / "speed-0", Path(name) / "many")
            bench.small_window(given.events)
    return int(bench.report.has_failed)


if __name__ == "__main__":
    sys.exit(main())
