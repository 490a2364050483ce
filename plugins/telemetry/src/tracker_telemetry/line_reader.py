"""Read a stream's lines: which are stored already, and what a plugin makes of the others."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

from attrs import define, field

from tracker.api import Rejected, Source
from tracker.kernel import STRICT, Hang, PluginError, Session, Timer, guarded, stamped_notes
from tracker.kernel import fault as said
from tracker_telemetry import line_index
from tracker_telemetry.batch import Batch, Copy, Refused
from tracker_telemetry.encoding import encode, encode_all
from tracker_telemetry.envelope import Envelope
from tracker_telemetry.line_index import Known, Scanned
from tracker_telemetry.seen import Seen
from tracker_telemetry.tail import LINE_LIMIT, Line
from tracker_telemetry.totals import split

SLICE = 500  # lines that are read at once: more do not fit into a processor's cache, and take half as long again


class Shown(NamedTuple):
    """A line that the stream shows.

    nth: how often it was shown before. old: what is stored of it. have: how many events of this copy are stored.
    """

    line: Line
    digest: bytes
    key: int
    number: int
    nth: int = 0
    old: Known | None = None
    have: int = 0


Single: TypeAlias = tuple[Line, bytes, int, int]  # the first four of a line that is new and one event


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
    _scanned: Scanned = field(factory=Scanned)
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
        repeats = {key: 0 for key, times in Counter(keys).items() if times > 1} if len(set(keys)) < len(keys) else {}

        def look_up(database: sqlite3.Connection) -> Batch:
            return Batch(line_index.lookup(database, self.window, keys, self._scanned), self.sizes(database), repeats)

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
        plain, others, old_lines, repeats = batch.known.plain, batch.known.others, self.old, batch.repeats
        ingest, scratch, count, summary = self._ingest, self._scratch, self.seen.count, batch.summary
        known = known_routed = 0
        is_any_known = bool(plain or others or old_lines or repeats)
        singles: list[Single] = []
        events: list[dict[str, Any]] = []
        number = self.number
        for line, digest, key in part:
            number += 1
            nth, have, old, is_new = 0, 0, None, True
            if is_any_known:
                if (code := plain.get(key)) is not None:
                    nth = count(code >> 1)
                    if not nth:  # as every line of a replay
                        known += 1
                        known_routed += code & 1
                        if scratch:
                            self._feed(line)
                        continue
                    old, is_new = Known(code >> 1, 1, 1, code & 1), False
                elif key in others or key in old_lines or key in repeats:
                    old = others.get(key)
                    (nth, have), is_new = self._shown(key, old), False
                if old is not None and 0 < old.parts <= have:
                    summary.events += old.parts
                    summary.routed += old.routed
                    if scratch:
                        self._feed(line)
                    continue
            try:
                found = ingest(line, scratch) if type(line) is bytes else _too_long()
                if is_new and type(found) is list and len(found) == 1:
                    singles.append((line, digest, key, number))
                    events.append(found[0])
                    continue
                self._encode_singles(batch, envelope, singles, events)
                self._encode_copy(batch, envelope, Shown(line, digest, key, number, nth, old, have), _listed(found))
            except Rejected as error:
                self._refuse(batch, Shown(line, digest, key, number, nth, old, have), str(error))
            except (Exception, SystemExit, Hang) as error:  # noqa: BLE001  a plugin's fault costs a line, not the stream
                timer.restart()
                fault = self._fault(error, timer.seconds)
                self._refuse(batch, Shown(line, digest, key, number, nth, old, have), fault)
        self.number = number
        summary.events += known
        summary.routed += known_routed
        self._encode_singles(batch, envelope, singles, events)

    def _shown(self, key: int, old: Known | None) -> tuple[int, int]:
        """How often the stream has shown a line before, and how many events of this copy are stored."""
        if key in self.old:
            nth = self._old_shown[key]
            self._old_shown[key] += 1
        elif old is None:
            return 0, 0
        else:
            nth = (self.seen if old.parts else self.refused_before).count(old.position)
        stored = old.rows - (nth - self.old.get(key, 0)) * old.parts if old is not None and old.parts else 0
        return nth, max(stored, 0)

    def _feed(self, line: Line) -> None:
        """Let a format that spreads requests over lines see a line that is stored already."""
        with suppress(Exception):
            if isinstance(line, bytes):
                self._ingest(line, self._scratch)

    # --- what lines turned out to be

    def _encode_singles(
        self, batch: Batch, envelope: Envelope, singles: list[Single], events: list[dict[str, Any]]
    ) -> None:
        """Add new lines that are one event each; the lists begin anew."""
        if not events:
            return
        try:
            bodies, columns = encode_all(events)
            _, digests, keys, _ = zip(*singles, strict=True)
            batch.add(*envelope.events(digests, bodies), keys, columns)
            batch.count_tags(events)
        except TypeError:
            for single, event in zip(singles, events, strict=True):
                shown = Shown(*single)
                try:
                    self._encode_copy(batch, envelope, shown, [event])
                except TypeError as error:
                    self._refuse(batch, shown, self._fault(error, 0))
        singles.clear()
        events.clear()

    def _encode_copy(self, batch: Batch, envelope: Envelope, shown: Shown, events: Sequence[dict[str, Any]]) -> None:
        """Add a line with several events, or one that was shown before, or that may be."""
        if not events:
            return
        pairs = [encode(event) for event in events]
        nth = self._nth(batch, shown)
        bodies, rows = [body for body, _ in pairs], [row for _, row in pairs]
        if nth < self.old.get(shown.key, 0):
            batch.count(rows)
            return
        batch.count_tags(events[shown.have :])
        if shown.old is None and not nth and len(rows) == 1:
            batch.add(*envelope.events([shown.digest], bodies), [shown.key], list(zip(*rows, strict=True)))
        else:
            copy = Copy(nth, len(rows), shown.have)
            batch.add_copy(envelope.line(shown.digest, copy, bodies), shown.key, rows, copy)

    def _nth(self, batch: Batch, shown: Shown) -> int:
        """How often a line was shown before, in this batch, too; only lines that give something count there."""
        if shown.old is None and shown.key in batch.repeats and shown.key not in self.old:
            batch.repeats[shown.key] += 1
            return batch.repeats[shown.key] - 1
        return shown.nth

    def _refuse(self, batch: Batch, shown: Shown, reason: str) -> None:
        batch.summary.rejected += 1
        nth, old = self._nth(batch, shown), shown.old
        if old is None or old.parts or nth >= old.rows:
            batch.refused.append(Refused(shown.key, shown.digest, nth, shown.line, shown.number, reason))

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
