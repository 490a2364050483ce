"""How often the stream that is being read has shown each stored line, in a few bytes a thousand lines.

A stored line is known by where its first row stands in the journal, which no rebuilding of the index changes. A count
is one byte, in pages of which the last used ones stay as they are and the others are compressed: a stream goes through
the journal in its order, or appends to it. Rows that this stream has stored itself, many at a time, are kept as ranges.
"""

from __future__ import annotations

import sqlite3
import zlib
from bisect import bisect_right
from collections.abc import Mapping

import orjson
from attrs import define, field

GRAIN = 5  # bits: no row is shorter than 32 bytes, since its id alone is longer
PAGE = 16  # bits: counts of one page
NUMBER, MASK = GRAIN + PAGE, (1 << PAGE) - 1
HOT = 64  # pages that stay uncompressed: 4 MB
MOST = 255  # what a byte can count to; the few lines that a stream repeats more often have an entry of their own
TABLES = ("followed", "seen", "seen_more")
SCHEMA = """
CREATE TABLE followed (name TEXT PRIMARY KEY, device INTEGER, inode INTEGER, position INTEGER, tail BLOB,
  lines INTEGER);
CREATE TABLE seen (name TEXT, page INTEGER, counts BLOB, PRIMARY KEY (name, page)) WITHOUT ROWID;
CREATE TABLE seen_more (name TEXT PRIMARY KEY, ranges TEXT, often TEXT);
"""


@define
class Seen:
    """The counts of one stream; `load` and `save` keep those of a followed file beside its position."""

    _pages: dict[int, bytearray | bytes] = field(factory=dict)  # compressed ones are bytes
    _hot: dict[int, None] = field(factory=dict)  # the last used one is the last
    _often: dict[int, int] = field(factory=dict)
    _starts: list[int] = field(factory=list)
    _stops: list[int] = field(factory=list)
    _changed: set[int] = field(factory=set)
    _number: int = -1  # the page that is open
    _open: bytearray = field(factory=bytearray)

    def count(self, position: int) -> int:
        """Count a line once more; how often it was counted before."""
        number, slot = position >> NUMBER, position >> GRAIN & MASK
        if number != self._number:
            self._turn_to(number)
        before = self._open[slot] or int(self._is_own(position))
        if before < MOST - 1:
            self._open[slot] = before + 1
            return before
        before = self._often.get(position, before)
        self.put(position, before + 1)
        return before

    def put(self, position: int, times: int) -> None:
        """Say how often a line was shown."""
        number, slot = position >> NUMBER, position >> GRAIN & MASK
        if number != self._number:
            self._turn_to(number)
        self._open[slot] = min(times, MOST)
        if times >= MOST:
            self._often[position] = times

    def own(self, start: int, stop: int) -> None:
        """Say that every line whose first row stands between two positions was shown once, unless `put` says more."""
        if self._stops and self._stops[-1] == start:
            self._stops[-1] = stop
        else:
            self._starts.append(start)
            self._stops.append(stop)

    def _is_own(self, position: int) -> bool:
        at = bisect_right(self._starts, position) - 1
        return at >= 0 and position < self._stops[at]

    def _turn_to(self, number: int) -> None:
        page = self._pages.get(number)
        if not isinstance(page, bytearray):
            page = bytearray(1 << PAGE) if page is None else bytearray(zlib.decompress(page))
        self._pages[number] = page
        self._hot.pop(number, None)
        self._hot[number] = None
        if len(self._hot) > HOT:
            oldest = next(iter(self._hot))
            del self._hot[oldest]
            self._pages[oldest] = _packed(self._pages[oldest])
        self._number, self._open = number, page
        self._changed.add(number)

    # --- for a followed file

    def save(self, database: sqlite3.Connection, name: str) -> None:
        """Write what has changed."""
        rows = [(name, number, _packed(self._pages[number])) for number in sorted(self._changed)]
        database.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", rows)
        ranges, often = orjson.dumps([self._starts, self._stops]), orjson.dumps(list(self._often.items()))
        values = (name, ranges.decode(), often.decode())
        database.execute("INSERT OR REPLACE INTO seen_more VALUES (?, ?, ?)", values)
        self._changed = {self._number} - {-1}

    @classmethod
    def load(cls, database: sqlite3.Connection, name: str) -> Seen:
        """What `save` wrote."""
        pages: Mapping[int, bytes] = dict(database.execute("SELECT page, counts FROM seen WHERE name = ?", (name,)))
        row = database.execute("SELECT ranges, often FROM seen_more WHERE name = ?", (name,)).fetchone()
        if row is None:
            return cls()
        (starts, stops), often = orjson.loads(row[0]), dict(orjson.loads(row[1]))
        return cls(pages={**pages}, often=often, starts=starts, stops=stops)


def _packed(page: bytearray | bytes) -> bytes:
    return page if isinstance(page, bytes) else zlib.compress(page, 1)
