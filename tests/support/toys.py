"""A toy provider, a toy report and a toy stream, installed as a distribution of their own in a folder of the test."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outcomes import ok

# Where the tests are started in the background, what they start must hear Ctrl-C all the same.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

STATUS = '''
import re
from datetime import datetime, timedelta

from tracker.api import Gauge, Meter, Reading, Source, hookimpl

INFO = Source(
    contract="1.0", name="toy", title="Toy", prefix="t", capacity="fuel",
    meters=(Meter(key="fuel", title="Fuel"), Meter(key="heat", title="Heat")),
    tags={"insufficient-data": "no gauge is on the pane"},
)

@hookimpl
def source_info():
    return INFO

@hookimpl
def parse_status(text, captured_at):
    """`fuel 12% reset 2026-01-01T00:00:00+00:00`, one meter a line; `as of 2026-01-01T00:00:00+00:00` dates them."""
    dated = re.search(r"as of (\\S+)", text)
    found = re.findall(r"(fuel|heat) ([\\d.]+)%(?: reset (\\S+))?", text)
    gauges = {m: Gauge(meter=m, used=float(u), resets=r or None, reset_at=datetime.fromisoformat(r) if r else None)
              for m, u, r in found}
    return Reading(gauges=tuple(gauges.values()), errors=() if gauges else ("insufficient-data",),
                   as_of=datetime.fromisoformat(dated[1]) if dated else None)
'''
COUNT = """
from tracker.api import Gauge, Meter, Reading, Source, hookimpl

@hookimpl
def source_info():
    return Source(contract="1.0", name="tally", title="Tally", prefix="y", stream="tally_counts", capacity="calls",
                  meters=(Meter(key="calls", title="Calls", unit="calls"),))

@hookimpl
def parse_status(text):
    used, _, limit = text.strip().partition(" of ")
    if not (used + (limit or "0")).isdigit():
        return None
    return Reading(gauges=(Gauge(meter="calls", used=float(used), limit=float(limit) if limit else None),))
"""
REPORT = """
from tracker.api import Block, Comparison, Reading, Row, Source, hookimpl

@hookimpl
def source_info():
    return Source(contract="1.0", name="toy-report", title="toyreport", kind="report", stream="toy_report", prefix="tr",
                  scopes=("weekly", "daily"), place=30,
                  comparisons=(Comparison(scope="weekly", figure="used", provider="toy", meter="fuel"),))

@hookimpl
def parse_status(text, scope):
    if not text.strip().replace(".", "").isdigit():
        return None
    return Reading(fields={"scope": scope or "weekly", "used": float(text)})

@hookimpl
def render_preview_block(context):
    rows = tuple(Row(label=r["parsed"]["scope"], values={"used": r["parsed"]["used"]}, text="used={used:%}")
                 for r in context.records)
    return Block(title="toyreport", rows=rows) if rows else None
"""
STREAM = """
import json
from tracker.api import Block, Rejected, Row, Source, hookimpl

@hookimpl
def source_info():
    return Source(contract="1.0", name="toy-stream", title="Toy Stream", kind="telemetry", stream="toy_stream",
                  place=20)

@hookimpl
def ingest_line(line, scratch):
    if not line.strip():
        return []
    try:
        found = json.loads(line)
    except ValueError:
        raise Rejected("no JSON") from None
    many = found if isinstance(found, list) else [found]
    return [
        {"ts": one.get("ts"), "rid": one.get("rid"), "lane": one.get("lane"), "latency_ms": one.get("ms"),
         "routed": one.get("lane") == "far", "ok": one.get("ok", True)}
        for one in many
    ]

@hookimpl
def render_preview_block(context):
    events = context.events
    if not events.events:
        return None
    values = {"events": events.events, "routed": 100 * events.routed / events.events, "p50": events.latency_ms.p50}
    return Block(title="Toy Stream", rows=(Row(values=values, text="events={events} routed={routed:%} p50={p50: ms}"),))
"""
TOYS = {"toy": STATUS, "tally": COUNT, "toy-report": REPORT, "toy-stream": STREAM}


def install(folder: Path, modules: dict[str, str], distribution: str = "tracker-toys") -> Path:
    """A folder for PYTHONPATH with one module per source and the metadata that an installer would write."""
    folder.mkdir(parents=True, exist_ok=True)
    points = []
    for name, code in modules.items():
        module = f"{distribution}_{name}".replace("-", "_")
        (folder / f"{module}.py").write_text(code)
        points.append(f"{name} = {module}")
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tracker]\n" + "\n".join(points) + "\n")
    return folder


@pytest.fixture(scope="session")
def toy_code() -> dict[str, str]:
    """The toys' modules by source, for tests that run commands in their own process."""
    return TOYS


@pytest.fixture
def toys_apart(
    tmp_path: Path, tracker_cli: Callable[..., subprocess.CompletedProcess[str]]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`tracker_cli` with the toys, installed in a folder, as the only plugins."""
    site = install(tmp_path / "site", TOYS)
    ours = "tracker-codex,tracker-claude,tracker-glm,tracker-proxy"

    def run(*arguments: str, stdin: str | bytes = "", **extra: str) -> subprocess.CompletedProcess[str]:
        known = {"PYTHONPATH": str(site), "TRACKER_DISABLE_PLUGINS": ours}
        return tracker_cli(*arguments, stdin=stdin, **(known | extra))

    return run


@pytest.fixture
def toys(
    tracker_inside: Callable[..., subprocess.CompletedProcess[str]],
    toys_once: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`tracker_inside` with the toys as the only plugins; nothing waits for the disk."""
    monkeypatch.setattr("os.fsync", lambda _file: None)
    monkeypatch.setattr("tracker.hosting.registry.discover", toys_once)
    return tracker_inside


@pytest.fixture
def captured(toys: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Toys with W0-01 before and after."""
    ok(toys("alias", "start", "toy", "--stdin", "--captured-at", "2026-01-10T08:00:00Z", stdin="fuel 10%\nheat 5%"))
    ok(toys("alias", "end", "toy", "--stdin", "--captured-at", "2026-01-10T09:00:00Z", stdin="fuel 28%\nheat 7%"))
    return toys
