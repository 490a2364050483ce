"""`tracker completion`: the completion alone, for a shell to read."""

from __future__ import annotations

import click

from tracker.kernel import Command
from tracker_desk.completion_scripts import SCRIPTS


@click.command("completion", cls=Command, epilog='eval "$(tracker completion bash)"')
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
def command(shell: str) -> None:
    """Print the completion for a shell to read.

    `tracker shell-init` prints it as well.

    For fish: `tracker completion fish | source`.
    """
    click.echo(SCRIPTS[shell], nl=False)
