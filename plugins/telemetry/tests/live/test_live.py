"""A stream that is still being written: stored as it arrives, ended by whoever ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., Any]


def test_an_event_is_stored_within_a_second_while_the_writer_stays(
    ingest: Start, data: Any, line: Start, wait_for: Start
) -> None:
    run = ingest("--stdin")
    run.write(line("first"))
    wait_for(lambda: data.rids() == ["first"])
    delays = []
    for at in range(5):  # the quickest of some: this machine may be busy
        run.write(line(f"r{at}"))
        began = time.monotonic()
        wait_for(lambda at=at: len(data.rids()) == at + 2)
        delays.append(time.monotonic() - began)
    assert run.process.poll() is None
    assert min(delays) < 1, delays
    status, out, err = run.end()
    assert (status, err) == (0, "")
    assert out == ("stored proxy telemetry for W0-CHN (events=6, new=6, duplicates=0, rejected=0, routed=100%)\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_stream_with_its_summary(
    ingest: Start, data: Any, line: Start, wait_for: Start, number: int
) -> None:
    run = ingest("--stdin")
    run.write(line("a"))
    wait_for(data.rids)
    run.write(line("b") + b'{"rid": "not yet wh')
    status, out, err = run.signal(number)
    assert status == 0, err
    assert "(events=2, new=2, duplicates=0, rejected=0, " in out
    assert "note: left out the incomplete last line (19 bytes)" in err
    assert data.rids() == ["a", "b"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("is_piped", [False, True], ids=["--file", "stdin"])
def test_a_signal_cuts_a_file_short_which_is_no_success(
    ingest: Start, data: Any, line: Start, wait_for: Start, tmp_path: Path, number: int, status: int, is_piped: bool
) -> None:
    path = tmp_path / "usage.jsonl"
    path.write_bytes(line("a"))
    os.truncate(path, 1 << 38)  # a hole, which takes minutes to read
    if is_piped:
        with path.open("rb") as file:
            run = ingest("--stdin", "--json", stdin=file)
    else:
        run = ingest("--file", "usage.jsonl")
    wait_for(data.rids)
    found, out, err = run.signal(number)
    assert found == status
    if is_piped:
        assert json.loads(out)["interrupted"] is True
    else:
        assert "(events=1, new=1, duplicates=0, rejected=0, " in out
    assert err == (
        f"error: interrupted: 0% of {'the file' if is_piped else 'usage.jsonl'} was read."
        " Run the command again for the rest. It stores each line once.\n"
    )


def test_a_signal_before_anything_came(ingest: Start, wait_for: Start, data: Any, line: Start) -> None:
    run = ingest("--stdin", "--json")
    run.write(line("a"))
    wait_for(data.rids)
    status, out, _ = run.signal(signal.SIGTERM)
    assert (status, '"events": 1' in out, '"rejected": 0' in out) == (0, True, True)
    assert '"interrupted": false' in out


def test_a_writer_that_dies_within_a_line(ingest: Start, data: Any, line: Start) -> None:
    code = f"import sys, os, signal; sys.stdout.buffer.write({line('a') + line('b')[:40]!r}); sys.stdout.flush()"
    writer = subprocess.Popen(
        [sys.executable, "-c", f"{code}; os.kill(os.getpid(), signal.SIGKILL)"], stdout=subprocess.PIPE
    )
    run = ingest("--stdin", stdin=writer.stdout)
    status, out, err = run.end()
    writer.wait()
    assert writer.stdout is not None
    writer.stdout.close()
    assert (status, "(events=1, new=1, duplicates=0, rejected=1, " in out) == (0, True), err
    [rejected] = data.rows("proxy_telemetry.rejected")
    assert (rejected["line_number"], rejected["rejected"]) == (2, "not JSON")


def test_a_reader_of_the_summary_that_went_away_costs_no_event(ingest: Start, data: Any, line: Start) -> None:
    reading, writing = os.pipe()
    run = ingest("--stdin", stdout=writing)
    os.close(writing)
    os.close(reading)
    run.write(line("a"))
    _, _, err = run.end()
    assert "Traceback" not in err
    assert data.rids() == ["a"]


def test_what_arrives_in_pieces_is_put_together(ingest: Start, data: Any, line: Start) -> None:
    run = ingest("--stdin")
    text = line("ä") + line("b").replace(b"\n", b"\r\n") + line("c").rstrip()
    for at in range(0, len(text), 50):
        run.write(text[at : at + 50])
    status, out, _ = run.end()
    assert (status, "(events=3, new=3, " in out) == (0, True)
    assert data.rids() == ["ä", "b", "c"]


def test_two_at_once_in_one_window_store_each_line_once(ingest: Start, data: Any, line: Start) -> None:
    text = b"".join(line(f"r{at}") for at in range(3000))
    runs = [ingest("--stdin") for _ in range(3)]
    for start in range(0, len(text), 40_000):
        for run in runs:
            run.write(text[start : start + 40_000])
    summaries = [run.end() for run in runs]
    assert [status for status, _, _ in summaries] == [0, 0, 0], summaries
    new = [int(out.partition("new=")[2].partition(",")[0]) for _, out, _ in summaries]
    assert sum(new) == 3000
    assert sorted(data.rids()) == sorted(f"r{at}" for at in range(3000))
    assert len({row["record_id"] for row in data.rows()}) == 3000
