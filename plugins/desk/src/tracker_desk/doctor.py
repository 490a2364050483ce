"""Check a data directory and its set-up: files, streams, references, lane states, index, features, providers."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from attrs import evolve

from tracker.api import Finding
from tracker.kernel import FinalizeRow, Session, Windows, line, plural
from tracker_desk.derived_checks import index_findings, state_findings
from tracker_desk.findings import document, finding, limited, repaired, unreadable
from tracker_desk.ids import Ids
from tracker_desk.progress import progress
from tracker_desk.setup_checks import setup_findings
from tracker_desk.stream_checks import StreamCheck

ELSEWHERE = "copy it to a folder where you can write, and name the copy with --data-dir"
# checks whose cure writes into the data directory
WRITERS = ("anomaly", "file", "folder", "link", "old", "open", "permissions", "state", "torn")


def examine(session: Session, *, fix: bool, wrong: Iterable[str]) -> dict[str, Any]:
    """Every finding as JSON values; with `fix`, repaired if that only appends or sets something aside.

    wrong: the problems of the settings file.
    """
    session.journal.mends = False
    with contextlib.ExitStack() as stack:
        if fix:
            stack.enter_context(session.journal.lock())
        files = _files(session) if session.root.is_dir() else ()
        found = [*map(_setting, wrong), *files, *index_findings(session)]
        if session.index.path is None or any(one.check == "index" for one in found):
            # the other checks must not depend on an index that may be wrong
            session.index = stack.enter_context(contextlib.closing(session.index.fresh()))
        checks = _streams(session, found)
        with unreadable(found, "plugins"):
            # reads every window, so once
            missing = Windows(session).missing_plugins()
            found += _plugins(session, missing)
            found += state_findings(session, {one.name for one in missing})
        with unreadable(found, "features"):
            # what the installed features know about their own files
            found += chain.from_iterable(session.registry.ask("data_findings", session=session))
        with unreadable(found, "setup_findings"):
            found += setup_findings(session)
        if any(one.cure == ELSEWHERE for one in found):
            found = [_possible(one) for one in found]
        reported = [repaired(session, one) if fix else document(one) for one in found]
    counted = {check.stream: {key: getattr(check, key) for key in ("lines", "records", "removed")} for check in checks}
    return {
        "data_dir": str(session.root),
        "ok": all(one["fixed"] or one["level"] != "error" for one in reported),
        "streams": counted,
        "findings": reported,
    }


def _streams(session: Session, found: list[Finding]) -> list[StreamCheck]:
    checks: list[StreamCheck] = []
    size = sum(session.journal.path(stream).lstat().st_size for stream in session.journal.streams())
    with contextlib.ExitStack() as stack:
        advance = stack.enter_context(progress(session, size))
        for stream in session.journal.streams():
            check = StreamCheck(session, stream, stack.enter_context(contextlib.closing(Ids())))
            checks.append(check)
            with unreadable(found, check.name, session.journal.path(stream)):
                found += limited(check.run(advance), check.name)
                found += limited(check.dangling(), check.name)
        ids = {check.stream: check.ids for check in checks}
        with unreadable(found, "windows.jsonl"):
            found += limited(_lost(session, ids), "windows")
    return checks


def _setting(problem: str) -> Finding:
    place, _, what = problem.rstrip(".").partition(": ")
    return finding("error", "settings", place, what, "edit the file; until then other commands refuse to run")


def _foreign(root: Path) -> str | None:
    """Why you cannot make a directory writable, None if `chmod` does it."""
    if os.statvfs(root).f_flag & os.ST_RDONLY:
        return ": its file system is read-only"
    owner = root.stat().st_uid
    return f": it belongs to user {owner}" if owner != os.geteuid() else None


def _possible(one: Finding) -> Finding:
    """A finding about a directory that cannot be written, without a cure that writes there."""
    is_inside = one.fix or (one.check in WRITERS and one.cure != ELSEWHERE)
    return (
        evolve(one, cure="not possible while the directory is not writable (see above)", fix=None) if is_inside else one
    )


def _files(session: Session) -> Iterator[Finding]:
    """Permissions, and files that do not belong in the directory."""
    root = session.root
    if not os.access(root, os.W_OK | os.X_OK):
        why, cure = _foreign(root) or "", shlex.join(["chmod", "u+rwx", str(root)])
        yield finding("error", "permissions", root, f"is not writable{why}", ELSEWHERE if why else cure)
    for path in [root, *sorted(root.rglob("*"))]:
        if fault := _fault(root, path):
            check, problem, cure = fault
            yield finding("warning", check, path.relative_to(root.parent), problem, cure)


def _fault(root: Path, path: Path) -> tuple[str, str, str] | None:
    """What is wrong with a file of the directory: the check, the problem and the cure."""
    mode, remove = path.lstat().st_mode, shlex.join(["rm", str(path)])
    if path == root / ".index" and not stat.S_ISDIR(mode):
        return "index", "is not a directory", remove
    if stat.S_ISLNK(mode):
        # the index and the states are rebuilt, so the target of a link in them may be somebody else's
        target = os.path.realpath(path)
        is_derived = not {root / ".index", root / "state"}.isdisjoint(path.parents)
        back = f" && {shlex.join(['mv', target, str(path)])}" if os.path.exists(target) and not is_derived else ""
        return "link", "is a symbolic link, which tracker does not follow", remove + back
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        return "file", "is not a regular file", shlex.join(["mv", str(path), "."])
    if mode & 0o077:
        problem = f"may be read by others ({stat.filemode(mode)})"
        return "permissions", problem, shlex.join(["chmod", "-R", "go-rwx", str(root)])
    return None


def _lost(session: Session, ids: dict[str, Ids]) -> Iterator[Finding]:
    """Finalize rows whose captures no stream holds."""
    for entry in session.index.entries("windows") if "windows" in ids else ():
        window, lost = str(entry.record.get("window")), list[str]()
        for measured in FinalizeRow(window, entry.record_id, entry.record).providers.values():
            used = records.values() if isinstance(records := measured.get("records"), Mapping) else ()
            lost += [one for one in used if isinstance(one, str) and not any(one in own for own in ids.values())]
        if lost:
            place = f"windows.jsonl, record {entry.record_id}"
            problem = f"{line(window)} lacks {plural(len(lost), 'capture')} that it was finalized with: {line(lost[0])}"
            cure = "bring them back from a copy of the data with `tracker import COPY`"
            yield finding("error", "reference", place, problem, cure)


def _plugins(session: Session, missing: Iterable[Any]) -> Iterator[Finding]:
    """Records that no plugin reads, and plugins that do not load."""
    for one in missing:
        yield finding("warning", "plugin", f"{one.stream}.jsonl", one.problem, one.cure)
    for error in (one.error for one in session.registry.plugins if one.error):
        yield finding("warning", "plugin", error.plugin, str(error), f"tracker plugins info {error.plugin}")
