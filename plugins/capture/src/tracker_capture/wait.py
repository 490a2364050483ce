"""Waiting for an instant: a countdown on a terminal, one line elsewhere."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta
from shutil import get_terminal_size

from tracker.kernel import Session, iso, line

STEP_SECONDS = 1.0
CLEAR = "\r\x1b[K"


def wait_until(session: Session, instant: datetime, why: str) -> None:
    """Return at an instant. The clock is looked at every second, because a machine may sleep meanwhile."""
    is_counting = sys.stderr.isatty() and not session.quiet
    if not is_counting:
        session.note(f"waiting {_clock(instant - session.now)} until {iso(instant)}: {why}")
    while (left := instant - session.now) > timedelta(0):
        if is_counting:
            # a longer line would be wrapped, and redrawn below itself at each step
            text = f"waiting {_clock(left)}: {line(why)}"[: get_terminal_size().columns - 1]
            print(f"{CLEAR}{text}", end="", file=sys.stderr, flush=True)
        time.sleep(min(STEP_SECONDS, left.total_seconds()))
    if is_counting:
        print(CLEAR, end="", file=sys.stderr, flush=True)


def _clock(left: timedelta) -> str:
    """`4:31`, with the second that has begun counted."""
    minutes, seconds = divmod(max(0, -int(-left.total_seconds() // 1)), 60)
    return f"{minutes}:{seconds:02d}"
