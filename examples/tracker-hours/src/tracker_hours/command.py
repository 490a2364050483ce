"""`tracker hours`."""

from __future__ import annotations

import click
from tracker.kernel import Command, Windows, csv_line, session

from tracker_hours.table import NAME, read


@click.command("hours", cls=Command)
def command() -> None:
    """Show the hours worked per window, and the features per hour."""
    here = session()
    hours, rows = read(here), Windows(here).finalized()
    if not hours:
        here.note(f"No hours. Add {here.root / NAME} with the columns window and hours.")
    found = []
    for window, worked in sorted(hours.items()):
        features = sum(rows[window].features.values()) if window in rows else None
        rate = round(features / worked, 2) if features is not None and worked > 0 else None
        found.append({"window": window, "hours": worked, "features": features, "features_per_hour": rate})
    if here.json:
        here.data(found)
        return
    here.say("window,hours,features,features_per_hour")
    for row in found:
        here.say(csv_line(list(row.values()), end="").decode())
