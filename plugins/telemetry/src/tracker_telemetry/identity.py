"""What a line of a stream is known by, and compact sets of millions of such ids."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import define, field

REJECTED = b"rejected"
ID = slice(8, 16)  # the half of a row's id that tells copies and parts of one line apart
SIZE, PREFIX, REST = 8, 2, 6  # bytes of an id, those that choose its bucket, and the others


def digest_of(source: str, window: str) -> Callable[[bytes], bytes]:
    """The BLAKE2b-128 of a line of this source in this window."""
    person = hashlib.blake2b(f"{source}\0{window}".encode(), digest_size=16).digest()
    copy = hashlib.blake2b(digest_size=16, person=person).copy  # a third faster than making each anew

    def digest(line: bytes) -> bytes:
        state = copy()
        state.update(line)
        return state.digest()

    return digest


def row_id(digest: bytes, nth: int, part: int, kind: bytes = b"") -> bytes:
    """The record id of a row: the line's digest; a further copy, event or a rejection gets another second half."""
    if not (nth or part or kind):
        return digest
    rest = hashlib.blake2b(digest + nth.to_bytes(8, "big") + part.to_bytes(8, "big") + kind, digest_size=8)
    return digest[:8] + rest.digest()


@define
class Ids:
    """A set of 8-byte ids that takes 8 bytes each, where Python's own takes 80.

    Two of ten million ids are equal by chance with a probability of 3 in a million.
    """

    _buckets: defaultdict[bytes, bytearray] = field(factory=lambda: defaultdict(bytearray))

    def add(self, keys: Iterable[bytes]) -> list[bool]:
        """Add ids; of each, whether it was known."""
        buckets, known = self._buckets, list[bool]()
        for key in keys:
            bucket, rest = buckets[key[:PREFIX]], key[PREFIX:]
            at = bucket.find(rest)
            while at > 0 and at % REST:  # a match across two ids is none
                at = bucket.find(rest, at + 1)
            if at < 0:
                bucket += rest
            known.append(at >= 0)
        return known

    def __contains__(self, key: bytes) -> bool:
        bucket, rest = self._buckets.get(key[:PREFIX], b""), key[PREFIX:]
        at = bucket.find(rest)
        while at > 0 and at % REST:
            at = bucket.find(rest, at + 1)
        return at >= 0

    def __bool__(self) -> bool:
        return bool(self._buckets)


@define
class Shown:
    """How often a stream has shown each of its lines."""

    _once: Ids = field(factory=Ids)
    _more: dict[bytes, int] = field(factory=dict)

    def count(self, keys: Sequence[bytes]) -> list[int]:
        """Count lines once more; how often each was counted before."""
        known = self._once.add(keys)
        return [self._again(key) if was else 0 for key, was in zip(keys, known, strict=True)]

    def _again(self, key: bytes) -> int:
        before = self._more.get(key, 1)
        self._more[key] = before + 1
        return before


def ids_of(data: bytes) -> Iterator[bytes]:
    """Ids that stand one behind the other."""
    return (data[at : at + SIZE] for at in range(0, len(data), SIZE))
