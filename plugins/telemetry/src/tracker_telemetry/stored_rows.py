"""What a line of a stream is known by, and the rows that a window already has: read from the journal, the truth."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import orjson
from attrs import define, field

from tracker.kernel import Journal, Session
from tracker_telemetry import blake2b

# A row that may have to be stored: its id, its own fields as JSON without the first brace, and what it is tagged with.
Row: TypeAlias = tuple[bytes, bytes, Sequence[Any]]
REJECTED = b"rejected"
ID = slice(8, 16)  # the half of a row's id that distinguishes copies and parts of one line
SIZE, BUCKETS = 8, 1 << 16  # bytes of an id; how many values its first two have


def digest_of(source: str, window: str) -> Callable[[bytes], bytes]:
    """The BLAKE2b-128 of a line of this source in this window."""
    person = blake2b(f"{source}\0{window}".encode(), digest_size=16).digest()
    copy = blake2b(digest_size=16, person=person).copy  # a third faster than a new one each time

    def digest(line: bytes) -> bytes:
        state = copy()
        state.update(line)
        return state.digest()

    return digest


def row_id(digest: bytes, nth: int, part: int, kind: bytes = b"") -> bytes:
    """The record id of a row: the line's digest; a further copy, event or a rejection gets another second half."""
    if not (nth or part or kind):
        return digest
    rest = blake2b(digest + nth.to_bytes(8, "big") + part.to_bytes(8, "big") + kind, digest_size=8)
    return digest[:8] + rest.digest()


@define
class Ids:
    """A set of 8-byte ids that takes 8 bytes each, where Python's own takes 80: the first two choose a bucket.

    Two of ten million ids are equal by chance with a probability of 3 in a million.
    """

    _buckets: list[bytearray] = field(factory=list)

    def add(self, keys: Sequence[bytes]) -> list[int]:
        """Add ids; the places of those that were known."""
        if not self._buckets:
            self._buckets = [bytearray() for _ in range(BUCKETS)]
        buckets, known = self._buckets, list[int]()
        for place, (number, key) in enumerate(zip(_numbers(keys), keys, strict=True)):
            bucket = buckets[number]
            if key in bucket and _is_in(bucket, key):
                known.append(place)
            else:
                bucket += key
        return known

    def __contains__(self, key: bytes) -> bool:
        return bool(self._buckets) and _is_in(self._buckets[_numbers([key])[0]], key)

    def __bool__(self) -> bool:
        return bool(self._buckets)


