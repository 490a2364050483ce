"""`tracker doctor`: is every record read, and read as it was written?"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click

from tracker.kernel import Command, TrackerError, session


@click.command("doctor", cls=Command, epilog="tracker doctor")
@click.option(
    "--fix",
    is_flag=True,
    help="Repair what appending rows or setting files aside can repair; such findings name this option.",
)
@click.option(
    "--restore", is_flag=True, help="Restore whole records that follow a torn line or were set aside with one."
)
def command(fix: bool, restore: bool) -> None:
    """Check every stream, the lanes' state, the ledgers, the files and the set-up."""
    from tracker.kernel import plural
    from tracker_desk import doctor
    from tracker_desk.config_values import DATA_DIR, tolerate

    here, wrong = session(), list[str]()
    tolerate(here, wrong.append)
    if not here.root.is_dir() and not here.root.is_symlink():
        if restore or here.data_dir or os.environ.get(DATA_DIR):
            for problem in wrong:
                here.warn(problem)
            raise TrackerError(f"There are no records in {here.root}. Name the data directory with --data-dir.")
        here.note(f"note: no records in {here.root} yet; begin with `tracker start PROVIDER`")
    if restore:
        from tracker_desk import torn_lines

        count = torn_lines.restore(here)
        if not here.json:
            here.say(f"restored {plural(count, 'record')}")
    found = doctor.examine(here, fix=fix and here.root.is_dir(), wrong=wrong)
    levels = Counter(one["level"] for one in found["findings"] if not one["fixed"])
    if here.json:
        here.data(found)
    else:
        _streams(found["streams"])
        _findings(found["findings"], levels)
    if not found["ok"]:
        raise TrackerError(f"{plural(levels['error'], 'error')} in {here.root}. Each is listed above with its cure.")


def _findings(found: Sequence[Mapping[str, Any]], levels: Counter[str]) -> None:
    """A line for each, the verdict, and what to type."""
    from tracker.kernel import line
    from tracker_desk.findings import advice, verdict

    here = session()
    for one in found:
        mark = "repaired" if one["fixed"] else one["level"]
        here.show(line(f"{mark}: {one['where']}: {one['what'].removesuffix('.')}; {one['cure']}"), has_cures=True)
    here.say(verdict(levels))
    # pasting a pane corrects nothing: it is for the next piece of work
    mending = (one["command"] for one in found if one["check"] != "origin")
    commands = advice(mending, str(here.data_dir) if here.data_dir else None)
    if commands:
        here.say("To correct the findings above, type:")
    for typed in commands:
        here.say(f"  {typed}")


def _streams(counts: Mapping[str, Mapping[str, int]]) -> None:
    from tracker.kernel import plural

    here = session()
    for name, count in counts.items():
        removed = f", {count['removed']} taken back" if count["removed"] else ""
        here.say(f"{name}.jsonl: {plural(count['records'], 'record')}{removed}")
