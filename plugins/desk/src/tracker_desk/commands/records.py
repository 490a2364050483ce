"""`tracker export` and `tracker import`: the records for other programs, and those of another directory."""

from __future__ import annotations

from pathlib import Path

import click

from tracker.kernel import Command, Selection, WritingCommand, selection, session

FOLDER = click.Path(path_type=Path)


@click.command("export", cls=Command, epilog="tracker export --format csv --out exported")
@click.option(
    "--format",
    "form",
    required=True,
    metavar="FORMAT",
    help="jsonl: the records as they are, for `tracker import`. csv, parquet: tables without what was taken back; csv"
    " also without panes.",
)
@click.option("--out", "folder", required=True, metavar="DIR", type=FOLDER, help="The folder to write to.")
@click.option("--force", is_flag=True, help="Replace earlier exports in a folder that is not empty.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Show what would be written and write nothing.")
@selection()
def export(form: str, folder: Path, force: bool, is_dry: bool, selection: Selection) -> None:
    """Write the records as JSON lines, CSV or Parquet: all of them, or those of some windows."""
    from tracker_desk.export import export as write

    here = session()
    here.dry_run = here.dry_run or is_dry
    write(here, form, folder, force=force, windows=selection.windows(here))


@click.command("import", cls=WritingCommand, epilog="tracker import ../elsewhere/data/week0/live")
@click.argument("directory", metavar="DIR", type=FOLDER)
@click.option(
    "--force",
    is_flag=True,
    help="Import even if both used a window id for different work, or each ended the same window.",
)
def import_(directory: Path, force: bool) -> None:
    """Import the records of another tracker directory; records that are already here stay as they are."""
    from tracker_desk.merge import take_in

    take_in(session(), directory, force=force)
