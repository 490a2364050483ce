"""Plugins that misbehave in every way, in the real program: it goes on or ends cleanly, and says who it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from tracker.hosting.guard import guarded

Run = Callable[..., "subprocess.CompletedProcess[str]"]
HEAD = """
import os, sys, time
from tracker.api import Block, Gauge, Meter, Reading, Row, Source, hookimpl

@hookimpl
def source_info():
    return Source(contract="1.0", name="bad", title="Bad", capacity="m", meters=(Meter(key="m", title="M"),))
"""
SOUND = """
@hookimpl
def parse_status(text):
    return Reading(gauges=(Gauge(meter="m", used=1),))
"""
IMPORTS = {
    "raise RuntimeError('no')": "RuntimeError: no",
    "import nope_not_there": "ModuleNotFoundError",
    "sys.exit(3)": "called sys.exit(3)",
    "raise KeyboardInterrupt": "raised KeyboardInterrupt",
    "while True: pass": "did not finish within 0.5 s",
    "time.sleep(60)": "did not finish within 0.5 s",
    "raise ValueError('x' * 1_000_000)": "ValueError: xxx",
    "class Odd(BaseException): pass\nraise Odd": "raised Odd",
    "os._exit(0)": "called os._exit(0)",
    "from threading import Thread as T; T(target=time.sleep, args=[99]).start()": "RuntimeError: left a thread running",
}
PARSERS = {
    "raise RuntimeError('no')": "failed to parse_status: RuntimeError: no",
    "sys.exit(0)": "failed to parse_status: called sys.exit(0)",
    "raise KeyboardInterrupt": "failed to parse_status: raised KeyboardInterrupt",
    "while True: pass": "failed to parse_status: did not finish within 0.5 s",
    "try:\n        time.sleep(60)\n    except Exception: pass": "failed to parse_status: did not finish within 0.5 s",
    "while True:\n        try: time.sleep(60)\n        except BaseException: pass": "'bad' does not end",
    "return 'x'": "failed to parse_status: returned str, expected Reading or None",
    "return Reading.__new__(Reading)": "failed to parse_status: AttributeError",
    "return Reading(gauges=(Gauge(meter='m', used=float('nan')),))": "must be a finite number or None, got nan",
    "return Reading(gauges=(Gauge(meter='other', used=1),))": "reported the meter 'other', which it does not declare",
    "return Reading(fields={'a': object()}, gauges=(Gauge(meter='m', used=1),))": "gave a 'a' that is no JSON value",
    "return Reading(fields={'m_pct': 3}, gauges=(Gauge(meter='m', used=1),))": "fields repeat a meter's: m_pct",
    "parse_status(text)": "failed to parse_status: RecursionError",
    "raise MemoryError": "failed to parse_status: MemoryError",
    "try: os._exit(0)\n    except Exception: pass": "failed to parse_status: called os._exit(0)",
    "class E(Exception):\n        def __str__(self): sys.exit()\n    raise E": "E: (its message cannot be shown)",
}


def install(folder: Path, code: str) -> Path:
    folder.mkdir()
    (folder / "bad_plugin.py").write_text(code)
    info = folder / "bad_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tracker]\nbad = bad_plugin\n")
    return folder


@pytest.fixture
def with_bad(toys: Run, tmp_path: Path) -> Callable[[str], Run]:
    """The toys and one bad plugin of that code."""

    def made(code: str) -> Run:
        bad = install(tmp_path / "bad", code)

        def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
            path = f"{tmp_path / 'site'}:{bad}"
            return toys(*arguments, PYTHONPATH=path, TRACKER_PLUGIN_SECONDS="0.5", **extra)

        return run

    return made


@pytest.mark.parametrize("code", IMPORTS)
def test_an_import_that_fails_costs_only_that_plugin(with_bad: Callable[[str], Run], tmp_path: Path, code: str) -> None:
    run = with_bad(HEAD + code)
    done = run("alias", "start", "toy", "--stdin", stdin="fuel 1%")
    assert done.stdout == "stored toy before snapshot for W0-01 (awaiting end)\n"
    [warning] = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert warning.startswith("warning: plugin 'bad' failed to be imported: ")
    assert IMPORTS[code] in warning
    assert len(warning) < 800
    asked = run("alias", "start", "bad", "--stdin", stdin="x")
    assert asked.returncode == 1
    assert "error: bad is not available: plugin 'bad'" in asked.stderr


@pytest.mark.parametrize("code", PARSERS)
def test_a_parser_that_fails_stores_nothing(with_bad: Callable[[str], Run], tmp_path: Path, code: str) -> None:
    run = with_bad(f"{HEAD}\n@hookimpl\ndef parse_status(text):\n    {code}\n")
    done = run("alias", "start", "bad", "--stdin", stdin="x")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert PARSERS[code] in done.stderr.splitlines()[-1]
    assert not (tmp_path / "data").exists()


def test_what_a_plugin_prints_changes_or_leaves_behind_is_put_right(with_bad: Callable[[str], Run]) -> None:
    code = "print('noise'); os.write(1, b'noise'); sys.__stdout__.write('noise'); os.chdir('/')\n"
    code += "    import locale; locale.setlocale(locale.LC_ALL, 'C')\n"
    at_import, parser = textwrap.dedent("    " + code), SOUND.replace("    return", f"    {code}    return")
    run = with_bad(HEAD + at_import + parser)
    done = run("--json", "--data-dir", "relative", "alias", "start", "bad", "--stdin", stdin="x")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("{")
    assert done.stderr.count("noise") == 6
    assert "Windows: W0-01" in run("--data-dir", "relative", "preview").stdout


WRECK = """
import signal, warnings

