"""How fast captures are: session files as ratios to `find` over the same tree, the status line to `python -I -c pass`.

    python benchmarks/capture.py [--repetitions 10] [--files 2000] [--megabytes 2000]

The tree is made as a year of sessions leaves it: folders by day, files by session, each as large as asked for (sparse:
a hole, then an event with limits at the end) and as old as its event. What a capture takes beyond a capture from a
single file is compared with `find`; everything is measured in turn in the same run, bytecode compiled before.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import needs_tracker  # noqa: F401

TRACKER = [sys.executable, "-m", "tracker.cli"]
FIND_LIMIT, PROMPT_LIMIT = 5.0, 11.0
HANDED = {"rate_limits": {"five_hour": {"used_percentage": 42.5, "resets_at": 1795345740}}}


def event(at: float) -> str:
    """An event as Codex 0.169 ends a turn with."""
    limits = {
        "limit_id": "codex",
        "primary": {"used_percent": 11.0, "window_minutes": 300, "resets_at": int(at) + 9000},
        "secondary": {"used_percent": 64.0, "window_minutes": 10080, "resets_at": int(at) + 90000},
    }
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))
    payload = {"type": "token_count", "info": None, "rate_limits": limits}
    return json.dumps({"timestamp": stamp, "type": "event_msg", "payload": payload})


def plant(home: Path, files: int, size: int, *, is_copied: bool = False) -> None:
    """Session files, the newest a minute old; of a copied tree all are changed now, in any order."""
    now = time.time()
    numbers = random.Random(0).sample(range(files), files) if is_copied else range(files)
    for number in numbers:
        at = now - 60 - number * 4 * 3600
        folder = home / "sessions" / time.strftime("%Y/%m/%d", time.gmtime(at))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"rollout-{time.strftime('%Y-%m-%dT%H-%M-%S', time.gmtime(at))}.jsonl"
        with path.open("wb") as file:
            file.write(b'{"type": "session_meta"}\n')
            file.seek(size - 2000)  # a hole
            file.write(b"\n" + event(at).encode() + b"\n" + b'{"type": "response_item"}\n')
        if not is_copied:
            os.utime(path, (at, at))


def seconds(command: list[str], environment: dict[str, str], given: bytes = b"") -> float:
    start = time.perf_counter()
    subprocess.run(command, input=given, check=True, capture_output=True, env=environment)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--megabytes", type=int, default=2000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = chosen.megabytes * 1_000_000 // chosen.files
        plant(folder / "one", 1, size)
        plant(folder / "many", chosen.files, size)
        plant(folder / "copied", chosen.files, size, is_copied=True)
        known = {
            key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID", "PYTHON"))
        }
        known |= {"TRACKER_DATA_DIR": str(folder / "data"), "PYTHONPYCACHEPREFIX": str(folder / "pycache")}
        capture = [*TRACKER, "capture", "codex", "--from", "rollout", "--phase", "before", "--dry-run"]
        commands = {
            "python -I -c pass": ([sys.executable, "-I", "-c", "pass"], known),
            "find": (["find", str(folder / "many"), "-name", "rollout-*.jsonl"], known),
            "capture, one file": (capture, known | {"CODEX_HOME": str(folder / "one")}),
            "capture": (capture, known | {"CODEX_HOME": str(folder / "many")}),
            "capture, copied tree": (capture, known | {"CODEX_HOME": str(folder / "copied")}),
            "statusline": ([*TRACKER, "statusline"], known),
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(chosen.repetitions + 1):
            for name, (command, environment) in commands.items():  # in turn, so that a busy moment hits all of them
                taken = seconds(command, environment, json.dumps(HANDED).encode())
                if turn:  # the first compiles and fills the caches
                    times[name].append(taken)
    medians = {name: statistics.median(found) for name, found in times.items()}
    for name, median in medians.items():
        print(f"{name:<26} {median * 1000:7.1f} ms")
    beyond = (medians["capture"] - medians["capture, one file"]) / medians["find"]
    whole = medians["capture"] / (FIND_LIMIT * medians["find"] + medians["capture, one file"])
    prompt = medians["statusline"] / medians["python -I -c pass"]
    print(f"capture beyond its start-up: {beyond:5.1f} x find, at most {FIND_LIMIT:g}: {verdict(beyond, FIND_LIMIT)}")
    print(f"capture in all: {whole:.2f} of {FIND_LIMIT:g} x find + start-up, at most 1: {verdict(whole, 1.0)}")
    print(f"statusline: {prompt:.1f} x python -I -c pass, at most {PROMPT_LIMIT:g}: {verdict(prompt, PROMPT_LIMIT)}")
    return int(whole > 1.0 or prompt > PROMPT_LIMIT)


def verdict(value: float, limit: float) -> str:
    return "OVER" if value > limit else "ok"


if __name__ == "__main__":
    sys.exit(main())
