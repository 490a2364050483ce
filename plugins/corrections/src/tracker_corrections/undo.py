"""Undo: take back what a lane's last writing command stored or took back. Rows are appended. Nothing is erased."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

from attrs import evolve, field, frozen

from tracker.kernel import (
    Capture,
    Entry,
    Journal,
    Session,
    TrackerError,
    Windows,
    iso,
    line,
    plural,
    record_id,
    stamp,
    value,
)
from tracker_corrections.anomaly_rows import ANOMALIES, closing, settled, texts, warn_raised
from tracker_corrections.deletion import staleness

TAIL = 17 << 20  # bytes at a stream's end that are searched: the longest line, or usually thousands of commands
ID = re.compile(rb'"command_id":\s*"([0-9a-f]{24})"')
LATEST = "g"  # sorts after every id; ids sort by time
MOST = 100  # records of one stream that are described one by one
# streams that views keep for their own scoring, which nobody wants to take back
NOTES = ("forecasts",)
IMPORTS = "imports"
FINALIZED = "windows"

Row = dict[str, Any]


@frozen(kw_only=True)
class Step:
    """The records of one command by stream. `log`: records that hold the command as it was typed.

    past: newer commands of its lane that stay, since what they stored (such as events) cannot be taken back.
    is_cut: whether some of its records may lie before the part that was searched.
    """

    command_id: str
    records: Mapping[str, list[Row]] = field(factory=lambda: defaultdict(list))
    log: Mapping[str, list[Row]] = field(factory=lambda: defaultdict(list))
    lane: str | None = None
    past: Sequence[Step] = ()
    is_cut: bool = False

    def add(self, stream: str, record: Row) -> None:
        # a record that holds the command is its log, not its purpose
        (self.log if isinstance(record.get("command"), str) else self.records)[stream].append(record)

    @property
    def words(self) -> list[str]:
        return [str(record["command"]) for records in self.log.values() for record in records]

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(int(self.command_id[:16], 16) / 1e9, UTC)

    @property
    def all(self) -> list[Row]:
        return [record for records in self.records.values() for record in records]

    def is_of(self, provider: str | None) -> bool:
        """Whether it can be taken back, and stored something of a provider if one is named."""
        return any(provider in (None, record.get("provider")) for record in self.all)

    @property
    def text(self) -> str:
        """`2026-11-22T06:30:00Z  tracker end NAME  (1 record)`."""
        return f"{iso(self.at)}  {self.command}  ({plural(self.count, 'record')})"

    @property
    def named(self) -> str:
        """The command within a sentence."""
        return f"`{self.command}` of {iso(self.at)}" if self.words else f"{self.command}, of {iso(self.at)}"

    @property
    def command(self) -> str:
        """As it was typed, without the data directory: that is this one."""
        if self.words:
            return line(re.sub(r" --data-dir[= ]('[^']*'|\S+)", "", self.words[0]))
        # not every command is in the command log
        streams = " and ".join(f"{stream}.jsonl" for stream in self.records if stream != ANOMALIES)
        return f"a command that wrote {streams or 'anomalies.jsonl'}"

    @property
    def count(self) -> int:
        return sum(len(records) for stream, records in self.records.items() if stream != ANOMALIES)


def steps(session: Session, provider: str | None = None) -> list[Step]:
    """The commands of this lane that can be taken back, the newest first."""
    found = [step for step in _of_lanes(session) if step.lane == session.lane and step.is_of(provider)]
    return _whole(session, found)


def _of_lanes(session: Session) -> list[Step]:
    """The commands of this directory that were not taken back, the newest first."""
    found: dict[str, Step] = {}
    # taken back, imported from another directory, or passed by `undo --past`
    gone: set[str] = set()
    # the streams in which something was taken back
    undone: dict[str, set[str]] = defaultdict(set)
    # a command has one lane, although not all of its records name it
    lanes: dict[str, str] = {}
    # the newest command that may have begun before the part that is searched
    cut = ""
    # ids sort by time; the log is in the order in which commands ended, and counts from where the clock was set back
    typed: dict[str, tuple[str, int]] = {}
    newest = ended = back = ""
    for stream in _streams(session):
        start = max(session.journal.size(stream) - TAIL, 0)
        for place, record in enumerate(_written(session, stream, start)):
            own = record["command_id"]
            if start and not place:
                cut = max(cut, LATEST if own in gone else own)
            gone.update(texts(record.get("imported")), texts(record.get("past")))
            if isinstance(record.get("undoes"), str):
                undone[record["undoes"]].add(stream)
                gone.add(own)
                continue
            if isinstance(record.get("command"), str) and own not in gone:
                if (end := str(record.get("captured_at"))) < ended:
                    back = newest
                newest, ended = max(newest, own), end
                typed[own] = max(back, own), len(typed)
            if isinstance(record.get("agent_id"), str):
                lanes[own] = record["agent_id"]
            found.setdefault(own, Step(command_id=own)).add(stream, record)
    # the log is undone last: an undo that was killed before that is finished by the next one
    gone |= {name for name, streams in undone.items() if name not in found or streams >= found[name].log.keys()}
    kept = sorted(found.keys() - gone, key=lambda name: typed.get(name, (name, 0)), reverse=True)
    return [evolve(found[name], lane=lanes.get(name), is_cut=name <= cut) for name in kept]


def _whole(session: Session, steps: Sequence[Step]) -> list[Step]:
    """The commands with everything they stored; the streams' ends may hold only part of it."""
    cut = {one.command_id: Step(command_id=one.command_id, lane=one.lane) for one in steps if one.is_cut}
    for stream in _streams(session) if cut else ():
        for record in _written(session, stream, 0, cut):
            cut[record["command_id"]].add(stream, record)
    return [cut.get(one.command_id, one) for one in steps]


