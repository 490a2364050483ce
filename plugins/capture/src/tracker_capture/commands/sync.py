"""`tracker sync`: readings and tokens from the vendors' session files."""

from __future__ import annotations

import click
from attrs import asdict

from tracker.kernel import WritingCommand, plural, session


@click.command("sync", cls=WritingCommand, epilog="tracker sync")
@click.argument("provider", required=False)
def command(provider: str | None) -> None:
    """Collect readings and tokens from the vendors' session files, for the meter history and for `tracker usage`.

    It reads only what was written since the last run. Running it again adds nothing.
    """
    from tracker_capture.samples import sources
    from tracker_capture.session_files import sync

    here = session()
    counts = sync(here, sources(here, provider))
    if not here.dry_run:
        # tokens and money of windows come from there; what was read before is not read again
        here.registry.first("usage_events", session=here, since=here.now, folder=None)
    if here.json:
        here.data(asdict(counts))
    else:
        found = f"{plural(counts.readings, 'reading')} in {counts.read} of {plural(counts.files, 'file')}"
        here.say(f"synced {found}; {plural(counts.new, 'row')} added to the history")
