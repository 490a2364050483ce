"""What to type for a new reading of a meter."""

from __future__ import annotations

import os
import shlex
import shutil
from datetime import datetime

from tracker.api import CommandOrigin, ExchangeOrigin, HttpOrigin, Origin, Period, Source
from tracker.kernel import Session, Windows, canonical, line
from tracker_verdict.accounts import accounts
from tracker_verdict.current_meters import FRESH, SKEW, USUAL, readings_since


def new_reading(session: Session, source: Source, account: str | None, *, several: bool) -> str:
    """What to type for a new reading. It replaces no BEFORE: a sample touches no window, and an open one is ended.

    With several accounts, only a window of the meter's own account is ended; else a new window is begun.
    """
    name, on = source.name, f" on account {account}" if several and account else ""
    newest = {lane: mark for lane, mark in session.index.lanes(source.stream) if mark.provider == name}
    if several:
        windows = [mark.window for mark in newest.values()]
        named, groups = accounts(session, windows), Windows(session).captures(windows)
        # the account of a window is that of its pair: a capture that does not count may be of another one
        own = {window for window, provider in groups if provider == name and named.get((window, name)) == account}
        counting = {one.record_id for window in own for one in canonical(groups[window, name]) if one}
        newest = {lane: mark for lane, mark in newest.items() if mark.record_id in counting}
    opened = {lane: mark for lane, mark in newest.items() if mark.phase == "before"}
    chosen = opened or newest if several else opened
    lane = session.lane if session.lane in chosen else next(iter(chosen), session.lane)
    agent = "" if lane == session.lane else f" --agent {shlex.quote(lane or '')}"
    if opened and opened[lane].at > (session.now + SKEW).timestamp():
        place = f"--phase before --window {shlex.quote(opened[lane].window)}"
        return f"`tracker alias delete {name} {place}{agent}` first: that BEFORE lies in the future"
    # a sample may name no account, as those of Codex's session files do; with several accounts it then fits none
    can_sample = not several and _can_sample(session, source)
    if can_sample and session.registry.first("meter_sampler", session=session, every=FRESH):
        return f"`tracker capture --sample {name}`"
    if opened and _is_reset(session, source, opened[lane].window):
        window = opened[lane].window
        return f"`tracker start {name}{agent} --window {shlex.quote(window)}`{on}, which restarts {line(window)}"
    if opened:
        return f"`tracker end {name}{agent}`{on}, which ends {line(opened[lane].window)}"
    last = newest[lane].window if lane in newest else None
    place = f" --window {shlex.quote(_free_window(session, name, account, last))}" if several else ""
    return f"`tracker start {name}{agent}{place}`{on}"


def _is_reset(session: Session, source: Source, window: str) -> bool:
    """Whether the capacity meter was reset since an open window's BEFORE: no AFTER can measure the window then."""
    before = canonical(Windows(session).captures([window]).get((window, source.name), ())).before
    gauge = before.reading.gauge(source.capacity) if before and source.capacity else None
    return gauge is not None and gauge.reset_at is not None and gauge.reset_at <= session.now


def _free_window(session: Session, name: str, account: str | None, last: str | None) -> str:
    """The next window after the account's own that is not finalized and holds no capture of the provider.

    The ids of another account may be a colleague's, and go on elsewhere. last: the newest window of the lane.
    """
    recent = session.index.newest_windows(USUAL) if last is None else ()
    named = accounts(session, recent)
    own = [window for window in recent if named.get((window, name)) == account]
    found = next(filter(None, (last, *reversed(own), *session.index.newest_windows(1))), "W0-01")
    while any(session.index.entries("windows", [found])) or (found, name) in Windows(session).captures([found]):
        found = Windows(session).following(found)
    return found


def _can_sample(session: Session, source: Source) -> bool:
    """Whether an origin can be asked for a current reading, or an equally good one is at hand and not stored yet."""
    if any(_is_here(one) for one in source.origins):
        return True
    period = Period(provider=source.name, names=("at-hand",))
    panels = [one for found in session.registry.ask("panels", session=session, period=period) for one in found]
    # a sample takes the first origin that answers, whichever is the newest
    at = next((row["at"] for one in panels if one.name in period.names for row in one.rows), None)
    if not isinstance(at, datetime) or at < session.now - FRESH:
        return False
    return all(one.until < at for one in readings_since(session, source, session.now - FRESH, hourly=False))


def _is_here(origin: Origin) -> bool:
    if isinstance(origin, CommandOrigin | ExchangeOrigin):
        return shutil.which(origin.argv[0]) is not None
    if isinstance(origin, HttpOrigin):
        return bool(os.environ.get(origin.key))
    # files and a status line have a new reading only when the other program is used
    return False
