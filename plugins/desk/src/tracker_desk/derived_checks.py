"""Checks of files derived from the journal, for `tracker doctor`: lane states and the index."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import orjson

from tracker.api import Finding
from tracker.kernel import Journal, Session, TrackerError, Windows
from tracker_desk.findings import REPAIR, finding
from tracker_desk.status import lane_option


def index_findings(session: Session) -> Iterator[Finding]:
    """Damage of the stored index, and streams that were edited after it had read them."""
    index, path = session.index, session.index.path
    if path is None:
        return
    try:
        differs = index.faults()
    except (TrackerError, OSError) as error:
        differs = [str(error)]
    index.close()
    if differs:
        problem = f"does not match the journal ({', '.join(differs)})"
        yield finding("warning", "index", path, problem, REPAIR, index.discard)


def state_findings(session: Session, missing: Set[str]) -> Iterator[Finding]:
    """Lane states that differ from the journal, and files that belong to no lane.

    missing: the recorded sources that no plugin reads.
    """
    known: set[Path] = set()
    for file in Windows(session).lane_files():
        wrong = _problem(file)
        if wrong is not None and old_baseline(file.path) is not None:
            # it holds what no record has
            continue
        known.add(file.path)
        if wrong is not None:
            yield finding("warning", "state", file.path, wrong, REPAIR, partial(_mend, file))
    folder = session.root / "state"
    for path in sorted(folder.rglob("*.json")):
        # a feature's own files are below a name with a dot, which no lane has
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if is_hidden or path.stem in missing or path in known:
            continue
        found = _content(path)
        window = _baseline(found)
        if window is not None:
            problem = f"holds the open baseline of {window} in schema 1.0.0, which no command reads"
            cure = f"tracker override {path.stem} --window {quote(window)} --phase before"
            source = session.registry.sources.get(path.stem)
            if source and source.capacity_meter:
                cure += f" --{source.capacity_meter.field_name.replace('_', '-')} {found['baseline']}"
            cure += lane_option(session, path.parent.name if path.parent != folder else None)
            yield finding("note", "state", path, problem, cure)
        elif "open" not in found or found.get("window") is not None:
            problem, cure = "belongs to no lane or provider in the journal", f"rm {quote(str(path))}"
            yield finding("warning", "state", path, problem, cure)


def _problem(file: Any) -> str | None:
    """What is wrong with a state file; None if it agrees with the journal."""
    wanted = file.content()
    try:
        found = orjson.loads(file.path.read_bytes()) if file.path.is_file() else None
    except (OSError, ValueError):
        return "cannot be read"
    if found is None and not file.path.exists():
        return "is missing" if wanted["window"] is not None else None
    # one of schema 1.0.0 names only the window
    keys = wanted if isinstance(found, dict) and "open" in found else ("window",)
    is_right = isinstance(found, dict) and all(found.get(key) == wanted[key] for key in keys)
    return None if is_right else "does not match the journal"


def old_baseline(path: Path) -> str | None:
    """The window whose open baseline a state file of schema 1.0.0 holds, None if it holds none."""
    return _baseline(_content(path))


def _baseline(found: Mapping[str, Any]) -> str | None:
    window = found.get("window")
    return window if isinstance(window, str) and "baseline" in found and "open" not in found else None


def _content(path: Path) -> dict[str, Any]:
    """What a state file holds; nothing if it cannot be read."""
    with suppress(OSError):
        # a pipe would be waited for
        return Journal.decode(path.read_bytes() if path.is_file() else b"") or {}
    return {}


def _mend(file: Any) -> None:
    if file.path.exists():
        file.path.rename(file.path.with_name(f"{file.path.name}.aside-{secrets.token_hex(4)}"))
    file.write()
