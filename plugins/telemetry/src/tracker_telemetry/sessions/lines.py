"""The lines of a session file: those that can matter, and what can be read of a damaged one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from typing import Any

import orjson

BROKEN = "\ufffd"  # replaces bytes that are not UTF-8
# looked for beside the words: where more than three bytes begin one, the library compares many places at once, and does
# not stop at each quotation mark, of which code in a log is full
NO_TEXT = b"\xfd" * 3, b"\xfe" * 3, b"\xff" * 3
MOST_TRIES = 100  # objects of a line that were cut off
DECODER = json.JSONDecoder()
ROW, NEXT = re.compile(r'\{\s*"'), re.compile(r'\s*(?=\{\s*"|\Z)')  # where a row may begin, and what may follow one


def lines_with(data: bytearray, words: tuple[bytes, ...], stop: int) -> list[bytes]:
    """The lines that hold one of the words, in their order; the last one ends at `stop`."""
    if not words:
        return [*filter(bytes.strip, bytes(data[:stop]).split(b"\n"))]
    find, rfind = data.find, data.rfind
    lines, start = [], 0
    with memoryview(data) as view:
        for at in search(words)(data, stop):
            if at >= start:
                begin = rfind(b"\n", start, at) + 1 or start
                start = find(b"\n", at, stop) + 1
                lines.append(view[begin:start].tobytes())
    return lines


@cache
def search(words: tuple[bytes, ...]) -> Callable[[bytearray, int], Iterable[int]]:
    """Where one of the words begins, in their order, in the bytes before an end."""
    try:
        from ahocorasick_rs import BytesAhoCorasick, MatchKind
    except ImportError:  # an extra: it compares many bytes at once
        pattern = re.compile(b"|".join(map(re.escape, words)))
        return lambda data, stop: (match.start() for match in pattern.finditer(data, 0, stop))
    find = BytesAhoCorasick([*words, *NO_TEXT], matchkind=MatchKind.LeftmostFirst).find_matches_as_indexes

    def search(data: bytearray, stop: int) -> list[int]:
        with memoryview(data) as view, view[:stop] as part:
            return [start for word, start, _ in find(part) if word < len(words)]

    return search


def mended(line: bytes) -> bytes | None:
    """A line with zeros of a crash, invalid UTF-8, halves of surrogates or NaN in it; None if none helps."""
    with suppress(orjson.JSONDecodeError):
        orjson.loads(line)
        return None  # there is nothing to mend
    text = line.strip(b"\0 \t\r\n").decode("utf-8-sig", "replace")
    try:
        found = json.loads(text, parse_constant=str, object_pairs_hook=_with_names)
    except (ValueError, RecursionError):
        return None
    return json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")


def _with_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are whole: without one of them another request might be meant."""
    if any(BROKEN in name for name, _ in pairs):
        raise ValueError("a damaged name")
    return dict(pairs)


def glued(line: bytes) -> list[bytes]:
    """The whole rows of a line that holds several, or parts of some: a client died, or the end of a line was lost."""
    text, rows, at, tries = line.decode("latin-1"), list[bytes](), 0, 0  # a character for each byte
    while tries < MOST_TRIES and (begin := ROW.search(text, at)) is not None:
        try:
            _, at = DECODER.raw_decode(text, begin.start())
        except (ValueError, RecursionError):
            at, tries = begin.start() + 1, tries + 1  # it was cut off
            continue
        if (end := NEXT.match(text, at)) is not None:  # else it is a part of a row
            at = end.end()
            rows.append(line[begin.start() : at])
    return [] if rows == [line] else rows


def is_whole(line: bytes) -> bool:
    """Whether it is a row, and not the beginning of one."""
    try:
        return isinstance(orjson.loads(mended(line) or line), dict)
    except orjson.JSONDecodeError:
        return False