def wreck():
    if os.fork() == 0:
        return
    for name in ('TRACKER_DATA_DIR', 'AGENT_ID', 'TZ'): os.environ[name] = '/forged'
    time.tzset(); os.umask(0); sys.setrecursionlimit(90); warnings.simplefilter('error')
    signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.close(); sys.stdout.close(); sys.__stdout__.close(); sys.stderr.close()
    os.close(0); os.close(1); os.close(2)
    sys.stdin = sys.stdout = sys.stderr = None

wreck()
"""


def test_what_a_plugin_wrecks_is_whole_again(with_bad: Callable[[str], Run], tmp_path: Path) -> None:
    """At import and in a hook: nothing is stored twice or elsewhere, and what is said afterwards is heard."""
    run = with_bad(HEAD + WRECK + SOUND.replace("    return", "    wreck()\n    return"))
    done = run("alias", "start", "bad", "--stdin", stdin="x")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "stored bad before snapshot for W0-01 (awaiting end)\n"
    records = tmp_path / "data" / "snapshots.jsonl"
    assert len(records.read_text().splitlines()) == 1
    assert records.stat().st_mode & 0o002 == 0
    again = run("alias", "end", "toy", "--stdin", stdin="x")
    assert (again.returncode, again.stderr.startswith("error: ")) == (1, True)


def test_the_process_is_put_back_after_a_plugin() -> None:
    def state() -> tuple[object, ...]:
        mask = os.umask(0o022)
        os.umask(mask)
        handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]
        return (
            dict(os.environ),
            mask,
            sys.getrecursionlimit(),
            list(warnings.filters),
            handlers,
            sys.stdout,
            time.tzname,
        )

    before = state()
    with guarded("bad", "be tried"):
        os.environ |= {"TZ": "Asia/Tokyo", "HOME": "/forged"}
        time.tzset()
        os.umask(before[1] ^ 0o022)  # type: ignore[operator]
        sys.setrecursionlimit(9999)
        warnings.simplefilter("always")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.stdout = None  # type: ignore[assignment]
        assert sys.stdin.read() == ""
    assert state() == before


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("raise RuntimeError('no block')", "RuntimeError: no block"),
        ("return 'text'", "returned str, expected Block or None"),
        ("return Block(title='B', rows=(Row(values={'a': {1, 2}}),))", "gave a 'a' that is no JSON value"),
        ("return Block(title='B', rows=('row',))", "TypeError"),
        ("sys.exit()", "called sys.exit(None)"),
    ],
)
def test_a_block_that_fails_is_named_and_the_others_are_shown(
    with_bad: Callable[[str], Run], code: str, cause: str
) -> None:
    run = with_bad(f"{HEAD}{SOUND}\n@hookimpl\ndef render_preview_block(context):\n    {code}\n")
    assert run("alias", "start", "bad", "--stdin", stdin="x").returncode == 0
    shown = run("preview")
    assert shown.returncode == 0, shown.stderr
    assert "Snapshots:\n  - bad: before" in shown.stdout
    [line] = [line for line in shown.stdout.splitlines() if line.startswith("not shown: ")]
    assert line.startswith("not shown: bad: ")
    assert cause in line
    strict = run("preview", TRACKER_STRICT="1")
    assert (strict.returncode, cause in strict.stderr) == (1, True)


def test_a_stream_goes_on_when_its_plugin_fails_on_a_line(with_bad: Callable[[str], Run], tmp_path: Path) -> None:
    code = HEAD.replace('capacity="m", meters=(Meter(key="m", title="M"),)', 'kind="telemetry", stream="bad_events"')
    run = with_bad(
        code + "\n@hookimpl\ndef ingest_line(line):\n    if b'boom' in line: raise ZeroDivisionError('secret-prompt')\n"
        "    return [{'rid': line.decode(), 'routed': False, 'ok': True}]\n"
    )
    done = run("ingest", "bad", "--window", "W1", "--stdin", stdin="a\nboom\nb\nboom 2\n")
    assert "(events=2, new=2, duplicates=0, rejected=2, routed=0%)" in done.stdout
    assert done.stderr.count("failed to ingest_line") == 1
    rejected = (tmp_path / "data" / "bad_events.rejected.jsonl").read_text()
    assert "the plugin failed: ZeroDivisionError" in rejected
    assert "secret-prompt" not in rejected


LINES = {
    "sys.exit(3)": "called sys.exit(3)",
    "os._exit(3)": "called os._exit(3)",
    "time.sleep(60)": "did not finish within 0.5 s",
    "return (event for event in [])": "TypeError: returned generator, expected a list of events",
    "return ['text']": "TypeError: an event is a str, expected a dict",
    "return [{'lane': [], 'routed': False, 'ok': True}]": "TypeError: an event's lane or model is neither a",
    "return [{'record_id': 'x'}]": "TypeError: an event has a field of the core's: {'record_id'}",
    "return [{'rid': {1}}]": "TypeError: Type is not JSON serializable: set",
}


@pytest.mark.parametrize("code", LINES)
def test_a_line_costs_no_more_than_itself(with_bad: Callable[[str], Run], tmp_path: Path, code: str) -> None:
    source = HEAD.replace('capacity="m", meters=(Meter(key="m", title="M"),)', 'kind="telemetry", stream="bad_events"')
    run = with_bad(
        f"{source}\n@hookimpl\ndef ingest_line(line):\n    if line == b'boom':\n        {code}\n"
        "    return [{'rid': line.decode(), 'routed': False, 'ok': True}]\n"
    )
    done = run("ingest", "bad", "--window", "W1", "--stdin", stdin="a\nboom\nb\n")
    assert "(events=2, new=2, duplicates=0, rejected=1, routed=0%)" in done.stdout, done.stderr
    assert f"plugin 'bad' failed to ingest_line: {LINES[code]}" in done.stderr
    assert "; the line goes to bad_events.rejected.jsonl" in done.stderr


def test_a_stream_whose_plugin_interrupts_it_stores_nothing_wrong(with_bad: Callable[[str], Run]) -> None:
    source = HEAD.replace('capacity="m", meters=(Meter(key="m", title="M"),)', 'kind="telemetry", stream="bad_events"')
    run = with_bad(f"{source}\n@hookimpl\ndef ingest_line(line):\n    raise KeyboardInterrupt\n")
    done = run("ingest", "bad", "--window", "W1", "--stdin", stdin="a\n")
    assert (done.returncode, done.stderr) == (
        1,
        "error: plugin 'bad' failed to ingest_line: raised KeyboardInterrupt\n",
    )


def test_a_plugin_cannot_change_what_it_was_given(with_bad: Callable[[str], Run]) -> None:
    run = with_bad(
        f"{HEAD}{SOUND}\n@hookimpl\ndef render_preview_block(context):\n    for record in context.records:\n"
        "        record['provider'] = record['phase'] = 'forged'; record['parsed'].clear()\n"
        "    return Block(title='B', rows=(Row(values={'n': len(context.records)}),))\n"
    )
    for verb in ("start", "end"):
        assert run("alias", verb, "bad", "--stdin", stdin="x").returncode == 0
    shown = run("preview").stdout
    assert "B:\n  - n=2\nSnapshots:\n  - bad: after, before" in shown
    assert "capacity=0 pp" in shown
    assert "forged" not in shown
