"""Commands run inside the test's own process, with toys as the only plugins: a thousand in the time of ten programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
from attrs import define, frozen
from loaded import once

IS_SOAK = os.environ.get("TRACKER_SOAK") == "1"


@pytest.fixture(scope="session")
def often() -> Callable[[int, int], int]:
    """How often something random is tried: the first number, with TRACKER_SOAK=1 the second."""
    return lambda few, many: many if IS_SOAK else few


@pytest.fixture(autouse=True)
def _private_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Consent to settings is kept in a folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture(scope="session", autouse=True)
def _git_in_repositories() -> Iterator[None]:
    """A capture of this process asks `git` only in a repository: elsewhere it would be started to say nothing."""
    from tracker.windows import finalize, window

    asked = window.git_id

    def head(name: str) -> str | None:
        here = Path.cwd()
        return asked(name) if any((folder / ".git").exists() for folder in (here, *here.parents)) else None

    with pytest.MonkeyPatch.context() as patched:
        # imported by the first test that finalizes, it would keep what stands in its place just then
        patched.setattr(finalize, "git_id", head)
        patched.setattr(window, "git_id", head)
        yield


@pytest.fixture
def plain_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pytest that a program starts loads no plugins that happen to be installed, which takes half a second."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@frozen
class Done:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str
    error: BaseException | None = None

    @property
    def notes(self) -> str:
        """What stands on stderr beside the values that a capture read."""
        return "".join(line for line in self.err.splitlines(keepends=True) if not line.startswith("  "))

    def ok(self) -> str:
        assert self.error is None, self.error
        assert self.status == 0, self.err
        return self.out

    def refused(self, status: int = 1) -> str:
        """The one `error:` line."""
        assert self.error is None, self.error
        assert self.status == status, self.out + self.err
        [line] = [line for line in self.err.splitlines() if line.startswith("error: ")]
        return line


@frozen
class Program:
    """The command line on one data directory."""

    root: Path

    def __call__(self, *arguments: str, stdin: str | bytes = "", lane: str = "", root: Path | None = None) -> Done:
        from click.testing import CliRunner

        from tracker.cli.main import main

        environment = {"TRACKER_DATA_DIR": str(root or self.root), "AGENT_ID": lane or None, "TZ": "UTC"}
        result = CliRunner().invoke(main, list(arguments), input=stdin, env=environment)
        error = result.exception if not isinstance(result.exception, SystemExit) else None
        return Done(result.exit_code, result.stdout, result.stderr, error)

    def rows(self, stream: str) -> list[dict[str, Any]]:
        path = self.root / f"{stream}.jsonl"
        return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []

    def state(self, source: str, lane: str = "") -> Any:
        return json.loads((self.root / "state" / lane / f"{source}.json").read_bytes())

    def files(self) -> dict[str, bytes]:
        """The streams as they stand."""
        return {path.name: path.read_bytes() for path in sorted(self.root.glob("*.jsonl"))}


@pytest.fixture(scope="session")
def toy_registry(toy_code: dict[str, str]) -> Callable[[], Any]:
    """Makes registries whose only plugins are the toys."""

    def made() -> Any:
        from tracker.hosting.discovery import Plugin
        from tracker.hosting.registry import Registry

        plugins = []
        for name, code in sorted(toy_code.items()):
            module = ModuleType(name.replace("-", "_"))
            exec(compile(code, name, "exec"), module.__dict__)
            plugins.append(Plugin(name, "", "tracker-toys", "1.0", partial(lambda found: found, module)))
        registry = Registry(plugins=plugins)
        assert set(registry.sources) == set(toy_code)
        return registry

    return made


@pytest.fixture(scope="session")
def toys_once(toy_registry: Callable[[], Any]) -> Callable[..., Any]:
    """In place of `discover`: the toys, loaded by the first command."""
    return once(lambda *_report: toy_registry())


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk in memory where there is one: thousands of flushes cost nothing there."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir=memory, prefix="tracker-test-") as folder:
        yield Path(folder)


@pytest.fixture
def program(quick_path: Path, toys_once: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Program:
    """Runs commands in this process; `git` is not asked, which would start one of its own."""
    monkeypatch.setattr("tracker.hosting.registry.discover", toys_once)
    monkeypatch.setattr("tracker.windows.window.git_id", lambda _name: None)
    monkeypatch.chdir(quick_path)
    return Program(quick_path / "data")


def tracker(
    arguments: Sequence[str], stdin: bytes, folder: Path, environment: Mapping[str, str]
) -> tuple[int, bytes, bytes]:
    """Run the command line in this process; its exit status, stdout and stderr, as `warm.tracker` gives them."""
    from click.testing import CliRunner

    from tracker.cli.main import main

    with TemporaryFile() as file, chdir(folder), patch.dict(os.environ, environment, clear=True):
        file.write(stdin)  # a stream is read from a descriptor
        file.seek(0)
        done = CliRunner().invoke(main, list(arguments), input=file)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout_bytes, done.stderr_bytes


@pytest.fixture
def tracker_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line with the installed plugins in this process, which takes a tenth of a new one's time."""
    for name in [name for name in os.environ if name.startswith(("TRACKER_", "AGENT_ID"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    # the developer's own session logs are none of the tests'
    monkeypatch.setenv("HOME", str(tmp_path))
    environment = {"TRACKER_DATA_DIR": str(tmp_path / "data"), "TZ": "UTC", "COLUMNS": "120"}

    def run(*arguments: str, stdin: str | bytes = "", **extra: str) -> subprocess.CompletedProcess[str]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        status, out, err = tracker(arguments, data, Path.cwd(), {**os.environ, **environment, **extra})
        return subprocess.CompletedProcess(arguments, status, out.decode(), err.decode())

    return run


@pytest.fixture
def forked() -> Iterator[Callable[[Callable[[Callable[[str], None]], None]], Child]]:
    """Starts a process of its own that runs a function and announces texts to this one."""
    children: list[Child] = []

    def start(work: Callable[[Callable[[str], None]], None]) -> Child:
        child = Child.of(work)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()


@define
class Child:
    """A process that was forked off: what it announced can be read, also after it was killed."""

    pid: int
    pipe: int
    status: int | None = None

    @classmethod
    def of(cls, work: Callable[[Callable[[str], None]], None]) -> Child:
        read, write = os.pipe()
        say = os.write  # a test may patch it
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a thread of the test runner's may exist; the child starts nothing of it
            pid = os.fork()
        if pid:
            os.close(write)
            return cls(pid, read)
        status = 1
        try:
            os.close(read)
            work(lambda text: say(write, text.encode() + b"\n") and None)
            status = 0
        except BaseException:  # noqa: BLE001  nothing may return into the parent's test
            traceback.print_exc()
        finally:
            os._exit(status)

    def kill(self) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def wait(self) -> int:
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def announced(self) -> list[str]:
        """Everything that the process said until it ended."""
        with os.fdopen(self.pipe, "rb") as file:
            found = file.read()
        self.wait()
        *lines, _ = found.split(b"\n")
        return [line.decode() for line in lines]
