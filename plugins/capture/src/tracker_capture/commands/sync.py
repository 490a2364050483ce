"""`tracker sync`: the readings that stand in the vendors' session files."""

from __future__ import annotations

import click
from attrs import asdict

from tracker.kernel import WritingCommand, plural, session


@click.command("sync", cls=WritingCommand, epilog="tracker sync")
@click.argument("provider", required=False)
def command(provider: str | None) -> None:
    """Add the readings in the vendors' session files to the meter history. Running it again adds nothing."""
    from tracker_capture.samples import sources
    from tracker_capture.session_files import sync

    here = session()
    counts = sync(here, sources(here, provider))
    if here.json:
        here.data(asdict(counts))
    else:
        found = f"{plural(counts.readings, 'reading')} in {counts.read} of {plural(counts.files, 'file')}"
        here.say(f"synced {found}; {plural(counts.new, 'row')} added to the history")
