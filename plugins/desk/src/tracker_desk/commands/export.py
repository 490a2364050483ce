"""`tracker export`: the records for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from tracker.kernel import Command, Selection, selection, session


@click.command("export", cls=Command, epilog="tracker export --format csv --out exported")
@click.option(
    "--format",
    "form",
    required=True,
    metavar="FORMAT",
    help="jsonl: the records as they are, for `tracker import`. csv, parquet: tables without what was taken back; csv"
    " also without panes.",
)
@click.option(
    "--out", "folder", required=True, metavar="DIR", type=click.Path(path_type=Path), help="The folder to write to."
)
@click.option("--force", is_flag=True, help="Replace earlier exports in a folder that is not empty.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Say what would be written, and write nothing.")
@selection()
def command(form: str, folder: Path, force: bool, is_dry: bool, selection: Selection) -> None:
    """Write the records as JSON lines, CSV or Parquet: all of them, or those of some windows."""
    from tracker_desk.export import export

    here = session()
    here.dry_run = here.dry_run or is_dry
    export(here, form, folder, force=force, windows=selection.windows(here))
