"""A terminal that is gone: its window was closed, its connection broke."""

from __future__ import annotations

import select
from collections.abc import Callable
from threading import Thread

# 128 + SIGHUP
STATUS = 129


def on_hangup(terminal: int, then: Callable[[], object]) -> None:
    """Call `then` from a thread once nobody holds the terminal's other side: the signal may be ignored or not come."""

    def wait() -> None:
        found = select.poll()
        # a hangup needs not be asked for
        found.register(terminal, 0)
        found.poll()
        then()

    Thread(target=wait, name="hangup", daemon=True).start()
