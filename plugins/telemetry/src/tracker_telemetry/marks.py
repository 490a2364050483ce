"""How far followed files were taken in, beside the derived index: lost with it, which costs a replay and nothing else.

A mark is valid for the journal that it was made beside: it holds how long the streams were, and what stood there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from attrs import asdict, define

from tracker_telemetry.follower import Place
from tracker_telemetry.identity import SIZE, ids_of
from tracker_telemetry.index import FOLDER, private
from tracker_telemetry.reader import Reader


@define
class Mark:
    """The place of one followed file in one window of a source, and what the file has shown until there."""

    reader: Reader
    path: Path
    shown: int = 0

    @classmethod
    def of(cls, reader: Reader, file: Path) -> Mark:
        name = f"{reader.source.name}\0{reader.window}\0{file.resolve()}".encode("utf-8", "surrogateescape")
        folder = reader.session.root / FOLDER
        return cls(reader, folder / f"followed-{hashlib.blake2b(name, digest_size=8).hexdigest()}.json")

    @property
    def _ids(self) -> Path:
        return self.path.with_suffix(".ids")

    def recall(self) -> Place | None:
        """The place that was noted last; the reader goes on as it was then."""
        try:
            found = orjson.loads(self.path.read_bytes())
            with self._ids.open("rb") as file:
                ids = file.read(found["shown"] * SIZE)
            if found["streams"] != self._streams(found["streams"]) or len(ids) != found["shown"] * SIZE:
                return None
            place = Place(**{**found["place"], "tail": bytes.fromhex(found["place"]["tail"])})
            number = int(found["lines"])
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            return None
        self.reader.stored.leave_order(self.reader.shown)
        self.reader.shown.count(list(ids_of(ids)))
        self.shown, self.reader.number = found["shown"], number
        return place

    def note(self, place: Place, shown: Sequence[bytes]) -> None:
        """Note a place and the lines that were shown since the last one."""
        values = {**asdict(place), "tail": place.tail.hex()}
        with contextlib.suppress(OSError), private():
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            file = os.open(self._ids, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(file, "wb") as ids:
                ids.truncate(self.shown * SIZE)
                ids.seek(self.shown * SIZE)
                ids.write(b"".join(shown))
            self.shown += len(shown)
            found = {"place": values, "lines": self.reader.number, "shown": self.shown, "streams": self._streams({})}
            part = self.path.with_suffix(".part")
            part.write_bytes(orjson.dumps(found))
            os.replace(part, self.path)

    def _streams(self, known: dict[str, Any]) -> dict[str, Any]:
        """How long the streams are, or were, and what stands at their beginnings and before those ends."""
        found = {}
        for stream in self.reader.streams:
            size = known[stream][0] if known else self.reader.session.journal.size(stream)
            glance = self.reader.session.journal.glance(stream, size)
            found[stream] = [size, glance.head.hex(), glance.tail.hex()]
        return found
