"""`tracker shell-init` and `tracker completion`: text for a shell to read."""

from __future__ import annotations

import click

from tracker.kernel import Command, Session, session
from tracker_desk.shells import SCRIPTS, script

SHELL = click.argument("shell", type=click.Choice(list(SCRIPTS)))


@click.command("shell-init", cls=Command, epilog='eval "$(tracker shell-init bash)"')
@SHELL
def init(shell: str) -> None:
    """Print the short shell functions of every source.

    They remember the lane of --agent or AGENT_ID. The shell completion is included.

    For fish: `tracker shell-init fish | source`.
    """
    here = session()
    _check(here)
    named: dict[str, str] = {}
    for source in here.registry.sources.values():
        lost = here.registry.lost_functions(source.name)
        named |= {name: words for name, words in source.shell_functions.items() if name not in lost}
        for name, why in sorted(lost.items()):
            here.warn(f"the function {name} of {source.name} is left out: {why}")
    if not named:
        here.note("note: no installed source declares a prefix for short functions")
    click.echo(script(shell, named, _carried(here)) + SCRIPTS[shell], nl=False)


def _check(here: Session) -> None:
    if here.json:
        raise click.UsageError("A shell cannot read JSON. Leave out --json.")


def _carried(here: Session) -> list[str]:
    """The options that every function passes on: the lane it was made in, and a named data directory."""
    lane = [f"--agent={here.lane}"] if here.lane else []
    return lane + ([f"--data-dir={here.data_dir.absolute()}"] if here.data_dir else [])


@click.command("completion", cls=Command, epilog='eval "$(tracker completion bash)"')
@SHELL
@click.option("--ask", is_flag=True, hidden=True, help="Print what completes the line in COMP_WORDS.")
@click.pass_context
def completion(context: click.Context, shell: str, ask: bool) -> None:
    """Print the shell completion.

    `tracker shell-init` includes it.

    For fish: `tracker completion fish | source`.
    """
    if ask:
        from tracker_desk.completion_words import answer

        answer(shell, context.find_root().command)
    else:
        _check(session())
        click.echo(SCRIPTS[shell], nl=False)
