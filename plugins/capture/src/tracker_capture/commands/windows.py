"""`tracker windows add`, `propose` and `accept`: windows after the fact."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from tracker.kernel import Clock, Command, WritingCommand, moment, session, window_option

SINCE = click.option(
    "--since",
    metavar="TIME",
    default="14d",
    show_default=True,
    callback=moment,
    help="From this time on: ISO 8601, or a span such as `7d`.",
)

# an id as every command takes it: the type of their option
ID = window_option()(click.Command("add")).params[0].type

SYNC = "`tracker sync` may add some: it has not read all session files yet"


@click.command(
    "add",
    cls=WritingCommand,
    epilog="tracker windows add W0-09 --from 2026-11-26T11:30:00Z --to 2026-11-26T14:00:00Z --provider codex",
)
@click.argument("window", metavar="W", type=ID)
@click.option("--from", "start", metavar="TIME", required=True, callback=moment, help="When the work began.")
@click.option("--to", "end", metavar="TIME", required=True, callback=moment, help="When it ended.")
@click.option("--provider", "providers", multiple=True, metavar="P", help="Only this provider; may be repeated.")
@click.option("--stale-ok", is_flag=True, help="Accept readings far from the given times.")
@click.option("--notes", metavar="TEXT", help="Anything to remember.")
def add(
    window: str, start: datetime, end: datetime, providers: tuple[str, ...], stale_ok: bool, notes: str | None
) -> None:
    """Make a window from the readings around two times.

    Each provider gets a BEFORE and an AFTER.
    """
    from tracker_capture import repository, windows

    here = session()
    drafts, heads = windows.drafts(here, window, providers, start, end, stale_ok=stale_ok), repository.heads(start, end)
    for draft in drafts:
        windows.save(here, window, draft, notes, heads)
    for check in (one for found in here.registry.ask("window_checks", session=here, window=window) for one in found):
        if check.state == "failed":
            here.note(f"note: {check.text}. `tracker undo` takes {window} back")


@click.command("propose", cls=Command, epilog="tracker windows propose --since 7d")
@SINCE
def propose(since: datetime) -> None:
    """Propose windows from commits, session logs and the meter history. Nothing is stored."""
    from tracker_capture import proposals
    from tracker_capture.session_files import is_behind

    here = session()
    found, clock = proposals.proposals(here, since), Clock(here.now, here.zone)
    for provider, first in proposals.opened(here, here.now - timedelta(hours=12)):
        lane = "" if first.agent_id == here.lane else f" --agent {first.agent_id or repr('')} --yes"
        delete = f"`tracker alias delete {provider} --phase before --window {first.window}{lane}`"
        here.note(
            f"note: {first.window} has been open since {clock.at(first.captured_at)} and holds everything done since"
            f" then. If you forgot to end it, {delete} takes its BEFORE back"
        )
    if here.json:
        here.data([one.document() for one in found])
        return
    for line in proposals.lines(found, here.zone):
        here.say(line)
    if any(share.requests and share.lacks for one in found for share in one.shares):
        here.note(f"note: a capacity needs a reading before the first request and one after the last; {_more()}")
    whole = next((one for one in found if not one.goes_on and any(share.draft for share in one.shares)), None)
    if whole is not None:
        here.note(f"note: `tracker windows accept {whole.window}` stores one that fits, without finalizing it")
    elif found:
        here.note("note: none of them can be stored yet: each may still go on, or its capacity is not known")
    else:
        more = f"; {SYNC}" if is_behind(here) else ""
        here.note(f"note: no new window to propose since {clock.at(since)} from work in this repository{more}")


def _more() -> str:
    """What may add the readings that windows lack."""
    from tracker_capture.session_files import is_behind

    return SYNC if is_behind(session()) else "`tracker schedule print` prints a job that takes them"


@click.command("accept", cls=WritingCommand, epilog="tracker windows accept H20261126-1130")
# not `windows`: those are checked for slips, and these were just proposed
@click.argument("proposed", metavar="W...", nargs=-1, required=True)
@SINCE
@click.option("--notes", metavar="TEXT", help="Anything to remember.")
def accept(proposed: tuple[str, ...], since: datetime, notes: str | None) -> None:
    """Store proposed windows.

    Each provider that worked in one gets a BEFORE and an AFTER. Nothing is finalized.
    """
    from tracker_capture import proposals, repository
    from tracker_capture.settings import Propose
    from tracker_capture.windows import save

    here = session()
    pause = here.settings(Propose).gap_minutes
    found = proposals.proposals(here, since)
    if any(one.window in proposed and share.lacks for one in found for share in one.shares):
        here.note(f"note: readings may be missing; {_more()}")
    for one in proposals.chosen(found, proposed, pause):
        drafts, heads = [share.draft for share in one.shares if share.draft], repository.heads(one.start, one.end)
        for draft in drafts:
            save(here, one.window, draft, notes, heads)
        for share in one.shares:
            if share.draft is None and share.requests:
                here.note(f"note: {share.provider} also worked in {one.window}, but is not in it: {share.why}")
        names = [draft.source.name for draft in drafts]
        counts = f"--{names[0]}-features {len(one.features)}" if len(names) == 1 else "--PROVIDER-features N ..."
        here.note(f"note: finish it with `tracker complete --window {one.window} {counts}`")
