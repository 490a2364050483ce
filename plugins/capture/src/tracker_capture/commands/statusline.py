"""`tracker statusline`: one line for a prompt."""

from __future__ import annotations

import contextlib
import io
import os
import sys

import click

from tracker.kernel import Command, TrackerError, line, session

# Characters of an error.
LENGTH = 100


@click.command(
    "statusline",
    cls=Command,
    epilog="tracker statusline < status.json",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def command() -> None:
    """Print meters, resets and the open window in one line, for a prompt.

    Reads from standard input the JSON that a program passes to its status-line command, and keeps the reading. It
    never fails: after an error the line is short or empty.
    """
    shown, found = "", None
    # A prompt has no place for warnings.
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            from tracker_capture import statusline

            here = session()
            found = statusline.take(here, statusline.handed_over())
            shown = statusline.text(here, found)
        except TrackerError as error:
            shown = line(f"tracker: {error}")[:LENGTH]
        except Exception as error:  # noqa: BLE001  a prompt must go on
            shown = f"tracker: {type(error).__name__}"
        with contextlib.suppress(OSError):
            os.write(sys.stdout.fileno(), shown.encode("utf-8", "replace") + b"\n")
        if found is not None:
            # After the line, because the history may have to be read.
            with contextlib.suppress(Exception):
                statusline.sample(here, found)
