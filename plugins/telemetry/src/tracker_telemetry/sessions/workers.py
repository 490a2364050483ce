"""Processes that read session files side by side."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from multiprocessing import parent_process


def end_with(parent: int) -> None:
    """Let this worker process end when the one that began it does, however that ends: a pipe of its is closed then."""
    own = parent_process()
    assert own is not None
    # the kernel ends the process: a handler of Python's is not run if the signal comes just before a call that waits
    signal.signal(signal.SIGIO, signal.SIG_DFL if sys.platform == "linux" else lambda *_: os._exit(1))
    fcntl.fcntl(own.sentinel, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(own.sentinel, fcntl.F_SETFL, fcntl.fcntl(own.sentinel, fcntl.F_GETFL) | os.O_ASYNC)
    if os.getppid() != parent:
        os._exit(1)
