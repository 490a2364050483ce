"""Lanes: agents that work in parallel. The journal alone says what each has open; files under `state/` repeat it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tracker.contract.sources import Source
from tracker.errors import TrackerError
from tracker.journal.files import private_folder, replace_file
from tracker.journal.records import NOTHING, lane_of
from tracker.session import Session
from tracker.text.pane import redact
from tracker.text.render import spelling

if TYPE_CHECKING:
    from tracker.journal.index import Index

ZEROTH, TIMED = "W0-00", re.compile(r"H\d{8}-\d{4}")  # what the first window follows; one that a time names


def doubt(index: "Index", window: str, given: Mapping[str, Any]) -> tuple[str, str] | None:
    """The note on a window without records, and its cure; None for the first, and for the next of a capture."""
    known = [] if index.knows(window) else index.newest_windows(1000)
    if not known or ({"captured_at", "stale_ok"} & given.keys() and window in map(next_window, known)):
        return None
    if alike := next((one for one in known if spelling(one) == spelling(window)), None):
        return f"{window} is a new window. Did you mean {alike}?", " `tracker undo` takes this back"
    return f"{window} is a new window.", " If that is a mistake, `tracker undo` takes this back"


def next_window(window: str) -> str:
    """The id that follows: `W0-19` -> `W0-20`, zero padding kept; `W0-CHN` -> `W0-CHN-02`."""
    # a file may hold any text, and very long digits are no number, nor is the time of a window that was named after it
    head = window if len(window) >= 128 or TIMED.fullmatch(window) else window.rstrip("0123456789")
    digits = window[len(head) :]
    return f"{head}{int(digits) + 1:0{len(digits)}d}" if digits else f"{window}-02"


def stamped_notes(notes: str | None, lane: str | None) -> str | None:
    """The caller's notes, addresses redacted, then the lane."""
    return "; ".join([*([redact(notes)] if notes else []), *([f"AGENT_ID={lane}"] if lane else [])]) or None


def lane_option(session: Session, lane: str | None) -> str:
    """What a printed command needs at its end to work in a lane."""
    return f" --agent {lane or repr('')}" if lane or session.lane else ""


class LaneFile(NamedTuple):
    """The file that says which window of a provider a lane has open."""

    session: Session
    source: Source
    lane: str | None

    @property
    def path(self) -> Path:
        return (self.session.state_dir or self.session.root / "state") / (self.lane or "") / f"{self.source.name}.json"

    def content(self) -> dict[str, Any]:
        """What the journal says: the newest capture, and whether its window is open."""
        newest = self.session.index.newest(self.source.stream, self.lane, self.source.name)
        found: dict[str, Any] = {
            "agent_id": self.lane,
            "provider": self.source.name,
            **{key: getattr(newest, key, None) for key in ("window", "phase", "record_id")},
            "open": newest is not None and newest.phase == "before",
        }
        if newest is not None and found["open"]:
            baseline = self.session.journal.record(self.source.stream, newest.offset).get("baseline")
            found |= {} if baseline is None else {"baseline": baseline}
        return found

    def write(self) -> None:
        """Write the file; its loss would cost nothing, so a failure is a warning."""
        import orjson

        path, fsync = self.path, self.session.journal.fsync
        try:
            for folder in (path.parent.parent, path.parent) if self.lane else (path.parent,):
                private_folder(folder, fsync=fsync)
            text = orjson.dumps(self.content(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
            replace_file(path, text, fsync=fsync)
        except (OSError, TrackerError) as error:
            why = str(error).removesuffix(f" {NOTHING}.")
            self.session.warn(f"the record is stored, but the lane's state was not written: {why}")


def keep_states(session: Session, stream: str, records: Iterable[Mapping[str, Any]]) -> None:
    """Write the state files that follow from records that were just appended."""
    changed = set()
    for record in records:
        if "phase" in record or "tombstone" in record:
            found = {lane_of(record), *(_removed_lanes(session, stream, record) if "tombstone" in record else ())}
            changed |= {(record.get("provider"), lane) for lane in found}
    for name, lane in changed:
        source = session.registry.source(name) if isinstance(name, str) else None
        if source is not None and source.kind == "status" and source.stream == stream:
            LaneFile(session, source, lane).write()


def _removed_lanes(session: Session, stream: str, tombstone: Mapping[str, Any]) -> Iterator[str | None]:
    """The lanes of what a tombstone removes, or puts back if that is a tombstone itself."""
    entries = session.index.entries(stream, [str(tombstone.get("window"))], removed=True)
    known = {entry.record_id: entry.record for entry in entries}
    while tombstone := known.pop(str(tombstone.get("tombstone")), {}):
        yield lane_of(tombstone)
