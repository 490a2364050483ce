"""The demonstration: the steps that the plugins declare, run as an operator would, on the captures they bundle.

The commands run in this process, because thirty programs would take half a minute.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from unittest import mock

import click
from attrs import frozen

from tracker.api import DemoStep, Source
from tracker.kernel import Interruption, PluginError, Session, TrackerError
from tracker_kit import inventory

# the first stage of the steps after the demo's own window
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
    """One command and what is piped to it; if it `is_brief`, only its result is shown."""

    arguments: tuple[str, ...]
    capture: Path | None = None
    is_brief: bool = False


class DeclaredSteps:
    """The steps that the plugins declare and that can run here, in the order in which they run.

    left_out: the commands that cannot, because their feature is not in use.
    """

    def __init__(self, session: Session) -> None:
        self.steps: list[tuple[Source, DemoStep]] = []
        self.left_out: dict[str, None] = {}
        reads_streams = any("ingest_stream" in one.hooks for one in session.registry.features)
        for source in session.registry.sources.values():
            steps = source.demo.steps if source.demo else ()
            steps = tuple(step for step in steps if self.has(step.arguments, reads_streams or not source.is_stream))
            begun = {window for step in steps if step.arguments[0] != "complete" for window in _windows(step)}
            # nothing is in a window whose other steps were left out
            self.steps += [(source, one) for one in steps if one.arguments[0] != "complete" or _windows(one) <= begun]
        self.steps.sort(key=lambda found: (found[1].stage, found[0].place, found[0].name))

    def has(self, arguments: Sequence[str], is_readable: bool = True) -> bool:
        """Whether a command can be run; one that cannot is noted."""
        if is_readable and _is_there(arguments):
            return True
        self.left_out[" ".join(takewhile(lambda word: word[:1].isalpha(), arguments[:2]))] = None
        return False


def run(session: Session, window: str) -> None:
    """Print each command before its output; end with what to type on one's own data."""
    declared = DeclaredSteps(session)
    if not any(source.is_provider for source, _ in declared.steps):
        note = (inventory.disabled(session.registry) or "").removeprefix("note: ")
        raise TrackerError(f"No installed provider has a demo. Install a provider's plugin. {note}".rstrip())
    folder = Path(tempfile.mkdtemp(prefix="tracker-demo-")).resolve()
    scenes = list(_scenes(session, declared, window, folder))
    data = folder / "data"
    click.secho(f"$ cd {folder}; export TRACKER_DATA_DIR=data\n", bold=True)
    # without the user's settings, lane or session logs
    places = {"TRACKER_DATA_DIR": data, "CODEX_HOME": folder / "codex", "CLAUDE_CONFIG_DIR": folder / "claude"}
    with mock.patch.dict(os.environ, {name: str(one) for name, one in places.items()}), contextlib.chdir(folder):
        os.environ.pop("AGENT_ID", None)
        for number, (title, steps) in enumerate(scenes, 1):
            click.secho(f"{number}. {title}\n", bold=True)
            for step in steps:
                _run(step, data)
            if steps[-1].is_brief:  # any other ends with a blank line of its own
                click.echo()
    click.echo(f"The records of this demo are in {data}")
    name = program()
    click.echo(f"Look around: {name} --data-dir {data} window-audit --window {window}\n")
    first = f"{name} start {next(iter(session.registry.providers), 'PROVIDER')}"
    click.secho("Now on your own data:", bold=True)
    click.echo(f"  {f'{name} setup':{len(first)}}  # shows what is here and offers the rest")
    click.echo(f"  {first}  # before your next piece of work; the same with `end` after it")
    if declared.left_out:
        session.note(f"note: the demo left out {', '.join(f'`tracker {words}`' for words in declared.left_out)}")


def program() -> str:
    """What the shell that ran this program calls it: in a checkout PATH does not have it."""
    if os.environ.get("UV_RUN_RECURSION_DEPTH"):
        # uv puts the environment before the PATH of the shell
        return "uv run --no-dev tracker"
    typed, found = sys.argv[0], shutil.which("tracker")
    # a name alone, or another program's, is not a path to type
    is_path = Path(typed).name == "tracker" and os.path.exists(typed)
    return shlex.quote(typed) if is_path and not (found and os.path.samefile(found, typed)) else "tracker"


def _scenes(
    session: Session, declared: DeclaredSteps, window: str, folder: Path
) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """Some commands under each heading."""
    steps = [_step(session, source, one, window, folder) for source, one in declared.steps]
    own, more = (tuple(one for one in steps if one.is_brief is is_brief) for is_brief in (False, True))
    features = [
        word
        for source in session.registry.sources.values()
        if source.is_provider and source.demo is not None and source.demo.features is not None
        for word in (f"--{source.name}-features", str(source.demo.features))
    ]
    finalize = ("complete", "--window", window, *features, "--quality", "1.0", "--outcome", "pass", "--notes", "demo")
    ends = (Step(arguments=finalize), Step(arguments=("preview", "--window", window)))
    yield f"One window: the meters before and after the work, in {window}", (*own, *ends)
    if more:
        yield "More windows, and one added later from the readings in between", more
    end = "All windows together: which plan delivers more, what the proxy saved, what to do"
    yield end, tuple(_closing(declared, window))


def _step(session: Session, source: Source, declared: DemoStep, window: str, folder: Path) -> Step:
    capture = _copy(session, source.name, declared.capture, folder) if declared.capture else None
    return Step(arguments=_named(declared.arguments, window), capture=capture, is_brief=declared.stage >= MORE)


def _closing(declared: DeclaredSteps, window: str) -> Iterator[Step]:
    """The commands that sum up, as far as they are installed and there is something to sum up."""
    # those with enough windows for an interval
    several = sorted({source.name for source, step in declared.steps if source.is_provider and step.stage >= MORE})
    has_stream = any(source.is_stream for source, _ in declared.steps)
    for words in CLOSING:
        is_idle = (words[0] == "compare" and len(several) < 2) or (words[0] == "cost-compare" and not has_stream)
        if declared.has(words) and not is_idle:
            given = [one for word in words for one in (several if word == PROVIDERS else [word])]
            yield Step(arguments=_named(given, window))


def _is_there(arguments: Sequence[str]) -> bool:
    context = click.get_current_context().find_root()
    group: click.Command | None = context.command
    # what is said of a command whose feature is not in use
    with contextlib.suppress(click.UsageError):
        for word in arguments[:2]:
            if isinstance(group, click.Group):
                group = group.get_command(context, word)
        return group is not None
    return False


def _windows(step: DemoStep) -> set[str]:
    """The windows that a step names, as it names them."""
    return {found[0] for word in step.arguments for found in WINDOW.finditer(word)}


def _named(arguments: Sequence[str], window: str) -> tuple[str, ...]:
    """The arguments with the window's id, or that of a later one."""
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
        stopped = TrackerError(f"The demo stopped: `{shown}` failed: {why.rstrip('.')}. Its data is in {data}.")
        stopped.status = error.status if isinstance(error, Interruption) else stopped.status
        raise stopped from error
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
