"""`tracker ingest`: one text or one stream of any source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from tracker.cli.command import WritingCommand, run_command
from tracker.cli.commands.alias import store_text
from tracker.cli.options import window_option
from tracker.cli.text_input import input_options
from tracker.contract.sources import Source
from tracker.errors import TrackerError
from tracker.session import Session, session


@click.command("ingest", cls=WritingCommand, epilog="tracker ingest {stream} --window W0-01 --file logs/usage.jsonl")
@click.argument("name", metavar="SOURCE")
@window_option(required=True, help="The window that it belongs to.")
@click.option("--phase", type=click.Choice(["before", "after"]), help="For a provider's meters.")
@click.option("--scope", metavar="SCOPE", help="Which report it is [default: as the report says].")
@input_options
@click.option("--run", is_flag=True, help="Run the program that prints the report, and take in what it prints.")
@click.option("--follow", is_flag=True, help="Keep reading a file as it grows, through rotation (polls).")
@click.option("--strict", is_flag=True, help="End with status 1 if lines of a stream were rejected.")
def command(name: str, **given: Any) -> None:
    """Take in one text or stream of any source."""
    here = session()
    source = here.source(name)
    _check(source, given)
    if source.is_stream:
        _ingest_stream(here, source, given)
    elif given["run"]:
        more = {key: given[key] for key in ("window", "scope", "notes", "timezone", "force")}
        run_command("capture", provider=name, **more)
    else:
        phases = (given["phase"],) if given["phase"] else ()
        store_text(source, phases, given, scope=given["scope"], origin="ingest")


def _check(source: Source, given: Mapping[str, Any]) -> None:
    """Refuse options that do not go with the kind of source."""
    name, kind, scope = source.name, source.kind, given["scope"]
    if given["phase"] and kind != "status":
        raise click.UsageError(f"--phase is for providers' meters; {name} is a {kind}")
    if scope and scope not in source.scopes:
        known = f"its scopes are {', '.join(source.scopes)}" if source.scopes else "it has no scopes"
        raise click.UsageError(f"{name} knows no scope {scope!r}; {known}")
    if (given["follow"] or given["strict"]) and not source.is_stream:
        raise click.UsageError(f"--follow and --strict are for streams; {name} is a {kind}")
    if given["run"] and kind != "report":
        raise click.UsageError(f"--run is for reports; {name} is a {kind}")
    if given["run"] and (given["use_stdin"] or given["path"] is not None):
        raise click.UsageError("--run takes what the program prints: without --stdin and --file")
    if kind == "status" and given["phase"] is None:
        raise click.UsageError(f"{name} is read before and after the work: give --phase before or --phase after")


def _ingest_stream(here: Session, source: Source, given: Mapping[str, Any]) -> None:
    from tracker.contract.features import StreamInput

    more = {key: given[key] for key in ("use_stdin", "notes", "follow", "strict")}
    stream = StreamInput(path=None if given["path"] is None else str(given["path"]), **more)
    window = given["window"]
    if here.registry.first("ingest_stream", session=here, source=source, window=window, given=stream) is None:
        from tracker.hosting.discovery import owner

        raise TrackerError(f"The stream {source.name} cannot be read. {owner('hooks', 'ingest_stream') or ''}".strip())
