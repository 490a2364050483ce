"""Read a stream's lines: what the plugin makes of them, and which of it is not stored yet."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import chain, repeat
from operator import itemgetter
from typing import Any

import orjson
from attrs import define, field

from tracker import __version__
from tracker.api import Rejected, Source, check_event, redact
from tracker.kernel import PluginError, Session, Windows, iso, number
from tracker_telemetry.identity import ID, REJECTED, Ids, Shown, digest_of, row_id
from tracker_telemetry.lines import LINE_LIMIT, Line
from tracker_telemetry.quarantine import REASON_LIMIT, describe
from tracker_telemetry.stored import HEAD, Stored

SLICE = 500  # lines for which a plugin gets its time anew
COMMON = ("window", "provider", "captured_at", "source", "notes", "agent_id", "schema_version", "tool_version")
TOTAL = (
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"),
    *("cache_write_5m_tokens", "cache_write_1h_tokens"),
)
COUNTS = frozenset({*TOTAL, "reasoning_tokens", "latency_ms", "cost_usd"})
KNOWN: dict[str, set[type]] = {}  # the types of each field's values that were found to be right
EPOCH = datetime.fromtimestamp(0)


@define
class Summary:
    """What a stream held, whether it was new or not; tags: how many new events carry which."""

    events: int = 0
    new: int = 0
    rejected: int = 0
    routed: int = 0
    tags: Counter[str] = field(factory=Counter)

    def __str__(self) -> str:
        share = f"{number(round(100 * self.routed / self.events, 1))}%" if self.events else "n/a"
        duplicates = self.events - self.new
        counts = f"events={self.events}, new={self.new}, duplicates={duplicates}, rejected={self.rejected}"
        return f"{counts}, routed={share}"

    def add(self, other: Summary) -> None:
        self.events += other.events
        self.new += other.new
        self.rejected += other.rejected
        self.routed += other.routed
        self.tags += other.tags


@define
class Rows:
    """Rows that may have to be stored: the half of each id that tells, their lines, and the tags of some events."""

    keys: list[bytes] = field(factory=list)
    data: list[bytes] = field(factory=list)
    tags: dict[bytes, Sequence[str]] = field(factory=dict)

    def leave_out(self, ids: Ids) -> None:
        """Leave out what is stored by now."""
        lines = b"".join(self.data).splitlines(keepends=True)
        kept = [both for both in zip(self.keys, lines, strict=True) if both[0] not in ids]
        self.keys, self.data = [key for key, _ in kept], [data for _, data in kept]


@define
class Batch:
    """What lines turned out to be; shown: the digests' halves of those that gave something, in their order."""

    events: Rows = field(factory=Rows)
    refused: Rows = field(factory=Rows)
    shown: list[bytes] = field(factory=list)
    summary: Summary = field(factory=Summary)
    first_reason: str | None = None


class Reason(str):
    """Why a line is refused, in the place of its events."""


TOO_LONG = Reason(f"longer than {LINE_LIMIT >> 20} MB")


@define
class Slice:
    """Lines in a row: the number of the one before them, and of each its digest and what the plugin made of it."""

    lines: Sequence[Line]
    digests: list[bytes]
    before: int
    found: list[Any] = field(factory=list)


