"""`tracker ingest`: one text or one stream of any source."""

from __future__ import annotations

from pathlib import Path

import click

from tracker.cli.command import WritingCommand, run_command
from tracker.cli.text_input import capture_time, input_options, read_text, take_text
from tracker.errors import TrackerError
from tracker.session import session


@click.command("ingest", cls=WritingCommand, epilog="tracker ingest {stream} --window W0-01 --file logs/usage.jsonl")
@click.argument("name", metavar="SOURCE")
@click.option("--window", required=True, metavar="W", help="The window that it belongs to.")
@click.option("--phase", type=click.Choice(["before", "after"]), help="For a provider's meters.")
@click.option("--scope", metavar="SCOPE", help="Which report it is [default: as the report says].")
@input_options
@click.option(
    "--run", "is_run", is_flag=True, help="Run the program that prints the report, and take in what it prints."
)
@click.option("--follow", is_flag=True, help="Keep reading a file as it grows, through rotation (polls).")
@click.option("--strict", is_flag=True, help="End with status 1 where lines of a stream were rejected.")
def command(
    name: str,
    window: str,
    phase: str | None,
    scope: str | None,
    use_stdin: bool,
    path: Path | None,
    notes: str | None,
    captured_at: str | None,
    timezone: str | None,
    force: bool,
    is_run: bool,
    follow: bool,
    strict: bool,
) -> None:
    """Take in one text or stream of any source."""
    here = session()
    source = here.source(name)
    if phase and source.kind != "status":
        raise click.UsageError(f"--phase is for providers' meters; {source.name} is a {source.kind}")
    if scope and scope not in source.scopes:
        known = f"its scopes are {', '.join(source.scopes)}" if source.scopes else "it has no scopes"
        raise click.UsageError(f"{source.name} knows no scope {scope!r}; {known}")
    if (follow or strict) and not source.is_stream:
        raise click.UsageError(f"--follow and --strict are for streams; {source.name} is a {source.kind}")
    if is_run and source.kind != "report":
        raise click.UsageError(f"--run is for reports; {source.name} is a {source.kind}")
    if source.is_stream:
        from tracker.contract.features import StreamInput

        stream = StreamInput(
            path=None if path is None else str(path), use_stdin=use_stdin, notes=notes, follow=follow, strict=strict
        )
        if here.registry.first("ingest_stream", session=here, source=source, window=window, given=stream) is None:
            from tracker.hosting.features import owner

            raise TrackerError(
                f"The stream {source.name} cannot be read. {owner('hooks', 'ingest_stream') or ''}".strip()
            )
        return
    at = capture_time(captured_at, here.now, timezone or here.config.timezone)
    if source.kind == "status" and phase is None:
        raise click.UsageError(f"{source.name} is read before and after the work: give --phase before or --phase after")
    if is_run:
        if use_stdin or path is not None:
            raise click.UsageError("--run takes what the program prints: without --stdin and --file")
        run_command("capture", provider=name, window=window, scope=scope, notes=notes, timezone=timezone, force=force)
        return
    text = take_text(use_stdin, path)
    reading = read_text(here, source, text, at, timezone, scope)
    from tracker.windows.store import CaptureRequest, store

    store(
        here,
        CaptureRequest(
            source=source,
            phases=(phase,) if phase else (),
            reading=reading,
            text=text,
            captured_at=at,
            origin="ingest",
            window=window,
            notes=notes,
            force=force,
        ),
    )
