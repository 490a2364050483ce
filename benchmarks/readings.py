"""The meter history under load: `status` with a year of readings, and `sync` over many session files.

    python benchmarks/readings.py [--readings 500000] [--megabytes 2048] [--repetitions 5]

* `status`, `plan` and `gate` with a year of readings, as ratios to a directory with a day of them: at most 1.3.
* `sync` over session files of Codex and Claude Code, as a ratio to `usage` over the same files: at most 1.5; a second
  `sync` with nothing new: under 0.5 s.

The commands run as processes, in turns, and the fastest of each counts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import needs_tracker  # noqa: F401

TRACKER = [sys.executable, "-m", "tracker.cli"]
COMMANDS = (("status",), ("plan",), ("gate", "codex"))
MOST_STATUS, MOST_SYNC, MOST_WARM = 1.3, 1.5, 0.5
NOW = datetime.now(UTC).replace(microsecond=0)
WEEK = timedelta(days=7)
TEXT = "all work and no play makes a long log, which is what most of a session's file is made of. " * 140


def iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def rows(count: int, days: float) -> Iterator[dict[str, Any]]:
    """Readings of three providers by turns, equally spaced up to now, each week from 0 to 90 %."""
    step = timedelta(days=days) / count
    for number in range(count):
        at = NOW - step * (count - number)
        reset = NOW + timedelta(days=3)
        reset -= WEEK * ((reset - at) // WEEK)
        used = int(90 * (1 - (reset - at) / WEEK))
        provider = ("codex", "claude", "codex")[number % 3]
        key = "weekly" if provider == "codex" else "all_models"
        yield {
            "schema": "1.2.0", "record_id": f"{number:032x}", "window": None, "provider": provider,
            "captured_at": iso(at), "recorded_at": iso(at), "source": "sync", "until": iso(at),
            "origin": "rollout" if provider == "codex" else "statusline",
            "account": None, "plan": "pro", "client": "0.169.0",
            "parsed": {f"{key}_used": used + number % 2 / 2, f"{key}_reset_at": iso(reset)},
        }  # fmt: skip


def fill(root: Path, count: int, days: float) -> None:
    root.mkdir(mode=0o700, parents=True)
    with (root / "readings.jsonl").open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows(count, days))


def sessions(home: Path, megabytes: int) -> None:
    """Session files of both clients, half the bytes each; most of a file is text."""
    chance, files = random.Random(1), max(8, megabytes // 4)
    for place in range(files):
        at = NOW - WEEK * 8 * (files - place) / files
        if place % 2:
            path = home / f".codex/sessions/{at:%Y/%m/%d}/rollout-{at:%Y-%m-%dT%H-%M-%S}-{place:032x}.jsonl"
            turn = codex
        else:
            path, turn = home / f".claude/projects/-w-{place % 20}/{place}.jsonl", claude
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            number = 0
            while file.tell() < (megabytes << 20) // files:
                file.write(turn(at + timedelta(seconds=20 * number), f"{place}-{number}", number, chance))
                number += 1


def codex(at: datetime, key: str, number: int, chance: random.Random) -> str:
    one = {"input_tokens": 9000, "cached_input_tokens": 8000, "output_tokens": 300, "total_tokens": 9300}
    total = {name: amount * (number + 1) for name, amount in one.items()}
    # five hours after the session began
    five = int(at.timestamp()) - 20 * number + 5 * 3600
    end = NOW - WEEK * ((NOW - at) // WEEK)
    share = 1 - (end - at) / WEEK
    limits = {
        "primary": {"used_percent": number // 8 % 100, "window_minutes": 300, "resets_at": five},
        "secondary": {
            "used_percent": int(80 * share), "window_minutes": 10080, "resets_at": int(end.timestamp())
        },
        "plan_type": "pro",
    }  # fmt: skip
    info = {"total_token_usage": total, "last_token_usage": one, "model_context_window": 258400}
    lines = (
        {"type": "turn_context", "payload": {"model": "gpt-5.2-codex", "cwd": "/w/acme"}},
        {"type": "response_item", "payload": {"text": TEXT[: chance.randrange(2000, 12_000)]}},
        {"type": "event_msg", "payload": {"type": "token_count", "info": info, "rate_limits": limits}},
    )
    return "".join(json.dumps({"timestamp": iso(at), **line}) + "\n" for line in lines)


def claude(at: datetime, key: str, number: int, chance: random.Random) -> str:
    usage = {"input_tokens": 9, "cache_read_input_tokens": 90_000, "output_tokens": chance.randrange(2000)}
    row = {"timestamp": iso(at), "sessionId": key.partition("-")[0], "requestId": f"r{key}", "cwd": "/w/acme"}
    body = {"id": f"m{key}", "model": "claude-opus-4-6", "usage": usage, "content": [{"text": TEXT[:800]}]}
    lines = (
        {"type": "user", "message": {"content": TEXT[: chance.randrange(2000, 12_000)]}},
        {"type": "assistant", "message": body},
    )
    return "".join(json.dumps({**row, **line}) + "\n" for line in lines)


def run(words: tuple[str, ...], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    done = subprocess.run([*TRACKER, *words], env=environment, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    # 3 and 4 are answers of `gate`
    if done.returncode not in (0, 3, 4):
        sys.exit(f"tracker {' '.join(words)} ended with {done.returncode}: {done.stderr}")
    return took


def environment_of(home: Path, data: Path) -> dict[str, str]:
    foreign = ("XDG_", "CODEX_", "CLAUDE_", "TRACKER_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return {**kept, "HOME": str(home), "TRACKER_DATA_DIR": str(data)}


def year(folder: Path, count: int, repetitions: int) -> bool:
    """Print the ratios of a year's readings to a day's; whether they hold."""
    home = folder / "empty"
    home.mkdir()
    sizes = {"day": (max(count // 365, 1), 1.0), "year": (count, 365.0)}
    places = {}
    for name, (number, days) in sizes.items():
        fill(folder / name, number, days)
        places[name] = environment_of(home, folder / name)
        print(f"first status of a {name}: {run(('status',), places[name]):.2f} s")
    held = True
    for words in COMMANDS:
        best = dict.fromkeys(sizes, float("inf"))
        for _ in range(repetitions):
            for name in sizes:
                best[name] = min(best[name], run(words, places[name]))
        ratio = best["year"] / best["day"]
        held &= ratio <= MOST_STATUS
        print(
            f"{' '.join(words):12} {best['day']:.3f} s, with {count:,} readings {best['year']:.3f} s: {ratio:.2f} times"
        )
    return held


def files(folder: Path, megabytes: int, repetitions: int) -> bool:
    """Print the ratio of `sync` to `usage`, and the seconds of a second `sync`; whether they hold."""
    home, data = folder / "home", folder / "data"
    sessions(home, megabytes)
    environment = environment_of(home, data)
    best = dict.fromkeys(("usage", "sync", "warm"), float("inf"))
    for _ in range(max(2, repetitions // 2)):
        for name in ("usage", "sync"):
            shutil.rmtree(data, ignore_errors=True)
            best[name] = min(best[name], run((name,), environment))
        best["warm"] = min(best["warm"], run(("sync",), environment))
    ratio = best["sync"] / best["usage"]
    print(
        f"{megabytes} MB: usage {best['usage']:.2f} s, sync {best['sync']:.2f} s: {ratio:.2f} times;"
        f" with nothing new {best['warm']:.2f} s"
    )
    return ratio <= MOST_SYNC and best["warm"] < MOST_WARM


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, default=500_000)
    parser.add_argument("--megabytes", type=int, default=2048)
    parser.add_argument("--repetitions", type=int, default=5)
    given = parser.parse_args()
    held = True
    with tempfile.TemporaryDirectory(prefix="tracker-bench-") as name:
        if given.readings:
            held &= year(Path(name), given.readings, given.repetitions)
        if given.megabytes:
            held &= files(Path(name), given.megabytes, given.repetitions)
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())
