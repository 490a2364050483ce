"""`tracker capture`: a provider's meters from where the vendor keeps them, without pasting."""

from __future__ import annotations

import click

from tracker.kernel import WritingCommand, session, window_option


@click.command("capture", cls=WritingCommand, epilog="tracker capture codex --phase before")
@click.argument("provider", required=False)
@click.option(
    "--phase",
    type=click.Choice(["before", "after", "cross", "auto"]),
    default="auto",
    show_default=True,
    help="auto: AFTER if this lane has the provider's window open, else BEFORE.",
)
@window_option(help="The window [default: the open one, or the next].")
@click.option("--from", "origin", metavar="ORIGIN", help="Ask only this origin; stdin takes a pane that you pipe.")
@click.option("--scope", metavar="SCOPE", help="The kind of report [default: the plugin's].")
@click.option("--stale-ok", is_flag=True, help="Accept an old reading for an AFTER; it is tagged.")
@click.option("--wait", is_flag=True, help="Wait until the buffer after a reset is over and an origin is ready.")
@click.option("--notes", metavar="TEXT", help="Anything to remember.")
@click.option("--timezone", metavar="ZONE", help="The zone of times without one [default: the setting `timezone`].")
@click.option("--force", is_flag=True, help="Store it even if a rule forbids it; the record says so.")
@click.option("--list", "is_list", is_flag=True, help="Store nothing: show each origin and what it would answer now.")
@click.option("--sample", is_flag=True, help="Add the meters to the history; no window is opened or closed.")
@click.option("--all", "is_all", is_flag=True, help="With --sample: every provider, side by side.")
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
    sample: bool,
    is_all: bool,
    scope: str | None,
) -> None:
    """Read a provider's meters from where its programs keep them, and store them as a snapshot."""
    from tracker_capture import origin_list, report, samples, snapshot
    from tracker_capture.origins.process_tree import ended_on_signals

    here = session()
    if is_all and (provider or not sample):
        raise click.UsageError("--all works only with --sample, and without a provider.")
    with ended_on_signals():
        if is_list:
            # Nothing is written, not even to the command log.
            here.dry_run = True
            origin_list.show(here, samples.sources(here, provider), origin, timezone)
            return
        if sample:
            if phase != "auto" or window or wait or stale_ok or notes or force or not (provider or is_all):
                raise click.UsageError(
                    "--sample needs a provider or --all, and takes only --from and --timezone: it touches no window."
                )
            if origin == "stdin":
                raise click.UsageError(
                    "A pane on stdin belongs to a window. Leave out --sample, or name another origin."
                )
            samples.take(here, samples.sources(here, provider), origin, timezone)
            return
        if provider is None:
            raise click.UsageError("Missing provider. `tracker capture --list` shows all of them.")
        source = here.source(provider, kinds=["status", "report"])
        if source.kind == "report":
            report.store_printed(here, source, window, scope, notes, timezone, force=force)
            return
        options = snapshot.Options(
            source=source,
            phases=snapshot.phases_of(here, source, phase, window),
            window=window,
            notes=notes,
            timezone=timezone,
            origin=origin,
            wait=wait,
            stale_ok=stale_ok,
            force=force,
        )
        snapshot.capture(here, options)
