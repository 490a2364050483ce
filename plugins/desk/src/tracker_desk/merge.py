"""Import another tracker directory's records. Ids decide, so a second run changes nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from shlex import quote
from typing import Any

from attrs import define, field

from tracker.kernel import CaptureMark, Journal, Session, TrackerError, Windows, plural, record_id, span, stamp
from tracker_desk.config_values import ledgers_above, note_ledgers
from tracker_desk.current_meters import SKEW
from tracker_desk.derived_checks import old_baseline
from tracker_desk.different_work import changed, listed
from tracker_desk.elsewhere import is_theirs
from tracker_desk.ids import Ids
from tracker_desk.progress import Advance, progress
from tracker_desk.status import begun_next, lane_option

# bytes that are appended at once
BATCH = 4 << 20
# how many captures are searched for a lane's newest own one
AMONG = 1000
# the commands whose records were imported: each directory keeps its own list, so it is not imported
IMPORTS = "imports"
Record = dict[str, Any]


@define
class MergeCounts:
    """What became of the records of one stream."""

    new: int = 0
    known: int = 0
    conflicts: list[str] = field(factory=list)  # ids that are here with other content
    removals: list[Record] = field(factory=list)  # the new ones that take a record back
    captures: set[tuple[str, str]] = field(factory=set)  # windows and providers of the new ones

    def document(self) -> dict[str, Any]:
        return {"new": self.new, "known": self.known, "conflicts": self.conflicts}


def take_in(session: Session, folder: Path, *, force: bool = False) -> None:
    """Append what another directory has and this one lacks, correct the lanes' state, and report what came."""
    there = Session()
    there.data_dir, there.quiet, there.dry_run = _other(session, folder), session.quiet, True
    other = there.journal
    named = [stream for stream in other.streams() if stream != IMPORTS]
    streams = [stream for stream in named if _holds_records(other, stream)]
    if not streams:
        raise TrackerError(
            f"{folder} contains no tracker records (*.jsonl). Expected a tracker data directory, or a folder that"
            f" `tracker export --format jsonl` wrote.{_near(folder)}"
        )
    for stream in sorted(set(named).difference(streams)):
        session.warn(f"{other.path(stream)} holds no tracker records and was left out")
    apart = [] if force else changed(session, there, folder)
    size = sum(session.journal.size(stream) + other.size(stream) for stream in streams)
    if session.dry_run:
        found = {stream: _take(session, other, stream, lambda _: None) for stream in streams}
    else:
        states = [(file, file.content()) for file in Windows(session).lane_files()]
        with progress(session, size) as advance:
            # anomalies first, as everywhere: one about a record that did not come is about nothing
            found = {
                stream: _take(session, other, stream, advance)
                for stream in sorted(streams, key=lambda name: (name != "anomalies", name))
            }
        session.index.catch_up(session.journal.streams())
        with session.journal.lock():
            # also of lanes whose last capture a tombstone from there took back
            files = *(file for file, _ in states), *Windows(session).lane_files()
            for file in {one.path: one for one in files}.values():
                file.write()
        _warn_of_hidden(session, states)
        _note_lost(session, found)
        _note_joined(session, set[tuple[str, str]]().union(*(one.captures for one in found.values())))
    _report(session, other, found)
    _warn_of_clock(session, there)
    if apart:
        what = f"{listed(apart)} changed both here and in {folder} since they last agreed"
        session.note(f"note: {what}: the later `tracker complete` counts")


def _warn_of_hidden(session: Session, states: Sequence[tuple[Any, Mapping[str, Any]]]) -> None:
    """Say which windows `end` and `start` no longer work on, since newer ones of their lanes came in."""
    came = session.index.made_elsewhere()
    for file, before in states:
        source, now = file.source, file.content()
        mark = None if now["window"] in (before["window"], None) else _own(session, file, came)
        if mark is None or mark.window == now["window"]:
            continue
        own, new, name, lane = mark.window, now["window"], source.name, lane_option(session, file.lane)
        # its AFTER may have come in
        if mark in session.index.left_open(source.stream, file.lane, name, [own]):
            session.warn(
                f"{own} is open here, but the imported {new} is newer, so `tracker end {name}` no longer ends {own}."
                f" To end it, use `tracker end {name} --stdin --window {quote(own)}{lane}`"
            )
        elif mark.phase != "before":
            following = _free_after(session, own)
            if following == begun_next(session, source, file.lane):
                continue
            behind = "opens the window after it, as in a new lane"
            does = "replaces its BEFORE" if now["open"] else behind
            session.note(
                f"note: the imported {new} of {name} is newer than {own}, so `tracker start {name}` {does}."
                f" To continue after {own}, use `tracker start {name} --stdin --window {quote(following)}{lane}`"
            )


