"""`tracker ingest` as a process that is written to, watched and killed."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from warm import started

WINDOW = "W0-CHN"
PATIENCE = 60.0  # seconds; a busy machine is no failure


def eventually(check: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What a check gives once it gives something; fails where it never does."""
    until = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.01)
    return found


class Data:
    """The data directory of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows(self, stream: str = "proxy_telemetry") -> list[dict[str, Any]]:
        """The whole records of a stream without the moment of their capture."""
        path = self.folder / f"{stream}.jsonl"
        whole = path.read_bytes().rpartition(b"\n")[0].split(b"\n") if path.exists() else []
        rows = [json.loads(line) for line in whole if line]
        return [{key: value for key, value in row.items() if key != "captured_at"} for row in rows]

    def rids(self) -> list[str]:
        return [row["rid"] for row in self.rows()]


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path / "data")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID"))}
    return kept | {"TRACKER_DATA_DIR": str(tmp_path / "data"), "TZ": "UTC"}


class Ingest:
    """A running `tracker ingest`; its input is a pipe if nothing else is given, and what it says is kept."""

    def __init__(
        self,
        arguments: tuple[str, ...],
        environment: dict[str, str],
        folder: Path,
        stdin: IO[bytes] | None = None,
        stdout: int | None = None,
    ) -> None:
        words = ("ingest", "proxy-telemetry", "--window", WINDOW, *arguments)
        self._said = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115
        out, err = (file.fileno() for file in self._said)
        read, write = os.pipe()
        streams = stdin.fileno() if stdin else read, stdout or out, err
        self.process = started(words, streams, folder, environment)
        os.close(read)
        self.input = os.fdopen(write, "wb")

    def write(self, data: bytes) -> None:
        self.input.write(data)
        self.input.flush()

    def end(self) -> tuple[int, str, str]:
        """Close its input; its status and what it said."""
        self.input.close()
        status = self.process.wait(PATIENCE)
        for file in self._said:
            file.seek(0)
        out, err = (file.read().decode() for file in self._said)
        return status, out, err

    def signal(self, number: int) -> tuple[int, str, str]:
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        return self.end()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)
        self.close()

    def close(self) -> None:
        for stream in (self.input, *self._said):
            stream.close()


@pytest.fixture
def ingest(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., Ingest]]:
    """Starts `tracker ingest proxy-telemetry` with some arguments; what still runs at the end is killed."""
    running: list[Ingest] = []

    def start(*arguments: str, **streams: Any) -> Ingest:
        running.append(Ingest(arguments, environment, tmp_path, **streams))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.kill()
        one.close()


@pytest.fixture
def line() -> Callable[..., bytes]:
    """A plain event's line."""

    def make(rid: str, **fields: Any) -> bytes:
        event = {"ts": "2026-01-10T08:00:00Z", "rid": rid, "lane": "glm", "model": "glm-4.6", "status": "ok"}
        return json.dumps(event | {"input_tokens": 10, "output_tokens": 1, "latency_ms": 5} | fields).encode() + b"\n"

    return make


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    return eventually
