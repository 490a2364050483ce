"""The options that the command line makes from a declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tracker.api import Source
    from tracker.kernel import Registry


def missing_options(registry: Registry, info: Source) -> list[str]:
    """Those that a provider's declaration promises and the commands do not have."""
    from tracker.cli.commands import complete, override
    from tracker.kernel import Session, main

    if info.kind != "status":
        return []
    session = Session()
    session.__dict__["registry"] = registry  # in the place of what the session would discover
    context = click.Context(main, obj=session)
    own = override.command.get_command(click.Context(override.command, parent=context), info.name)
    found = {f"override {info.name} {flag}" for flag in _flags(own, context)}
    found |= {f"complete {flag}" for flag in _flags(complete.command, context)}
    promised = [f"override {info.name} --{meter.field_name.replace('_', '-')}" for meter in info.meters]
    promised += [f"override {info.name} --{meter.key.replace('_', '-')}-resets" for meter in info.meters]
    promised += [f"complete --{info.name}-features"] if info.is_provider else []
    return [option for option in promised if option not in found]


def _flags(command: click.Command | None, parent: click.Context) -> list[str]:
    if command is None:
        return []
    context = click.Context(command, parent=parent)
    return [flag for parameter in command.get_params(context) for flag in parameter.opts]
