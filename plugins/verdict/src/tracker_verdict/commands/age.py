"""`--max-age`: how old a reading may be."""

from __future__ import annotations

import re
from datetime import timedelta

import click

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Age(click.ParamType[timedelta]):
    """A length of time such as 15m."""

    name = "age"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = re.fullmatch(r"(\d{1,6})([smhd])", str(value))
        if found is None:
            self.fail(f"Invalid age {value!r}. Expected a number with s, m, h or d, such as 15m.", param, ctx)
        return timedelta(seconds=int(found[1]) * UNITS[found[2]])
