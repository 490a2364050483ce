"""`tracker usage` on generated session logs, as ratios to a loop that reads the same bytes, and to ccusage.

    python benchmarks/session_logs.py [--form short] [--megabytes 1100] [--files 600] [--repetitions 3]

* `--form short`: rows with little more than what is counted, and prose; `claude` and `codex`: rows with the fields that
  these clients write, and code, which is full of quotation marks.

* cold, without an index; warm, with nothing new; and after 1 MB was appended. The floor is a Python process that
  searches the same files for `"usage"`. If ccusage is on the PATH, it is measured too: cold at most 1.3 times its time,
  warm 0.35, appended 0.4. Wall time under load favours nobody, but varies; processor time hardly does.
* the memory of the largest process: at most 300 MB.
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
from pathlib import Path
from typing import Any

import needs_tracker  # noqa: F401

FLOOR = """
import pathlib, sys
for path in pathlib.Path(sys.argv[1]).rglob("*.jsonl"):
    data, at = path.read_bytes(), 0
    while (at := data.find(b'"usage"', at)) >= 0:
        at += 1
"""
TEXT = "all work and no play makes a long log, which is what most of a session's file is made of. " * 40
CODE = 'def size(path: str) -> int:\n    """How many bytes."""\n    return len(open(path, "rb").read())\n\n' * 100


def compact(row: dict[str, Any]) -> str:
    """A row as clients write it; ccusage counts none that has spaces."""
    return json.dumps(row, separators=(",", ":"))


def at(number: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(1_790_000_000 + number * 7))


def short(number: int, chance: random.Random) -> str:
    """Two rows of one answer, as a client writes them, and a user's row with a long text."""
    usage = {
        "input_tokens": chance.randrange(9), "cache_read_input_tokens": chance.randrange(10**5),
        "cache_creation_input_tokens": chance.randrange(5000), "output_tokens": chance.randrange(2000),
    }  # fmt: skip
    row = {
        "type": "assistant",
        "timestamp": at(number),
        "sessionId": f"s{number // 500}",
        "requestId": f"r{number}",
        "cwd": "/w/acme",
    }
    body = {"id": f"m{number}", "model": "claude-opus-4-6", "usage": usage, "content": [{"text": TEXT[:800]}]}
    one = compact({**row, "message": body})
    size = chance.randrange(2000, 12_000)
    user = compact({"type": "user", "timestamp": at(number), "message": {"content": (TEXT * 4)[:size]}})
    return f"{one}\n{one}\n{user}\n"


def claude(number: int, chance: random.Random) -> str:
    """A row per block of an answer, and the result of a tool, with the fields of Claude Code 2.1."""
    written = chance.randrange(5000)
    usage = {
        "input_tokens": chance.randrange(9), "cache_creation_input_tokens": written,
        "cache_read_input_tokens": chance.randrange(10**5), "output_tokens": chance.randrange(2000),
        "output_tokens_details": {"thinking_tokens": 0}, "service_tier": "standard",
        "cache_creation": {"ephemeral_1h_input_tokens": written, "ephemeral_5m_input_tokens": 0},
        "inference_geo": "", "iterations": [], "speed": "standard",
    }  # fmt: skip
    tail = {"cwd": "/w/acme", "sessionId": f"s{number // 500}", "version": "2.1.332", "gitBranch": "main"}
    head = {"id": f"msg_{chance.getrandbits(96):024x}", "role": "assistant", "model": "claude-opus-4-6"}
    request = f"req_{chance.getrandbits(96):024x}"
    result = {"role": "user", "content": [{"type": "tool_result", "content": CODE[: chance.randrange(1000, 6000)]}]}
    answer: list[dict[str, Any]] = [
        {
            "message": {**head, "content": [{"input": CODE[: chance.randrange(1500)]}], "usage": usage},
            "requestId": request,
            "type": "assistant",
        }
        for _ in range(chance.choice((1, 2, 2, 3)))
    ]
    rows: list[dict[str, Any]] = [*answer, {"type": "user", "message": result}]
    own = ({**row, "uuid": f"{chance.getrandbits(96):024x}", "timestamp": at(number), **tail} for row in rows)
    return "".join(f"{compact({'isSidechain': False, **row})}\n" for row in own)


