"""Write the records for other programs: as they are, as tables for a spreadsheet, or as Parquet."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from tracker.kernel import (
    Interruption,
    PluginError,
    Registry,
    Session,
    TrackerError,
    line,
    plural,
    record_id,
    replace_file,
)
from tracker_desk import parquet
from tracker_desk.config_values import ledgers_above, note_ledgers
from tracker_desk.merge import IMPORTS
from tracker_desk.progress import Advance, progress
from tracker_desk.tables import Scalar, columns, rows

# a format as features declare it, and as it is called here
Write = Callable[[Session, str, Path], int]
Writer = Callable[[str, Path, Advance], int]
ENDING = (signal.SIGTERM, signal.SIGHUP)
SHOWN = 3  # files that are named
CELL = 32_767  # characters that a spreadsheet's cell holds; it splits longer texts into rows, or drops them


@contextmanager
def _in_order() -> Iterator[None]:
    """Make signals end an export as Ctrl-C does, so that no temporary file stays."""

    def end(number: int, _frame: object) -> None:
        raise KeyboardInterrupt(number)

    heeded = [one for one in ENDING if signal.getsignal(one) != signal.SIG_IGN]
    before = {one: signal.signal(one, end) for one in heeded}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@_in_order()
def export(session: Session, form: str, folder: Path, *, force: bool, windows: Sequence[str] | None = None) -> None:
    """Write the records of some windows, or of all, in one of the formats, and report how many."""
    if windows is None:
        _export(session, form, folder, force=force)
        return
    with TemporaryDirectory(prefix="tracker-export-") as place:
        part = Session()
        part.data_dir, part.json, part.quiet, part.dry_run = Path(place), session.json, session.quiet, session.dry_run
        commands = set[str]()
        for stream in sorted(session.journal.streams(), key=lambda name: name == IMPORTS):
            path = part.root / f"{stream}.jsonl"
            if not _write(path, _of_windows(session, stream, set(windows), commands)):
                path.unlink()
        if not part.journal.streams():
            raise TrackerError("The selected windows have no records. `tracker windows` lists all windows.")
        _check_target(session, folder, force=force)
        _export(part, form, folder, force=force)


def _of_windows(session: Session, stream: str, windows: set[str], commands: set[str]) -> Iterator[bytes]:
    """The whole lines of some windows, with the tombstones of their records. commands: those that stored them.

    An import's record keeps only those of these commands, without a folder: no other window's, and no place.
    """
    kept: set[str] = set()
    for _, text, record in session.journal.records(stream):
        if stream == IMPORTS:
            named = record.get("imported")
            if known := [one for one in named if str(one) in commands] if isinstance(named, list) else ():
                # the record differs from the one with its id, so it has none
                rest = {key: one for key, one in record.items() if key not in ("record_id", "nonce")}
                yield json.dumps(rest | {"imported": known, "directory": None}).encode() + b"\n"
        elif record.get("window") in windows or record.get("tombstone") in kept:
            kept.add(record_id(stream, text, record))
            commands.add(str(record.get("command_id")))
            yield text + b"\n"


def _export(session: Session, form: str, folder: Path, *, force: bool) -> None:
    streams = session.journal.streams()
    if not streams:
        raise TrackerError(f"{session.root} holds no records to export. Name the data directory with --data-dir.")
    writers = _writers(session)
    write = writers.get(form)
    if write is None:
        cure = f" Parquet needs {Registry.installation('duckdb')}." if form == "parquet" else ""
        raise TrackerError(f"Unknown format {line(form)}. Expected {', '.join(sorted(writers))}.{cure}")
    _check_target(session, folder, force=force)
    counts, tables = dict[str, int](), dict[str, int]()
    stood = _files(folder, form)
    if not session.dry_run:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise TrackerError(f"cannot create {folder}: {error.strerror or error}. Nothing was written.") from error
        try:
            with progress(session, sum(map(session.journal.size, streams))) as advance:
                if form == "parquet":
                    tables = parquet.write_fleet(session, folder)
                for stream in streams:
                    counts[stream] = write(stream, folder, advance)
        except KeyboardInterrupt as error:
            missing = ", ".join(streams[len(counts) :])
            message = f"interrupted: the export to {folder} is not complete. It lacks {missing}"
            [number] = error.args or [signal.SIGINT]
            raise Interruption(message, number) from None
    if session.json or session.dry_run:
        known = {"streams": counts or dict.fromkeys(streams), **({"tables": tables} if tables else {})}
        session.data({"format": form, "out": str(folder), **known})
    else:
        old = sorted(name for name, _ in stood & _files(folder, form))
        _report(session, folder, counts | tables, old)


def _files(folder: Path, form: str) -> set[tuple[str, int]]:
    """The files of a format where an export writes, with the times at which they were written."""
    found = set()
    # not all folders below: it may be somebody's home
    for place in ("*", "*/*", "*/window=*/day=*/*"):
        for path in folder.glob(f"{place}.{form}"):
            # a link may lead nowhere, and another program may delete a file meanwhile
            with suppress(OSError):
                found.add((str(path.relative_to(folder)), path.stat().st_mtime_ns))
    return found


def _report(session: Session, folder: Path, counts: Mapping[str, int], old: Sequence[str]) -> None:
    """Say what was written, and what was not. old: the files of an earlier export, or of somebody, that stay."""
    written = [(name, count) for name, count in counts.items() if count]
    parts = ", ".join(f"{name} {count}" for name, count in written)
    rows = plural(sum(count for _, count in written), "row")
    session.say(f"exported {rows} to {folder}" + (f" ({parts})" if parts else ""))
    if old:
        more = f" and {len(old) - SHOWN} more" if len(old) > SHOWN else ""
        session.note(
            f"{folder} also holds files that are not from this export: {', '.join(map(line, old[:SHOWN]))}{more}"
        )
    if ledgers_above(session, Path.cwd()):
        note_ledgers(
            session, "the export leaves out the ledgers, with the evidence that decision cards count: copy {} as well"
        )


def _check_target(session: Session, folder: Path, *, force: bool) -> None:
    """Refuse a folder that is not empty, the data directory itself, and standard output."""
    if str(folder) == "-":
        raise TrackerError("An export is several files, so it cannot go to standard output. Name a folder with --out.")
    if folder.exists() and session.root.exists() and os.path.samefile(folder, session.root):
        raise TrackerError(f"{folder} is the data directory itself. Name another one with --out.")
    if folder.exists() and not folder.is_dir():
        raise TrackerError(f"{folder} is not a directory. Name another one with --out.")
    if folder.exists() and any(folder.iterdir()) and not force:
        raise TrackerError(f"{folder} is not empty. Name another one with --out, or replace its exports with --force.")


def _writers(session: Session) -> dict[str, Writer]:
    """The writer of each format: ours, and those of the installed features."""
    found: dict[str, Writer] = {"jsonl": partial(_lines, session), "csv": partial(_table, session)}
    if find_spec("duckdb"):
        found["parquet"] = partial(_of_feature, session, parquet.write)
    for feature, own in session.registry.each("export_formats"):
        if isinstance(own, PluginError):
            session.warn(f"{str(own).rstrip('.')}; the rest works")
            continue
        for name, write in (own or {}).items():
            if isinstance(name, str) and callable(write):
                found.setdefault(name, partial(_of_feature, session, _guarded(session, feature, write)))
            else:
                session.warn(
                    f"the format {name!r:.80} of plugin {feature!r} is left out. Expected a name and a function"
                )
    return found


def _guarded(session: Session, feature: str, write: Write) -> Write:
    """A feature's format: errors name the feature, and no time limit holds."""

    def guarded(one: Session, stream: str, folder: Path) -> int:
        with session.registry.guarded(feature, f"export {stream}", 1e9):
            count = write(one, stream, folder)
            if type(count) is not int or not 0 <= count <= sys.maxsize:
                raise TypeError(f"returned {count!r:.80}. Expected the number of rows.")
        return count

    return guarded


