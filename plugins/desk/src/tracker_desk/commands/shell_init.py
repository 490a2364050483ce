"""`tracker shell-init`: the operator's short functions and the completion, for a shell to read."""

from __future__ import annotations

import click

from tracker.kernel import Command, Session, session
from tracker_desk.completion_scripts import SCRIPTS


@click.command("shell-init", cls=Command, epilog='eval "$(tracker shell-init bash)"')
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
def command(shell: str) -> None:
    """Print the short functions of every source for a shell to read.

    They remember the lane of --agent or AGENT_ID. The completion is part of it.

    For fish: `tracker shell-init fish | source`.
    """
    from tracker_desk.shells import script

    here = session()
    named: dict[str, str] = {}
    for source in here.registry.sources.values():
        lost = here.registry.lost_functions(source.name)
        named |= {name: words for name, words in source.shell_functions.items() if name not in lost}
        for name, why in sorted(lost.items()):
            here.warn(f"the function {name} of {source.name} is left out: {why}")
    if not named:
        here.note("note: no installed source declares a prefix for short functions")
    click.echo(script(shell, named, _carried(here)) + SCRIPTS[shell], nl=False)


def _carried(here: Session) -> list[str]:
    """What every function passes on: the lane it was made in, and a data directory that was named."""
    lane = [f"--agent={here.lane}"] if here.lane else []
    return lane + ([f"--data-dir={here.data_dir.absolute()}"] if here.data_dir else [])
