"""`tracker watch`: samples in the foreground."""

from __future__ import annotations

from datetime import timedelta

import click

from tracker.kernel import WritingCommand, session


@click.command("watch", cls=WritingCommand, epilog="tracker watch codex --every 15m")
@click.argument("provider", required=False)
@click.option("--every", metavar="INTERVAL", default="5m", show_default=True, help="How often: 15m, 2h or 1d.")
def command(provider: str | None, every: str) -> None:
    """Sample the meters until you stop it with Ctrl-C, and show them in one line.

    After an error it waits longer; near a reset it reads the meters every minute.
    """
    from tracker_capture.origins.process_tree import ended_on_signals
    from tracker_capture.samples import sources
    from tracker_capture.schedule import interval
    from tracker_capture.watch import watch

    here = session()
    if here.json:
        raise click.UsageError("`watch` redraws a line and has no JSON. Type `tracker --json capture --sample --all`.")
    with ended_on_signals():
        watch(here, sources(here, provider), timedelta(minutes=interval(every)))
