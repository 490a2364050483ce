"""Where a page or a picture is written, and how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tracker.kernel import Session


def out_option(about: str) -> Callable[[Any], Any]:
    """`--out FILE`; `-` is standard output, as without the option."""
    return click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help=about)


def deliver(session: Session, text: str, out: Path | None, *about: str) -> None:
    """Write to the file, and say what is in it and how large it is; without a file, to standard output."""
    if out is None or out == Path("-"):
        click.echo(text, nl=False)
        return
    from tracker.kernel import replace_file

    data = text.encode()
    replace_file(out, data)
    session.note(f"{out}: {', '.join((*about, f'{len(data) // 1000 + 1} kB'))}")
