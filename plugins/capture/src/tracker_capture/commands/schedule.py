"""`tracker schedule`: a job that samples the meters at regular times."""

from __future__ import annotations

import click

from tracker.kernel import Group, session


@click.group("schedule", cls=Group, epilog="tracker schedule print --every 15m")
def command() -> None:
    """Print a cron, systemd or launchd job that samples the meters."""


@command.command("print", epilog="tracker schedule print codex --every 15m")
@click.argument("provider", required=False)
@click.option("--every", metavar="INTERVAL", default="15m", show_default=True, help="How often: 15m, 2h or 1d.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["cron", "systemd", "launchd"]),
    default="cron",
    show_default=True,
    help="For which scheduler.",
)
def print_(provider: str | None, every: str, form: str) -> None:
    """Print a job that samples one provider, or all. Nothing is installed, and no window is opened or closed."""
    from tracker_capture import samples, schedule

    here = session()
    if here.json:
        raise click.UsageError("A job is printed in its scheduler's own format. Leave out --json.")
    wanted = samples.sources(here, provider)
    click.echo(schedule.text(here, provider, wanted, schedule.interval(every), form), nl=False)
    for needed in schedule.keys(wanted):
        here.note(f"note: {needed}")