def _streams(session: Session) -> list[str]:
    """The streams to search, first the one that lists imported commands.

    Streams of events belong to no command, although commands that also read session logs keep daily totals there.
    """
    events = {source.stream for source in session.registry.sources.values() if source.is_stream}
    found = [stream for stream in session.journal.streams() if stream not in {*NOTES, *events}]
    return sorted(found, key=lambda stream: stream != IMPORTS)


def _written(session: Session, stream: str, start: int, wanted: Container[str] | None = None) -> Iterator[Row]:
    """The records from an offset on that name the command that wrote them; only those of the wanted commands."""
    for number, (_, text) in enumerate(session.journal.lines(stream, start)):
        # the first line is cut if the search begins in the middle
        found = ID.search(text) if text and (number or not start) else None
        if text is None or found is None or not (wanted is None or found[1].decode() in wanted):
            continue
        record = Journal.decode(text)
        if record is not None and record.get("command_id") == found[1].decode():
            # an edit by hand may have removed its id
            yield {**record, "record_id": record_id(stream, text, record)}


def last(session: Session, provider: str | None) -> Step:
    """The newest command of this lane that can be taken back; past others only if no provider is named."""
    known = _of_lanes(session)
    fitting = [step for step in known if step.is_of(provider)]
    own = next((step for step in fitting if step.lane == session.lane), None)
    if own is None:
        raise _nothing(session, provider, known)
    [found] = _whole(session, [own])
    if provider is not None:
        return found
    newer = takewhile(lambda step: step.command_id != found.command_id, known)
    return evolve(found, past=[step for step in newer if step.lane == session.lane and not step.records])


def _nothing(session: Session, provider: str | None, known: Sequence[Step]) -> TrackerError:
    lane = f"lane {session.lane}" if session.lane else "this lane"
    of = f" of {line(provider)}" if provider else ""
    expected, cure = f"Expected a command that stored records in {session.root}, other than events and imports.", ""
    if provider is None and (stays := next((step for step in known if step.lane == session.lane), None)):
        expected = f"{stays.named} stays: undo cannot take back what it did."
    if newest := next((step for step in known if step.is_of(provider)), None):
        words = f"tracker undo{f' {line(provider)}' if provider else ''} --agent {newest.lane or repr('')}"
        there = f"lane {newest.lane}" if newest.lane else "the lane without a name"
        cure = f" The last command of {there} is {newest.named}: `{words}` takes that back."
    return TrackerError(f"There is nothing{of} to take back in {lane}. {expected}{cure}")


