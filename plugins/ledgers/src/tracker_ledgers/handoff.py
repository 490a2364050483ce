"""The handoff: the brief as one text to paste, kept in its own part of a file that people also edit."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict

from tracker.kernel import Session, TrackerError, line, plural
from tracker_ledgers import documents
from tracker_ledgers.brief import Brief, gather
from tracker_ledgers.command_log import note
from tracker_ledgers.settings import Handoff
from tracker_ledgers.window_state import unknown

BEGIN = "<!-- tracker handoff: begin. tracker rewrites what stands between these two lines; write around them -->"
END = "<!-- tracker handoff: end -->"
MARKER = re.compile(rb"^<!-- tracker handoff: (begin|end)\b[^\n]*-->[ \t]*\r?$", re.M)
COMMANDS = 40
# the setting that names the file
FILE = "handoff.file"


def write(session: Session, asked: Sequence[str]) -> Brief:
    """Update the file and say where it is; with `--dry-run`, print the brief."""
    if session.dry_run:
        check(session, asked)
        found = gather(session, asked)
        parts(path_of(session), documents.read(path_of(session)))
        session.data(document(found)) if session.json else session.say("\n".join(markdown(found)))
        return found
    path = path_of(session)
    found, is_changed = update(session, asked)
    if is_changed:
        note(session, asked, path)
    if session.json:
        session.data(document(found) | {"file": str(path), "changed": is_changed})
    else:
        session.say(sentence(found, path, is_changed=is_changed))
    return found


def update(session: Session, asked: Sequence[str] = (), also: Sequence[str] = ()) -> tuple[Brief, bool]:
    """Write our part of the file unless it is up to date; people's parts stay byte for byte.

    Returns the brief, and whether the file had to change.
    """
    path = path_of(session)
    documents.refuse_outside(session, path, FILE)
    check(session, asked)
    for is_last in (False, False, True):
        # others must not wait while a long history is read
        sizes, found = _sizes(session), gather(session, asked, also)
        text = list(markdown(found))

        def content(data: bytes | None, text: list[str] = text) -> bytes:
            before, after, end = parts(path, data)
            # a folder may have a name that is not UTF-8
            return before + end.join((BEGIN, *text, END)).encode(errors="backslashreplace") + after

        with session.journal.lock():
            if is_last or _sizes(session) == sizes:
                return found, documents.rewrite(path, content)
    raise AssertionError  # the last one is written


def _sizes(session: Session) -> dict[str, int]:
    return {stream: session.journal.size(stream) for stream in session.journal.streams()}


def sentence(found: Brief, path: Path, *, is_changed: bool) -> str:
    windows = ", ".join(line(one.window) for one in found.windows)
    return f"wrote the handoff of {windows} to {path}" if is_changed else f"{path} is up to date"


def check(session: Session, asked: Sequence[str]) -> None:
    """Refuse unknown windows, and a data directory without any window."""
    if not session.index.newest_windows(1):
        raise TrackerError(
            f"{session.root} holds no records to hand over."
            " Begin with `tracker start PROVIDER --stdin`, or name the data directory with --data-dir."
        )
    for window in asked:
        if (error := unknown(session, window)) is not None:
            raise error


def path_of(session: Session) -> Path:
    return documents.home(session) / session.settings(Handoff).file


# --- the file


def parts(path: Path, data: bytes | None) -> tuple[bytes, bytes, str]:
    """The text before and after our part, and the file's line end; damaged markers are refused."""
    if data is None:
        return b"", b"\n", "\n"
    end = documents.line_end(data)
    marks = list(MARKER.finditer(data))
    if not marks:
        gap = b"" if not data.strip() else end.encode() * (1 if data.endswith(b"\n") else 2)
        return data + gap, end.encode(), end
    if [mark[1] for mark in marks] != [b"begin", b"end"]:
        places = [(mark[1].decode(), data.count(b"\n", 0, mark.start()) + 1) for mark in marks]
        lines = ", ".join(f"{name} in line {number}" for name, number in places)
        raise TrackerError(
            f"{path} does not hold one pair of tracker's marker lines ({lines}). Repair them, or remove them all:"
            " tracker then adds its part at the end. Nothing was written."
        )
    stop = marks[1].end() - (1 if data[: marks[1].end()].endswith(b"\r") else 0)
    return data[: marks[0].start()], data[stop:], end


