"""`tracker plan`: how many windows still fit, and in which order to measure two providers."""

from __future__ import annotations

import click

from tracker.kernel import Number, Selection, WritingCommand, selection, session


class PlanCommand(WritingCommand):
    """Writes the order of planned pairs and nothing else, so it is not noted in the command log."""

    is_noted = False


@click.command("plan", cls=PlanCommand, epilog="tracker plan --provider codex")
@click.argument("names", metavar="[A B]", nargs=-1)
@click.option("--windows-left", type=Number(int, min=1), metavar="N", help="Windows that are planned [default: 1].")
@click.option("--pairs", type=Number(int, min=1, max=99), metavar="N", help="Plan N pairs of A and B in random order.")
@selection()
def command(names: tuple[str, ...], windows_left: int | None, pairs: int | None, selection: Selection) -> None:
    """Say how likely planned windows fit before each reset, or plan pairs of windows for a comparison."""
    here, provider = session(), selection.provider
    if pairs is not None:
        if len(names) != 2 or names[0] == names[1] or provider or windows_left:
            raise click.UsageError("Expected --pairs N A B, such as `tracker plan --pairs 6 codex claude`.")
        _plan_pairs((names[0], names[1]), pairs)
        return
    if names or provider is None:
        raise click.UsageError("Missing option '--provider'. Expected --provider P, or --pairs N A B.")
    from tracker_verdict.outlook import document, lines, outlooks
    from tracker_verdict.settings import VerdictSettings

    source = here.source(provider, kinds=["status"])
    reserve = here.settings(VerdictSettings).reserve_pp
    found = outlooks(here, source, here.now, windows_left or 1, selection._replace(provider=None).windows(here))
    if here.json:
        here.data(document(source, found, reserve, windows_left or 1))
    else:
        click.echo("\n".join(lines(source, found, reserve, windows_left or 1)))


def _plan_pairs(names: tuple[str, str], count: int) -> None:
    from tracker_verdict import pairs

    here = session()
    for name in names:
        here.source(name, kinds=["status"])
    drawn = pairs.plan(here, names, count)
    if here.dry_run:
        return
    if here.json:
        here.data(pairs.document(drawn))
    else:
        click.echo("\n".join(pairs.lines(drawn)))
