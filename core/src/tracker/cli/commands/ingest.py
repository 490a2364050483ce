"""`tracker ingest`: one text or one stream of any source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from tracker.cli.command import WritingCommand
from tracker.cli.commands.alias import input_options, store_text
from tracker.cli.main import run_command
from tracker.cli.options import window_option
from tracker.contract.sources import REPORT, STATUS, STREAM, VIEW, Source
from tracker.errors import TrackerError
from tracker.session import Session, session

# which kind of source an option is for, and what people call the kinds
ONLY = {"phase": STATUS, "run": REPORT, "follow": STREAM, "strict": STREAM}
KINDS = {STATUS: "a provider", REPORT: "a report", STREAM: "a stream", VIEW: "a view"}


@click.command("ingest", cls=WritingCommand, epilog="tracker ingest {stream} --window W0-01 --file logs/usage.jsonl")
@click.argument("name", metavar="SOURCE")
@window_option(required=True, help="The window that it belongs to.")
@click.option("--phase", type=click.Choice(["before", "after"]), help="Before or after the work, for meters.")
@click.option("--scope", metavar="SCOPE", help="The kind of report [default: what the report says].")
@input_options
@click.option("--run", is_flag=True, help="Run the program that prints the report, and take in what it prints.")
@click.option("--follow", is_flag=True, help="Keep reading a file as it grows, also when it is rotated.")
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
    name, scope = source.name, given["scope"]
    for option, kind in ONLY.items():
        if given[option] and source.kind != kind:
            what = f"{name} is {KINDS[source.kind]}. Expected {KINDS[kind]}."
            raise click.UsageError(f"--{option} does not fit: {what} Leave --{option} out.")
    if scope and scope not in source.scopes:
        known = f"Expected {', '.join(source.scopes)}." if source.scopes else "Expected none. Leave --scope out."
        raise click.UsageError(f"Invalid scope {scope!r} of {name}. {known}")
    if given["run"] and (given["use_stdin"] or given["path"] is not None):
        raise click.UsageError("--run reads what the program prints. Leave out --stdin and --file.")
    if source.kind == STATUS and given["phase"] is None:
        raise click.UsageError(f"The phase of {name} is missing. Type --phase before or --phase after.")


def _ingest_stream(here: Session, source: Source, given: Mapping[str, Any]) -> None:
    from tracker.contract.features import StreamInput

    more = {key: given[key] for key in ("use_stdin", "notes", "follow", "strict")}
    stream = StreamInput(path=None if given["path"] is None else str(given["path"]), **more)
    window = given["window"]
    if here.registry.first("ingest_stream", session=here, source=source, window=window, given=stream) is None:
        from tracker.hosting.discovery import owner

        raise TrackerError(f"The stream {source.name} cannot be read. {owner('hooks', 'ingest_stream') or ''}".strip())
