"""Read a stream's lines: what the plugin makes of them, and which of it is not stored yet."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

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
    """Rows that may have to be stored: the half of each id that tells, its bytes, and the tags of some events."""

    keys: list[bytes] = field(factory=list)
    data: list[bytes] = field(factory=list)
    tags: dict[bytes, Sequence[str]] = field(factory=dict)

    def add(self, key: bytes, data: bytes, tags: Sequence[str] = ()) -> None:
        self.keys.append(key)
        self.data.append(data)
        if tags:
            self.tags[key] = tags

    def leave_out(self, ids: Ids) -> None:
        """Leave out what is stored by now."""
        kept = [both for both in zip(self.keys, self.data, strict=True) if both[0] not in ids]
        self.keys, self.data = [key for key, _ in kept], [data for _, data in kept]


@define
class Batch:
    """What lines turned out to be; shown: the digests' halves of those that gave something, in their order."""

    events: Rows = field(factory=Rows)
    refused: Rows = field(factory=Rows)
    shown: list[bytes] = field(factory=list)
    summary: Summary = field(factory=Summary)
    first_reason: str | None = None


class New(NamedTuple):
    """A line that is one event and not stored yet."""

    line: bytes
    digest: bytes
    number: int
    event: dict[str, Any]


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
    _has_begun: bool = False  # the plugin was given lines, and could have kept state

    def __attrs_post_init__(self) -> None:
        self._ingest = self.session.registry.bind(self.source.name, "ingest_line")
        self._digest = digest_of(self.source.name, self.window)
        self.stored = Stored(self.session, self.source.name, self.window, self.streams)

    @property
    def streams(self) -> tuple[str, str]:
        """The events' stream and that of the lines that could not be read."""
        return self.source.stream, f"{self.source.stream}.rejected"

    def read(self, lines: Sequence[Line]) -> Batch:
        """What the lines are. Every line goes to the plugin, since it may keep state from one line to the next."""
        self.stored.catch_up()
        self._head = self._common(self.session.now)
        batch = Batch()
        with self.session.registry.guarded(self.source.name, "ingest_line") as timer:
            for start in range(0, len(lines), SLICE):
                part = lines[start : start + SLICE]
                if not self._is_replay(part, batch):
                    timer.restart()
                    self._read_slice(part, batch, timer)
                    self._has_begun = True
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

    def _is_replay(self, lines: Sequence[Line], batch: Batch) -> bool:
        """Go past lines that are stored in this order, if the plugin has kept no state of those before them."""
        if not self._has_begun or self._scratch or not self.stored.is_in_order:
            return False
        if any(type(line) is not bytes for line in lines):
            return False
        keys = [self._digest(line)[ID] for line in lines]  # type: ignore[arg-type]
        routed = self.stored.pass_over(b"".join(keys))
        if routed is None:
            return False
        batch.shown += keys
        batch.summary.events += len(lines)
        batch.summary.routed += routed
        self.number += len(lines)
        return True

    def _read_slice(self, lines: Sequence[Line], batch: Batch, timer: Any) -> None:
        ingest, scratch, digest_line, stored = self._ingest, self._scratch, self._digest, self.stored
        new: list[New] = []
        total = routed = 0
        for line in lines:
            self.number += 1
            is_text = type(line) is bytes
            digest = digest_line(line if is_text else line.sha256.encode())  # type: ignore[arg-type, union-attr]
            key = digest[ID]
            try:
                found = ingest(line, scratch) if is_text else _too_long()  # type: ignore[arg-type]
                if not found:
                    continue
                is_single = type(found) is list and len(found) == 1
                if is_single and stored.is_next(key):  # as every line of a replay
                    batch.shown.append(key)
                    total += 1
                    routed += found[0].get("routed") is True
                    continue
                nth = self._count(batch, key)
                if is_single and not nth and not stored.old and type(found[0]) is dict and "key" not in found[0]:
                    total += 1
                    routed += found[0].get("routed") is True
                    if key not in stored.ids:
                        new.append(New(line, digest, self.number, found[0]))  # type: ignore[arg-type]
                    continue
                self._encode(batch, new)
                self._several(batch, digest, nth, found)
            except Rejected as error:
                self._refuse(batch, digest, self._count(batch, key), line, self.number, str(error))
            except timer.FAULTS as error:  # a plugin's fault costs a line, not the stream
                timer.restart()
                self._refuse(batch, digest, self._count(batch, key), line, self.number, self._fault(error, timer))
        batch.summary.events += total
        batch.summary.routed += routed
        self._encode(batch, new)

    def _count(self, batch: Batch, key: bytes) -> int:
        """How often the stream has shown a line before."""
        if self.stored.is_in_order:
            self.stored.leave_order(self.shown)
        batch.shown.append(key)
        return self.shown.count(key)

    def _encode(self, batch: Batch, new: list[New]) -> None:
        """Add new lines that are one event each; the list begins anew."""
        try:
            events = check_all([one.event for one in new])
        except TypeError:
            for one in new:
                batch.summary.events -= 1
                batch.summary.routed -= one.event.get("routed") is True
                try:
                    self._several(batch, one.digest, 0, [one.event])
                except TypeError as error:
                    self._refuse(batch, one.digest, 0, one.line, one.number, self._fault(error, None))
        else:
            hexes = b"".join([one.digest for one in new]).hex().encode()
            for at, (one, event) in enumerate(zip(new, events, strict=True)):
                try:
                    text = orjson.dumps(event)
                except TypeError as error:  # what JSON cannot hold costs its line
                    batch.summary.events -= 1
                    batch.summary.routed -= event["routed"]
                    self._refuse(batch, one.digest, 0, one.line, one.number, self._fault(error, None))
                    continue
                data = HEAD + hexes[32 * at : 32 * at + 32] + self._head + text[1:] + b"\n"
                batch.events.add(one.digest[ID], data, event.get("tags") or ())
        new.clear()

    def _several(self, batch: Batch, digest: bytes, nth: int, found: Sequence[dict[str, Any]]) -> None:
        """Add a line with none or many events, or one that the stream has shown before."""
        if not isinstance(found, list | tuple):
            raise TypeError(f"ingest_line returned a {type(found).__name__}. Expected a list of events.")
        events = [checked(event) for event in found]
        batch.summary.events += len(events)
        batch.summary.routed += sum(event["routed"] for event in events)
        if nth < self.stored.old.get(digest[ID], 0):
            return
        for part, event in enumerate(events):
            whole = self._keyed(event) if event.get("key") else row_id(digest, nth, part)
            if whole[ID] not in self.stored.ids:
                own = {"nth": nth} if nth else {}
                own |= {"part": part, "parts": len(events)} if len(events) > 1 else {}
                middle = orjson.dumps(own)[1:-1] + b"," if own else b""
                data = HEAD + whole.hex().encode() + self._head + middle + orjson.dumps(event)[1:] + b"\n"
                batch.events.add(whole[ID], data, event.get("tags") or ())

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

    def _refuse(self, batch: Batch, digest: bytes, nth: int, line: Line, number: int, reason: str) -> None:
        batch.summary.rejected += 1
        whole = row_id(digest, nth, 0, REJECTED)
        if whole[ID] not in self.stored.ids:
            reason = redact(reason)[:REASON_LIMIT]
            batch.first_reason = batch.first_reason or reason
            own: dict[str, Any] = {"line_number": number, "rejected": reason, **describe(line)}
            own |= {"nth": nth} if nth else {}
            batch.refused.add(whole[ID], HEAD + whole.hex().encode() + self._head + orjson.dumps(own)[1:] + b"\n")

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
            for row in (*batch.events.data, *batch.refused.data):
                print(row.decode(), end="")
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
    if len(set(map(tuple, events))) != 1:
        return [checked(event) for event in events]
    for name, column in zip(events[0], zip(*[event.values() for event in events], strict=True), strict=True):
        kinds = dict(zip(map(type, column), column, strict=True))
        for value in kinds.values():
            checked({name: value})
        if name in COUNTS:
            counts = column if type(None) not in kinds else [value for value in column if value is not None]
            if counts and not (min(counts) >= 0 and sum(counts) < math.inf):  # a NaN is in no order
                raise TypeError("a count is below 0 or no number")
        elif name == "ts":
            for ts in column if kinds.keys() != {str} else ():
                checked({"ts": ts})
            if kinds.keys() == {str}:
                try:
                    list(map(datetime.fromisoformat, column))
                except ValueError:
                    raise TypeError("a time is none") from None
        elif name in ("routed", "ok") and type(None) in kinds:
            return [checked(event) for event in events]
    return events if {"routed", "ok"} <= events[0].keys() else [checked(event) for event in events]


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


def _too_long() -> Sequence[dict[str, Any]]:
    raise Rejected(f"longer than {LINE_LIMIT >> 20} MB")


def _is_text(value: object) -> bool:
    return type(value) is str