def _own(session: Session, file: Any, came: Container[object]) -> CaptureMark | None:
    """The newest capture of a lane that was made here; behind many imported ones it is not searched."""
    for position in range(1, AMONG):
        mark = session.index.newest(file.source.stream, file.lane, file.source.name, position=position)
        if mark is None or not is_theirs(session.journal.record(mark.stream, mark.offset), came):
            return mark
    return None


def _note_lost(session: Session, found: Mapping[str, MergeCounts]) -> None:
    """Note which captures of this machine an imported record takes back."""
    came = session.index.made_elsewhere()
    for stream in sorted(found.keys() & session.registry.status_streams):
        gone = {one["tombstone"]: one.get("window") for one in found[stream].removals}
        for entry in session.index.entries(stream, sorted({str(window) for window in gone.values()}), removed=True):
            record = entry.record
            if entry.record_id in gone and not is_theirs(record, came):
                what = f"{record.get('window')} lost its {record.get('phase')} capture of {record.get('provider')}"
                session.note(
                    f"note: {what}, made here: an imported record takes it back. To restore it, undo the command that"
                    " took it back, there, with `tracker undo`, and import again"
                )


def _note_joined(session: Session, captured: Collection[tuple[str, str]]) -> None:
    """Note which windows finalized here got captures of a further provider, which makes them stale."""
    came, rows = session.index.made_elsewhere(), Windows(session).finalized({window for window, _ in captured})
    own = {window: row for window, row in rows.items() if not is_theirs(row.record, came)}
    groups = Windows(session).captures(sorted(own)) if own else {}
    for window, name in sorted(captured):
        if (
            window in own
            and name not in own[window].providers
            and own[window].is_stale(name, groups.get((window, name), ()))
        ):
            session.note(
                f"note: the import added captures of {name} to {window}, which was finalized here without them. If they"
                f" belong to other work, take them out there (`tracker alias delete {name} --window {quote(window)}"
                f" --keep-readings`) and import again; if not, `tracker complete --window {quote(window)}` counts them"
            )


def _warn_of_clock(session: Session, there: Session) -> None:
    """Warn that two clocks differ if a capture from there lies in the future here."""
    known = (mark.at for stream in session.registry.status_streams for _, mark in there.index.lanes(stream))
    ahead = timedelta(seconds=max(known, default=0) - session.now.timestamp())
    if ahead > SKEW:
        session.warn(
            f"the newest capture there is {span(ahead)} ahead of the clock here, so one of the two clocks is wrong. Set"
            " it: windows may seem to overlap, and overlapping windows do not count"
        )


def _free_after(session: Session, window: str) -> str:
    """The next window that no record knows: two machines must not use one id for different work."""
    following = Windows(session).following(window)
    while session.index.knows(following):
        following = Windows(session).following(following)
    return following


def _other(session: Session, folder: Path) -> Path:
    root = folder.resolve()
    if root.exists() and not root.is_dir():
        raise TrackerError(f"{folder} is not a directory. Name the directory that holds it.")
    if not root.is_dir():
        raise TrackerError(f"There is no directory {folder}.")
    if session.root.exists() and os.path.samefile(root, session.root):
        raise TrackerError(f"{folder} is the data directory itself. Name another one to import from.")
    return root


def _holds_records(other: Journal, stream: str) -> bool:
    """Whether a file is empty or holds records, rather than the JSON lines of another program, such as a proxy."""
    first = next((record for _, record in _records(other, stream)), None)
    return not first or not first.keys().isdisjoint(("schema_version", "captured_at"))


def _near(folder: Path) -> str:
    """A hint at the data directory if the project's folder was named instead."""
    places = [folder / "data" / "week0" / "live", *sorted(path for path in folder.iterdir() if path.is_dir())]
    known = next((place for place in places if (place / "snapshots.jsonl").is_file()), None)
    return f" Did you mean {known}?" if known else ""


