"""Read session files, with several processes if there is much to read."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from itertools import chain

from tracker.kernel import Registry
from tracker_telemetry.sessions import scan
from tracker_telemetry.sessions.scan import FileRows, Job, Rules, read

PARALLEL = 8 << 20  # bytes to read from which on a second process is worth its start
MOST_OF_A_RUN = 8  # files that one process reads in a row


def run(registry: Registry, jobs: list[Job], *, is_hashed: bool) -> Iterator[FileRows]:
    """What the files gave, in the order of the jobs."""
    names = {job.source for job in jobs}
    ingests = {name: registry.bind(name, "ingest_line") for name in names}
    ends = {name: registry.bind(name, "end_stream") for name in names if registry.has(name, "end_stream")}
    scan.rules[:] = [Rules(ingests, ends, is_hashed)]
    scan.hangs.clear()
    workers = scan.workers()
    runs = scan.runs(jobs, max(1, min(MOST_OF_A_RUN, len(jobs) // (4 * workers))))
    if sum(map(scan.size_of, jobs)) < PARALLEL or workers < 2:
        yield from chain.from_iterable(map(read, runs))
        return
    from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
    from multiprocessing import get_context

    count = 0
    # lines form no cycles, and the collector would look for them all the time
    gc.disable()
    try:
        fork = get_context("fork")
        with ProcessPoolExecutor(workers, fork, initializer=_end_with, initargs=(os.getpid(),)) as pool:
            for done in pool.map(read, runs):
                yield from done
                count += 1
    except (BrokenProcessPool, OSError):
        # short of memory or of processes: what is left is read here
        yield from chain.from_iterable(map(read, runs[count:]))
    finally:
        gc.enable()


def _end_with(parent: int) -> None:
    """Let this worker process end with its parent, however that ends: a pipe from it is closed then."""
    import fcntl
    import signal
    import sys
    from multiprocessing import parent_process

    own = parent_process()
    assert own is not None
    # the kernel ends the process: Python runs no handler if the signal comes just before a blocking call
    signal.signal(signal.SIGIO, signal.SIG_DFL if sys.platform == "linux" else lambda *_: os._exit(1))
    fcntl.fcntl(own.sentinel, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(own.sentinel, fcntl.F_SETFL, fcntl.fcntl(own.sentinel, fcntl.F_GETFL) | os.O_ASYNC)
    if os.getppid() != parent:
        os._exit(1)
