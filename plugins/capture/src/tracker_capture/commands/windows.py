"""`tracker windows add`: a window after the fact."""

from __future__ import annotations

from datetime import datetime

import click

from tracker.kernel import WritingCommand, moment, session


@click.command(
    "add",
    cls=WritingCommand,
    epilog="tracker windows add W0-09 --from 2026-11-26T11:30:00Z --to 2026-11-26T14:00:00Z --provider codex",
)
@click.argument("window", metavar="W")
@click.option("--from", "start", metavar="TIME", required=True, callback=moment, help="When the work began.")
@click.option("--to", "end", metavar="TIME", required=True, callback=moment, help="When it ended.")
@click.option("--provider", "providers", multiple=True, metavar="P", help="Only this provider; may be repeated.")
@click.option("--stale-ok", is_flag=True, help="Accept readings that are far from both times.")
@click.option("--notes", metavar="TEXT", help="Anything to remember.")
def command(
    window: str, start: datetime, end: datetime, providers: tuple[str, ...], stale_ok: bool, notes: str | None
) -> None:
    """Make a window from the readings around two times: BEFORE and AFTER of each provider."""
    from tracker_capture import windows

    here = session()
    for draft in windows.drafts(here, window, providers, start, end, stale_ok=stale_ok):
        windows.save(here, window, draft, notes)
        for meter, part in draft.parts.items():
            here.note(
                f"note: {draft.source.name} {meter} was reset in between: {part['delta']} % is the sum of the parts;"
                f" at most {part['not_covered_at_most']} % more is not covered"
            )
        if shared := windows.overlapping(here, window, draft.source):
            here.note(
                f"note: {window} overlaps {', '.join(shared)} on the {draft.source.name} meter: finalized, it would"
                " take all of them out of the figures. `tracker undo` takes it back"
            )
