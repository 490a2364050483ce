"""Take a telemetry stream in, line by line, as it arrives: every event once, none lost."""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from attrs import define, field

from tracker import __version__, event_index
from tracker.capturing import stamped_notes
from tracker.errors import PluginError
from tracker.event_index import Collector, Known
from tracker.isolation import Hang, Timer, fault, guarded
from tracker.journal import command_line
from tracker.models import Rejected, Source
from tracker.parsed import iso
from tracker.records import SCHEMA, stamp
from tracker.redact import redact_line
from tracker.registry import STRICT
from tracker.render import number
from tracker.session import Session
from tracker.tail import KEPT, LINE_LIMIT, Line, TooLong

COMMON = "record_id window provider captured_at source notes agent_id schema_version tool_version nth part"
RESERVED = frozenset(COMMON.split()) | {"tombstone", "phase", "rejected"}
REASON_LIMIT = 200
LABEL = (str, type(None))


@define
class Summary:
    """What the stream held, whether it was new or not."""

    events: int = 0
    new: int = 0
    rejected: int = 0
    routed: int = 0

    def __str__(self) -> str:
        share = f"{number(round(100 * self.routed / self.events, 1))}%" if self.events else "n/a"
        return (
            f"events={self.events}, new={self.new}, duplicates={self.events - self.new},"
            f" rejected={self.rejected}, routed={share}"
        )


@define
class Batch:
    """What one batch of lines adds."""

    rows: list[bytes] = field(factory=list)
    rejected: list[dict[str, Any]] = field(factory=list)
    collector: Collector = field(factory=lambda: Collector(""))


