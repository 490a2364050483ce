"""`tracker windows`: the windows and their figures."""

from __future__ import annotations

import click

from tracker.kernel import Group, Number, session


@click.group("windows", cls=Group, invoke_without_command=True)
@click.option("--since", metavar="TIME", help="Windows that ended since this time: ISO 8601, or a span such as 7d.")
@click.option("--until", metavar="TIME", help="Windows that began at or before this time.")
@click.option("--last", type=Number(int, min=1), metavar="N", help="The last N windows.")
@click.option("--lane", metavar="LANE", help="Windows with captures of this lane; '' is the lane without a name.")
@click.option("--provider", metavar="PROVIDER", help="Windows with captures of this provider.")
@click.option("--open", "is_open", is_flag=True, help="Windows that lack an AFTER.")
@click.pass_context
def command(
    context: click.Context,
    since: str | None,
    until: str | None,
    last: int | None,
    lane: str | None,
    provider: str | None,
    is_open: bool,
) -> None:
    """List windows: from when to when, their state, and each provider's figures.

    \b
    tracker windows --last 5
    """
    if context.invoked_subcommand is not None:
        return
    from tracker.kernel import Clock, escape, zone
    from tracker_desk.window_list import Selection, lines, listed, moment

    here = session()
    local = zone(here.config.timezone)
    selection = Selection(
        since=moment(since, here.now, local) if since else None,
        until=moment(until, here.now, local) if until else None,
        last=last,
        lane=lane,
        provider=here.source(provider, kinds=("status",)).name if provider else None,
        is_open=is_open,
    )
    found = listed(here, selection)
    here.note_missing(here.missing_plugins([one.window for one in found]))
    if here.json:
        here.data([one.document() for one in found])
    elif found:
        click.echo(escape("\n".join(lines(found, Clock(here.now, local)))))
    elif not here.index.windows():
        here.note(f"note: no records in {here.root}; begin with `tracker start PROVIDER`")
    else:
        here.note("note: no window fits. Run `tracker windows` without options to see all of them.")
