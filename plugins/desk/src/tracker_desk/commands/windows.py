"""`tracker windows`: the windows and their figures."""

from __future__ import annotations

import click

from tracker.kernel import Group, Selection, Windows, selection, session

MOST = 6  # names in one note


@click.group("windows", cls=Group, invoke_without_command=True, epilog="tracker windows --last 5")
@selection()
@click.pass_context
def command(context: click.Context, selection: Selection) -> None:
    """List windows: from when to when, their state, and each provider's figures.

    An open window lacks an AFTER; a closed one has it and is not finalized yet: `tracker preview` calls both (open).
    """
    if context.invoked_subcommand is not None:
        return
    from tracker.kernel import Clock, escape, zone
    from tracker_desk.panels import table
    from tracker_desk.window_list import lines, listed

    here = session()
    local = zone(here.config.timezone)
    found = listed(here, selection.windows(here))
    Windows(here).note_missing(Windows(here).missing_plugins([one.window for one in found]))
    for one in found:
        for name in one.stale:
            here.note(
                f"note: {name} {escape(one.window)} is stale: its captures changed after it was finalized."
                f" `tracker decision-card --window {escape(one.window)}` names the cure."
            )
    if split := [f"{name} {escape(one.window)}" for one in found for name in one.split]:
        more = f" and {len(split) - MOST} more" if len(split) > MOST else ""
        audit = f"`tracker window-audit --window {escape(next(one.window for one in found if one.split))}`"
        here.note(
            f"note: several lanes captured {', '.join(split[:MOST])}{more}. The pair of the last AFTER counts alone;"
            f" {audit} shows the others."
        )
    if here.json:
        here.data([one.document() for one in found])
    elif found and here.table(*table(found)):
        return
    elif found:
        click.echo(escape("\n".join(lines(found, Clock(here.now, local)))))
    elif not here.index.windows():
        here.note(f"note: no records in {here.root}; begin with `tracker start PROVIDER`")
    else:
        here.note("note: no window fits. Run `tracker windows` without options to see all of them.")
