"""`tracker plugins`: what is installed, and what is wrong with any of it."""

from __future__ import annotations

from typing import Any

import click

from tracker.command import Command, Group
from tracker.session import session


class PluginsGroup(Group):
    command_class = Command


@click.group("plugins", cls=PluginsGroup, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the sources that are installed, and what is wrong with any."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@command.command("list")
def list_() -> None:
    """List every source with its distribution, contract, hooks and state."""
    from tracker.registry import discover

    here = session()
    found = [_row(one) for one in discover().found]
    if here.json:
        here.data(found)
        return
    for row in found:
        head = f"{row['name']}  {row['kind'] or '?'}  {row['distribution']} {row['version']}".rstrip()
        here.say(f"{head}  contract {row['contract'] or '?'}  {row['state']}")
        if row["hooks"]:
            here.say(f"    hooks: {', '.join(row['hooks'])}")
        if row["error"]:
            here.say(f"    {row['error']}")
            here.say(f"    cure: {row['cure']}")


def _row(found: Any) -> dict[str, Any]:
    return {
        "name": found.name,
        "kind": found.info.kind if found.info else None,
        "distribution": found.distribution,
        "version": found.version,
        "contract": found.info.contract if found.info else None,
        "hooks": list(found.hooks),
        "state": "ok" if found.error is None else "left out",
        "error": None if found.error is None else str(found.error),
        "step": None if found.error is None else found.error.step,
        "cause": None if found.error is None else found.error.cause,
        "cure": None if found.error is None else _cure(found),
    }


def _cure(found: Any) -> str:
    owner = found.distribution or "its author"
    return {
        "be imported": f"reinstall {owner}, or leave it out with TRACKER_DISABLE_PLUGINS={found.name}",
        "be found once": f"uninstall one of the two distributions that claim {found.name!r}",
    }.get(found.error.step, f"report it to {owner}; TRACKER_DISABLE_PLUGINS={found.name} silences it")
