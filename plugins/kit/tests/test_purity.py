"""What a plugin touches is noticed; what other threads do meanwhile is not laid at its door."""

from __future__ import annotations

import contextlib
import threading
import time

from tracker_kit.purity import no_input_or_output


def test_another_thread_may_sleep_and_open_files() -> None:
    went = threading.Event()

    def work() -> None:
        time.sleep(0.001)
        with open(__file__):
            went.set()

    ready, begun = threading.Event(), threading.Thread(target=lambda: ready.wait(10) and work())
    begun.start()
    with no_input_or_output() as seen:
        ready.set()
        assert went.wait(10)
    begun.join()
    assert seen == []


def test_the_own_thread_is_watched_and_may_start_no_other() -> None:
    with no_input_or_output() as seen:
        with contextlib.suppress(RuntimeError):
            time.sleep(0)
        with open(__file__):
            pass
        thread = threading.Thread(target=lambda: None)
        thread.start()
    thread.join()
    assert [one.partition("(")[0] for one in seen][:3] == ["time.sleep", "open", "threading.Thread.start"]
