"""`tracker alias`: the operator's captures. `tracker ingest`: one text or one stream of any source."""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import click

from tracker.cli.command import WritingCommand
from tracker.cli.main import Group, find
from tracker.cli.options import moment, take_text, window_option
from tracker.contract.sources import REPORT, STATUS, STREAM, Source
from tracker.errors import TrackerError
from tracker.hosting.discovery import owner
from tracker.session import session

FILE = click.Path(path_type=Path)
ORIGIN = "Who or what made the record, such as your script's name."
WAIT = "Wait until the buffer after a reset is over, and for an origin that is not ready."
TIME = "When it was captured: ISO 8601, `yesterday 14:00` or `-2h` [default: now]."
ZONE = "The zone of times without one [default: the setting `timezone`]."
# which kinds of source an option is for, and what people call the kinds
ONLY = {"phase": [STATUS], "run": [REPORT], "follow": [STREAM], "strict": [STREAM], "timezone": [STATUS, REPORT]}
KINDS = {STATUS: "a provider", REPORT: "a report", STREAM: "a stream"}


def input_options(function: Any) -> Any:
    @wraps(function)
    def command(file: Path | None, path: Path | None, **given: Any) -> Any:
        if file is not None and path is not None:
            raise click.UsageError("Two files are given. Name one, as an argument or with --file.")
        return function(path=path or file, **given)

    options = (
        click.argument("file", required=False, type=FILE),
        click.option("--stdin", "use_stdin", is_flag=True, help="Read the text from standard input."),
        click.option("--file", "path", type=FILE, metavar="PATH", help="Read it from a file."),
        click.option("--notes", metavar="TEXT", help="Anything to remember."),
        click.option("--captured-at", metavar="TIME", callback=moment, help=TIME),
        # eager, because it is the zone of the other option
        click.option("--timezone", metavar="ZONE", is_eager=True, help=ZONE),
        click.option("--force", is_flag=True, help="Store it even if a rule forbids it; the record says so."),
    )
    for option in reversed(options):
        option(command)
    return command


@click.group("alias", cls=Group, epilog="tracker start {provider} pane.txt")
def command() -> None:
    """Capture a provider's meters: start, end, cross."""


def _capture(verb: str, phases: tuple[str, ...], about: str) -> click.Command:
    @command.command(verb, cls=WritingCommand, help=about, epilog=f"tracker {verb} {{provider}} pane.txt")
    @click.argument("provider")
    @window_option(help=f"The window [default: the open one{', or the next' if verb == 'start' else ''}].")
    @input_options
    @click.option("--auto", is_flag=True, help="Read the provider's own origins, as `tracker capture` does.")
    @click.option("--wait", is_flag=True, help=WAIT)
    @click.option("--stale-ok", is_flag=True, help="Accept an old reading for an AFTER; it is tagged.")
    @click.option("--source", "origin", default="alias", metavar="S", show_default=True, help=ORIGIN)
    def run(provider: str, auto: bool, wait: bool, stale_ok: bool, **given: Any) -> None:
        source = session().source(provider, kinds=["status"])
        if auto:
            if given["use_stdin"] or given["path"] or given["captured_at"] is not None or given["origin"] != "alias":
                why = "--auto reads the meters now. Leave out --stdin, the file, --captured-at and --source."
                raise click.UsageError(why)
            more = {name: given[name] for name in ("window", "notes", "timezone", "force")}
            more |= {"provider": provider, "phase": "cross" if len(phases) > 1 else phases[0]}
            click.get_current_context().invoke(find("capture"), wait=wait, stale_ok=stale_ok, **more)
        elif wait or stale_ok:
            raise click.UsageError("--wait and --stale-ok need --auto, which reads the meters itself. Add --auto.")
        else:
            store_text(source, phases, given, origin=given["origin"], needs_before=True)

    return run


