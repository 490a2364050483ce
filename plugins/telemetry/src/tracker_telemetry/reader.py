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
from tracker_telemetry.lines import LINE_LIMIT, Line
from tracker_telemetry.quarantine import REASON_LIMIT, describe
from tracker_telemetry.stored import HEAD, ID, REJECTED, Ids, Shown, Stored, digest_of, row_id

SLICE = 500  # lines for which a plugin gets its time anew
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

    def add(self, ids: list[bytes], head: bytes, rows: list[dict[str, Any]]) -> None:
        """Add rows with these ids; `head` is what stands in all of them."""
        texts = orjson.dumps(rows)[2:-2].split(b"},{") if rows else []
        if len(texts) != len(rows):  # the separator stands in a text, too
            texts = [orjson.dumps(row)[1:-1] for row in rows]
        hexes = b"".join(ids).hex().encode()
        names = [hexes[at : at + 32] for at in range(0, len(hexes), 32)]
        parts = zip(repeat(HEAD), names, repeat(head), texts, repeat(b"}\n"))
        keys = [one[ID] for one in ids]
        self.keys += keys
        self.data.append(b"".join(chain.from_iterable(parts)))
        self.tags.update((key, row["tags"]) for key, row in zip(keys, rows, strict=True) if "tags" in row)

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

    def count(self, events: list[dict[str, Any]]) -> None:
        self.summary.events += len(events)
        self.summary.routed += sum([event["routed"] for event in events])


class Reason(str):
    """Why a line is refused, in the place of its events."""


TOO_LONG = Reason(f"longer than {LINE_LIMIT >> 20} MB")


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
                    self._read_slice(part, digests, batch, timer)
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
        values = {
            "window": self.window,
            "provider": self.source.name,
            "captured_at": iso(captured_at),
            "source": "ingest",
            "notes": Windows(here).notes(self.notes),
            "agent_id": here.lane,
            "schema_version": here.journal.schema_version,
            "tool_version": __version__,
        }
        return b'",' + orjson.dumps(values)[1:-1] + b","

    def _is_replay(self, keys: Sequence[bytes], batch: Batch) -> bool:
        """Go past lines that are stored in this order, each as one event."""
        routed = self.stored.pass_over(keys)
        if routed is None:
            return False
        batch.shown += keys
        batch.summary.events += len(keys)
        batch.summary.routed += routed
        return True

    def _read_slice(self, lines: Sequence[Line], digests: list[bytes], batch: Batch, timer: Any) -> None:
        ingest, scratch, found = self._ingest, self._scratch, list[Any]()
        for line in lines:
            try:
                found.append(ingest(line, scratch) if type(line) is bytes else TOO_LONG)
            except Rejected as error:
                found.append(Reason(error))
            except timer.FAULTS as error:  # a plugin's fault costs a line, not the stream
                timer.restart()
                found.append(Reason(self._fault(error, timer)))
        giving = [at for at, events in enumerate(found) if events]
        keys = [digests[at][ID] for at in giving]
        if self._is_replay(keys, batch):
            return
        self.stored.leave_order(self.shown)
        batch.shown += keys
        ids, rows = list[bytes](), list[dict[str, Any]]()
        sound = self._sound([found[at] for at in giving])
        for at, nth, events in zip(giving, self.shown.count(keys), sound, strict=True):
            digest = digests[at]
            if type(events) is Reason:
                self._refuse(batch, row_id(digest, nth, 0, REJECTED), self.number + at + 1, nth, events, lines[at])
            elif nth or len(events) > 1 or self.stored.old or "key" in events[0]:
                own = {"nth": nth} if nth else {}
                for part, event in enumerate(events if nth >= self.stored.old.get(digest[ID], 0) else ()):
                    ids.append(self._keyed(event) if event.get("key") else row_id(digest, nth, part))
                    rows.append(own | ({"part": part, "parts": len(events)} if len(events) > 1 else {}) | event)
            else:
                ids.append(digest)
                rows.append(events[0])
        batch.count([event for events in sound if type(events) is not Reason for event in events])
        batch.events.add(ids, self._head, rows)

    def _sound(self, found: list[Any]) -> list[Any]:
        """The events of lines, checked; in the place of those that are wrong stands why they are refused."""
        with suppress(TypeError):  # which does not say of which line
            if all(type(events) is list for events in found):
                events = iter(check_all([*chain.from_iterable(found)]))
                return [[next(events) for _ in line] for line in found]
        return [self._sound_line(events) for events in found]

    def _sound_line(self, events: Any) -> list[dict[str, Any]] | Reason:
        if type(events) is Reason:
            return events
        try:
            if not isinstance(events, list | tuple):
                raise TypeError(f"ingest_line returned a {type(events).__name__}. Expected a list of events.")
            return [checked(event) for event in events]
        except TypeError as error:
            return Reason(self._fault(error, None))

    def _refuse(self, batch: Batch, row: bytes, number: int, nth: int, reason: str, line: Line) -> None:
        batch.summary.rejected += 1
        reason = redact(reason)[:REASON_LIMIT]
        if row[ID] not in self.stored.ids:
            batch.first_reason = batch.first_reason or reason
            own = {"line_number": number, "rejected": reason, **describe(line), **({"nth": nth} if nth else {})}
            batch.refused.add([row], self._head, [own])

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
                events = [checked(event) for event in end_stream(self._scratch)]
            digests = [self._digest(b"\0end\0" + orjson.dumps(event)) for event in events]
            ids = [self._keyed(one) if one.get("key") else at for one, at in zip(events, digests, strict=True)]
            batch.count(events)
            batch.events.add(ids, self._head, events)
        return batch

    def _fault(self, error: BaseException, timer: Any) -> str:
        what = redact(str(timer.fault(error) if timer else error))[:REASON_LIMIT]
        failure = PluginError(self.source.name, "ingest_line", what)
        if self.session.registry.is_strict():
            raise failure from error
        if not self._has_failed:
            self._has_failed = True
            self.session.warn(f"{failure}; the line goes to {self.streams[1]}.jsonl, and so will others like it")
        return f"the plugin failed: {type(error).__name__}"

    def store(self, batch: Batch) -> None:
        """Append what is new, each stream in one write; what is stored, also by another process, is left out."""
        both = batch.events, batch.refused
        if self.session.dry_run:
            self._leave_out(both)
            print(b"".join(batch.events.data + batch.refused.data).decode(), end="")
        elif batch.events.keys or batch.refused.keys:
            with self.session.journal.lock():
                self.stored.catch_up()
                self._leave_out(both)
                for stream, rows in zip(self.streams, both, strict=True):
                    if rows.keys:
                        self.session.journal.append(stream, b"".join(rows.data))
                        self.stored.wrote(stream)
        batch.summary.new = len(batch.events.keys)
        if tags := batch.events.tags:
            found = (tag for key in batch.events.keys for tag in set(filter(_is_text, tags.get(key, ()))))
            batch.summary.tags.update(found)
        self.summary.add(batch.summary)

    def _leave_out(self, both: Sequence[Rows]) -> None:
        if any(rows.keys for rows in both):
            self.stored.leave_order(self.shown)
            for rows in both if self.stored.ids else ():
                rows.leave_out(self.stored.ids)


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
