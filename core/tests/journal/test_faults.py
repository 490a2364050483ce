"""Every call of the system that writes fails once, in turn: the command says so and no earlier byte changes."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

T0, T1, T2 = "2026-01-10T08:00:00Z", "2026-01-10T09:00:00Z", "2026-01-10T10:00:00Z"
EVENTS = b'{"rid": "a", "lane": "far", "ms": 3}\n{"rid": "b", "lane": "near", "ms": 4}\nno json\n'
CALLS = ("open", "pread", "read", "write", "fsync", "ftruncate", "replace", "mkdir")
COMMANDS: dict[str, tuple[str, str, str]] = {  # arguments, standard input, the stream that gets its record
    "start": ("alias start toy --stdin --window W2", "fuel 12%", "snapshots"),
    "end": (f"alias end toy --stdin --captured-at {T2}", "fuel 40%", "snapshots"),
    "fall": (f"alias end toy --stdin --captured-at {T2}", "fuel 1%", "snapshots"),
    "cross": (f"alias cross toy --stdin --captured-at {T2}", "fuel 40%", "snapshots"),
    "count": ("alias start tally --stdin --window W1", "7", "tally_counts"),
    "delete": ("alias delete toy --phase after --window W0", "", "snapshots"),
    "override": ("override toy --window W1 --phase after --fuel-pct 50", "", "snapshots"),
    "report": ("ingest toy-report --window W1 --stdin", "60", "toy_report"),
    "events": ("ingest toy-stream --window W1 --file events.jsonl", "", "toy_stream"),
    "complete": ("complete --window W0 --toy-features 1", "", "windows"),
    "torn": (f"alias end toy --stdin --captured-at {T2}", "fuel 40%", "snapshots"),
    "capture": ("capture toy --from stdin", "fuel 40%", "snapshots"),
    "import": ("import other", "", "snapshots"),
    "doctor": ("doctor --fix", "", "snapshots"),
    "churn": ("churn --window W0 --provider toy", "", "churn"),
    "evidence": ("evidence add --window W0 --capability c --result pass --runner me", "", "Acceptance_Evidence.csv"),
    "reserve": ("feature reserve --prefix F-", "", "Feature_Log.csv"),
    "log": ("feature log --id F-7 --window W0 --provider toy", "", "Feature_Log.csv"),
    "checkpoint": ("checkpoint --window W0 --provider toy --task t --plan 5 --actual 6", "", "Token_Churn_Ledger.csv"),
    "handoff": ("handoff --window W0", "", "SESSION_HANDOFF.md"),
}
TORN = b'{"record_id": "half'  # what a crash left before the commands that mend it


class Faults:
    """The system's calls on one folder; the Nth of a kind fails, or every one from then on."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.real = {name: getattr(os, name) for name in CALLS}
        self.counts: Counter[str] = Counter()
        self.failing: dict[str, tuple[int, BaseException | str]] = {}

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in CALLS:
            monkeypatch.setattr(os, name, self._wrapped(name))

    def _wrapped(self, name: str) -> Callable[..., Any]:
        def call(first: Any, *rest: Any, **named: Any) -> Any:
            if not self._is_ours(first):
                return self.real[name](first, *rest, **named)
            self.counts[name] += 1
            at, how = self.failing.get(name, (0, ""))
            if self.counts[name] == at:
                if isinstance(how, KeyboardInterrupt):
                    # as the user's Ctrl-C, which a stream may take as a wish to end
                    signal.raise_signal(signal.SIGINT)
                elif isinstance(how, BaseException):
                    raise how
                else:
                    return self._short(name, first, *rest)
            return self.real[name](first, *rest, **named)

        return call

    def _short(self, name: str, file: int, what: Any, *rest: Any) -> Any:
        """A call that the system carries out in part."""
        part = max(1, what // 2) if name == "pread" else what[: max(1, len(what) // 2)]
        return self.real[name](file, part, *rest)

    def _is_ours(self, first: Any) -> bool:
        if not isinstance(first, int):
            return str(first).startswith(self.folder)
        try:
            return os.readlink(f"/proc/self/fd/{first}").startswith(self.folder)
        except OSError:
            return False


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("template")


@pytest.fixture
def prepared(program: Any, template: Path) -> Callable[[], None]:
    """Puts the data directory back to where a window is closed and the next one open."""
    if not any(template.iterdir()):
        for arguments, pane in (
            (f"alias start toy --stdin --window W0 --captured-at {T0}", "fuel 10%"),
            (f"alias end toy --stdin --captured-at {T1}", "fuel 20%"),
            (f"alias start toy --stdin --window W1 --captured-at {T1}", "fuel 20%"),
        ):
            program(*arguments.split(), stdin=pane).ok()
        shutil.copytree(program.root, template / "data")
        shutil.copytree(program.root, template / "other")
        program("alias", "end", "toy", "--stdin", stdin="fuel 30%", root=template / "other").ok()
    (program.root.parent / "events.jsonl").write_bytes(EVENTS)
    shutil.copytree(template / "other", program.root.parent / "other")

    def again() -> None:
        for folder in (program.root, program.root.parent / "docs"):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template / "data", program.root)

    return again


