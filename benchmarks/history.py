"""What a long history costs: commands on a directory with many windows, as ratios to one with 50.

    python benchmarks/history.py [--windows 20000] [--captures 2] [--finalized 1.0] [--text 1500] [--repetitions 3]
        [--folder FOLDER] [--only NAME]

Large runs: `--windows 1000000 --captures 0` (880 MB of finalize rows) and `--windows 475000 --finalized 0` (950,000
captures). `--folder` keeps the directories there and takes those that it finds.
Commands run as processes. Each line shows seconds and memory on the small and on the large directory, and the ratio of
the seconds; for what reads the whole history also the processor time over a floor of the same run, every record read
and decoded once. The first command on a new directory also makes the index; it is shown apart. The newest 50 windows
always are finalized and have captures and commits, so that `plan` and `churn` have something to say. `lock` deletes the
index of the large directory and shows for how long a capture, which makes it anew, holds the journal's lock at most.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import needs_tracker  # noqa: F401
import orjson

from tracker.journal.journal import Journal
from tracker.journal.records import stamp

TRACKER = [sys.executable, "-m", "tracker.cli"]
SMALL = 50
BATCH = 5000
NOW = datetime.now(UTC)
PANE = ">_ OpenAI Codex (v0.44.0)\n 5h limit:     [██░░] 40% used\n Weekly limit: [██░░] 50% used\n"
# what stays within three times of the small directory, and what grows with the history
ONE = {
    "status": ["status"],
    "plan": ["plan"],
    "handoff": ["handoff", "--dry-run"],
    "scoreboard --last 50": ["scoreboard", "--last", "50"],
    "decision-card": ["decision-card", "--window", "LAST"],
    "churn": ["churn", "--window", "LAST", "--provider", "codex", "--dry-run"],
    "preview --last 50": ["preview", "--last", "50"],
    "first capture of a window": ["alias", "start", "codex", "--stdin", "--window", "NEW", "--dry-run"],
}
ALL = {name: [name] for name in ("scoreboard", "preview", "windows", "report", "doctor")}


def commits(folder: Path) -> list[str]:
    """Two commits of a repository in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    git = ["git", "-C", str(folder), "-c", "user.name=dev", "-c", "user.email=dev@example.com"]
    subprocess.run([*git, "init", "-q"], check=True)
    for content in ("one\n", "one\ntwo\n"):
        (folder / "counted.txt").write_text(content, encoding="ascii")
        subprocess.run([*git, "add", "counted.txt"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "Lines"], check=True)
    found = subprocess.run([*git, "log", "--reverse", "--format=%H"], check=True, capture_output=True, text=True)
    return found.stdout.split()[-2:]


