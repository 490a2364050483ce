"""What tracker can use on this machine: programs, session files, keys, proxy logs and the repository."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import frozen

from tracker.api import (
    CommandOrigin,
    ExchangeOrigin,
    FileOrigin,
    HttpOrigin,
    LogOrigin,
    Origin,
    Source,
    StatusLineOrigin,
)
from tracker.kernel import Session, TrackerError, plural
from tracker_desk.at_hand import readings

# files that are looked at as a proxy's log, and how much of the first line
LOGS = 50
LINE = 1 << 16
# how the name of a compressed file ends
PACKED = ".zst"
# what these commands do
ABOUT = {
    "tracker usage": "what your agents' sessions have used so far",
    "tracker sync": "store the meters in their logs",
}


@frozen(kw_only=True)
class Place:
    """Something that was looked for: its name, whether it is here, its place, or what to do without it.

    next: the commands that use it.
    """

    name: str
    is_here: bool
    text: str
    next: tuple[str, ...] = ()


def places(session: Session) -> list[Place]:
    """Everything that was looked for; what several sources read is one place."""
    programs: dict[str, Place] = {}
    folders: dict[tuple[str | None, str], list[FileOrigin | LogOrigin]] = {}
    captures: dict[str, str] = {}
    # a capture takes no files without a current reading
    readable = {one.provider for one in readings(session)}
    for source in session.registry.sources.values():
        capture = f"tracker capture {source.name} --phase before" if source.is_provider else ""
        for origin in source.origins:
            if isinstance(origin, FileOrigin | LogOrigin):
                folders.setdefault((origin.variable, origin.folder), []).append(origin)
                captures[origin.folder] = (source.name in readable and capture) or captures.get(origin.folder, "")
            elif (place := _place(origin, capture)) and (place.name not in programs or not programs[place.name].next):
                programs[place.name] = place
    files = [_files(origins, captures[folder]) for (_, folder), origins in folders.items()]
    # folders that are read for logs alone are shown only if they are here
    shown = [
        place for place, origins in zip(files, folders.values(), strict=True) if place.is_here or _has_file(origins)
    ]
    return [*programs.values(), *shown, *_proxy_logs(session), _repository()]


def _place(origin: Origin, capture: str) -> Place | None:
    if isinstance(origin, CommandOrigin | ExchangeOrigin):
        name, here = origin.argv[0], shutil.which(origin.argv[0])
        text = here or "; ".join(filter(None, ("not on the PATH", origin.cure)))
    elif isinstance(origin, HttpOrigin):
        name, here = origin.key, os.environ.get(origin.key)
        text = "set" if here else f"not set; it lets `tracker capture` read {origin.title}"
    else:
        return None
    return Place(name=name, is_here=bool(here), text=text, next=_used(capture, here))


def missing(origin: Origin) -> str | None:
    """Why an origin cannot be read on this machine, None if it may work."""
    if isinstance(origin, CommandOrigin | ExchangeOrigin):
        return None if shutil.which(origin.argv[0]) else f"{origin.argv[0]} is not on the PATH"
    if isinstance(origin, HttpOrigin):
        return None if os.environ.get(origin.key) else f"{origin.key} is not set"
    if isinstance(origin, FileOrigin | LogOrigin | StatusLineOrigin):
        folder = folder_of(origin)
        return None if os.path.isdir(Path(folder).expanduser()) else f"{folder} does not exist"
    return None


def folder_of(origin: FileOrigin | LogOrigin | StatusLineOrigin) -> str:
    """Where its files are: the folder that it declares, unless its variable names another."""
    return os.environ.get(origin.variable or "") or origin.folder


def _used(command: str, is_here: object) -> tuple[str, ...]:
    return (command,) if command and is_here else ()


def _has_file(origins: Sequence[Origin]) -> bool:
    return any(isinstance(one, FileOrigin) for one in origins)


def _files(origins: Sequence[FileOrigin | LogOrigin], capture: str) -> Place:
    """The session files of one folder: meters may be in them, and usage is."""
    first = next((one for one in origins if isinstance(one, FileOrigin)), origins[0])
    folder = Path(folder_of(first))
    top = folder.expanduser()
    patterns = {f"{one.pattern}{end}" for one in origins for end in ("", PACKED)} if os.path.isdir(top) else set()
    count = len({path for pattern in patterns for path in top.glob(pattern)})
    has_usage = any(isinstance(one, LogOrigin) for one in origins)
    used = (*_used(capture, count and _has_file(origins)), *_used("tracker usage", count and has_usage))
    used += _used("tracker sync", count and has_usage and _has_file(origins))
    text = f"{plural(count, 'file')} in {folder}" if count else f"none in {folder}"
    return Place(name=first.title, is_here=count > 0, text=text, next=used)


def _proxy_logs(session: Session) -> Iterator[Place]:
    """Logs in the working directory and its `logs` of which a telemetry source understands the first line."""
    sources = [one for one in session.registry.sources.values() if one.kind == "telemetry" and not one.origins]
    here = Path.cwd()
    found = 0
    for path in sorted([*here.glob("*.jsonl"), *here.glob("logs/*.jsonl")])[:LOGS]:
        first = _first_line(path)
        reader = next((one for one in sources if first and _understands(session, one, first)), None)
        if reader is not None:
            found += 1
            name = path.relative_to(here)
            command = shlex.join(["tracker", "ingest", reader.name, "--window", "W0-01", "--file", str(name)])
            yield Place(name="proxy log", is_here=True, text=f"{name} ({reader.title})", next=(command,))
    if sources and not found:
        yield Place(name="proxy log", is_here=False, text="none in this folder or its logs/")


def _first_line(path: Path) -> bytes:
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.readline(LINE)
    except OSError:
        return b""


def _understands(session: Session, source: Source, line: bytes) -> bool:
    read = session.registry.bind(source.name, "ingest_line")
    try:
        with session.registry.guarded(source.name, "ingest_line"):
            return bool(read(line, {}))
    except TrackerError:
        return False


def _repository() -> Place:
    program = shutil.which("git")
    if program is None:
        return Place(name="git", is_here=False, text="install git to measure churn")
    here = Path.cwd()
    inside = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), None)
    return Place(name="git", is_here=True, text=f"repository {inside}" if inside else f"{program}; no repository here")


def table(found: list[Place]) -> Iterator[str]:
    width = max(len(one.name) for one in found)
    for one in found:
        yield f"  {'yes' if one.is_here else 'no ':3}  {one.name:{width}}  {one.text}".rstrip()


def next_commands(session: Session, found: list[Place]) -> list[tuple[str, str]]:
    """What to type next, each with what it does: a capture or a paste, the sessions until now, a proxy's log."""
    known = list(dict.fromkeys(command for one in found for command in one.next))
    captures = [(one, "before your next piece of work") for one in known if " capture " in one]
    if not captures:
        provider = next(iter(session.registry.providers), "PROVIDER")
        captures = [(f"tracker start {provider}", "before your next piece of work; paste the pane with the meters")]
    others = [(one, ABOUT.get(one, "what your proxy routed")) for one in known if " capture " not in one]
    return [*captures[:1], *others[:3]]
