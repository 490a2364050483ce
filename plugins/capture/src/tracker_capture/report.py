"""The program that prints a report: the one that its source declares, or the one that is configured."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

from tracker.api import CommandOrigin, Source
from tracker.kernel import CaptureRequest, Session, TrackerError, Windows, line, read_text
from tracker_capture.origins.answer import OriginError, Query
from tracker_capture.origins.program import printed
from tracker_capture.settings import CaptureSettings

SCOPE = "{scope}"
# bytes of a report, as of a pane
LONGEST = 8 << 20


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
    if window is None:
        raise click.UsageError("Missing option '--window'. Expected the window of the report.")
    text = _text(session, source, scope)
    now = session.now
    Windows.store(
        session,
        CaptureRequest(
            source=source,
            reading=read_text(session, source, text, now, timezone, scope),
            text=text,
            captured_at=now,
            origin="ingest",
            window=window,
            notes=notes,
            force=force,
        ),
    )


def _text(session: Session, source: Source, scope: str | None) -> str:
    origin = next((origin for origin in source.origins if isinstance(origin, CommandOrigin)), None)
    if origin is None:
        raise click.UsageError(f"{source.name} has no command to run. Give its text with --stdin or --file.")
    argv = _configured(session.settings(CaptureSettings).run_commands, source.name) or origin.argv
    words = [word.replace(SCOPE, scope or origin.scope or "") for word in argv]
    if scope and SCOPE not in " ".join(argv):
        raise click.UsageError(
            f"Invalid --scope {scope!r} for {source.name}. Its command takes none: {shlex.join(argv)}"
        )
    try:
        text = printed(origin, words, Query(session=session, source=source, origin=origin, limit=LONGEST))
        if not text.strip():
            raise OriginError(f"`{line(shlex.join(words))}` printed nothing")
        return text
    except OriginError as error:
        more = " You can set another command in run_commands (tracker.toml)." if error.is_lasting else ""
        raise TrackerError(f"{source.name}: {error}.{more} Nothing was stored.") from error


def _configured(commands: Sequence[str], source: str) -> list[str] | None:
    """The words of the command that the user configured for a source."""
    for entry in commands:
        name, equals, words = entry.partition("=")
        try:
            argv = shlex.split(words)
        except ValueError as error:
            raise TrackerError(
                f"run_commands in tracker.toml: Invalid command {entry!r}: {error}. Expected SOURCE=COMMAND."
            ) from error
        if not equals or not argv:
            raise TrackerError(f"run_commands in tracker.toml: Invalid entry {entry!r}. Expected SOURCE=COMMAND.")
        if name.strip() == source:
            return argv
    return None
