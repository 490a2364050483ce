"""Types and options that commands share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click

from tracker.session import Session
from tracker.text.render import line


class Number(click.FloatRange):
    """A number in a range, `int` or `float`. click itself accepts `nan` in every range."""

    def __init__(self, kind: type[int | float], **limits: Any) -> None:
        super().__init__(**limits)
        self.kind = kind
        self.name = "whole number" if kind is int else "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            found = self.kind(value)
        except ValueError:
            self.fail(f"{line(value)!r} is not a valid {self.name}.", param, ctx)
        if not math.isfinite(found):
            self.fail(f"{line(value)!r} is no number such as 1.5", param, ctx)
        return self.kind(super().convert(found, param, ctx))


def provider_option(*, required: bool = False) -> Callable[[Any], Any]:
    """`--provider P`, one of those that are installed."""

    def known(context: click.Context, _parameter: click.Parameter, given: str | None) -> str | None:
        return None if given is None else context.ensure_object(Session).source(given, kinds=("status",)).name

    return click.option("--provider", callback=known, required=required, metavar="P", help="Who did the work.")


def window_option(**settings: Any) -> Callable[[Any], Any]:
    """`--window W`, refused if it cannot be an id."""

    def checked(_context: click.Context, _parameter: click.Parameter, given: Any) -> Any:
        from tracker.windows.lanes import check_window

        for window in given if isinstance(given, tuple) else [given] if given is not None else []:
            check_window(window)
        return given

    known: dict[str, Any] = {"metavar": "W", "help": "The window.", "callback": checked} | settings
    return click.option("--window", *known.pop("names", ()), **known)