def _take(session: Session, other: Journal, stream: str, advance: Advance) -> MergeCounts:
    """Append what this directory lacks, batch by batch.

    The lock is held only while reading what others appended meanwhile and while writing the batch.
    """
    taken, journal, seen = MergeCounts(), session.journal, 0
    with contextlib.closing(Ids()) as ids:
        for batch in _batches(other, stream, advance):
            # first everything that is here, before the lock is taken
            seen = _read(journal, stream, seen, ids, advance)
            with contextlib.nullcontext() if session.dry_run else journal.lock():
                _read(journal, stream, seen, ids, advance)
                new = [one for one in batch if _is_new(taken, ids, record_id(stream, *one), *one)]
                if new and not session.dry_run:
                    lines = {stream: b"".join(line + b"\n" for line, _ in new)}
                    mark = _mark(session, other, [record for _, record in new])
                    # the mark first: what came in is never taken for this directory's own
                    journal.append_all({IMPORTS: [mark], **lines} if mark else lines)
                seen = journal.size(stream)
    return taken


def _mark(session: Session, other: Journal, records: Sequence[Record]) -> Record | None:
    """A record of the commands that wrote these records, for `tracker undo`; events and old records name none."""
    commands = {command for record in records if isinstance(command := record.get("command_id"), str)}
    if not commands:
        return None
    return stamp(
        window=None,
        provider=None,
        captured_at=session.now,
        source="automation",
        agent_id=session.lane,
        command="tracker import",
        directory=os.path.relpath(other.root, os.path.realpath(session.root)),
        imported=sorted(commands),
    )


def _is_new(taken: MergeCounts, ids: Ids, own_id: str, line: bytes, record: Mapping[str, Any]) -> bool:
    is_same = ids.add(own_id, line)
    if is_same is None:
        taken.new += 1
        taken.removals += [dict(record)] if "tombstone" in record else []
        if record.get("phase") in ("before", "after"):
            taken.captures.add((str(record.get("window")), str(record.get("provider"))))
        return True
    taken.known += 1
    # events are identified by their line, whenever it was stored
    if not is_same and "nonce" in record:
        taken.conflicts.append(own_id)
    return False


def _batches(other: Journal, stream: str, advance: Advance) -> Iterator[list[tuple[bytes, Record]]]:
    batch, size = list[tuple[bytes, Record]](), 0
    for line, record in _records(other, stream):
        advance(len(line) + 1)
        batch.append((line, record))
        size += len(line)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    yield batch


def _records(other: Journal, stream: str) -> Iterator[tuple[bytes, Record]]:
    """Every record with its line, also a last one of which only the end is missing, as after an edit by hand."""
    for _, line, record in other.records(stream, 0, other.size(stream)):
        yield line, record
    rest = _rest(other, stream)
    if (last := Journal.decode(rest)) is not None:
        yield rest, last


def _rest(other: Journal, stream: str) -> bytes:
    """The bytes after the last whole line."""
    with other.path(stream).open("rb") as file:
        file.seek(other.size(stream))
        return file.read()


def _read(journal: Journal, stream: str, start: int, ids: Ids, advance: Advance) -> int:
    """Remember the records from an offset on, and return where they end."""
    stop = journal.size(stream)
    for _, line, record in journal.records(stream, start, stop):
        advance(len(line) + 1)
        ids.add(record_id(stream, line, record), line)
    return stop


def _report(session: Session, other: Journal, found: dict[str, MergeCounts]) -> None:
    new, known = sum(one.new for one in found.values()), sum(one.known for one in found.values())
    if session.json or session.dry_run:
        session.data({"from": str(other.root), "streams": {name: one.document() for name, one in found.items()}})
    else:
        parts = ", ".join(f"{name} {one.new}" for name, one in sorted(found.items()) if one.new)
        session.say(f"imported {plural(new, 'record')}{f' ({parts})' if parts else ''}; {known} were here already")
    is_known = "ledger_rows" in found
    # an earlier version kept no records of its ledgers' rows
    is_apart = not is_known and ledgers_above(session, other.root) not in (None, ledgers_above(session, Path.cwd()))
    if found["ledger_rows"].new if is_known else new and is_apart:
        note_ledgers(
            session,
            "an import leaves out the evidence that decision cards count: append the rows of the other project's"
            " {0}/Acceptance_Evidence.csv to your own, or copy the file if you have none",
        )
    for name, one in found.items():
        if one.conflicts:
            session.warn(
                f"kept what is here for {plural(len(one.conflicts), 'record')} of {name} whose id came in with other"
                f" content, such as {one.conflicts[0]}. One of the two was changed by hand."
            )
        rest = _rest(other, name)
        if rest and Journal.decode(rest) is None:
            what = f"{other.path(name)} ends in a torn line of {len(rest)} bytes, which was not imported"
            session.warn(f"{what}. If the file is a copy, copy it again and import once more.")
    for path in sorted(other.root.glob("state/**/*.json")):
        if (window := old_baseline(path)) is not None:
            session.warn(f"{path} holds the open baseline of {window} in schema 1.0.0, which is not imported")
