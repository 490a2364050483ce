"""Lanes: agents that work in parallel, each with its own open windows, which follow from the journal alone.

The files under `state/` say which window a lane has open, for people and other programs. They are written after every
capture, and rebuilt with a warning if they do not say what the journal says. One thing is read from them: a baseline
that schema 1.0.0 kept there and nowhere else.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from attrs import frozen

from tracker.contract.readings import instant
from tracker.errors import TrackerError
from tracker.journal.files import NOTHING, OPEN, check_directory, private_folder, replace_file
from tracker.journal.records import lane_of

if TYPE_CHECKING:
    from tracker.contract.sources import Source
    from tracker.journal.index import Index
    from tracker.journal.journal import Appended
    from tracker.session import Session

LONGEST = 64
FIRST_WINDOW = "W0-01"
# bytes of a state file; ours have 300
STATE_LIMIT = 1 << 20
# the tag of a BEFORE that only a state file of schema 1.0.0 knew
OLD_BASELINE = "baseline-from-state"
COMPARED = ("agent_id", "provider", "window", "phase", "open", "record_id", "baseline")


def doubt(index: Index, window: str) -> tuple[str, str] | None:
    """What to say about a window that no record knows; nothing if it is the first one, or follows a known one.

    The second text is for commands that can be taken back.
    """
    if index.knows(window) or not (known := index.windows()):
        return None
    # it may differ from a known one in zero padding alone: `W0-07`, where `W0-7` was given
    alike = next((one for one in known if _unpadded(one) == _unpadded(window)), None)
    if alike:
        return f"{window} is a new window; did you mean {alike}?", " `tracker undo` takes this back"
    head, digits = _parts(window)
    if digits.strip("0") and index.knows(f"{head}{int(digits) - 1:0{len(digits)}d}"):
        return None
    return f"{window} is a new window.", " If that is a mistake, `tracker undo` takes this back"


def next_window(window: str) -> str:
    """The id that follows: `W0-19` -> `W0-20`, zero padding kept; `W0-CHN` -> `W0-CHN-02`."""
    # a file may hold any text
    head, digits = _parts(window) if len(window) < 2 * LONGEST else (window, "")
    return f"{head}{int(digits) + 1:0{len(digits)}d}" if digits else f"{window}-02"


def _parts(window: str) -> tuple[str, str]:
    head = window.rstrip("0123456789")
    return head, window[len(head) :]


def _unpadded(window: str) -> str:
    return re.sub(r"\d+", lambda digits: digits[0].lstrip("0") or "0", window)


# --- state files


@frozen(kw_only=True, slots=False)
class LaneFile:
    """The file that says which window of a provider a lane has open."""

    session: Session
    source: Source
    lane: str | None

    @property
    def path(self) -> Path:
        folder = self.session.state_dir or self.session.root / "state"
        return folder / (self.lane or "") / f"{self.source.name}.json"

    def check(self) -> None:
        """Refuse links in place of the folders."""
        if self.session.state_dir is None:
            check_directory(self.session.root / "state")
        if self.lane is not None:
            check_directory(self.path.parent)

    def content(self, until: int | None = None) -> dict[str, Any]:
        """What the journal says, up to an offset of the stream: the newest capture, and whether its window is open."""
        newest = self.session.index.newest(self.source.stream, self.lane, self.source.name, until=until)
        found: dict[str, Any] = {
            "agent_id": self.lane,
            "provider": self.source.name,
            "window": newest and newest.window,
            "phase": newest and newest.phase,
            "open": newest is not None and newest.phase == "before",
            "record_id": newest and newest.record_id,
        }
        if newest is not None and found["open"]:
            baseline = self.session.journal.record(self.source.stream, newest.offset).get("baseline")
            found |= {} if baseline is None else {"baseline": baseline}
        return found

    def problem(self, until: int | None = None) -> str | None:
        """What is wrong with the file, None if it says what it should."""
        wanted = self.content(until)
        try:
            found = orjson.loads(_read(self.path))
        except FileNotFoundError:
            return "is missing" if wanted["window"] is not None else None
        except (OSError, ValueError):
            return "cannot be read"
        if not isinstance(found, dict):
            return "does not fit the journal"
        is_old = "open" not in found and isinstance(found.get("window"), str)  # of schema 1.0.0
        keys = ("window",) if is_old else COMPARED
        is_right = (is_old or "open" in found) and all(found.get(key) == wanted.get(key) for key in keys)
        return None if is_right else "does not fit the journal"

    def write(self) -> None:
        """Write the file; its loss would cost nothing, so a failure is a warning."""
        path, fsync = self.path, self.session.journal.fsync
        try:
            self.check()
            for folder in (path.parent.parent, path.parent):
                private_folder(folder, fsync=fsync)
            text = orjson.dumps(self.content(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
            replace_file(path, text, fsync=fsync)
        except (OSError, TrackerError) as error:
            why = str(error).removesuffix(f" {NOTHING}.")
            self.session.warn(f"the record is stored, but the lane's state was not written: {why}")

    def old_baseline(self) -> tuple[str, float, datetime] | None:
        """Window, count and time of a count's BEFORE that schema 1.0.0 kept here alone, if its window is still open.

        None if the journal knows a capture of the lane, or any count, in that window: then it knows how that stands.
        """
        found = _old(self.path)
        for entry in self.session.index.entries(self.source.stream, [found[0]]) if found else ():
            is_ours = entry.record.get("provider", self.source.name) == self.source.name
            if is_ours and (entry.record.get("phase") is None or lane_of(entry.record) == self.lane):
                return None
        return found


def lane_files(session: Session) -> Iterator[LaneFile]:
    """The files that the journal asks for, whether they are there or not."""
    for source in session.registry.sources.values():
        for lane, mark in session.index.lanes(source.stream) if source.kind == "status" else ():
            if mark.provider == source.name:
                yield LaneFile(session=session, source=source, lane=lane)


def keep_states(session: Session, new: Appended) -> None:
    """Write the files that follow from records which were just appended."""
    if not any("phase" in record or "tombstone" in record for record in new.records):
        return
    changed: dict[tuple[Any, str | None], bool] = {}
    for record in new.records:
        # a baseline of schema 1.0.0 was in the file alone until now
        is_new = "phase" in record and OLD_BASELINE not in record["parsed"]["errors"]
        changed.setdefault((record.get("provider"), lane_of(record)), is_new)
        for lane in _removed_lanes(session, new.stream, record) if "tombstone" in record else ():
            changed.setdefault((record.get("provider"), lane), False)
    for (name, lane), is_capture in changed.items():
        source = session.registry.source(name) if isinstance(name, str) else None
        if source is None or source.kind != "status" or source.stream != new.stream:
            continue
        file = LaneFile(session=session, source=source, lane=lane)
        wrong = file.problem(new.start) if is_capture else None
        if wrong is not None:
            session.warn(f"the lane's state {file.path} {wrong}: rebuilt from the journal")
        file.write()


def _removed_lanes(session: Session, stream: str, tombstone: Mapping[str, Any]) -> Sequence[str | None]:
    """The lanes of what a tombstone removes, or puts back if that is a tombstone itself."""
    entries = session.index.entries(stream, [str(tombstone.get("window"))], removed=True)
    known = {entry.record_id: entry.record for entry in entries}
    found, target = [], tombstone
    while target := known.get(str(target.get("tombstone")), {}):
        found.append(lane_of(target))
    return found


def _old(path: Path) -> tuple[str, float, datetime] | None:
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
    return (window, used, instant(found.get("captured_at")) or written) if 0 <= used < 1e15 else None


def _read(path: Path) -> bytes:
    """A regular file's bytes; an `OSError` for anything that stands in its place."""
    file = os.open(path, os.O_RDONLY | OPEN)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(f"{path} is no regular file")
        return os.read(file, STATE_LIMIT)
    finally:
        os.close(file)
