"""`tracker undo`: take back what the last writing command of this lane did."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tracker.kernel import TrackerError, WritingCommand, session

if TYPE_CHECKING:
    from tracker.kernel import Session
    from tracker_corrections.undo import Step


class UndoCommand(WritingCommand):
    """It is not in the command log: a log of what was done should not grow when something is taken back."""

    is_noted = False


@click.command("undo", cls=UndoCommand, epilog="tracker undo --list")
@click.argument("provider", required=False)
@click.option("--list", "is_list", is_flag=True, help="Show the commands that can be taken back, the newest first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--past", is_flag=True, help="Go past newer commands that cannot be taken back.")
def command(provider: str | None, is_list: bool, yes: bool, past: bool) -> None:
    """Take back what the last writing command of this lane stored or took back.

    Rows are appended. Nothing is erased. Run it again to go further back. With PROVIDER, take back the last
    command that stored something of that provider. Telemetry events, imports, settings and documents stay.
    """
    from tracker_corrections import undo

    here = session()
    if provider is not None:
        provider = here.source(provider).name
    if is_list:
        _list(here, undo.steps(here, provider))
        return
    step = undo.last(here, provider)
    for words in dict.fromkeys(newer.words[0] for newer in step.past):
        here.note(f"note: `{words}` is newer and stays: undo cannot take back what it did")
    if step.past and not (past or here.dry_run):
        before = f"Add --past to take back the one before it that can be: {step.text}"
        raise TrackerError(f"The last command cannot be taken back. {before}")
    if not (yes or here.dry_run):
        _ask(here, step)
    records, also = undo.undo(here, step)
    done = [re.sub("^take back", "took back", text) for text in records]
    if here.json and not here.dry_run:
        here.data({"command_id": step.command_id, "command": step.words, "done": [*done, *also]})
        return
    if done:
        here.say(f"undid {step.named}")
    for text in done:
        here.say(text)
    if not here.quiet:
        for text in also:
            here.show(text, has_cures=True)


def _list(here: Session, found: Sequence[Step]) -> None:
    from tracker.api import Cell, Column

    if here.json:
        here.data([{"command_id": one.command_id, "command": one.words, "records": one.all} for one in found])
        return
    columns = (
        Column(key="at", title="At", kind="instant", rank=0),
        Column(key="command", title="Command", rank=0),
        Column(key="records", title="Records", kind="count", rank=0),
    )
    if not found:
        here.note("note: There is nothing to take back.")
    rows: list[dict[str, Cell]] = [{"at": one.at, "command": one.command, "records": one.count} for one in found]
    if not (rows and here.table(columns, rows)):
        for one in found:
            here.show(one.text)


def _ask(here: Session, step: Step) -> None:
    from tracker_corrections.undo import described, elsewhere

    plan = described(here, step) + elsewhere(here, step)
    if not sys.stdin.isatty():
        raise TrackerError(
            f"This would undo {step.named}: {', and '.join(plan)}. Nothing was changed. Add --yes to do it."
        )
    here.note(step.text)
    for text in plan:
        here.note(f"  {text}")
    if not click.confirm("Take this back?", err=True):
        raise TrackerError("Nothing was taken back.")