@define
class Reader:
    """One stream on its way into the journal; `shown` and `number` go on where a followed file was left."""

    session: Session
    source: Source
    window: str
    notes: str | None
    shown: Shown = field(factory=Shown)
    number: int = 0
    summary: Summary = field(factory=Summary)
    stored: Stored = field(init=False)
    _scratch: dict[str, Any] = field(factory=dict)
    _ingest: Callable[[bytes, dict[str, Any]], Sequence[dict[str, Any]]] = field(init=False)
    _digest: Callable[[bytes], bytes] = field(init=False)
    _head: bytes = b""  # what stands behind the id of the rows of this batch
    _has_failed: bool = False

    def __attrs_post_init__(self) -> None:
        self._ingest = self.session.registry.bind(self.source.name, "ingest_line")
        self._digest = digest_of(self.source.name, self.window)
        self.stored = Stored(self.session, self.source.name, self.window, self.streams)

    @property
    def streams(self) -> tuple[str, str]:
        """The events' stream and that of the lines that could not be read."""
        return self.source.stream, f"{self.source.stream}.rejected"

    def read(self, lines: Sequence[Line]) -> Batch:
        """What the lines are. Lines that are stored in this order are passed over, unless the plugin keeps state."""
        self.stored.catch_up()
        self._head = self._common(self.session.now)
        batch, digest = Batch(), self._digest
        with self.session.registry.guarded(self.source.name, "ingest_line") as timer:
            for start in range(0, len(lines), SLICE):
                part = lines[start : start + SLICE]
                digests = [digest(line if isinstance(line, bytes) else line.sha256.encode()) for line in part]
                keys = [digest[ID] for digest in digests]
                if not self.number or self._scratch or not self._is_replay(keys, batch):
                    timer.restart()
                    self._read_slice(Slice(part, digests, self.number), batch, timer)
                self.number += len(part)
        return batch

    def recall(self, text: bytes) -> None:
        """Let a format that spreads requests over lines see the lines before those that are read now."""
        with self.session.registry.guarded(self.source.name, "ingest_line"):
            for line in text.split(b"\n"):
                with suppress(Exception):
                    self._ingest(line.removesuffix(b"\r"), self._scratch)

    def _common(self, captured_at: datetime) -> bytes:
        here = self.session
        notes = Windows(here).notes(self.notes)
        values = (
            self.window,
            self.source.name,
            iso(captured_at),
            "ingest",
            notes,
            here.lane,
            here.journal.schema_version,
            __version__,
        )
        return b'",' + orjson.dumps(dict(zip(COMMON, values, strict=True)))[1:-1] + b","

    def _is_replay(self, keys: Sequence[bytes], batch: Batch) -> bool:
        """Go past lines that are stored in this order, each as one event."""
        routed = self.stored.pass_over(keys)
        if routed is None:
            return False
        batch.shown += keys
        batch.summary.events += len(keys)
        batch.summary.routed += routed
        return True

    def _read_slice(self, part: Slice, batch: Batch, timer: Any) -> None:
        ingest, scratch, found, stored = self._ingest, self._scratch, part.found, self.stored
        for line in part.lines:
            try:
                found.append(ingest(line, scratch) if type(line) is bytes else TOO_LONG)
            except Rejected as error:
                found.append(Reason(error))
            except timer.FAULTS as error:  # a plugin's fault costs a line, not the stream
                timer.restart()
                found.append(Reason(self._fault(error, timer)))
        giving = [at for at, events in enumerate(found) if events]
        keys = [part.digests[at][ID] for at in giving]
        if self._is_replay(keys, batch):
            return
        if stored.is_in_order:
            stored.leave_order(self.shown)
        batch.shown += keys
        simple: list[int] = []
        for at, nth in zip(giving, self.shown.count(keys), strict=True):
            events = found[at]
            is_single = type(events) is list and len(events) == 1 and type(events[0]) is dict
            if is_single and not nth and not stored.old and "key" not in events[0]:
                simple.append(at)
            else:
                self._add_simple(batch, part, simple)
                simple = []
                self._add(batch, part, at, nth)
        self._add_simple(batch, part, simple)

    def _add_simple(self, batch: Batch, part: Slice, simple: list[int]) -> None:
        """Add lines that are one event each and that the stream shows for the first time."""
        try:
            events = check_all([part.found[at][0] for at in simple])
            self._add_events(batch, [part.digests[at] for at in simple], events)
        except TypeError:
            for at in simple:
                self._add(batch, part, at, 0)

    def _add_events(self, batch: Batch, digests: list[bytes], events: list[dict[str, Any]]) -> None:
        count, routed = len(events), sum([event["routed"] for event in events])
        if self.stored.ids:
            new = [both for both in zip(digests, events, strict=True) if both[0][ID] not in self.stored.ids]
            digests, events = [digest for digest, _ in new], [event for _, event in new]
        texts = orjson.dumps(events)[2:-2].split(b"},{") if events else []
        if len(texts) != len(events):  # the separator stands in a text, too
            texts = [orjson.dumps(event)[1:-1] for event in events]
        hexes = b"".join(digests).hex().encode()
        ids = [hexes[at : at + 32] for at in range(0, len(hexes), 32)]
        parts = zip(repeat(HEAD), ids, repeat(self._head), texts, repeat(b"}\n"))
        keys = [digest[ID] for digest in digests]
        batch.events.keys += keys
        batch.events.data.append(b"".join(chain.from_iterable(parts)))
        batch.events.tags.update(
            (key, event["tags"]) for key, event in zip(keys, events, strict=True) if "tags" in event
        )
        batch.summary.events += count
        batch.summary.routed += routed

    def _add(self, batch: Batch, part: Slice, at: int, nth: int) -> None:
        """Add a line of any kind."""
        events = part.found[at]
        try:
            if type(events) is not Reason:
                self._several(batch, part.digests[at], nth, events)
                return
        except TypeError as error:
            events = self._fault(error, None)
        batch.summary.rejected += 1
        whole = row_id(part.digests[at], nth, 0, REJECTED)
        if whole[ID] not in self.stored.ids:
            reason = redact(events)[:REASON_LIMIT]
            batch.first_reason = batch.first_reason or reason
            own: dict[str, Any] = {"line_number": part.before + at + 1, "rejected": reason, **describe(part.lines[at])}
            self._row(batch.refused, whole, orjson.dumps(own | ({"nth": nth} if nth else {})))

    def _several(self, batch: Batch, digest: bytes, nth: int, found: Sequence[dict[str, Any]]) -> None:
        """Add a line's events, however many."""
        if not isinstance(found, list | tuple):
            raise TypeError(f"ingest_line returned a {type(found).__name__}. Expected a list of events.")
        events = [checked(event) for event in found]
        rows = []
        for part, event in enumerate(events if nth >= self.stored.old.get(digest[ID], 0) else ()):
            whole = self._keyed(event) if event.get("key") else row_id(digest, nth, part)
            if whole[ID] not in self.stored.ids:
                own = {"nth": nth} if nth else {}
                own |= {"part": part, "parts": len(events)} if len(events) > 1 else {}
                rows.append((whole, orjson.dumps(own | event), event.get("tags") or ()))
        for whole, text, tags in rows:
            self._row(batch.events, whole, text, tags)
        batch.summary.events += len(events)
        batch.summary.routed += sum(event["routed"] for event in events)

    def _row(self, rows: Rows, whole: bytes, text: bytes, tags: Sequence[str] = ()) -> None:
        rows.keys.append(whole[ID])
        rows.data.append(HEAD + whole.hex().encode() + self._head + text[1:] + b"\n")
        if tags:
            rows.tags[whole[ID]] = tags

    def _keyed(self, event: dict[str, Any]) -> bytes:
        """The id of an event with a key, whatever line and file shows it; its total tells a later state of it."""
        total = sum(event.get(name) or 0 for name in TOTAL)
        return self._digest(b"\0key\0" + orjson.dumps([event["key"], total]))

    def finish(self) -> Batch:
        """What the last lines completed, of a format that holds requests back."""
        batch = Batch()
        if self.session.registry.has(self.source.name, "end_stream"):
            end_stream = self.session.registry.bind(self.source.name, "end_stream")
            with self.session.registry.guarded(self.source.name, "end_stream"):
                for event in end_stream(self._scratch):
                    self._several(batch, self._digest(b"\0end\0" + orjson.dumps(checked(event))), 0, [event])
        return batch

    def _fault(self, error: BaseException, timer: Any) -> str:
        what = redact(str(timer.fault(error) if timer else error))[:REASON_LIMIT]
        failure = PluginError(self.source.name, "ingest_line", what)
        if self.session.registry.is_strict:
            raise failure from error
        if not self._has_failed:
            self._has_failed = True
            self.session.warn(f"{failure}; the line goes to {self.streams[1]}.jsonl, and so will others like it")
        return f"the plugin failed: {type(error).__name__}"

    def store(self, batch: Batch) -> None:
        """Append what is new, each stream in one write; what another process has stored meanwhile is left out."""
        if self.session.dry_run:
            print(b"".join(batch.events.data + batch.refused.data).decode(), end="")
        elif batch.events.keys or batch.refused.keys:
            with self.session.journal.lock():
                if self.stored.catch_up():
                    batch.events.leave_out(self.stored.ids)
                    batch.refused.leave_out(self.stored.ids)
                for stream, rows in zip(self.streams, (batch.events, batch.refused), strict=True):
                    if rows.data:
                        self.session.journal.append(stream, b"".join(rows.data))
                        self.stored.wrote(stream)
        batch.summary.new = len(batch.events.keys)
        if tags := batch.events.tags:
            found = (tag for key in batch.events.keys for tag in set(filter(_is_text, tags.get(key, ()))))
            batch.summary.tags.update(found)
        self.summary.add(batch.summary)


