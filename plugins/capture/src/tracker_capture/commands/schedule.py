"""`tracker schedule`: what makes a machine capture by itself."""

from __future__ import annotations

import click

from tracker.kernel import Command, Group, session


class ScheduleGroup(Group):
    command_class = Command


@click.group("schedule", cls=ScheduleGroup)
def command() -> None:
    """Print what makes cron, systemd or launchd capture at the right moments."""


@command.command("print")
@click.argument("provider", required=False)
@click.option("--every", metavar="INTERVAL", help="Capture every so often: 15m, 2h, 1d.")
@click.option("--at-reset", metavar="PROVIDER", help="Capture it when the buffers after its coming resets are over.")
@click.option("--format", "form", type=click.Choice(["cron", "systemd", "launchd"]), default="cron", show_default=True)
@click.option(
    "--phase",
    type=click.Choice(["before", "after", "auto"]),
    default="auto",
    show_default=True,
    help="What to capture.",
)
def print_(provider: str | None, every: str | None, at_reset: str | None, form: str, phase: str) -> None:
    """Print a schedule for one provider, or for all that can be read by themselves; nothing is installed."""
    from tracker_capture.schedule_formats import FORMATS
    from tracker_capture.scheduling import minutes, plans

    here = session()
    if (every is None) == (at_reset is None):
        raise click.UsageError("give --every INTERVAL or --at-reset PROVIDER")
    if at_reset is not None and provider not in (None, at_reset):
        raise click.UsageError(f"--at-reset names {at_reset}; {provider} is one too many")
    named = at_reset or provider
    if named is not None:
        sources = [here.source(named, kinds=["status"])]
    else:
        sources = [source for source in here.registry.sources.values() if source.kind == "status" and source.origins]
    found = plans(here, sources, None if every is None else minutes(every), phase)
    click.echo(FORMATS[form](found), nl=False)
    if form == "launchd":
        for comment in found[0].comments:
            here.note(f"note: {comment}")
