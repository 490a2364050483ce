"""`tracker decision-card`: GO, SOFT GO or NO-GO."""

from __future__ import annotations

import click

from tracker.kernel import Command, Windows, session, window_option


@click.command("decision-card", cls=Command, epilog="tracker decision-card --window W0-01")
@window_option(required=True)
@click.option("--exit-code", is_flag=True, help="End with status 0 for GO, 3 for SOFT GO, 4 for NO-GO.")
def command(window: str, exit_code: bool) -> None:
    """Say GO, SOFT GO or NO-GO for a window, with the reasons."""
    from tracker_ledgers.card import STATUS, card, document, lines

    here = session()
    found = card(here, window)
    Windows(here).note_missing(Windows(here).missing_plugins([window]))
    if here.json:
        here.data(document(found))
    else:
        here.show("\n".join(lines(found)), has_cures=True)
    if exit_code:
        click.get_current_context().exit(STATUS[found.verdict])
