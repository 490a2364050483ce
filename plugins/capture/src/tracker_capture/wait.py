"""Waiting for an instant: a countdown on a terminal, one line elsewhere."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta

from tracker.kernel import Session, iso, line

STEP_SECONDS = 1.0


def wait_until(session: Session, instant: datetime, why: str) -> None:
    """Return at an instant. The clock is looked at every second, because a machine may sleep meanwhile."""
    is_counting = sys.stderr.isatty() and not session.quiet
    if not is_counting:
        session.note(f"waiting {_clock(instant - session.now)} until {iso(instant)}: {why}")
    shown = ""
    while (left := instant - session.now) > timedelta(0):
        if is_counting:
            shown = f"\rwaiting {_clock(left)}: {line(why)}"
            sys.stderr.write(shown)
            sys.stderr.flush()
        time.sleep(min(STEP_SECONDS, left.total_seconds()))
    if shown:
        sys.stderr.write("\r" + " " * len(shown) + "\r")
        sys.stderr.flush()


def _clock(left: timedelta) -> str:
    """`4:31`, with the second that has begun counted."""
    minutes, seconds = divmod(max(0, -int(-left.total_seconds() // 1)), 60)
    return f"{minutes}:{seconds:02d}"
