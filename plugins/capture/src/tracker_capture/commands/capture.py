"""`tracker capture`: a provider's meters from where the vendor keeps them, without pasting."""

from __future__ import annotations

import click

from tracker.kernel import WritingCommand, session, state_dir_option, waiting_options


@click.command("capture", cls=WritingCommand)
@click.argument("provider", required=False)
@click.option(
    "--phase",
    type=click.Choice(["before", "after", "cross", "auto"]),
    default="auto",
    show_default=True,
    help="auto: AFTER where this lane has the provider's window open, else BEFORE.",
)
@click.option("--window", metavar="W", help="The window [default: the open one, or the next].")
@click.option("--from", "origin", metavar="ORIGIN", help="Ask this origin alone; stdin is a pane that is piped.")
@click.option("--scope", metavar="SCOPE", help="Which report to ask for [default: the declared].")
@waiting_options
@click.option("--notes", metavar="TEXT", help="Anything to remember.")
@click.option("--timezone", metavar="ZONE", help="The zone of times that name none [default: this machine's].")
@click.option("--force", is_flag=True, help="Store it although a rule forbids it; the record says so.")
@click.option("--list", "is_list", is_flag=True, help="Store nothing: show each origin and what it would answer now.")
@state_dir_option
def command(
    provider: str | None,
    phase: str,
    window: str | None,
    origin: str | None,
    wait: bool,
    stale_ok: bool,
    notes: str | None,
    timezone: str | None,
    force: bool,
    is_list: bool,
    scope: str | None,
) -> None:
    """Read a provider's meters from where its programs keep them, and store them as a snapshot."""
    from tracker.kernel import stored_message
    from tracker_capture.automation import Wish, capture, phases_of

    here = session()
    if is_list:
        from tracker_capture.listing import show

        here.dry_run = True  # nothing is written, nor noted in the command log
        statuses = [source for source in here.registry.sources.values() if source.kind == "status"]
        show(here, [here.source(provider, kinds=["status"])] if provider else statuses, origin, timezone)
        return
    if provider is None:
        raise click.UsageError("name a provider, or use --list to see them")
    source = here.source(provider)
    if source.kind == "report":
        from tracker_capture.running import store_printed

        store_printed(here, source, window, scope, notes, timezone, force=force)
        return
    source = here.source(provider, kinds=["status"])
    wish = Wish(
        source=source,
        phases=phases_of(here, source, phase, window),
        window=window,
        notes=notes,
        timezone=timezone,
        origin=origin,
        wait=wait,
        stale_ok=stale_ok,
        force=force,
    )
    stored_message(here, source, capture(here, wish))