def _of_feature(session: Session, write: Write, stream: str, folder: Path, advance: Advance) -> int:
    count = write(session, stream, folder)
    advance(session.journal.size(stream))
    return count


def _lines(session: Session, stream: str, folder: Path, advance: Advance) -> int:
    """Every whole line as it is, tombstones and what they take back included: the folder can be imported."""

    def every() -> Iterator[bytes]:
        for _, text, _ in session.journal.records(stream):
            advance(len(text) + 1)
            yield text + b"\n"

    return _write(folder / f"{stream}.jsonl", every())


def _table(session: Session, stream: str, folder: Path, advance: Advance) -> int:
    """The standing records as CSV (RFC 4180), without panes; nothing in a cell runs in a spreadsheet."""
    from tracker.kernel import csv_line

    stop, cut = session.journal.size(stream), 0
    # a table is made to be passed on, and a pane holds whatever was around it
    names = [name for name in columns(rows(session, stream, stop, advance)) if name != "raw_text"]

    def cell(value: Scalar) -> Scalar:
        nonlocal cut
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str) and len(value) > CELL:
            cut += 1
            return f"{value[: CELL - 1]}…"
        return value

    def every() -> Iterator[bytes]:
        yield csv_line(names)
        for one in rows(session, stream, stop, advance):
            yield csv_line([cell(one.get(name)) for name in names])

    count = _write(folder / f"{stream}.csv", every()) - 1
    if cut:
        whole = "jsonl and parquet keep the whole text"
        session.warn(f"cut {plural(cut, 'text')} of {stream} at {CELL:,} characters, the most a cell holds; {whole}")
    return count


def _write(path: Path, parts: Iterator[bytes]) -> int:
    """Write the parts to a file that only its owner may read; how many there were."""
    count = 0

    def fill(unfinished: Path) -> None:
        nonlocal count
        with unfinished.open("wb") as file:
            for part in parts:
                file.write(part)
                count += 1

    replace_file(path, fill, after="The export is not complete")
    return count
