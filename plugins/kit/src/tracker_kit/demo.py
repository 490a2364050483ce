"""The demonstration: the steps that the plugins declare, run as an operator would, on the captures they bundle.

The commands run in this process, because thirty programs would take half a minute.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from unittest import mock

import click
from attrs import frozen

from tracker.kernel import PluginError, Session, TrackerError

# the first stage of the steps behind the demo's own window
MORE = 50
WINDOW = re.compile(r"\{window(?:\+(\d))?\}")
PROVIDERS = "{providers}"
CLOSING = (
    ("preview",),
    ("compare", PROVIDERS),
    ("cost-compare", "--window", "{window}"),
    ("decision-card", "--window", "{window}"),
)


@frozen(kw_only=True)
class Step:
    """One command and what is piped to it; of one that `is_brief` only the result is shown."""

    arguments: tuple[str, ...]
    capture: Path | None = None
    is_brief: bool = False


@frozen(kw_only=True)
class Scene:
    """Some commands under a heading."""

    title: str
    steps: tuple[Step, ...]


def run(session: Session, window: str) -> None:
    """Print each command before its output; end with what to type on one's own data."""
    folder = Path(tempfile.mkdtemp(prefix="tracker-demo-")).resolve()
    scenes = list(_scenes(session, window, folder))
    if not any(scene.steps for scene in scenes):
        raise TrackerError("No installed plugin has a demo. Install a provider's plugin.")
    data = folder / "data"
    click.secho(f"$ cd {folder}; export TRACKER_DATA_DIR=data\n", bold=True)
    # without the user's settings, lane or session logs
    places = {"TRACKER_DATA_DIR": data, "CODEX_HOME": folder / "codex", "CLAUDE_CONFIG_DIR": folder / "claude"}
    with mock.patch.dict(os.environ, {name: str(one) for name, one in places.items()}), contextlib.chdir(folder):
        os.environ.pop("AGENT_ID", None)
        for number, scene in enumerate(scenes, 1):
            click.secho(f"{number}. {scene.title}\n", bold=True)
            for step in scene.steps:
                _run(step, data)
            if scene.steps[-1].is_brief:  # any other ends with a blank line of its own
                click.echo()
    click.echo(f"The records of this demo are in {data}")
    click.echo(f"Look around: tracker --data-dir {data} window-audit --window {window}\n")
    first = f"tracker start {next(iter(session.registry.providers), 'PROVIDER')}"
    click.secho("Now on your own data:", bold=True)
    click.echo(f"  {'tracker setup':{len(first)}}  # shows what is here and offers the rest")
    click.echo(f"  {first}  # before your next piece of work; `tracker end` after it")


def _scenes(session: Session, window: str, folder: Path) -> Iterator[Scene]:
    steps = list(_steps(session, window, folder))
    own = tuple(step for stage, step in steps if stage < MORE)
    features = [
        word
        for source in session.registry.sources.values()
        if source.is_provider and source.demo is not None and source.demo.features is not None
        for word in (f"--{source.name}-features", str(source.demo.features))
    ]
    if not own:
        return
    finalize = ("complete", "--window", window, *features, "--quality", "1.0", "--outcome", "pass", "--notes", "demo")
    ends = (Step(arguments=finalize), Step(arguments=("preview", "--window", window)))
    yield Scene(title=f"One window: the meters before and after the work, in {window}", steps=(*own, *ends))
    more = tuple(step for stage, step in steps if stage >= MORE)
    if more:
        yield Scene(title="More windows, and one from the readings in between, after the fact", steps=more)
    yield Scene(
        title="What they say together: which plan delivers more, what the proxy saved, what to do",
        steps=tuple(_closing(session, window)),
    )


def _closing(session: Session, window: str) -> Iterator[Step]:
    """The commands that sum up, as far as they are installed."""
    # those of which there are enough windows for an interval
    several = [
        source.name
        for source in session.registry.providers.values()
        if source.demo and any(step.stage >= MORE for step in source.demo.steps)
    ]
    for words in CLOSING:
        if words[0] == "compare" and len(several) < 2:
            continue
        if _is_there(click.get_current_context().find_root(), words):
            given = [one for word in words for one in (several if word == PROVIDERS else [word])]
            yield Step(arguments=_named(given, window))


def _steps(session: Session, window: str, folder: Path) -> Iterator[tuple[int, Step]]:
    """The plugins' steps with their stages, in the order in which they run."""
    declared = []
    root = click.get_current_context().find_root()
    for source in session.registry.sources.values():
        for place, step in enumerate(source.demo.steps if source.demo else ()):
            if not _is_there(root, step.arguments):
                continue
            capture = _copy(session, source.name, step.capture, folder) if step.capture else None
            made = Step(arguments=_named(step.arguments, window), capture=capture, is_brief=step.stage >= MORE)
            declared.append((step.stage, source.place, source.name, place, made))
    declared.sort(key=lambda found: found[:4])
    yield from ((stage, step) for stage, _, _, _, step in declared)


def _is_there(root: click.Context, arguments: Sequence[str]) -> bool:
    group: click.Command | None = root.command
    for word in arguments[:2]:
        if not isinstance(group, click.Group):
            break
        group = group.get_command(root, word) if word in group.list_commands(root) else None
    return group is not None


def _named(arguments: Sequence[str], window: str) -> tuple[str, ...]:
    """The arguments with the window's id, or that of one behind it."""
    head, number = re.fullmatch(r"(.*?)(\d*)", window).groups()  # type: ignore[union-attr]

    def later(found: re.Match[str]) -> str:
        return window if not found[1] else f"{head}{int(number or 0) + int(found[1]):0{len(number)}}"

    return tuple(WINDOW.sub(later, argument) for argument in arguments)


def _run(step: Step, data: Path) -> None:
    """Print a command and run it; its failure ends the demo."""
    shown = shlex.join(("tracker", *step.arguments))
    click.secho(f"$ {f'cat {os.path.relpath(step.capture)} | ' if step.capture else ''}{shown}", bold=True)
    root = click.get_current_context().find_root().command
    text = open(step.capture or os.devnull, encoding="utf-8")  # noqa: SIM115
    notes = io.StringIO()
    sys.stdout.flush()
    before, sys.stdin = sys.stdin, text
    try:
        # the context makes a new session, as a new program would
        with contextlib.redirect_stderr(notes if step.is_brief else sys.stdout):
            root.main(list(step.arguments), prog_name="tracker", standalone_mode=False)
    except (click.ClickException, TrackerError) as error:
        why = error.format_message() if isinstance(error, click.ClickException) else str(error)
        raise TrackerError(f"The demo stopped: `{shown}` failed: {why} Its data is in {data}.") from error
    finally:
        sys.stdin = before
        text.close()
    if not step.is_brief:
        click.echo()


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
