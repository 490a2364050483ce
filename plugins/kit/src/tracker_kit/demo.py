"""The demonstration: the steps that the plugins declare, run as an operator would, on the captures they bundle."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import click
from attrs import frozen

from tracker.kernel import PluginError, Session, TrackerError


@frozen
class Step:
    """One command and what is piped to it."""

    arguments: tuple[str, ...]
    capture: Path | None = None


def run(session: Session, window: str) -> None:
    """Print each command before its output; end with the preview and the data's folder."""
    folder = Path(tempfile.mkdtemp(prefix="tracker-demo-"))
    steps = _steps(session, window, folder)
    if not steps:
        raise TrackerError("No installed plugin has a demo. Install a provider's plugin.")
    data = folder / "data"
    environment = {key: value for key, value in os.environ.items() if key != "AGENT_ID"}
    environment["TRACKER_DATA_DIR"] = str(data)
    for step in steps:
        shown = shlex.join(("tracker", *step.arguments))
        click.secho(f"$ {f'cat {step.capture} | ' if step.capture else ''}{shown}", bold=True)
        sys.stdout.flush()
        done = subprocess.run(
            [sys.executable, "-m", "tracker.cli", *step.arguments],
            input=step.capture.read_bytes() if step.capture else b"",
            env=environment,
            cwd=folder,
            check=False,
        )
        if done.returncode:
            raise TrackerError(
                f"The demo stopped: `{shown}` ended with status {done.returncode}. Its data is in {data}."
            )
        click.echo()
    click.echo(f"The records of this demo are in {data}")
    click.echo(f"Look around: tracker --data-dir {data} window-audit --window {window}")


def _steps(session: Session, window: str, folder: Path) -> list[Step]:
    """The plugins' steps by stage, then `complete` with the features that they declare, and `preview`."""
    declared = []
    features: list[str] = []
    for source in session.registry.sources.values():
        if source.demo is None:
            continue
        for place, step in enumerate(source.demo.steps):
            arguments = tuple(argument.replace("{window}", window) for argument in step.arguments)
            capture = _copy(session, source.name, step.capture, folder) if step.capture else None
            declared.append((step.stage, source.place, source.name, place, Step(arguments, capture)))
        if source.is_provider and source.demo.features is not None:
            features += [f"--{source.name}-features", str(source.demo.features)]
    if not declared:
        return []
    declared.sort(key=lambda found: found[:4])
    finalize = ("complete", "--window", window, *features, "--quality", "1.0", "--outcome", "pass", "--notes", "demo")
    return [*(step for *_, step in declared), Step(finalize), Step(("preview", "--window", window))]


def _copy(session: Session, source: str, name: str, folder: Path) -> Path:
    """A bundled capture as a file beside the data."""
    package = session.registry.package(source)
    target = folder / "captures" / source / Path(name).name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.write_bytes(files(package).joinpath(name).read_bytes())
    except (OSError, TypeError) as error:
        raise PluginError(source, f"bundle its demo's {name}", error) from error
    return target
