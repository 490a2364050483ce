"""Plugins that misbehave in every way, in the real program: it goes on or ends cleanly, and says who it was."""

from __future__ import annotations

import builtins
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tracker.errors import PluginError
from tracker.hosting.guard import guarded
from tracker.hosting.imports import restored

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
    "sys.exit(3)": "raised SystemExit(3)",
    "os._exit(3)": "raised SystemExit(3)",
    "raise KeyboardInterrupt": "raised KeyboardInterrupt()",
    "while True: pass": "did not finish within 0.2 s",
    "raise ValueError('x' * 1_000_000)": "ValueError: xxx",
    "class Odd(BaseException): pass\nraise Odd": "raised Odd()",
}
PARSERS = {
    "raise RuntimeError('no')": "failed to parse_status: RuntimeError: no",
    "sys.exit(0)": "failed to parse_status: raised SystemExit(0)",
    "raise KeyboardInterrupt": "failed to parse_status: raised KeyboardInterrupt()",
    "while True: pass": "failed to parse_status: did not finish within 0.2 s",
    "try:\n        while True: pass\n    except Exception: pass": "failed to parse_status: did not finish within 0.2 s",
    "while True:\n        try:\n            while True: pass\n        except BaseException: pass": "lugin 'bad' ",
    "return 'x'": "failed to parse_status: TypeError: returned str 'x'. Expected Reading | None.",
    "return Reading.__new__(Reading)": "failed to parse_status: AttributeError",
    "return Reading(gauges=(Gauge(meter='m', used=float('nan')),))": "Invalid used nan. Expected a finite number",
    "return Reading(gauges=(Gauge(meter='other', used=1),))": "Invalid meter 'other'. Expected one that is",
    "return Reading(gauges=(Gauge(meter='m', used=-5),))": "Invalid used -5. Expected a finite number from 0",
    "return Reading(gauges=(Gauge(meter='m', used=1e300),))": "used 1e+300. Expected a finite number from 0 up,",
    "return Reading(gauges=(Gauge(meter='m', used=1, limit=1e15),))": "limit 1000000000000000.0. Expected a finite",
    "return Reading(fields={'a': 'x' * (4 << 20)})": "ValueError: A reading of 5 MB. Expected at most 4 MB.",
    "return Reading(fields={'a': object()}, gauges=(Gauge(meter='m', used=1),))": "Expected a mapping from texts",
    "return Reading(fields={'a': 2**64}, gauges=(Gauge(meter='m', used=1),))": "Expected a mapping from texts",
    "return Reading(fields={'m_pct': 3}, gauges=(Gauge(meter='m', used=1),))": "Invalid fields m_pct. Expected names",
    "parse_status(text)": "failed to parse_status: RecursionError",
    "raise MemoryError": "failed to parse_status: MemoryError",
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
def with_bad(toys_apart: Run, tmp_path: Path) -> Callable[[str], Run]:
    """The toys and one bad plugin of that code."""

    def made(code: str) -> Run:
        bad = install(tmp_path / "bad", code)

        def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
            path = f"{tmp_path / 'site'}:{bad}"
            return toys_apart(*arguments, PYTHONPATH=path, TRACKER_PLUGIN_SECONDS="0.2", **extra)

        return run

    return made


@pytest.mark.parametrize("code", IMPORTS)
def test_an_import_that_fails_costs_only_that_plugin(with_bad: Callable[[str], Run], tmp_path: Path, code: str) -> None:
    run = with_bad(HEAD + code)
    done = run("preview")
    assert done.stdout.startswith("Windows: none\n")
    [warning] = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert warning.startswith("warning: plugin 'bad' failed to be imported: ")
    assert IMPORTS[code] in warning
    assert len(warning) < 800
    asked = run("alias", "start", "bad", "--stdin", stdin="x")
    assert asked.returncode == 1
    assert "error: bad is not available: plugin 'bad'" in asked.stderr


def test_a_command_imports_only_the_plugins_that_it_needs(with_bad: Callable[[str], Run]) -> None:
    run = with_bad("print('imported')\nraise RuntimeError('no')\n")
    for verb in ("start", "end"):
        done = run("alias", verb, "toy", "--stdin", "--window", "W0-01", "--force", stdin=f"fuel {len(verb)}%")
        assert (done.returncode, "imported" in done.stderr, "bad" in done.stderr) == (0, False, False), done.stderr
    assert "plugin 'bad' failed to be imported" in run("preview").stderr


@pytest.mark.parametrize("code", PARSERS)
def test_a_parser_that_fails_stores_nothing(with_bad: Callable[[str], Run], tmp_path: Path, code: str) -> None:
    run = with_bad(f"{HEAD}\n@hookimpl\ndef parse_status(text):\n    {code}\n")
    done = run("alias", "start", "bad", "--stdin", stdin="x")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert PARSERS[code] in done.stderr.splitlines()[-1]
    assert not (tmp_path / "data").exists()


def test_what_a_plugin_prints_is_no_data(with_bad: Callable[[str], Run]) -> None:
    code = "print('noise'); os.write(1, b'noise'); sys.__stdout__.write('noise'); sys.stdout.close()\n"
    run = with_bad(HEAD + code + SOUND.replace("    return", f"    {code}    return"))
    done = run("--json", "alias", "start", "bad", "--stdin", stdin="x")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("{")
    assert done.stderr.count("noise") == 6


def test_the_trace_says_where_a_plugin_failed(with_bad: Callable[[str], Run]) -> None:
    code = "@hookimpl\ndef parse_status(text):\n    return {}['weekly']\n"
    done = with_bad(HEAD + code)("alias", "start", "bad", "--stdin", stdin="x", TRACKER_TRACE="1")
    assert (done.returncode, done.stdout) == (1, "")
    assert ", in parse_status\n" in done.stderr
    assert "failed to parse_status: KeyError: 'weekly'" in done.stderr.splitlines()[-1]


CHANGES = {
    "signal.signal(signal.SIGCHLD, signal.SIG_IGN)": "the handler of SIGCHLD",
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)": "the handler of SIGTERM",
    "signal.signal(signal.SIGUSR1, signal.SIG_IGN)": "the handler of SIGUSR1",
    "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])": "the signal mask",
    "sys.path.insert(0, '/nowhere')": "sys.path",
    "sys.meta_path.insert(0, object)": "sys.meta_path",
    "os.fsync = lambda file: None": "os.fsync",
    "builtins.open = None": "builtins.open",
    "time.time = lambda: 0.0": "time.time",
    "os.umask(0)": "the umask",
    "os.chdir('/')": "the working directory",
    "sys.setrecursionlimit(90)": "the recursion limit",
    "os.environ['TRACKER_DATA_DIR'] = '/forged'": "environment variables",
    "del os.environ['TRACKER_DATA_DIR']": "environment variables",
}


