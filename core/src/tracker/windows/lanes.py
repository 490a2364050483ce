"""Lanes: agents that work in parallel, each with its own open windows, which follow from the journal alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracker.errors import TrackerError

if TYPE_CHECKING:
    from tracker.journal.index import Index

LONGEST = 64
NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST - 1}}}")
WINDOW = NAME
FIRST_WINDOW = "W0-01"


def check(agent: str | None) -> str | None:
    """A lane's name, None for the lane without one; refused where it could not be a file's name."""
    if not agent:
        return None
    if not NAME.fullmatch(agent) or ".." in agent or agent.endswith(".json"):  # a lane's folder stands beside files
        raise TrackerError(
            f"AGENT_ID {agent[:80]!r} is no lane name: use up to 64 letters, digits, '.', '_' and '-',"
            " without '..' or '.json' at the end"
        )
    return agent


def check_window(window: str) -> str:
    """A window's id."""
    if not WINDOW.fullmatch(window):
        raise TrackerError(f"{window[:80]!r} is no window id: use up to 64 letters, digits, '.', '_' and '-'")
    return window


def padded_otherwise(index: Index, window: str) -> str | None:
    """The known window that a new id differs from in zero padding alone: `W0-07`, where `W0-7` was given."""
    if index.knows(window):
        return None
    return next((known for known in index.windows() if _unpadded(known) == _unpadded(window)), None)


def doubt(index: Index, window: str) -> str | None:
    """What to say about a window that no record knows; nothing if it is the first one, or follows a known one."""
    if index.knows(window) or not index.windows():
        return None
    if known := padded_otherwise(index, window):
        return f"{window} is a new window; did you mean {known}? `tracker undo` takes this back"
    if (before := _previous(window)) and index.knows(before):
        return None
    return f"{window} is a new window. If that is a mistake, `tracker undo` takes this back"


def _previous(window: str) -> str | None:
    """The id before: `W0-19` for `W0-20`."""
    head = window.rstrip("0123456789")
    digits = window[len(head) :]
    return f"{head}{int(digits) - 1:0{len(digits)}d}" if digits.strip("0") else None


def _unpadded(window: str) -> str:
    return re.sub(r"\d+", lambda digits: digits[0].lstrip("0") or "0", window)


def next_window(window: str) -> str:
    """The id that follows: `W0-19` -> `W0-20`, zero padding kept; `W0-CHN` -> `W0-CHN-02`."""
    head = window.rstrip("0123456789")
    digits = window[len(head) :] if len(window) < 2 * LONGEST else ""  # a file may hold any text
    return f"{head}{int(digits) + 1:0{len(digits)}d}" if digits else f"{window}-02"


def open_window(index: Index, stream: str, agent: str | None, provider: str) -> str | None:
    """The window that a provider has open in a lane: its newest standing capture is a BEFORE."""
    newest = index.newest(stream, agent, provider)
    return newest.window if newest and newest.phase == "before" else None


def joined_window(index: Index, streams: dict[str, str], agent: str | None) -> str | None:
    """The newest window that a provider has open in a lane. `streams` maps each provider to its stream."""
    marks = [mark for name, stream in streams.items() if (mark := index.newest(stream, agent, name))]
    opened = [mark for mark in marks if mark.phase == "before"]
    return max(opened, key=lambda mark: mark.at).window if opened else None
