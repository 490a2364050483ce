"""Standard streams where a shell has closed them (`<&-`): the next file that is opened must not become one of them."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

from tracker.errors import TrackerError


class ClosedInput:
    """Standard input that is closed: whoever asks it for anything gets one error to show."""

    def __getattr__(self, name: str) -> NoReturn:
        raise TrackerError("Standard input is closed. Open it, or name a file.")


def make_sure() -> None:
    """Give each closed descriptor an end that takes everything and gives nothing; Python has None for its stream."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free descriptor: this one
    closed: Any = ClosedInput()
    sys.stdin = sys.stdin or closed
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def give_up_output() -> None:
    """Let what is still to be printed vanish: no second complaint at the end of the program."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
