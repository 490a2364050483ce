"""Records: the fields that each carries, the id that follows from them, and the lines of a file that they are."""

from __future__ import annotations

import os
import re
import signal
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from tracker import __version__
from tracker.contract.readings import iso
from tracker.errors import TrackerError
from tracker.text.render import plain

try:
    # `hashlib` loads OpenSSL, which costs 2.5 ms of each start; `random` does the same
    from _blake2 import blake2b as blake2b
except ImportError:
    from hashlib import blake2b as blake2b

SCHEMA = "1.1.0"
# the id of the running command, in every record of it, so that they are taken back together; ids sort by time
COMMAND: ContextVar[str | None] = ContextVar("COMMAND", default=None)
LINE_LIMIT = 16 << 20  # bytes of a line; a character outside ASCII takes up to four of them
ID_ROOM = 64  # bytes of the id's field, which is added last
PHASES = ("before", "after")
ANOMALIES = "anomalies"  # the stream of what records show that cannot be
WINDOWS = "windows"  # the stream of what windows delivered
COUNT = "count"  # the phase of a record of schema 1.0.0 that holds a count's difference and closes its window
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # the name of a window or a lane, which becomes that of a file
EXPECTED = "Expected a letter (a-z, A-Z) or digit, then up to 63 letters, digits, '.', '_' or '-'"
DEEPEST = 100  # levels of a record; orjson reads 1024 and writes 254, documents nest records a few levels deeper
NOTHING = "Nothing was stored"
OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # do not follow links, and do not wait for pipes
CHUNK = 1 << 18  # bytes that are read at once
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Skips = Callable[[bytes], bool] | None
Lines = Iterator[tuple[int, bytes | None]]