def store_text(
    source: Source, phases: tuple[str, ...], given: Mapping[str, Any], scope: str | None = None, **more: Any
) -> None:
    """Read the text that the options name, and store what its source reads in it."""
    from tracker.windows.captures import read_text
    from tracker.windows.window import CaptureRequest, store

    here = session()
    at, timezone = given["captured_at"] or here.now, given["timezone"]
    # what is wrong with the settings or the data is said before somebody pastes, and long streams are read until then
    here.zone  # noqa: B018
    here.index.catch_up(here.journal.streams())
    text = take_text(given["use_stdin"], given["path"])
    reading = read_text(here, source, text, at, timezone, scope)
    more |= {name: given[name] for name in ("window", "notes", "force")}
    store(here, CaptureRequest(source=source, phases=phases, reading=reading, text=text, captured_at=at, **more))


# `tracker start PROVIDER` is `tracker alias start PROVIDER`
start = _capture("start", ("before",), "Store a pane as BEFORE. It opens a window, or joins the one that is open.")
end = _capture("end", ("after",), "Store a pane as AFTER. It closes the open window, which needs a BEFORE.")
cross = _capture("cross", ("after", "before"), "Store a pane as AFTER and as the next window's BEFORE.")


@click.command("ingest", cls=WritingCommand, epilog="tracker ingest {stream} --window W0-01 --file logs/usage.jsonl")
@click.argument("name", metavar="SOURCE", callback=lambda _, _param, name: session().source(name, kinds=KINDS).name)
@window_option(required=True, help="The window to store it in.")
@click.option("--phase", type=click.Choice(["before", "after"]), help="Before or after the work, for meters.")
@click.option("--scope", metavar="SCOPE", help="The kind of report [default: taken from the report].")
@input_options
@click.option("--run", is_flag=True, help="Run the program that prints the report, and take in what it prints.")
@click.option("--follow", is_flag=True, help="Keep reading a file as it grows, even after it is rotated.")
@click.option("--strict", is_flag=True, help="End with status 1 if lines of a stream were rejected.")
def ingest(name: str, **given: Any) -> None:
    """Store one text or stream from any source."""
    here = session()
    source = here.source(name)
    _check_fit(source, given)
    if source.is_stream:
        from tracker.contract.events import StreamInput

        more = {key: given[key] for key in ("use_stdin", "notes", "follow", "strict")}
        stream = StreamInput(path=None if given["path"] is None else str(given["path"]), **more)
        asked = {"source": source, "window": given["window"], "given": stream}
        if here.registry.first("ingest_stream", session=here, **asked) is None:
            raise TrackerError(f"The stream {name} cannot be read. {owner('hooks', 'ingest_stream')}".strip())
    elif given["run"]:
        more = {key: given[key] for key in ("window", "scope", "notes", "timezone", "force")}
        click.get_current_context().invoke(find("capture"), provider=name, **more)
    else:
        store_text(source, (given["phase"],) if given["phase"] else (), given, given["scope"], origin="ingest")


def _check_fit(source: Source, given: Mapping[str, Any]) -> None:
    name, scope = source.name, given["scope"]
    for option, kinds in ONLY.items():
        if given[option] and source.kind not in kinds:
            what = f"{name} is {KINDS[source.kind]}. Expected {' or '.join(map(KINDS.__getitem__, kinds))}."
            raise click.UsageError(f"--{option} does not fit: {what} Leave --{option} out.")
    if scope and scope not in source.scopes:
        known = f"Expected {', '.join(source.scopes)}." if source.scopes else "Expected none. Leave --scope out."
        raise click.UsageError(f"Invalid scope {scope!r} for {name}. {known}")
    if given["run"] and (given["use_stdin"] or given["path"] is not None):
        raise click.UsageError("--run reads what the program prints. Leave out --stdin and the file.")
    if source.kind == STATUS and given["phase"] is None:
        raise click.UsageError(f"{name} needs a phase. Type --phase before or --phase after.")
