"""What a plugin touches is noticed; what other threads do meanwhile is not laid at its door."""

from __future__ import annotations

import contextlib
import threading
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from tracker_kit.purity import clock_calls, no_input_or_output


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
        with contextlib.suppress(RuntimeError):
            time.strftime("%Y")
        with open(__file__):
            pass
        thread = threading.Thread(target=lambda: None)
        thread.start()
    thread.join()
    assert [one.partition("(")[0] for one in seen][:4] == ["time.sleep", "time.strftime", "open", "Thread.start"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("from datetime import UTC, datetime\n\ndef f():\n    return datetime.now(UTC)", ["uses now"]),
        (
            "import datetime as d\n\ndef f():\n    return d.datetime.utcnow(), d.date.today()",
            ["uses today", "uses utcnow"],
        ),
        ("def f():\n    from datetime import datetime as d\n    return lambda: d.now()", ["uses now"]),
        ("from datetime import date as d\nNOW = d.today", ["uses today"]),
        ("import time\n\ndef f():\n    return time.monotonic()", ["uses monotonic"]),
        ("from datetime import datetime\n\ndef f(session):\n    return session.now, datetime.min", []),
        ("def f(text, now):\n    return now.today(text)", []),
    ],
)
def test_a_clock_is_found_in_code_and_a_session_is_none(tmp_path: Path, code: str, words: list[str]) -> None:
    """A distribution may hold a feature, too, which has the time from its session."""
    path = tmp_path / "acme.py"
    path.write_text(code)
    spec = spec_from_file_location("acme", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert [found.removeprefix("acme ") for found in clock_calls([module])] == words
