"""`tracker setup`: what is on this machine, what may be changed, and what to type next."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
from attrs import asdict, evolve

from tracker.api import HttpOrigin, StatusLineOrigin
from tracker.kernel import Session, plural
from tracker_desk.edits import (
    BLOCK,
    Change,
    Edit,
    crontab_edit,
    file_edit,
    with_block,
    with_status_line,
    without_block,
    without_status_line,
)
from tracker_desk.machine import folder_of, missing, next_commands, places, table
from tracker_desk.prompts import asked
from tracker_desk.shells import SCRIPTS, program

SAMPLE = "Sample your meters every 15 minutes, so that windows can be made from the history later?"
OTHER = (
    "This replaces a job that samples into another data directory, which would then get no more samples."
    " To keep that job, answer no and add the line of `tracker schedule print` by hand."
)


def set_up(session: Session, *, is_yes: bool) -> None:
    """Show what is on this machine, offer each change, and make those that the user agrees to."""
    found, edits = places(session), _edits(session)
    commands = next_commands(session, found)
    if session.json:
        here = [asdict(one) for one in found]
        changes = _changes(session, edits, is_made=is_yes)
        session.data({"found": here, "changes": changes, "next": [command for command, _ in commands]})
        return
    session.say("On this machine:")
    for each in table(found):
        session.say(each)
    agreed = [edit for edit in edits if _is_wanted(session, edit, is_yes=is_yes)]
    _make(session, agreed)
    session.say("")
    session.say("Type next:")
    width = max(len(command) for command, _ in commands)
    for command, about in commands:
        session.say(f"  {command:{width}}  # {about}")


def take_back(session: Session) -> None:
    """Remove what `set_up` added, and nothing else."""
    edits = _edits(session, is_undo=True)
    if session.json:
        session.data({"changes": _changes(session, [edit for edit in edits if not edit.is_absent])})
        return
    for edit in edits:
        if edit.refusal and not edit.is_absent:
            session.warn(f"{edit.refusal} tracker leaves it alone.")
    due = [edit for edit in edits if edit.is_due]
    for edit in due:
        _show(session, edit)
    _make(session, due)
    if not due:
        session.say("There is nothing to take back.")


def _is_wanted(session: Session, edit: Edit, *, is_yes: bool) -> bool:
    session.say("")
    if edit.refusal:
        session.say(f"{edit.title}: not offered. {edit.refusal}")
        return False
    if not edit.is_due:
        session.say(f"{edit.title}: already in {edit.place}")
        return False
    _show(session, edit)
    return is_yes or session.dry_run or asked(partial(click.confirm, edit.question, err=True))


def _show(session: Session, edit: Edit) -> None:
    session.say(f"{edit.title}: this changes {edit.place}:")
    for line in edit.diff()[2:]:
        session.say(f"  {line}")
    if edit.caution:
        session.say(edit.caution)


def _make(session: Session, edits: list[Edit]) -> None:
    for edit in edits if not session.dry_run else ():
        edit.make()
        session.say(f"changed {edit.place}")
    if edits and session.dry_run:
        session.say(f"nothing was changed; without --dry-run this makes {plural(len(edits), 'change')}")


def _changes(session: Session, edits: list[Edit], *, is_made: bool = True) -> list[dict[str, Any]]:
    """Make the edits that are due, and return each with whether it was made."""
    is_made = is_made and not session.dry_run
    for edit in edits:
        if is_made and edit.is_due:
            edit.make()
    return [edit.document() | {"made": is_made and edit.is_due} for edit in edits if edit.is_due or edit.refusal]


def outdated(session: Session) -> list[Edit]:
    """Entries of an earlier setup that call another installation than this one."""
    ours = [edit for edit in _edits(session, is_undo=True) if edit.is_due]
    return [edit for edit in ours if not any(one in (edit.before or "") for one in (program(), sys.executable))]


def _edits(session: Session, *, is_undo: bool = False) -> list[Edit]:
    """Every change that is offered, or with `is_undo` what takes each back."""
    found = []
    for title, path in _status_lines(session):
        change: Change = partial(with_status_line, command=f"{_program(session)} statusline")
        question = f"Show your meters in the status line of {title}?"
        found.append(file_edit("Status line", path, without_status_line if is_undo else change, question))
    for shell in SCRIPTS if is_undo else [Path(os.environ.get("SHELL", "")).name]:
        path = rc_file(shell)
        if shell in SCRIPTS:
            question = f"Add the short commands and completion to {path}?"
            change = without_block if is_undo else _shell_block(session, shell)
            found.append(file_edit("Short commands", path, change, question))
        else:
            why = f"tracker has none for the shell {shell}." if shell else "The variable SHELL names no shell."
            found.append(Edit(title="Short commands", place=str(path), refusal=why))
    return [*found, crontab_edit("Schedule", without_block) if is_undo else _schedule(session)]


def _status_lines(session: Session) -> list[tuple[str, Path]]:
    """The settings files in which a program's status line is named."""
    return [
        (source.title, Path(folder_of(one)).expanduser() / one.settings)
        for source in session.registry.sources.values()
        for one in source.origins
        if isinstance(one, StatusLineOrigin) and one.settings
    ]


def _program(session: Session) -> str:
    """`tracker` with the data directory that was named."""
    words = [program()] + (["--data-dir", str(session.data_dir.absolute())] if session.data_dir else [])
    return shlex.join(words)


def rc_file(shell: str) -> Path:
    """The file that an interactive shell reads first."""
    home = Path.home()
    if shell == "zsh":
        return Path(os.environ.get("ZDOTDIR") or home) / ".zshrc"
    if shell == "fish":
        return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "fish" / "config.fish"
    return home / (".bash_profile" if sys.platform == "darwin" else ".bashrc")


def _shell_block(session: Session, shell: str) -> Change:
    call = f"{_program(session)} shell-init {shell}"
    body = f"{call} | source" if shell == "fish" else f'eval "$({call})"'
    return partial(with_block, body=body)


def _schedule(session: Session) -> Edit:
    """The job that `schedule print` prints, in the crontab; none if it could read nothing, since it has no keys."""
    origins = [origin for source in session.registry.providers.values() for origin in source.origins]
    if all(missing(one) or isinstance(one, HttpOrigin) for one in origins):
        refusal = "Nothing here can be sampled yet. Install one of these programs, then type `tracker setup` again."
        return Edit(title="Schedule", place="crontab", refusal=refusal)
    root = str(session.root.absolute())
    words = ["--data-dir", root, "--quiet", "schedule", "print", "--every", "15m"]
    done = subprocess.run(
        [sys.executable, "-m", "tracker.cli", *words], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:] or ["it cannot be printed"]
        return Edit(title="Schedule", place="crontab", refusal=why[0].removeprefix("error: "))
    edit = crontab_edit("Schedule", partial(with_block, body=done.stdout), SAMPLE)
    known, own = BLOCK.search(edit.before or ""), f" --data-dir {shlex.quote(root)} ".replace("%", r"\%")
    return evolve(edit, caution=OTHER) if known and own not in known[0] else edit
