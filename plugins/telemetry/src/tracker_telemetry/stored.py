"""The rows that a window already has: read from the journal itself, which is the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from attrs import define, field

from tracker.kernel import Session, decode
from tracker_telemetry.identity import ID, Ids, digest_of

HEAD = b'{"record_id":"'
HEX = slice(len(HEAD), len(HEAD) + 32)


@define
class Stored:
    """The ids of a window's rows in some streams, and how often lines stand in rows of schema 1.0.0."""

    session: Session
    source: str
    window: str
    streams: tuple[str, ...]
    ids: Ids = field(factory=Ids)
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

    def wrote(self, stream: str) -> None:
        """Say that the rows that were appended now are this run's own: it will not show those lines again."""
        self._read[stream] = self.session.journal.size(stream)

    def _scan(self, stream: str, start: int, stop: int) -> None:
        # rows that ingest wrote begin with their id and window; any other row is decoded
        own = b'","window":' + encoded(self.window) + b","
        end, add = HEX.stop + len(own), self.ids.add
        for _, line in self.session.journal.lines(stream, start, stop):
            if line is None:
                continue
            if line[HEX.stop : end] == own and line.startswith(HEAD) and b'"raw_text"' not in line:
                add(bytes.fromhex(line[HEX].decode())[ID])
            elif self.window.encode("utf-8", "replace") in line or b"\\" in line:
                self._take(decode(line))

    def _take(self, record: dict[str, Any] | None) -> None:
        if record is None or record.get("window") != self.window:
            return
        raw = record.get("raw_text")
        if isinstance(raw, str) and "routed" not in record and record.get("phase") is None:
            digest = digest_of(self.source, self.window)
            self.old.update(digest(line)[ID] for line in split(raw))
        elif isinstance(record.get("record_id"), str) and len(record["record_id"]) == 2 * ID.stop:
            try:
                self.ids.add(bytes.fromhex(record["record_id"])[ID])
            except ValueError:
                return  # somebody else's record


def encoded(text: str) -> bytes:
    """A text as ingest writes it."""
    import orjson

    return orjson.dumps(text)


def split(text: str) -> Iterator[bytes]:
    """The lines of a stream that schema 1.0.0 kept as one text."""
    return (line.removesuffix(b"\r") for line in text.encode("utf-8", "surrogatepass").split(b"\n"))
