"""What is wrong with the kernel's own derived files, for `tracker doctor`: lane states and the index."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import orjson

from tracker.contract.features import Finding
from tracker.contract.sources import Source
from tracker.errors import TrackerError
from tracker.journal import index_file
from tracker.journal.index import Index
from tracker.session import Session
from tracker.windows import lane_state
from tracker.windows.anomalies import status_streams
from tracker.windows.missing_plugins import absent


def fresh_index(session: Session) -> Index:
    """An index made from the journal in memory, whatever the stored one says."""
    return Index(session.journal, in_memory=True)


def index_findings(session: Session) -> Iterator[Finding]:
    """Damage of the stored index, and streams that were edited after it had read them."""
    path = index_file.find(session.root)
    if path is None:
        return
    try:
        differs = session.index.faults()
    except (TrackerError, OSError) as error:
        differs = [str(error)]
    session.index.close()
    if differs:
        yield Finding(
            check="index",
            place=str(path),
            problem=f"does not fit the journal ({', '.join(differs)})",
            cure="tracker doctor --fix",
            severity="warning",
            fix=lambda: index_file.discard(session.root),
        )


def state_findings(session: Session) -> Iterator[Finding]:
    """Lane states that differ from the journal, and files that belong to no lane."""
    known: set[Path] = set()
    for stream in status_streams(session):
        for lane, mark in session.index.lanes(stream):
            source = session.registry.sources.get(mark.provider)
            if source is None or source.stream != stream:
                continue
            path = lane_state.path_of(session, source, lane)
            known.add(path)
            wrong = lane_state.difference(path, lane_state.follow(session, source, lane))
            if wrong is not None:
                yield _state(session, source, lane, path, wrong)
    unread = {f"{one.name}.json" for one in absent(session)}
    for path in sorted((session.root / "state").rglob("*.json")):
        if path.name in unread or path in known:
            continue
        old = lane_state.read_old(path)
        if old is not None:
            problem = f"holds the open baseline of {old.window}, of schema 1.0.0"
            cure = f"tracker alias end {path.stem} --stdin"
            yield Finding(check="state", place=str(path), problem=problem, cure=cure, severity="note")
        elif not _is_closed(path):
            problem = "belongs to no lane and provider in the journal"
            yield Finding(check="state", place=str(path), problem=problem, cure=f"rm {path}", severity="warning")


def write_states(session: Session) -> None:
    """Write the state of every lane, as after an import."""
    sources = session.registry.sources
    for stream in status_streams(session):
        for lane, mark in session.index.lanes(stream):
            source = sources.get(mark.provider)
            if source is not None and source.kind == "status" and source.stream == stream:
                lane_state.write(session, source, lane)


def old_baselines(root: Path) -> Iterator[tuple[Path, str]]:
    """State files of schema 1.0.0 that hold an open window, which no record knows."""
    for path in sorted(root.glob("state/**/*.json")):
        if (old := lane_state.read_old(path)) is not None:
            yield path, old.window


def _is_closed(path: Path) -> bool:
    """Whether a state file says that its lane has no window: every capture was taken back."""
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and "open" in found and found.get("window") is None


def _state(session: Session, source: Source, lane: str | None, path: Path, wrong: str) -> Finding:
    def mend() -> None:
        if path.exists():
            path.rename(path.with_name(f"{path.name}.aside-{secrets.token_hex(4)}"))
        lane_state.write(session, source, lane)

    return Finding(
        check="state", place=str(path), problem=wrong, cure="tracker doctor --fix", severity="warning", fix=mend
    )
