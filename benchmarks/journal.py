"""What the journal costs: commands on a store with much history, and appends, as ratios measured in one run.

    python benchmarks/journal.py [--repetitions 15] [--snapshots 100000] [--appends 2000]

The commands run as processes, in turn on a small and on a large store; what they take beyond `tracker --version`
is shown, too. Appends are held against a loop of bare `write` and `fsync` of the same lines on the same disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import needs_tracker  # noqa: F401
import orjson

from tracker.journal.journal import Journal
from tracker.journal.records import stamp

TRACKER = [sys.executable, "-m", "tracker.cli"]
SMALL = 100
COMMANDS_LIMIT, APPENDS_LIMIT = 2.0, 2.0
START = datetime(2026, 1, 1, tzinfo=UTC)
PANE = ">_ OpenAI Codex (v0.44.0)\n 5h limit:     [██░░] 40% used\n Weekly limit: [██░░] {}% used\n"
COMMANDS = {
    "alias end": (["alias", "end", "codex", "--stdin", "--window", "NOW"], PANE.format(50)),
    "alias start, window found": (["alias", "start", "codex", "--stdin"], PANE.format(50)),
    "preview --window W": (["preview", "--window", "NOW"], ""),
    "window-audit": (["window-audit", "--window", "NOW"], ""),
    "alias delete": (["alias", "delete", "codex", "--yes"], ""),
}


def snapshot(number: int) -> dict[str, Any]:
    """A capture of another window; every tenth pair is of another lane, and every meter names a reset."""
    at = START + timedelta(minutes=number)
    reset = (at + timedelta(days=3)).isoformat().replace("+00:00", "Z")
    parsed = {
        "fiveh_pct": 5,
        "weekly_pct": number % 90,
        "weekly_resets": "soon",
        "weekly_reset_at": reset,
        "errors": [],
    }
    return stamp(
        window=f"H-{number // 2}",
        provider="codex",
        captured_at=at,
        source="alias",
        agent_id="sub1" if number % 20 < 2 else None,
        phase="after" if number % 2 else "before",
        git_head=None,
        parsed=parsed,
        raw_text=PANE.format(number % 90) * 4,
    )


def fill(root: Path, snapshots: int) -> None:
    """A store with that many snapshots of other windows, and one open window."""
    journal = Journal(root, fsync=False)
    with journal.lock("benchmark"):
        for start in range(0, snapshots, 1000):
            journal.append("snapshots", [snapshot(number) for number in range(start, min(start + 1000, snapshots))])
    run(root, ["alias", "start", "codex", "--stdin", "--window", "NOW"], PANE.format(30))
    run(root, ["preview", "--window", "NOW"], "")  # the index is there from now on


def run(root: Path, words: list[str], pane: str) -> float:
    environment = os.environ | {"TRACKER_DATA_DIR": str(root), "TZ": "UTC"}
    start = time.perf_counter()
    done = subprocess.run(
        [*TRACKER, *words], input=pane, text=True, capture_output=True, env=environment, cwd=root.parent, check=False
    )
    spent = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed: {done.stderr}")
    return spent


def commands(folder: Path, snapshots: int, repetitions: int) -> Iterator[tuple[str, float, float, float]]:
    """Each command's medians: the floor, on the small store, on the large one."""
    stores = {size: folder / f"store-{size}" for size in (SMALL, snapshots)}
    for size, root in stores.items():
        fill(root, size)
    for name, (words, pane) in COMMANDS.items():
        times: dict[int, list[float]] = {0: [], **{size: [] for size in stores}}
        for _ in range(repetitions):
            times[0].append(run(folder / "none", ["--version"], ""))
            for size, root in stores.items():
                times[size].append(run(root, words, pane))
        yield name, *(statistics.median(times[size]) for size in (0, SMALL, snapshots))


def appends(folder: Path, count: int) -> Iterator[tuple[str, float, float]]:
    """Records a second, in turns with the bare loop: (name, ours, the loop's)."""
    records = [snapshot(number) for number in range(count)]
    lines = [orjson.dumps(record) + b"\n" for record in records]
    for is_flushed in (True, False):
        ours, bare = [], []
        for turn in range(5):
            part = slice(turn * count // 5, (turn + 1) * count // 5)
            ours.append(rate(count // 5, partial(append, folder, records[part], is_flushed)))
            bare.append(rate(count // 5, partial(write, folder / "bare", lines[part], is_flushed)))
        yield ("with" if is_flushed else "without") + " fsync", statistics.median(ours), statistics.median(bare)


def rate(count: int, work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def append(folder: Path, records: list[dict[str, Any]], is_flushed: bool) -> None:
    journal = Journal(folder / "appended", fsync=is_flushed)
    with journal.lock("benchmark"):
        for record in records:
            journal.append("snapshots", [record])


def write(path: Path, lines: list[bytes], is_flushed: bool) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for line in lines:
        os.write(file, line)
        if is_flushed:
            os.fsync(file)
    os.close(file)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--snapshots", type=int, default=100_000)
    parser.add_argument("--appends", type=int, default=2000)
    options = parser.parse_args()
    failed = False
    folder = Path(tempfile.mkdtemp(prefix="tracker-benchmark-"))
    try:
        size = f"{options.snapshots:,} snapshots of other windows against {SMALL}"
        print(f"commands with {size} (median of {options.repetitions}; at most {COMMANDS_LIMIT:g} times)")
        for name, floor, small, large in commands(folder, options.snapshots, options.repetitions):
            ratio, beyond = large / small, (large - floor) / max(small - floor, 1e-9)
            failed |= ratio > COMMANDS_LIMIT
            verdict = "OVER" if ratio > COMMANDS_LIMIT else "ok"
            print(
                f"  {name:<26} {small * 1000:6.0f} ms  {large * 1000:6.0f} ms  {ratio:5.2f} x  {verdict}"
                f"   (beyond --version: {beyond:.2f} x)"
            )
        print(f"appends a second in one process (at most {APPENDS_LIMIT:g} times slower than bare write and fsync)")
        for name, ours, bare in appends(folder, options.appends):
            is_over = "without" not in name and bare / ours > APPENDS_LIMIT
            failed |= is_over
            verdict = "   " if "without" in name else "OVER" if is_over else "ok"
            print(f"  {name:<26} {ours:9,.0f}  bare {bare:9,.0f}  {bare / ours:5.2f} x  {verdict}")
    finally:
        shutil.rmtree(folder)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