def stamp(
    *,
    window: str | None,
    provider: str | None,
    captured_at: datetime,
    source: str,
    notes: str | None = None,
    agent_id: str | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """A whole record: the common fields first, then its own.

    `record_id` is the BLAKE2b-128 of the record's canonical JSON (sorted keys, without the id); the random `nonce`
    tells two captures of the same microsecond apart.
    """
    record: dict[str, Any] = {
        "window": window,
        "provider": provider,
        "captured_at": iso(captured_at),
        "source": source,
        "notes": notes,
        "agent_id": agent_id,
        "schema_version": SCHEMA,
        "tool_version": __version__,
        "nonce": os.urandom(8).hex(),
        **({"command_id": command} if (command := COMMAND.get()) else {}),
        **fields,
    }
    content = b""
    with suppress(TypeError):
        content = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    if (not content or content.count(b"[") + content.count(b"{") > DEEPEST) and is_too_deep(record):
        raise TrackerError(f"The record is nested deeper than {DEEPEST} levels. {NOTHING}.")
    if not content:
        # a lone surrogate, from an argument that is not UTF-8, or a number of more than 64 bits
        content = orjson.dumps(record := plain(record), option=orjson.OPT_SORT_KEYS)
    if len(content) + ID_ROOM > LINE_LIMIT:
        size = f"{-(-len(content) >> 20)} MB as a line. Expected at most {LINE_LIMIT >> 20} MB"
        raise TrackerError(f"The record takes {size}. Its text is mostly control characters, or not text. {NOTHING}.")
    return {"record_id": blake2b(content, digest_size=16).hexdigest(), **record}


def record_id(stream: str, line: bytes, record: Mapping[str, Any]) -> str:
    """The id that a stored record has; records of schema 1.0.0 have none, so it is derived from the line."""
    if isinstance(found := record.get("record_id"), str) and found:
        return found
    return blake2b(line, digest_size=16, person=stream.encode()[:16]).hexdigest()


def decode(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None if it is not an object, or is nested too deep to be written again.

    Programs before this one wrote what strict JSON refuses: `NaN`, half characters, long numbers, a byte order mark.
    """
    try:
        record = orjson.loads(line)
    except (orjson.JSONDecodeError, RecursionError):
        import json

        try:
            record = plain(json.loads(line))
        except (ValueError, RecursionError):
            return None
    if not isinstance(record, dict) or (line.count(b"[") + line.count(b"{") > DEEPEST and is_too_deep(record)):
        return None
    return record


def is_too_deep(value: Any, deepest: int = DEEPEST) -> bool:
    """Whether objects and lists are nested deeper than a record may be."""
    level = [value]
    for _ in range(deepest + 1):
        if not (nested := [one for one in level if isinstance(one, dict | list)]):
            return False
        level = [child for one in nested for child in (one.values() if isinstance(one, dict) else one)]
    return True


def lane_of(record: Mapping[str, Any]) -> str | None:
    """The lane of a record; schema 1.0.0 has it only at the end of the notes."""
    found = record.get("agent_id")
    if found is None and "agent_id" not in record:
        lanes = re.findall(r"\bAGENT_ID=([\w.-]+)", text(record.get("notes")))
        return lanes[-1] if lanes else None
    return found if isinstance(found, str) and found else None


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


def check_lane(agent: str | None) -> str | None:
    # a lane's folder is beside files
    if agent and (not NAME.fullmatch(agent) or ".." in agent or agent.endswith(".json")):
        raise TrackerError(f"Invalid AGENT_ID {agent[:80]!r}. {EXPECTED}, without '..' and without '.json' at the end.")
    return agent or None


def check_window(window: str) -> str:
    if "," in window:
        several = " ".join(f"--window {one.strip()}" for one in window.split(",") if NAME.fullmatch(one.strip()))
        raise TrackerError(f"Invalid window id {window[:80]!r}. Expected one id per option: {several[:200]}.")
    if not NAME.fullmatch(window):
        raise TrackerError(f"Invalid window id {window[:80]!r}. {EXPECTED}.")
    return window


# --- the lines of a file


def system_error(action: str, path: Path, error: OSError | ValueError, after: str = NOTHING) -> TrackerError:
    """An error of the system as one line: what failed, where, why, and what that means for the data."""
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(error, OSError) and path.is_symlink():
        why = "it is a symbolic link, which tracker does not follow"
    return TrackerError(f"cannot {action} {path}: {why}. {after}.")


def check_place(path: Path, *, as_folder: bool = False) -> bool:
    """Whether a file stands at a path, or a directory; an error for anything else, such as a link to elsewhere."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise system_error("look at", path, error) from error
    if as_folder and stat.S_ISLNK(mode):
        raise TrackerError(f"{path} is a symbolic link, which tracker does not follow. Name the directory itself.")
    if as_folder and not stat.S_ISDIR(mode):
        raise TrackerError(f"{path} is not a directory. Name another.")
    if not as_folder and not stat.S_ISREG(mode):
        raise special_file(path, mode)
    return True


def special_file(path: Path, mode: int) -> TrackerError:
    kind = "a symbolic link" if stat.S_ISLNK(mode) else "a directory" if stat.S_ISDIR(mode) else "not a regular file"
    return TrackerError(f"{path} is {kind}. Expected a regular file. Move it away.")


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back signals that end the program, so that it knows what it stored; they take effect when the block ends.

    By handlers, because a blocked signal reaches another thread, which interrupts this one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before = {one: signal.signal(one, lambda number, _frame: caught.append(number)) for one in ENDS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler or signal.SIG_DFL)
        for number in caught:
            signal.raise_signal(number)


def read_at(file: int, length: int, offset: int) -> bytes:
    """Read a length at an offset; fewer bytes only if the file ends. A single read may return less, as on NFS."""
    parts = []
    while length > 0 and (part := os.pread(file, length, offset)):
        parts.append(part)
        length, offset = length - len(part), offset + len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def write_all(file: int, data: bytes | bytearray) -> None:
    """Write in one call what has up to a megabyte: Linux may take thirty times as long for more at once."""
    view = memoryview(data)
    while view:
        if not (written := os.write(file, view[: 1 << 20])):
            raise OSError(f"the system accepted none of {len(view)} bytes")
        view = view[written:]


def take_back(file: int, start: int, lines: bytes | bytearray) -> bool:
    """Remove what was written of some lines, and nothing else; whether none of them is stored."""
    tail = b"\n"
    with suppress(OSError):
        if (tail := read_at(file, os.fstat(file).st_size - start, start)) and lines.startswith(tail):
            os.ftruncate(file, start)
            return True
    return b"\n" not in tail  # a line without its end is no record, and the next command sets it aside


def whole_size(file: int, size: int) -> int:
    """How many bytes of a file are whole lines."""
    if not size or read_at(file, 1, size - 1) == b"\n":
        return size
    while size > 0:
        start = max(0, size - CHUNK)
        if len(chunk := read_at(file, size - start, start)) < size - start:
            raise OSError("the file became shorter while it was read")
        if (found := chunk.rfind(b"\n")) >= 0:
            return start + found + 1
        size = start
    return 0


def whole_lines(file: int, start: int, stop: int | None, skips: Skips = None) -> Lines:
    """The whole lines between two offsets, each with its offset and without its end; None is a line over the limit.

    Memory is bounded by the limit, whatever the file holds.
    """
    offset, parts, held = start, [], 0  # of the line that has begun: its offset, its bytes so far, how many they are
    while stop is None or offset + held < stop:
        position = offset + held
        if not (chunk := read_at(file, CHUNK if stop is None else min(CHUNK, stop - position), position)):
            return
        head, end, rest = chunk.partition(b"\n")
        held += len(head)
        if held <= LINE_LIMIT:
            parts.append(head)
        else:
            parts.clear()
        if not end:
            continue
        whole = b"".join(parts) if held <= LINE_LIMIT else None
        parts.clear()
        yield offset, whole
        whole = None  # a long line is not held any longer than its reader holds it
        offset += held + 1
        if skips and skips(rest[: (size := rest.rfind(b"\n") + 1)]):
            offset, rest = offset + size, rest[size:]
        *lines, tail = rest.split(b"\n")
        for line in lines:
            yield offset, line
            offset += len(line) + 1
        parts, held = [tail], len(tail)
