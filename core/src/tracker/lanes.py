"""Lanes: agents that work in parallel, each with its own open windows.

A lane's state follows from the journal alone; the files under `state/` are for people and other programs, written after
every capture and mended with a warning where they do not say what the journal says.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker.errors import TrackerError

if TYPE_CHECKING:
    from tracker.index import CaptureMark, Index
    from tracker.journal import Warn

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
WINDOW = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FIRST_WINDOW = "W0-01"


def check(agent: str | None) -> str | None:
    """A lane's name, None for the lane without one; refused where it could not be a file's name."""
    if not agent:
        return None
    if not NAME.fullmatch(agent) or ".." in agent:
        raise TrackerError(
            f"AGENT_ID {agent[:80]!r} is no lane name: use up to 64 letters, digits, '.', '_' and '-', without '..'"
        )
    return agent


def check_window(window: str) -> str:
    """A window's id."""
    if not WINDOW.fullmatch(window):
        raise TrackerError(f"{window[:80]!r} is no window id: use up to 64 letters, digits, '.', '_' and '-'")
    return window


def next_window(window: str) -> str:
    """The id that follows: `W0-19` -> `W0-20`, zero padding kept; `W0-CHN` -> `W0-CHN-02`."""
    head, digits = re.fullmatch(r"(.*?)(\d*)", window).groups()  # type: ignore[union-attr]
    return f"{head}{int(digits) + 1:0{len(digits)}d}" if digits else f"{window}-02"


def open_window(index: Index, stream: str, agent: str | None, provider: str) -> str | None:
    """The window that a provider has open in a lane: its newest standing capture is a BEFORE."""
    newest = next(iter(index.captures(stream, agent, provider)), None)
    return newest.window if newest and newest.phase == "before" else None


def choose_window(index: Index, streams: dict[str, str], agent: str | None, provider: str) -> str:
    """The window of a capture that names none.

    An open one is reused, a closed one is followed by the next id. A provider that was never captured in this lane
    joins the window that another one has open. `streams` maps each provider to its stream.
    """
    newest = next(iter(index.captures(streams[provider], agent, provider)), None)
    if newest is not None:
        return newest.window if newest.phase == "before" else next_window(newest.window)
    others = [
        mark
        for other, stream in streams.items()
        if other != provider and (mark := next(iter(index.captures(stream, agent, other)), None))
    ]
    joined = [mark for mark in others if mark.phase == "before"]
    return max(joined, key=lambda mark: mark.at).window if joined else FIRST_WINDOW


def state_path(root: Path, state_dir: Path | None, agent: str | None, provider: str) -> Path:
    """Where a lane's state of a provider stands."""
    folder = state_dir if state_dir is not None else root / "state"
    return (folder / agent if agent else folder) / f"{provider}.json"


def state_of(newest: CaptureMark | None, agent: str | None, baseline: float | None) -> dict[str, Any]:
    """What the file says: the newest standing capture, and whether its window is open."""
    if newest is None:
        return {"agent_id": agent, "window": None, "phase": None, "open": False}
    state: dict[str, Any] = {
        "agent_id": agent,
        "provider": newest.provider,
        "window": newest.window,
        "phase": newest.phase,
        "open": newest.phase == "before",
        "record_id": newest.record_id,
    }
    if baseline is not None and newest.phase == "before":
        state["baseline"] = baseline
    return state


def verify(path: Path, expected: dict[str, Any], warn: Warn) -> None:
    """Say where a state file does not say what the journal says; the next write mends it."""
    import orjson

    try:
        found = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        if expected["window"] is not None:
            warn(f"the lane's state {path} is missing: rebuilt from the journal")
        return
    except (OSError, ValueError):
        warn(f"the lane's state {path} cannot be read: rebuilt from the journal")
        return
    keys = ("agent_id", "provider", "window", "phase", "record_id")
    is_known = isinstance(found, dict) and "record_id" in found  # state of schema 1.0.0 has none
    if not isinstance(found, dict) or (is_known and any(found.get(key) != expected.get(key) for key in keys)):
        warn(f"the lane's state {path} does not fit the journal: rebuilt from it")


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Replace a state file in one step."""
    import orjson

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(orjson.dumps(state, option=orjson.OPT_INDENT_2) + b"\n")
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