def described(session: Session, step: Step) -> list[str]:
    """What taking a command back does: a line for each record, or one line for very many, as after a `sync`."""
    found = []
    # captures come before what followed from them
    captured = session.registry.status_streams
    for stream, records in sorted(step.records.items(), key=lambda one: one[0] not in captured):
        if stream == ANOMALIES:
            continue
        if len(records) > MOST:
            found.append(f"take back {len(records):,} records of {stream}.jsonl")
            continue
        for record in records:
            target = record.get("tombstone")
            verb, about = "take back", record
            if isinstance(target, str):
                entries = _beside(session, stream, record)
                verb, about = "put back", next((one.record for one in entries if one.record_id == target), record)
                if _is_removed_twice(session, stream, record):
                    found.append(f"{_name(stream, about)} stays taken back: another command also took it back")
                    continue
            elif record["record_id"] in session.index.tombstoned(stream):
                found.append(f"{_name(stream, about)} was taken back already")
                continue
            found.append(f"{verb} {_name(stream, about)}")
    return found


def _is_removed_twice(session: Session, stream: str, tombstone: Row) -> bool:
    """Whether another record takes the same one back, such as another lane's undo."""
    target, gone = tombstone["tombstone"], session.index.tombstoned(stream)
    same = {one.record_id for one in _beside(session, stream, tombstone) if one.record.get("tombstone") == target}
    return not same - gone <= {tombstone["record_id"]}


def _beside(session: Session, stream: str, tombstone: Row) -> Iterator[Entry]:
    """The records of a tombstone's window, including those that were taken back."""
    windows = [window] if isinstance(window := tombstone.get("window"), str) else None
    return session.index.entries(stream, windows, removed=True)


def _name(stream: str, record: Row) -> str:
    """`NAME after snapshot for W0-20 (captured_at=...)`."""
    provider, phase, window = (record.get(key) for key in ("provider", "phase", "window"))
    # people know the ledger's row, which this record stands for
    what = f"{line(phase)} snapshot" if phase else f"record of {line(record.get('ledger') or f'{stream}.jsonl')}"
    what = "finalize row" if stream == FINALIZED else what
    words = [line(provider)] if provider else []
    words += [what, *([f"for {line(window)}"] if window else [])]
    # a history row for a run of equal readings was added by the last of them
    taken = record.get("until") or record.get("captured_at")
    return f"{' '.join(words)} (captured_at={value(taken)})"


def elsewhere(session: Session, step: Step) -> list[str]:
    """What features would reverse outside the journal, one line each; raises if they refuse."""
    was, session.dry_run = session.dry_run, True
    try:
        return _undo_rows(session, step)
    finally:
        session.dry_run = was


def undo(session: Session, step: Step) -> tuple[list[str], list[str]]:
    """Take the command back; returns what was done, a line per record, and what features did elsewhere."""
    if session.dry_run:
        for text in elsewhere(session, step):
            session.note(f"note: {text}")
        rows = _rows(session, step)
        session.data([row for stream in rows.values() for row in stream])
        return [], []
    with session.journal.lock():
        if step.command_id not in {one.command_id for one in _of_lanes(session)}:
            raise TrackerError("Another process took this command back already. Run `tracker undo --list`.")
        said, gone = described(session, step), _captures(session, step)
        # first what may be refused, such as rows of a ledger that is not there
        also = _undo_rows(session, step)
        rows = _rows(session, step)
        session.journal.append_all(rows)
    warn_raised(session, rows.get(ANOMALIES, ()))
    for provider, capture in gone:
        if lost := staleness(session, session.registry.providers[provider], capture):
            session.note(f"note: {lost}")
    return said, also


