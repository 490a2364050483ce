"""The status line: meters, resets and the open window in one line, from the JSON that a program hands its command.

Which source understands the JSON is found by asking those that declare a `StatusLineOrigin`. The last reading of each
is kept, with its time and without the JSON, which also names folders and sessions; captures can read it from there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from tracker.api import Gauge, Origin, Reading, Source, StatusLineOrigin, instant
from tracker.kernel import PluginError, Windows, iso, line, value
from tracker_capture.units import unit_of

if TYPE_CHECKING:
    from tracker.kernel import Session
    from tracker_capture.origins.answer import Answer, Query

# Bytes of input.
LIMIT = 1 << 20
# A program that does not close the pipe must not hold up its own prompt.
INPUT_SECONDS = 2.0
# Beside the lanes' states; no lane's name begins with a dot.
FOLDER = ".statusline"
FRESH = timedelta(minutes=1)
# How often an unchanged reading goes into the history.
SAMPLE_EVERY = timedelta(minutes=5)


@frozen(kw_only=True)
class LastReading:
    """The last reading of a source that was handed over, and when; `sampled`: when one went into the history."""

    source: Source
    reading: Reading
    at: datetime
    sampled: datetime | None = None


def kept(query: Query) -> Answer:
    """The kept reading as a capture's answer."""
    from tracker_capture.origins.answer import Answer, not_installed

    found = _load(query.session, query.source)
    if found is None:
        raise not_installed("no program has sent a status line yet", query.origin)
    return Answer(origin=query.origin.name, text=None, reading=found.reading, taken=query.session.now)


def text(session: Session, found: LastReading | None) -> str:
    """The line; an empty one if nothing was ever handed over."""
    if found is None:
        return ""
    now, local = session.now, session.zone
    parts = [_meter(found.source, gauge, now, local) for gauge in found.reading.gauges if gauge.used is not None]
    if now - found.at > FRESH:
        parts.append(f"{int((now - found.at).total_seconds()) // 60} min ago")
    window = _open_window(session, found.source)
    return " | ".join([*parts, f"{line(window)} open"] if window else parts)


def handed_over() -> bytes:
    """What comes on standard input in time; nothing from a terminal."""
    chunks: list[bytes] = []
    if os.isatty(0):
        return b""

    def read() -> None:
        while sum(map(len, chunks)) <= LIMIT and (chunk := os.read(0, 1 << 16)):
            chunks.append(chunk)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(INPUT_SECONDS)
    data = b"".join(chunks)
    return data if len(data) <= LIMIT else b""


def take(session: Session, data: bytes) -> LastReading | None:
    """The new reading, else the kept one. Sources that gave one before are loaded first: loading all takes time."""
    now = session.now
    known = [path.stem for path in (session.root / "state" / FOLDER).glob("*.json")]
    before = [source for name in sorted(known) if (source := session.registry.source(name))]
    if before and (found := _take(session, list(_origins(before)), data, now)) is not None:
        return found
    sources = list(_origins(session.registry.sources.values()))
    found = _take(session, sources, data, now)
    return found or next((one for source, _ in sources if (one := _load(session, source))), None)


def _origins(sources: Iterable[Source]) -> Iterator[tuple[Source, Origin]]:
    for source in sources:
        for origin in source.origins:
            if isinstance(origin, StatusLineOrigin):
                yield source, origin


def _take(session: Session, sources: list[tuple[Source, Origin]], data: bytes, now: datetime) -> LastReading | None:
    """The reading of the first source that finds one, which is kept."""
    from tracker.kernel import read_text

    words = data.decode("utf-8", "replace")
    for source, origin in sources if words.strip() else ():
        try:
            reading = read_text(session, source, words, now, None, origin=origin.name)
        except PluginError:
            continue
        if any(gauge.used is not None for gauge in reading.gauges):
            before = _load(session, source)
            sampled = before.sampled if before and _is_unchanged(before.reading, reading) else None
            found = LastReading(source=source, reading=reading, at=reading.as_of or now, sampled=sampled)
            _keep(session, found)
            return found
    return None


