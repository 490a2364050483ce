"""Read a stream's lines: what the plugin makes of them, and which of it is not stored yet."""

from __future__ import annotations

from binascii import hexlify
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from datetime import datetime, timedelta
from typing import Any

import orjson
from attrs import define, field

from tracker import __version__
from tracker.api import Rejected, Source, check_event, redact
from tracker.kernel import PluginError, Session, Windows, iso, number
from tracker_telemetry.lines import EVENT_LIMIT, LINE_LIMIT, MOST_HANGS, Line
from tracker_telemetry.prices import KINDS
from tracker_telemetry.quarantine import REASON_LIMIT, describe
from tracker_telemetry.sessions.columns import columns_of
from tracker_telemetry.stored_rows import HEAD, ID, REJECTED, Ids, Row, StoredRows, digest_of, row_id

SLICE = 500  # lines after which a plugin's time starts again
TOTAL = tuple(f"{kind}_tokens" for kind in (*KINDS, "cache_write_5m"))
COUNTS = frozenset({*TOTAL, "reasoning_tokens", "latency_ms", "cost_usd"})
EPOCH = datetime.fromtimestamp(0)
MOST = 10**15  # more than any request has; a database adds up whole numbers of 64 bits


@define
class Summary:
    """What a stream held, whether it was new or not.

    tags: how many new events carry which; first_reason: why the first line that was kept as rejected was rejected.
    """

    events: int = 0
    new: int = 0
    rejected: int = 0
    routed: int = 0
    tags: Counter[str] = field(factory=Counter)
    first_reason: str | None = None

    def __str__(self) -> str:
        share = f"{number(round(100 * self.routed / self.events, 1))}%" if self.events else "n/a"
        counts = f"events={self.events}, new={self.new}, duplicates={self.events - self.new}"
        return f"{counts}, rejected={self.rejected}, routed={share}"

    def count(self, events: Sequence[dict[str, Any]], times: int = 1) -> None:
        self.events += times * len(events)
        self.routed += times * sum([event["routed"] for event in events])

    def add(self, other: Summary) -> None:
        for name in ("events", "new", "rejected", "routed", "tags"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.first_reason = self.first_reason or other.first_reason


@define
class Batch:
    """What lines turned out to be.

    common: the fields that all rows share, as JSON behind the id; shown: the digests' halves of the lines that gave
    something, in their order.
    """

    common: bytes
    events: list[Row] = field(factory=list)
    refused: list[Row] = field(factory=list)
    shown: list[bytes] = field(factory=list)
    summary: Summary = field(factory=Summary)

    def lines(self, rows: Sequence[Row]) -> bytes:
        """Rows as the journal has them."""
        return b"".join([part for row in rows for part in (HEAD, hexlify(row[0]), self.common, row[1])])


class Reason(str):
    """Why a line is refused, in the place of its events."""


GIVEN = frozenset({list, tuple, Reason})
TOO_LONG = Reason(f"longer than {LINE_LIMIT >> 20} MB")


@define
class Reader:
    """One stream on its way into the journal; `number` goes on where a followed file was left."""

    session: Session
    source: Source
    window: str
    notes: str | None
    number: int = 0
    summary: Summary = field(factory=Summary)
    stored: StoredRows = field(init=False)
    _scratch: dict[str, Any] = field(factory=dict)
    _ingest: Callable[[bytes, dict[str, Any]], Sequence[dict[str, Any]]] = field(init=False)
    _digest: Callable[[bytes], bytes] = field(init=False)
    _keys: Ids = field(factory=Ids)  # of the events with a key that this run met
    _has_failed: bool = False
    _hangs: int = 0

    def __attrs_post_init__(self) -> None:
        self._ingest = self.session.registry.bind(self.source.name, "ingest_line")
        self._digest = digest_of(self.source.name, self.window)
        self.stored = StoredRows(self.session, self.source.name, self.window, self.streams)

    @property
    def streams(self) -> tuple[str, str]:
        """The events' stream and that of the lines that could not be read."""
        return self.source.stream, f"{self.source.stream}.rejected"

    def read(self, lines: Sequence[Line]) -> Batch:
        """What the lines are. Lines that are stored in this order are passed over, unless the plugin keeps state."""
        self.stored.catch_up()
        batch, digest = Batch(self._common()), self._digest
        with self.session.registry.guarded(self.source.name, "ingest_line") as timer:
            for start in range(0, len(lines), SLICE):
                part = lines[start : start + SLICE]
                digests = [digest(line if isinstance(line, bytes) else line.sha256.encode()) for line in part]
                # the first lines show whether the plugin keeps state
                if not self.number or self._scratch or not self._is_replay([one[ID] for one in digests], batch):
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

    def _common(self) -> bytes:
        here = self.session
        values = {
            "window": self.window,
            "provider": self.source.name,
            "captured_at": iso(here.now),
            "source": "ingest",
            "notes": Windows(here).notes(self.notes),
            "agent_id": here.lane,
            "schema_version": here.journal.schema_version,
            "tool_version": __version__,
        }
        return b'",' + orjson.dumps(values)[1:-1] + b","

    def _is_replay(self, keys: Sequence[bytes], batch: Batch) -> bool:
        """Go past lines that are stored in this order, each as one event."""
        if (routed := self.stored.pass_over(keys)) is None:
            return False
        batch.shown += keys
        batch.summary.events += len(keys)
        batch.summary.routed += routed
        return True

    def _read_slice(self, lines: Sequence[Line], digests: list[bytes], batch: Batch, timer: Any) -> None:
        found = self._events(lines, timer)
        try:
            check_all(readable := flat(found))
        except (TypeError, LookupError, AttributeError):  # these errors do not say which line it was
            found = [self._sound(events) for events in found]
            readable = flat(found)
        giving = [at for at, events in enumerate(found) if events]
        keys = [digests[at][ID] for at in giving]
        if self._is_replay(keys, batch):
            return
        batch.shown += keys
        batch.summary.count(readable)
        for at, nth, key in zip(giving, self.stored.count(keys), keys, strict=True):
            events, digest = found[at], digests[at]
            if type(events) is Reason:
                self._refuse(batch, digest, nth, self.number + at + 1, events, lines[at])
                continue
            for part, event in enumerate(events if nth >= self.stored.old.get(key, 0) else ()):
                place = {"part": part, "parts": len(events)} if len(events) > 1 else {}
                if nth:
                    place = {"nth": nth} | place
                try:
                    row = row_id(digest, nth, part) if event.get("key") is None else self._keyed(event)
                    if row is not None:
                        batch.events.append(_row(row, place | event if place else event))
                except TypeError as error:  # half characters, a number of more than 64 bits, or too long an event
                    batch.summary.count([event], -1)
                    self._refuse(batch, digest, nth, self.number + at + 1, self._fault(error), lines[at])

    def _events(self, lines: Sequence[Line], timer: Any) -> list[Sequence[Any]]:
        """What the plugin makes of each line, or a `Reason`."""
        ingest, scratch, found = self._ingest, self._scratch, list[Sequence[Any]]()
        for line in lines:
            try:
                events = ingest(line, scratch) if type(line) is bytes else TOO_LONG
                if type(events) not in GIVEN:
                    raise TypeError(f"ingest_line returned a {type(events).__name__}. Expected a list of events.")
            except Rejected as error:
                events = Reason(error) or Reason("the plugin gave no reason")
            except timer.FAULTS as error:  # a plugin's fault costs a line, not the stream
                timer.restart()
                events = Reason(self._fault(error))
            found.append(events)
        return found

    def _sound(self, events: Sequence[Any]) -> Sequence[Any]:
        try:
            return events if type(events) is Reason else [checked(event) for event in events]
        except TypeError as error:
            return Reason(self._fault(error))

    def _refuse(self, batch: Batch, digest: bytes, nth: int, number: int, reason: str, line: Line) -> None:
        batch.summary.rejected += 1
        reason, row = redact(reason)[:REASON_LIMIT], row_id(digest, nth, 0, REJECTED)
        if row[ID] not in self.stored.ids:
            batch.summary.first_reason = batch.summary.first_reason or reason
            own = {"line_number": number, "rejected": reason, **describe(line)}
            batch.refused.append(_row(row, own | ({"nth": nth} if nth else {})))

    def _keyed(self, event: dict[str, Any], kind: bytes = b"\0key\0") -> bytes | None:
        """The id of an event with a key, its total a later state of it; None if another line of this run showed it."""
        state = orjson.dumps([event["key"], sum(event.get(name) or 0 for name in TOTAL)])
        return None if self._keys.add([self._digest(state)[ID]]) else self._digest(kind + state)

    def finish(self) -> Batch:
        """What the last lines completed, of a format that holds requests back."""
        batch = Batch(self._common())
        if self.session.registry.has(self.source.name, "end_stream"):
            end_stream = self.session.registry.bind(self.source.name, "end_stream")
            with self.session.registry.guarded(self.source.name, "end_stream"):
                if type(found := end_stream(self._scratch)) not in GIVEN:
                    raise TypeError(f"returned a {type(found).__name__}. Expected a list of events.")
                for event in map(checked, found):
                    # lines that follow may say how a request ended, which has the same tokens then
                    is_open = event.get("key") is not None
                    row = self._keyed(event, b"\0open\0") if is_open else self._digest(b"\0end\0" + orjson.dumps(event))
                    batch.events += [] if row is None else [_row(row, event)]
                    batch.summary.count([event])
        return batch

    def _fault(self, error: BaseException) -> str:
        what = redact(PluginError(self.source.name, "ingest_line", error).cause)[:REASON_LIMIT].rstrip(".")
        failure = PluginError(self.source.name, "ingest_line", what)
        self._hangs += not isinstance(error, Exception | SystemExit)
        if self._hangs == MOST_HANGS or self.session.registry.is_strict():
            raise failure from error
        if not self._has_failed:
            self._has_failed = True
            self.session.warn(f"{failure}; this line and others like it go to {self.streams[1]}.jsonl")
        return f"the plugin failed: {type(error).__name__}"

    def store(self, batch: Batch) -> None:
        """Append what is new; what is stored, also by another process, is left out."""
        is_dry = self.session.dry_run
        with nullcontext() if is_dry or not (batch.events or batch.refused) else self.session.journal.lock():
            self.stored.catch_up()
            batch.events, batch.refused = self.stored.new(batch.events), self.stored.new(batch.refused)
            for stream, rows in zip(self.streams, (batch.events, batch.refused), strict=True):
                if rows and is_dry:
                    print(batch.lines(rows).decode(), end="")
                elif rows:
                    self.session.journal.append(stream, batch.lines(rows))
                    self.stored.wrote(stream)
        batch.summary.new = len(batch.events)
        for tags in filter(None, [tags for _, _, tags in batch.events]):
            batch.summary.tags.update({tag for tag in tags if type(tag) is str})
        self.summary.add(batch.summary)


def _row(row_id: bytes, values: dict[str, Any]) -> Row:
    own = orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE)[1:]
    if len(own) > EVENT_LIMIT:
        longest = max(values, key=lambda name: len(str(values[name])))
        raise TypeError(f"an event's {longest} is too long. Expected at most {EVENT_LIMIT >> 20} MB in all.")
    return row_id, own, values.get("tags") or ()


