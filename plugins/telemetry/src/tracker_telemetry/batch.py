"""Lines that were read and are not stored yet, kept as compactly as a batch of fifty thousand asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import orjson
from attrs import define, field

from tracker.kernel import number
from tracker_telemetry.event_columns import Column, Row, Tally, row_of, tally
from tracker_telemetry.line_index import Stored
from tracker_telemetry.tail import Line


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
        return (
            f"events={self.events}, new={self.new}, duplicates={self.events - self.new},"
            f" rejected={self.rejected}, routed={share}"
        )

    def add(self, other: Summary) -> None:
        self.events += other.events
        self.new += other.new
        self.rejected += other.rejected
        self.routed += other.routed
        self.tags += other.tags


class Copy(NamedTuple):
    """Which copy of a line it is, how many events it has, and how many of them a crash has left stored."""

    nth: int = 0
    parts: int = 1
    have: int = 0


PLAIN = Copy()


class Refused(NamedTuple):
    """A line that could not be read."""

    key: int
    digest: bytes
    nth: int
    line: Line
    number: int
    reason: str


@define
class Batch:
    """What lines turned out to be.

    known: what the index said of them, and `sizes` how far it had read the streams. repeats: how often lines were met,
    where one stands there twice. pieces: the encoded rows of new lines; lengths, keys, routed: of each new line;
    copies: of those that are not one event, seen once.
    """

    known: Stored
    sizes: object
    repeats: dict[int, int] = field(factory=dict)
    pieces: list[bytes] = field(factory=list)
    lengths: list[int] = field(factory=list)
    keys: list[int] = field(factory=list)
    routed: list[int] = field(factory=list)
    copies: dict[int, Copy] = field(factory=dict)
    tally: Tally = field(factory=Tally)
    refused: list[Refused] = field(factory=list)
    summary: Summary = field(factory=Summary)

    def add(self, rows: bytes, lengths: Sequence[int], keys: Sequence[int], columns: Sequence[Column]) -> None:
        """Add new lines that are one event each: their encoded rows, their keys, the events by column."""
        routed = columns[4]
        self.pieces.append(rows)
        self.lengths += lengths
        self.keys += keys
        self.routed += routed
        self.tally.add_columns(*columns)
        self.summary.events += len(keys)
        self.summary.routed += sum(routed)

    def add_copy(self, rows: bytes, key: int, events: Sequence[Row], copy: Copy) -> None:
        """Add a line with several events, or one that is stored already; `rows` are those that are not."""
        self.copies[len(self.keys)] = copy
        self.pieces.append(rows)
        self.lengths.append(len(rows))
        self.keys.append(key)
        self.routed.append(sum(event[4] for event in events))
        self.tally.add(events[copy.have :])
        self.count(events)

    def count(self, events: Sequence[Row]) -> None:
        """Count events that are in the stream, whether they are new or not."""
        self.summary.events += len(events)
        self.summary.routed += sum(event[4] for event in events)

    def count_tags(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Count what the plugin found wrong with new events."""
        for tags in [event["tags"] for event in events if "tags" in event]:
            if type(tags) is list:
                self.summary.tags.update({tag for tag in tags if type(tag) is str})

    @property
    def data(self) -> bytes:
        """The rows of all new lines."""
        return b"".join(self.pieces)

    def keep(self, have: Callable[[int, Copy], int]) -> None:
        """Leave out the first events of each line that `have` says are stored: of some, or all of them."""
        data, starts = self.data, accumulate(self.lengths, initial=0)
        found, copies = list(zip(starts, self.lengths, self.keys, self.routed, strict=False)), self.copies
        self.pieces, self.lengths, self.keys, self.routed, self.copies = [], [], [], [], {}
        for at, (start, length, key, routed) in enumerate(found):
            copy = copies.get(at, PLAIN)
            stored = have(key, copy)
            if stored < copy.parts:
                rows = data[start : start + length].splitlines(keepends=True)[stored - copy.have :]
                if copy is not PLAIN:
                    self.copies[len(self.keys)] = copy._replace(have=stored)
                self.pieces.append(b"".join(rows))
                self.lengths.append(len(self.pieces[-1]))
                self.keys.append(key)
                self.routed.append(routed)
        events = [orjson.loads(row) for piece in self.pieces for row in piece.splitlines()]
        self.tally = tally(map(row_of, events))
        self.summary.tags.clear()
        self.count_tags(events)
