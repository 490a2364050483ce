"""Run the program that prints a report: the one that its source declares, or the one that is configured."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

from tracker.api import CommandOrigin, Source
from tracker.kernel import LIMIT, Session, TrackerError, line
from tracker_capture.answers import OriginError, begin
from tracker_capture.programs import printed
from tracker_capture.settings import CaptureSettings

SCOPE = "{scope}"


def run_report(session: Session, source: Source, scope: str | None) -> str:
    """What the source's program prints; a `TrackerError` says what went wrong in one line."""
    origin = next((origin for origin in source.origins if isinstance(origin, CommandOrigin)), None)
    if origin is None:
        raise click.UsageError(
            f"{source.name} declares no command that prints it; give the text with --stdin or --file"
        )
    argv = configured(session.settings(CaptureSettings).run_commands, source.name) or origin.argv
    words = [word.replace(SCOPE, scope or origin.scope or "") for word in argv]
    if scope and SCOPE not in " ".join(argv):
        raise click.UsageError(f"the command of {source.name} takes no scope: {shlex.join(argv)}")
    try:
        return printed(origin, words, begin(session, source, origin, limit=LIMIT))
    except OriginError as error:
        more = "; or name your command in run_commands (tracker.toml)" if error.is_lasting else ""
        raise TrackerError(f"{source.name}: {error}{more}; nothing was stored") from error


def store_printed(
    session: Session,
    source: Source,
    window: str | None,
    scope: str | None,
    notes: str | None,
    timezone: str | None,
    *,
    force: bool,
) -> None:
    """Store the report that the source's program prints."""
    from tracker.kernel import parse, store_report

    if window is None:
        raise click.UsageError("give the window of the report with --window W")
    text = run_report(session, source, scope)
    now = session.now
    reading = parse(session, source, text, now, timezone, scope)
    store_report(session, source, window, reading, text, now, notes, force=force)


def configured(commands: Sequence[str], source: str) -> list[str] | None:
    """The words of the command that the user configured for a source, None where there is none."""
    for entry in commands:
        name, equals, words = entry.partition("=")
        try:
            argv = shlex.split(words)
        except ValueError as error:
            raise TrackerError(f"run_commands in tracker.toml: {line(entry)!r} is no command: {error}") from error
        if not equals or not argv:
            raise TrackerError(f"run_commands in tracker.toml: {line(entry)!r} is no SOURCE=COMMAND")
        if name.strip() == source:
            return argv
    return None