def flat(found: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """The events of all lines."""
    return [event for events in found if type(events) is not Reason for event in events]


def checked(event: Any) -> dict[str, Any]:
    """The event; by default it is not routed and went well."""
    check_event(event)
    whole = {**event, "routed": event.get("routed") is True, "ok": event.get("ok") in (None, True)}
    check_all([whole])
    return whole


def check_all(events: Sequence[dict[str, Any]]) -> None:
    """Check events by column, in a fifth of the time; raises something if one may be wrong."""
    columns = columns_of(events)
    if {*map(type, columns["routed"]), *map(type, columns["ok"])} != {bool}:
        raise TypeError
    for name, column in columns.items():
        kinds = {*map(type, column)}
        for kind in kinds:
            check_event({name: next(value for value in column if type(value) is kind)})
        if name in COUNTS:
            counts = [count for count in column if count is not None] or [0]
            if not (min(counts) >= 0 and sum(counts) < MOST):  # a NaN is in no order
                raise TypeError(f"invalid {name} of an event. Expected 0 or more, below 10^15.")
        elif name == "key" and "" in column:
            raise TypeError("an event's key is empty. Expected the request's own id, or None.")
        elif name == "ts":
            try:
                for at in column:
                    datetime.fromisoformat(at) if type(at) is str else EPOCH + timedelta(seconds=at or 0)
            except (ValueError, OverflowError):
                raise TypeError("invalid ts of an event. Expected ISO 8601 or epoch seconds.") from None