def test_a_folder_that_goes_while_a_plugin_runs_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    with guarded("toy", "run"):
        gone.rmdir()
    with pytest.raises(PluginError, match="no such line"), guarded("toy", "run"):
        raise FileNotFoundError("no such line")


def test_a_plugin_that_stays_in_a_folder_that_it_removes_is_brought_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one whose temporary folder ends with an error: nothing that follows could name its place."""
    monkeypatch.chdir(tmp_path)
    with guarded("toy", "run"):
        own = tmp_path / "own"
        own.mkdir()
        os.chdir(own)
        own.rmdir()
    assert Path.cwd() == tmp_path


def test_what_an_import_changes_for_the_process_is_named_and_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_DATA_DIR", "here")
    scope = {"signal": signal, "sys": sys, "os": os, "time": time, "builtins": builtins}
    for code, name in CHANGES.items():
        with restored((none := []).append), guarded("toy", "be imported"), restored((changed := []).append):
            exec(code, scope)
        assert (code, changed, none) == (code, [name], [])


def test_a_process_that_is_left_alone_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    try:
        with restored((changed := []).append):
            sys.path.append("/nowhere")
        assert changed == []
    finally:
        sys.path.remove("/nowhere")


def test_what_an_import_changes_is_said_in_every_command_and_in_the_list(with_bad: Callable[[str], Run]) -> None:
    run = with_bad(f"import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n{HEAD}{SOUND}")
    note = "its import changed the handler of SIGCHLD, which was put back"
    done = run("alias", "start", "bad", "--stdin", stdin="x")
    assert (done.returncode, done.stderr.count(f"warning: plugin 'bad' of bad-plugin: {note}")) == (0, 1)
    assert note in " ".join(run("plugins", "list").stdout.split())


def test_a_slow_import_is_said_in_the_list(with_bad: Callable[[str], Run]) -> None:
    run = with_bad(f"{HEAD}{SOUND}\ntime.sleep(0.6)\n")
    assert "its import takes 0." in " ".join(run("plugins", "list").stdout.split())


def test_the_time_of_a_plugin_is_the_processs_own() -> None:
    """A command that was suspended, or that waits, blames nobody."""
    with guarded("good", "wait", seconds=0.05):
        time.sleep(0.2)

    def hang() -> None:
        with guarded("bad", "compute", seconds=0.05):
            while True:
                pass

    with pytest.raises(PluginError, match=r"plugin 'bad' failed to compute: did not finish within 0\.05 s"):
        hang()


def test_guards_in_threads_leave_standard_output_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    """The first one ends first: the second must not put back what the first had put there."""
    begun, ended = threading.Event(), threading.Event()

    def first() -> None:
        with guarded("one", "read"):
            begun.set()
            ended.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    begun.wait(10)
    with guarded("other", "read"):
        ended.set()
        thread.join(10)
    print("a result", flush=True)
    os.write(1, b"of all\n")
    assert capfd.readouterr().out == "a result\nof all\n"


def test_the_users_interruption_stays_one() -> None:
    with pytest.raises(KeyboardInterrupt), guarded("good", "compute"):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interruption_while_the_program_is_imported_ends_it_quietly(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    command = [sys.executable, "-m", "tracker.cli", "preview"]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_a_plugin_in_the_folder_where_it_is_typed_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "acme-1.0.dist-info").mkdir()
    (tmp_path / "acme-1.0.dist-info" / "entry_points.txt").write_text("[tracker]\nacme = acme\n")
    (tmp_path / "acme.py").write_text("open('loaded', 'w')\n")
    for path in ("", str(tmp_path)):
        command, environment = [sys.executable, "-m", "tracker.cli", "preview"], os.environ | {"PYTHONPATH": path}
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        # unless the user says where it is
        assert ("acme" in done.stderr, (tmp_path / "loaded").exists()) == (bool(path), bool(path)), done.stderr


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("raise RuntimeError('no block')", "RuntimeError: no block"),
        ("return 'text'", "returned str 'text'. Expected Block | None."),
        (
            "return Block(title='B', rows=(Row(values={'a': {1, 2}}),))",
            "Expected a mapping from texts to JSON values, all numbers finite.",
        ),
        (
            "return Block(title='B', rows=(Row(values={'a': float('nan')}),))",
            "Invalid values {'a': nan}. Expected a mapping from texts to JSON values, all numbers finite.",
        ),
        (
            "return Block(title='B', rows=(Row(values={'a': [float('inf')]}),))",
            "Invalid values {'a': [inf]}. Expected",
        ),
        ("return Block(title='B', rows=('row',))", "Invalid rows ('row',). Expected a tuple of Row."),
        ("sys.exit()", "raised SystemExit()"),
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
    "sys.exit(3)": "raised SystemExit(3)",
    "while True: pass": "did not finish within 0.2 s",
    "return (event for event in [])": "TypeError: ingest_line returned a generator",
    "return None": "TypeError: ingest_line returned a NoneType. Expected a list of events",
    "return ['text']": "TypeError: an event is of type str. Expected dict",
    "return [{'lane': [], 'routed': False, 'ok': True}]": "TypeError: an event's lane is of type list. Expected None",
    "return [{'record_id': 'x'}]": "TypeError: an event has the unknown key 'record_id'.",
    "return [{'rid': {1}}]": "TypeError: an event's rid is of type set. Expected None or str",
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
    assert "; this line and others like it go to bad_events.rejected.jsonl" in done.stderr


def test_a_stream_whose_plugin_hangs_again_and_again_is_given_up(with_bad: Callable[[str], Run]) -> None:
    source = HEAD.replace('capacity="m", meters=(Meter(key="m", title="M"),)', 'kind="telemetry", stream="bad_events"')
    run = with_bad(f"{source}\n@hookimpl\ndef ingest_line(line):\n    while True: pass\n")
    done = run("ingest", "bad", "--window", "W1", "--stdin", stdin="a\n" * 100)
    why = "plugin 'bad' failed to ingest_line: did not finish within 0.2 s"
    assert (done.returncode, done.stdout, done.stderr.splitlines()[-1]) == (1, "", f"error: {why}")


def test_a_stream_whose_plugin_interrupts_it_stores_nothing_wrong(with_bad: Callable[[str], Run]) -> None:
    source = HEAD.replace('capacity="m", meters=(Meter(key="m", title="M"),)', 'kind="telemetry", stream="bad_events"')
    run = with_bad(f"{source}\n@hookimpl\ndef ingest_line(line):\n    raise KeyboardInterrupt\n")
    done = run("ingest", "bad", "--window", "W1", "--stdin", stdin="a\n")
    assert (done.returncode, done.stderr) == (
        1,
        "error: plugin 'bad' failed to ingest_line: raised KeyboardInterrupt()\n",
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
