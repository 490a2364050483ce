"""The files under `state/`: which window a lane has open, for people and other programs.

They follow from the journal, are written after every capture, and are rebuilt with a warning where they do not say what
it says. One thing is read from them: a baseline that schema 1.0.0 kept there and nowhere else.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from attrs import frozen

from tracker.contract.readings import instant
from tracker.contract.sources import Source
from tracker.errors import TrackerError
from tracker.journal.files import OPEN, check_directory, private_folder, replace_file
from tracker.journal.records import lane_of
from tracker.session import Session

COMPARED = ("agent_id", "provider", "window", "phase", "open", "record_id", "baseline")
STATE_LIMIT = 1 << 20  # bytes; ours have 300


@frozen(kw_only=True)
class Baseline:
    """An open window of schema 1.0.0, whose BEFORE is a count in the state file."""

    window: str
    used: float
    at: datetime


def path_of(session: Session, source: Source, lane: str | None) -> Path:
    """Where a lane's state of a provider stands; links within the data directory are refused."""
    folder = session.root / "state" if session.state_dir is None else session.state_dir
    if session.state_dir is None:
        check_directory(folder)
    if lane is not None:
        folder = folder / lane
        check_directory(folder)
    return folder / f"{source.name}.json"


def follow(session: Session, source: Source, lane: str | None) -> dict[str, Any]:
    """What the journal says: the lane's newest standing capture, and whether its window is open."""
    newest = session.index.newest(source.stream, lane, source.name)
    found: dict[str, Any] = {
        "agent_id": lane,
        "provider": source.name,
        "window": newest and newest.window,
        "phase": newest and newest.phase,
        "open": newest is not None and newest.phase == "before",
        "record_id": newest and newest.record_id,
    }
    if newest is not None and found["open"]:
        baseline = session.journal.record(source.stream, newest.offset).get("baseline")
        found |= {} if baseline is None else {"baseline": baseline}
    return found


def difference(path: Path, wanted: dict[str, Any]) -> str | None:
    """What is wrong with a state file, None where it says what it should."""
    try:
        found = orjson.loads(_read(path))
    except FileNotFoundError:
        return "is missing" if wanted["window"] is not None else None
    except (OSError, ValueError):
        return "cannot be read"
    if isinstance(found, dict) and "open" not in found and isinstance(found.get("window"), str):
        return None if found["window"] == wanted["window"] else "does not fit the journal"  # of schema 1.0.0
    is_ours = isinstance(found, dict) and "open" in found
    return (
        None if is_ours and all(found.get(key) == wanted.get(key) for key in COMPARED) else "does not fit the journal"
    )


def verify(session: Session, source: Source) -> None:
    """Warn where the lane's state file does not say what the journal says; the next write mends it."""
    path = path_of(session, source, session.lane)
    wrong = difference(path, follow(session, source, session.lane))
    if wrong is not None:
        session.warn(f"the lane's state {path} {wrong}: rebuilt from the journal")


def write_states(session: Session, stream: str, records: Sequence[Mapping[str, Any]]) -> None:
    """Write the state files that follow from records which were just appended."""
    changed: dict[tuple[Any, str | None], None] = {}
    for record in records:
        changed[record.get("provider"), lane_of(record)] = None
        if "tombstone" in record:
            entries = session.index.entries(stream, [str(record.get("window"))], removed=True)
            known = {entry.record_id: entry.record for entry in entries}
            target = record
            while target := known.get(str(target.get("tombstone")), {}):
                changed[record.get("provider"), lane_of(target)] = None
    for name, lane in changed:
        source = session.registry.source(name) if isinstance(name, str) else None
        if source is not None and source.kind == "status" and source.stream == stream:
            write(session, source, lane)


def write(session: Session, source: Source, lane: str | None) -> None:
    """Write a lane's state file; its loss would cost nothing, so a failure is a warning."""
    try:
        replace(path_of(session, source, lane), follow(session, source, lane), fsync=session.journal.fsync)
    except (OSError, TrackerError) as error:
        session.warn(f"the record is stored, but the lane's state was not written: {error}")


def replace(path: Path, state: dict[str, Any], *, fsync: bool = True) -> None:
    """Replace a state file in one step."""
    for folder in (path.parent.parent, path.parent):
        private_folder(folder, fsync=fsync)
    replace_file(path, orjson.dumps(state, option=orjson.OPT_INDENT_2) + b"\n", fsync=fsync)


def old_baseline(session: Session, source: Source) -> Baseline | None:
    """The count that schema 1.0.0 kept at the start of a window that is still open in this lane.

    None where the journal knows a capture of the lane, or any count, in that window: then it knows how that stands.
    """
    meter = source.capacity_meter
    found = read_old(path_of(session, source, session.lane)) if meter and meter.unit != "pp" else None
    if found is None:
        return None
    for entry in session.index.entries(source.stream, [found.window]):
        is_ours = entry.record.get("provider", source.name) == source.name
        if is_ours and (entry.record.get("phase") is None or lane_of(entry.record) == session.lane):
            return None
    return found


def read_old(path: Path) -> Baseline | None:
    """The open count in a state file of schema 1.0.0: `{"window", "baseline"}`; None in any other file."""
    try:
        found = orjson.loads(_read(path))
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or "open" in found:
        return None
    window, used = found.get("window"), found.get("baseline")
    if not isinstance(window, str) or isinstance(used, bool) or not isinstance(used, int | float):
        return None
    at = instant(found.get("captured_at")) or written
    return Baseline(window=window, used=used, at=at) if 0 <= used < 1e15 else None


def _read(path: Path) -> bytes:
    """A regular file's bytes; an `OSError` for anything that stands in its place."""
    file = os.open(path, os.O_RDONLY | OPEN)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(f"{path} is no regular file")
        return os.read(file, STATE_LIMIT)
    finally:
        os.close(file)
