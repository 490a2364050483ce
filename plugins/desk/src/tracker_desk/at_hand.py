"""Readings in files on this machine that are not stored yet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from tracker.api import Period
from tracker.kernel import Clock, Session, line
from tracker_desk.current_meters import SKEW
from tracker_desk.status import AtHand, Status

# A value that was stored may have the second of its line, or the instant of its file's last change.
NEWER = timedelta(minutes=1)


def rows_of(session: Session, period: Period) -> Iterator[Any]:
    """The rows of the one panel that the period names, if a feature of ours has it."""
    [name] = period.names
    for panels in session.registry.ask("panels", session=session, period=period):
        for panel in panels:
            # other features may answer with panels nobody asked for, and own no name
            if (panel.name, panel.distribution) == (name, ""):
                yield from panel.rows


def readings(session: Session) -> list[AtHand]:
    """Each origin's newest reading, if a feature can look into files."""
    rows = rows_of(session, Period(names=("at-hand",)))
    return [AtHand(provider=row["provider"], at=row["at"], place=row["place"]) for row in rows]


def unstored(session: Session, status: Status) -> tuple[AtHand, ...]:
    """The newest reading of each provider, unless something stored is as new."""
    known: dict[str, datetime] = {}
    for name, at in (
        *((one.provider, one.at) for one in status.meters),
        *((one.mark.provider, one.as_of) for one in status.lanes),
    ):
        known[name] = max(at, known.get(name, at))
    newest: dict[str, AtHand] = {}
    for one in sorted(readings(session), key=lambda one: one.at):
        if one.at <= status.now + SKEW and (one.provider not in known or one.at > known[one.provider] + NEWER):
            newest[one.provider] = one
    return tuple(newest.values())


def lines(clock: Clock, status: Status) -> Iterator[str]:
    """Each with the command that stores it: in the open window or as the first capture, else only in the history."""
    for one in status.at_hand:
        lanes = [lane for lane in status.lanes if lane.mark.provider == one.provider]
        is_plain = not lanes or (len(lanes) == 1 and lanes[0].is_open and not lanes[0].agent_id)
        command = f"tracker capture {one.provider}{'' if is_plain else ' --sample'}"
        yield f"Not stored yet: {line(one.provider)} reading from {clock.at(one.at)} in {line(one.place)}: {command}"