# --- the text


def markdown(found: Brief) -> Iterator[str]:
    """The brief as Markdown. Recorded text is in code blocks, so that it cannot act as Markdown."""
    yield "# Session handoff"
    yield ""
    yield f"State{f' as of {found.as_of}' if found.as_of else ''}. Run these lines in a shell first; then the commands"
    yield "below work as they are."
    yield from _block([f"cd {shlex.quote(str(found.home))}", _named(found.data), "unset AGENT_ID"], "sh")
    yield from _section("Read first", _files(found.read_first))
    yield from _section("Windows", _windows(found))
    yield from _section("Open now", [_opening(one) for one in found.openings] or ["nothing"])
    yield from ("", "## Next command")
    for step in found.steps:
        yield from ("", f"{step.why}:")
        yield from _block([step.command], "sh")
    yield from _section("Open anomalies", list(_anomalies(found)) or ["none"])
    yield from _section("Preview checks to start with", found.checks, "sh")
    yield from ("", "The preview should begin like this:")
    yield from _block(found.preview)
    if found.cards:
        yield from _section("Decision cards", map(line, found.cards))
    for section in found.sections:
        yield from _section(line(section.title), [str(one) for one in section.rows])
    yield from _section("Commands that were run", _commands(found))
    yield from _section("Artifacts", [line(path) for path in found.artifacts])


def _named(data: Path) -> str:
    """The shell line that names the data directory."""
    return f"export TRACKER_DATA_DIR={shlex.quote(str(data))}"


def _section(title: str, rows: Iterable[str], language: str = "text") -> Iterator[str]:
    yield from ("", f"## {title}")
    yield from _block(rows, language)


def _block(rows: Iterable[str], language: str = "text") -> Iterator[str]:
    """A code block that no row can end, and in which no row is a marker line."""
    shown = [f" {row}" if row.startswith("<!--") else row for row in rows]
    fence = "`" * max(3, 0, *(len(found[1]) + 1 for row in shown if (found := re.match(" *(`+)", row))))
    yield from ("", f"{fence}{language}", *shown, fence)


def _windows(found: Brief) -> list[str]:
    rows = [f"{line(one.window)}: {line(one.state)}" for one in found.windows]
    more = [f"and {plural(found.earlier, 'other window')}: tracker preview"] if found.earlier else []
    return [f"repository: {line(found.head or 'none')}", *rows, *more]


def _opening(found: Any) -> str:
    lane = f"lane {line(found.lane)}" if found.lane else "the lane without a name"
    where = " on another machine" if found.is_imported else ""
    return f"{line(found.window)}: {found.provider} in {lane}{where} since {line(found.since)}"


def _anomalies(found: Brief) -> Iterator[str]:
    for record in found.anomalies:
        what = f"{record.get('window')} {record.get('provider')} {record.get('kind')}: {record.get('cause')}"
        yield line(what)
        yield f"    cure: {line(record.get('cure') or 'tracker window-audit --window ' + str(record.get('window')))}"


def _files(paths: Iterable[Path]) -> list[str]:
    return [line(path) if path.exists() else f"{line(path)} (missing)" for path in paths]


def _commands(found: Brief) -> list[str]:
    left_out = len(found.commands) - COMMANDS
    head = [f"{plural(left_out, 'earlier command')} in {line(found.data / 'commands.jsonl')}"] if left_out > 0 else []
    rows = [f"{line(one.get('captured_at'))[:19]}Z  {_typed(one)}" for one in found.commands[-COMMANDS:]]
    return [*head, *rows] or ["none is noted"]


def _typed(record: Mapping[str, Any]) -> str:
    """A command in the form that works in a shell without a lane."""
    command, lane = line(record["command"]), record.get("agent_id")
    return f"AGENT_ID={shlex.quote(line(lane))} {command}" if lane and " --agent" not in command else command


def document(found: Brief) -> dict[str, Any]:
    def plain(_owner: Any, _attribute: Any, known: Any) -> Any:
        return str(known) if isinstance(known, Path) else known

    return asdict(found, value_serializer=plain)
