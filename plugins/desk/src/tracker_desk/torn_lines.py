"""The contents of `*.torn`: torn lines, whose whole records can be restored, and copies of lines without a record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from tracker.kernel import Journal, Session, record_id, replace_file

# objects within a torn record that are tried as the beginning of a record
MOST_TRIES = 100
DECODER = json.JSONDecoder()


def restore(session: Session) -> int:
    """Append the whole records that streams lack, set aside the lines that held them, and return their number."""
    count, journal = 0, session.journal
    with journal.lock():
        for stream in journal.streams():
            if lines := lacking(session, stream, with_broken=True).values():
                journal.append(stream, b"".join(line + b"\n" for line in lines))
                count += len(lines)
            set_aside(journal, stream, (offset for offset, line in broken(journal, stream) if whole_records(line)))
    return count


def set_aside(journal: Journal, stream: str, offsets: Iterable[int]) -> None:
    """Copy the lines at some offsets into `*.torn`. The stream keeps them, and no reader warns of them any more."""
    path, known = Path(f"{journal.path(stream)}.torn"), journal.aside(stream)
    lines = [next(journal.lines(stream, offset))[1] for offset in offsets]
    if new := [line for line in lines if line is not None and line not in known]:
        old = path.read_bytes() if path.exists() else b""
        gap = b"" if old.endswith(b"\n") or not old else b"\n"
        replace_file(path, old + gap + b"".join(line + b"\n" for line in new))


def broken(journal: Journal, stream: str) -> Iterator[tuple[int, bytes]]:
    """The lines of a stream that are not records, each with its offset."""
    for offset, line in journal.lines(stream):
        if line and Journal.decode(line) is None:
            yield offset, line


def lacking(session: Session, stream: str, *, with_broken: bool = False) -> dict[str, bytes]:
    """The whole records of `*.torn` that the stream lacks, by their id. with_broken: also those of its broken lines."""
    lines = list(session.journal.aside(stream))
    if with_broken:
        lines += [line for _, line in broken(session.journal, stream)]
    found = {identity(stream, one): one for line in lines for one in whole_records(line)}
    for entry in session.index.entries(stream, repeated=True) if found else ():
        found.pop(entry.record_id, None)
    return found


def whole_records(line: bytes) -> list[bytes]:
    """The record of a line, or several in a row on one line, even beside a torn one."""
    if Journal.decode(line) is not None:
        return [line]
    text, at, tries, found = line.decode("utf-8", "surrogateescape"), -1, 0, list[bytes]()
    while tries < MOST_TRIES and (at := text.find('{"', at + 1)) >= 0:
        tries += 1
        try:
            _, end = DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            continue
        one = text[at:end].encode("utf-8", "surrogateescape")
        if "schema_version" in (Journal.decode(one) or {}):
            found.append(one)
            at, tries = end - 1, 0
    return found


def identity(stream: str, line: bytes) -> str:
    """The id of a record that no index has read."""
    return record_id(stream, line, Journal.decode(line) or {})
