"""Read a stream's lines: which are stored already, and what a plugin makes of the others."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson
from attrs import define, field

from tracker import line_index
from tracker.batch import Batch, Copy, Refused
from tracker.capturing import stamped_notes
from tracker.envelope import RESERVED, Envelope
from tracker.errors import PluginError
from tracker.event_columns import Row, row_of
from tracker.isolation import Hang, Timer, guarded
from tracker.isolation import fault as said
from tracker.line_index import Known
from tracker.models import Rejected, Source
from tracker.registry import STRICT
from tracker.seen import Seen
from tracker.session import Session
from tracker.tail import LINE_LIMIT, Line
from tracker.telemetry import split

SLICE = 2000  # lines that are read at once: more do not fit into a processor's cache, which makes each twice as slow


@define
class Reader:
    """The lines of one stream. `seen` and `number` go on where a followed file was left."""

    session: Session
    source: Source
    window: str
    notes: str | None
    seen: Seen = field(factory=Seen)
    refused_before: Seen = field(factory=Seen)
    number: int = 0
    old: Mapping[int, int] = field(init=False)  # how often lines stand in rows of schema 1.0.0
    _old_shown: Counter[int] = field(factory=Counter)
    _scratch: dict[str, Any] = field(factory=dict)
    _ingest: Callable[[bytes, dict[str, Any]], Sequence[dict[str, Any]]] = field(init=False)
    _digests: Callable[[Iterable[bytes]], list[bytes]] = field(init=False)
    _has_failed: bool = False

    def __attrs_post_init__(self) -> None:
        self._ingest = self.session.registry.bind(self.source.name, "ingest_line")
        self._digests = line_index.digests(self.source.name, self.window)
        texts = self.session.index.whole_streams(self.source.stream, [self.window])
        self.old = Counter(key for text in texts for key in line_index.keys(self._digests(split(text))))

    @property
    def streams(self) -> tuple[str, str]:
        """The events' stream and that of the lines that could not be read."""
        return self.source.stream, f"{self.source.stream}.rejected"

    def read(self, lines: Sequence[Line]) -> Batch:
        """What the lines are; those that are stored are only counted."""
        digests = self._digests(line if isinstance(line, bytes) else line.sha256.encode() for line in lines)
        keys = line_index.keys(digests)
        repeats = Counter[int]() if len(set(keys)) < len(keys) else None

        def look_up(database: sqlite3.Connection) -> Batch:
            return Batch(line_index.lookup(database, self.window, keys), self.sizes(database), repeats)

        batch = self.session.index.ask(look_up, self.streams)
        batch.known.tell_apart(self.old)
        envelope = self.envelope()
        with guarded(self.source.name, "ingest_line") as timer:
            for start in range(0, len(lines), SLICE):
                timer.restart()
                stop = start + SLICE
                part = zip(lines[start:stop], digests[start:stop], keys[start:stop], strict=True)
                self._read_slice(part, batch, envelope, timer)
        return batch

    def envelope(self) -> Envelope:
        """What stands around the events that are stored now."""
        here = self.session
        notes = stamped_notes(self.notes, here.lane)
        return Envelope.of(self.window, self.source.name, here.now, notes, here.lane)

    def sizes(self, database: sqlite3.Connection) -> list[Any]:
        """How far the index has read the streams."""
        query = "SELECT name, size FROM stream WHERE name IN (?, ?) ORDER BY name"
        return database.execute(query, self.streams).fetchall()

    def recall(self, text: bytes) -> None:
        """Let a format that spreads requests over lines see the lines before those that are read now."""
        with guarded(self.source.name, "ingest_line"):
            for line in text.split(b"\n"):
                self._feed(line.removesuffix(b"\r"))

    def _read_slice(
        self, part: Iterable[tuple[Line, bytes, int]], batch: Batch, envelope: Envelope, timer: Timer
    ) -> None:
        plain, others, repeats = batch.known.plain, batch.known.others, batch.repeats
        old_lines, count, ingest, scratch = self.old, self.seen.count, self._ingest, self._scratch
        summary, encoded, pieces = batch.summary, envelope.event, []
        keys: list[int] = []
        routed: list[int] = []
        rows: list[Row] = []
        for line, digest, key in part:
            self.number += 1
            nth, have, old = 0, 0, None
            if (code := plain.get(key)) is not None:
                nth = count(code >> 1)
                old, have = Known(code >> 1, 1, 1, code & 1), int(not nth)
            elif key in others or key in old_lines:
                old = others.get(key)
                nth, have = self._shown(key, old)
            if old is not None and 0 < old.parts <= have:
                summary.events += old.parts
                summary.routed += old.routed
                if scratch:
                    self._feed(line)
                continue
            try:
                events = _listed(ingest(line, scratch)) if type(line) is bytes else _too_long()
                found = [_encoded(event) for event in events]
            except Rejected as error:
                self._refuse(batch, Refused(key, digest, nth, line, self.number, str(error)), old)
                continue
            except (Exception, SystemExit, Hang) as error:  # noqa: BLE001  a plugin's fault costs a line, not the stream
                timer.restart()
                fault = self._fault(error, timer.seconds)
                self._refuse(batch, Refused(key, digest, nth, line, self.number, fault), old)
                continue
            if not found:
                continue
            is_new = old is None and key not in old_lines
            if is_new and repeats is not None:
                nth = repeats[key]
                repeats[key] += 1
            if is_new and not nth and len(found) == 1:
                [(body, row)] = found
                piece, is_routed = encoded(digest, body), row[4]
                rows.append(row)
            else:
                is_routed = sum(row[4] for _, row in found)
                piece = b""
                if nth >= old_lines.get(key, 0):
                    copy = Copy(nth, len(found), have)
                    batch.copies[len(batch.keys) + len(keys)] = copy
                    piece = envelope.line(digest, copy, [body for body, _ in found])
                    rows += [row for _, row in found[have:]]
            summary.events += len(found)
            summary.routed += is_routed
            if piece:
                pieces.append(piece)
                keys.append(key)
                routed.append(is_routed)
        batch.add(pieces, keys, routed, rows)

    def _shown(self, key: int, old: Known | None) -> tuple[int, int]:
        """How often the stream has shown a line before, and how many events of this copy are stored."""
        if key in self.old:
            nth = self._old_shown[key]
            self._old_shown[key] += 1
        else:
            assert old is not None
            nth = (self.seen if old.parts else self.refused_before).count(old.position)
        stored = old.rows - (nth - self.old.get(key, 0)) * old.parts if old is not None and old.parts else 0
        return nth, max(stored, 0)

    def _feed(self, line: Line) -> None:
        """Let a format that spreads requests over lines see a line that is stored already."""
        with suppress(Exception):
            if isinstance(line, bytes):
                self._ingest(line, self._scratch)

    def _refuse(self, batch: Batch, refused: Refused, old: Known | None) -> None:
        batch.summary.rejected += 1
        if old is None and batch.repeats is not None and refused.key not in self.old:
            refused = refused._replace(nth=batch.repeats[refused.key])
            batch.repeats[refused.key] += 1
        if old is None or old.parts or refused.nth >= old.rows:
            batch.refused.append(refused)

    def _fault(self, error: BaseException, seconds: float) -> str:
        failure = PluginError(self.source.name, "ingest_line", said(error, seconds))
        if os.environ.get(STRICT) == "1":
            raise failure from error
        if not self._has_failed:
            self._has_failed = True
            self.session.warn(f"{failure}; the line goes to {self.streams[1]}.jsonl, and so will others like it")
        return f"the plugin failed: {type(error).__name__}"


def _too_long() -> Sequence[dict[str, Any]]:
    raise Rejected(f"longer than {LINE_LIMIT >> 20} MB")


def _listed(events: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    if type(events) is not list and not isinstance(events, list | tuple):
        raise TypeError(f"returned {type(events).__name__}, expected a list of events")
    return events


def _encoded(event: dict[str, Any]) -> tuple[bytes, Row]:
    """An event as JSON and by column; a `TypeError` where it could not be stored, or not be added up."""
    if not isinstance(event, dict):
        raise TypeError(f"an event is a {type(event).__name__}, expected a dict")
    if not RESERVED.isdisjoint(event):
        raise TypeError(f"an event has a field of the core's: {RESERVED & event.keys()}")
    row = row_of(event)
    if type(row[4]) is not bool or row[5] is None:
        event = {**event, "routed": row[4] is True, "ok": row[5] in (None, True)}
        row = row_of(event)
    if not (type(row[2]) is str or row[2] is None) or not (type(row[3]) is str or row[3] is None):
        raise TypeError("an event's lane or model is neither a text nor None")
    return orjson.dumps(event), row
