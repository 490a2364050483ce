"""Options that take several values in a row: `--paths src docs`, as well as `--paths src --paths docs`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from tracker.cli.command import WritingCommand
from tracker.session import Session
from tracker.text.render import line


class Several(click.Command):
    """Of a command without arguments: its options with `multiple` take several values in a row."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        several = [found for found in self.params if isinstance(found, click.Option) and found.multiple]
        flags = {name for found in several for name in found.opts}
        return super().parse_args(ctx, list(_repeated(args, flags)))


class SeveralCommand(Several, WritingCommand):
    """A writing command whose options take several values in a row."""


def _repeated(args: Iterable[str], flags: set[str]) -> Iterator[str]:
    """`--paths a b --x` as `--paths a --paths b --x`; a value that begins with a dash is given as `--paths=-a`."""
    current, has_value = None, False
    for word in args:
        if word in flags:
            current, has_value = word, False
        elif word.startswith("-") and word != "-":
            current = None
        elif current is not None:
            if has_value:
                yield current
            has_value = True
        yield word


class Finite(click.FloatRange):
    """A number in a range; click takes `nan` for one in every range."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{line(value)!r} is no number such as 1.5", param, ctx)
        return found


def provider_option(*, required: bool = False) -> Callable[[Any], Any]:
    """`--provider P`, one of those that are installed."""

    def known(context: click.Context, _parameter: click.Parameter, given: str | None) -> str | None:
        return None if given is None else context.ensure_object(Session).source(given, kinds=("status",)).name

    return click.option("--provider", callback=known, required=required, metavar="P", help="Who did the work.")


def window_option(**settings: Any) -> Callable[[Any], Any]:
    """`--window W`, refused where it could be no id."""

    def checked(_context: click.Context, _parameter: click.Parameter, given: Any) -> Any:
        from tracker.windows.lanes import check_window

        for window in given if isinstance(given, tuple) else [given] if given is not None else []:
            check_window(window)
        return given

    known: dict[str, Any] = {"metavar": "W", "help": "The window.", "callback": checked} | settings
    return click.option("--window", *known.pop("names", ()), **known)


def pathspec(_context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Git's path patterns: an empty one would be refused by git, in its own words."""
    for pattern in given:
        if not pattern.strip() or "\0" in pattern:
            raise click.BadParameter(f"{line(pattern)!r} is no path", param=parameter)
    return given
