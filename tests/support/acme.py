"""The program with a third-party feature that a test writes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

DEMO = Path(__file__).parents[2] / "plugins" / "codex" / "src" / "tracker_codex" / "demo"
Run = Callable[..., "subprocess.CompletedProcess[str]"]
FEATURE = """
{first}
from tracker.api import Check, Finding, Panel
from tracker.feature import Command, Feature, hookimpl

@hookimpl
def feature_info():
    return Feature(name="hours", {declared})
{hooks}
"""
PARTS = """
import math
from collections.abc import Mapping
from typing import Any
import click
from attrs import Factory, frozen
from tracker.kernel import selection, setting

class Plain:
    pass

@frozen(kw_only=True)
class Uat:
    TABLE = "uat"
    commands: tuple[str, ...] = setting((), "mine")

@frozen(kw_only=True)
class Zone:
    TABLE = ""
    timezone: str | None = setting(None, "mine")

@frozen(kw_only=True)
class Hours:
    TABLE = "hours"
    most: float = setting(8.0, "hours of a day")

@frozen(kw_only=True)
class Whole:
    TABLE = "hours"
    most: int = setting(8, "hours of a day")

@frozen(kw_only=True)
class Lines:
    TABLE = "hours"
    most: float = setting(8.0, "hours\\nof a day")

@frozen(kw_only=True)
class Wrong:
    TABLE = "hours"
    most: float = setting("eight", "hours of a day")

@frozen(kw_only=True)
class Comma:
    TABLE = "hours"
    days: tuple[str, ...] = setting(("monday"), "days that count")

@frozen(kw_only=True)
class Free:
    TABLE = "hours"
    most: float = setting(math.inf, "hours of a day", most=24)
    least: float = setting(None, "hours of a day")
    unit: str = setting("", "how hours are called")
    rates: Mapping[str, Any] = setting(Factory(dict), "an hour's price")
    zone: str = setting("UTC", "whose hours", fits=lambda name: {"UTC": 0}[name] is not None)

command = click.command(help="Mine.")(lambda: print("mine"))

@click.command(help="Broken.")
def broken():
    raise ZeroDivisionError("no\\x1b[31m hours")

@click.command(help="Takes no x.")
@click.option("--x")
def unfit():
    pass

@click.command(help="Selects.")
@selection()
def selects(selected):
    pass

@click.command(help="Answers.")
def answers():
    return True

@click.command(help="Ends with a status.")
@click.pass_context
def ends(context):
    context.exit(3)

@click.command(help="Halts.")
def halts():
    raise BaseException("no hours")

@click.command(help="Leaves with a text.")
def leaves():
    raise SystemExit("no\\x1b[31m hours")

@click.command(help="Lost.")
def lost():
    open("/no/hours")
"""


def acme(program: Run, folder: Path) -> Run:
    """The program with a feature of the distribution `acme-hours`."""
    site = folder / "site"
    for name in ("acme_hours-1.0.dist-info", "acme_hours"):
        (site / name).mkdir(parents=True)
    (site / "acme_hours-1.0.dist-info" / "entry_points.txt").write_text("[tracker]\nhours = acme_hours.feature\n")
    (site / "acme_hours" / "parts.py").write_text(PARTS)
    (site / "acme_hours" / "__init__.py").write_text("")
    (folder / "tracker.toml").write_text('timezone = "UTC"\n[uat]\ncommands = []\n')

    def made(
        *arguments: str, declared: str = "", first: str = "", hooks: str = "", **extra: str
    ) -> subprocess.CompletedProcess[str]:
        code = FEATURE.format(first=first, declared=declared, hooks=hooks)
        (site / "acme_hours" / "feature.py").write_text(code)
        return program(*arguments, PYTHONPATH=str(site), PYTHONDONTWRITEBYTECODE="1", **extra)

    return made


def begin(run: Run, **more: str) -> subprocess.CompletedProcess[str]:
    pane = ("--file", str(DEMO / "status_before.txt"), "--captured-at", "2026-11-22T06:28:16Z", "--timezone", "UTC")
    done = run("start", "codex", *pane, "--window", "W0-01", "--force", **more)
    assert done.returncode == 0, done.stderr
    return done