# --- what is kept


def _path(session: Session, source: Source) -> Path:
    return session.root / "state" / FOLDER / f"{source.name}.json"


def _may_write(session: Session) -> bool:
    """A status line creates only a data directory that you named, because a prompt runs in every folder."""
    is_named = session.data_dir or os.environ.get("TRACKER_DATA_DIR") or session.config.data_dir
    return bool(is_named) or session.root.is_dir()


def _keep(session: Session, found: LastReading) -> None:
    from contextlib import suppress

    from tracker.kernel import TrackerError

    if not _may_write(session):
        return
    state = {
        "provider": found.source.name,
        "captured_at": iso(found.at),
        "sampled_at": found.sampled and iso(found.sampled),
        "parsed": Windows(session).parsed(found.reading, found.source),
    }
    with suppress(OSError, TrackerError):
        _write(_path(session, found.source), state)


def _is_unchanged(one: Reading, other: Reading) -> bool:
    return {gauge.meter: gauge.used for gauge in one.gauges} == {gauge.meter: gauge.used for gauge in other.gauges}


def sample(session: Session, found: LastReading) -> None:
    """Put a new reading into the history, an unchanged one every few minutes: a prompt must stay cheap."""
    is_due = found.sampled is None or session.now - found.sampled >= SAMPLE_EVERY
    if is_due and session.now - found.at <= FRESH and _may_write(session):
        from tracker_capture import readings

        _, origin = next(_origins([found.source]))
        one = readings.sample_of(found.source, found.reading, found.at, origin.name, readings.lag(session))
        if one is not None:
            # whoever reads the line waits for the process to end: if the lock is busy, the next line adds it
            with session.journal.lock(wait=0):
                readings.add(session, [one], by="statusline")
            _keep(session, evolve(found, sampled=session.now))


def _write(path: Path, state: dict[str, Any]) -> None:
    """Replace the file in one step, unflushed: a prompt does not wait for the disk, and the next one writes again."""
    import orjson

    from tracker.kernel import replace_file

    if path.parents[1].is_symlink() or path.parent.is_symlink():
        # only files that tracker made are replaced, and never through a link
        return
    for folder in (path.parents[2], path.parents[1], path.parent):
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
    replace_file(path, orjson.dumps(state, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE), fsync=False)


def _load(session: Session, source: Source) -> LastReading | None:
    state = _json(_path(session, source))
    at, parsed = instant(state.get("captured_at")), state.get("parsed")
    if at is None or not isinstance(parsed, dict):
        return None
    reading = Windows(session).reading(parsed, source, at)
    if not reading.gauges:
        return None
    return LastReading(source=source, reading=reading, at=at, sampled=instant(state.get("sampled_at")))


def _json(path: Path) -> dict[str, Any]:
    import orjson

    try:
        found = orjson.loads(path.read_bytes() if path.is_file() else b"")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


# --- the line


def _meter(source: Source, gauge: Gauge, now: datetime, local: tzinfo) -> str:
    """`session 42%, resets 17:07`; the weekday with a reset that is over 20 hours away."""
    used = f"{gauge.meter.replace('_', ' ')} {value(gauge.used, unit=unit_of(source, gauge.meter))}"
    if gauge.reset_at is None:
        return used
    if gauge.reset_at <= now:
        return f"{used}, was reset"
    form = "%H:%M" if gauge.reset_at - now < timedelta(hours=20) else "%a %H:%M"
    return f"{used}, resets {gauge.reset_at.astimezone(local):{form}}"


def _open_window(session: Session, source: Source) -> str | None:
    """The lane's open window by its state file: a prompt does not wait for the journal to be read."""
    folder = session.state_dir or session.root / "state"
    found = _json((folder / session.lane if session.lane else folder) / f"{source.name}.json")
    window = found.get("window")
    return window if found.get("open") and isinstance(window, str) else None