def check_all(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events, checked by column: in a fifth of the time, but the `TypeError` does not say which one is wrong."""
    names = tuple(events[0]) if events else ()
    try:
        rows = list(map(itemgetter(*names, "routed", "ok"), events))
    except KeyError:
        rows = []
    if set(map(len, events)) != {len(names)} or not rows:
        return [checked(event) for event in events]
    for name, column in zip(names, zip(*rows, strict=True), strict=False):
        kinds = set(map(type, column))
        for kind in kinds - KNOWN.get(name, set()):
            check_event({name: next(value for value in column if type(value) is kind)})
            KNOWN.setdefault(name, set()).add(kind)
        if name in COUNTS:
            counts = column if None not in column else [value for value in column if value is not None]
            if counts and not (min(counts) >= 0 and sum(counts) < math.inf):  # a NaN is in no order
                raise TypeError("a count is below 0 or no number")
        elif name == "ts":
            for ts in column if kinds != {str} else ():
                checked({"ts": ts})
            try:
                list(map(datetime.fromisoformat, column if kinds == {str} else ()))
            except ValueError:
                raise TypeError("a time is none") from None
        elif name in ("routed", "ok") and kinds != {bool}:
            return [checked(event) for event in events]
    return events


def checked(event: Any) -> dict[str, Any]:
    """The event; if it does not say whether it is routed, or well, it is not routed, and well."""
    check_event(event)
    for name in COUNTS & event.keys():
        value = event[name]
        if value is not None and not 0 <= value < math.inf:
            raise TypeError(f"an event's {name} is {value}. Expected 0 or more.")
    if (ts := event.get("ts")) is not None:
        try:
            EPOCH + timedelta(seconds=ts) if type(ts) is not str else datetime.fromisoformat(ts)
        except (ValueError, OverflowError):
            raise TypeError("invalid ts of an event. Expected ISO 8601 or epoch seconds.") from None
    return {**event, "routed": event.get("routed") is True, "ok": event.get("ok") in (None, True)}


def _is_text(value: object) -> bool:
    return type(value) is str
