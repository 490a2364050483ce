"""The rows that a window already has: read from the journal itself, which is the truth."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
from attrs import define, field

from tracker.kernel import Journal, Session
from tracker_telemetry.identity import ID, SIZE, Ids, Shown, digest_of

PART = 4 << 20  # bytes of a stream that are read at once
HEAD = b'{"record_id":"'
SINGLE, ROUTED = 1, 2
HEX = slice(len(HEAD), len(HEAD) + 32)
HALF = slice(HEX.start + 16, HEX.stop)
HEXADECIMAL = re.compile(rb"[0-9a-f]{16}")


@define
class Stored:
    """The ids of a window's rows in some streams, and how often lines stand in rows of schema 1.0.0.

    A replay shows its lines in the order in which they are stored. As long as it does, each is compared with the next
    stored one alone; the sets are made of the first line that is another, if ever.
    """

    session: Session
    source: str
    window: str
    streams: tuple[str, ...]
    ids: Ids = field(factory=Ids)
    is_in_order: bool = True
    _order: bytearray = field(factory=bytearray)
    _kinds: bytearray = field(
        factory=bytearray
    )  # of each id in order: SINGLE, ROUTED, or 0 for one that needs its plugin
    _at: int = 0
    old: Counter[bytes] = field(factory=Counter)
    _read: dict[str, int] = field(factory=dict)

    def catch_up(self) -> bool:
        """Read what was appended since the last time; whether that was anything."""
        has_more = False
        for stream in self.streams:
            size, before = self.session.journal.size(stream), self._read.get(stream)
            if size == before:
                continue
            has_more = True
            if before is None or size < before:
                spans = self.session.index.spans(stream, {self.window})
            else:
                spans = [(before, size)]
            for start, stop in spans:
                self._scan(stream, start, stop)
            self._read[stream] = size
        return has_more

    def is_next(self, key: bytes) -> bool:
        """Whether a line is the one that is stored behind the last one; if so, it was shown once."""
        if self.is_in_order and self._order[self._at : self._at + SIZE] == key:
            self._at += SIZE
            return True
        return False

    def pass_over(self, keys: bytes) -> int | None:
        """Go past lines that are the next ones and one event each: how many are routed; None if any is another."""
        first, stop = self._at // SIZE, (self._at + len(keys)) // SIZE
        if not self.is_in_order or self._order[self._at : self._at + len(keys)] != keys:
            return None
        kinds = self._kinds[first:stop]
        routed = kinds.count(ROUTED)
        if routed + kinds.count(SINGLE) < len(kinds):
            return None
        self._at += len(keys)
        return routed

    def leave_order(self, shown: Shown) -> None:
        """Make the sets: of what is stored, and of what was shown until now."""
        self.is_in_order = False
        order = bytes(self._order)
        self.ids.load(order)
        shown.load(order[: self._at])
        self._order.clear()
        self._kinds.clear()

    def wrote(self, stream: str) -> None:
        """Say that the rows that were appended now are this run's own: it will not show those lines again."""
        self._read[stream] = self.session.journal.size(stream)

    def _scan(self, stream: str, start: int, stop: int) -> None:
        # rows that ingest wrote begin with their id and window; any other row is decoded
        own = b'","window":' + orjson.dumps(self.window) + b","
        end = HEX.stop + len(own)
        for part in parts(self.session, stream, start, stop):
            lines = part.split(b"\n")
            is_plain = b'"raw_text"' not in part and b'"parts":' not in part and b'"nth":' not in part
            if is_plain and all(line[HEX.stop : end] == own for line in lines):
                kinds = [ROUTED if b'"routed":true' in line else SINGLE for line in lines] if self.is_in_order else []
                self._add([line[HALF] for line in lines], kinds)
                continue
            found: list[bytes] = []
            for line in lines:
                if line[HEX.stop : end] == own and b'"raw_text"' not in line:
                    found.append(line[HALF])
                else:
                    self._take(Journal.decode(line), found)
            self._add(found, [0] * len(found))

    def _add(self, found: list[bytes], kinds: list[int]) -> None:
        try:
            ids = bytes.fromhex(b"".join(found).decode())
        except ValueError:  # somebody edited the file
            ids = b"".join(bytes.fromhex(half.decode()) for half in found if HEXADECIMAL.fullmatch(half))
            kinds = [0] * (len(ids) // SIZE)
        if self.is_in_order:
            self._order += ids
            self._kinds += bytes(kinds)
        else:
            self.ids.load(ids)

    def _take(self, record: dict[str, Any] | None, found: list[bytes]) -> None:
        if record is None or record.get("window") != self.window:
            return
        raw = record.get("raw_text")
        if isinstance(raw, str) and "routed" not in record and record.get("phase") is None:
            digest = digest_of(self.source, self.window)
            self.old.update(digest(line)[ID] for line in split(raw))
        elif isinstance(record_id := record.get("record_id"), str) and len(record_id) == 4 * SIZE:
            found.append(record_id[2 * SIZE :].encode())


def parts(session: Session, stream: str, start: int, stop: int) -> Iterator[bytes]:
    """The whole lines between two offsets of a stream, many at a time."""
    with session.journal.path(stream).open("rb") as file:
        file.seek(start)
        rest = b""
        while start < stop and (chunk := file.read(min(PART, stop - start))):
            start += len(chunk)
            whole, end, rest = (rest + chunk).rpartition(b"\n")
            if end:
                yield whole


def split(text: str) -> Iterator[bytes]:
    """The lines of a stream that schema 1.0.0 kept as one text."""
    return (line.removesuffix(b"\r") for line in text.encode("utf-8", "surrogatepass").split(b"\n"))
