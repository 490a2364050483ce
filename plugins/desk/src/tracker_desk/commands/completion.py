"""`tracker completion`: the completion alone, for a shell to read."""

from __future__ import annotations

import click

from tracker.kernel import Command
from tracker_desk.completion_scripts import SCRIPTS


@click.command("completion", cls=Command, epilog='eval "$(tracker completion bash)"')
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
@click.option("--ask", is_flag=True, hidden=True, help="Print what completes the line in COMP_WORDS.")
@click.pass_context
def command(context: click.Context, shell: str, ask: bool) -> None:
    """Print the completion for a shell to read.

    `tracker shell-init` prints it as well.

    For fish: `tracker completion fish | source`.
    """
    if ask:
        from tracker_desk.completion_words import answer

        answer(shell, context.find_root().command)
    else:
        click.echo(SCRIPTS[shell], nl=False)
