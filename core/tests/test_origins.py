"""What a plugin may declare as an origin, and what a provider without one says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracker.api import (
    CommandOrigin,
    ExchangeOrigin,
    FileOrigin,
    HttpOrigin,
    LogOrigin,
    Meter,
    Origin,
    Source,
    StatusLineOrigin,
)

Run = Callable[..., "subprocess.CompletedProcess[str]"]
FILES: dict[str, Any] = {"name": "log", "title": "Log", "folder": "~/.toy", "pattern": "*/run-*.log", "marker": "used"}
HTTP: dict[str, Any] = {
    "name": "quota",
    "title": "Quota",
    "address": "https://api.example.com",
    "path": "/quota",
    "key": "TRACKER_TOY_KEY",
}


def source(*origins: Origin) -> Source:
    return Source(contract="1.0", name="toy", title="Toy", meters=(Meter(key="fuel", title="Fuel"),), origins=origins)


def test_every_kind_can_be_declared() -> None:
    declared = (
        FileOrigin(**FILES, variable="TOY_HOME"),
        CommandOrigin(name="print", title="toy --meters", argv=("toy", "--meters")),
        ExchangeOrigin(name="server", title="toy serve", argv=("toy", "serve"), messages=({"id": 1, "method": "get"},)),
        HttpOrigin(**HTTP),
        StatusLineOrigin(name="statusline", title="the status line"),
    )
    assert source(*declared).origins == declared


WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (FileOrigin, FILES | {"name": "Log"}, "Invalid name 'Log'. Expected a name such as logs, not stdin."),
    (FileOrigin, FILES | {"name": "stdin"}, "Invalid name 'stdin'. Expected a name such as logs, not stdin."),
    (FileOrigin, FILES | {"title": "a\nb"}, r"Invalid title 'a\nb'. Expected a text without control characters."),
    (FileOrigin, FILES | {"pattern": "../*.log"}, "Invalid pattern '../*.log'. Expected files below the folder"),
    (FileOrigin, FILES | {"pattern": "a/../b"}, "Invalid pattern 'a/../b'. Expected files below the folder"),
    (FileOrigin, FILES | {"pattern": "/etc/*"}, "Invalid pattern '/etc/*'. Expected files below the folder"),
    (FileOrigin, FILES | {"pattern": "**/*.log"}, "Expected files below the folder, without **."),
    (
        LogOrigin,
        {"name": "log", "title": "t", "folder": "~", "pattern": "*.a.zst"},
        "Expected files below the folder, without .zst.",
    ),
    (FileOrigin, FILES | {"marker": ""}, "Invalid marker ''. Expected a text of one line."),
    (FileOrigin, FILES | {"variable": "toy home"}, "Expected the name of an environment variable, or None."),
    (FileOrigin, FILES | {"lines": 0}, "Invalid lines 0. Expected a whole number from 1 up."),
    (FileOrigin, FILES | {"seconds": float("nan")}, "Invalid seconds nan. Expected a number from 0 up."),
    (FileOrigin, FILES | {"seconds": None}, "Invalid seconds None. Expected a number from 0 up."),
    (
        CommandOrigin,
        {"name": "print", "title": "t", "argv": ()},
        "Invalid argv (). Expected a tuple of texts",
    ),
    (CommandOrigin, {"name": "print", "title": "t", "argv": "toy -m"}, "Invalid argv 'toy -m'. Expected a tuple"),
    (ExchangeOrigin, {"name": "s", "title": "t", "argv": ("toy",), "messages": ("x",)}, "Expected a tuple of Mapping."),
    (HttpOrigin, HTTP | {"address": "http://api.example.com"}, "Expected an address that begins with https://."),
    (HttpOrigin, HTTP | {"path": "quota"}, "Invalid path 'quota'. Expected a path that begins with /."),
    (HttpOrigin, HTTP | {"key": "TOY_KEY"}, "Invalid key 'TOY_KEY'. Expected a variable such as TRACKER_ACME_KEY."),
    (HttpOrigin, HTTP | {"header": "X-Key: a\r\nX"}, "Invalid header"),
    (HttpOrigin, HTTP | {"prefix": "Bearer\n"}, "Expected printable ASCII."),
]


def test_what_cannot_be_an_origin_is_refused_when_it_is_declared() -> None:
    for kind, given, why in WRONG:
        with pytest.raises(ValueError, match=re.escape(why)):
            kind(**given)


def test_origins_have_names_of_their_own_and_a_kind() -> None:
    with pytest.raises(ValueError, match="each name once"):
        source(FileOrigin(**FILES), FileOrigin(**FILES))
    with pytest.raises(ValueError, match="Invalid origins"):
        source(Origin(name="log", title="Log"))


def test_a_provider_without_origins_is_read_from_a_pipe(toys_apart: Run) -> None:
    done = toys_apart("capture", "toy")
    assert done.returncode == 1
    assert done.stderr == (
        "error: toy has no origin to read. Pipe its pane to `tracker capture toy --phase before --from stdin`.\n"
    )
    piped = toys_apart("capture", "toy", "--from", "stdin", stdin="fuel 12%")
    assert piped.stdout == "stored toy before snapshot for W0-01 (awaiting end)\n"
    assert toys_apart("statusline", stdin="fuel 12%").stdout == "\n"


def test_a_report_without_a_command_cannot_be_run(toys_apart: Run) -> None:
    done = toys_apart("ingest", "toy-report", "--run", "--window", "W0-01")
    assert done.returncode == 2
    assert "error: toy-report has no command to run. Give its text with --stdin or --file." in done.stderr


ORIGINS = """
from tracker.api import CommandOrigin, Gauge, Meter, Reading, Source, hookimpl

@hookimpl
def source_info():
    return Source(contract="1.0", name="gauge", title="Gauge", capacity="tank",
                  meters=(Meter(key="tank", title="Tank"),),
                  origins=(CommandOrigin(name="print", title="cat", argv=("cat",), stdin="41"),))

@hookimpl
def parse_status(text, origin):
    return Reading(gauges=(Gauge(meter="tank", used=float(text)),)) if origin == "print" else None
"""


@pytest.fixture
def gauge(tmp_path: Path, toys_apart: Run) -> Run:
    """A provider of somebody else's that is asked by a command."""
    site = tmp_path / "other"
    info = site / "gauge-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "gauge_plugin.py").write_text(ORIGINS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gauge\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tracker]\ngauge = gauge_plugin\n")

    def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return toys_apart(*arguments, **({"PYTHONPATH": str(site)} | extra))

    return run


def test_a_third_party_s_origin_is_asked(gauge: Run) -> None:
    done = gauge("capture", "gauge", "--window", "W0-03")
    assert done.stdout == "stored gauge before snapshot for W0-03 (awaiting end)\n"
    assert done.stderr == "  tank 41% used\nnote: read from print, under 1 min old\n"


def test_times_that_are_none(gauge: Run) -> None:
    done = gauge("capture", "gauge", TRACKER_ORIGIN_SECONDS="soon")
    assert done.stderr == "error: Invalid TRACKER_ORIGIN_SECONDS=soon. Expected a number of seconds.\n"
