"""Check a data directory: its files, every stream, what refers to what, the lanes' state, the ledgers, the index."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import evolve

from tracker.api import Source
from tracker.journal import index_database as index_file
from tracker.kernel import ANOMALIES, WINDOWS, Index, Session, TrackerError, absent, command_line, named, status_streams
from tracker.windows import lane_state as state
from tracker_desk.findings import Finding, limited
from tracker_desk.ids import Ids
from tracker_desk.stream_checks import StreamCheck
from tracker_ledgers.ledgers import LEDGERS, path_of, rows

DERIVED = ("extent", "capture", "reset", "tombstone")  # tables that follow from the journal row by row


def examine(session: Session, *, fix: bool) -> dict[str, Any]:
    """Everything that was found, as JSON values; with `fix` mended where that only appends or sets aside."""
    session.journal.mends = False
    fresh = Index(session.journal, may_create=False)
    fresh.use(index_file.connect(""))  # SQLite's name of a temporary file
    with contextlib.closing(fresh), session.journal.lock(command_line()) if fix else contextlib.nullcontext():
        found = [*_files(session), *_index(session, fresh)]
        session.index = fresh  # whatever the other one says
        return _examine(session, found, fix=fix)


def _examine(session: Session, found: list[Finding], *, fix: bool) -> dict[str, Any]:
    checks: list[StreamCheck] = []
    with contextlib.ExitStack() as stack:
        for stream in session.journal.streams():
            check = StreamCheck(session, stream, stack.enter_context(Ids()))
            checks.append(check)
            with _said(found, check.name):
                found += limited(check.run(), check.name)
                found += limited(check.dangling(), check.name)
        found += limited(_references(session, {check.stream: check.ids for check in checks}), ANOMALIES)
    for part in (_plugins, _states, _ledgers):
        with _said(found, part.__name__.strip("_")):
            found += part(session)
    if fix:
        found = [_fixed(one) for one in found]
    is_bad = any(one.level == "error" and not one.is_fixed for one in found)
    counted = {check.stream: {key: getattr(check, key) for key in ("lines", "records", "removed")} for check in checks}
    return {
        "data_dir": str(session.root),
        "ok": not is_bad,
        "streams": counted,
        "findings": [one.document() for one in found],
    }


@contextlib.contextmanager
def _said(found: list[Finding], where: str) -> Iterator[None]:
    """What keeps a check from being made is a finding, too."""
    try:
        yield
    except (TrackerError, OSError) as error:
        found.append(Finding(level="error", check="unreadable", where=where, what=str(error), cure="see the reason"))


def _fixed(one: Finding) -> Finding:
    if one.fix is None:
        return one
    try:
        one.fix()
    except (TrackerError, OSError) as error:
        return evolve(one, cure=f"{one.cure}; that failed: {error}")
    return evolve(one, is_fixed=True)


# --- files


def _files(session: Session) -> Iterator[Finding]:
    """Permissions, and what does not belong into the directory."""
    root = session.root
    if not os.access(root, os.W_OK | os.X_OK):
        yield Finding(
            level="error", check="permissions", where=str(root), what="may not be written", cure=f"chmod u+rwx {root}"
        )
    for path in [root, *sorted(root.rglob("*"))]:
        mode = path.lstat().st_mode
        name = str(path.relative_to(root.parent))
        if stat.S_ISLNK(mode):
            what, cure = "is a symbolic link, which no command follows", "move what it points to here"
            yield Finding(level="warning", check="link", where=name, what=what, cure=cure)
        elif not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            yield Finding(level="warning", check="file", where=name, what="is no regular file", cure="move it away")
        elif os.name == "posix" and mode & 0o077:
            cure = f"chmod -R go-rwx {root}"
            what = f"may be read by others ({stat.filemode(mode)})"
            yield Finding(level="warning", check="permissions", where=name, what=what, cure=cure)


# --- what refers to what


def _references(session: Session, ids: dict[str, Ids]) -> Iterator[Finding]:
    """Anomalies about records that are nowhere, and closings of anomalies that are nowhere."""
    for entry in session.index.lines(ANOMALIES) if ANOMALIES in ids else ():
        about, closes = entry.record.get("records"), entry.record.get("closes")
        missing = [one for one in about if isinstance(one, str)] if isinstance(about, list) else []
        missing = [one for one in missing if not any(one in known for known in ids.values())]
        where = f"{ANOMALIES}.jsonl, record {entry.record_id}"
        if missing:
            what = f"is about {missing[0]}, which is not there: a command was stopped before it stored that"
            yield Finding(
                level="note", check="reference", where=where, what=what, cure="nothing to do: it does not count"
            )
        if isinstance(closes, str) and closes not in ids[ANOMALIES]:
            what = f"closes {closes}, which is not there"
            yield Finding(level="warning", check="reference", where=where, what=what, cure="import where it was raised")


def _plugins(session: Session) -> Iterator[Finding]:
    """Records that no plugin reads."""
    for one in absent(session):
        where = f"{one.stream}.jsonl" if one.stream else f"{WINDOWS}.jsonl"
        yield Finding(level="warning", check="plugin", where=where, what=named([one]), cure=one.cure)


# --- the lanes' state


def _states(session: Session) -> Iterator[Finding]:
    """State files that do not say what the journal says."""
    known: set[Path] = set()
    unread = {f"{one.name}.json" for one in absent(session)}
    for stream in status_streams(session):
        for lane, mark in session.index.lanes(stream):
            source = session.registry.sources.get(mark.provider)
            if source is None or source.stream != stream:
                continue
            path = state.path_of(session, source, lane)
            known.add(path)
            wrong = state.difference(path, state.follow(session, source, lane))
            if wrong is not None:
                yield _state(session, source, lane, path, wrong)
    for path in sorted((session.root / "state").rglob("*.json")):
        if path.name in unread:
            continue
        if path not in known and (old := state.read_old(path)) is None and not _is_closed(path):
            what = "is of no lane and provider that the journal knows"
            yield Finding(level="warning", check="state", where=str(path), what=what, cure="move it away")
        elif path not in known and old is not None:
            what = f"holds the open baseline of {old.window}, of schema 1.0.0"
            yield Finding(level="note", check="state", where=str(path), what=what, cure="`alias end` makes it a record")


def _is_closed(path: Path) -> bool:
    """Whether a state file says that nothing stands: every capture of its lane was taken back."""
    import orjson

    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and "open" in found and found.get("window") is None


def _state(session: Session, source: Source, lane: str | None, path: Path, wrong: str) -> Finding:
    def mend() -> None:
        if path.exists():
            path.rename(path.with_name(f"{path.name}.aside-{secrets.token_hex(4)}"))
        state.write(session, source, lane)

    cure = "tracker doctor --fix, or the lane's next capture, writes it anew"
    return Finding(level="warning", check="state", where=str(path), what=wrong, cure=cure, fix=mend)


# --- ledgers and index


def _ledgers(session: Session) -> Iterator[Finding]:
    """Ledgers whose header, or whose CSV, is not as it should be."""
    for ledger in LEDGERS:
        path = path_of(session, ledger)
        try:
            rows(path, ledger)
        except TrackerError as error:
            cure = "mend the file by hand: programs only append to it"
            yield Finding(level="error", check="ledger", where=str(path), what=str(error), cure=cure)


def _index(session: Session, fresh: Index) -> Iterator[Finding]:
    """An index that says something else than a new one: it was changed by hand, or the journal was, in its middle."""
    path = index_file.find(session.root)
    if path is None:
        return
    try:
        streams = session.journal.streams()
        differs = session.index.faults()
        for table in () if differs else DERIVED:
            if session.index.table(table, streams) != fresh.table(table, streams):
                differs.append(table)
    except (sqlite3.DatabaseError, TrackerError, OSError) as error:
        differs = [str(error)]
    session.index.close()
    if differs:
        yield Finding(
            level="warning",
            check="index",
            where=str(path),
            what=f"does not fit the journal ({', '.join(differs)})",
            cure=f"tracker doctor --fix makes it anew; rm -r {path.parent} does the same",
            fix=lambda: index_file.discard(session.root),
        )
