"""`tracker statusline`: one line for a prompt."""

from __future__ import annotations

import contextlib
import io
import os
import sys

import click

from tracker.kernel import Command, TrackerError, line, session

LENGTH = 100  # characters of what went wrong


@click.command("statusline", cls=Command, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def command() -> None:
    """Print meters, resets and the open window in one line, for a prompt.

    Reads on standard input the JSON that a program hands its status-line command, and keeps the reading. Never fails:
    what goes wrong makes the line short or empty.
    """
    shown = ""
    with contextlib.redirect_stderr(io.StringIO()):  # a prompt has no place for warnings
        try:
            from tracker_capture.statusline import handed_over, text

            shown = text(session(), handed_over())
        except TrackerError as error:
            shown = line(f"tracker: {error}")[:LENGTH]
        except Exception as error:  # noqa: BLE001  a prompt must go on
            shown = f"tracker: {type(error).__name__}"
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), shown.encode("utf-8", "replace") + b"\n")
