"""What `tracker doctor` says about the set-up: clock, providers' origins, old panes, windows left open."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from tracker.api import CommandOrigin, ExchangeOrigin, FileOrigin, Finding, HttpOrigin, LogOrigin, Origin, Source
from tracker.kernel import Session, TrackerError, line, span, zone
from tracker_desk.status import Lane, look

OLD = timedelta(days=8)
FORGOTTEN = timedelta(days=2)


def setup_findings(session: Session) -> Iterator[Finding]:
    """Problems of the set-up; none of them concerns what is recorded."""
    yield from _clock(session)
    try:
        status = look(session)
    except TrackerError:
        # a stream that cannot be read has a finding of its own
        return
    for name in sorted({lane.mark.provider for lane in status.lanes}):
        source = session.registry.sources.get(name)
        if source is not None:
            yield from _origins(source)
    for lane in status.lanes:
        yield from _lane(session, lane)


def _clock(session: Session) -> Iterator[Finding]:
    if session.config.timezone is None:
        try:
            zone(None)
        except TrackerError as error:
            cure = "tracker config set timezone Europe/Berlin"
            yield Finding(severity="warning", check="clock", place="TZ", problem=str(error), cure=cure)


def _origins(source: Source) -> Iterator[Finding]:
    """A provider of which no origin can be read here: each capture has to be pasted."""
    reasons = [reason for origin in source.origins if (reason := missing(origin))]
    if reasons and len(reasons) == len(source.origins):
        cure = next((origin.cure for origin in source.origins if origin.cure), f"tracker alias start {source.name}")
        problem = f"cannot be read automatically: {'; '.join(reasons)}"
        yield Finding(severity="note", check="origin", place=source.name, problem=problem, cure=cure)


def missing(origin: Origin) -> str | None:
    """Why an origin cannot be read on this machine, None if it may work."""
    if isinstance(origin, CommandOrigin | ExchangeOrigin):
        return None if shutil.which(origin.argv[0]) else f"{origin.argv[0]} is not on the PATH"
    if isinstance(origin, FileOrigin | LogOrigin):
        folder = os.environ.get(origin.variable or "") or origin.folder
        return None if Path(folder).expanduser().is_dir() else f"{folder} does not exist"
    if isinstance(origin, HttpOrigin):
        return None if os.environ.get(origin.key) else f"{origin.key} is not set"
    return None


def _lane(session: Session, lane: Lane) -> Iterator[Finding]:
    name = lane.mark.provider
    place = f"{name}{f', lane {line(lane.agent_id)}' if lane.agent_id else ''}"
    agent = f" --agent {lane.agent_id}" if lane.agent_id else ""
    age = session.now - lane.taken
    if lane.is_open and age > FORGOTTEN:
        problem = f"{line(lane.mark.window)} has been open for {span(age)}"
        cure = lane.due.command or f"tracker alias end {name} --stdin{agent}"
        yield Finding(severity="warning", check="open", place=place, problem=problem, cure=cure)
    elif lane.is_open and session.now - lane.as_of > OLD:
        problem = f"the BEFORE of {line(lane.mark.window)} shows values that are {span(session.now - lane.as_of)} old"
        cure = f"tracker alias start {name} --stdin{agent}"
        yield Finding(severity="warning", check="old", place=place, problem=problem, cure=cure)
    for mark in lane.also_open:
        problem = f"{line(mark.window)} was never ended"
        cure = f"tracker alias end {name} --stdin --window {mark.window}{agent}"
        yield Finding(severity="warning", check="open", place=place, problem=problem, cure=cure)