@define
class Stream:
    """One stream on its way into the journal. `run` and `line_number` go on where a followed file was left."""

    session: Session
    source: Source
    window: str
    notes: str | None
    run: int = field(factory=lambda: secrets.randbits(62))
    line_number: int = 0
    summary: Summary = field(factory=Summary)
    _scratch: dict[str, Any] = field(factory=dict)
    _ingest: Callable[[bytes, dict[str, Any]], Sequence[dict[str, Any]]] = field(init=False)
    _digest: Callable[[bytes], bytes] = field(init=False)
    _old: Mapping[int, int] = field(init=False)
    _has_failed: bool = False

    def __attrs_post_init__(self) -> None:
        self._ingest = self.session.registry.bind(self.source.name, "ingest_line")
        self._digest = event_index.line_digest(self.source.name, self.window)
        self._old = self._lines_of_old_rows()

    @property
    def streams(self) -> tuple[str, str]:
        """The events' stream and that of the lines that could not be read."""
        return self.source.stream, f"{self.source.stream}.rejected"

    def take(self, lines: Sequence[Line], mark: Callable[[sqlite3.Connection], None] | None = None) -> None:
        """Store what is new in a batch of lines: one append, one flush to disk, one transaction of the index.

        `mark` notes in that transaction how far a followed file was read.
        """
        bodies = [(line, line if isinstance(line, bytes) else line.sha256.encode()) for line in lines]
        digests = [self._digest(body) for _, body in bodies]
        hashes = [event_index.as_key(digest) for digest in digests]
        if self.session.dry_run:
            batch = self._read(lines, digests, hashes, {key: Known() for key in hashes})
            for row in batch.rows:
                print(row.decode())
            return
        journal, index = self.session.journal, self.session.index
        with journal.lock(command_line()), index.writing(*self.streams) as database:
            known = event_index.lookup(database, hashes, self.run)
            batch = self._read(lines, digests, hashes, known)
            for stream, rows in zip(self.streams, (batch.rows, map(orjson.dumps, batch.rejected)), strict=True):
                data = b"".join(row + b"\n" for row in rows)
                if data:
                    start = journal.append_lines(stream, data)
                    index.advance(database, stream, self.window, start)
            batch.collector.flush(database)
            event_index.remember(database, self.source.stream, known, self.run)
            if mark is not None:
                mark(database)

    def _read(
        self, lines: Sequence[Line], digests: Sequence[bytes], hashes: Sequence[int], known: Mapping[int, Known]
    ) -> Batch:
        """The new records of a batch, counted in the summary and in what is known of their lines."""
        with guarded(self.source.name, "ingest_line") as timer:
            return self._read_guarded(lines, digests, hashes, known, timer)

    def _read_guarded(
        self,
        lines: Sequence[Line],
        digests: Sequence[bytes],
        hashes: Sequence[int],
        known: Mapping[int, Known],
        timer: Timer,
    ) -> Batch:
        batch = Batch(collector=Collector(self.source.stream))
        head, tail = self._envelope()
        summary, ingest, dumps = self.summary, self._ingest, orjson.dumps
        for line, digest, key in zip(lines, digests, hashes, strict=True):
            self.line_number += 1
            one = known[key]
            nth = one.seen
            one.seen += 1
            if nth < one.stored:
                summary.events += one.events
                summary.routed += one.routed
                summary.rejected += not one.events
                continue
            try:
                if not isinstance(line, bytes):
                    raise Rejected(f"longer than {LINE_LIMIT >> 20} MB")
                events = ingest(line, self._scratch)
                _check(events)
                bodies = [dumps(event) for event in events]
            except Rejected as reason:
                self._reject(batch, one, line, digest, nth, str(reason))
                continue
            except (Exception, SystemExit, Hang) as error:  # noqa: BLE001  a plugin's fault costs a line, not the stream
                timer.restart()
                self._reject(batch, one, line, digest, nth, self._fault(error, timer.seconds))
                continue
            if not events:
                continue
            routed = sum(event.get("routed") is True for event in events)
            summary.events += len(events)
            summary.routed += routed
            if nth < one.stored + self._old.get(key, 0):
                continue
            one.stored, one.events, one.routed = one.stored + 1, len(events), routed
            summary.new += len(events)
            for part, (event, body) in enumerate(zip(events, bodies, strict=True)):
                batch.rows.append(head + event_index.event_id(digest, nth, part) + tail(nth, part) + body[1:])
                batch.collector.event(self.window, event)
        return batch

    def _envelope(self) -> tuple[bytes, Callable[[int, int], bytes]]:
        """The common fields around an event, encoded once for a batch."""
        common = {
            "window": self.window,
            "provider": self.source.name,
            "captured_at": iso(self.session.now),
            "source": "ingest",
            "notes": stamped_notes(self.notes, self.session.lane),
            "agent_id": self.session.lane,
            "schema_version": SCHEMA,
            "tool_version": __version__,
        }
        fixed = b'",' + orjson.dumps(common)[1:-1] + b","

        def tail(nth: int, part: int) -> bytes:
            if not nth and not part:
                return fixed
            return fixed + b"".join(b'"%b":%d,' % (name, at) for name, at in ((b"nth", nth), (b"part", part)) if at)

        return b'{"record_id":"', tail

    def _fault(self, error: BaseException, seconds: float) -> str:
        failure = PluginError(self.source.name, "ingest_line", fault(error, seconds))
        if os.environ.get(STRICT) == "1":
            raise failure from error
        if not self._has_failed:
            self._has_failed = True
            self.session.warn(f"{failure}; the line goes to {self.streams[1]}.jsonl, and so will others like it")
        return f"the plugin failed: {type(error).__name__}"

    def _reject(self, batch: Batch, one: Known, line: Line, digest: bytes, nth: int, reason: str) -> None:
        self.summary.rejected += 1
        one.stored, one.events = one.stored + 1, 0
        is_long = isinstance(line, TooLong)
        head = line.head if isinstance(line, TooLong) else line
        record = stamp(
            window=self.window,
            provider=self.source.name,
            captured_at=self.session.now,
            source="ingest",
            notes=stamped_notes(self.notes, self.session.lane),
            agent_id=self.session.lane,
            line_number=self.line_number,
            rejected=reason[:REASON_LIMIT],
            line=redact_line(head[:KEPT]),
            length=line.length if isinstance(line, TooLong) else len(line),
            sha256=line.sha256 if isinstance(line, TooLong) else hashlib.sha256(line).hexdigest(),
            is_cut=is_long,
            **({"nth": nth} if nth else {}),
        )
        batch.rejected.append(record | {"record_id": event_index.event_id(digest, nth, 0).decode()})

    def _lines_of_old_rows(self) -> dict[int, int]:
        """How often lines stand in rows of schema 1.0.0, which hold a whole stream each."""
        found: dict[int, int] = {}
        for text in self.session.index.whole_streams(self.source.stream, [self.window]):
            for line in text.splitlines():
                key = event_index.as_key(self._digest(line.encode("utf-8", "surrogatepass")))
                found[key] = found.get(key, 0) + 1
        return found


def _check(events: object) -> None:
    """Refuse what could not be stored, or not be added up."""
    if not isinstance(events, list | tuple):
        raise TypeError(f"returned {type(events).__name__}, expected a list of events")
    for event in events:
        if not isinstance(event, dict):
            raise TypeError(f"an event is a {type(event).__name__}, expected a dict")
        if not RESERVED.isdisjoint(event):
            raise TypeError(f"an event has a field of the core's: {RESERVED & event.keys()}")
        if not isinstance(event.get("lane"), LABEL) or not isinstance(event.get("model"), LABEL):
            raise TypeError("an event's lane or model is neither a text nor None")
