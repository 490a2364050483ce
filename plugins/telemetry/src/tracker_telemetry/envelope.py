"""The rows that a stream's lines become: the common fields around an event, or around a line that was rejected."""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from attrs import define, field

from tracker.kernel import SCHEMA, __version__, iso
from tracker_telemetry.batch import Copy
from tracker_telemetry.line_index import row_id
from tracker_telemetry.quarantine import REASON_LIMIT, describe
from tracker_telemetry.tail import Line

COMMON = "window provider captured_at source notes agent_id schema_version tool_version"
OWN = "record_id nth part parts tombstone phase rejected raw_text"
RESERVED = frozenset(f"{COMMON} {OWN}".split())  # fields that no event may have
REJECTED = b"rejected"
BEGIN, RECORD_ID = b'{"record_id":"', 32


@define
class Envelope:
    """Encoded once for a batch.

    A row's id follows from its line, so that a replay is recognised. `nth` stands in the rows of a line's further
    copies, `part` and `parts` in those of a line with several events.
    """

    common: dict[str, Any]
    _fixed: bytes = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._fixed = b'",' + orjson.dumps(self.common)[1:-1] + b","

    @classmethod
    def of(cls, window: str, source: str, captured_at: datetime, notes: str | None, agent_id: str | None) -> Envelope:
        values = (window, source, iso(captured_at), "ingest", notes, agent_id, SCHEMA, __version__)
        return cls(dict(zip(COMMON.split(), values, strict=True)))

    def events(self, digests: Sequence[bytes], bodies: Sequence[bytes]) -> tuple[bytes, list[int]]:
        """The rows of lines that are one event each, encoded as JSON objects; and how long each row is."""
        parts = [BEGIN, b"", self._fixed, b"", b"\n"] * len(bodies)
        parts[1::5] = map(hexlify, digests)
        parts[3::5] = [body[1:] for body in bodies]
        rest = len(BEGIN) + RECORD_ID + len(self._fixed)  # the end of the line takes the place of the brace
        return b"".join(parts), [rest + len(body) for body in bodies]

    def line(self, digest: bytes, copy: Copy, bodies: Sequence[bytes]) -> bytes:
        """The rows of a copy of a line with one or several events, from the one on that is not stored yet."""
        parts = enumerate(bodies[copy.have :], copy.have)
        return b"".join(self._part(digest, copy.nth, part, len(bodies), body) for part, body in parts)

    def _part(self, digest: bytes, nth: int, part: int, parts: int, body: bytes) -> bytes:
        own = {"nth": nth} if nth else {}
        own |= {"part": part, "parts": parts} if parts > 1 else {}
        middle = orjson.dumps(own)[1:-1] + b"," if own else b""
        return BEGIN + row_id(digest, nth, part) + self._fixed + middle + body[1:] + b"\n"

    def rejected(self, digest: bytes, nth: int, line: Line, number: int, reason: str) -> bytes:
        """The row of a line that could not be read."""
        own: dict[str, Any] = {"line_number": number, "rejected": reason[:REASON_LIMIT], **describe(line)}
        own |= {"nth": nth} if nth else {}
        return BEGIN + row_id(digest, nth, 0, REJECTED) + self._fixed + orjson.dumps(own)[1:] + b"\n"
