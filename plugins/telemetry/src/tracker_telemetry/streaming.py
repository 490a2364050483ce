"""Take a telemetry stream in, batch by batch: every event once, none lost.

A batch is read without the lock, so that a long stream keeps nobody waiting; what turned out to be new is stored under
it, after a second look where another process has written meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

from attrs import define, field

from tracker.kernel import Busy, command_line
from tracker_telemetry import event_index, line_index
from tracker_telemetry.batch import Batch, Copy, Summary
from tracker_telemetry.line_index import Known
from tracker_telemetry.line_reader import Reader
from tracker_telemetry.tail import Line

Mark = Callable[[sqlite3.Connection], None]


@define
class Stream:
    """One stream on its way into the journal."""

    reader: Reader
    summary: Summary = field(factory=Summary)

    def read(self, lines: Sequence[Line]) -> Batch:
        """Read lines that `store` shall store."""
        return self.reader.read(lines)

    def store(self, batch: Batch, mark: Mark | None = None) -> None:
        """Append what is new: one write and one flush to disk per stream, one transaction of the index.

        `mark` notes in that transaction how far a followed file was read.
        """
        if self.reader.session.dry_run:
            for row in (batch.data, *self._refused(batch)):
                print(row.decode(), end="")
            batch.summary.new = len(batch.tally.columns)
        else:
            with self.reader.session.journal.lock(command_line()):
                self._append(batch, mark)
        self.summary.add(batch.summary)

    def _append(self, batch: Batch, mark: Mark | None) -> None:
        index, is_stored = self.reader.session.index, False
        try:
            with index.writing(*self.reader.streams) as database:
                if self.reader.sizes(database) != batch.sizes:
                    self._look_again(database, batch)
                places = self._write(batch)
                is_stored = True
                batch.summary.new = len(batch.tally.columns)
                self._note(database, batch, places)
                if mark is not None:
                    mark(database)
        except sqlite3.Error as error:  # what was appended is read back when the index is asked next
            index.close()
            if not is_stored:
                raise Busy(f"the index is busy ({error}); nothing was written, try again") from error

    def _refused(self, batch: Batch) -> list[bytes]:
        envelope = self.reader.envelope()
        return [envelope.rejected(*one[1:]) for one in batch.refused]

    def _look_again(self, database: sqlite3.Connection, batch: Batch) -> None:
        """Leave out what another process has stored since the batch was read."""
        reader = self.reader
        keys = {*batch.keys, *(refused.key for refused in batch.refused)}
        batch.known = now = line_index.lookup(database, reader.window, keys)

        def have(key: int, copy: Copy) -> int:
            old = now.get(key)
            if old is None or not old.parts:
                return 0
            reader.seen.put(old.position, copy.nth + 1)
            stored = old.rows - (copy.nth - reader.old.get(key, 0)) * old.parts
            return min(max(stored, copy.have), copy.parts)

        if any(now.get(key) for key in batch.keys):
            batch.keep(have)
        refused, batch.refused = batch.refused, []
        for one in refused:
            old = now.get(one.key)
            if old is None or old.parts or one.nth >= old.rows:
                batch.refused.append(one)
            else:
                reader.refused_before.put(old.position, one.nth + 1)

    def _write(self, batch: Batch) -> tuple[list[int], list[int]]:
        """Append the rows to the two streams; where those of each line begin, and where the last ones end."""
        events, refused = self.reader.streams
        rows = self._refused(batch)
        start = self._append_rows(events, batch.data)
        places = list(accumulate(batch.lengths, initial=start))
        return places, list(accumulate(map(len, rows), initial=self._append_rows(refused, b"".join(rows))))

    def _append_rows(self, stream: str, rows: bytes) -> int:
        return self.reader.session.journal.append_lines(stream, rows) if rows else 0

    # --- what is known now

    def _note(self, database: sqlite3.Connection, batch: Batch, places: tuple[list[int], list[int]]) -> None:
        """Bring the counts of what the stream has shown, and the index, up to what was appended."""
        reader, index = self.reader, self.reader.session.index
        plain = self._plain(batch, places[0])
        others = self._copies(batch, plain, places[0])
        changed = self._rejections(batch, places[1])
        events, refused = reader.streams
        if batch.keys:
            index.advance(database, events, reader.window, places[0][0])
            line_index.keep(database, events, reader.window, plain, others)
            event_index.store(database, events, reader.window, batch.tally)
        if batch.refused:
            index.advance(database, refused, reader.window, places[1][0])
            line_index.keep(database, refused, reader.window, {}, changed)

    def _plain(self, batch: Batch, places: Sequence[int]) -> dict[int, int]:
        """The new lines that are one event."""
        codes = [place << 1 | routed for place, routed in zip(places, batch.routed, strict=False)]  # as `coded`
        if batch.copies:
            new = (both for at, both in enumerate(zip(batch.keys, codes, strict=True)) if at not in batch.copies)
            plain = dict(new)
        else:
            plain = dict(zip(batch.keys, codes, strict=True))
        if len(plain) >= line_index.BULK:
            self.reader.seen.own(places[0], places[-1])
        else:
            for code in plain.values():
                self.reader.seen.put(code >> 1, 1)
        return plain

    def _copies(self, batch: Batch, plain: Mapping[int, int], places: Sequence[int]) -> dict[int, Known]:
        """Lines with several events, and those that are stored again."""
        changed: dict[int, Known] = {}
        for at, copy in batch.copies.items():
            key = batch.keys[at]
            old = changed.get(key) or batch.known.get(key)
            if old is None and key in plain:
                old = Known(plain[key] >> 1, 1, 1, plain[key] & 1)
            if old is None or not old.parts:
                changed[key] = Known(places[at], copy.parts, copy.parts, batch.routed[at])
            else:
                changed[key] = old._replace(rows=old.rows + copy.parts - copy.have)
            self.reader.seen.put(changed[key].position, copy.nth + 1)
        return changed

    def _rejections(self, batch: Batch, places: Sequence[int]) -> dict[int, Known]:
        """Lines that could not be read, unless an earlier release could read them."""
        changed: dict[int, Known] = {}
        for refused, place in zip(batch.refused, places, strict=False):
            old = changed.get(refused.key) or batch.known.get(refused.key)
            if old is None or not old.parts:
                changed[refused.key] = Known(place, 1, 0, 0) if old is None else old._replace(rows=old.rows + 1)
                self.reader.refused_before.put(changed[refused.key].position, refused.nth + 1)
        return changed
