"""The option that the commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tracker.kernel import Session


def state_dir(function: Any) -> Any:
    """`--state-dir`: where the lane's state files live."""

    def keep(context: click.Context, _parameter: click.Parameter, given: Path | None) -> None:
        context.ensure_object(Session).state_dir = given

    return click.option(
        "--state-dir",
        type=click.Path(path_type=Path, file_okay=False),
        callback=keep,
        expose_value=False,
        metavar="DIR",
        help="Where the lanes' state files live [default: state/ in the data directory].",
    )(function)