def codex(number: int, chance: random.Random) -> str:
    """The result of a tool, and a response's record and running total, with the fields of Codex 0.150."""
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
    before, total = ({name: one * 1000 // size for size, name in enumerate(names, 1)} for one in (number, number + 1))
    usage = {name: total[name] - before[name] for name in names}
    counted = {"type": "token_count", "info": {"total_token_usage": total, "last_token_usage": usage}}
    limits = {name: {"used_percent": 11.0, "window_minutes": 300} for name in ("primary", "secondary")}
    output = {"type": "function_call_output", "output": CODE[: chance.randrange(2000, 9000)]}
    record = {"response_id": f"resp_{number}", "usage": usage, "thread_token_usage": total}
    rows = {
        "turn_context": {"cwd": "/w/acme", "model": "gpt-5.2"},
        "response_item": output,
        "token_usage_record": record,
        "event_msg": {**counted, "rate_limits": {**limits, "plan_type": "pro"}},
    }
    own = ({"timestamp": at(number), "type": kind, "payload": payload} for kind, payload in rows.items())
    return "".join(f"{compact(row)}\n" for row in own)


FORMS = {
    "short": (short, ".claude/projects/-w-{folder}/s{number}.jsonl"),
    "claude": (claude, ".claude/projects/-w-{folder}/s{number}.jsonl"),
    "codex": (codex, ".codex/sessions/{folder}/rollout-{number}.jsonl"),
}


def write(home: Path, form: str, megabytes: int, files: int) -> tuple[Path, int]:
    """The logs; the last file and the number of its next message are returned."""
    chance, number = random.Random(1), 0
    message, pattern = FORMS[form]
    for count in range(files):
        path = home / pattern.format(folder=count % 20, number=count)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            if form == "codex":
                payload = {"id": f"t{count}", "cwd": "/w/acme", "cli_version": "0.150.0"}
                file.write(compact({"timestamp": at(number), "type": "session_meta", "payload": payload}) + "\n")
            while file.tell() < (megabytes << 20) // files:
                file.write(message(number, chance))
                number += 1
    return path, number


def run(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Wall seconds, processor seconds of all processes, and peak megabytes of the largest one."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"{' '.join(command)} ended with {status}")
    return (
        seconds,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--form", choices=FORMS, default="short")
    parser.add_argument("--megabytes", type=int, default=1100)
    parser.add_argument("--files", type=int, default=600)
    parser.add_argument("--repetitions", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracker-bench-") as name:
        home, data = Path(name) / "home", Path(name) / "data"
        last, number = write(home, given.form, given.megabytes, given.files)
        # a start without bytecode compiles the whole program; an installer has done that once
        unwanted = "XDG_", "CODEX_", "CLAUDE_", "TRACKER_", "PYTHONDONTWRITEBYTECODE"
        kept = {key: one for key, one in os.environ.items() if not key.startswith(unwanted)}
        environment = {**kept, "HOME": str(home), "TRACKER_DATA_DIR": str(data)}
        usage = [sys.executable, "-m", "tracker.cli", "usage", "--json"]
        floors = {"the floor": [sys.executable, "-c", FLOOR, str(home)]}
        if shutil.which("ccusage"):
            floors["ccusage"] = ["ccusage", "daily", "--json", "--offline"]
        times: dict[str, list[float]] = {}
        work: dict[str, list[float]] = {}
        peak = 0.0
        for _ in range(given.repetitions):
            for label, command in floors.items():
                took, processors, _ = run(command, environment)
                times.setdefault(label, []).append(took)
                work.setdefault(label, []).append(processors)
            shutil.rmtree(data, ignore_errors=True)
            for label in ("cold", "warm", "appended"):
                if label == "appended":
                    # an hour or less of work, as a client goes on with a session
                    chance = random.Random(number)
                    with last.open("a") as file:
                        file.writelines(FORMS[given.form][0](one, chance) for one in range(number, number + 100))
                    number += 100
                took, processors, size = run(usage, environment)
                times.setdefault(label, []).append(took)
                work.setdefault(label, []).append(processors)
                peak = max(peak, size)
    for label, found in times.items():
        ratios = ", ".join(
            f"{min(found) / min(times[floor]):.2f} of {floor} (processor {min(work[label]) / min(work[floor]):.2f})"
            for floor in floors
            if floor != label
        )
        print(f"{label:<10} {min(found):6.2f} s  {ratios}")
    print(f"memory     {peak:6.0f} MB, at most 300")
    return int(peak > 300)


if __name__ == "__main__":
    sys.exit(main())
