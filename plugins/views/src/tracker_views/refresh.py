"""What the board shows, read by a process of its own.

A reading of a year takes 50 MB and leaves thousands of cycles of objects behind. A process gives all of it back.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from tracker.kernel import Selection, Session, TrackerError, line

if TYPE_CHECKING:
    from tracker.api import Panel
    from tracker_views.content import Content

# -P: nothing is imported from the working directory
COMMAND = (sys.executable, "-P", "-c", "from tracker_views.refresh import answer; answer()")


@frozen(kw_only=True)
class Answer:
    """What was read, or why it could not be."""

    content: Content | None = None
    panels: tuple[Panel, ...] = ()
    error: str | None = None


@contextmanager
def own_session(root: Path, agent: str | None) -> Iterator[Session]:
    """A session beside the command's, for another thread or process; what it opened is closed afterwards."""
    session = Session()
    session.data_dir, session.agent, session.quiet = root, agent, True
    try:
        yield session
    finally:
        session.index.close()
        session.journal.close()


def read(root: Path, agent: str | None, since: datetime | None) -> Answer:
    """The records of a folder from an instant on."""
    from tracker_views.content import gathered, period_of
    from tracker_views.journal_log import panel as log_panel

    try:
        with own_session(root, agent) as session:
            found = gathered(session, period_of(session, Selection(since=since)), with_sections=False)
            return Answer(content=found, panels=(*found.panels, log_panel(session)))
    except (TrackerError, OSError) as error:
        return Answer(error=str(error))


class ProcessReader:
    """Reads in a process of its own, one at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    def __call__(self, root: Path, agent: str | None, since: datetime | None) -> Answer:
        pipe = subprocess.PIPE
        with subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, stderr=pipe) as process:
            self._process = process
            if self._is_stopped:
                process.kill()
            found, said = process.communicate(pickle.dumps((root, agent, since)))
        if process.returncode == 0:
            return pickle.loads(found)  # type: ignore[no-any-return]
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        return Answer(error=f"Reading the records failed with status {process.returncode}. {line(last)}".strip())

    def stop(self) -> None:
        self._is_stopped = True
        if self._process is not None:
            self._process.kill()


def answer() -> None:
    """Read the question from standard input and write the answer to standard output; nobody else prints there."""
    out = os.dup(1)
    os.dup2(2, 1)
    found = pickle.dumps(read(*pickle.load(sys.stdin.buffer)))
    with os.fdopen(out, "wb") as file:
        file.write(found)
    # the interpreter would take a tenth of a second to end
    os._exit(0)