def _numbers(keys: Sequence[bytes]) -> memoryview:
    """The numbers of the ids' buckets."""
    return memoryview(b"".join(keys)).cast("H")[:: SIZE // 2]


def _is_in(bucket: bytearray, key: bytes) -> bool:
    at = bucket.find(key)
    while at > 0 and at % SIZE:  # a match across two ids does not count
        at = bucket.find(key, at + 1)
    return at >= 0


def ids_of(data: bytes) -> Iterator[list[bytes]]:
    """Ids one after the other, some at a time: a list of them takes ten times the memory."""
    for start in range(0, len(data), PART):
        part = data[start : start + PART]
        yield [part[at : at + SIZE] for at in range(0, len(part), SIZE)]


PART = 256 << 10  # bytes of a stream that are read at once: what a processor's cache holds
HEAD = b'{"record_id":"'
SINGLE, ROUTED = 1, 2
HALF = slice(len(HEAD) + 16, len(HEAD) + 32)
HEXADECIMAL = re.compile(rb"[0-9a-f]{16}")
IS_ROUTED, TRUE = b'"routed":', ord("t")
# what the rows of one write share after their ids, up to the first field of an event that is the only one of its line
SHARED = (
    rb'(","window":%b,"provider":[^{}]*?"notes":(?:null|"(?:[^"\\]|\\.)*"),[^{}]*?"tool_version":"[^"]*","'
    rb'(?!nth"|part"|raw_text")\w+":)'
)


@define
class StoredRows:
    """The ids of a window's rows in some streams, and how often a stream has shown each of its lines.

    old: how often rows of schema 1.0.0 hold a line. A replay shows its lines in the order in which they are stored.
    As long as it does, they are compared with the next stored ones alone; the sets are made of the first lines that are
    others, if ever.
    """

    session: Session
    source: str
    window: str
    streams: tuple[str, ...]
    ids: Ids = field(factory=Ids)
    is_in_order: bool = True
    old: Counter[bytes] = field(factory=Counter)
    _order: bytearray = field(factory=bytearray)
    # for each id in order: SINGLE, ROUTED, or 0 for one that needs its plugin
    _kinds: bytearray = field(factory=bytearray)
    _at: int = 0
    _shown: Ids = field(factory=Ids)
    _repeated: dict[bytes, int] = field(factory=dict)  # how often lines were shown, of those shown more than once
    _read: dict[str, int] = field(factory=dict)

    def catch_up(self) -> None:
        """Read what was appended since the last time."""
        # a large index is not checked when it is opened, and which rows are stored must not depend on it alone
        if not self._read and self.session.index.faults(of_streams=False):
            self.session.index.discard()
        for stream in self.streams:
            size, before = self.session.journal.size(stream), self._read.get(stream)
            if size == before:
                continue
            has_grown = before is not None and size > before
            spans = [(before or 0, size)] if has_grown else self.session.index.spans(stream, {self.window})
            for start, stop in spans:
                for part in parts(self.session, stream, start, stop):
                    self._scan(part)
            self._read[stream] = size

    def pass_over(self, keys: Sequence[bytes]) -> int | None:
        """Go past lines that are the next ones and one event each: how many are routed; None if any is another."""
        stop = self._at + len(keys)
        if not self.is_in_order or self._order[self._at * SIZE : stop * SIZE] != b"".join(keys):
            return None
        kinds = self._kinds[self._at : stop]
        if 0 in kinds:
            return None
        self._at = stop
        return kinds.count(ROUTED)

    def count(self, keys: Sequence[bytes]) -> list[int]:
        """Count lines that are shown once more; how often each was counted before."""
        self._leave_order()
        before = [0] * len(keys)
        for place in self._shown.add(keys):
            before[place] = self._repeated.get(keys[place], 1)
            self._repeated[keys[place]] = before[place] + 1
        return before

    def new(self, rows: list[Row]) -> list[Row]:
        """The rows that are not stored."""
        if rows:
            self._leave_order()
        return [row for row in rows if row[0][ID] not in self.ids] if self.ids else rows

    def _leave_order(self) -> None:
        """Make the sets, if that is not done: of what is stored, and of what was shown until now."""
        if not self.is_in_order:
            return
        self.is_in_order = False
        order = bytes(self._order)
        self._order.clear()
        self._kinds.clear()
        for keys in ids_of(order):
            self.ids.add(keys)
        for keys in ids_of(order[: self._at * SIZE]):
            self.count(keys)

    def wrote(self, stream: str) -> None:
        """Say that the rows that were appended now are this run's own: it will not show those lines again."""
        self._read[stream] = self.session.journal.size(stream)

    def _scan(self, part: bytes) -> None:
        """Take the ids of rows. Those that ingest wrote for lines with one event are not decoded."""
        pattern = re.compile(re.escape(HEAD) + rb".{32}" + SHARED % re.escape(orjson.dumps(self.window)))
        shared, halves, kinds = b"\n", list[bytes](), bytearray()
        for line in part.split(b"\n"):
            if not line.startswith(shared, HALF.stop):
                if (found := pattern.match(line)) is None:
                    shared = b"\n"
                    half = self._decoded(line)
                    halves += half
                    kinds += bytes(len(half))
                    continue
                shared = found[1]
            halves.append(line[HALF])
            kinds.append(ROUTED if line[line.rfind(IS_ROUTED) + 9] == TRUE else SINGLE)
        try:
            ids = bytes.fromhex(b"".join(halves).decode())
        except ValueError:  # somebody edited the file
            ids = b"".join(bytes.fromhex(half.decode()) for half in halves if HEXADECIMAL.fullmatch(half))
            kinds = bytearray(len(ids) // SIZE)
        if self.is_in_order:
            self._order += ids
            self._kinds += kinds
        else:
            for keys in ids_of(ids):
                self.ids.add(keys)

    def _decoded(self, line: bytes) -> list[bytes]:
        """The half of a row's id in hexadecimal, if it is of this window; of a whole stream, its lines are noted."""
        record = Journal.decode(line)
        if record is None or record.get("window") != self.window:
            return []
        raw, record_id = record.get("raw_text"), record.get("record_id")
        if isinstance(raw, str) and "routed" not in record and record.get("phase") is None:
            digest = digest_of(self.source, self.window)
            self.old.update(digest(line)[ID] for line in split(raw))
        elif isinstance(record_id, str) and len(record_id) == 4 * SIZE:
            return [record_id[2 * SIZE :].encode()]
        return []


def parts(session: Session, stream: str, start: int, stop: int, size: int = 0) -> Iterator[bytes]:
    """The whole lines between two offsets of a stream, many at a time."""
    with session.journal.path(stream).open("rb") as file:
        file.seek(start)
        rest = b""
        while start < stop and (chunk := file.read(min(size or PART, stop - start))):
            start += len(chunk)
            whole, end, rest = (rest + chunk).rpartition(b"\n")
            if end:
                yield whole


def split(text: str) -> Iterator[bytes]:
    """The lines of a stream that schema 1.0.0 kept as one text."""
    return (line.removesuffix(b"\r") for line in text.encode("utf-8", "surrogatepass").split(b"\n"))
