"""A session in a folder of the test with a toy stream as its only plugin, and what it has stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tracker.api import Rejected, Source, hookimpl
from tracker.hosting.discovery import Plugin
from tracker.hosting.registry import Registry
from tracker.journal import index_file
from tracker.session import Session
from tracker_telemetry import reader
from tracker_telemetry import stored_rows as rows_of_window
from tracker_telemetry.lines import Splitter
from tracker_telemetry.reader import Reader

WINDOW = "W0-CHN"


@hookimpl
def source_info() -> Source:
    return Source(contract="1.0", name="toy-stream", title="Toy", kind="telemetry", stream="toy_stream")


@hookimpl
def ingest_line(line: bytes, scratch: dict[str, Any]) -> list[dict[str, Any]]:
    """JSON: an object is an event, a list several, a number is the next event's latency; a text is a reason."""
    if not line.strip():
        return []
    if line.startswith(b'"'):
        raise Rejected(json.loads(line))
    try:
        found = json.loads(line)
    except ValueError:
        raise Rejected("no JSON") from None
    if isinstance(found, int):
        scratch["sum"] = scratch.get("sum", 0) + found
        return []
    events = found if isinstance(found, list) else [found]
    extra = {"latency_ms": scratch.pop("sum")} if "sum" in scratch else {}
    return [{"routed": event.get("lane") == "far", "ok": True} | event | extra for event in events]


def toy() -> ModuleType:
    module = ModuleType("toy")
    vars(module).update(source_info=source_info, ingest_line=ingest_line)
    return module


@pytest.fixture
def scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """What millions of lines do to slices and parts, with a few of them."""
    monkeypatch.setattr(reader, "SLICE", 3)
    monkeypatch.setattr(rows_of_window, "PART", 200)
    monkeypatch.setattr(index_file, "SMALL", 0)


@pytest.fixture
def new_session(tmp_path: Path) -> Callable[[], Session]:
    """A session as a new process would have it, in the data directory of the test."""

    def make() -> Session:
        session = Session()
        session.data_dir, session.agent = tmp_path / "data", ""
        registry = Registry(plugins=[Plugin("toy-stream", load=toy)])
        session.__dict__["registry"] = registry
        session.__dict__["config"] = type("Config", (), {"fsync": False})()
        return session

    return make


class Intake:
    """One run of `ingest`: `give` is what arrives in a moment."""

    def __init__(self, session: Session, window: str = WINDOW) -> None:
        self.session = session
        self.reader = Reader(session, session.registry.sources["toy-stream"], window, None)
        self.splitter = Splitter()

    def give(self, data: bytes) -> Intake:
        self._take(self.splitter.feed(data))
        return self

    def end(self) -> str:
        self._take(self.splitter.end())
        self.session.index.close()
        return str(self.reader.summary)

    def _take(self, lines: Sequence[Any]) -> None:
        if lines:
            self.reader.store(self.reader.read(lines))


@pytest.fixture
def intake(new_session: Callable[[], Session]) -> Callable[..., Intake]:
    """Begins a run."""

    def begin(window: str = WINDOW) -> Intake:
        return Intake(new_session(), window)

    return begin


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """The records of a stream without the moment of their capture."""

    def read(stream: str = "toy_stream") -> list[dict[str, Any]]:
        path = tmp_path / "data" / f"{stream}.jsonl"
        rows = [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
        return [{key: value for key, value in row.items() if key != "captured_at"} for row in rows]

    return read