def _captures(session: Session, step: Step) -> list[tuple[str, Capture]]:
    """The captures of a command, each with its provider."""
    own = {record["record_id"]: str(record.get("window")) for record in step.all if record.get("phase")}
    groups = Windows(session).captures(own.values()) if own else {}
    return [(name, one) for (_, name), group in groups.items() for one in group if one.record_id in own]


def _undo_rows(session: Session, step: Step) -> list[str]:
    """What features reverse outside the journal."""
    _refuse_what_nothing_reverses(session, step)
    answers = session.registry.ask("undo_rows", session=session, command_id=step.command_id, records=step.all)
    return [text for answer in answers for text in answer]


def _refuse_what_nothing_reverses(session: Session, step: Step) -> None:
    """Refuse records whose feature is not in use: its ledger row would go on counting without them."""
    kept = {stream for one in session.registry.features if one.info for stream in one.info.streams}
    for stream, records in step.records.items():
        for record in records if stream not in kept else ():
            if "ledger" in record or record.get("source") == "churn":
                ledger = line(record.get("ledger") or "the churn ledger")
                # for a command that is missing here, the error goes on to say how to get it
                raise TrackerError(
                    f"No feature in use can reverse this command's row in {ledger}; the feature of `tracker churn`"
                    " does. Nothing was taken back."
                )
    known = {*kept, FINALIZED, *(one.stream for one in session.registry.sources.values())}
    streams = sorted(step.records.keys() - {ANOMALIES})
    if streams and known.isdisjoint(streams):
        raise TrackerError(
            f"No plugin in use declares {line(streams[0])}.jsonl, and only its plugin can reverse what belongs to its"
            " records elsewhere. Install that plugin, or take back a provider's last command with"
            " `tracker undo PROVIDER`. Nothing was taken back."
        )


def _rows(session: Session, step: Step) -> dict[str, list[Row]]:
    """The rows to append by stream; those about anomalies come first, as always when captures are stored."""
    rows: dict[str, list[Row]] = {ANOMALIES: []}
    for stream, records in step.records.items():
        if stream != ANOMALIES:
            rows[stream] = [_tombstone(session, step, record) for record in records]
    by = next(iter(row["record_id"] for stream in rows.values() for row in stream), None)
    turned = _turned(session, step)
    for record in step.records.get(ANOMALIES, ()):
        about = texts(record.get("records"))
        # what it closed reopens by itself, since its record is gone
        if by is not None and "closes" not in record and not (about and turned.isdisjoint(about)):
            entry = Entry(ANOMALIES, 0, record["record_id"], record)
            rows[ANOMALIES].append(closing(session, entry, "undo", by))
    likes = [one for stream in session.registry.status_streams for one in rows.get(stream, ())]
    for like in {(str(one["window"]), str(one["provider"])): one for one in likes}.values():
        if source := session.registry.source(str(like["provider"])):
            rows[ANOMALIES] += settled(session, source, str(like["window"]), turned, like)
    for stream, records in step.log.items():
        rows.setdefault(stream, []).extend(_tombstone(session, step, record) for record in records)
    return {stream: own for stream, own in rows.items() if own}


def _turned(session: Session, step: Step) -> set[str]:
    """The captures that are taken back with a command, or put back, and the tombstones that are."""
    turned = set[str]()
    for stream in session.registry.status_streams:
        gone = session.index.tombstoned(stream)
        for record in (one for one in step.records.get(stream, ()) if one["record_id"] not in gone):
            turned.add(record["record_id"])
            if isinstance(record.get("tombstone"), str) and not _is_removed_twice(session, stream, record):
                turned.add(record["tombstone"])
    return turned


def _tombstone(session: Session, step: Step, record: Row) -> Row:
    past: Row = {"past": [one.command_id for one in step.past]} if step.past else {}
    return stamp(
        window=record.get("window"),
        provider=record.get("provider"),
        captured_at=session.now,
        source="alias",
        agent_id=session.lane,
        tombstone=record["record_id"],
        reason="undo",
        undoes=step.command_id,
        **past,
    )
