"""The last-run line of the scheduler's notes, the only line of that file that tracker writes."""

from __future__ import annotations

import re
from pathlib import Path

from tracker.kernel import Session
from tracker_ledgers import documents

FILE = Path("docs/System/scheduler/standing_jobs.md")
# `Last run: never`, `- **last-run**: 2025-10-18`, `ledger checkpoint, last run 2025-10-18`; no table rows, no prose
LINE = re.compile(
    r"^(?P<head>[^|\n]*\blast[-_ ]run\b[*_`]*[ \t]*(?:[:=][*_`]*[ \t]*|(?=\d{4}-|never\b|n/a|[-–—])))[^\r\n]*",
    re.I | re.M,
)
OURS = re.compile(r"checkpoint|ledger", re.I)


def path_of(session: Session) -> Path:
    return documents.home(session) / FILE


def updated(text: str, run: str) -> str:
    """The text with this run in its last-run line; if there are several, in the one that names the checkpoint."""
    found = list(LINE.finditer(text))
    if not found:
        gap = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{gap}\nLast run: {run}\n"
    mark = next((one for one in found if OURS.search(_context(text, one))), found[0])
    space = "" if mark["head"].endswith((" ", "\t")) else " "
    return f"{text[: mark.start()]}{mark['head']}{space}{run}{text[mark.end() :]}"


def _context(text: str, mark: re.Match[str]) -> str:
    """A last-run line with the heading above it."""
    headings = [line for line in text[: mark.start()].splitlines() if line.startswith("#")]
    return f"{headings[-1] if headings else ''}\n{mark['head']}"


def is_there(session: Session) -> bool:
    """Whether the file exists; one that cannot be written is refused."""
    path = path_of(session)
    if documents.read(path) is None:
        return False
    documents.refuse_outside(session, path)
    return True


def note(session: Session, run: str) -> bool:
    """Write this run into the file if it exists; returns whether it does."""
    path = path_of(session)
    if not is_there(session):
        return False

    def content(data: bytes | None) -> bytes:
        text = (data or b"").decode("utf-8", "surrogateescape")
        return updated(text, run).encode("utf-8", "surrogateescape")

    with session.journal.lock("tracker checkpoint"):
        return documents.rewrite(path, content)