def windows(
    count: int, captures: int, finalized: float, text: int, known: list[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of windows that end a minute after each other, the last one now."""
    for number in range(count):
        is_new = number >= count - SMALL
        at, window = NOW - timedelta(minutes=count - number + 10), f"W0-{number + 1:07}"
        moments, records = {}, {}
        for place in range(max(captures, 2) if is_new else captures):
            phase, moment = ("before", "after")[place % 2], at + timedelta(seconds=place)
            moments[phase] = moment.isoformat().replace("+00:00", "Z")
            parsed = {"weekly_pct": 10 + place % 2, "weekly_resets": "soon", "errors": []}
            parsed["weekly_reset_at"] = (at + timedelta(days=3)).isoformat().replace("+00:00", "Z")
            own = {"phase": phase, "git_head": None, "parsed": parsed, "raw_text": (PANE * 20)[:text]}
            record = stamp(window=window, provider="codex", captured_at=moment, source="alias", **own)
            records[phase] = record["record_id"]
            yield "snapshots", record
        if number < count * finalized or is_new:
            pair = {"before": 10, "after": 11 + number % 7, "delta": {"weekly_pct": 1 + number % 7}, "errors": []}
            pair |= {"captured_at": moments, "records": records or None}
            features = {"codex": number % 5, "claude": number % 3}
            own = {"finalized_at": moments.get("after"), "features": features, "outcome": "pass", "quality": 1.0}
            own |= {"quality_score": 1.0, "providers": {"codex": pair, "claude": pair | {"records": None}}}
            own |= {
                "methodology": None,
                "feature_ids": [f"F{number}"],
                "commit_start": known[0] if is_new else "0" * 40,
                "commit_end": known[1] if is_new else "1" * 40,
            }
            yield "windows", stamp(window=window, provider=None, captured_at=at, source="finalize", **own)


def fill(root: Path, given: argparse.Namespace, count: int) -> None:
    journal, rows, known = Journal(root, fsync=False), dict[str, list[dict[str, Any]]](), commits(root.parent)
    with journal.lock("fill"):
        for number, (stream, record) in enumerate(windows(count, given.captures, given.finalized, given.text, known)):
            rows.setdefault(stream, []).append(record)
            if number % BATCH == 0:
                journal.append_all(rows)
                rows.clear()
        journal.append_all(rows)


def run(root: Path, arguments: list[str], count: int) -> tuple[float, int, int, float]:
    """Seconds, megabytes, exit status and processor seconds of one command."""
    names = {"LAST": f"W0-{count:07}", "NEW": f"W0-{count + 1:07}"}
    words = [*TRACKER, "--data-dir", str(root), *(names.get(word, word) for word in arguments)]
    with tempfile.TemporaryFile() as stdin:
        stdin.write(PANE.encode())
        stdin.seek(0)
        began = time.perf_counter()
        child = subprocess.Popen(
            words, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=root.parent
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        spent = usage.ru_utime + usage.ru_stime
        return time.perf_counter() - began, usage.ru_maxrss >> 10, child.returncode, spent


def floor(root: Path) -> float:
    """Processor seconds of reading and decoding every record once."""
    began = time.process_time()
    for path in root.glob("*.jsonl"):
        with path.open("rb") as file:
            for line in file:
                orjson.loads(line)
    return time.process_time() - began


def held(root: Path, count: int) -> None:
    """Show for how long a capture without an index holds the lock."""
    shutil.rmtree(root / ".index", ignore_errors=True)
    words = [*TRACKER, "--data-dir", str(root), "alias", "start", "codex", "--stdin", "--window", f"W0-{count + 1:07}"]
    file, began, busy = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o600), time.perf_counter(), list[float]()
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=root.parent)
    assert child.stdin
    child.stdin.write(PANE.encode())
    child.stdin.close()
    while child.poll() is None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(file, fcntl.LOCK_UN)
        except BlockingIOError:
            busy.append(time.perf_counter())
        time.sleep(0.001)
    span = busy[-1] - busy[0] if busy else 0
    print(
        f"a capture without an index: {time.perf_counter() - began:.1f} s; it holds the lock for {span * 1000:.0f} ms"
    )


def best(root: Path, arguments: list[str], count: int, repetitions: int) -> tuple[float, int, int, float]:
    return min(run(root, arguments, count) for _ in range(repetitions))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=20_000)
    parser.add_argument("--captures", type=int, default=2)
    parser.add_argument("--finalized", type=float, default=1.0)
    parser.add_argument("--text", type=int, default=1500)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--skip-all", action="store_true", help="leave out what reads the whole history")
    parser.add_argument("--only", action="append", help="a command of these, several times")
    parser.add_argument("--folder", type=Path, help="where the directories are kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        roots = {SMALL: folder / "small" / "data", given.windows: folder / "large" / "data"}
        for count, root in roots.items():
            if not root.exists():
                # a process that was large once is what the kernel reports for its children, too
                writer = get_context("fork").Process(target=fill, args=(root, given, count))
                writer.start()
                writer.join()
        size = sum(path.stat().st_size for path in roots[given.windows].glob("*.jsonl"))
        print(f"{given.windows} windows, {size >> 20} MB")
        first = [run(root, ["status"], count)[:2] for count, root in roots.items()]
        print(f"first command, which makes an index that is missing: {first[1][0]:.1f} s, {first[1][1]} MB")
        if not given.only or "lock" in given.only:
            held(roots[given.windows], given.windows)
        for name, arguments in ONE.items() if given.skip_all else (ONE | ALL).items():
            if given.only and name not in given.only:
                continue
            small, large = (best(root, arguments, count, given.repetitions) for count, root in roots.items())
            ratio = f"{large[0] / small[0]:6.2f}"
            shown = f"{name:26} {small[0]:7.2f} s {small[1]:5} MB  {large[0]:7.2f} s {large[1]:5} MB  {ratio}"
            if name in ALL:
                least = min(floor(roots[given.windows]) for _ in range(given.repetitions))
                shown += f"  {large[3]:.1f} s of processor time, {large[3] / least:.1f} of a floor of {least:.2f} s"
            print(shown if large[2] == small[2] == 0 else f"{shown}  (status {small[2]}, {large[2]})", flush=True)


if __name__ == "__main__":
    main()
