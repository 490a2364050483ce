"""`tracker import`: another tracker directory's records."""

from __future__ import annotations

from pathlib import Path

import click

from tracker.kernel import WritingCommand, session


@click.command("import", cls=WritingCommand, epilog="tracker import ../elsewhere/data/week0/live")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Also if both used the id of a window for different work.")
def command(directory: Path, force: bool) -> None:
    """Take in another tracker directory's records; what is here already stays as it is."""
    from tracker_desk.merge import take_in

    take_in(session(), directory, force=force)
