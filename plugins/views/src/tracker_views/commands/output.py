"""Where a page or a picture is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def out_option(about: str) -> Callable[[Any], Any]:
    """`--out FILE`; `-` is standard output, as without the option."""

    def given(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
        return None if path == Path("-") else path

    kind = click.Path(dir_okay=False, path_type=Path)
    return click.option("--out", type=kind, callback=given, metavar="FILE", help=about)