def written(program: Any, name: str) -> int:
    """The lines of a stream, or of a file that people read, too."""
    if "." not in name:
        name = f"{name}.jsonl"
    return sum(len(path.read_bytes().splitlines()) for path in program.root.parent.glob(f"d[ao]*/**/{name}"))


def view(program: Any) -> Any:
    """What readers say; which derived files there are does not matter."""
    return [json.loads(program("--json", "window-audit", "--window", window).ok()) for window in ("W0", "W1")]


def kinds(call: str) -> list[BaseException | str]:
    broken: list[BaseException | str] = [OSError(code, os.strerror(code)) for code in (errno.ENOSPC, errno.EIO)]
    short: list[BaseException | str] = ["short"] if call in ("write", "pread") else []
    return [*broken, InterruptedError(errno.EINTR, "Interrupted"), KeyboardInterrupt(), *short]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the fault layer asks /proc whose descriptor it is")
@pytest.mark.parametrize("name", COMMANDS)
def test_each_call_fails_in_turn(
    program: Any,
    prepared: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    often: Callable[[int, int], int],
    name: str,
) -> None:
    """In full every call fails in every way; otherwise about eight do, of each kind, in the ways by turns."""
    arguments, pane, stream = COMMANDS[name]
    is_torn = name in ("torn", "doctor")

    def ready() -> None:
        prepared()
        if is_torn:
            with (program.root / "snapshots.jsonl").open("ab") as file:
                file.write(TORN)

    prepared()
    before, seen = program.files(), view(program)
    ready()
    with monkeypatch.context() as patched:
        faults = Faults(program.root.parent)
        faults.patch(patched)
        program(*arguments.split(), stdin=pane).ok()
    clean = written(program, stream)
    assert faults.counts["fsync"], "the layer must see what the command does"
    tried = Counter[bool]()
    step = often(1 + faults.counts.total() // 8, 1)
    turns = count()
    for call, times in faults.counts.items():
        for at in range(1, times + 1, step):
            ways = kinds(call)
            for how in [ways[next(turns) % len(ways)]] if often(1, 0) else ways:
                ready()
                with monkeypatch.context() as patched:
                    fault = Faults(program.root.parent)
                    fault.failing[call] = at, how
                    fault.patch(patched)
                    done = program(*arguments.split(), stdin=pane)
                where = f"{name}: {call} number {at} of {times}: {how!r}\n{done.err}"
                assert done.error is None, where
                after = program.files()
                for key, data in before.items():
                    assert after[key].startswith(data), where
                torn = program.root / "snapshots.jsonl.torn"
                if is_torn and not after["snapshots.jsonl"].endswith(TORN):
                    assert TORN in torn.read_bytes(), where
                tried[done.status == 0] += 1
                if done.status == 0:
                    assert written(program, stream) == clean or name == "doctor", where
                else:
                    assert done.status == (130 if isinstance(how, KeyboardInterrupt) else 1), where
                    if stream.endswith((".csv", ".md")) or name == "churn":
                        continue
                    if name == "import":  # what came stays, and the rest comes next time
                        assert program(*arguments.split()).status == 0, where
                        assert written(program, stream) == clean, where
                        continue
                    assert "\nerror: " in f"\n{done.err}" or name == "doctor", where
                    said = any(words in done.err for words in ("These records were stored: ", "It is unknown whether"))
                    assert said or view(program) == seen, where
        program("alias", "start", "toy", "--stdin", "--window", "W9", stdin="fuel 1%").ok()
    assert tried[False], tried
    assert tried[True], tried


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the fault layer asks /proc whose descriptor it is")
def test_a_torn_line_that_could_not_be_taken_back_is_set_aside(
    program: Any, prepared: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared()
    before = program.files()["snapshots.jsonl"]

    class Full(Faults):
        def _wrapped(self, name: str) -> Callable[..., Any]:
            wrapped = super()._wrapped(name)

            def call(first: Any, *rest: Any, **named: Any) -> Any:
                if not self._is_ours(first) or ".jsonl" not in os.readlink(f"/proc/self/fd/{first}"):
                    return wrapped(first, *rest, **named)
                if name == "write" and not self.failing:
                    self.failing["write"] = 0, ""
                    return self.real["write"](first, rest[0][:50])
                raise OSError(errno.ENOSPC, "No space left on device")

            return call if name in ("write", "ftruncate") else wrapped

    with monkeypatch.context() as patched:
        Full(program.root).patch(patched)
        done = program("alias", "end", "toy", "--stdin", stdin="fuel 40%")
    error = done.refused()
    assert error.startswith(f"error: cannot append to {program.root}/snapshots.jsonl: No space left on device. ")
    assert len(program.files()["snapshots.jsonl"]) == len(before) + 50
    shown = program("preview")
    assert "snapshots.jsonl ended in a torn line of 50 bytes, which was set aside in snapshots.jsonl.torn" in shown.err
    assert program.files()["snapshots.jsonl"] == before
    torn = program.root / "snapshots.jsonl.torn"
    assert torn.read_bytes().startswith(b'{"record_id":"')
    assert torn.stat().st_mode & 0o777 == 0o600
    assert "torn" not in program("alias", "end", "toy", "--stdin", stdin="fuel 40%").err


def test_a_torn_line_is_left_to_the_writer_that_is_at_it(program: Any, prepared: Callable[[], None]) -> None:
    import fcntl

    prepared()
    path = program.root / "snapshots.jsonl"
    with path.open("ab") as file:
        file.write(b'{"record_id": "half')
    with (program.root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "torn" not in program("preview").err
    assert not path.with_name("snapshots.jsonl.torn").exists()
    assert "torn line of 19 bytes" in program("preview").err


def test_a_record_that_only_lacks_its_end_gets_it(program: Any, prepared: Callable[[], None]) -> None:
    prepared()
    path = program.root / "snapshots.jsonl"
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    assert program("preview").err.count("torn") == 0
    assert path.read_bytes().endswith(b"}\n")
    assert len(program.rows("snapshots")) == 3


def test_a_dry_run_touches_no_torn_line(program: Any, prepared: Callable[[], None]) -> None:
    prepared()
    path = program.root / "snapshots.jsonl"
    with path.open("ab") as file:
        file.write(b'{"record_id": "half')
    names = sorted(program.root.rglob("*"))
    program("alias", "start", "toy", "--stdin", "--dry-run", stdin="fuel 1%").ok()
    assert sorted(program.root.rglob("*")) == names
    assert path.read_bytes().endswith(b"half")


FULL = """
import resource, sys
from pathlib import Path
root = Path(sys.argv[1])
size = (root / "snapshots.jsonl").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + {spare}, size + {spare}))
sys.argv[1:] = ["--data-dir", str(root), "alias", "end", "toy", "--stdin"]
from tracker.cli.main import main
main()
"""


@pytest.mark.parametrize("spare", [0, 40, 200])
def test_no_file_may_grow_further(toys_apart: Any, tmp_path: Path, spare: int) -> None:
    """The limit of a file's size is what a full disk or a quota is: the system takes less, or none."""
    import subprocess
    import sys

    site = f"{tmp_path / 'site'}"
    for arguments, pane in (("alias start toy --stdin --window W1", "fuel 1%"),):
        assert toys_apart(*arguments.split(), stdin=pane).returncode == 0
    stream = tmp_path / "data" / "snapshots.jsonl"
    before = stream.read_bytes()
    for folder in (tmp_path / "data" / ".index", tmp_path / "data" / "state"):
        shutil.rmtree(folder)
    done = subprocess.run(
        [sys.executable, "-c", FULL.format(spare=spare), str(tmp_path / "data")],
        input=b"fuel 3%",
        capture_output=True,
        cwd=tmp_path,
        env=os.environ
        | {"PYTHONPATH": site, "TRACKER_DISABLE_PLUGINS": "tracker-codex,tracker-claude,tracker-glm,tracker-proxy"},
        check=False,
    )
    said = done.stderr.decode()
    assert (done.returncode, "Traceback" in said) == (1, False), said
    assert said.splitlines()[-1] == f"error: cannot append to {stream}: File too large. Nothing was stored."
    assert stream.read_bytes() == before
    assert toys_apart("alias", "end", "toy", "--stdin", stdin="fuel 3%").returncode == 0


def test_a_full_disk(toys_apart: Any, tmp_path: Path) -> None:
    """A file system of a few hundred kilobytes, where it can be made."""
    import subprocess

    disk = tmp_path / "data"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    try:
        announced, failed = 0, []
        for turn in range(200):
            pane = f"fuel {turn % 90}%" + "x" * 40000
            done = toys_apart("alias", "start", "toy", "--stdin", "--window", "W1", stdin=pane)
            assert "Traceback" not in done.stderr, done.stderr
            announced += done.returncode == 0
            failed += [done.stderr] if done.returncode else []
            if len(failed) == 3:
                break
        assert len(failed) == 3
        assert all("error: cannot " in said and "No space left on device" in said for said in failed), failed
        rows = [json.loads(line) for line in (disk / "snapshots.jsonl").read_bytes().splitlines()]
        assert len(rows) == announced > 0
        for path in disk.glob(".index/*"):
            path.unlink()
        (tmp_path / "events").write_text('{"rid": "a", "lane": "far"}\n' * 3000)
        said = toys_apart("ingest", "toy-stream", "--window", "W1", "--file", "events")
        assert (said.returncode, "Traceback" in said.stderr) == (1, False), said.stderr
        assert "error: cannot " in said.stderr
        shown = toys_apart("window-audit", "--window", "W1")
        assert (shown.returncode, f"toy: {announced} before" in shown.stdout) == (0, True), shown.stderr
    finally:
        subprocess.run(["umount", disk], check=True)
